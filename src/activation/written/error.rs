//! Errors in the text of a formula.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use super::graph::MAX_EXPONENT;
use super::limits::{MAX_CHARS, MAX_DEPTH, MAX_OPERATIONS, MAX_PARAMS};
use super::names::FUNCTIONS;

/// A formula that is refused: why, and where.
///
/// Displayed it is three lines: the reason, and, by two spaces further in, the text around the place and a caret under
/// the place. Characters beyond ASCII are displayed as question marks.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenError {
    kind: WrittenErrorKind,
    place: usize,
    /// The displayed part of the text, and the column of the caret in it.
    line: String,
    column: usize,
}

/// Reasons for which a formula is refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WrittenErrorKind {
    /// It has more than 1,000 characters.
    TooLong,
    /// Brackets, signs and exponents are nested more than 64 deep.
    TooDeep,
    /// It and its derivatives have too many operations.
    TooManyOperations,
    /// A character that no formula has.
    Character(char),
    /// Beyond the range of `f64`.
    NumberTooLarge,
    /// Something else should stand here.
    Expected {
        /// The tokens that could stand here, in words.
        expected: &'static str,
        /// The token that stands here; `None` at the end of the text.
        found: Option<String>,
    },
    /// A name that is neither x nor pi nor that of a parameter.
    UnknownName(String),
    /// A name before a bracket that is not a function's.
    UnknownFunction(String),
    /// Too few or too many arguments.
    Arguments {
        /// Name of the function.
        function: String,
        /// Number of arguments that the function takes.
        takes: usize,
    },
    /// A name that means something else.
    Taken {
        /// The name that was to be given.
        name: String,
        /// The meaning that the name has already: "a function".
        meaning: &'static str,
    },
    /// Two parameters, or a parameter and the activation, of one name.
    Doubled(String),
    /// A parameter that is not in the formula.
    Unused(String),
    /// x is not in the formula.
    WithoutX,
    /// More than four parameters.
    TooManyParams,
    /// An integer exponent beyond what is multiplied out.
    Exponent(f64),
    /// The value or a derivative is infinite or not a number for an x that an activation meets.
    NotFinite {
        /// The result that is not finite: "value" or "derivative by a".
        what: String,
        /// The input at which it is not finite.
        x: f64,
        /// The values of the parameters, as in the text.
        params: String,
    },
    /// A setting of a built-in activation that does not have it.
    UnknownSetting {
        /// Name of the setting.
        name: String,
        /// Names of the parameters that the activation has.
        known: Vec<String>,
    },
}

impl WrittenError {
    /// `place` counts characters, from 0.
    pub(super) fn new(text: &str, place: usize, kind: WrittenErrorKind) -> WrittenError {
        /// Characters displayed on each side of the place.
        const SIDE: usize = 60;
        let start = if place <= SIDE + 3 { 0 } else { place - SIDE };
        let mut line = String::from(if start > 0 { "..." } else { "" });
        let column = line.len() + place - start;
        let mut characters = text.chars().skip(start);
        line.extend(characters.by_ref().take(place - start + SIDE).map(displayed));
        if characters.next().is_some() {
            line.push_str("...");
        }
        WrittenError { kind, place, line, column }
    }

    /// The reason for which the formula is refused.
    #[must_use]
    pub fn kind(&self) -> &WrittenErrorKind {
        &self.kind
    }

    /// Position of the error in the text, in characters from 0; at the end of the text their number.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place
    }
}

/// One character for one, so that the caret stands where it should.
fn displayed(character: char) -> char {
    match character {
        _ if character.is_ascii_graphic() => character,
        _ if character.is_whitespace() => ' ',
        _ => '?',
    }
}

impl Display for WrittenError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let column = self.column;
        write!(f, "{}\n  {}\n  {:column$}^", self.kind, self.line, "")
    }
}

impl Error for WrittenError {}

impl Display for WrittenErrorKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a formula has at most {MAX_CHARS} characters"),
            Self::TooDeep => write!(f, "brackets, signs and exponents are nested at most {MAX_DEPTH} deep"),
            Self::TooManyOperations => {
                write!(f, "a formula and its derivatives have at most {MAX_OPERATIONS} operations: write a shorter one")
            }
            Self::Character(character) => write!(f, "a formula has no character {character:?}"),
            Self::NumberTooLarge => f.write_str("this number is too large"),
            Self::Expected { expected, found: Some(found) } => write!(f, "expected {expected}, found `{found}`"),
            Self::Expected { expected, found: None } => write!(f, "expected {expected}, found the end"),
            Self::UnknownName(name) => {
                write!(f, "`{name}` is neither x nor pi nor a parameter: give a start value at the end, `; {name} = 1`")
            }
            Self::UnknownFunction(name) => {
                let known = FUNCTIONS.map(|(name, _)| name).join(", ");
                write!(f, "there is no function `{name}`: there are {known}; a product is written with `*`")
            }
            Self::Arguments { function, takes: 1 } => write!(f, "`{function}` takes one argument"),
            Self::Arguments { function, takes } => write!(f, "`{function}` takes {takes} arguments"),
            Self::Taken { name, meaning } => write!(f, "`{name}` is {meaning}: take another name"),
            Self::Doubled(name) => write!(f, "there are two of the name `{name}`"),
            Self::Unused(name) => write!(f, "the formula does not use `{name}`"),
            Self::WithoutX => f.write_str("the formula does not use x"),
            Self::TooManyParams => write!(f, "a formula has at most {MAX_PARAMS} parameters"),
            Self::Exponent(exponent) => {
                write!(f, "an integer exponent is at most {MAX_EXPONENT} and at least -{MAX_EXPONENT}, not {exponent}")
            }
            Self::NotFinite { what, x, params } => {
                write!(f, "the {what} is infinite or not a number at x = {x}")?;
                if params.is_empty() { Ok(()) } else { write!(f, " with {params}") }
            }
            Self::UnknownSetting { name, known } if known.is_empty() => {
                write!(f, "there is no parameter `{name}` to set: this activation has none")
            }
            Self::UnknownSetting { name, known } => {
                write!(f, "there is no parameter `{name}` to set: there are {}", known.join(", "))
            }
        }
    }
}
