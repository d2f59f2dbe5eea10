//! The tokens of a formula's text.

use super::error::{WrittenError, WrittenErrorKind as Kind};
use super::limits::MAX_CHARS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Number(f64),
    Name,
    /// A single character of `+-*/^(),;=`.
    Symbol,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub what: What,
    pub text: &'t str,
    /// The number of the character, from 0, that it begins with.
    pub place: usize,
}

impl Token<'_> {
    pub fn is(&self, symbol: &str) -> bool {
        self.what == What::Symbol && self.text == symbol
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.what == What::Name && self.text == word
    }
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, WrittenError> {
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(WrittenError::new(text, MAX_CHARS, Kind::TooLong));
    }
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    // Up to the first character that is not ASCII, which is an error, bytes are characters.
    let mut place = 0;
    while let Some(&byte) = bytes.get(place) {
        let run = |from: usize, belongs: fn(u8) -> bool| {
            from + bytes[from..].iter().take_while(|&&byte| belongs(byte)).count()
        };
        let digits = |from: usize| run(from, |byte| byte.is_ascii_digit());
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let (what, end) = match byte {
            _ if byte.is_ascii_whitespace() => {
                place += 1;
                continue;
            }
            b'+' | b'-' | b'*' | b'/' | b'^' | b'(' | b')' | b',' | b';' | b'=' => (What::Symbol, place + 1),
            _ if byte.is_ascii_alphabetic() || byte == b'_' => {
                (What::Name, run(place, |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            _ if is_digit(place) || byte == b'.' && is_digit(place + 1) => {
                let mut end = digits(place);
                if bytes.get(end) == Some(&b'.') {
                    end = digits(end + 1);
                }
                if matches!(bytes.get(end), Some(b'e' | b'E')) {
                    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                    if is_digit(end + 1 + sign) {
                        end = digits(end + 1 + sign);
                    }
                }
                match text[place..end].parse::<f64>() {
                    Ok(number) if number.is_finite() => (What::Number(number), end),
                    _ => return Err(WrittenError::new(text, place, Kind::NumberTooLarge)),
                }
            }
            _ => {
                let character = text[place..].chars().next().unwrap_or_default();
                return Err(WrittenError::new(text, place, Kind::Character(character)));
            }
        };
        tokens.push(Token { what, text: &text[place..end], place });
        place = end;
    }
    Ok(tokens)
}

/// The text of tokens with spaces where a reader wants them, or only where it needs them if it would get too long.
pub(super) fn canonical(tokens: &[Token<'_>]) -> String {
    let spaced = spell(tokens, true);
    if spaced.len() <= MAX_CHARS { spaced } else { spell(tokens, false) }
}

fn spell(tokens: &[Token<'_>], spaced: bool) -> String {
    let mut text = String::new();
    let mut before: Option<&Token<'_>> = None;
    // True after a value, where a minus sign is that of a difference.
    let mut value = false;
    for token in tokens {
        let word = |token: &Token<'_>| token.what != What::Symbol;
        let operator = spaced && (token.is("=") || value && (token.is("+") || token.is("-")));
        let space = match before {
            None => false,
            Some(before) if word(before) && word(token) => spaced || before.what == What::Name,
            Some(before) => {
                operator
                    || spaced && (before.is(",") || before.is(";") || before.is("=") || before.is_word("swap"))
                    || text.ends_with(' ')
            }
        };
        if space && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push_str(token.text);
        if operator {
            text.push(' ');
        }
        value = token.is(")") || word(token) && !token.is_word("swap") && !token.is_word("fixed");
        before = Some(token);
    }
    text
}
