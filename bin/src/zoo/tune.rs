//! The training of `finetune`, in one phase or two, and its measurements.

use std::ops::ControlFlow;

use pvlu_zoo::data::{Augmentation, Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::train::{
    Event, FitConfig, FitState, Moment, OptimizerConfig, Outcome, Schedule, Splits, TrainError, evaluate_finite,
    fit_from,
};
use pvlu_zoo::transfer::{self, FreezeError, FreezePolicy};

use super::args::{FinetuneArgs, ScheduleName};
use super::best::{Phase, Reached};
use super::images::Images;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::progress::Progress;

/// Augmentation shifts images by this share of their side, at most: 4 pixels of 32.
const SHIFT: usize = 8;

/// What both phases of the tuning share.
pub struct Session<'a> {
    pub args: &'a FinetuneArgs,
    /// The model's.
    pub name: &'static str,
    pub train: Images,
    pub test: Images,
    pub preprocessing: Preprocessing,
    pub progress: Progress,
}

/// What the second phase of a tuning came to.
pub struct Tuned {
    /// Accuracy before it.
    pub before: f64,
    /// Accuracy after it.
    pub after: f64,
    /// Elements that were trained.
    pub trained: usize,
    /// Elements that moved without a gradient.
    pub updated: usize,
}

impl Session<'_> {
    /// Images in order, as they are.
    fn loader(&self, images: &Images) -> Result<Box<dyn Batches>, CliError> {
        images.loader(LoaderConfig::evaluation(self.args.batch_size.get(), self.preprocessing))
    }

    fn failed(&self, source: pvlu::Error) -> CliError {
        CliError::Model { model: self.name, source }
    }

    /// Trains what the user chose, and measures the model before and after. `reached` is as for [`tune`](Self::tune).
    pub fn tune_measured(
        &self,
        model: &mut dyn Model,
        policy: FreezePolicy,
        reached: &mut Option<Reached>,
    ) -> Result<Tuned, CliError> {
        let before = self.measure(model, reached)?;
        match policy.try_apply(model.net_mut()) {
            Err(FreezeError::Nothing { .. }) if self.args.trains_nothing() => {
                FreezePolicy::NONE.try_apply(model.net_mut())?
            }
            applied => applied?,
        }
        let groups = transfer::groups(model.net()).map_err(|source| self.failed(source))?;
        self.progress.note(&transfer::table(&groups));
        let (trained, updated) = (transfer::trained(&groups), transfer::updated(&groups));
        let mut after = before;
        if trained + updated > 0 && self.args.epochs > 0 {
            self.tune(model, ("tune", policy, self.args.epochs), reached)?;
            after = self.measure(model, reached)?;
        }
        Ok(Tuned { before, after, trained, updated })
    }

    /// Trains what a policy says for some epochs. `reached` is what an earlier phase made of the model, and then what
    /// this one did: after an error the best that it came to, which the model then is.
    pub fn tune(
        &self,
        model: &mut dyn Model,
        (what, policy, epochs): (&str, FreezePolicy, u64),
        reached: &mut Option<Reached>,
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
        let run = format!("{} {what}", self.name);
        self.progress.start_run(&run, epochs);
        let mut observe = |event: Event<'_>| {
            self.progress.observe(&run, epochs, event);
            interrupt::flow()
        };
        let mut phase = Phase::new(model, epochs, reached.as_ref()).map_err(|source| self.failed(source))?;
        let mut failure = None;
        let mut keep = |moment: Moment<'_>| match phase.note(moment) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let state = FitState::new(config.optimizer);
        let fitted = fit_from(model, &splits, &config, state, &mut observe, &mut keep).map(|history| history.outcome);
        // Until it is known what the model is.
        *reached = None;
        let error = match (failure, fitted) {
            (Some(source), _) => self.failed(source),
            (None, Ok(Outcome::Finished)) => {
                *reached = Some(phase.finish());
                return Ok(());
            }
            (None, Ok(Outcome::Interrupted)) => CliError::Stopped,
            (None, Ok(Outcome::Diverged)) => CliError::Diverged { run },
            (None, Err(source)) => CliError::Training { run, source },
        };
        *reached = phase.restore(model).map_err(|source| self.failed(source))?;
        // The last update of all is one that no loss speaks of.
        while let Some(last) = reached.take_if(|_| !self.answers(model)) {
            *reached = last.go_back(model).map_err(|source| self.failed(source))?;
        }
        Err(error)
    }

    /// Whether the logits of some test images are finite. What else goes wrong is no fault of the network.
    fn answers(&self, model: &mut dyn Model) -> bool {
        let some = self.test.clone().limit(self.args.batch_size.get());
        let evaluated = self.loader(&some).map(|images| {
            // To be done also after Ctrl-C.
            evaluate_finite(model, &images, &mut || ControlFlow::Continue(()))
        });
        !matches!(evaluated, Ok(Err(TrainError::NotFinite(_))))
    }

    /// Accuracy on the test images. A network that gives no finite answer was ruined by its last update: then the model
    /// goes back to the best one before it, which `reached` is.
    fn measure(&self, model: &mut dyn Model, reached: &mut Option<Reached>) -> Result<f64, CliError> {
        let evaluation = evaluate_finite(model, &self.loader(&self.test)?, &mut interrupt::flow);
        if matches!(evaluation, Err(TrainError::NotFinite(_)))
            && let Some(ruined) = reached.take()
        {
            *reached = ruined.go_back(model).map_err(|source| self.failed(source))?;
        }
        let evaluation = evaluation.map_err(|source| CliError::Training { run: self.name.to_owned(), source })?;
        evaluation.map(|evaluation| evaluation.top1).ok_or(CliError::Stopped)
    }
}
