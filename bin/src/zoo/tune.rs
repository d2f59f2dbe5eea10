//! The training of `zoo finetune`, in one phase or two, and its evaluations.

use std::ops::ControlFlow;

use pvlu_zoo::data::{Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::train::{Event, FitState, Moment, Outcome, Splits, TrainError, evaluate_finite, fit_from};
use pvlu_zoo::transfer::{self, FreezeError, FreezePolicy};

use super::best::{Phase, Reached};
use super::course::Course;
use super::settings::Settings;
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::interrupt;
use crate::common::progress::Progress;

/// Settings and images that both phases of a tuning share.
pub struct Session {
    pub settings: Settings,
    /// Name of the model.
    pub name: &'static str,
    pub train: Images,
    pub test: Images,
    pub preprocessing: Preprocessing,
    pub progress: Progress,
    /// The phases so far, for the file.
    pub course: Course,
}

/// Results of the second phase of a tuning.
pub struct Tuned {
    /// Test accuracy before the phase.
    pub before: f64,
    /// Test accuracy after the phase.
    pub after: f64,
    /// Number of elements that were trained.
    pub trained: usize,
    /// Number of elements that changed without a gradient, as running statistics do.
    pub updated: usize,
}

impl Session {
    /// A loader of the images in order, without augmentation.
    fn loader(&self, images: &Images) -> Result<Box<dyn Batches>, CliError> {
        images.loader(LoaderConfig::evaluation(self.settings.batch_size, self.preprocessing))
    }

    fn failed(&self, source: pvlu::Error) -> CliError {
        CliError::Model { model: self.name, source }
    }

    /// Trains the parts that the user chose, and evaluates the model before and after. `reached` is as for
    /// [`tune`](Self::tune).
    pub fn tune_measured(&mut self, model: &mut dyn Model, reached: &mut Option<Reached>) -> Result<Tuned, CliError> {
        let Settings { policy, trains_nothing, epochs, .. } = self.settings;
        let before = self.measure(model, reached)?;
        match policy.try_apply(model.net_mut()) {
            Err(FreezeError::Nothing { .. }) if trains_nothing => FreezePolicy::NONE.try_apply(model.net_mut())?,
            applied => applied?,
        }
        let groups = transfer::groups(model.net()).map_err(|source| self.failed(source))?;
        self.progress.note(&transfer::table(&groups));
        let (trained, updated) = (transfer::trained(&groups), transfer::updated(&groups));
        let mut after = before;
        if trained + updated > 0 && epochs > 0 {
            self.course.measured_before(before);
            self.tune(model, ("tune", policy, epochs), reached)?;
            after = self.measure(model, reached)?;
        }
        self.course.measured_after(after);
        Ok(Tuned { before, after, trained, updated })
    }

    /// Trains the parts that a policy names for some epochs. `reached` holds the result of an earlier phase, and is
    /// replaced by that of this one: after an error the best network of the phase, which the model is put back to.
    pub fn tune(
        &mut self,
        model: &mut dyn Model,
        (what, policy, epochs): (&str, FreezePolicy, u64),
        reached: &mut Option<Reached>,
    ) -> Result<(), CliError> {
        policy.try_apply(model.net_mut())?;
        let Settings { batch_size, seed, .. } = self.settings;
        model.seed_dropout(seed);
        let augmentation = self.settings.augmentation(self.preprocessing);
        let shuffled = LoaderConfig::training(batch_size, seed, self.preprocessing, augmentation);
        // No epoch is selected: the last one counts, and is evaluated at the end.
        let nothing = self.test.clone().limit(0);
        let splits = Splits {
            train: self.train.loader(shuffled)?,
            validation: self.loader(&nothing)?,
            test: self.loader(&nothing)?,
        };
        let config = self.settings.fit(policy, epochs);
        let groups = transfer::groups(model.net()).map_err(|source| self.failed(source))?;
        self.course.begin(policy, &config, augmentation, groups);
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
        // Empty until the state of the model is known.
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
        // No loss was measured after the very last update, so its logits are checked.
        while let Some(last) = reached.take_if(|_| !self.answers(model)) {
            *reached = last.go_back(model).map_err(|source| self.failed(source))?;
        }
        Err(error)
    }

    /// True if the logits of some test images are finite. Other errors do not count against the network.
    fn answers(&self, model: &mut dyn Model) -> bool {
        let some = self.test.clone().limit(self.settings.batch_size);
        let evaluated = self.loader(&some).map(|images| {
            // The check is also made after Ctrl-C.
            evaluate_finite(model, &images, &mut || ControlFlow::Continue(()))
        });
        !matches!(evaluated, Ok(Err(TrainError::NotFinite(_))))
    }

    /// Accuracy on the test images. If its logits are not finite, the last update ruined the network: the model then
    /// goes back to the best one before it, which `reached` is set to.
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
