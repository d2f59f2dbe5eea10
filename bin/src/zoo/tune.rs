//! The training of `zoo finetune`, in one phase or two, and its evaluations.

use std::ops::ControlFlow;

use pvlu_zoo::data::{Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::train::{
    Event, FitConfig, FitState, Moment, Outcome, Splits, TrainError, alone, evaluate_finite, fit_from,
};
use pvlu_zoo::transfer::{self, FreezeError, FreezePolicy, Group};

use super::best::{Phase, Reached};
use super::course::Course;
use super::seeds::epochs::PhaseName;
use super::settings::Settings;
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::interrupt;
use crate::common::progress::Progress;

/// The images of a tuning.
#[derive(Clone)]
pub struct Parts {
    pub train: Images,
    /// Images that the best epoch is picked by; none if no share is held out.
    pub held_out: Images,
    pub test: Images,
}

impl Parts {
    /// Numbers of images to train on, held out and to test on.
    pub fn counts(&self) -> [usize; 3] {
        [&self.train, &self.held_out, &self.test].map(Images::len)
    }
}

/// Settings and images that both phases of a tuning share.
#[derive(Clone)]
pub struct Session<'a> {
    pub settings: Settings,
    /// Name of the model.
    pub name: &'static str,
    pub images: Parts,
    pub preprocessing: Preprocessing,
    pub progress: &'a Progress,
}

/// A phase of a tuning, with the way in which it trains.
pub struct Plan {
    pub phase: PhaseName,
    pub policy: FreezePolicy,
    pub fit: FitConfig,
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

impl Session<'_> {
    /// The phase that trains the head alone; `None` if the user did not ask for it.
    pub fn head(&self) -> Option<Plan> {
        let epochs = self.settings.head_epochs;
        (epochs > 0).then(|| self.plan(PhaseName::Head, FreezePolicy::HEAD, epochs))
    }

    /// The phase that trains the parts that the user chose; `None` if these are none.
    pub fn tune(&self) -> Option<Plan> {
        self.settings.tunes().then(|| self.plan(PhaseName::Tune, self.settings.policy, self.settings.epochs))
    }

    fn plan(&self, phase: PhaseName, policy: FreezePolicy, epochs: u64) -> Plan {
        Plan { phase, policy, fit: self.settings.fit(policy, epochs) }
    }

    /// Name of a phase in the progress and in errors.
    pub fn run(&self, plan: &Plan) -> String {
        format!("{} {}", self.name, plan.phase.text().unwrap_or_default())
    }

    /// Freezes the model as a phase trains it, and adds the phase to the course.
    pub fn begin(&self, model: &mut dyn Model, plan: &Plan, course: &mut Course) -> Result<Vec<Group>, CliError> {
        plan.policy.try_apply(model.net_mut())?;
        let groups = transfer::groups(model.net()).map_err(|source| self.failed(source))?;
        course.begin(plan.policy, &plan.fit, self.settings.augmentation(self.preprocessing), groups.clone());
        Ok(groups)
    }

    /// The batches of a phase; those to test on only if each epoch `is_measured`.
    pub fn splits(&self, is_measured: bool) -> Result<Splits<Box<dyn Batches>>, CliError> {
        let Settings { batch_size, seed, .. } = self.settings;
        let augmentation = self.settings.augmentation(self.preprocessing);
        let shuffled = LoaderConfig::training(batch_size, seed, self.preprocessing, augmentation);
        let Parts { train, held_out, test } = &self.images;
        let test = if is_measured { test.clone() } else { test.clone().limit(0) };
        Ok(Splits { train: train.loader(shuffled)?, validation: self.loader(held_out)?, test: self.loader(&test)? })
    }

    /// A loader of the images in order, without augmentation.
    fn loader(&self, images: &Images) -> Result<Box<dyn Batches>, CliError> {
        images.loader(LoaderConfig::evaluation(self.settings.batch_size, self.preprocessing))
    }

    /// An error of the model.
    pub fn failed(&self, source: pvlu::Error) -> CliError {
        CliError::Model { model: self.name, source }
    }

    /// Trains the parts that the user chose, and evaluates the model before and after. `reached` is as for
    /// [`train`](Self::train).
    pub fn tune_measured(
        &self,
        model: &mut dyn Model,
        course: &mut Course,
        reached: &mut Option<Reached>,
    ) -> Result<Tuned, CliError> {
        let Settings { policy, trains_nothing, .. } = self.settings;
        let before = self.measure(model, reached)?.ok_or(CliError::Stopped)?;
        match policy.try_apply(model.net_mut()) {
            Err(FreezeError::Nothing { .. }) if trains_nothing => FreezePolicy::NONE.try_apply(model.net_mut())?,
            applied => applied?,
        }
        let groups = transfer::groups(model.net()).map_err(|source| self.failed(source))?;
        self.progress.note(&transfer::table(&groups));
        let (trained, updated) = (transfer::trained(&groups), transfer::updated(&groups));
        let mut after = before;
        if let Some(plan) = self.tune().filter(|_| trained + updated > 0) {
            course.measured_before(before);
            self.train(model, (&plan, course), reached)?;
            after = self.measure(model, reached)?.ok_or(CliError::Stopped)?;
        }
        course.measured_after(after);
        Ok(Tuned { before, after, trained, updated })
    }

    /// Trains a phase. `reached` holds the result of an earlier phase, and is replaced by that of this one: after an
    /// error the best network of the phase, which the model is put back to.
    pub fn train(
        &self,
        model: &mut dyn Model,
        (plan, course): (&Plan, &mut Course),
        reached: &mut Option<Reached>,
    ) -> Result<(), CliError> {
        let (fit, epochs) = (&plan.fit, plan.fit.epochs);
        self.begin(model, plan, course)?;
        model.seed_dropout(self.settings.seed);
        let splits = self.splits(false)?;
        let run = self.run(plan);
        self.progress.start_run(&run, epochs);
        let mut observe = |event: Event<'_>| {
            self.progress.observe(&run, epochs, event);
            interrupt::flow()
        };
        let phase = Phase::new(model, epochs, reached.as_ref()).map_err(|source| self.failed(source))?;
        let mut phase = phase.averaging(fit.average.is_some());
        let mut failure = None;
        let mut keep = |moment: Moment<'_>| match phase.note(moment) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let state = FitState::new(fit.optimizer);
        let fitted = fit_from(model, &splits, fit, state, &mut observe, &mut keep).map(|history| history.outcome);
        // Empty until the state of the model is known.
        *reached = None;
        let error = match (failure, fitted) {
            (Some(source), _) => self.failed(source),
            (None, Ok(Outcome::Finished)) => {
                // The second phase goes on from the last epoch of the first; the last phase ends with the best.
                let is_last = plan.phase == PhaseName::Tune || !self.settings.tunes();
                let ended = if is_last { phase.finish_with_best(model) } else { Ok(phase.finish()) };
                *reached = Some(ended.map_err(|source| self.failed(source))?);
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
        let some = self.images.test.clone().limit(self.settings.batch_size);
        let evaluated = self.loader(&some).map(|images| {
            // The check is also made after Ctrl-C, and where other ranks have not come to it.
            alone(|| evaluate_finite(model, &images, &mut || ControlFlow::Continue(())))
        });
        !matches!(evaluated, Ok(Err(TrainError::NotFinite(_))))
    }

    /// Accuracy on the test images; `None` if interrupted. If its logits are not finite, the last update ruined the
    /// network: the model then goes back to the best one before it, which `reached` is set to.
    pub fn measure(&self, model: &mut dyn Model, reached: &mut Option<Reached>) -> Result<Option<f64>, CliError> {
        let evaluation = evaluate_finite(model, &self.loader(&self.images.test)?, &mut interrupt::flow);
        if matches!(evaluation, Err(TrainError::NotFinite(_)))
            && let Some(ruined) = reached.take()
        {
            *reached = ruined.go_back(model).map_err(|source| self.failed(source))?;
        }
        let evaluation = evaluation.map_err(|source| CliError::Training { run: self.name.to_owned(), source })?;
        Ok(evaluation.map(|evaluation| evaluation.top1))
    }
}
