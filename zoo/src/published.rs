//! Published weights by name: what a user may say instead of a path, the folders in which the programs of the
//! publishers keep the files, and the preprocessing that goes with a file. Nothing here reaches out to a network.
//!
//! A name is a publisher with a model (`torchvision`, `timm`, `keras`, `idelbayev`, `chen`), a repository of the
//! Hugging Face Hub (`hf:OWNER/REPO`, `hf:OWNER/REPO@REVISION`), or a file as its publisher calls it
//! (`vgg16-397923af.pth`). The cards of the models say which files there are, see [`cards`](crate::cards).
//!
//! ```
//! use pvlu_zoo::published::{Caches, Name, PublishedError};
//!
//! let home = std::env::temp_dir().join("no-such-home");
//! let caches = Caches::of(&|variable| (variable == "HOME").then(|| home.clone().into_os_string()));
//! let published = Name::parse("torchvision")?.ok_or("no name")?.resolve(Some("vgg16"), None)?;
//! assert_eq!(published.to_string(), "vgg16-397923af.pth");
//!
//! // The file is not there, and the error says where it would be.
//! let error = published.find(&caches).unwrap_err();
//! assert!(matches!(error, PublishedError::NotThere { .. }));
//! assert!(error.to_string().contains("checkpoints"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod caches;
mod error;
mod file;
mod hash;
mod hub;
mod name;
mod recipe;
mod timm;

use std::fmt;
use std::path::PathBuf;

pub use self::caches::{Caches, Variables};
pub use self::error::PublishedError;
pub use self::file::PublishedFile;
#[doc(hidden)]
pub use self::file::all;
pub use self::hash::Hash;
pub use self::hub::Repository;
#[doc(hidden)]
pub use self::hub::{FILES, is_commit};
pub use self::name::Name;
#[doc(hidden)]
pub use self::recipe::{of_digest, of_path, of_place, places, stated_size_fits};
#[doc(hidden)]
pub use self::timm::timm_preprocessing;

/// Published weights that a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Published {
    /// A file at an address of its own.
    File(PublishedFile),
    /// The weights in a repository of the Hugging Face Hub.
    Hub(Repository),
}

/// A file that was found in a cache, and the hash that its name, its card or the cache states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Path of the file; within the hub's cache that of its snapshot, beside which `config.json` is.
    pub path: PathBuf,
    /// Hash that the contents have to have; `None` if none is stated.
    pub hash: Option<Hash>,
}

impl Published {
    /// The file in the cache of the publisher's programs.
    ///
    /// # Errors
    ///
    /// [`PublishedError::NotThere`] if it is not there, with the places that were looked at, and
    /// [`PublishedError::NoHome`] if no variable says where the cache is.
    pub fn find(&self, caches: &Caches) -> Result<Cached, PublishedError> {
        match self {
            Self::File(file) => file.find(caches),
            Self::Hub(repository) => repository.find(caches),
        }
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(&file.name()),
            Self::Hub(repository) => write!(f, "hf:{repository}"),
        }
    }
}

#[cfg(test)]
mod tests;
