//! A part of the columns of a matrix.

/// Columns `first` to `first + count` of a matrix of `rows` rows and `width` columns. Of images joined by channels a
/// row is an image, and a tensor with `C` channels has `count = C H W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the whole matrix.
    pub width: usize,
    /// The first column of the part.
    pub first: usize,
    /// Columns of the part.
    pub count: usize,
}

impl Columns {
    /// Asserts the contract of the kernels.
    pub(crate) fn check(self, part: usize, whole: usize) {
        assert!(self.first + self.count <= self.width, "the columns lie in the matrix");
        assert_eq!((part, whole), (self.rows * self.count, self.rows * self.width));
    }

    /// Range of a row of the part in the matrix.
    pub(crate) fn row(self, row: usize) -> std::ops::Range<usize> {
        let start = row * self.width + self.first;
        start..start + self.count
    }
}
