//! Whole models on disk: a file of weights, and what it says of the model that it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pvlu::activation::{Activation, PRelu, Pvlu, Relu, Vlu};

use crate::model::{Model, SwapError};
use crate::names::LayerNames;
use crate::registry::{self, Entry, MODELS, Options, RegistryError, Start};
use crate::weights::{LoadOptions, LoadReport, Source, TensorFile, WeightsError, load, save};

/// Keys of the metadata of a file saved here.
mod key {
    pub const VERSION: &str = "pvlu_zoo.version";
    pub const MODEL: &str = "pvlu_zoo.model";
    pub const ACTIVATION: &str = "pvlu_zoo.activation";
    pub const CLASSES: &str = "pvlu_zoo.classes";
    pub const IMAGE: &str = "pvlu_zoo.image";
    pub const PREPROCESSING: &str = "pvlu_zoo.preprocessing";
}

/// A model that cannot be opened or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The model cannot be built.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The file cannot be read, or is not one of the model's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The activation cannot take the place of the file's.
    #[error(transparent)]
    Swap(#[from] SwapError),
    /// The file is one of another model's.
    #[error(
        "{}: its tensors have the names of {}, not of {expected}: load it as that model; nothing was loaded",
        path.display(),
        found.join(", ")
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model asked for.
        expected: &'static str,
        /// Models whose names the file has.
        found: Vec<&'static str>,
    },
    /// The model was not named, and the file does not say which one it is of.
    #[error("{}: expected the names of one known model, found those of {found}: name the model", path.display())]
    UnknownModel {
        /// The file.
        path: PathBuf,
        /// What its names fit.
        found: String,
    },
    /// Metadata that is not what this crate writes.
    #[error("{}: metadata {key}: expected {expected}, found {found:?}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What it holds.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

/// What a file says of its model; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Name of the model, if the metadata has it.
    pub model: Option<String>,
    /// Name of the activation: from the metadata, or from the parameters of activations that the file has.
    pub activation: Option<String>,
    /// Number of classes: from the metadata, or from the head of a model whose names the file has.
    pub classes: Option<usize>,
    /// Height and width of the images.
    pub image: Option<(usize, usize)>,
    /// How images are made into inputs.
    pub preprocessing: Option<String>,
}

/// Reads what a file says of its model.
pub fn describe(file: &TensorFile) -> Result<Description, CheckpointError> {
    let metadata = file.metadata();
    let wrong = |key, expected, found: &str| CheckpointError::Metadata {
        path: file.path().to_owned(),
        key,
        expected,
        found: found.to_owned(),
    };
    let classes = metadata
        .get(key::CLASSES)
        .map(|text| text.parse().map_err(|_| wrong(key::CLASSES, "a number of classes", text)))
        .transpose()?;
    let side = |text: &str| {
        let (height, width) = text.split_once('x')?;
        Some((height.parse().ok()?, width.parse().ok()?))
    };
    let image = metadata
        .get(key::IMAGE)
        .map(|text| side(text).ok_or_else(|| wrong(key::IMAGE, "height x width", text)))
        .transpose()?;
    Ok(Description {
        model: metadata.get(key::MODEL).cloned(),
        activation: metadata.get(key::ACTIVATION).cloned().or_else(|| activation_of(file).map(str::to_owned)),
        classes,
        image,
        preprocessing: metadata.get(key::PREPROCESSING).cloned(),
    })
}

/// The activation whose parameters a file has.
fn activation_of(file: &TensorFile) -> Option<&'static str> {
    let has = |name: &str| file.entries().contains_key(&format!("act0.{name}"));
    if has("beta") {
        return Some(if has("alpha") { Pvlu::NAME } else { Vlu::NAME });
    }
    let known = [(PRelu::NAME, PRelu::PARAMS.map(|param| param.name))];
    known.into_iter().find_map(|(activation, params)| params.iter().all(|name| has(name)).then_some(activation))
}

/// What a file is opened as; what is `None` is taken from the file.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Name of the model.
    pub model: Option<&'a str>,
    /// Name of the activation, which is swapped in if the file's is another: PVLU for ReLU at alpha = 0 and beta = 1.
    /// Without a name that of the file, else ReLU.
    pub activation: Option<&'a str>,
    /// Number of classes. Without one, that of the file.
    pub classes: Option<usize>,
    /// Height and width of the images. Without them, those of the file, else those of the original.
    pub image: Option<(usize, usize)>,
    /// Whose names the file has.
    pub source: Option<Source>,
    /// The seed of a head for another number of classes than the file's, or in the place of one that it does not have.
    /// Without a seed that is an error.
    pub fresh_head: Option<u64>,
}

/// A model and the file that it came from.
pub struct Opened {
    /// The model.
    pub model: Box<dyn Model>,
    /// Its line in the registry.
    pub entry: &'static Entry,
    /// What was loaded.
    pub report: LoadReport,
    /// What the file says of it.
    pub description: Description,
}

/// Builds the model of a file and loads it.
///
/// # Errors
///
/// An unknown model, activation or class count; a file that is damaged or of another model.
pub fn open(path: impl AsRef<Path>, wanted: &Wanted<'_>) -> Result<Opened, CheckpointError> {
    let file = TensorFile::open(path)?;
    let description = describe(&file)?;
    let entry = match wanted.model.or(description.model.as_deref()) {
        Some(name) => registry::find(name)?,
        None => the_model_of(&file)?,
    };
    let activation = description.activation.as_deref().unwrap_or(Relu::NAME);
    let image = wanted.image.or(description.image).unwrap_or(entry.image());
    let names = entry.names(image);
    let classes = wanted
        .classes
        .or(description.classes)
        .or_else(|| classes_of(&file, &entry.names(entry.image())))
        .unwrap_or(entry.classes());
    let options = Options { activation, classes, image: Some(image), weights: Start::Unfilled };
    let mut model = entry.build(&options)?;
    let other_heads = if image == entry.image() {
        Vec::new()
    } else {
        // The head of the original follows its trunk.
        let trunk = names.iter().filter(|layer| !layer.head).count();
        entry.names(entry.image()).split_off(trunk.min(names.len()))
    };
    let load_options = LoadOptions { source: wanted.source, fresh_head: wanted.fresh_head.is_some(), other_heads };
    let loaded = load(model.net_mut(), &names, &file, &load_options);
    let report = loaded.map_err(|error| explain(error, entry, &file))?;
    if let Some(seed) = wanted.fresh_head {
        let fresh = |path: &str| report.fresh.iter().any(|fresh| fresh == path);
        crate::init::he_of(model.net_mut(), seed, &fresh).map_err(WeightsError::Device)?;
    }
    if let Some(wanted) = wanted.activation.filter(|wanted| *wanted != activation) {
        model = model.swap_activation(wanted)?;
    }
    Ok(Opened { model, entry, report, description })
}

/// Saves a model under the names of a source, with what [`describe`] reads. The file is whole or not there.
pub fn save_model(
    model: &dyn Model,
    entry: &Entry,
    path: impl AsRef<Path>,
    source: Source,
    preprocessing: Option<&str>,
) -> Result<(), CheckpointError> {
    let (height, width) = model.image();
    let mut metadata = BTreeMap::from([
        // What torch's own writer says, for readers that ask.
        ("format".to_owned(), "pt".to_owned()),
        (key::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (key::MODEL.to_owned(), entry.name.to_owned()),
        (key::CLASSES.to_owned(), model.classes().to_string()),
        (key::IMAGE.to_owned(), format!("{height}x{width}")),
    ]);
    metadata.extend(model.activation().map(|name| (key::ACTIVATION.to_owned(), name.to_owned())));
    metadata.extend(preprocessing.map(|text| (key::PREPROCESSING.to_owned(), text.to_owned())));
    Ok(save(model.net(), &entry.names((height, width)), path, source, &metadata)?)
}

/// The number of classes of the head in a file, found by the names of its last layer.
fn classes_of(file: &TensorFile, names: &[LayerNames]) -> Option<usize> {
    let head = names.last()?;
    let aliases = head.aliases.iter().map(|alias| format!("{alias}.bias"));
    let torch = [&head.torchvision, &head.timm].into_iter().flatten().map(|name| format!("{name}.bias"));
    let keras = head.keras.iter().map(|name| format!("{name}/bias"));
    // In a `.weights.h5` the head is the dense layer with the highest count.
    let dense = names.iter().filter(|layer| is_dense(layer)).count();
    let counted = match dense {
        0 | 1 => "layers/dense/vars/1".to_owned(),
        count => format!("layers/dense_{}/vars/1", count - 1),
    };
    let entry = torch.chain(aliases).chain(keras).chain([counted]).find_map(|key| file.entries().get(&key))?;
    match entry.shape[..] {
        [classes] => Some(classes),
        _ => None,
    }
}

fn is_dense(layer: &LayerNames) -> bool {
    layer.keras.as_deref().is_some_and(|name| matches!(name, "fc1" | "fc2" | "predictions"))
}

/// Names of the models whose layers, heads aside, are exactly those of a file.
pub fn models_of(file: &TensorFile) -> Vec<&'static str> {
    let layers: BTreeSet<&str> = file
        .entries()
        .keys()
        .filter_map(|key| key.rsplit_once(['.', '/']).map(|(layer, _)| layer))
        .filter(|layer| !layer.starts_with("act"))
        .collect();
    let fits = |names: &[LayerNames]| {
        let of = |pick: fn(&LayerNames) -> Option<&String>| {
            let mut trunk = names.iter().filter(|layer| !layer.head);
            let trunk = trunk.try_fold(BTreeSet::new(), |mut all, layer| {
                all.insert(pick(layer)?.as_str());
                Some(all)
            });
            let mut heads: BTreeSet<&str> =
                names.iter().filter(|layer| layer.head).filter_map(pick).map(String::as_str).collect();
            heads.extend(names.iter().flat_map(|layer| layer.aliases));
            trunk.is_some_and(|trunk| {
                trunk.is_subset(&layers) && layers.iter().all(|layer| trunk.contains(layer) || heads.contains(layer))
            })
        };
        of(|layer| layer.torchvision.as_ref()) || of(|layer| layer.timm.as_ref()) || of(|layer| layer.keras.as_ref())
    };
    MODELS.iter().filter(|entry| fits(&entry.names(entry.image()))).map(|entry| entry.name).collect()
}

fn the_model_of(file: &TensorFile) -> Result<&'static Entry, CheckpointError> {
    match models_of(file)[..] {
        [name] => Ok(registry::find(name)?),
        ref found => {
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            Err(CheckpointError::UnknownModel { path: file.path().to_owned(), found })
        }
    }
}

/// Says so where the file is one of another model's.
fn explain(error: WeightsError, entry: &Entry, file: &TensorFile) -> CheckpointError {
    let found = models_of(file);
    if matches!(error, WeightsError::Mismatch { .. } | WeightsError::Names { .. })
        && !found.is_empty()
        && !found.contains(&entry.name)
    {
        return CheckpointError::OtherModel { path: file.path().to_owned(), expected: entry.name, found };
    }
    error.into()
}
