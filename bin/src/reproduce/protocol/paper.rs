//! The tables: those of the paper, each a protocol that is built in, and those of a user's own protocols. The commands,
//! the figures, the report and the checks of records go through the list of the paper's: a table is offered, run, drawn
//! and reported once its protocol is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::definition::{Marked, Protocol};
use super::printed::{Numbered, PRINTED, Printed};
use super::read;
use super::reader::{ProtocolError, parse};

/// A table: its protocol, and what the paper prints of it.
#[derive(Clone, Copy)]
pub struct Table(&'static Entry);

struct Entry {
    protocol: Protocol,
    /// The text that the protocol was read from.
    text: String,
    /// The paper's numbers and figures; `None` of a protocol that is not the paper's.
    printed: Option<&'static Printed>,
}

/// The paper's tables in its order.
static ALL: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let table = |printed: &'static Printed| {
        let protocol = read::protocol(printed.protocol).expect("a built-in protocol is one, as a test makes sure");
        Table(Box::leak(Box::new(Entry { protocol, text: printed.protocol.to_owned(), printed: Some(printed) })))
    };
    PRINTED.iter().map(table).collect()
});

/// Tables of protocols that were read, by their texts. They stay for as long as the process runs.
static OWN: Mutex<BTreeMap<String, Table>> = Mutex::new(BTreeMap::new());

/// Endings that the names of a table's files have after that of the table.
pub const ENDINGS: [&str; 5] = ["_epochs", "_parameters", "_units", "_sweep", "_protocol"];

/// The most bytes in the text of a protocol.
pub const LONGEST_PROTOCOL: usize = 1 << 16;

/// All tables of the paper, in its order.
pub fn all() -> &'static [Table] {
    &ALL
}

/// Names of the arms of the paper's tables of pretrained networks.
pub fn arms() -> Vec<&'static str> {
    arms_of(|table| table.protocol().pretrained().is_some())
}

/// Names of the arms of the paper's tables of networks trained from scratch.
pub fn arms_from_scratch() -> Vec<&'static str> {
    arms_of(|table| table.protocol().pretrained().is_none())
}

fn arms_of(wanted: impl Fn(&Table) -> bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for arm in all().iter().copied().filter(wanted).flat_map(|table| &table.protocol().arms) {
        if !names.contains(&arm.name.as_str()) {
            names.push(&arm.name);
        }
    }
    names
}

/// The paper's table of this name, such as `table1`.
pub fn find(name: &str) -> Option<Table> {
    all().iter().copied().find(|table| table.name() == name)
}

impl Table {
    /// The table of a protocol in TOML: the paper's if the text says the same as that one, else a user's own.
    ///
    /// # Errors
    ///
    /// A text that is no protocol, and the name of a table of the paper, or of one of its files or figures, with
    /// another protocol than that.
    pub fn of_text(text: &str) -> Result<Self, ProtocolError> {
        if let Some(known) = OWN.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(*known);
        }
        let mut protocol = read::protocol(text)?;
        let known = find(&protocol.name);
        let refused = match known {
            Some(table) if table.protocol().says_the_same(&protocol) => return Ok(table),
            Some(table) => Some(difference(table, &protocol)),
            None => refused(&protocol.name),
        };
        if let Some(why) = refused {
            return parse(text, |top| Err(top.need("name", "a name")?.error(&why)));
        }
        // A value that no table of the paper has is not the paper's, though a changed file may still say so.
        let is_printed = |marked: &Marked| all().iter().any(|table| table.protocol().values.contains(marked));
        protocol.values.iter_mut().for_each(|marked| marked.of_paper &= is_printed(marked));
        let table = Self(Box::leak(Box::new(Entry { protocol, text: text.to_owned(), printed: None })));
        OWN.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned(), table);
        Ok(table)
    }

    /// The protocol of the table.
    pub fn protocol(self) -> &'static Protocol {
        &self.0.protocol
    }

    /// The protocol in TOML, as it was written.
    pub fn text(self) -> &'static str {
        &self.0.text
    }

    /// True for a table that is not one of the paper's.
    pub fn is_own(self) -> bool {
        self.0.printed.is_none()
    }

    /// The paper's numbers and figures of the table, if it is the paper's.
    pub fn printed(self) -> Option<&'static Printed> {
        self.0.printed
    }

    /// Name of the subcommand and of the files.
    pub fn name(self) -> &'static str {
        &self.0.protocol.name
    }

    /// Title of the table in files and reports. A user's own table never has the number of one of the paper's, though
    /// its protocol may have been made of that one's.
    pub fn title(self) -> &'static str {
        let title = self.0.protocol.title.as_str();
        let of_paper = || all().iter().any(|table| table.0.protocol.title == title);
        match title.split_once(": ") {
            Some((_, subject)) if self.is_own() && of_paper() => subject,
            _ => title,
        }
    }

    /// Title of the table without the paper's number.
    pub fn subject(self) -> &'static str {
        match self.title().split_once(": ") {
            Some((_, subject)) if !self.is_own() => subject,
            _ => self.title(),
        }
    }

    /// Description of the table in the list of commands.
    pub fn about(self) -> &'static str {
        self.printed().map_or(self.title(), |printed| printed.about)
    }

    /// The paper's figure of the test accuracy by epoch, if it has one.
    pub fn curves(self) -> Option<&'static Numbered> {
        self.printed()?.curves.as_ref()
    }

    /// Identifiers of the options that change nothing in this table: `shift` where no image is shifted.
    pub fn unused_options(self) -> Vec<&'static str> {
        let Protocol { augmentation, filter, .. } = self.protocol();
        let cut_out = augmentation.is_some_and(|augmentation| augmentation.cutout.is_some());
        let filtered = filter.is_some();
        let options = [
            (augmentation.is_some(), "shift"),
            (cut_out, "cutout"),
            (filtered, "filter_sigma"),
            (filtered, "filter_radius"),
        ];
        options.into_iter().filter(|(used, _)| !used).map(|(_, option)| option).collect()
    }

    /// The paper's number of the table, `1` for `table1`; the name of another one.
    pub fn number(self) -> &'static str {
        let number = self.name().strip_prefix("table").filter(|_| !self.is_own());
        number.unwrap_or(self.name())
    }

    /// Words for the table in headings: `Table 1`, or the name of a protocol.
    pub fn heading(self) -> String {
        if self.is_own() { self.name().to_owned() } else { format!("Table {}", self.number()) }
    }
}

/// The first value in which a protocol differs from the table of its name, in words.
fn difference(table: Table, protocol: &Protocol) -> String {
    let value = |of: &Protocol, key: &str| of.values.iter().find(|marked| marked.key == key).map(|of| of.value.clone());
    let of_both = table.protocol().values.iter().chain(&protocol.values).map(|marked| marked.key.as_str());
    let differs = |key: &&str| value(table.protocol(), key) != value(protocol, key);
    let shown = |of: Option<String>| of.unwrap_or_else(|| "nothing".to_owned());
    let what = match of_both.filter(|key| !key.starts_with("from_paper")).find(differs) {
        Some(key) => {
            format!("{key} is {} there, here {}", shown(value(table.protocol(), key)), shown(value(protocol, key)))
        }
        None => "its title or what its arms train is another one there".to_owned(),
    };
    format!("{} is a table of the paper, and {what}: choose another name", table.name())
}

/// The reason why a protocol cannot have a name: its files would be mixed up with others.
fn refused(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let numbered = ["table", "figure"].iter().filter_map(|word| lower.strip_prefix(word));
    let numbered = numbered.into_iter().any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    if numbered || lower == "report" {
        return Some(format!("{name} would be the name of a file of the paper's tables: choose another name"));
    }
    let ending = ENDINGS.iter().find(|ending| lower.ends_with(**ending))?;
    Some(format!("a name that ends in {ending} is that of a file of another table: choose another name"))
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
