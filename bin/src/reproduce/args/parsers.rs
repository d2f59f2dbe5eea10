//! Parsers of the values of options.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Arg;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pvlu::activation::written::split_list;

use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::public::PUBLIC;
use crate::reproduce::protocol::sweep::Tried;

/// A table of the paper, or the file of a protocol.
#[derive(Clone, Debug)]
pub enum Planned {
    /// A table of the paper.
    Table(Table),
    /// Path of a protocol.
    Protocol(PathBuf),
}

/// Activations or arms, separated by commas, as one use of an option gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed(Vec<String>);

/// The items of all uses of an option, in order.
pub fn all_of(lists: &[Listed]) -> impl Iterator<Item = &str> {
    lists.iter().flat_map(|list| &list.0).map(String::as_str)
}

pub(super) fn listed(text: &str) -> Result<Listed, std::convert::Infallible> {
    Ok(Listed(split_list(text).into_iter().map(str::to_owned).collect()))
}

pub(super) fn swept(text: &str) -> Result<Tried, String> {
    let (key, values) = text.split_once('=').ok_or("expected a key and its values, as learning_rate=1e-4,1e-3")?;
    Tried::of(key.trim(), &values.split(',').collect::<Vec<_>>())
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number.is_normal() && number > 0.0 { Ok(number) } else { Err("expected a positive number".to_owned()) }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = positive(text)?;
    if share < 1.0 { Ok(share) } else { Err("expected a number between 0 and 1".to_owned()) }
}

/// Parser of the name of a table, or of the path of a protocol.
pub(super) fn planned() -> impl TypedValueParser<Value = Planned> {
    #[derive(Clone)]
    struct TableOrFile<P>(P);

    impl<P: TypedValueParser<Value = Table>> TypedValueParser for TableOrFile<P> {
        type Value = Planned;

        fn parse_ref(&self, command: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<Planned, clap::Error> {
            let path = Path::new(value);
            if path.extension().is_some_and(|extension| extension == "toml") {
                return Ok(Planned::Protocol(path.to_owned()));
            }
            self.0.parse_ref(command, arg, value).map(Planned::Table)
        }

        fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
            self.0.possible_values()
        }
    }

    TableOrFile(table())
}

/// Parser of the name of a protocol that is built in, for its text.
pub(super) fn shown() -> impl TypedValueParser<Value = &'static str> {
    let tables = paper::all().iter().map(|table| {
        let (_, what) = table.about().split_once(": ").unwrap_or(("", table.about()));
        PossibleValue::new(table.name()).help(what)
    });
    let public = PUBLIC.iter().map(|public| PossibleValue::new(public.name).help(public.about));
    PossibleValuesParser::new(tables.chain(public)).try_map(|name| {
        let public = PUBLIC.iter().find(|public| public.name == name).map(|public| public.text);
        public.or_else(|| paper::find(&name).map(Table::text)).ok_or("no such protocol")
    })
}

/// Parser of the name of a table.
fn table() -> impl TypedValueParser<Value = Table> {
    let choice = paper::all().iter().map(|table| {
        let (_, what) = table.about().split_once(": ").unwrap_or(("", table.about()));
        PossibleValue::new(table.name()).help(what)
    });
    PossibleValuesParser::new(choice).try_map(|name| paper::find(&name).ok_or("no such table"))
}
