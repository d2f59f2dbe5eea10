//! The formats of files of weights, and what each says of its tensors.

use std::collections::BTreeMap;

use super::Dtype;

/// How a file names and stores its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Safetensors: any names.
    Safetensors,
    /// HDF5 as Keras 1 and 2 wrote weights, and Keras 3 writes a whole model to `.h5`: `conv1_conv/kernel`.
    KerasLegacy,
    /// HDF5 as Keras 3 writes `.weights.h5`: `layers/conv2d/vars/0`.
    Keras3,
}

/// Type and shape of a tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its dimensions as stored, row-major; none for a scalar.
    pub shape: Vec<usize>,
}

/// What a file says of itself.
pub(super) type Contents = (BTreeMap<String, TensorEntry>, BTreeMap<String, String>);
