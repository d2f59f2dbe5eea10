//! Names of classes: which of a model's outputs stands for what.

use std::path::Path;

use pvlu_zoo::checkpoint::Opened;
use pvlu_zoo::labels::{self, LabelSet};
use pvlu_zoo::text;
use pvlu_zoo::transfer::in_head;

use crate::common::error::CliError;

/// Names that an error lists.
const SHOWN: usize = 5;

/// What the outputs of a model are called: as its file says, else as the usual set of so many classes does. Nothing
/// where the head was drawn anew.
pub fn names(opened: &Opened, weights: &Path) -> Result<Vec<String>, CliError> {
    let classes = opened.model.classes();
    let weight_of_head = |path: &String| in_head(path) && path.ends_with(".weight");
    if opened.report.fresh.iter().any(weight_of_head) {
        return Ok(Vec::new());
    }
    match &opened.description.labels {
        Some(labels) if labels.len() > classes => Err(CliError::Usage(format!(
            "{}: expected names of at most {classes} classes, as many as the model has, found {}",
            text::path(weights),
            labels.len()
        ))),
        Some(labels) => Ok(labels.clone()),
        None => Ok(owned(labels::usual(classes).map_or(&[], labels::of))),
    }
}

/// Which outputs of a model stand for the classes of a data set.
#[derive(Debug)]
pub struct Order {
    /// Names of the outputs from then on.
    pub names: Vec<String>,
    /// What to tell the user about the choice.
    pub warning: Option<String>,
    /// Whether the outputs were found by their names.
    pub by_name: bool,
    /// The classes of the set by output.
    folders: Vec<String>,
    /// The output of each class of the set.
    places: Vec<u16>,
}

impl Order {
    /// The outputs whose names the classes of the set have; of ImageNet's the WordNet ids will do. Else the first
    /// outputs in the order of the set: with a warning where the model has names for them, and never, unless it is
    /// `tuned` on the set, where their number is not that of the set.
    pub fn of(set: (&Path, &[String]), opened: &Opened, weights: &Path, tuned: bool) -> Result<Self, CliError> {
        let (path, classes) = set;
        let names = names(opened, weights)?;
        let mut known = vec![names.clone()];
        if names == labels::of(LabelSet::ImageNet) {
            known.push(owned(labels::imagenet_ids()));
        }
        for folders in known {
            let place =
                |class: &String| folders.iter().position(|name| name == class).and_then(|at| u16::try_from(at).ok());
            if let Some(places) = classes.iter().map(place).collect() {
                return Ok(Self { names, warning: None, by_name: true, folders, places });
            }
        }
        let (found, outputs) = (classes.len(), opened.model.classes());
        let expected = if tuned {
            (found > outputs).then(|| format!("at most {outputs} classes"))
        } else {
            let known = || format!("{} classes, or some of those of the model, as {}", names.len(), shown(&names));
            (found != names.len()).then(known)
        };
        if let Some(expected) = expected {
            let path = text::path(path);
            return Err(CliError::Usage(format!("{path}: expected {expected}; found {found}, as {}", shown(classes))));
        }
        let without = match outputs.saturating_sub(found) {
            0 => String::new(),
            others => format!(
                ", so that its outputs 0 to {} are they, and {others} of {outputs} outputs are of no class",
                found.saturating_sub(1)
            ),
        };
        let theirs = match &names[..] {
            [] => "the outputs of its model, which have no names".to_owned(),
            names => format!("those of {}, as {}", text::path(weights), shown(names)),
        };
        let warning = (!names.is_empty() || found < outputs).then(|| {
            format!(
                "warning: {}: its classes, as {}, are not among {theirs}: taken in the order of their names{without}",
                text::path(path),
                shown(classes)
            )
        });
        let places = (0..=u16::MAX).take(classes.len()).collect();
        Ok(Self { names: classes.to_vec(), warning, by_name: false, folders: classes.to_vec(), places })
    }

    /// Whether every class keeps its number.
    pub fn is_kept(&self) -> bool {
        self.places.iter().enumerate().all(|(class, &place)| class == usize::from(place))
    }

    /// The output of a class.
    pub fn place(&self, class: u16) -> u16 {
        self.places[usize::from(class)]
    }

    /// What folders are called, by output.
    pub fn folders(&self) -> Vec<&str> {
        self.folders.iter().map(String::as_str).collect()
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The first names as a person reads them.
fn shown(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| text::quoted(name).to_string()).collect();
    format!("{}{}", quoted.join(", "), if names.len() > SHOWN { ", ..." } else { "" })
}
