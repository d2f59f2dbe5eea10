//! Names of classes, and the outputs of a model that stand for them.

use std::path::Path;
use std::sync::Arc;

use pvlu_zoo::checkpoint::Opened;
use pvlu_zoo::data::Split;
use pvlu_zoo::labels::{self, LabelSet};
use pvlu_zoo::text;
use pvlu_zoo::transfer::in_head;

use crate::common::error::CliError;
use crate::common::images::Images;

/// The most names that a message lists.
const SHOWN: usize = 5;

/// Names of a model's outputs: those in its file, else those of the usual set with as many classes. Empty if there is
/// no such set, or if the head was drawn anew. More names in the file than the model has classes are an error.
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
        None => Ok(owned(LabelSet::usual(classes).map_or(&[], labels::of))),
    }
}

/// The outputs of a model that stand for the classes of a data set.
#[derive(Debug)]
pub struct Order {
    /// Names of the outputs, in their order: the model's if the classes were found by name, else those of the set.
    pub names: Vec<String>,
    /// A warning for the user if the classes were taken in order though the model has other names or more outputs.
    pub warning: Option<String>,
    /// True if the outputs were found by their names.
    pub by_name: bool,
    /// Names by output that the folders of the set are matched with.
    folders: Vec<String>,
    /// The number of the output for each class of the set.
    places: Vec<u16>,
}

impl Order {
    /// Finds the outputs by the names of the set's classes; for ImageNet's outputs the WordNet ids are tried too.
    /// Otherwise the first outputs are taken in the order of the set: with a warning if the model has names for them or
    /// more outputs than the set has classes, and as an error if their number is not that of the set, unless the model
    /// is `tuned` on the set and the classes fit into it.
    pub fn of(set: (&Path, &[String]), opened: &Opened, weights: &Path, tuned: bool) -> Result<Self, CliError> {
        let (path, classes) = set;
        let names = names(opened, weights)?;
        let mut known = vec![names.clone()];
        if names == labels::of(LabelSet::ImageNet) {
            known.push(owned(LabelSet::imagenet_ids()));
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

    /// The images with labels that are the numbers of a model's outputs.
    pub fn labeled(&self, images: Images) -> Result<Images, CliError> {
        if self.is_kept() {
            return Ok(images);
        }
        Ok(match images {
            Images::Memory(split) => {
                let labels = split.labels().iter().map(|&label| self.place(label)).collect();
                let (shape, pixels, classes) = (split.shape(), split.pixels().to_vec(), self.folders().len());
                Images::Memory(Arc::new(Split::with_shape(shape, pixels, labels, None, classes)?))
            }
            Images::Files(folder) => {
                Images::Files(Arc::new(Arc::unwrap_or_clone(folder).with_labels_of(&self.folders())?))
            }
        })
    }

    /// True if every class of the set has the number of its output.
    fn is_kept(&self) -> bool {
        self.places.iter().enumerate().all(|(class, &place)| class == usize::from(place))
    }

    /// The number of the output for a class of the set.
    fn place(&self, class: u16) -> u16 {
        self.places[usize::from(class)]
    }

    /// Names of the folders, by output.
    fn folders(&self) -> Vec<&str> {
        self.folders.iter().map(String::as_str).collect()
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The first names, quoted and separated by commas, for messages.
fn shown(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| text::quoted(name).to_string()).collect();
    format!("{}{}", quoted.join(", "), if names.len() > SHOWN { ", ..." } else { "" })
}
