//! Whole models on disk: a file of weights with a description of the model that they belong to.
//!
//! A file states its model, the activation and the number of classes, so that its path is enough to open it. A network
//! as a type is saved and loaded by [`Architecture`](crate::weights::Architecture).
//!
//! ```
//! use pvlu_zoo::checkpoint::{Notes, Wanted, open, save_model};
//! use pvlu_zoo::registry;
//! use pvlu_zoo::weights::Source;
//!
//! # let folder = std::env::temp_dir().join(format!("pvlu_zoo-checkpoint-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let file = folder.join("model.safetensors");
//! let entry = registry::find("cifar_resnet20")?;
//! let model = registry::build("cifar_resnet20", "relu", 5, 0)?;
//! save_model(&*model, entry, &file, Source::Native, &Notes::default())?;
//!
//! // The same weights with another activation, PVLU at alpha = 0.
//! let opened = open(&file, &Wanted { activation: Some("pvlu"), ..Wanted::default() })?;
//! assert_eq!((opened.entry.name, opened.model.classes()), ("cifar_resnet20", 5));
//! assert_eq!(opened.model.activation(), Some("pvlu"));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod error;
mod keras;
pub(crate) mod key;
mod labels;
mod recognize;
#[cfg(test)]
mod tests;
mod tuning;

use std::collections::BTreeMap;
use std::path::Path;

use pvlu::activation::{Activation, Definition, Relu};

pub use self::error::{CheckpointError, MAX_SAID};
pub use self::labels::MAX_LABELS;
pub use self::recognize::models_of;
use self::recognize::{activation_of, classes_of};
pub use self::tuning::{
    Augmented, FrozenState, KeptNetwork, MAX_TUNING, TunedGroup, TunedState, Tuning, TuningError, TuningPhase,
};

use crate::model::Model;
use crate::names::{LayerNames, Part};
use crate::registry::{self, ModelEntry, Options, RegistryError, Start};
use crate::weights::{LoadOptions, LoadReport, Source, TensorFile, WeightsError, Writer, load, write};

/// A file's description of its model. A property that the file does not state is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Version of this crate that saved the file.
    pub version: Option<String>,
    /// Name of the model, if the metadata has it.
    pub model: Option<String>,
    /// Name of the activation: from the metadata, or from the parameters of activations that the file has.
    pub activation: Option<String>,
    /// Number of classes: from the metadata, or from the head of a model whose names the file has.
    pub classes: Option<usize>,
    /// Height and width of the images.
    pub image: Option<(usize, usize)>,
    /// Preprocessing of the images, as text.
    pub preprocessing: Option<String>,
    /// Names of the classes, in label order, at most [`MAX_LABELS`]; the last ones may have none.
    pub labels: Option<Vec<String>>,
    /// Images that the model was trained on, in the words of the program that trained it.
    pub trained_on: Option<String>,
    /// The way in which the network was tuned: the text of a [`Tuning`], which is not read here, so that another one is
    /// no error.
    pub tuning: Option<String>,
    /// Tensors that were trained and frozen in the tuning: the text of a [`FrozenState`], which is not read here.
    pub frozen: Option<String>,
}

impl Description {
    /// The properties that a file saved here says beside those of the model itself, to write them into another file.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes {
            preprocessing: self.preprocessing.as_deref(),
            labels: self.labels.as_deref(),
            trained_on: self.trained_on.as_deref(),
            tuning: self.tuning.as_deref(),
            frozen: self.frozen.as_deref(),
        }
    }
}

/// Reads a file's description of its model.
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
    let labels = metadata
        .get(key::LABELS)
        .map(|text| labels::read(text).ok_or_else(|| wrong(key::LABELS, labels::EXPECTED, text)))
        .transpose()?;
    Ok(Description {
        version: metadata.get(key::VERSION).cloned(),
        model: metadata.get(key::MODEL).cloned(),
        activation: metadata.get(key::ACTIVATION).cloned().or_else(|| activation_of(file).map(str::to_owned)),
        classes,
        image,
        preprocessing: metadata.get(key::PREPROCESSING).cloned(),
        labels,
        trained_on: metadata.get(key::TRAINED_ON).cloned(),
        tuning: metadata.get(key::TUNING).cloned(),
        frozen: metadata.get(key::FROZEN).cloned(),
    })
}

/// Properties with which a file is opened. One that is `None` is taken from the file.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Name of the model.
    pub model: Option<&'a str>,
    /// Name of the activation, which is swapped in if the file's is another: PVLU for ReLU at alpha = 0 and beta = 1.
    /// Without a name, the file's activation, else ReLU.
    pub activation: Option<&'a str>,
    /// Number of classes. Without one, that of the file.
    pub classes: Option<usize>,
    /// Height and width of the images. Without them, those of the file, else those of the original. A file whose
    /// activation has a parameter for each element takes no others than its own.
    pub image: Option<(usize, usize)>,
    /// Source whose names the file has. Without one, it is recognized by the names.
    pub source: Option<Source>,
    /// Seed from which a head is drawn if the file has none, or one for another number of classes. Without a seed that
    /// is an error.
    pub fresh_head: Option<u64>,
    /// Accepts files with weights that are infinite or NaN, which are an error otherwise.
    pub allow_non_finite: bool,
    /// Takes the average of the weights of several steps (EMA) that a checkpoint of torch keeps beside them; see
    /// [`TensorFile::open_average`].
    pub average: bool,
}

/// A model and the file that it came from.
pub struct Opened {
    /// The model with the file's weights.
    pub model: Box<dyn Model>,
    /// Entry of the model in the registry.
    pub entry: &'static ModelEntry,
    /// Report of the tensors that were loaded.
    pub report: LoadReport,
    /// Description that the file gives of the model.
    pub description: Description,
}

/// Builds the model of a file and loads it.
///
/// # Errors
///
/// An unknown model, activation or class count, asked for or in the file; another activation than the file's, if that
/// is not ReLU; a file that is damaged or of another model, or states an image size that takes more than [`MAX_SAID`];
/// images of another size than the file's, if its activation has a parameter for each element.
pub fn open(path: impl AsRef<Path>, wanted: &Wanted<'_>) -> Result<Opened, CheckpointError> {
    let file = if wanted.average { TensorFile::open_average(path)? } else { TensorFile::open(path)? };
    let file = keras::flattened(without_common_prefix(file));
    let description = describe(&file)?;
    // An error in a property that was taken from the file.
    let (at, metadata) = (file.path().to_owned(), file.metadata().clone());
    let said = |key: &str, tensors: &str, source| {
        let what = if metadata.contains_key(key) { format!("metadata {key}") } else { tensors.to_owned() };
        CheckpointError::Said { path: at.clone(), what, source }
    };
    let entry = match (wanted.model, &description.model) {
        (Some(name), _) => registry::find(name)?,
        (None, Some(name)) => registry::find(name).map_err(|error| said(key::MODEL, "model", error))?,
        (None, None) => the_model_of(&file)?,
    };
    let swap = wanted.activation.map(registry::activation).transpose()?;
    let activation = description.activation.as_deref().unwrap_or(Relu::NAME);
    let of_file =
        registry::activation(activation).map_err(|error| said(key::ACTIVATION, "parameters of activations", error))?;
    let swap = swap.filter(|wanted| *wanted != of_file);
    if let Some(wanted) = swap.filter(|_| of_file != Definition::of::<Relu>()) {
        let (path, found) = (file.path().to_owned(), of_file.text().to_owned());
        return Err(CheckpointError::NotRelu { path, found, wanted: wanted.text().to_owned() });
    }
    if let (Some(wanted), Some(said)) = (wanted.image, description.image)
        && wanted != said
        && of_file.is_per_element()
    {
        let (path, activation) = (file.path().to_owned(), of_file.text().to_owned());
        return Err(CheckpointError::OtherImage { path, activation, said, wanted });
    }
    let image = wanted.image.or(description.image).unwrap_or(entry.image());
    let (names, original) = (entry.names(image), entry.names(entry.image()));
    let file = keras::with_head_of(file, [&names, &original]);
    let of_head = || classes_of(&file, &original).or_else(|| classes_of(&file, &names));
    if let (None, Some(said), Some(found)) = (wanted.classes, description.classes, of_head())
        && said != found
    {
        // Refused before memory is taken for as many classes as it states.
        return Err(CheckpointError::Metadata {
            path: file.path().to_owned(),
            key: key::CLASSES,
            expected: "the number of outputs of the file's head",
            found: said.to_string(),
        });
    }
    let classes = wanted.classes.or(description.classes).or_else(of_head).unwrap_or(entry.classes());
    // Parameters for each element are made once their size is known to be within bounds.
    let first = if of_file.is_per_element() { Relu::NAME } else { activation };
    let options = Options { activation: first, classes, image: Some(image), weights: Start::Unfilled };
    let mut model = entry.build(&options).map_err(|error| match error {
        RegistryError::Classes { .. } if wanted.classes.is_none() => {
            said(key::CLASSES, "last layer of the head", error)
        }
        RegistryError::Image { .. } if wanted.image.is_none() => said(key::IMAGE, "image", error),
        error => error.into(),
    })?;
    if wanted.image.is_none() && description.image.is_some() {
        budget::check(model.as_ref(), swap.unwrap_or(of_file), entry, &file)?;
    }
    if of_file.is_per_element() {
        model = model.swap_activation(of_file)?;
    }
    // The original's head, where this one is another.
    let head = |layer: &LayerNames| layer.part != Part::Trunk;
    let other_heads = if names == original { Vec::new() } else { original.into_iter().filter(head).collect() };
    let (source, fresh_head, allow_non_finite) = (wanted.source, wanted.fresh_head.is_some(), wanted.allow_non_finite);
    let load_options = LoadOptions { source, fresh_head, other_heads, allow_non_finite };
    let mut loaded = load(model.net_mut(), &names, &file, &load_options);
    if fresh_head && matches!(loaded, Err(WeightsError::Mismatch { .. })) {
        // Nothing was loaded. A head of other layers is passed over, where the trunk before it is the model's.
        let of_file = keras::head_of(&file, &names).map(|other_heads| LoadOptions { other_heads, ..load_options });
        let again = of_file.and_then(|options| load(model.net_mut(), &names, &file, &options).ok());
        loaded = again.map_or(loaded, Ok);
    }
    let report = loaded.map_err(|error| explain(error, entry, &file))?;
    if let Some(seed) = wanted.fresh_head {
        let fresh = |path: &str| report.fresh.iter().any(|fresh| fresh == path);
        crate::init::he_of(model.net_mut(), seed, &fresh).map_err(WeightsError::Device)?;
    }
    if let Some(activation) = swap {
        model = model.swap_activation(activation)?;
    }
    Ok(Opened { model, entry, report, description })
}

/// Properties that a file states of its model and that the model itself does not hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes<'a> {
    /// Preprocessing of the images, as text.
    pub preprocessing: Option<&'a str>,
    /// Names of the classes, in label order.
    pub labels: Option<&'a [String]>,
    /// Images that the model was trained on, in the words of the program that trained it.
    pub trained_on: Option<&'a str>,
    /// The way in which the network was tuned, as [`Tuning::to_json`] writes it.
    pub tuning: Option<&'a str>,
    /// Tensors that were trained and frozen in the tuning, as [`FrozenState::to_json`] writes them.
    pub frozen: Option<&'a str>,
}

/// Saves a model under the names of a source, with the description that [`describe`] reads. The file is whole or not
/// there. Frozen tensors are marked as such by [`Notes::frozen`] alone.
pub fn save_model(
    model: &dyn Model,
    entry: &ModelEntry,
    path: impl AsRef<Path>,
    source: Source,
    notes: &Notes<'_>,
) -> Result<(), CheckpointError> {
    Ok(write_model(model, entry, path, source, notes)?.finish()?)
}

/// As [`save_model`], but the file gets its name only when the caller calls [`Writer::finish`] or
/// [`Writer::finish_new`].
#[doc(hidden)]
pub fn write_model(
    model: &dyn Model,
    entry: &ModelEntry,
    path: impl AsRef<Path>,
    source: Source,
    notes: &Notes<'_>,
) -> Result<Writer, CheckpointError> {
    let mut metadata = facts(model, entry.name, notes);
    // The entry that torch's own writer makes, for readers that look for it.
    metadata.insert("format".to_owned(), "pt".to_owned());
    Ok(write(model.net(), &entry.names(model.image()), path, source, &metadata)?)
}

/// Metadata of a file that holds a model, which [`describe`] reads.
pub(crate) fn facts(model: &dyn Model, name: &str, notes: &Notes<'_>) -> BTreeMap<String, String> {
    let Notes { preprocessing, labels, trained_on, tuning, frozen } = *notes;
    let (height, width) = model.image();
    let mut metadata = BTreeMap::from([
        (key::VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (key::MODEL.to_owned(), name.to_owned()),
        (key::CLASSES.to_owned(), model.classes().to_string()),
        (key::IMAGE.to_owned(), format!("{height}x{width}")),
    ]);
    metadata.extend(model.activation().map(|name| (key::ACTIVATION.to_owned(), name.to_owned())));
    metadata.extend(labels.map(|names| (key::LABELS.to_owned(), serde_json::json!(names).to_string())));
    let texts = [
        (key::PREPROCESSING, preprocessing),
        (key::TRAINED_ON, trained_on),
        (key::TUNING, tuning),
        (key::FROZEN, frozen),
    ];
    metadata.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.to_owned()))));
    metadata
}

fn the_model_of(file: &TensorFile) -> Result<&'static ModelEntry, CheckpointError> {
    match models_of(file)[..] {
        [name] => Ok(registry::find(name)?),
        ref found => {
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            let unknown = CheckpointError::UnknownModel { path: file.path().to_owned(), found };
            match keras::models_of(file)[..] {
                [name] => Ok(registry::find(name)?),
                _ => Err(shape_of(file, None).unwrap_or(unknown)),
            }
        }
    }
}

/// The file without the prefix that all of its names share, if the rest of each is a name of a known model and the
/// whole names are not: `module.` of torch's `DataParallel`, `_orig_mod.` of `torch.compile`, or any other.
fn without_common_prefix(mut file: TensorFile) -> TensorFile {
    if let Some(prefix) = recognize::common_prefix(&file) {
        file.strip_prefix(&prefix);
    }
    file
}

/// The error for a file with the layers of a known model in another structure: a nested model, or another head. Only
/// this model counts if one is given.
fn shape_of(file: &TensorFile, entry: Option<&ModelEntry>) -> Option<CheckpointError> {
    let is_wanted = |models: &[&str]| entry.is_none_or(|entry| models.contains(&entry.name));
    let path = file.path().to_owned();
    if let Some(nested) = recognize::nested(file).filter(|nested| is_wanted(&nested.models)) {
        return Some(CheckpointError::Nested { path, nested: nested.to_string() });
    }
    let head = recognize::other_head(file).filter(|head| is_wanted(&head.models))?;
    Some(CheckpointError::OtherHead { path, head: head.to_string() })
}

/// Replaces an error about names by a more specific one if the file is of another model or of another structure.
fn explain(error: WeightsError, entry: &ModelEntry, file: &TensorFile) -> CheckpointError {
    if !matches!(error, WeightsError::Mismatch { .. } | WeightsError::Names { .. }) {
        return error.into();
    }
    let found = models_of(file);
    if found.is_empty() {
        return shape_of(file, Some(entry)).unwrap_or(error.into());
    }
    if !found.contains(&entry.name) {
        return CheckpointError::OtherModel { path: file.path().to_owned(), expected: entry.name, found };
    }
    error.into()
}
