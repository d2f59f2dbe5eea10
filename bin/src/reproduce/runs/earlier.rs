//! What becomes of the runs that an earlier command left.

/// What becomes of what an earlier command left of the same runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// What is of the same settings is used, and the rest moved aside.
    Used,
    /// What is of the same settings is used, and anything else is an error.
    Required,
    /// All is moved aside.
    Aside,
}
