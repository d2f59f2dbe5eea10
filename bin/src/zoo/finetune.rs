//! `zoo finetune`.

use std::ops::ControlFlow;

use pvlu::activation::{Activation, Relu};
use pvlu::layer::Role;
use pvlu_zoo::checkpoint::{CheckpointError, Opened, describe, save_model};
use pvlu_zoo::data::{Augmentation, Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, OptimizerConfig, Outcome, Schedule, Splits, evaluate, fit};
use pvlu_zoo::transfer::{self, FreezePolicy};
use pvlu_zoo::weights::{Source, TensorFile};
use serde_json::json;

use super::args::{FinetuneArgs, ModelArgs, Part, ScheduleName};
use super::classes::Order;
use super::data::{Images, TuningSet};
use super::info::pretty;
use super::targets;
use crate::error::CliError;
use crate::interrupt;
use crate::output::{print, write_in_folder};
use crate::progress::Progress;

/// Augmentation shifts images by this share of their side, at most: 4 pixels of 32.
const SHIFT: usize = 8;

/// Tunes a model: first a new head if asked for, then, with the activation swapped, what the user chose.
pub fn run(args: &FinetuneArgs) -> Result<(), CliError> {
    if let Some(out) = &args.out {
        targets::check(out, &[&args.model.weights], args.force)?;
    }
    let set = args.data.open_to_tune()?;
    let weights = &args.model.weights;
    let policy = policy(&args.train);
    let mut opened = open_pretrained(args, &set, policy)?;
    let name = opened.entry.name;
    let failed = |source| CliError::Model { model: name, source };
    check_train(args, policy, &mut opened)?;
    let order = Order::of((&args.data.data, &set.classes), &opened, weights, true)?;
    let preprocessing = args.data.preprocessing(&opened, weights)?;
    let progress = Progress::new(args.quiet);
    set.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
    order.warning.iter().chain(&args.data.choice(&opened, weights)).for_each(|line| progress.note(line));
    progress.note(&format!("{name}: {}", opened.report));

    let part = |images: Images, limit: Option<std::num::NonZeroUsize>| {
        Ok::<_, CliError>(images.labelled(&order)?.limit(limit.map_or(usize::MAX, usize::from)))
    };
    let (train, test) = (part(set.train, args.limit_train)?, part(set.test, args.limit_test)?);
    for (images, part) in [(&train, "to train on"), (&test, "to measure with")] {
        if images.len() == 0 {
            let data = args.data.dataset.name();
            return Err(CliError::TooFewImages { data, part, train: train.len(), test: test.len() });
        }
    }
    let session = Session { args, train, test, preprocessing, progress };
    if args.head_epochs > 0 {
        session.tune(opened.model.as_mut(), name, "head", FreezePolicy::HEAD, args.head_epochs)?;
    }
    let from = opened.model.activation();
    let mut model = opened.model;
    if let Some(activation) = args.model.activation.as_deref().filter(|to| Some(*to) != from) {
        model = model.swap_activation(activation)?;
    }
    let before = session.measure(model.as_mut(), name)?;
    policy.apply(model.net_mut());
    let groups = transfer::groups(model.net()).map_err(failed)?;
    session.progress.note(&transfer::table(&groups));
    let (trained, updated) = (transfer::trained(&groups), transfer::updated(&groups));
    let mut after = before;
    if trained + updated > 0 && args.epochs > 0 {
        session.tune(model.as_mut(), name, "tune", policy, args.epochs)?;
        after = session.measure(model.as_mut(), name)?;
    }
    session.progress.finish();
    if let Some(out) = &args.out {
        let (preprocessing, names) = (session.preprocessing.to_string(), Some(&order.names[..]));
        write_in_folder(out, || {
            Ok(save_model(model.as_ref(), opened.entry, out, Source::Native, Some(&preprocessing), names)?)
        })?;
    }
    let activation = model.activation();
    if args.json {
        return print(&pretty(&json!({
            "model": name, "activation": activation, "trained_elements": trained, "updated_elements": updated,
            "epochs": args.epochs, "head_epochs": args.head_epochs,
            "train_images": session.train.len(), "test_images": session.test.len(),
            "top1_before": before, "top1": after, "seed": args.seed,
        })));
    }
    print(&format!(
        "{name} {}: top1 {before:.4} before, {after:.4} after {} epochs that trained {trained} elements and updated {updated}",
        activation.unwrap_or("without activation"),
        args.epochs
    ))
}

/// Opens the model with a head for the classes of the set, drawn anew only if it will be trained.
fn open_pretrained(args: &FinetuneArgs, set: &TuningSet, policy: FreezePolicy) -> Result<Opened, CliError> {
    let ModelArgs { model, weights, classes, source, allow_non_finite, .. } = &args.model;
    // A file whose names are those of the set keeps its head, else the smallest one is taken that the set fits into.
    let knows = |labels: Option<Vec<String>>| {
        labels.is_some_and(|labels| set.classes.iter().all(|class| labels.contains(class)))
    };
    let classes = match classes {
        Some(classes) => Some(*classes),
        None if knows(describe(&TensorFile::open(weights)?)?.labels) => None,
        None => Some(instance_for(set.classes.len())),
    };
    // The head is trained under the activation of the file; the other one is swapped in afterwards.
    let (model, weights, source, allow_non_finite) = (model.clone(), weights.clone(), *source, *allow_non_finite);
    let pretrained = ModelArgs { model, weights, activation: None, classes, source, allow_non_finite };
    let image = args.data.image_to_tune();
    let seed = (args.head_epochs > 0 || policy.head).then_some(args.seed);
    match pretrained.open(image, seed) {
        Err(CliError::Checkpoint(source)) if seed.is_none() && pretrained.open(image, Some(args.seed)).is_ok() => {
            Err(CliError::Head { source })
        }
        opened => opened,
    }
}

/// The smallest number of classes that models have instances for and that a set fits into; the set's own if there is none,
/// for the registry to refuse.
fn instance_for(classes: usize) -> usize {
    registry::CLASSES.into_iter().find(|instance| *instance >= classes).unwrap_or(classes)
}

/// Makes sure, before any work is done, that the activation can be had and that there is something to train, unless the user
/// said that nothing is to be.
fn check_train(args: &FinetuneArgs, policy: FreezePolicy, opened: &mut Opened) -> Result<(), CliError> {
    let (model, from) = (opened.entry.name, opened.model.activation().unwrap_or(Relu::NAME));
    let name = args.model.activation.as_deref().unwrap_or(from);
    opened.entry.check_activation(name)?;
    if name != from && from != Relu::NAME {
        let (path, found, wanted) = (args.model.weights.clone(), from.to_owned(), name.to_owned());
        return Err(CheckpointError::NotRelu { path, found, wanted }.into());
    }
    if args.epochs == 0 || args.train.contains(&Part::None) {
        return Ok(());
    }
    policy.apply(opened.model.net_mut());
    let groups = transfer::groups(opened.model.net()).map_err(|source| CliError::Model { model, source })?;
    // The activation is swapped in later.
    let others = groups.iter().any(|group| group.role != Role::Activation && (group.trained || group.updated));
    if others || policy.activations && transfer::has_parameters(name) != Some(false) {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "--train: {model} with {name} has nothing of what is to be trained: name more, or another --activation, or none to \
         measure only"
    )))
}

fn policy(parts: &[Part]) -> FreezePolicy {
    let mut policy = FreezePolicy::NONE;
    for part in parts {
        match part {
            Part::Activations => policy.activations = true,
            Part::BatchNorm => policy.batch_norm_affine = true,
            Part::Statistics => policy.batch_norm_statistics = true,
            Part::Head => policy.head = true,
            Part::Weights => policy.weights = true,
            Part::Biases => policy.biases = true,
            Part::All => policy = FreezePolicy::ALL,
            Part::None => {}
        }
    }
    policy
}

/// What both parts of the tuning share.
struct Session<'a> {
    args: &'a FinetuneArgs,
    train: Images,
    test: Images,
    preprocessing: Preprocessing,
    progress: Progress,
}

impl Session<'_> {
    /// Images in order, as they are.
    fn loader(&self, images: &Images) -> Result<Box<dyn Batches>, CliError> {
        images.loader(LoaderConfig::evaluation(self.args.batch_size.get(), self.preprocessing))
    }

    fn tune(
        &self,
        model: &mut dyn Model,
        name: &'static str,
        what: &str,
        policy: FreezePolicy,
        epochs: u64,
    ) -> Result<(), CliError> {
        policy.apply(model.net_mut());
        model.seed_dropout(self.args.seed);
        let (height, width) = self.preprocessing.input();
        let augmentation = Augmentation { flip: true, shift: height.min(width) / SHIFT, cutout: None };
        let augmentation = if self.args.augment { augmentation } else { Augmentation::NONE };
        let batch = self.args.batch_size.get();
        let shuffled = LoaderConfig::training(batch, self.args.seed, self.preprocessing, augmentation);
        // Nothing is selected: the last epoch counts, and is measured at the end.
        let nothing = self.test.clone().limit(0);
        let splits = Splits {
            train: self.train.loader(shuffled)?,
            validation: self.loader(&nothing)?,
            test: self.loader(&nothing)?,
        };
        let weight_decay = self.args.weight_decay;
        let OptimizerConfig::Adam { beta1, beta2, epsilon, .. } = OptimizerConfig::adam() else { return Ok(()) };
        let config = FitConfig {
            epochs,
            optimizer: OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, decoupled: true },
            learning_rate: self.args.learning_rate,
            schedule: match self.args.schedule {
                ScheduleName::Constant => Schedule::Constant,
                ScheduleName::Cosine => Schedule::Cosine,
            },
        };
        let run = format!("{name} {what}");
        self.progress.start_run(&run, epochs);
        let mut observe = |event: Event<'_>| {
            self.progress.observe(&run, epochs, event);
            if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match fit(model, &splits, &config, &mut observe) {
            Err(source) => Err(CliError::Training { run, source }),
            Ok(history) => match history.outcome {
                Outcome::Interrupted => Err(CliError::Stopped),
                Outcome::Diverged => Err(CliError::Diverged { run }),
                Outcome::Finished => Ok(()),
            },
        }
    }

    /// Accuracy on the test images.
    fn measure(&self, model: &mut dyn Model, name: &'static str) -> Result<f64, CliError> {
        let mut stop = || if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let evaluation = evaluate(model, &self.loader(&self.test)?, &mut stop);
        let evaluation = evaluation.map_err(|source| CliError::Training { run: name.to_owned(), source })?;
        evaluation.map(|evaluation| evaluation.top1).ok_or(CliError::Stopped)
    }
}
