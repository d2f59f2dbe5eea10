//! Values of a TOML text by their keys, each with its place, so that an error says where it is, what was expected there
//! and what was found.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use pvlu_zoo::text::{did_you_mean, is_acted_on, listed, quoted, shown};
use toml::de::{DeTable, DeValue};

/// The most bytes in a text, more than any name, path or formula needs.
const LONGEST: usize = 4000;

/// The most keys that an error lists.
const LISTED: usize = 20;

/// An error at a place of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct ProtocolError {
    /// Line of the place, from 1.
    pub line: usize,
    /// Column of the place in characters, from 1.
    pub column: usize,
    /// The key, what was expected, and what was found.
    pub what: String,
}

impl ProtocolError {
    /// An error at a byte of a text.
    pub fn at(text: &str, byte: usize, what: String) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, what }
    }
}

/// Parses a text as TOML, and hands its table to `read`.
pub fn parse<T>(text: &str, read: impl FnOnce(&Section<'_>) -> Result<T, ProtocolError>) -> Result<T, ProtocolError> {
    let table = DeTable::parse(text).map_err(|error| {
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        let at = error.span().map_or(text.len(), |span| span.start);
        ProtocolError::at(text, at, format!("expected TOML, found something else: {}", shown(&message)))
    })?;
    read(&Section { text, path: String::new(), at: 0..0, table: table.get_ref(), over: None })
}

/// As [`parse`], where the values of another TOML text replace those with the same keys, and join the others.
/// Errors about them are placed within that text.
pub fn parse_over<T>(
    text: &str,
    over: &str,
    read: impl FnOnce(&Section<'_>) -> Result<T, ProtocolError>,
) -> Result<T, ProtocolError> {
    parse(over, |over| parse(text, |top| read(&Section { over: Some((over.text, over.table)), ..top.clone() })))
}

/// A table of a TOML text, such as `[budget.full]`.
#[derive(Clone)]
pub struct Section<'a> {
    text: &'a str,
    path: String,
    at: Range<usize>,
    table: &'a DeTable<'a>,
    /// Another text, and the table in it whose values take the place of those of this one.
    over: Option<(&'a str, &'a DeTable<'a>)>,
}

/// A value, with the key that leads to it and its place in the text.
#[derive(Clone)]
pub struct Value<'a> {
    text: &'a str,
    path: String,
    at: Range<usize>,
    value: &'a DeValue<'a>,
    /// Of a section, another text, and the section in it whose values take the place of those of this one.
    over: Option<(&'a str, &'a DeTable<'a>)>,
}

impl<'a> Section<'a> {
    /// Makes sure that the section has no other keys than these.
    pub fn only(&self, known: &[&str]) -> Result<(), ProtocolError> {
        self.only_but(known, &[])
    }

    /// Makes sure that a section of a `kind` has no other keys than those of that kind. Where another text has replaced
    /// the kind, the section may still have the keys of other kinds.
    pub fn only_of_kind(&self, known: &[&str], of_others: &[&str]) -> Result<(), ProtocolError> {
        let is_replaced = self.over.is_some_and(|(_, table)| table.contains_key("kind"));
        self.only_but(known, if is_replaced { of_others } else { &[] })
    }

    /// Makes sure that the section has no other keys than the known ones, and in its own text those left over.
    fn only_but(&self, known: &[&str], left_over: &[&str]) -> Result<(), ProtocolError> {
        let unknown = |table: &'a DeTable<'a>, left_over: &[&str]| {
            let is_known = |key: &str| known.contains(&key) || left_over.contains(&key);
            let unknown = table.keys().filter(|key| !is_known(key.get_ref().as_ref()));
            unknown.min_by_key(|key| key.span().start)
        };
        let found = unknown(self.table, left_over).map(|key| (self.text, key));
        let found = found.or_else(|| self.over.and_then(|(text, table)| Some((text, unknown(table, &[])?))));
        let Some((text, key)) = found else { return Ok(()) };
        let (name, place) = (key.get_ref().as_ref(), self.place());
        let meant = did_you_mean(name, known);
        let meant = if meant.is_empty() { format!(": expected {}", listed(known, LISTED)) } else { meant };
        Err(ProtocolError::at(text, key.span().start, format!("unknown key {}{place}{meant}", quoted(name))))
    }

    /// The value of a key, if it is there.
    pub fn find(&self, key: &str) -> Option<Value<'a>> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let within = |(text, table): (&'a str, &'a DeTable<'a>)| {
            let (name, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
            // A section's place is that of its name.
            let at = if value.get_ref().is_table() { name.span() } else { value.span() };
            Some(Value { text, path: path.clone(), at, value: value.get_ref(), over: None })
        };
        match (within((self.text, self.table)), self.over.and_then(within)) {
            (Some(own), Some(other)) => match (own.value, other.value) {
                (DeValue::Table(_), DeValue::Table(table)) => Some(Value { over: Some((other.text, table)), ..own }),
                _ => Some(other),
            },
            (own, other) => own.or(other),
        }
    }

    /// The value of a key that has to be there.
    pub fn need(&self, key: &str, expected: &str) -> Result<Value<'a>, ProtocolError> {
        self.find(key).ok_or_else(|| self.lacks(key, expected))
    }

    /// All values of the section, in the order of the text.
    pub fn values(&self) -> Vec<Value<'a>> {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        keys.into_iter().filter_map(|key| self.find(key.get_ref())).collect()
    }

    /// An error about the section as a whole.
    pub fn error(&self, what: &dyn Display) -> ProtocolError {
        ProtocolError::at(self.text, self.at.start, format!("{}: {what}", self.path))
    }

    /// The section of a key, if it is there.
    pub fn section(&self, key: &str) -> Result<Option<Section<'a>>, ProtocolError> {
        self.find(key).map(|value| value.section()).transpose()
    }

    /// The section of a key that has to be there.
    pub fn need_section(&self, key: &str) -> Result<Section<'a>, ProtocolError> {
        self.need(key, "a section of this name")?.section()
    }

    /// An error about a key that is missing.
    pub fn lacks(&self, key: &str, expected: &str) -> ProtocolError {
        let what = format!("the key `{key}` is missing{}: expected {expected}", self.place());
        ProtocolError::at(self.text, self.at.start, what)
    }

    /// All values of the section and of those within it that are no sections, by the keys that lead to them, in the
    /// order of the text. Lists of sections are left out.
    pub fn leaves(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        for value in self.values() {
            match (value.section(), value.rendered()) {
                (Ok(section), _) => leaves.extend(section.leaves()),
                (Err(_), Some(text)) => leaves.push((value.path, text)),
                (Err(_), None) => {}
            }
        }
        leaves
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in [{}]", self.path) }
    }
}

impl<'a> Value<'a> {
    /// The keys that lead to the value, separated by dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// An error that says what was expected here, and what is there.
    pub fn wrong(&self, expected: &str) -> ProtocolError {
        let found = match self.value {
            DeValue::Table(_) => "a section".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::String(text) => quoted(text).to_string(),
            _ => shown(self.text.get(self.at.clone()).unwrap_or_default()).to_string(),
        };
        self.error(&format!("expected {expected}, found {found}"))
    }

    /// An error about the value.
    pub fn error(&self, what: &dyn Display) -> ProtocolError {
        ProtocolError::at(self.text, self.at.start, format!("{}: {what}", self.path))
    }

    /// The section that the value is.
    pub fn section(&self) -> Result<Section<'a>, ProtocolError> {
        let table = self.value.as_table().ok_or_else(|| self.wrong("a section"))?;
        Ok(Section { text: self.text, path: self.path.clone(), at: self.at.clone(), table, over: self.over })
    }

    /// The elements of the list that the value is.
    pub fn list(&self) -> Result<Vec<Value<'a>>, ProtocolError> {
        let list = self.value.as_array().ok_or_else(|| self.wrong("a list in brackets"))?;
        let element = |value: &'a toml::Spanned<DeValue<'a>>| Value {
            text: self.text,
            path: self.path.clone(),
            at: value.span(),
            value: value.get_ref(),
            over: None,
        };
        Ok(list.iter().map(element).collect())
    }

    /// The text that the value is: neither empty nor long, on one line.
    pub fn string(&self, expected: &str) -> Result<&'a str, ProtocolError> {
        let text = self.value.as_str().ok_or_else(|| self.wrong(&format!("{expected} in quotation marks")))?;
        let fits = !text.trim().is_empty() && text.len() <= LONGEST && !text.contains(is_acted_on);
        if fits { Ok(text) } else { Err(self.wrong(&format!("{expected}, of 1 to {LONGEST} bytes on one line"))) }
    }

    /// The item of a list that the value names.
    pub fn choice<T: Clone>(&self, known: &[(&str, T)]) -> Result<T, ProtocolError> {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", listed(&names, LISTED));
        let text = self.string(&expected)?;
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, item)| item.clone());
        found.ok_or_else(|| match did_you_mean(text, &names) {
            meant if meant.is_empty() => self.wrong(&expected),
            meant => self.error(&format!("unknown value {}{meant}", quoted(text))),
        })
    }

    /// The whole number that the value is.
    pub fn whole(&self, range: RangeInclusive<u64>) -> Result<u64, ProtocolError> {
        let (least, most) = (range.start(), range.end());
        let expected = || match *most {
            u64::MAX => format!("a whole number from {least} on"),
            most => format!("a whole number from {least} to {most}"),
        };
        let found = self.value.as_integer().and_then(|found| u64::from_str_radix(found.as_str(), found.radix()).ok());
        found.filter(|number| range.contains(number)).ok_or_else(|| self.wrong(&expected()))
    }

    /// As [`whole`](Self::whole), of a count.
    pub fn count(&self, range: RangeInclusive<usize>) -> Result<usize, ProtocolError> {
        let number = self.whole(*range.start() as u64..=*range.end() as u64)?;
        usize::try_from(number).map_err(|_| self.wrong("a smaller number"))
    }

    /// The number that the value is, with or without decimals.
    pub fn number(&self, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, ProtocolError> {
        let text = self.value.as_float().map(|float| float.as_str());
        let text = text.or_else(|| self.value.as_integer().filter(|found| found.radix() == 10).map(|of| of.as_str()));
        let number = text.and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
        number.filter(|number| fits(*number)).ok_or_else(|| self.wrong(expected))
    }

    /// The truth value that the value is.
    pub fn flag(&self) -> Result<bool, ProtocolError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    /// The value as text; `None` of a section and of a list with sections in it.
    pub fn rendered(&self) -> Option<String> {
        match self.value {
            DeValue::Table(_) => None,
            DeValue::Array(_) => {
                let items: Option<Vec<String>> = self.list().ok()?.iter().map(Value::rendered).collect();
                items.map(|items| if items.is_empty() { "none".to_owned() } else { items.join(", ") })
            }
            DeValue::String(text) => Some(text.to_string()),
            _ => Some(self.text.get(self.at.clone()).unwrap_or_default().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, read: fn(&Section<'_>) -> Result<(), ProtocolError>) -> String {
        parse(text, read).unwrap_err().to_string()
    }

    #[test]
    fn an_error_says_where_it_is_what_was_expected_and_what_was_found() {
        let number = |top: &Section<'_>| top.need_section("a")?.need("b", "a number")?.whole(1..=9).map(drop);
        assert_eq!(error("[a]\n  b = 10\n", number), "2:7: a.b: expected a whole number from 1 to 9, found 10");
        assert_eq!(
            error("[a]\nb = \"é\u{1b}\"\n", number),
            "2:7: expected TOML, found something else: \
             invalid basic string, expected non-double-quote visible characters, `\\`"
        );
        assert_eq!(error("a.b = \"x\"", number), "1:7: a.b: expected a whole number from 1 to 9, found \"x\"");
        assert_eq!(error("\n[a]", number), "2:2: the key `b` is missing in [a]: expected a number");
        assert_eq!(error("a = 3", number), "1:5: a: expected a section, found 3");
        let only = |top: &Section<'_>| top.need_section("a")?.only(&["epochs", "seeds"]);
        assert_eq!(error("[a]\nepoch = 3", only), "2:1: unknown key \"epoch\" in [a] (did you mean epochs?)");
        assert!(error("[a]\nx = 3", only).contains("expected epochs, seeds"));
        let choice = |top: &Section<'_>| top.need("k", "")?.choice(&[("adam", 1), ("sgd", 2)]).map(drop);
        assert_eq!(error("k = 'lion'", choice), "1:5: k: expected one of adam, sgd, found \"lion\"");
        assert!(error("k = 'adan'", choice).contains("did you mean"));
    }

    #[test]
    fn values_of_another_text_take_the_place_of_those_of_the_same_keys() {
        let text = "[a]\nb = 1\nc = 2\n[d]\ne = 3\n";
        let read = |over: &str| {
            parse_over(text, over, |top| {
                let (a, of) = (top.need_section("a")?, |value: Value<'_>| value.whole(0..=9));
                a.only(&["b", "c", "x"])?;
                let f = top.section("f")?.map(|section| of(section.need("g", "a number")?)).transpose()?;
                let x = a.find("x").map(of).transpose()?;
                Ok((of(a.need("b", "a number")?)?, of(a.need("c", "a number")?)?, x, f))
            })
        };
        assert_eq!(read("").unwrap(), (1, 2, None, None));
        assert_eq!(read("a.b = 5\na.x = 6").unwrap(), (5, 2, Some(6), None));
        assert_eq!(read("f.g = 7").unwrap(), (1, 2, None, Some(7)));
        let error = read("f.g = 7\na.b = 50").unwrap_err().to_string();
        assert_eq!(error, "2:7: a.b: expected a whole number from 0 to 9, found 50");
        assert_eq!(read("a.y = 1").unwrap_err().to_string().split_once(':').unwrap().0, "1");
        assert!(read("a.y = 1").unwrap_err().what.contains("unknown key \"y\" in [a]"));
        let of_kind = |text, over| parse_over(text, over, |top| top.only_of_kind(&["kind", "x"], &["y"]));
        assert!(of_kind("kind = 1\ny = 1", "kind = 2").is_ok() && of_kind("kind = 1\nx = 1", "x = 2").is_ok());
        for (text, over) in [("kind = 1\ny = 1", ""), ("kind = 1\nz = 1", "kind = 2"), ("kind = 1", "kind = 2\ny = 1")]
        {
            assert!(of_kind(text, over).unwrap_err().what.contains("unknown key"), "{text} {over}");
        }
        assert!(read("a = 3").unwrap_err().what.contains("a: expected a section, found 3"));
    }

    #[test]
    fn leaves_are_in_the_order_of_the_text() {
        let leaves = parse("z = 1e-3\n[b]\ny = ['p', 'q']\nx = []\n[a]\n[[l]]\nm = 1", |top| Ok(top.leaves())).unwrap();
        let leaves: Vec<(&str, &str)> = leaves.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(leaves, [("z", "1e-3"), ("b.y", "p, q"), ("b.x", "none")]);
    }
}
