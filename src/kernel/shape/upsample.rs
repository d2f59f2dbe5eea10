//! Sizes of repeating rows and columns.

/// Sizes of one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsample {
    /// Number of planes, images times channels.
    pub planes: usize,
    /// Rows that come in.
    pub height: usize,
    /// Columns that come in.
    pub width: usize,
    /// Number of output rows for each row, and of output columns for each column.
    pub factor: usize,
}

impl Upsample {
    /// Elements that come in.
    pub fn input_len(self) -> usize {
        self.planes * self.height * self.width
    }

    /// Elements that go out.
    pub fn output_len(self) -> usize {
        self.input_len() * self.factor * self.factor
    }

    /// Elements of a row of the input and of the rows of the output that repeat it.
    pub(crate) fn rows(self) -> (usize, usize) {
        (self.width, self.width * self.factor * self.factor)
    }
}
