//! Weights that Keras stores as something else than the kernels that a layer computes with.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::format::{Format, TensorEntry};
use super::super::{Dtype, WeightsError, is_state};

const LORA: [&str; 2] = ["lora_kernel_a", "lora_kernel_b"];

/// Variables of quantized layers, of any of Keras' modes.
const QUANTIZED: [&str; 8] = [
    "kernel_scale",
    "kernel_zero",
    "quantized_kernel",
    "inputs_scale",
    "outputs_scale",
    "inputs_grad_amax_history",
    "kernel_amax_history",
    "inputs_amax_history",
];

/// Refuses the first tensor of a quantized layer and of an adapter (LoRA). A `.weights.h5` and a `.keras` have kernels
/// with the adapters merged into them, and are read.
pub(in crate::weights) fn check(
    path: &Path,
    format: Format,
    entries: &BTreeMap<String, TensorEntry>,
) -> Result<(), WeightsError> {
    let refused = entries.iter().find_map(|(key, entry)| {
        let leaf = key.rsplit('/').next().unwrap_or_default();
        let bytes = matches!(&entry.dtype, Dtype::Other(dtype) if dtype == "I8" || dtype == "U8");
        if LORA.contains(&leaf) {
            let found = "an adapter (LoRA) beside the kernel: load the model with Keras and store its weights by \
                         model.save_weights(\"NAME.weights.h5\"), which merges adapters into the kernels";
            Some((key, "kernels alone", found.to_owned()))
        } else if (bytes && !is_state(format, key)) || QUANTIZED.contains(&leaf) {
            let advice = "Keras cannot undo that, and to read it as floats is not done here: store the weights of the \
                          model before model.quantize, by model.save_weights(\"NAME.weights.h5\")";
            Some((key, "weights as floats", format!("{} of a quantized layer: {advice}", entry.dtype)))
        } else {
            None
        }
    });
    match refused {
        Some((key, expected, found)) => {
            let (path, key, expected) = (path.to_owned(), key.clone(), expected.to_owned());
            Err(WeightsError::Tensor { path, key, expected, found })
        }
        None => Ok(()),
    }
}
