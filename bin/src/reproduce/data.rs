//! The images that a table is run on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pvlu_zoo::data::{Augmentation, DataError, Dataset, FolderParts, KnownSet, Normalization, SIDE};
use pvlu_zoo::image::{Preprocessing, PreprocessingError};
use pvlu_zoo::text;

use crate::common::data::{self, DATA_VARIABLE};
use crate::common::data_name::DataName;
use crate::common::device;
use crate::common::error::CliError;
use crate::common::images::{self, Images};
use crate::common::progress::Progress;
use crate::common::readable::readable;
use crate::common::shards;
use crate::reproduce::overrides::Overrides;
use crate::reproduce::protocol::definition::{Data, Procedural};
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::request::{ImageRequest, Request};
use crate::reproduce::runs::config::Setup;

/// The chosen data set and the preset that goes with it.
#[derive(Debug)]
pub struct Chosen {
    /// Name of the set in files.
    pub name: &'static str,
    /// Number of classes in the set.
    pub classes: usize,
    /// The preset in force. Unless the user said otherwise, it is `paper`, or `quick` on the procedural images that
    /// stand in for a set of the paper's tables.
    pub preset: Preset,
    /// Training and test images of the set before any limit.
    images: [Images; 2],
    /// Warnings on the set that files hold.
    warnings: Vec<String>,
    /// Lines for the user on the images.
    notes: Vec<String>,
    /// Numbers of training and test images in the set before any limit.
    available: (usize, usize),
    table: Table,
}

/// The images of a table, divided into its three parts.
#[derive(Debug)]
pub struct Parts {
    /// Images to train on.
    pub train: Images,
    /// Images held out of training, whose accuracy selects the epoch.
    pub validation: Images,
    /// Images to test on.
    pub test: Images,
}

impl Parts {
    /// Reads all image files once, so that one that cannot be read is named before the first step of a training.
    pub fn check(&self, progress: &Progress) -> Result<(), CliError> {
        let parts = [(&self.train, "to train on"), (&self.validation, "to hold out"), (&self.test, "to test on")];
        for (images, part) in parts {
            readable(images.clone(), false, part, progress).map_err(|error| match error {
                // There is no option here that leaves such files out: other images are another table.
                CliError::Unreadable { source } => CliError::UnreadableImage { source },
                error => error,
            })?;
        }
        Ok(())
    }
}

impl Chosen {
    /// Numbers of training and test images that the preset takes.
    pub fn usual(&self) -> (usize, usize) {
        let (train, test) = self.available;
        let most = |wanted: Option<usize>, available: usize| wanted.map_or(available, |wanted| wanted.min(available));
        let budget = self.table.protocol().budget(self.preset).unwrap_or(&self.table.protocol().full);
        (most(budget.train_images, train), most(budget.test_images, test))
    }

    /// Numbers of training and test images that the user asked for, at most those that there are.
    pub fn limits(&self, request: &ImageRequest) -> (Option<usize>, Option<usize>) {
        let (train, test) = self.available;
        (request.limit_train.map(|limit| limit.min(train)), request.limit_test.map(|limit| limit.min(test)))
    }

    /// The images that a table uses: as many as the preset says, unless the user said otherwise.
    pub fn parts(&self, request: &ImageRequest) -> Result<Parts, CliError> {
        let (train, test) = self.usual();
        let limit_train = request.limit_train.unwrap_or(train);
        let limit_test = request.limit_test.unwrap_or(test);
        let held_out = request.held_out.unwrap_or(self.table.protocol().data.held_out);
        let [all_train, all_test] = &self.images;
        let [train, validation] = all_train.clone().limit(limit_train).split_validation(held_out)?;
        let test = all_test.clone().limit(limit_test);
        for (images, part) in [(&train, "to train on"), (&validation, "to hold out"), (&test, "to test on")] {
            if images.is_empty() {
                let (data, train, test) = (self.name, all_train.len().min(limit_train), test.len());
                let error = CliError::TooFewImages { data, part, train, test };
                let limited = request.limit_train.is_some() || request.limit_test.is_some();
                return Err(if limited {
                    CliError::Usage(format!("{error}: raise --limit-train or --limit-test"))
                } else {
                    error
                });
            }
        }
        Ok(Parts { train, validation, test })
    }

    /// Lines for the user: the source of the images, and the warnings on them.
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// The preprocessing of these images for a network that is trained on them alone, normalized so.
    pub fn preprocessing(
        &self,
        normalization: Normalization,
        image: (usize, usize),
    ) -> Result<Preprocessing, CliError> {
        self.fitted(Preprocessing::small(normalization), image)
    }

    /// The same preprocessing at the size of a network's images. The images of a published set show nothing but their
    /// object, so they are not cropped.
    pub fn fitted(&self, preprocessing: Preprocessing, image: (usize, usize)) -> Result<Preprocessing, CliError> {
        let fitted = match self.images {
            [Images::Memory(_), _] => preprocessing.whole(image),
            [Images::Files(_), _] => preprocessing.with_input(image),
        };
        fitted.map_err(|error: PreprocessingError| CliError::Usage(error.to_string()))
    }

    /// The part of a run's configuration on its program, its precision, its shards, its preset and its images.
    pub fn setup(&self, parts: &Parts, overrides: &Overrides, request: &Request) -> Result<Setup, CliError> {
        let precision = request.precision;
        Ok(Setup {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            numerics: Some(pvlu::NUMERICS_VERSION.into()),
            // The CPU and CUDA round differently; instruction sets do not.
            device: Some(device::kind().to_owned()),
            precision: precision.is_reduced().then(|| precision.name().to_owned()),
            shards: request.shards.and_then(shards::kept),
            data: self.name.to_owned(),
            data_sha256: Images::hash(&[&parts.train, &parts.validation, &parts.test])?,
            data_warnings: self.warnings.join("; "),
            preset: overrides.of(self.preset.name(self.table.is_own())),
            overridden: overrides.options(),
            classes: self.classes,
            train_images: parts.train.len(),
            val_images: parts.validation.len(),
            test_images: parts.test.len(),
        })
    }
}

/// The images from `--data`, from the path in the protocol, `$PVLU_ZOO_DATA` or `./data`, else the procedural ones if
/// the protocol has them.
///
/// A folder that the user names must have the files. `./data` may be any folder of the user's, and is taken only if it
/// has them. If its files are damaged, that is an error too, since the user would not expect numbers of the procedural
/// images instead of CIFAR's.
pub fn choose(table: Table, request: &ImageRequest) -> Result<Chosen, CliError> {
    let data = &table.protocol().data;
    if request.preset == Some(Preset::Quick) && table.protocol().quick.is_none() {
        return Err(CliError::Usage(format!("--preset quick: {} has no [budget.quick]", table.name())));
    }
    let path = request.data.as_deref().or(data.path.as_deref());
    let DataName::Known(set) = data.set else { return folder(table, request, path) };
    let (dataset, folder) = match known(set, path)? {
        Place::Has(dataset, folder) => (*dataset, folder),
        Place::Lacks(why) => return missing(table, set, request, why.as_deref()),
    };
    let note = format!("data: {} from {}", set.title, text::path(&folder));
    let available = (dataset.train.len(), dataset.test.len());
    of_dataset(table, dataset, request.preset.unwrap_or(Preset::Paper), note, available)
}

fn of_dataset(
    table: Table,
    dataset: Dataset,
    preset: Preset,
    note: String,
    available: (usize, usize),
) -> Result<Chosen, CliError> {
    let Dataset { name, classes, train, test, warnings, .. } = dataset;
    let told = warnings.iter().map(|warning| format!("warning: {warning}"));
    let notes = std::iter::once(note).chain(told).collect();
    Ok(Chosen { name, classes, preset, images: Images::of_set(train, test)?, warnings, notes, available, table })
}

/// The images of a folder. The warnings on it hold paths, so that files do not have them, but for one.
fn folder(table: Table, request: &ImageRequest, path: Option<&Path>) -> Result<Chosen, CliError> {
    let path = data::required(path, "--data, or `path` in [data],")?;
    let parts = FolderParts::open(&path)?;
    let divided = matches!(parts, FolderParts::Divided { .. });
    let (train, test, told) = parts.to_train(images::HELD_OUT)?;
    let warnings = if divided { Vec::new() } else { vec!["no images to test on: a tenth is held out".to_owned()] };
    let mut notes = vec![format!("data: {} classes in {}", train.classes().len(), text::path(&path))];
    notes.extend(told.iter().map(|warning| format!("warning: {warning}")));
    let (classes, available) = (train.classes().len(), (train.len(), test.len()));
    let images = [train, test].map(|folder| Images::Files(Arc::new(folder)));
    let preset = request.preset.unwrap_or(Preset::Paper);
    Ok(Chosen { name: DataName::Folder.name(), classes, preset, images, warnings, notes, available, table })
}

/// Images to draw, from the same source as a table's, and a line for the user on the source; a procedural set has
/// `count` test images.
pub fn choose_images(data: &Data, path: Option<&Path>, count: usize) -> Result<(Dataset, String), CliError> {
    let (Some(set), Some(drawn)) = (data.set.known(), data.procedural) else {
        return Err(CliError::Usage("expected a published set, with procedural images in place of it".to_owned()));
    };
    if let Place::Has(dataset, folder) = known(set, path)? {
        let note = format!("data: {} from {}", set.title, text::path(&folder));
        return Ok((*dataset, note));
    }
    let dataset = Dataset::procedural(drawn.quick_classes, 1, count, drawn.seed)?;
    Ok((dataset, format!("data: no {} given, so the built-in procedural images are used", set.title)))
}

/// The result of looking for a set in a folder.
enum Place {
    /// The set, read from this folder.
    Has(Box<Dataset>, PathBuf),
    /// `./data` lacks the set; the text says so if it has the set in a form that is not read.
    Lacks(Option<String>),
}

/// The set from the folder that the user named, else from `./data`.
fn known(set: &KnownSet, data: Option<&Path>) -> Result<Place, DataError> {
    if let Some(folder) = data::path(data) {
        return Ok(Place::Has(Box::new(set.open(&folder)?), folder));
    }
    let here = Path::new("data");
    if !here.is_dir() {
        return Ok(Place::Lacks(None));
    }
    match set.open(here) {
        Ok(dataset) => Ok(Place::Has(Box::new(dataset), here.to_owned())),
        Err(DataError::MissingFile { .. }) => Ok(Place::Lacks(None)),
        Err(error @ DataError::OtherForm { .. }) => Ok(Place::Lacks(Some(error.to_string()))),
        // `./data` is the folder of another set. An error about a file is not passed over: that file has the name of a
        // wanted one.
        Err(DataError::WrongSet { path, .. }) if path.is_dir() => Ok(Place::Lacks(None)),
        Err(error) => Err(error),
    }
}

/// The procedural images in place of a set that is not there, if the protocol has them.
fn missing(table: Table, set: &KnownSet, request: &ImageRequest, why: Option<&str>) -> Result<Chosen, CliError> {
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    let Some(drawn) = table.protocol().data.procedural else {
        return Err(CliError::Usage(format!(
            "{}: no {} given (--data, `path` in [data], ${DATA_VARIABLE} or ./data){why}, and no [data.procedural]",
            table.name(),
            set.title
        )));
    };
    procedural(table, set, drawn, request, &why)
}

fn procedural(
    table: Table,
    set: &KnownSet,
    drawn: Procedural,
    request: &ImageRequest,
    why: &str,
) -> Result<Chosen, CliError> {
    let protocol = table.protocol();
    let usual = if protocol.quick.is_some() { Preset::Quick } else { Preset::Paper };
    let preset = request.preset.unwrap_or(usual);
    let budget = protocol.budget(preset).unwrap_or(&protocol.full);
    let classes = preset.pick(drawn.quick_classes, set.class_names.len());
    let [official_train, official_test] = set.official;
    let (train, test) = (budget.train_images.unwrap_or(official_train), budget.test_images.unwrap_or(official_test));
    let available = (train, test);
    // A smaller set is the beginning of the larger one, so images beyond a limit need not be drawn.
    let train = request.limit_train.map_or(train, |limit| limit.min(train));
    let test = request.limit_test.map_or(test, |limit| limit.min(test));
    let note = format!(
        "data: no {} given (--data, ${DATA_VARIABLE} or ./data), so the built-in procedural images are used: \
         {classes} classes, {train} for training, {test} for testing. Numbers say nothing about {}{why}",
        set.title,
        if set.title.starts_with("CIFAR") { "CIFAR" } else { set.title },
    );
    let dataset = Dataset::procedural(classes, train, test, drawn.seed)?;
    of_dataset(table, dataset, preset, note, available)
}

/// An augmentation in pixels of a 32x32 image for images of another height and width.
pub fn scaled(augmentation: Augmentation, (height, width): (usize, usize)) -> Augmentation {
    let side = height.min(width);
    let scaled = |pixels: usize| pixels * side / SIDE;
    let Augmentation { shift, cutout, .. } = augmentation;
    Augmentation { shift: scaled(shift), cutout: cutout.map(|pixels| scaled(pixels).max(1)), ..augmentation }
}
