//! The marks in a text: comments of Markdown, which a reader does not see.
//!
//! `<!-- numbers from FILE -->`, a table, `<!-- end -->`; or, within a line, `<!-- = FORMULA -->` VALUE `<!-- end -->`.
//! `<!-- unchecked: REASON -->` stands in a paragraph whose numbers no file has.

use std::ops::Range;

const OPEN: &str = "<!-- ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// A part of a document between two comments, which must be what its source gives.
#[derive(Debug)]
pub struct Mark {
    /// The source that gives the content.
    pub source: Source,
    /// The place of the content in the text, in bytes.
    pub content: Range<usize>,
}

#[derive(Debug)]
pub enum Source {
    /// A table of a file.
    Table(String),
    /// One value: words of a formula.
    Value(Vec<String>),
}

/// All marks of a text, in their order.
pub fn all(text: &str) -> Vec<Mark> {
    let breaks = |line: &&str| line.starts_with("<!-- = ") || line.starts_with("<!-- unchecked");
    assert_eq!(text.lines().find(breaks), None, "Markdown ends a paragraph at a line that begins with a comment");
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(OPEN).map(|start| at + start + OPEN.len()) {
        let close = start + text[start..].find(CLOSE).expect("a comment without an end");
        let comment = &text[start..close];
        at = close + CLOSE.len();
        let source = if let Some(file) = comment.strip_prefix("numbers from ") {
            Source::Table(file.to_owned())
        } else if let Some(formula) = comment.strip_prefix("= ") {
            Source::Value(formula.split_whitespace().map(str::to_owned).collect())
        } else {
            continue;
        };
        let end = at + text[at..].find(END).unwrap_or_else(|| panic!("no end of the mark {comment}"));
        marks.push(Mark { source, content: at..end });
        at = end + END.len();
    }
    marks
}

/// The paragraphs that are no code, each without what its marks hold and without those that say that they are
/// unchecked.
pub fn unmarked(text: &str) -> Vec<String> {
    let mut rest = text.to_owned();
    for mark in all(text).into_iter().rev() {
        rest.replace_range(mark.content, "");
    }
    // The backquotes of code stand at the odd places.
    let prose: String = rest.split("```").step_by(2).collect();
    let has_no_reason = |paragraph: &&str| reason(paragraph).is_none_or(str::is_empty);
    prose.split("\n\n").filter(has_no_reason).map(without_comments).collect()
}

/// The reason why the numbers of a paragraph are not checked.
fn reason(paragraph: &str) -> Option<&str> {
    let (_, after) = paragraph.split_once("<!-- unchecked: ")?;
    Some(after.split_once(CLOSE)?.0.trim())
}

fn without_comments(paragraph: &str) -> String {
    let pieces = paragraph.split(OPEN).enumerate();
    pieces
        .map(|(index, piece)| if index == 0 { piece } else { piece.split_once(CLOSE).map_or("", |(_, after)| after) })
        .collect()
}

/// Numbers with a unit of measurement behind them (shares, points, times, rates) and differences, which have a sign.
/// The level of an interval is none.
pub fn measurements(paragraph: &str) -> Vec<String> {
    const UNITS: [&str; 13] =
        ["%", "percent", "point", "ms", "s", "second", "hour", "h", "minute", "min", "times", "GB/s", "GFLOP/s"];
    let words: Vec<&str> =
        paragraph.split(|c: char| c.is_whitespace() || c == '|').filter(|word| !word.is_empty()).collect();
    let bare = |word: &str| word.trim_matches(|c: char| ",.;:()[]".contains(c)).to_owned();
    let is_number = |word: &str| {
        word.chars().all(|c| c.is_ascii_digit() || ".,+-±".contains(c)) && word.contains(|c: char| c.is_ascii_digit())
    };
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let number = bare(word);
        if let Some(share) = number.strip_suffix('%') {
            if is_number(share) {
                found.push(number);
            }
            continue;
        }
        let [unit, after] = [1, 2].map(|next| words.get(index + next).map(|word| bare(word)).unwrap_or_default());
        let is_unit = |name: &&str| unit == **name || unit == format!("{name}s") && name.len() > 2;
        if !is_number(&number) || after.starts_with("interval") {
            continue;
        } else if UNITS.iter().any(is_unit) {
            found.push(format!("{number} {unit}"));
        } else if number.starts_with('+') && number.contains('.') {
            found.push(number);
        }
    }
    found
}
