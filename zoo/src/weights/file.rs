//! One interface to the weight files of every format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pvlu::kernel::Element;

use super::bytes::FileBytes;
use super::format::{Contents, Format, TensorEntry};
use super::hdf5::Hdf5File;
use super::keras::{self, Shards};
use super::name::{elements, layer_of, shape, shown};
use super::read::{self, NotFinite, Target};
use super::safetensors::SafetensorsFile;
use super::sites::{self, SITES_KEY};
use super::torch::TorchFile;
use super::{Dtype, WeightsError};
use crate::text::message;

/// An open file of named tensors.
///
/// Opening reads what the file says of itself and checks it: that every tensor has as many bytes as its type and shape
/// take, that none overlaps another (but for torch, whose tensors may share their numbers), and that the file has them
/// all. Values are read afterwards, by position and in pieces, straight into a slice of the caller. The file is never
/// mapped or held in memory.
///
/// Memory: while opening, a small multiple of what the file takes to describe its tensors, at most 128 times the pickle
/// of a file of torch, 192 times the configuration in an archive of Keras; while reading, a fixed
/// [`PIECE`](TensorFile::PIECE) or one chunk of a chunked HDF5 dataset, at most [`MAX_CHUNK`](TensorFile::MAX_CHUNK).
/// Decoders also set aside, for a moment and untouched, room for as many parts as a hostile file says it has: that of
/// HDF5 up to 190 MB of addresses, that of zip up to 200 times the length of the file.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    format: Format,
    entries: BTreeMap<String, TensorEntry>,
    metadata: BTreeMap<String, String>,
    /// Prefix of all names in the file, which the keys of `entries` lack.
    prefix: String,
    /// Names in the file of the tensors that go by others here.
    renamed: BTreeMap<String, String>,
    /// Names of layers here, by their names in the configuration.
    renamed_layers: BTreeMap<String, String>,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Safetensors(SafetensorsFile),
    Torch(TorchFile),
    Hdf5(Box<Hdf5File>),
    Shards(Shards),
}

impl TensorFile {
    /// Bytes read at a time.
    pub const PIECE: usize = read::PIECE;
    /// Bytes accepted in a chunk of an HDF5 dataset, decoded. Those of h5py have at most 1 MiB unless asked for.
    pub const MAX_CHUNK: usize = super::hdf5::MAX_CHUNK;

    /// Opens a file of safetensors, torch or HDF5; which of them is seen from its first bytes, not from its name. The
    /// HDF5 may be in an archive of Keras (`.keras`), or in the files that a `.weights.json` of Keras lists, which then
    /// have to lie beside it.
    ///
    /// # Errors
    ///
    /// A path that is no file, a failed read, bytes in neither format, a damaged or cut file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        Self::new(FileBytes::open(path.as_ref())?, false)
    }

    /// As [`open`](Self::open), but takes the average of the weights of several steps that some trainings with torch
    /// keep beside the weights, e.g. as `state_dict_ema` or `model_ema`.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and a file without such an average.
    pub fn open_average(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        Self::new(FileBytes::open(path.as_ref())?, true)
    }

    /// Opens a file that is in memory. `name` stands for its path in messages.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Arc<[u8]>>) -> Result<Self, WeightsError> {
        Self::new(FileBytes::memory(name.into(), bytes.into()), false)
    }

    fn new(mut source: FileBytes, average: bool) -> Result<Self, WeightsError> {
        let path = source.path().to_owned();
        if let Some(container) = super::sniff::torch(&source)? {
            match TorchFile::new(source, container, average)? {
                Ok((file, contents)) => return Ok(Self::of(path, Format::Torch, contents, Reader::Torch(file))),
                Err(other) => source = other,
            }
        }
        if average {
            let found = "a file that torch did not write, without an average of weights".to_owned();
            return Err(WeightsError::Format { path, found });
        }
        let source = match keras::open(source)? {
            Ok(archive) => return Self::archive(path, archive),
            Err(other) => other,
        };
        let file = if super::sniff::is_hdf5(&source)? {
            let (file, format, contents) = Hdf5File::new(source)?;
            Self::of(path, format, contents, Reader::Hdf5(Box::new(file)))
        } else if let Some((shards, contents)) = Shards::open(&source)? {
            Self::of(path, Shards::FORMAT, contents, Reader::Shards(shards))
        } else {
            super::sniff::expect_safetensors(&source)?;
            let (file, contents) = SafetensorsFile::new(source)?;
            return Self::of(path, Format::Safetensors, contents, Reader::Safetensors(file)).with_sites();
        };
        keras::check(&file.path, file.format, &file.entries)?;
        Ok(file)
    }

    fn of(path: PathBuf, format: Format, (entries, metadata): Contents, reader: Reader) -> Self {
        let (prefix, renamed, renamed_layers) = (String::new(), BTreeMap::new(), BTreeMap::new());
        Self { path, format, entries, metadata, prefix, renamed, renamed_layers, reader }
    }

    /// The same file, with the activations of one that was written for torch by their numbers.
    fn with_sites(mut self) -> Result<Self, WeightsError> {
        let Some(list) = self.metadata.get(SITES_KEY) else { return Ok(self) };
        let names = sites::names(list, self.entries.keys());
        let named = names.and_then(|names| self.rename(names).map_err(|name| format!("two tensors {}", shown(&name))));
        match named {
            Ok(()) => Ok(self),
            Err(found) => Err(WeightsError::Structure {
                path: self.path,
                what: format!("metadata {SITES_KEY}"),
                expected: "a JSON array of the names of activations".into(),
                found: message(&found).to_string(),
            }),
        }
    }

    /// A `.keras`, whose configuration says what the layers are called.
    fn archive(path: PathBuf, archive: keras::Archive) -> Result<Self, WeightsError> {
        let keras::Archive { weights, configuration, version } = archive;
        let (file, format, (entries, mut metadata)) = Hdf5File::new(weights)?;
        let names = keras::names(&configuration, entries.keys().map(String::as_str));
        let names = names.map_err(|found| WeightsError::Structure {
            path: path.clone(),
            what: "entry config.json of the archive".into(),
            expected: "the configuration of a Keras model".into(),
            found: message(&found).to_string(),
        })?;
        metadata.extend(version.map(|version| ("keras_version".to_owned(), version)));
        let reader = Reader::Hdf5(Box::new(file.with_configuration(configuration)));
        // The configuration of a class of a user's own says nothing of its layers.
        let format = if names.is_empty() { format } else { Format::KerasLegacy };
        let mut file = Self::of(path, format, (entries, metadata), reader);
        if let Err(found) = file.rename(names) {
            return Err(WeightsError::Structure {
                path: file.path,
                what: shown(&found).to_string(),
                expected: "one tensor of a name".into(),
                found: "two".into(),
            });
        }
        keras::check(&file.path, file.format, &file.entries)?;
        Ok(file)
    }

    /// Path or name that the file was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Format of the file, by which it names and stores its tensors.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Container of the file, as people call it.
    #[doc(hidden)]
    #[must_use]
    pub fn container(&self) -> String {
        match &self.reader {
            Reader::Safetensors(_) => "safetensors".to_owned(),
            Reader::Torch(file) => file.container().to_owned(),
            Reader::Hdf5(file) if file.place().1 => "HDF5 in an archive of Keras".to_owned(),
            Reader::Hdf5(_) => "HDF5 of Keras".to_owned(),
            Reader::Shards(shards) => format!("JSON of Keras, with {} files of HDF5", shards.paths().count()),
        }
    }

    /// Paths of all files that the tensors are read from: that which was opened, and those that it lists.
    #[doc(hidden)]
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let listed = match &self.reader {
            Reader::Shards(shards) => shards.paths().map(Path::to_owned).collect(),
            _ => Vec::new(),
        };
        [vec![self.path.clone()], listed].concat()
    }

    /// The tensors, by name.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, TensorEntry> {
        &self.entries
    }

    /// Other texts in the file, by key: the `__metadata__` of a safetensors file, `backend` and `keras_version` of a
    /// legacy HDF5 file. For a file of torch, `torch.under` has the keys that lead to the weights, `torch.average` that
    /// of an average of weights beside them, `torch.beside` numbers such as the epoch, `torch.dropped` names of entries
    /// among the tensors that are none.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The configuration of the model, as JSON, that a whole-model file of Keras has beside the weights.
    #[must_use]
    pub fn configuration(&self) -> Option<&str> {
        match &self.reader {
            Reader::Safetensors(_) | Reader::Torch(_) | Reader::Shards(_) => None,
            Reader::Hdf5(file) => file.configuration(),
        }
    }

    /// Calls the tensors by what follows a prefix that all of their names have: `conv1.weight` for
    /// `module.conv1.weight`. Returns `false` and changes nothing if one of them does not have it, or nothing else.
    pub fn strip_prefix(&mut self, prefix: &str) -> bool {
        let is_prefixed = |name: &String| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        if !self.entries.keys().all(is_prefixed) {
            return false;
        }
        let entries = std::mem::take(&mut self.entries);
        self.entries = entries.into_iter().map(|(name, entry)| (name[prefix.len()..].to_owned(), entry)).collect();
        self.prefix.push_str(prefix);
        true
    }

    /// Calls tensors by other names, each of which comes with the name that it replaces. Tensors that are not there are
    /// passed over.
    ///
    /// Returns the name as an error, and changes nothing, if two tensors would have it.
    pub(crate) fn rename(&mut self, names: BTreeMap<String, String>) -> Result<(), String> {
        let replaced: BTreeSet<&String> = names.values().collect();
        if let Some(name) = names.keys().find(|name| self.entries.contains_key(*name) && !replaced.contains(name)) {
            return Err(name.clone());
        }
        let found = names.into_iter().filter_map(|(name, old)| Some((name, self.entries.remove(&old)?, old)));
        let found: Vec<(String, TensorEntry, String)> = found.collect();
        let mut own = |old: &String| self.renamed.remove(old).unwrap_or_else(|| old.clone());
        let renamed: Vec<(String, String)> = found.iter().map(|(name, _, old)| (name.clone(), own(old))).collect();
        self.renamed.extend(renamed);
        let layer = |name: &str| layer_of(name).to_owned();
        let layers: BTreeMap<String, String> = found.iter().map(|(name, _, old)| (layer(old), layer(name))).collect();
        for name in self.renamed_layers.values_mut() {
            if let Some(again) = layers.get(name) {
                name.clone_from(again);
            }
        }
        self.renamed_layers.extend(layers);
        self.entries.extend(found.into_iter().map(|(name, entry, _)| (name, entry)));
        Ok(())
    }

    /// Names of layers after [`rename`](Self::rename), by the names that they had.
    pub(super) fn renamed_layers(&self) -> &BTreeMap<String, String> {
        &self.renamed_layers
    }

    /// Prefix that was taken from the beginning of every name; see [`strip_prefix`](Self::strip_prefix).
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads a tensor into `values`, row-major as stored, converted to `E` by rounding to nearest.
    ///
    /// # Errors
    ///
    /// A name that is not there, a tensor of another type than a float, another number of elements than `values` has, a
    /// failed read, a chunk that cannot be decoded, a finite number that is infinite in `E`. `values` may then be
    /// written in part.
    pub fn read_into<E: Element>(&self, name: &str, values: &mut [E]) -> Result<(), WeightsError> {
        let entry = self.entries.get(name).ok_or_else(|| read::missing(&self.path, name))?;
        let problem = |expected: String, found: String| WeightsError::Tensor {
            path: self.path.clone(),
            key: name.to_owned(),
            expected,
            found,
        };
        if entry.dtype.float().is_none() {
            return Err(problem(Dtype::FLOATS.to_owned(), entry.dtype.to_string()));
        }
        if elements(&entry.shape) != Some(values.len()) {
            return Err(problem(format!("{} elements", values.len()), shape(&entry.shape).to_string()));
        }
        self.read(name, entry, Target::Slice(values))
    }

    /// Reads and converts every tensor of the file once and keeps nothing, so that a read that would fail half-way is
    /// known before a model is changed. Tensors of other types than floats are read and not converted.
    ///
    /// # Errors
    ///
    /// The first failed read, undecodable chunk or number out of range, as for [`read_into`](Self::read_into).
    pub fn verify<E: Element>(&self) -> Result<(), WeightsError> {
        self.entries.keys().try_for_each(|name| self.check::<E>(name).map(drop))
    }

    /// Reads and converts a tensor once, keeps nothing, and reports the elements that are not finite. None are reported
    /// for a tensor of another type than a float.
    pub(super) fn check<E: Element>(&self, name: &str) -> Result<NotFinite, WeightsError> {
        let entry = self.entries.get(name).ok_or_else(|| read::missing(&self.path, name))?;
        let mut found = NotFinite::default();
        self.read::<E>(name, entry, Target::Check(&mut found)).map(|()| found)
    }

    fn read<E: Element>(&self, name: &str, entry: &TensorEntry, target: Target<'_, E>) -> Result<(), WeightsError> {
        let name = match self.renamed.get(name) {
            Some(own) => own.clone(),
            None => format!("{}{name}", self.prefix),
        };
        match &self.reader {
            Reader::Safetensors(file) => file.read(&name, entry, target),
            Reader::Torch(file) => file.read(&name, entry, target),
            Reader::Hdf5(file) => file.read(&name, entry, target),
            Reader::Shards(shards) => shards.read(&self.path, &name, entry, target),
        }
    }
}
