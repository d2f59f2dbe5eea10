//! Published files with an address of their own.

use std::path::{Path, PathBuf};

use super::{Cached, Caches, Hash, Published, PublishedError, Repository};
use crate::cards::Weights;
use crate::registry::{ModelEntry, models};
use crate::source::Source;

/// A file of a card: that of its weights, or for Keras also that without the classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedFile {
    /// The weights on the card.
    pub weights: &'static Weights,
    /// True for Keras' file without the classifier, whose name ends in `notop`.
    pub without_classifier: bool,
}

/// Extension of Keras' files, and the end of the names of those without the classifier.
const KERAS: (&str, &str) = (".h5", "_notop.h5");

/// All published weights of the registry, with the models that they are of, in the order of the models.
pub fn all() -> impl Iterator<Item = (&'static ModelEntry, Published)> {
    of_cards().flat_map(|(entry, weights)| {
        let whole = match weights.source {
            Source::Timm => Repository::parse(weights.place).ok().map(Published::Hub),
            _ => Some(Published::File(PublishedFile { weights, without_classifier: false })),
        };
        let without = weights.source == Source::Keras;
        let without = without.then_some(Published::File(PublishedFile { weights, without_classifier: true }));
        whole.into_iter().chain(without).map(move |published| (entry, published))
    })
}

/// The weights of all cards, with the models that they are of.
pub(super) fn of_cards() -> impl Iterator<Item = (&'static ModelEntry, &'static Weights)> {
    models().iter().flat_map(|entry| {
        entry.card().into_iter().flat_map(move |card| card.weights.iter().map(move |weights| (entry, weights)))
    })
}

impl PublishedFile {
    /// The file of this name; `None` if no publisher has given it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let files = all().filter_map(|(_, published)| match published {
            Published::File(file) => Some(file),
            Published::Hub(_) => None,
        });
        files.into_iter().find(|file| file.name() == name)
    }

    /// Name of the file, at the publisher as in the cache.
    #[must_use]
    pub fn name(&self) -> String {
        self.ending(self.weights.file())
    }

    /// The rest of the address after that of the publisher.
    #[must_use]
    pub fn place(&self) -> String {
        self.ending(self.weights.place)
    }

    /// Address of the file.
    #[must_use]
    pub fn url(&self) -> String {
        self.weights.source.url(&self.place())
    }

    fn ending(&self, name: &str) -> String {
        match name.strip_suffix(KERAS.0).filter(|_| self.without_classifier) {
            Some(stem) => format!("{stem}{}", KERAS.1),
            None => name.to_owned(),
        }
    }

    /// The hash that the publisher states: in the name as `torch.hub` does, or in the code of Keras.
    #[must_use]
    pub fn hash(&self) -> Option<Hash> {
        match (self.weights.source, self.weights.md5) {
            (Source::Torchvision | Source::Chen, _) => Hash::of_file_name(self.weights.file()),
            (_, Some(md5)) => Some(Hash::Md5(md5[usize::from(self.without_classifier)].to_owned())),
            _ => None,
        }
    }

    /// Path of the file in the cache: `torch.hub`'s for files of torch, Keras' for those of Keras.
    ///
    /// # Errors
    ///
    /// [`PublishedError::NoHome`] if no variable says where the cache is.
    pub fn path(&self, caches: &Caches) -> Result<PathBuf, PublishedError> {
        let (folder, variable) = match self.weights.source {
            Source::Keras => (&caches.keras, "KERAS_HOME"),
            _ => (&caches.torch, "TORCH_HOME"),
        };
        let missing = || PublishedError::NoHome { name: self.name(), publisher: self.weights.source.title(), variable };
        Ok(folder.as_deref().ok_or_else(missing)?.join(self.name()))
    }

    /// The file in the cache, as [`Published::find`].
    pub(super) fn find(&self, caches: &Caches) -> Result<Cached, PublishedError> {
        let path = self.path(caches)?;
        if Path::is_file(&path) {
            return Ok(Cached { path, hash: self.hash() });
        }
        Err(PublishedError::NotThere { name: self.name(), looked: vec![path], address: self.url() })
    }
}
