//! The formats of weight files, and the description of a tensor in a file.

use std::collections::BTreeMap;

use super::Dtype;

/// Format of a file, by which it names and stores its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Safetensors, which allows any names.
    Safetensors,
    /// HDF5 as Keras 1 and 2 wrote weights, and Keras 3 writes a whole model to `.h5`: `conv1_conv/kernel`.
    KerasLegacy,
    /// HDF5 as Keras 3 writes `.weights.h5`: `layers/conv2d/vars/0`.
    Keras3,
}

/// Type and shape of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// Type of the elements.
    pub dtype: Dtype,
    /// Dimensions as stored, row-major; none for a scalar.
    pub shape: Vec<usize>,
}

/// Description of a file without its values: the tensors by name, and the metadata by key.
pub(super) type Contents = (BTreeMap<String, TensorEntry>, BTreeMap<String, String>);
