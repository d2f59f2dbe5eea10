//! Checks of values that several parts of a protocol have.

use std::fmt::Display;
use std::path::PathBuf;

use crate::reproduce::protocol::reader::{ProtocolError, Section, Value};

/// The path of a key, if it is there.
pub fn path(section: &Section<'_>, key: &str, expected: &str) -> Result<Option<PathBuf>, ProtocolError> {
    section.find(key).map(|value| value.string(expected).map(PathBuf::from)).transpose()
}

/// The positive number that a value is.
pub fn rate(value: &Value<'_>) -> Result<f64, ProtocolError> {
    value.number("a positive number", |number| number.is_normal() && number > 0.0)
}

/// The share below one that a value is.
pub fn part(value: &Value<'_>) -> Result<f64, ProtocolError> {
    value.number("a number from 0 to below 1", |number| (0.0..1.0).contains(&number))
}

/// The elements of a list that has at least one.
pub fn unless_empty<'a>(value: &Value<'a>, expected: &str) -> Result<Vec<Value<'a>>, ProtocolError> {
    let list = value.list()?;
    if list.is_empty() { Err(value.error(&format!("expected {expected}, found none"))) } else { Ok(list) }
}

/// Makes sure that an element differs from those before it.
pub fn unless_repeated<T: PartialEq + Display>(item: &Value<'_>, others: &[T], new: &T) -> Result<(), ProtocolError> {
    if others.contains(new) { Err(item.error(&format!("{new} is there twice"))) } else { Ok(()) }
}

/// The seeds of a list, each of them once.
pub fn seeds(value: &Value<'_>) -> Result<Vec<u64>, ProtocolError> {
    let mut seeds = Vec::new();
    for item in unless_empty(value, "seeds, one run each")? {
        let seed = item.whole(0..=u64::MAX)?;
        unless_repeated(&item, &seeds, &seed)?;
        seeds.push(seed);
    }
    Ok(seeds)
}
