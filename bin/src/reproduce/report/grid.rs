//! A table of text.

/// Rows of text below headings.
pub(super) struct Grid {
    pub(super) caption: String,
    pub(super) headings: Vec<String>,
    /// Number of cells at the beginning of each row that name it.
    pub(super) names: usize,
    /// Number of cells at the end of each row that are text, which may be broken into lines.
    pub(super) words: usize,
    pub(super) rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table that is not shown.
    pub(super) fn empty() -> Self {
        Self { caption: String::new(), headings: Vec::new(), names: 0, words: 0, rows: Vec::new() }
    }
}
