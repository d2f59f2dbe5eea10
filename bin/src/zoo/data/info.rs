//! `zoo data info`: the data sets that a path holds.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pvlu_zoo::data::{DataError, Dataset, FolderParts, ImageFolder, Normalization, Recognized, Split};
use pvlu_zoo::text;
use serde_json::{Value, json};

use crate::common::data;
use crate::common::error::CliError;
use crate::common::output::{print, print_json};

/// Examples of the command line.
pub const EXAMPLES: &str = "  zoo data info cifar-10-python.tar.gz\n  zoo data info photos --json";

/// The most names of classes that the text lists.
const CLASSES: usize = 10;

/// The commands of `zoo data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Say what is in a folder or file: the set and its form, numbers of images, classes, mean and deviation
    Info(DataInfoArgs),
}

/// Command-line arguments of `zoo data info`.
#[derive(Args, Debug)]
pub struct DataInfoArgs {
    /// Folder or file [default: $PVLU_ZOO_DATA]
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Print the description as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command of `zoo data`.
pub fn run(DataCommand::Info(args): &DataCommand) -> Result<(), CliError> {
    let path = data::required(args.path.as_deref(), "PATH")?;
    let sets = Recognized::all(&path)?.into_iter().map(Set::of).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        return print_json(&Value::Array(sets.iter().map(Set::json).collect()));
    }
    print(&sets.iter().map(Set::text).collect::<Vec<_>>().join("\n\n"))
}

/// A part of a set.
struct Part {
    name: &'static str,
    images: usize,
    /// The least and the largest number of images of a class.
    of_a_class: (usize, usize),
}

/// Description of a set.
struct Set {
    name: &'static str,
    form: String,
    /// Channels, rows and columns; `None` for files, which have any size.
    shape: Option<[usize; 3]>,
    classes: Vec<String>,
    count: usize,
    parts: Vec<Part>,
    /// Name of the part that is measured, and mean and standard deviation by channel, or why there are none.
    measured: (&'static str, Result<Normalization, DataError>),
    warnings: Vec<String>,
}

impl Set {
    fn of(found: Recognized) -> Result<Self, CliError> {
        Ok(match found {
            Recognized::Set(set) => Self::in_memory(set),
            Recognized::Folder(parts) => Self::of_files(parts)?,
        })
    }

    fn in_memory(set: Dataset) -> Self {
        let part = |name, split: &Split| Part::of(name, set.classes, split.labels().iter().map(|&at| usize::from(at)));
        Self {
            name: set.name,
            shape: Some(set.train.shape()),
            classes: (0..set.classes).filter_map(|class| set.class_name(class)).collect(),
            count: set.classes,
            parts: vec![part("train", &set.train), part("test", &set.test)],
            measured: ("train", Normalization::measured(&set.train)),
            warnings: set.warnings,
            form: set.form,
        }
    }

    fn of_files(parts: FolderParts) -> Result<Self, CliError> {
        let parts: Vec<(&'static str, ImageFolder)> = match parts {
            FolderParts::Whole(folder) => vec![("images", folder)],
            FolderParts::Train(folder) => vec![("train", folder)],
            FolderParts::Test(folder) => vec![("test", folder)],
            FolderParts::Divided { train, test } => vec![("train", train), ("test", test)],
        };
        // There is a part, by the type.
        let (first, folder) = (parts[0].0, &parts[0].1);
        let measured = match folder.normalization() {
            Err(error @ DataError::Image(_)) => return Err(error.into()),
            measured => (first, measured),
        };
        let classes = folder.classes().to_vec();
        Ok(Self {
            name: "folder",
            form: folder.form().to_owned(),
            shape: None,
            count: classes.len(),
            parts: parts
                .iter()
                .map(|(name, folder)| Part::of(name, classes.len(), folder.files().map(|(_, label)| label)))
                .collect(),
            measured,
            warnings: parts.iter().flat_map(|(_, folder)| folder.warnings().to_vec()).collect(),
            classes,
        })
    }

    /// Number of channels that are measured.
    fn channels(&self) -> usize {
        self.shape.map_or(3, |[channels, ..]| channels)
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.name, self.form)];
        for Part { name, images, of_a_class: (least, most) } in &self.parts {
            let of_a_class = if least == most { least.to_string() } else { format!("{least} to {most}") };
            lines.push(format!("{name:<9}{images} images, {of_a_class} of a class"));
        }
        if let Some([channels, height, width]) = self.shape {
            lines.push(format!("{:<9}{channels} x {height} x {width}", "shape"));
        }
        let names = match &self.classes[..] {
            [] => String::new(),
            names => format!(": {}", text::listed(names.iter().map(|name| text::shown(name)), CLASSES)),
        };
        lines.push(format!("{:<9}{}{names}", "classes", self.count));
        let (part, measured) = &self.measured;
        match measured {
            Ok(Normalization { mean, std }) => {
                let row = |values: &[f32; 3]| {
                    values[..self.channels()].iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ")
                };
                lines.push(format!("{:<9}{} of {part}, by channel", "mean", row(mean)));
                lines.push(format!("{:<9}{} of {part}, by channel", "std", row(std)));
            }
            Err(error) => lines.push(format!("{:<9}not measured: {error}", "mean")),
        }
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let parts: Vec<Value> = self
            .parts
            .iter()
            .map(|Part { name, images, of_a_class: (least, most) }| {
                json!({ "part": name, "images": images, "least_of_a_class": least, "most_of_a_class": most })
            })
            .collect();
        let (part, measured) = &self.measured;
        let row = |values: fn(&Normalization) -> [f32; 3]| {
            measured.as_ref().ok().map(|measured| values(measured)[..self.channels()].to_vec())
        };
        json!({
            "set": self.name, "form": self.form, "shape": self.shape, "classes": self.count,
            "class_names": self.classes, "parts": parts, "measured": part,
            "mean": row(|measured| measured.mean), "std": row(|measured| measured.std), "warnings": self.warnings,
        })
    }
}

impl Part {
    fn of(name: &'static str, classes: usize, labels: impl Iterator<Item = usize>) -> Self {
        let mut counts = vec![0; classes];
        labels.for_each(|label| counts[label] += 1);
        let of_a_class = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
        Self { name, images: counts.iter().sum(), of_a_class }
    }
}
