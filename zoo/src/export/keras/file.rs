//! Weights as Keras 3 stores them: HDF5 with a group for each layer.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use hdf5_writer::{AttributeBuilder, ByteOrder, DatasetBuilder, Hdf5Builder, WriteOptions};

use crate::atomic::AtomicFile;
use crate::export::ExportError;
use crate::model::Model;
use crate::weights::{MAX_STRINGS, StoredLayout};

/// A tensor of the network in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Path of the dataset.
    pub dataset: String,
    /// Order of its elements.
    pub layout: StoredLayout,
    /// Shape in which [`layout`](Self::layout) has the elements.
    pub ordered: Vec<usize>,
    /// Shape of the dataset.
    pub shape: Vec<usize>,
}

/// The contents of a file.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The tensors, by their paths in the network.
    pub tensors: HashMap<String, Stored>,
    /// Names of layers, by the groups of their variables. Keras writes them there, too.
    pub names: BTreeMap<String, String>,
    /// Texts about the model, by key.
    pub metadata: BTreeMap<String, String>,
}

impl Contents {
    /// Writes the file, which gets its name when the caller commits it. Takes three times the memory that the model
    /// does beside it.
    pub fn write(mut self, model: &dyn Model, path: &Path) -> Result<AtomicFile, ExportError> {
        self.is_read_again(path)?;
        let failed = |source| ExportError::Io { path: path.to_owned(), source };
        let mut file = AtomicFile::create(path).map_err(failed)?;
        let refused = |error: hdf5_writer::Error| failed(std::io::Error::other(error));
        let bytes = {
            let mut builder = self.described().map_err(refused)?;
            let mut tensors = Vec::new();
            let mut buffer = Vec::new();
            model.tensors(&mut |tensor| {
                let Some(stored) = self.tensors.remove(tensor.slot.path) else { return };
                let values = if stored.layout.is_same() {
                    tensor.values
                } else {
                    buffer.resize(tensor.values.len(), 0.0);
                    stored.layout.to_file(&stored.ordered, tensor.values, &mut buffer);
                    &buffer
                };
                let shape: Vec<u64> = stored.shape.iter().map(|&size| size as u64).collect();
                let dataset = DatasetBuilder::typed_with_order::<f32>(stored.dataset, shape, ByteOrder::LittleEndian);
                tensors.push(dataset.data(values));
            })?;
            if let Some(path) = self.tensors.into_keys().next() {
                return Err(ExportError::NoTensor { path });
            }
            for tensor in tensors {
                builder = builder.dataset(tensor.map_err(refused)?);
            }
            let plan = builder.into_plan().map_err(refused)?;
            plan.encode(WriteOptions::default()).map_err(refused)?
        };
        file.write_all(&bytes).map_err(failed)?;
        Ok(file)
    }

    /// Makes sure that the texts about the model are no longer than they may be where the file is read.
    fn is_read_again(&self, path: &Path) -> Result<(), ExportError> {
        // Each is stored with a zero at its end, which counts.
        let bytes = self.metadata.values().map(|text| text.len() + 1).sum();
        match self.metadata.iter().max_by_key(|(_, text)| text.len()) {
            Some((key, _)) if bytes > MAX_STRINGS => {
                let (path, key) = (path.to_owned(), key.clone());
                Err(ExportError::Metadata { path, key, bytes, most: MAX_STRINGS, format: "Keras" })
            }
            _ => Ok(()),
        }
    }

    /// A file without tensors.
    fn described(&self) -> Result<Hdf5Builder, hdf5_writer::Error> {
        let mut builder = Hdf5Builder::new();
        for (group, name) in &self.names {
            builder = builder.group_attribute(group, AttributeBuilder::fixed_string("name", name));
        }
        for (key, text) in &self.metadata {
            // A text of any length: it is not in the header of the group, which is bounded.
            builder = builder.attribute(AttributeBuilder::vlen_strings(key, &[text.replace('\0', "")])?);
        }
        Ok(builder)
    }
}
