//! Models as ONNX files, which onnxruntime, OpenVINO and other programs run.
//!
//! ```
//! use pvlu_zoo::checkpoint::Notes;
//! use pvlu_zoo::export::onnx::{Options, save};
//! use pvlu_zoo::registry;
//!
//! # let folder = std::env::temp_dir().join(format!("pvlu_zoo-onnx-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let model = registry::build("cifar_resnet20", "pvlu", 10, 0)?;
//! save(&*model, "cifar_resnet20", &folder.join("model.onnx"), &Notes::default(), &Options::default())?;
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file has the input `input`, `[batch, channels, height, width]` in `f32`, and the output `logits`,
//! `[batch, classes]`. The batch is of any size; height and width are those that the model was built for. The network
//! is that of evaluation: batch norms use their running statistics, and dropouts do nothing. What a file of weights
//! says of its model stands in the metadata under the same keys (`pvlu_zoo.model`, `pvlu_zoo.activation`, ...).
//!
//! Operators are those of version 17 of ONNX's own set. Tensors keep the names that a visit of the network shows.
//! An activation is a chain of elementwise operations, with parameters of `[1, channels, 1, 1]` or `[1, channels]`:
//! PVLU is `Relu`, `Mul`, `Sin`, `Mul`, `Add`. `e^x - 1` and `ln(1 + x)`, which ONNX does not have, are composed: the
//! first keeps its digits near 0, the second is as exact as 1 + x.
//!
//! Format: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

mod activation;
mod builder;
mod file;
mod fold;
mod layers;
mod protobuf;
#[cfg(test)]
mod tests;

use std::path::Path;

use pvlu::layer::{Extent, Graph};

use self::builder::Builder;
use self::file::{Parts, Signature};
use self::fold::Folded;
use super::ExportError;
use crate::atomic::AtomicFile;
use crate::checkpoint::{Notes, facts};
use crate::model::Model;

/// Choices in how a model is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Folds each batch norm into the convolution whose output it takes, if nothing else takes that: the file has fewer
    /// operations, and the logits are those of the two but for rounding.
    pub fold_batch_norm: bool,
}

/// Saves a model under a name, that of the registry if it is one of it. The file is whole or not there, and one that is
/// there is replaced.
///
/// # Errors
///
/// [`ExportError`], if a layer or an activation has no operation in ONNX, if the file would be larger than 2 GiB, which
/// its format does not allow, or if it cannot be written.
pub fn save(
    model: &dyn Model,
    name: &str,
    path: &Path,
    notes: &Notes<'_>,
    options: &Options,
) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io { path: path.to_owned(), source };
    write(model, name, path, notes, options)?.commit().map_err(failed)
}

/// As [`save`], but the file gets its name only when the caller commits it.
///
/// # Errors
///
/// As for [`save`].
#[doc(hidden)]
pub fn write(
    model: &dyn Model,
    name: &str,
    path: &Path,
    notes: &Notes<'_>,
    options: &Options,
) -> Result<AtomicFile, ExportError> {
    let (height, width) = model.image();
    let image = Extent::image(model.channels(), height, width);
    let graph = Graph::of(model.net(), image)?;
    let folded = if options.fold_batch_norm { Folded::of(&graph, model)? } else { Folded::default() };
    let mut builder = Builder::new(model.net());
    let (input, output) = layers::network(&mut builder, &graph, &folded)?;
    let logits = graph.extent(graph.outputs[0]);
    let metadata = &facts(model, name, notes);
    let signature = Signature { name, input: (input, image), output: (output, logits), metadata };
    Parts::of(&builder, &signature).write(model, path)
}
