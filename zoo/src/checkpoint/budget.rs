//! How large the images may be that a file says.

use pvlu::activation::Definition;
use pvlu::layer::{Extent, LayerKind, LayerSummary, Path};

use super::CheckpointError;
use crate::model::Model;
use crate::registry::ModelEntry;
use crate::weights::TensorFile;

/// Bytes that input and output of the widest layer, and the parameters that an activation has for each element, may
/// take for one image of a size that a file says: half a gigabyte, as the layers of ResNet-50 and the CIFAR ResNets
/// take at 2048x2048. A larger one takes a person who asks for it.
///
/// A few lines of metadata would otherwise make any file a request for gigabytes. A whole forward pass of one image
/// takes about two and a half times as much.
pub const MAX_SAID: u64 = 1 << 29;

/// Refuses a model, to have this activation, for images of a size that the file says if that takes more than
/// [`MAX_SAID`]. Nothing has been set aside for images by then: the model holds its weights only.
pub(super) fn check(
    model: &dyn Model,
    activation: &'static Definition,
    entry: &'static ModelEntry,
    file: &TensorFile,
) -> Result<(), CheckpointError> {
    let bytes = widest(model, activation);
    if bytes <= MAX_SAID {
        return Ok(());
    }
    let ((height, width), path, per_element) = (model.image(), file.path().to_owned(), activation.is_per_element());
    Err(CheckpointError::Memory { path, model: entry.name, height, width, bytes, per_element })
}

/// Bytes of the input and the output of the layer where they take most, for one image of the model's size, and of the
/// parameters that the activation has for each element.
fn widest(model: &dyn Model, activation: &'static Definition) -> u64 {
    let (height, width) = model.image();
    let (mut widest, mut parameters) = (0, 0);
    let mut see = |layer: LayerSummary<'_>| {
        widest = widest.max(layer.input.elements() + layer.output.elements());
        if activation.is_per_element() && matches!(layer.kind, LayerKind::Activation { .. }) {
            parameters += LayerSummary { kind: LayerKind::Activation { activation }, ..layer }.tensor_elements();
        }
    };
    // An error only means that the image does not fit the head, which comes last; the model says so when it is run.
    let _ = model.net().summarize(&mut Path::root(), Extent::image(3, height, width), &mut see);
    (widest + parameters) as u64 * size_of::<f32>() as u64
}
