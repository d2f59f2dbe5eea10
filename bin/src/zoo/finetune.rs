//! `zoo finetune`.

use std::ops::ControlFlow;
use std::sync::Arc;

use pvlu_zoo::checkpoint::save_model;
use pvlu_zoo::data::{Augmentation, Loader, LoaderConfig, Normalization, Split};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, OptimizerConfig, Outcome, Schedule, Splits, evaluate, fit};
use pvlu_zoo::transfer::{self, FreezePolicy};
use pvlu_zoo::weights::Source;
use serde_json::json;

use super::args::{FinetuneArgs, ModelArgs, Part, ScheduleName};
use super::info::pretty;
use super::prepare::normalization;
use crate::error::CliError;
use crate::interrupt;
use crate::output::{print, write_probe};
use crate::progress::Progress;

/// Pixels that augmentation shifts images by, at most.
const SHIFT: usize = 4;

/// Tunes a model: first a new head if asked for, then, with the activation swapped, what the user chose.
pub fn run(args: &FinetuneArgs) -> Result<(), CliError> {
    if let Some(out) = &args.out {
        write_probe(out)?;
    }
    let dataset = args.data.open()?;
    let seed = (args.head_epochs > 0).then_some(args.seed);
    // The head is trained under the activation of the file; the other one is swapped in afterwards.
    let pretrained = ModelArgs {
        model: args.model.model.clone(),
        weights: args.model.weights.clone(),
        activation: None,
        classes: Some(args.model.classes.unwrap_or_else(|| instance_for(dataset.classes))),
        source: args.model.source,
    };
    let mut opened = pretrained.open(args.data.image(), seed)?;
    if dataset.classes > opened.model.classes() {
        let (found, classes) = (dataset.classes, opened.model.classes());
        return Err(CliError::Usage(format!("{} has {found} classes, the model {classes}", args.data.data.display())));
    }
    let preprocessing = args.data.preprocessing(&opened, &args.model.weights)?;
    let normalization = normalization(&preprocessing)?;
    let name = opened.entry.name;
    let failed = |source| CliError::Model { model: name, source };
    let progress = Progress::new(args.quiet);
    dataset.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
    progress.note(&format!("{name}: {}", opened.report));

    let train = Arc::new(dataset.train.limit(args.limit_train.map_or(usize::MAX, usize::from)));
    let test = Arc::new(dataset.test.limit(args.limit_test.map_or(usize::MAX, usize::from)));
    let session = Session { args, train, test, normalization, progress };
    if args.head_epochs > 0 {
        session.tune(opened.model.as_mut(), name, "head", FreezePolicy::HEAD, args.head_epochs)?;
    }
    let from = opened.model.activation();
    let mut model = opened.model;
    if let Some(activation) = args.model.activation.as_deref().filter(|to| Some(*to) != from) {
        model = model.swap_activation(activation)?;
    }
    let before = session.measure(model.as_mut(), name)?;
    let policy = policy(&args.train);
    policy.apply(model.net_mut());
    let groups = transfer::groups(model.net()).map_err(failed)?;
    session.progress.note(&transfer::table(&groups));
    let trained: usize = groups.iter().filter(|group| group.trained).map(|group| group.elements).sum();
    let mut after = before;
    if trained > 0 && args.epochs > 0 {
        session.tune(model.as_mut(), name, "tune", policy, args.epochs)?;
        after = session.measure(model.as_mut(), name)?;
    }
    session.progress.finish();
    if let Some(out) = &args.out {
        save_model(model.as_ref(), opened.entry, out, Source::Native, Some(&preprocessing.to_string()))?;
    }
    let activation = model.activation();
    if args.json {
        return print(&pretty(&json!({
            "model": name, "activation": activation, "trained_elements": trained, "epochs": args.epochs,
            "head_epochs": args.head_epochs, "train_images": session.train.len(), "test_images": session.test.len(),
            "top1_before": before, "top1": after, "seed": args.seed,
        })));
    }
    print(&format!(
        "{name} {}: top1 {before:.4} before, {after:.4} after {} epochs that trained {trained} elements",
        activation.unwrap_or("without activation"),
        args.epochs
    ))
}

/// The smallest number of classes that models have instances for and that a set fits into; the set's own if there is none,
/// for the registry to refuse.
fn instance_for(classes: usize) -> usize {
    registry::CLASSES.into_iter().find(|instance| *instance >= classes).unwrap_or(classes)
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
            Part::All => policy = FreezePolicy::ALL,
            Part::None => {}
        }
    }
    policy
}

/// What both parts of the tuning share.
struct Session<'a> {
    args: &'a FinetuneArgs,
    train: Arc<Split>,
    test: Arc<Split>,
    normalization: Normalization,
    progress: Progress,
}

impl Session<'_> {
    fn loader(&self, split: &Arc<Split>) -> Result<Loader, CliError> {
        let config = LoaderConfig::evaluation(self.args.batch_size.get(), self.normalization);
        Ok(Loader::new(split.clone(), config)?)
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
        let augmentation = Augmentation { flip: true, shift: SHIFT, cutout: None };
        let augmentation = if self.args.augment { augmentation } else { Augmentation::NONE };
        let batch = self.args.batch_size.get();
        let shuffled = LoaderConfig::training(batch, self.args.seed, self.normalization, augmentation);
        let splits = Splits {
            train: Loader::new(self.train.clone(), shuffled)?,
            // Nothing is selected: the last epoch counts, and is measured at the end.
            validation: self.loader(&Arc::new(self.test.limit(0)))?,
            test: self.loader(&Arc::new(self.test.limit(0)))?,
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
        let history = fit(model, &splits, &config, &mut observe);
        let history = history.map_err(|source| CliError::Model { model: name, source })?;
        match history.outcome {
            Outcome::Interrupted => Err(CliError::Stopped),
            Outcome::Diverged => Err(CliError::Usage(format!(
                "{run}: the loss is not finite any more; a smaller --learning-rate may help"
            ))),
            Outcome::Finished => Ok(()),
        }
    }

    /// Accuracy on the test images.
    fn measure(&self, model: &mut dyn Model, name: &'static str) -> Result<f64, CliError> {
        let mut stop = || if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let evaluation = evaluate(model, &self.loader(&self.test)?, &mut stop);
        let evaluation = evaluation.map_err(|source| CliError::Model { model: name, source })?;
        evaluation.map(|evaluation| evaluation.top1).ok_or(CliError::Stopped)
    }
}
