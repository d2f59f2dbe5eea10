//! Errors of reading a pickle.

/// A pickle that cannot be read: which operation at which byte, what was expected there, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {position} of the pickle, {operation}: expected {expected}, found {found}")]
pub(crate) struct PickleError {
    /// Position of the operation.
    pub(crate) position: usize,
    /// Name of the operation, as in Python's module `pickletools`.
    pub(crate) operation: &'static str,
    /// Description of what the operation needs.
    pub(crate) expected: String,
    /// Description of what there is.
    pub(crate) found: String,
    cut: bool,
}

impl PickleError {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        // The machine fills in where it was.
        Self { position: 0, operation: "", expected: expected.into(), found: found.into(), cut: false }
    }

    /// The bytes end too early.
    pub(super) fn cut(expected: impl Into<String>, left: usize) -> Self {
        let found = match left {
            0 => "the end".to_owned(),
            1 => "1 byte".to_owned(),
            left => format!("{left} bytes"),
        };
        Self { cut: true, ..Self::new(expected, found) }
    }

    pub(super) fn at(self, position: usize, operation: &'static str) -> Self {
        Self { position, operation, ..self }
    }

    /// Returns `true` if the bytes are the beginning of a pickle, and more of them are needed.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }
}
