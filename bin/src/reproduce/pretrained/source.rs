//! The origin of pretrained networks: files of weights, or a training on procedural images.

use std::path::{Path, PathBuf};

use pvlu_zoo::checkpoint::{Opened, Wanted, models_of, open};
use pvlu_zoo::data::{Augmentation, CIFAR10, CIFAR100, Dataset, KnownSet, LoaderConfig, Normalization};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::model::Model;
use pvlu_zoo::published::Variables;
use pvlu_zoo::registry::{self, Options, Start};
use pvlu_zoo::train::{FitConfig, OptimizerConfig, Outcome, Schedule, Splits};
use pvlu_zoo::weights::TensorFile;

use crate::common::device::placed;
use crate::common::digest;
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::named::locate;
use crate::common::preprocessing::preprocessing;
use crate::reproduce::data::{Chosen, scaled};
use crate::reproduce::protocol::definition::{Pretraining, Protocol};
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::store::Job;
use crate::reproduce::runs::work::Context;

/// A pretrained network with ReLU, and its preprocessing.
pub struct Pretrained {
    /// The network, on the chosen device.
    pub model: Box<dyn Model>,
    /// Preprocessing from images to inputs.
    pub preprocessing: Preprocessing,
    /// True if the head was drawn anew.
    pub fresh_head: bool,
}

/// The origin of pretrained weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The file of weights at this path.
    File(PathBuf),
    /// A training on procedural images.
    Procedural(Pretraining),
}

impl Origin {
    /// The name in the CSV files: that of the file, without the folder, which depends on the machine.
    pub fn name(&self) -> String {
        match self {
            Origin::File(path) => path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Origin::Procedural(_) => "procedural".to_owned(),
        }
    }

    /// SHA-256 of the file in hexadecimal; empty for a training.
    pub fn hash(&self) -> Result<String, CliError> {
        match self {
            Origin::File(path) => digest::of_file(path),
            Origin::Procedural(_) => Ok(String::new()),
        }
    }
}

/// Extensions of files of weights.
const EXTENSIONS: [&str; 2] = ["safetensors", "h5"];

/// The beginnings of the names of a model's files: those of torchvision, timm and Keras, and, for a CIFAR ResNet, names
/// of the data set that it was trained on. The preferred one comes first.
fn beginnings(protocol: &Protocol, model: &str) -> Vec<String> {
    let Some(depth) = model.strip_prefix("cifar_resnet") else {
        // torchvision does not say in the name that its ResNets are v1.5.
        let of_torch = model.strip_suffix("_v1_5");
        return std::iter::once(model).chain(of_torch).map(str::to_owned).collect();
    };
    let depth = depth.trim_end_matches("_b");
    sets(protocol).map(|set| format!("{}_resnet{depth}", set.name)).chain([model.to_owned()]).collect()
}

/// Sets that the weights of a small network may have been trained on, the preferred one first: a transfer begins with
/// another set than its own.
fn sets(protocol: &Protocol) -> impl Iterator<Item = &'static KnownSet> {
    let own = protocol.data.set.known();
    let others = [&CIFAR10, &CIFAR100].into_iter().filter(move |set| Some(*set) != own);
    let transfer = protocol.pretrained().is_some_and(|pretrained| pretrained.transfer);
    let (first, last) = if transfer { (None, own) } else { (own, None) };
    first.into_iter().chain(others).chain(last)
}

/// Path of the weights that the user gave, or named as published ones, for a model. Of a publisher that has weights for
/// several sets of classes, those of the preferred set are meant.
pub fn located(
    protocol: &Protocol,
    model: &str,
    weights: &Path,
    offline: bool,
    variables: Variables<'_>,
) -> Result<PathBuf, CliError> {
    let classes = sets(protocol).next().map(|set| set.class_names.len());
    locate(weights, &mut Some(model.to_owned()), classes, offline, variables)
}

/// True if a file's name begins with `beginning` and not with a longer word: `vgg16` is not the beginning of
/// `vgg16_bn`.
fn begins(stem: &str, beginning: &str) -> bool {
    stem.strip_prefix(beginning).is_some_and(|rest| {
        let weights = ["_weights", "-weights"].iter().any(|word| rest.starts_with(word));
        rest.is_empty() || weights || rest.starts_with(['-', '.'])
    })
}

/// The file of a model's weights: the best match in a folder, or the given file itself. Without `weights` it is a
/// training if there may be one, else an error.
pub fn find(
    protocol: &Protocol,
    model: &str,
    weights: Option<&Path>,
    training: Option<Pretraining>,
) -> Result<Origin, CliError> {
    let Some(weights) = weights else {
        return training.map(Origin::Procedural).ok_or_else(|| missing(protocol, model, None));
    };
    if !weights.is_dir() {
        return Ok(Origin::File(weights.to_owned()));
    }
    let failed = |source| CliError::Read { path: weights.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(weights).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    // The order of a folder's entries is not defined.
    files.sort();
    for beginning in beginnings(protocol, model) {
        for path in &files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stem = EXTENSIONS.iter().find_map(|extension| name.strip_suffix(&format!(".{extension}")));
            if stem.is_some_and(|stem| begins(stem, &beginning)) && models_of(&TensorFile::open(path)?).contains(&model)
            {
                return Ok(Origin::File(path.clone()));
            }
        }
    }
    Err(missing(protocol, model, Some(weights)))
}

fn missing(protocol: &Protocol, model: &str, folder: Option<&Path>) -> CliError {
    let expected: Vec<String> = beginnings(protocol, model).iter().map(|name| format!("{name}*.safetensors")).collect();
    CliError::NoWeights {
        model: model.to_owned(),
        folder: folder.map_or_else(|| "no --weights".to_owned(), |folder| folder.display().to_string()),
        expected: expected.join(" or "),
    }
}

/// Opens the network for a number of classes. Its head is drawn anew from `seed` if the file has none for them, or if
/// the table is about transfer.
pub fn open_file(
    protocol: &Protocol,
    model: &str,
    path: &Path,
    images: &Chosen,
    seed: u64,
) -> Result<Pretrained, CliError> {
    let entry = registry::find(model)?;
    let (image, classes) = (protocol.image(entry), images.classes);
    let transfer = protocol.pretrained().is_some_and(|pretrained| pretrained.transfer);
    let wanted = Wanted {
        model: Some(model),
        activation: Some("relu"),
        classes: Some(classes),
        image: Some(image),
        source: None,
        fresh_head: Some(seed),
        ..Wanted::default()
    };
    let Opened { model, entry, report, description } = open(path, &wanted)?;
    let mut model = placed(model)?;
    let opened_head = report.fresh.is_empty();
    if transfer && opened_head {
        pvlu_zoo::init::he_of(model.net_mut(), seed, &|path| pvlu_zoo::transfer::in_head(path))
            .map_err(|source| CliError::Model { model: entry.name, source })?;
    }
    let opened = Opened { model, entry, report, description };
    let preprocessing = images.fitted(preprocessing(&opened, LabelSet::usual(classes), path)?, image)?;
    Ok(Pretrained { model: opened.model, preprocessing, fresh_head: transfer || !opened_head })
}

/// Trains a network on procedural images, for users without weights; `None` if interrupted. `config` is the training's
/// configuration.
pub fn train(
    protocol: &Protocol,
    training: &Pretraining,
    config: &Config,
    classes: usize,
    context: &Context<'_>,
) -> Result<Option<Box<dyn Model>>, CliError> {
    let (model, seed) = (&*config.model, config.seed);
    let title = format!("{model} seed {seed}, before the table");
    let mut network = build(protocol, model, classes, Start::Seed(seed))?;
    let images = Dataset::procedural(classes, training.images, 1, training.seed)?;
    let preprocessing = Preprocessing::small(Normalization::measured(&images.train)?).whole(network.image());
    let preprocessing = preprocessing.map_err(|error| CliError::Usage(error.to_string()))?;
    let augmentation = scaled(Augmentation { flip: true, shift: 2, ..Augmentation::NONE }, network.image());
    let shuffled = LoaderConfig::training(training.batch_size, seed, preprocessing, augmentation);
    let [images, nothing] = Images::of_set(images.train, images.test.limit(0))?;
    let in_order = LoaderConfig::evaluation(training.batch_size, preprocessing);
    let splits = Splits {
        train: images.loader(shuffled)?,
        validation: nothing.loader(in_order.clone())?,
        test: nothing.loader(in_order)?,
    };
    let (epochs, adam) = (training.epochs, OptimizerConfig::adam());
    let shards = config.setup.shards.map_or(1, |shards| shards as usize);
    let fit = FitConfig { shards, ..FitConfig::new(epochs, adam, training.learning_rate, Schedule::Cosine) };
    let job = Job { title: &title, config, fit, splits, seed };
    let Some(history) = context.store.train(&job, network.as_mut(), context.progress)? else { return Ok(None) };
    match history.outcome {
        Outcome::Diverged => Err(CliError::Diverged { run: title }),
        _ => Ok(Some(network)),
    }
}

/// A model with ReLU for the table's images, on the chosen device.
pub fn build(protocol: &Protocol, model: &str, classes: usize, weights: Start) -> Result<Box<dyn Model>, CliError> {
    let entry = registry::find(model)?;
    let image = Some(protocol.image(entry));
    Ok(placed(entry.build(&Options { activation: "relu", classes, image, weights })?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::protocol::paper;

    /// The protocol of a table of the paper.
    fn table(name: &str) -> &'static Protocol {
        paper::find(name).unwrap().protocol()
    }

    #[test]
    fn usual_names_are_found_and_others_are_not() {
        let fits = |model: &str, stem: &str| beginnings(table("table3"), model).iter().any(|name| begins(stem, name));
        for (model, stem) in [
            ("vgg16", "vgg16-397923af"),
            ("vgg16", "vgg16.tv_in1k"),
            ("vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels"),
            ("vgg16_bn", "vgg16_bn-6c64b313"),
            ("resnet50_v1_5", "resnet50-0676ba61"),
            ("resnet152v2", "resnet152v2_weights_tf_dim_ordering_tf_kernels_notop"),
            ("cifar_resnet56_b", "cifar100_resnet56"),
        ] {
            assert!(fits(model, stem), "{model} {stem}");
        }
        for (model, stem) in [("vgg16", "vgg16_bn-6c64b313"), ("vgg16", "vgg19-x"), ("cifar_resnet20", "resnet20")] {
            assert!(!fits(model, stem), "{model} {stem}");
        }
    }

    #[test]
    fn a_transfer_takes_the_trunk_of_another_set_and_the_others_that_of_their_own() {
        let first = |table: &Protocol| beginnings(table, "cifar_resnet56").remove(0);
        assert_eq!(first(table("table3")), "cifar100_resnet56");
        assert_eq!(first(table("table5")), "cifar10_resnet56");
        assert_eq!(first(table("table6")), "cifar100_resnet56");
    }

    #[test]
    fn models_take_the_images_at_the_size_of_the_protocol() {
        let of = |model| table("table5").image(registry::find(model).unwrap()).0;
        assert_eq!([of("vgg16"), of("cifar_resnet20"), of("resnet101v2")], [32, 32, 224]);
    }

    #[test]
    fn published_weights_are_found_for_each_model_and_for_the_set_that_the_table_begins_with() {
        let home = tempfile::tempdir().unwrap();
        let find = |protocol, model: &str, weights: &str| {
            let variables = |name: &str| (name == "HOME").then(|| home.path().into());
            located(protocol, model, Path::new(weights), true, &variables)
        };
        let missing = |protocol, model: &str, weights: &str| {
            let error = find(protocol, model, weights).unwrap_err();
            assert!(matches!(error, CliError::NotFetched { .. }), "{error}");
            error.to_string()
        };
        assert!(missing(table("table3"), "vgg16", "torchvision").contains("vgg16-397923af.pth is not on this machine"));
        assert!(missing(table("table3"), "vgg16_bn", "torchvision").contains("vgg16_bn-6c64b313.pth"));
        assert!(missing(table("table3"), "vgg16", "hf:timm/vgg16.tv_in1k").contains("hf:timm/vgg16.tv_in1k"));
        for (protocol, set) in
            [(table("table3"), "cifar100_"), (table("table5"), "cifar10_"), (table("table6"), "cifar100_")]
        {
            let text = missing(protocol, "cifar_resnet56_b", "chen");
            assert!(text.starts_with(&format!("{set}resnet56")), "{text}");
        }
        let checkpoints = home.path().join(".cache/torch/hub/checkpoints");
        std::fs::create_dir_all(&checkpoints).unwrap();
        std::fs::write(checkpoints.join("resnet56.th"), "").unwrap();
        assert_eq!(find(table("table5"), "cifar_resnet56", "resnet56.th").unwrap(), checkpoints.join("resnet56.th"));
        // A path is one, and a folder too.
        for path in [home.path().to_owned(), home.path().join("none.safetensors")] {
            assert_eq!(find(table("table5"), "vgg16", path.to_str().unwrap()).unwrap(), path);
        }
    }
}
