//! The formats of weight files, and the description of a tensor in a file.

use std::collections::BTreeMap;

use super::Dtype;

/// Format of a file, by which it names and stores its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Safetensors, which allows any names.
    Safetensors,
    /// Pickles of `torch.save`, in any of its containers; names are those of torch's modules.
    Torch,
    /// HDF5 as Keras 1 and 2 wrote weights, and Keras 3 writes a whole model to `.h5`: `conv1_conv/kernel`. A `.keras`
    /// has the same names: those of its HDF5 are told by the configuration beside it.
    KerasLegacy,
    /// HDF5 as Keras 3 writes `.weights.h5`: `layers/conv2d/vars/0`.
    Keras3,
}

impl Format {
    /// Returns `true` for the formats of Keras, which number and nest layers in ways of their own.
    pub(crate) fn is_of_keras(self) -> bool {
        matches!(self, Self::KerasLegacy | Self::Keras3)
    }
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
