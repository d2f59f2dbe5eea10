//! Names of published weights.

use super::file::of_cards;
use super::{Published, PublishedError, PublishedFile, Repository};
use crate::cards::Weights;
use crate::labels;
use crate::registry::{self, ModelEntry};
use crate::source::Source;

/// A name of published weights, as a user gives it instead of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    /// The weights of a publisher for a model.
    Publisher(Source),
    /// The weights in a repository of the Hugging Face Hub.
    Hub(Repository),
    /// A file by the name that its publisher gave it.
    File(PublishedFile),
}

/// Beginning of the name of a repository.
const HUB: &str = "hf:";

impl Name {
    /// Reads a name; `None` for any other text, such as that of a path.
    ///
    /// # Errors
    ///
    /// [`PublishedError::Repository`] for `hf:` before what is no repository.
    pub fn parse(text: &str) -> Result<Option<Self>, PublishedError> {
        if let Some(repository) = text.strip_prefix(HUB) {
            return Repository::parse(repository).map(|repository| Some(Self::Hub(repository)));
        }
        let publisher = Source::named(text).filter(|source| *source != Source::Native);
        Ok(publisher.map(Self::Publisher).or_else(|| PublishedFile::named(text).map(Self::File)))
    }

    /// The weights that are meant. Of several files that a publisher has for a model it is the last that the card
    /// lists, which is torchvision's `DEFAULT`; `classes` tells apart those for several sets of classes.
    ///
    /// # Errors
    ///
    /// For a publisher, [`PublishedError::NoModel`] without a model, [`PublishedError::Registry`] for an unknown one,
    /// [`PublishedError::NoWeights`] if it has none for
    /// the model, and [`PublishedError::Several`] if the number of classes does not tell which are meant.
    pub fn resolve(&self, model: Option<&str>, classes: Option<usize>) -> Result<Published, PublishedError> {
        let source = match self {
            Self::Hub(repository) => return Ok(Published::Hub(repository.clone())),
            Self::File(file) => return Ok(Published::File(*file)),
            Self::Publisher(source) => *source,
        };
        let publisher = source.name();
        let entry = registry::find(model.ok_or(PublishedError::NoModel { name: publisher })?)?;
        let of_model = || entry.card().map_or(&[][..], |card| card.weights).iter();
        let files: Vec<&'static Weights> = of_model().filter(|weights| weights.source == source).collect();
        let fits = |weights: &&Weights| classes.is_some_and(|classes| labels::of(weights.labels).len() == classes);
        let fitting: Vec<&'static Weights> = files.iter().copied().filter(fits).collect();
        let chosen = if fitting.is_empty() { files } else { fitting };
        let Some(last) = chosen.last() else {
            let mut known: Vec<&str> = of_model().map(|weights| weights.source.name()).collect();
            known.dedup();
            let others = similar(entry, source);
            return Err(PublishedError::NoWeights { publisher, model: entry.name, others, known });
        };
        if chosen.iter().any(|weights| weights.labels != last.labels) {
            let files = chosen.iter().map(|weights| weights.file()).collect();
            return Err(PublishedError::Several { publisher, model: entry.name, files });
        }
        match source {
            Source::Timm => Repository::parse(last.place).map(Published::Hub),
            _ => Ok(Published::File(PublishedFile { weights: last, without_classifier: false })),
        }
    }
}

/// Models with weights of a publisher, whose names begin as that of another model does.
fn similar(entry: &ModelEntry, source: Source) -> Vec<&'static str> {
    let beginning =
        entry.name.split("_v1_5").next().unwrap_or(entry.name).trim_end_matches("v2").trim_end_matches("_b");
    let of_source = of_cards().filter(|(_, weights)| weights.source == source).map(|(other, _)| other.name);
    let mut names: Vec<&str> = of_source.filter(|name| name.starts_with(beginning)).collect();
    names.dedup();
    names
}
