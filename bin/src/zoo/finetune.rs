//! `zoo finetune`.

use std::ops::ControlFlow;
use std::path::Path;

use pvlu::activation::{Activation, Relu};
use pvlu_zoo::checkpoint::{CheckpointError, Notes, Opened, describe, save_model};
use pvlu_zoo::data::{Augmentation, Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{
    Event, FitConfig, FitState, Moment, OptimizerConfig, Outcome, Schedule, Splits, evaluate_finite, fit_from,
};
use pvlu_zoo::transfer::{self, FreezeError, FreezePolicy};
use pvlu_zoo::weights::{Source, TensorFile};
use serde_json::json;

use super::args::{FinetuneArgs, ModelArgs, Part, ScheduleName};
use super::classes::Order;
use super::data::{Images, TuningSet};
use super::info::pretty;
use super::keep::{Reached, keep};
use super::targets;
use super::trained_on::TrainedOn;
use crate::error::CliError;
use crate::interrupt;
use crate::memory::check_batch;
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
    // The model is frozen as it will be trained, but for a head before that, which keeps less.
    let at_once = |images: &Images| images.len().min(args.batch_size.get());
    let model = opened.model.as_ref();
    check_batch(model, at_once(&train).max(at_once(&test)), false, "--batch-size")?;
    check_batch(model, at_once(&train), !trains_nothing(args), "--batch-size")?;
    let mut trained_on = TrainedOn::of_text(opened.description.trained_on.as_deref(), weights)?;
    if args.head_epochs > 0 || !trains_nothing(args) {
        trained_on = trained_on.and(set.origin, &train);
    }
    let trained_on = (!trained_on.is_empty()).then(|| trained_on.to_text());
    let session = Session { args, train, test, preprocessing, progress };
    let (entry, preprocessing, names) = (opened.entry, session.preprocessing.to_string(), &order.names[..]);
    let out = args.out.as_deref();
    let save = |model: &dyn Model, path: &Path| {
        let (preprocessing, labels) = (Some(preprocessing.as_str()), Some(names));
        let notes = Notes { preprocessing, labels, trained_on: trained_on.as_deref() };
        Ok(save_model(model, entry, path, Source::Native, &notes)?)
    };
    // What the training came to, which is kept whatever comes then.
    let mut reached = None;
    let keep = |error, model: &dyn Model, reached| keep(error, reached, out, &|path| save(model, path));
    let mut model = opened.model;
    if args.head_epochs > 0 {
        let phase = ("head", FreezePolicy::HEAD, args.head_epochs);
        let tuned = session.tune(model.as_mut(), name, phase, &mut reached);
        tuned.map_err(|error| keep(error, model.as_ref(), reached.clone()))?;
    }
    let from = model.activation();
    if let Some(activation) = args.model.activation.as_deref().filter(|to| Some(*to) != from) {
        model = model.swap_activation(activation)?;
    }
    let measured = session.measure(model.as_mut(), name);
    let before = measured.map_err(|error| keep(error, model.as_ref(), reached.clone()))?;
    match policy.try_apply(model.net_mut()) {
        Err(FreezeError::Nothing { .. }) if trains_nothing(args) => FreezePolicy::NONE.try_apply(model.net_mut())?,
        applied => applied?,
    }
    let groups = transfer::groups(model.net()).map_err(failed)?;
    session.progress.note(&transfer::table(&groups));
    let (trained, updated) = (transfer::trained(&groups), transfer::updated(&groups));
    let mut after = before;
    if trained + updated > 0 && args.epochs > 0 {
        let tuned = session.tune(model.as_mut(), name, ("tune", policy, args.epochs), &mut reached);
        let measured = tuned.and_then(|()| session.measure(model.as_mut(), name));
        after = measured.map_err(|error| keep(error, model.as_ref(), reached.clone()))?;
    }
    session.progress.finish();
    if let Some(out) = out {
        let written = write_in_folder(out, || save(model.as_ref(), out));
        written.map_err(|error| keep(error, model.as_ref(), reached))?;
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
    if trains_nothing(args) {
        return Ok(());
    }
    match policy.try_apply(opened.model.net_mut()) {
        // The activation is swapped in later.
        Err(FreezeError::Nothing { .. }) if policy.activations && transfer::has_parameters(name) != Some(false) => {
            Ok(())
        }
        Err(FreezeError::Nothing { .. }) => Err(CliError::Usage(format!(
            "--train: {model} with {name} has nothing of what is to be trained: name more, or another --activation, or none \
             to measure only"
        ))),
        applied => Ok(applied?),
    }
}

/// Whether the user said that nothing is to be trained, but for a new head.
fn trains_nothing(args: &FinetuneArgs) -> bool {
    args.epochs == 0 || args.train.contains(&Part::None)
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

    /// Trains what a policy says for some epochs. `reached` is what an earlier phase made of the model, and then what this one
    /// did: after an error the best that it came to, which the model then is.
    fn tune(
        &self,
        model: &mut dyn Model,
        name: &'static str,
        (what, policy, epochs): (&str, FreezePolicy, u64),
        reached: &mut Option<String>,
    ) -> Result<(), CliError> {
        policy.try_apply(model.net_mut())?;
        let batch = self.args.batch_size.get();
        model.seed_dropout(self.args.seed);
        let (height, width) = self.preprocessing.input();
        let augmentation = Augmentation { flip: true, shift: height.min(width) / SHIFT, cutout: None };
        let augmentation = if self.args.augment { augmentation } else { Augmentation::NONE };
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
        let failed = |source| CliError::Model { model: name, source };
        let mut best = Reached::new(model, epochs, reached.as_deref()).map_err(failed)?;
        let mut failure = None;
        let mut keep = |moment: Moment<'_>| match best.note(moment) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let state = FitState::new(config.optimizer);
        let outcome = fit_from(model, &splits, &config, state, &mut observe, &mut keep).map(|history| history.outcome);
        if let Some(source) = failure {
            return Err(failed(source));
        }
        let error = match outcome {
            Ok(Outcome::Finished) => {
                *reached = Some(format!("the network after its {epochs} epochs"));
                return Ok(());
            }
            Ok(Outcome::Interrupted) => CliError::Stopped,
            Ok(Outcome::Diverged) => CliError::Diverged { run },
            Err(source) => CliError::Training { run, source },
        };
        *reached = best.restore(model, matches!(error, CliError::Diverged { .. })).map_err(failed)?;
        Err(error)
    }

    /// Accuracy on the test images.
    fn measure(&self, model: &mut dyn Model, name: &'static str) -> Result<f64, CliError> {
        let mut stop = || if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let evaluation = evaluate_finite(model, &self.loader(&self.test)?, &mut stop);
        let evaluation = evaluation.map_err(|source| CliError::Training { run: name.to_owned(), source })?;
        evaluation.map(|evaluation| evaluation.top1).ok_or(CliError::Stopped)
    }
}
