//! Published data sets, each known by its name.

use std::fmt;
use std::path::Path;

use super::{DataError, Dataset};

/// A published set of images: its name, its classes, and the reader of its files.
pub struct KnownSet {
    /// Name on command lines, in configurations and in files: `cifar10`.
    pub name: &'static str,
    /// Name in messages: `CIFAR-10`.
    pub title: &'static str,
    /// The forms that its files are read in, as the help of a program lists them.
    pub about: &'static str,
    /// Names of the classes, in label order.
    pub class_names: &'static [&'static str],
    /// Channels, rows and columns of an image.
    pub shape: [usize; 3],
    /// Numbers of training and of test images in the official set.
    pub official: [usize; 2],
    /// Reads the set from a file or a folder.
    pub(super) open: fn(&Path) -> Result<Dataset, DataError>,
    /// Number of files that the set has at least.
    pub(super) required: usize,
    /// Returns false for a path that is better left to other sets, whose files have the same names; an error where
    /// nothing tells whether it is.
    pub(super) may_be_in: fn(&Path) -> Result<bool, DataError>,
}

impl KnownSet {
    /// Returns true for an error of [`open`](Self::open) that says that no file of the set is there.
    pub(super) fn is_elsewhere(&self, error: &DataError) -> bool {
        match error {
            DataError::MissingFile { looked_for, .. } => looked_for.len() >= self.required,
            DataError::WrongSet { .. } | DataError::OtherForm { .. } | DataError::NotAFolder { .. } => true,
            _ => false,
        }
    }

    /// A warning for each part that has another number of images than that of the official set.
    pub(super) fn unofficial(&self, images: [usize; 2]) -> Vec<String> {
        let parts = ["train", "test"].into_iter().zip(images).zip(self.official);
        parts
            .filter(|((_, images), official)| images != official)
            .map(|((part, images), official)| {
                format!("{} {part}: {images} images, the official set has {official}", self.name)
            })
            .collect()
    }
}

/// Sets are equal if their names are: each has its own.
impl PartialEq for KnownSet {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KnownSet {}

impl fmt::Debug for KnownSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KnownSet").field(&self.name).finish()
    }
}

/// The modules of sets, each with the sets that it has: from this list come the modules, [`SETS`](super::SETS), and
/// what programs offer.
macro_rules! known_sets {
    ($($module:ident: $($set:ident),+;)+) => {
        $(mod $module;)+
        $(pub use $module::{$($set),+};)+

        /// The published sets that are read here, in the order in which they are looked for.
        pub static SETS: &[&KnownSet] = &[$($(&$set),+),+];

        impl KnownSet {
            /// The set of this name; `None` if there is none.
            #[must_use]
            pub fn named(name: &str) -> Option<&'static Self> {
                SETS.iter().copied().find(|set| set.name == name)
            }
        }
    };
}
pub(super) use known_sets;
