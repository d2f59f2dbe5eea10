//! The kinds of images that a command takes, by their names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pvlu_zoo::data::{KnownSet, SETS};

/// Name of the images of a folder, as the command line takes it.
const FOLDER: &str = "folder";

/// Images that a command works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataName {
    /// A published set, read from its own files.
    Known(&'static KnownSet),
    /// Images in class folders, or in tar or Parquet files.
    Folder,
}

/// Parser of the name of a data set.
pub fn parser() -> impl TypedValueParser<Value = DataName> {
    let known = SETS.iter().map(|set| PossibleValue::new(set.name).help(set.about));
    let folder = PossibleValue::new(FOLDER)
        .help("A folder of images with a folder for each class, or tar or Parquet files of images");
    PossibleValuesParser::new(known.chain([folder]))
        .map(|name| KnownSet::named(&name).map_or(DataName::Folder, DataName::Known))
}

impl DataName {
    /// Name of the set, as the command line takes it.
    pub fn name(self) -> &'static str {
        match self {
            DataName::Known(set) => set.name,
            DataName::Folder => FOLDER,
        }
    }

    /// The published set; `None` for a folder.
    pub fn known(self) -> Option<&'static KnownSet> {
        match self {
            DataName::Known(set) => Some(set),
            DataName::Folder => None,
        }
    }

    /// Height and width of the set's images; `None` for a folder, whose images have any.
    pub fn image(self) -> Option<(usize, usize)> {
        self.known().map(|set| (set.shape[1], set.shape[2]))
    }
}
