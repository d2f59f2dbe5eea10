//! Models as Python programs for torch, each with a safetensors file of its weights.
//!
//! ```
//! use pvlu_zoo::checkpoint::{Notes, Wanted, open};
//! use pvlu_zoo::export::torch;
//! use pvlu_zoo::registry;
//! use pvlu_zoo::source::Source;
//!
//! # let folder = std::env::temp_dir().join(format!("pvlu_zoo-torch-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let entry = registry::find("cifar_resnet20")?;
//! let model = registry::build("cifar_resnet20", "pvlu", 10, 0)?;
//! torch::save(&*model, entry, Source::Native, &folder.join("tuned.py"), &Notes::default())?;
//!
//! // The weights are a file of weights as any other.
//! let opened = open(folder.join("tuned.safetensors"), &Wanted::default())?;
//! assert_eq!((opened.entry.name, opened.model.activation()), ("cifar_resnet20", Some("pvlu")));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `build()` of the program returns the network in evaluation, with its weights. Run by itself, the program compares
//! the logits of one image with those that the model gave here, and exits with 1 if they differ by more than 1e-5 of
//! the largest and by more than rounding. `save(model, path)` writes the weights of a network that was tuned in torch.
//!
//! The network is torchvision's or timm's own where they have it, with a module of the activation wherever it has a
//! ReLU. Otherwise the program defines it, layer by layer. The tensors of layers have the names of those libraries, or
//! the names that the original has, in torch's layouts. A module of an activation is called after the layer before it:
//! `layer1.0.act1` behind `layer1.0.bn1`. The metadata lists these modules under `pvlu_zoo.sites`, and the logits under
//! `pvlu_zoo.logits`; the other keys are those of any file saved here.

mod activation;
mod classes;
mod library;
mod names;
mod network;
mod script;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use pvlu::layer::{Extent, Graph};

use self::classes::Classes;
use self::library::{Library, STEM};
use self::names::Names;
use self::script::Script;
use super::{ExportError, Pair};
use crate::atomic::AtomicFile;
use crate::checkpoint::{Notes, facts, key};
use crate::model::Model;
use crate::names::in_torch;
use crate::registry::ModelEntry;
use crate::source::Source;
use crate::weights::write_with_sites;

/// The weights of a program: the file of the same name beside it that ends in `.safetensors`.
#[must_use]
pub fn weights_of(program: &Path) -> PathBuf {
    program.with_extension("safetensors")
}

/// Saves a model as a program, and its weights beside it; see [`weights_of`]. Both files are whole or not there, and
/// those that are there are replaced. The network is timm's if timm has it and `source` is
/// [`Timm`](Source::Timm), else torchvision's if that has it.
///
/// # Errors
///
/// [`ExportError::FileName`] for a path that does not end in `.py`; [`ExportError`], if a layer or an activation has no
/// operation in torch, if a layer has a name that no attribute can have in Python, or if a file cannot be written.
pub fn save(
    model: &dyn Model,
    entry: &ModelEntry,
    source: Source,
    program: &Path,
    notes: &Notes<'_>,
) -> Result<(), ExportError> {
    write(model, entry, source, program, notes)?.commit()
}

/// As [`save`], but the files get their names only when the caller commits them.
///
/// # Errors
///
/// As for [`save`].
#[doc(hidden)]
pub fn write(
    model: &dyn Model,
    entry: &ModelEntry,
    source: Source,
    program: &Path,
    notes: &Notes<'_>,
) -> Result<Pair, ExportError> {
    if program.extension().is_none_or(|extension| extension != "py") {
        let expected = "NAME.py, a program whose weights are in NAME.safetensors beside it".to_owned();
        return Err(ExportError::FileName { path: program.to_owned(), expected });
    }
    let (height, width) = model.image();
    let sizes = [model.channels(), height, width];
    let graph = Graph::of(model.net(), Extent::image(sizes[0], height, width))?;
    let classes = Classes::of(&graph)?;
    let library = Library::of(entry, model.image(), source).filter(|_| classes.fit_any_size());
    let stem = library.map_or(STEM, Library::stem);
    let (layers, source) = match library {
        Some(library) => (entry.names(model.image()), library.source()),
        None => (in_torch(&entry.names(model.image())), Source::Torchvision),
    };
    let names = Names::of(model.net(), &graph, &layers, (source, stem), program)?;

    let logits = model.logits(check_input(model.image_len()))?;
    let mut metadata: BTreeMap<String, String> = facts(model, entry.name, notes);
    metadata.insert("format".to_owned(), "pt".to_owned());
    metadata.insert(key::LOGITS.to_owned(), logits.iter().map(f32::to_string).collect::<Vec<_>>().join(" "));
    let sites = names.sites();
    if !sites.is_empty() {
        metadata.insert(key::SITES.to_owned(), serde_json::json!(sites).to_string());
    }

    let script = Script { name: entry.name, sizes, outputs: model.classes(), classes: &classes, metadata: &metadata };
    let network = match library {
        Some(library) => library.network(&graph, &names, &classes)?,
        None => network::network(&graph, &names, &classes)?,
    };
    let text = script.text(library, &network);
    let failed = |source| ExportError::Io { path: program.to_owned(), source };
    let mut file = AtomicFile::create(program).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let weights = weights_of(program);
    let written = write_with_sites(model.net(), &layers, &weights, source, &metadata, sites)?.into_file()?;
    Ok(Pair::new((&weights, written), (program, file)))
}

/// The image whose logits are compared: numbers between -1 and 1 that every machine computes alike.
fn check_input(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect()
}
