//! Texts of Python programs.

pub mod expression;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::text::is_acted_on;

/// Most characters of a line.
const WIDTH: usize = 100;

/// A string of Python's, in double quotes. Nothing in the text ends it, and no character in it acts on a terminal or
/// changes how the program looks in an editor. Without its quotes it also fits between three of them.
pub fn string(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            _ if is_acted_on(c) => drop(write!(literal, "\\U{:08x}", u32::from(c))),
            _ => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// As [`string`], without its quotes: a part of a docstring.
pub fn inner(text: &str) -> String {
    let literal = string(text);
    literal[1..literal.len() - 1].to_owned()
}

/// A number of Python's: the shortest text that is read as the same one.
pub fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { format!("float(\"{value}\")") }
}

/// A list over as many lines as it needs, each with its items behind four spaces.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[\n");
    let mut line = String::new();
    for item in items {
        if !line.is_empty() && line.len() + item.len() + 6 > WIDTH {
            let _ = writeln!(text, "   {line}");
            line.clear();
        }
        let _ = write!(line, " {item},");
    }
    if !line.is_empty() {
        let _ = writeln!(text, "   {line}");
    }
    text.push(']');
    text
}
