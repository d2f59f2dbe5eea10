//! Numbers that files hold as texts, in the one way in which they are printed: no sign, no zeros before them.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

/// The number that is printed as this text.
pub fn parse<T: FromStr + Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

/// Writes a number as a text.
pub fn serialize<T: Display, S: Serializer>(number: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

/// Reads the text of a number.
pub fn deserialize<'de, T: FromStr + Display, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("a text is no number that fits"))
}

/// The same of numbers that may be missing, with their keys.
pub mod optional {
    use super::{Deserializer, Display, FromStr, Serializer};

    /// Writes a number, if there is one, as a text.
    pub fn serialize<T: Display, S: Serializer>(number: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => super::serialize(number, to),
            None => to.serialize_none(),
        }
    }

    /// Reads the text of a number that is there.
    pub fn deserialize<'de, T: FromStr + Display, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        super::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_only_as_it_is_printed() {
        assert_eq!(parse("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "01", " 1", "1.0", "mean", "18446744073709551616"] {
            assert_eq!(parse::<u64>(text), None, "{text:?}");
        }
    }
}
