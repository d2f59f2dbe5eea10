//! A bound on the memory for images of a size that a file states.

use pvlu::activation::Definition;
use pvlu::layer::{Extent, LayerKind, LayerSummary, Path};

use super::error::{CheckpointError, MAX_SAID};
use crate::model::Model;
use crate::registry::ModelEntry;
use crate::weights::TensorFile;

/// Refuses a model for images of a size that the file states if it takes more than [`MAX_SAID`] with this activation.
/// No memory has been taken for images by then: the model holds its weights only.
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

/// Bytes of the input and the output of the widest layer, for one image of the model's size, and of the parameters that
/// the activation has for each element.
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
