//! A table of text.

/// Rows of text below headings.
pub(super) struct Grid<'a> {
    pub(super) caption: String,
    pub(super) headings: Vec<&'a str>,
    /// Number of cells at the beginning of each row that name it.
    pub(super) names: usize,
    /// Number of cells at the end of each row that are text, which may be broken into lines.
    pub(super) words: usize,
    pub(super) rows: Vec<Vec<String>>,
}

impl Grid<'_> {
    /// A table that is not shown.
    pub(super) fn empty() -> Self {
        Self { caption: String::new(), headings: Vec::new(), names: 0, words: 0, rows: Vec::new() }
    }
}
