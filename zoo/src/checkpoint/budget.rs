//! How large the images may be that a file says.

use pvlu::layer::{Extent, LayerOutline, Path};

use super::CheckpointError;
use crate::model::Model;
use crate::registry::Entry;
use crate::weights::TensorFile;

/// Bytes that input and output of the widest layer may take for one image of a size that a file says: half a gigabyte,
/// as ResNet-50 and the CIFAR ResNets take at 2048x2048. A larger one takes a person who asks for it.
///
/// A few lines of metadata would otherwise make any file a request for gigabytes. A whole forward pass of one image
/// takes about two and a half times as much.
pub const MAX_SAID: u64 = 1 << 29;

/// Refuses a model for images of a size that the file says if that takes more than [`MAX_SAID`]. Nothing has been set
/// aside for images by then: a model holds its weights only.
pub(super) fn check(model: &dyn Model, entry: &'static Entry, file: &TensorFile) -> Result<(), CheckpointError> {
    let bytes = widest(model);
    if bytes <= MAX_SAID {
        return Ok(());
    }
    let (height, width) = model.image();
    Err(CheckpointError::Memory { path: file.path().to_owned(), model: entry.name, height, width, bytes })
}

/// Bytes of the input and the output of the layer where they take most, for one image of the model's size.
fn widest(model: &dyn Model) -> u64 {
    let (height, width) = model.image();
    let mut widest = 0;
    let mut see = |layer: LayerOutline<'_>| widest = widest.max(layer.input.elements() + layer.output.elements());
    // An error only means that the image does not fit the head, which comes last; the model says so when it is run.
    let _ = model.net().outline(&mut Path::root(), Extent::image(3, height, width), &mut see);
    widest as u64 * size_of::<f32>() as u64
}
