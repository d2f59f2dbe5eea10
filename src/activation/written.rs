//! Activations that are written as text: known when the program runs, with no compiler.
//!
//! A text has at most 1,000 characters, nested at most 64 deep:
//!
//! ```text
//! mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1; fixed c = 0.1
//! NAME = FORMULA; NAME = START [swap START]; ... ; fixed NAME = VALUE
//! ```
//!
//! - **Operators**, tightest first: `^` (right-associative: `2^3^x` is `2^(3^x)`), unary `-` (`-x^2` is `-(x^2)`), `*`
//!   and `/`, `+` and `-`; and brackets. A product needs its `*`.
//! - **Values**: numbers (`2`, `.5`, `1e-3`), `pi`, `x`, parameters.
//! - **Functions**: `exp`, `exp_m1` (e^x - 1), `ln`, `ln_1p` (ln(1 + x)), `sqrt`, `tanh`, `erf`, `abs`, `min(a, b)`,
//!   `max(a, b)`, `sin`, `cos`, `sigmoid`, `relu`, `softplus`.
//! - **Parameters**, at most four and one value for each channel, follow the formula. They are trained, from the number
//!   after `=`, and where the activation replaces another one in a trained network from that after `swap`, if there is
//!   one; after `fixed` they are not trained.
//! - **Names** are ASCII letters, digits and `_`, do not start with a digit, and mean nothing else: they are not `x`,
//!   `pi`, `fixed`, `swap`, a function or a built-in activation.
//!
//! The derivatives are exact, by the rules. At a kink they are those of the built-in activations: the derivative of
//! `max` with a constant is 0 at a tie, as the unit step is 0 at 0 (`max(x, 0)`, `max(0, x)`, `relu`), that of `abs` is
//! 0 at 0, and `min(x, 0)`, which is `x - max(x, 0)`, has 1 at 0, so that `max(x, 0) + a*min(x, 0)` is PReLU there too.
//! Where two functions tie, `max` has the derivative of its second argument and `min` that of its first. What is not
//! taken may overflow: `max(x, 0) + min(exp_m1(x), 0)` is 1 at 1,000.
//!
//! A power with a constant integer exponent from -64 to 64 is a product; larger ones are refused. Every other is
//! `e^(y ln x)` (a square root for 1/2), NaN for a negative base.
//!
//! A formula is refused if its value or one of its derivatives, by x and by what is trained, is infinite or NaN in
//! `f32` for one of the x from -4 to 4 in steps of 1/8, with the parameters as they start from scratch or after a swap.
//! So are `ln(x)`, `x^a`, `sqrt(x^2)` (which has no derivative at 0), `sin(x)/x` and, with `a = 0`, `x + sin(a*x)^2/a`.
//! The caret of the error stands under the operation where the first such number comes from. Beyond that range, and for
//! parameters that training moves, a formula can still become NaN, as a built-in one can.
//!
//! ```
//! use pvlu::activation::Written;
//!
//! let mine = Written::parse("mine = max(x,0) + a*sin(b*x); a = 0.5 swap 0; b = 1")?;
//! assert_eq!((mine.name(), mine.params()[0].start, mine.params()[0].swapped), ("mine", 0.5, 0.0));
//! // What goes into files, and comes back from them.
//! assert_eq!(mine.text(), "mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; b = 1");
//! assert_eq!(Written::parse(mine.text())?, mine);
//!
//! let error = Written::parse("mine = x + a*sine(x); a = 1 swap").unwrap_err();
//! let message = "expected a number, found the end";
//! let caret = " ".repeat(32) + "^";
//! assert_eq!(error.to_string(), format!("{message}\n  mine = x + a*sine(x); a = 1 swap\n  {caret}"));
//! # Ok::<(), pvlu::activation::WrittenError>(())
//! ```

mod check;
mod derive;
mod error;
mod graph;
mod limits;
mod names;
mod param;
mod parse;
mod token;

pub use error::{WrittenError, WrittenErrorKind};
pub use limits::{MAX_CHARS, MAX_DEPTH, MAX_OPERATIONS};
pub use param::{Setting, WrittenParam};

use crate::kernel::cpu::activation::program::{Node, Program};
use parse::{Cursor, Formula};

/// An activation that is written as text; see the [module](self) for the grammar.
///
/// Equal to another if their [texts](Written::text) are equal, from which all else follows.
#[derive(Clone, Debug)]
pub struct Written {
    name: String,
    params: Vec<WrittenParam>,
    text: String,
    program: Program,
}

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

    /// The error for a name that an activation of the program's own has.
    pub(super) fn taken(&self, text: &str) -> WrittenError {
        let (name, meaning) = (self.name.clone(), "an activation of this program");
        WrittenError::new(text, 0, WrittenErrorKind::Taken { name, meaning })
    }

    /// Name on the command line, in files and in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters, at most 4, in the order in which they are written.
    pub fn params(&self) -> &[WrittenParam] {
        &self.params
    }

    /// The text as it goes into files: with other spaces, and else as it was written. It has at most as many characters
    /// as a text may have, and parses to an equal activation.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The list of operations that the kernels run.
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// A text as it is kept: with other spaces, and else as it was written.
///
/// # Errors
///
/// [`WrittenError`] for characters and numbers that no formula has.
pub(super) fn canonical(text: &str) -> Result<String, WrittenError> {
    Ok(token::canonical(Cursor::new(text)?.tokens()))
}

/// True if a text is a formula and not the name of an activation, with settings or without: if there is a `=` before
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
/// [`WrittenError`] if it is no such list. The names are not checked against those of any parameters; see
/// [`Setting::unknown`].
pub fn parse_settings(text: &str) -> Result<Vec<Setting>, WrittenError> {
    let mut cursor = Cursor::new(text)?;
    cursor.settings("")
}

impl Setting {
    /// The error for a value beyond the range of `f32`; `text` is that which the settings were read from.
    #[must_use]
    pub fn too_large(&self, text: &str) -> WrittenError {
        WrittenError::new(text, self.place, WrittenErrorKind::NumberTooLarge)
    }

    /// The error for a setting of a name that is not `known`; `text` is that which the settings were read from.
    #[must_use]
    pub fn unknown(&self, text: &str, known: &[&str]) -> WrittenError {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        WrittenError::new(text, self.place, WrittenErrorKind::UnknownSetting { name: self.name.clone(), known })
    }
}

#[cfg(test)]
mod tests;
