//! A table of text.

/// Rows of text below headings, the first ones of a row saying what it is of.
pub(super) struct Grid<'a> {
    pub(super) caption: String,
    pub(super) headings: Vec<&'a str>,
    /// Cells at the beginning of a row that say what the row is of.
    pub(super) names: usize,
    /// Cells at the end of a row that are text, which may be broken into lines.
    pub(super) words: usize,
    pub(super) rows: Vec<Vec<String>>,
}

impl Grid<'_> {
    /// A table that is not shown.
    pub(super) fn empty() -> Self {
        Self { caption: String::new(), headings: Vec::new(), names: 0, words: 0, rows: Vec::new() }
    }
}
