//! The description of a file whose model is known, as text and as JSON.

use std::path::Path;

use pvlu::layer::{Extent, Part};
use pvlu_zoo::checkpoint::{FrozenState, Opened, Tuning};
use pvlu_zoo::text::{self, message, quoted, shown};
use pvlu_zoo::transfer::{Group, kind_name};
use pvlu_zoo::weights::TensorFile;
use serde_json::{Value, json};

use super::columns::columns;
use super::learned::Learned;
use super::tuning;

/// Names of classes that are shown at most.
const LABELS: usize = 5;

/// A part of a file that was read, or the reason why it could not be.
pub type Read<T> = Result<T, String>;

/// Everything that is known of a file and its model.
pub struct Said<'a> {
    /// Path of the file.
    pub path: &'a Path,
    /// The file itself, with its tensors.
    pub file: &'a TensorFile,
    /// The model with the weights of the file.
    pub opened: &'a Opened,
    /// Place of the published weights that the file is.
    pub published: Option<&'static str>,
    /// Preprocessing of the images, as text.
    pub preprocessing: Read<String>,
    /// Names of the classes; empty if they are not known.
    pub labels: Read<Vec<String>>,
    /// Sets of images that the model was trained on.
    pub trained_on: Read<Vec<String>>,
    /// The way in which the network was tuned; `None` if the file does not say it.
    pub tuning: Read<Option<Tuning>>,
    /// Tensors that the tuning trained; `None` if the file does not say it.
    pub frozen: Read<Option<FrozenState>>,
    /// Tensors of the network by kind.
    pub groups: Vec<Group>,
    /// Parameters that the activations learned.
    pub learned: Learned,
}

impl Said<'_> {
    /// The state of a group of tensors during the tuning, if the file says it.
    fn state(&self, group: &Group) -> Option<&'static str> {
        let frozen = self.frozen.as_ref().ok()?.as_ref()?;
        Some(frozen.state(group.part, group.kind)?.name())
    }

    /// The input of the model.
    fn input(&self) -> Extent {
        let (height, width) = self.opened.model.image();
        Extent::image(3, height, width)
    }

    /// The description as text.
    pub fn text(&self) -> String {
        let Opened { model, entry, report, description } = self.opened;
        let activation = model.activation().unwrap_or("its own");
        let mut lines = vec![heading(self.path, self.file)];
        let mut line = |name: &str, value: String| lines.push(format!("  {name:<18}{value}"));
        line("model", format!("{}<{activation}, {}> on {}", entry.name, model.classes(), self.input()));
        entry.card().iter().for_each(|card| line("", card.about.to_owned()));
        self.published.iter().for_each(|place| line("published", format!("{place} of {}", report.source.title())));
        description.version.iter().for_each(|version| line("saved by", format!("pvlu_zoo {}", shown(version))));
        line("tensors", report.to_string());
        line("preprocessing", said(&self.preprocessing, Clone::clone));
        line(
            "classes",
            said(&self.labels, |names| match &names[..] {
                [] => format!("{} without names", model.classes()),
                names => {
                    let first = text::listed(names.iter().map(|name| quoted(name).to_string()), LABELS);
                    let usual = if description.labels.is_none() { ", the usual ones of as many" } else { "" };
                    format!("{}{usual}: {first}", names.len())
                }
            }),
        );
        if !matches!(&self.trained_on, Ok(sets) if sets.is_empty()) {
            line("trained on", said(&self.trained_on, |sets| sets.join("; ")));
        }
        match &self.tuning {
            Ok(None) => {}
            Ok(Some(tuning)) => tuning::lines(tuning).into_iter().for_each(|(name, text)| line(name, text)),
            Err(why) => line("tuned", format!("not readable: {why}")),
        }
        if let Err(why) = &self.frozen {
            line("frozen", format!("not readable: {why}"));
        }
        let mut table = vec![["PART", "KIND", "TENSORS", "ELEMENTS", "IN THE TUNING"].map(str::to_owned)];
        if !matches!(self.frozen, Ok(Some(_))) {
            table[0][4].clear();
        }
        table.extend(self.groups.iter().map(|group| {
            let part = group.part.map_or("", Part::name).to_owned();
            let state = self.state(group).unwrap_or_default().to_owned();
            [part, kind_name(group.kind).to_owned(), group.tensors.to_string(), group.elements.to_string(), state]
        }));
        let learned = if self.learned.is_empty() {
            format!("{activation} has no trained parameters")
        } else {
            self.learned.text()
        };
        format!("{}\n\n{}\n\n{learned}", lines.join("\n"), columns(&table))
    }

    /// The description as JSON.
    pub fn json(&self) -> Value {
        let Opened { model, entry, report, description } = self.opened;
        let (height, width) = model.image();
        let parts = self.groups.iter().map(|group| {
            json!({
                "part": group.part.map(Part::name), "kind": kind_name(group.kind), "tensors": group.tensors,
                "elements": group.elements, "in_the_tuning": self.state(group),
            })
        });
        json!({
            "file": self.path.display().to_string(),
            "container": self.file.container(),
            "model": entry.name,
            "activation": model.activation(),
            "classes": model.classes(),
            "image": [height, width],
            "names": report.source.name(),
            "published": self.published,
            "version": description.version,
            "tensors": self.file.entries().len(),
            "loaded": report.loaded.len(),
            "fresh": report.fresh,
            "ignored": report.ignored,
            "preprocessing": read(&self.preprocessing, |text| json!(text)),
            "labels": read(&self.labels, |names| json!(names)),
            "trained_on": read(&self.trained_on, |sets| json!(sets)),
            "tuning": read(&self.tuning, |tuning| json!(tuning)),
            "parts": Value::from_iter(parts),
            "learned": self.learned.json(),
        })
    }
}

/// First line of the description of a file.
pub fn heading(path: &Path, file: &TensorFile) -> String {
    format!("{}: {}, {} tensors", text::path(path), file.container(), file.entries().len())
}

fn said<T>(read: &Read<T>, show: impl FnOnce(&T) -> String) -> String {
    read.as_ref().map_or_else(|why| format!("not readable: {why}"), show)
}

fn read<T>(read: &Read<T>, show: impl FnOnce(&T) -> Value) -> Value {
    read.as_ref().map_or_else(|why| json!({ "not_readable": message(why).to_string() }), show)
}
