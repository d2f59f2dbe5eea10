//! Activations that are written as text, known when the program runs.
//!
//! ```
//! use pvlu::activation::Written;
//!
//! let mine = Written::parse("mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1; fixed c = 0.1").unwrap_err();
//! assert_eq!(mine.to_string().lines().next(), Some("the formula does not use `c`"));
//! let mine = Written::parse("mine = max(x,0) + a*sin(b*x); a = 0.5 swap 0; b = 1")?;
//! assert_eq!(mine.name(), "mine");
//! assert_eq!(mine.params()[0].start, 0.5);
//! assert_eq!(mine.text(), "mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1");
//! # Ok::<(), pvlu::activation::WrittenError>(())
//! ```

mod check;
mod derive;
mod error;
mod graph;
mod names;
mod parse;
mod token;

pub use error::{WrittenError, WrittenErrorKind};
pub use graph::MAX_OPERATIONS;
pub use parse::MAX_DEPTH;
pub use token::MAX_CHARS;

use crate::kernel::cpu::activation::program::{MAX_PARAMS, Node, Program};
use parse::{Cursor, Formula};

/// A parameter of a written activation: one value for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenParam {
    /// Name, as in the formula: "alpha".
    pub name: String,
    /// Value at the start of training from scratch.
    pub start: f64,
    /// Value where the activation replaces another one in a trained network.
    pub swapped: f64,
    /// Whether it is trained; otherwise it is a hyperparameter, saved with the network but never changed.
    pub trained: bool,
}

/// A parameter as a list after a `;` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// The number of the character, from 0, that the name begins with.
    pub place: usize,
    /// The number after `=`.
    pub start: f64,
    /// The number after `swap`, if there is one.
    pub swapped: Option<f64>,
    /// Whether it says `fixed`.
    pub fixed: bool,
}

impl From<Setting> for WrittenParam {
    fn from(setting: Setting) -> Self {
        let Setting { name, start, swapped, fixed, .. } = setting;
        WrittenParam { name, start, swapped: swapped.unwrap_or(start), trained: !fixed }
    }
}

/// An activation that is written as text; see the [module](self) for the grammar.
#[derive(Clone, Debug)]
pub struct Written {
    name: String,
    params: Vec<WrittenParam>,
    text: String,
    program: Program,
}

/// Two are equal if their [texts](Written::text) are, from which all else follows.
impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Written {
    /// Reads an activation.
    ///
    /// # Errors
    ///
    /// [`WrittenError`] if the text is none, or one that cannot be differentiated.
    pub fn parse(text: &str) -> Result<Written, WrittenError> {
        let mut cursor = Cursor::new(text)?;
        let Formula { name, params, mut graph, places, value } = parse::formula(&mut cursor)?;
        let variables = std::iter::once(Node::X).chain((0..params.len()).map(Node::Param));
        let mut derivatives = Vec::new();
        for variable in variables {
            let by = derive::derivatives(&mut graph, value, variable);
            derivatives.push(by.map_err(|node| cursor.error(places[node], WrittenErrorKind::TooManyOperations))?);
        }
        check::check(&graph, value, &derivatives, &params).map_err(|found| {
            let by = |number: usize| if number == 0 { "x" } else { &params[number - 1].name };
            let what = found.derivative.map_or("value".to_owned(), |number| format!("derivative by {}", by(number)));
            let values = params.iter().zip(&found.params).map(|(param, value)| format!("{} = {value}", param.name));
            let params = values.collect::<Vec<_>>().join(", ");
            cursor.error(places[found.node], WrittenErrorKind::NotFinite { what, x: found.x, params })
        })?;
        let zero = graph.constant(0.0).map_err(|_| cursor.error(0, WrittenErrorKind::TooManyOperations))?;
        let outputs: Vec<usize> = derivatives.iter().map(|by| by[value].unwrap_or(zero)).collect();
        let program = Program::new(graph.nodes(), value, &outputs);
        Ok(Written { name, params, text: token::canonical(cursor.tokens()), program })
    }

    /// Name on the command line, in files and in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters, at most 4, in the order in which they are written.
    pub fn params(&self) -> &[WrittenParam] {
        &self.params
    }

    /// The text as it goes into files: with other spaces, and else as it was written. It has at most as many characters as
    /// a text may have, and parses to an equal activation.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the kernels run.
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Whether a text is a formula and not the name of an activation, with settings or without: whether there is a `=` before
/// any `;`.
pub fn is_formula(text: &str) -> bool {
    text.split(';').next().is_some_and(|first| first.contains('='))
}

/// The activations in a list that is separated by commas. A comma within brackets belongs to a formula.
pub fn split_list(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Reads the list of parameters after the first `;` of a text, as for `leaky_relu; slope = 0.3`.
///
/// # Errors
///
/// [`WrittenError`] if it is no such list. Whether there are parameters of these names is not looked at; see
/// [`Setting::unknown`].
pub fn parse_settings(text: &str) -> Result<Vec<Setting>, WrittenError> {
    let mut cursor = Cursor::new(text)?;
    cursor.settings("")
}

impl Setting {
    /// The error for a setting of a name that is not `known`; `text` is that which the settings were read from.
    #[must_use]
    pub fn unknown(&self, text: &str, known: &[&str]) -> WrittenError {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        WrittenError::new(text, self.place, WrittenErrorKind::UnknownSetting { name: self.name.clone(), known })
    }
}

#[cfg(test)]
mod tests;
