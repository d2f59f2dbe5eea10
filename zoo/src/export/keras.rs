//! Models as files of Keras 3: weights for the models that Keras has itself, and a Python file that builds any other.
//!
//! ```
//! use pvlu_zoo::checkpoint::Notes;
//! use pvlu_zoo::export::keras::save;
//! use pvlu_zoo::registry;
//!
//! # let folder = std::env::temp_dir().join(format!("pvlu_zoo-keras-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let entry = registry::find("cifar_resnet20")?;
//! let model = registry::build("cifar_resnet20", "pvlu", 10, 0)?;
//! save(&*model, entry.name, &entry.names((32, 32)), &folder.join("model.py"), &Notes::default())?;
//! assert!(folder.join("model.weights.h5").exists());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | model | content |
//! |---|---|---|
//! | `NAME.weights.h5` | one of [`APPLICATIONS`] with ReLU | what `load_weights` of Keras' model reads |
//! | `NAME.py` and `NAME.weights.h5` | any | a function that builds the network layer by layer, and its weights |
//!
//! Tensors are in `layers/CLASS_NUMBER/vars`, where Keras looks for them, with the name of the layer as an attribute.
//! Those of activations have their own names there, `alpha` and `beta`. What a file of weights says of its model stands
//! in the attributes of the root under the same keys (`pvlu_zoo.model`, `pvlu_zoo.activation`, ...), so that
//! [`checkpoint::open`](crate::checkpoint::open) reads the file as any other.

mod activation;
mod code;
mod file;
mod network;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

use pvlu::activation::{Activation, Relu};
use pvlu::layer::{Extent, Graph, LayerKind};

use self::code::About;
use self::file::{Contents, Stored};
use self::network::{Names, Network};
use super::{ExportError, Pair};
use crate::atomic::AtomicFile;
use crate::checkpoint::{Notes, facts};
use crate::model::Model;
use crate::names::LayerNames;
use crate::source::Source;
use crate::weights::{Expected, Format, expected, layer_of};

/// Models of the zoo that Keras has itself, each with the name of its function in `keras.applications`.
pub const APPLICATIONS: [(&str, &str); 8] = [
    ("vgg16", "VGG16"),
    ("vgg19", "VGG19"),
    ("resnet50", "ResNet50"),
    ("resnet101", "ResNet101"),
    ("resnet152", "ResNet152"),
    ("resnet50v2", "ResNet50V2"),
    ("resnet101v2", "ResNet101V2"),
    ("resnet152v2", "ResNet152V2"),
];

/// Extension of a file of weights.
const WEIGHTS: &str = "weights.h5";

/// Largest distance of Keras' logits from the model's own, in terms of the largest of them, at which a Python file says
/// that they agree without a look at those in double precision.
const TOLERANCE: f64 = 1e-5;

/// The files that [`save`] writes for a path: itself, and beside a `NAME.py` its `NAME.weights.h5`.
#[doc(hidden)]
#[must_use]
pub fn files(path: &Path) -> Vec<PathBuf> {
    let is_code = path.extension().is_some_and(|extension| extension == "py");
    let weights = is_code.then(|| path.with_extension(WEIGHTS));
    std::iter::once(path.to_owned()).chain(weights).collect()
}

/// Saves a model under a name, that of the registry if it is one of it. `names` are those of its layers, in the order
/// of a visit; without any, layers are called by their paths. Files that are there are replaced.
///
/// Takes three times the memory that the model does beside it.
///
/// # Errors
///
/// [`ExportError::FileName`] for a path that is neither a `.py` nor, for a model of [`APPLICATIONS`] with ReLU, a
/// `.weights.h5`; [`ExportError`] for a layer or an activation that Keras does not have and that cannot be written, and
/// for a file that cannot be written. No file is left then.
pub fn save(
    model: &dyn Model,
    name: &str,
    names: &[LayerNames],
    path: &Path,
    notes: &Notes<'_>,
) -> Result<(), ExportError> {
    write(model, name, names, path, notes)?.commit()
}

/// Files that are written and have yet to get their names. Dropped before, they are removed.
#[doc(hidden)]
#[derive(Debug)]
pub enum Files {
    /// The weights of one of Keras' own models, with their path.
    Weights(PathBuf, Box<AtomicFile>),
    /// A program and its weights.
    Program(Box<Pair>),
}

impl Files {
    /// Gives the files their names, once they are on disk. Files that had them are replaced.
    ///
    /// # Errors
    ///
    /// [`ExportError::Io`], as for [`Pair::commit`].
    pub fn commit(self) -> Result<(), ExportError> {
        match self {
            Self::Weights(path, file) => file.commit().map_err(|source| ExportError::Io { path, source }),
            Self::Program(pair) => pair.commit(),
        }
    }

    /// As [`commit`](Self::commit), but an existing file is an error and stays. Then no file is left.
    ///
    /// # Errors
    ///
    /// [`ExportError::Io`], as for [`Pair::commit_new`].
    pub fn commit_new(self) -> Result<(), ExportError> {
        match self {
            Self::Weights(path, file) => file.commit_new().map_err(|source| ExportError::Io { path, source }),
            Self::Program(pair) => pair.commit_new(),
        }
    }
}

/// As [`save`], but the files get their names only when the caller commits them.
///
/// # Errors
///
/// As for [`save`].
#[doc(hidden)]
pub fn write(
    model: &dyn Model,
    name: &str,
    names: &[LayerNames],
    path: &Path,
    notes: &Notes<'_>,
) -> Result<Files, ExportError> {
    let application = application(model, name, names);
    check_name(path, model, name, application)?;
    let metadata = facts(model, name, notes);
    let files = files(path);
    let [code, weights] = &files[..] else {
        let contents = of_application(model, names, path, metadata)?;
        return Ok(Files::Weights(path.to_owned(), Box::new(contents.write(model, path)?)));
    };
    let (height, width) = model.image();
    let graph = Graph::of(model.net(), Extent::image(model.channels(), height, width))?;
    let network = Network::of(&graph, model.net(), &names_of(model, names)?)?;
    let image = [height, width, model.channels()];
    let logits = model.logits(check_image(image))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let (labels, classes) = (notes.labels, model.classes());
    let about =
        About { name, stem: &stem, image, classes, metadata: &metadata, labels, logits: &logits, tolerance: TOLERANCE };
    let text = code::text(&network, &about);
    let failed = |source| ExportError::Io { path: code.clone(), source };
    let mut program = AtomicFile::create(code).map_err(failed)?;
    program.write_all(text.as_bytes()).map_err(failed)?;
    let stored = of_network(&network, metadata).write(model, weights)?;
    Ok(Files::Program(Box::new(Pair::new((weights, stored), (code, program)))))
}

/// The function of `keras.applications` that builds this very network, if there is one.
fn application(model: &dyn Model, name: &str, names: &[LayerNames]) -> Option<&'static str> {
    let (_, function) = APPLICATIONS.into_iter().find(|(known, _)| *known == name)?;
    // The small head of a VGG is none of Keras'.
    let is_named = |layer: &LayerNames| layer.name_by(Source::Keras).is_some_and(|name| !name.contains('.'));
    let (height, width) = model.image();
    let graph = Graph::of(model.net(), Extent::image(model.channels(), height, width)).ok()?;
    let is_other = |kind| matches!(kind, LayerKind::Activation { activation } if activation.name() != Relu::NAME);
    let is_relu = !graph.nodes.iter().any(|node| is_other(node.kind));
    (is_relu && !names.is_empty() && names.iter().all(is_named)).then_some(function)
}

/// Checks that a path has the extension of what is written for the model.
fn check_name(
    path: &Path,
    model: &dyn Model,
    name: &str,
    application: Option<&'static str>,
) -> Result<(), ExportError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let is_named = |extension: &str| file.strip_suffix(extension).is_some_and(|stem| !stem.is_empty());
    if is_named(".py") || (application.is_some() && is_named(".weights.h5")) {
        return Ok(());
    }
    let expected = match application {
        Some(function) => format!(
            "NAME.weights.h5, the weights of keras.applications.{function}, or NAME.py, a program that builds the \
             network"
        ),
        None => {
            let activation = model.activation().unwrap_or(Relu::NAME);
            let what = if activation == Relu::NAME { name.to_owned() } else { format!("{name} with {activation}") };
            format!(
                "NAME.py, a program that builds the network, beside which NAME.weights.h5 is written: \
                 keras.applications has no {}",
                crate::text::shown(&what)
            )
        }
    };
    Err(ExportError::FileName { path: path.to_owned(), expected })
}

/// The weights of one of Keras' own models.
fn of_application(
    model: &dyn Model,
    names: &[LayerNames],
    path: &Path,
    metadata: BTreeMap<String, String>,
) -> Result<Contents, ExportError> {
    let tensors = expected(model.net(), names, Source::Keras, (path, Format::Keras3))?;
    let groups = names.iter().zip(crate::names::keras_counters(names));
    let names = groups.filter_map(|(layer, group)| Some((group?, layer.name_by(Source::Keras)?.to_owned()))).collect();
    let stored = |tensor: Expected| {
        let Expected { key, shape, layout, path, .. } = tensor;
        (path, Stored { dataset: key, layout, ordered: shape.clone(), shape })
    };
    Ok(Contents { tensors: tensors.into_iter().map(stored).collect(), names, metadata })
}

/// The weights of a network that a Python file builds.
fn of_network(network: &Network, metadata: BTreeMap<String, String>) -> Contents {
    let mut contents = Contents { metadata, ..Contents::default() };
    for (layer, group) in network.layers.iter().zip(order::groups(network)) {
        let (Some(name), Some(group)) = (&layer.name, group) else { continue };
        let group = format!("{group}/vars");
        for weight in &layer.weights {
            let (dataset, ordered) = (format!("{group}/{}", weight.variable), weight.ordered.clone());
            let stored = Stored { dataset, layout: weight.layout, ordered, shape: weight.shape.clone() };
            contents.tensors.insert(weight.path.clone(), stored);
        }
        contents.names.insert(group, name.clone());
    }
    contents
}

/// Names of the layers and activations that have tensors, by their paths: those that Keras has for the model, else
/// those of its original, and `act0` and so on.
fn names_of(model: &dyn Model, names: &[LayerNames]) -> Result<Names, ExportError> {
    if names.is_empty() {
        return Ok(Names::new());
    }
    let in_keras = names.iter().all(|layer| layer.name_by(Source::Keras).is_some());
    let source = if in_keras { Source::Keras } else { Source::Native };
    let tensors = expected(model.net(), names, source, (Path::new("the network"), Format::Safetensors))?;
    let name = |tensor: Expected| {
        let layer = tensor.path.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
        (layer, layer_of(&tensor.key).to_owned())
    };
    Ok(tensors.into_iter().map(name).collect::<HashMap<_, _>>().into_iter().collect())
}

/// An image `[channels, height, width]` of these rows, columns and channels, by the same rule as in the Python file.
fn check_image([height, width, channels]: [usize; 3]) -> Vec<f32> {
    let mut image = vec![0.0; height * width * channels];
    for at in 0..image.len() {
        let (pixel, channel) = (at / channels, at % channels);
        image[channel * height * width + pixel] = ((at * 7919 % 2003) as f64 / 1001.0 - 1.0) as f32;
    }
    image
}
