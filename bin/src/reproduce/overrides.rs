//! The values of a preset that the options of a command replaced.

use std::fmt::Display;

use pvlu::Precision;

use crate::reproduce::protocol::definition::Protocol;
use crate::reproduce::request::Request;

/// The form in which a value is described.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// The value is a number of these things, as in `5 of 100 epochs`.
    Count(&'static str),
    /// The value belongs to this quantity, as in `shift 2 not 3`.
    Value(&'static str),
}

/// The preset's values for the options that every table has.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// Epochs; in tables 3 to 6 of each arm.
    pub epochs: u64,
    /// Adam's learning rate; in tables 3 to 6 at the start of each arm.
    pub learning_rate: f64,
    /// Images in a step.
    pub batch_size: usize,
    /// Numbers of training images, held-out ones included, and of test images.
    pub images: (usize, usize),
    /// The same as the user limited them, as far as there are so many.
    pub limits: (Option<usize>, Option<usize>),
    /// Share of the training images of each class that is held out.
    pub held_out: f64,
}

/// Values that differ from the preset's.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    options: Vec<String>,
    words: Vec<String>,
}

impl Overrides {
    /// Adds an option if it was given and differs from the preset's value.
    #[must_use]
    pub fn with<T: Display>(mut self, option: &str, given: Option<T>, usual: T, told: Told) -> Self {
        let (given, usual) = (given.map(|given| given.to_string()), usual.to_string());
        let Some(given) = given.filter(|given| *given != usual) else { return self };
        self.options.push(format!("{option}={given}"));
        let is_part = given.parse::<u64>().ok().zip(usual.parse().ok()).is_some_and(|(given, usual)| given < usual);
        self.words.push(match told {
            Told::Count(what) if is_part => format!("{given} of {usual} {what}"),
            Told::Count(what) => format!("{given} {what} not {usual}"),
            Told::Value(what) => format!("{what} {given} not {usual}"),
        });
        self
    }

    /// Adds the options that every table has.
    #[must_use]
    pub fn with_common(self, request: &Request, usual: &Usual) -> Self {
        let (limits, (train, test)) = (usual.limits, usual.images);
        let rate = |rate: f64| format!("{rate:e}");
        let given = request.learning_rate.map(rate);
        self.with("epochs", request.epochs, usual.epochs, Told::Count("epochs"))
            .with("learning-rate", given, rate(usual.learning_rate), Told::Value("learning rate"))
            .with("limit-train", limits.0, train, Told::Count("training images"))
            .with("limit-test", limits.1, test, Told::Count("test images"))
            .with("batch-size", request.batch_size, usual.batch_size, Told::Value("batch size"))
            .with("held-out", request.images.held_out, usual.held_out, Told::Value("held out"))
            .with("precision", Some(request.precision), Precision::F32, Told::Value("precision"))
            .with("shards", request.shards, 1, Told::Value("shards"))
    }

    /// Adds the options on how images are changed and filtered. Those that the table does not use are noted.
    #[must_use]
    pub fn with_changes(self, request: &Request, protocol: &Protocol, notes: &mut Vec<String>) -> Self {
        let (name, filter) = (protocol.name.as_str(), protocol.filter);
        let (changes, kept) = (protocol.augmentation.is_some(), protocol.augmentation.unwrap_or_default());
        let shift = of_table("shift", request.shift, (name, changes), notes);
        let cutout = of_table("cutout", request.cutout, (name, kept.cutout.is_some()), notes);
        let sigma = of_table("filter-sigma", request.filter_sigma, (name, filter.is_some()), notes);
        let radius = of_table("filter-radius", request.filter_radius, (name, filter.is_some()), notes);
        self.with("shift", shift, kept.shift, Told::Value("shift"))
            .with("cutout", cutout, kept.cutout.unwrap_or(0), Told::Value("cutout"))
            .with("filter-sigma", sigma, filter.map_or(0.0, |of| of.sigma), Told::Value("filter sigma"))
            .with("filter-radius", radius, filter.map_or(0, |of| of.radius), Told::Value("filter radius"))
    }

    /// The options that change numbers: `epochs=5 limit-train=100`.
    pub fn options(&self) -> String {
        self.options.join(" ")
    }

    /// Description of the preset with its replaced values: `paper`, or `paper, 5 of 100 epochs, 100 of 50000 training
    /// images`.
    pub fn of(&self, preset: &str) -> String {
        std::iter::once(preset).chain(self.words.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
    }
}

/// The value of an option for a table. If the table does not use the option, the value is dropped, and a note says so.
fn of_table<T>(name: &str, value: Option<T>, (table, uses): (&str, bool), notes: &mut Vec<String>) -> Option<T> {
    if value.is_some() && !uses {
        notes.push(format!("--{name}: {table} does not use it"));
    }
    value.filter(|_| uses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_named_alone_only_where_all_values_are_its_own() {
        let none = Overrides::default();
        assert_eq!((none.of("paper"), none.options()), ("paper".to_owned(), String::new()));
        let same =
            none.with("epochs", Some(100), 100, Told::Count("epochs")).with("shift", None, 3, Told::Value("shift"));
        assert_eq!((same.of("paper"), same.options()), ("paper".to_owned(), String::new()));
        let other = same
            .with("epochs", Some(5), 100, Told::Count("epochs"))
            .with("first-epochs", Some(20), 15, Told::Count("first epochs"))
            .with("learning-rate", Some("1e-2"), "1e-3", Told::Value("learning rate"));
        assert_eq!(other.of("paper"), "paper, 5 of 100 epochs, 20 first epochs not 15, learning rate 1e-2 not 1e-3");
        assert_eq!(other.options(), "epochs=5 first-epochs=20 learning-rate=1e-2");
    }
}
