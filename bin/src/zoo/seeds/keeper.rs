//! A phase of a training with its checkpoints, the files of its epochs and the best network.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use pvlu_zoo::data::Batches;
use pvlu_zoo::model::Model;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{Event, FitConfig, FitState, Moment, Outcome, SavedFit, Splits, fit_from};

use super::config::Config;
use super::curves;
use super::epochs::{Ended, Epoch, so_far};
use super::events::Events;
use super::folder::{Folder, Stage};
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::progress::Progress;
use crate::common::ranks;

/// The way in which the trainings of a command are kept.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// Time between two checkpoints.
    pub every: Duration,
    /// True if event files for TensorBoard are written.
    pub logs_events: bool,
    pub progress: &'a Progress,
}

/// The networks of a training as files.
pub trait Networks {
    /// Writes the network after an epoch, with what is known of its training.
    fn write(&self, model: &dyn Model, epoch: &Epoch, path: &Path) -> Result<(), CliError>;

    /// A network of the same kind on the host, whose values are to be written.
    fn blank(&self) -> Result<Box<dyn Model>, CliError>;
}

/// A phase of a training that is kept in a folder.
pub struct Phase<'a> {
    pub keeping: Keeping<'a>,
    /// Name of the training in the figure.
    pub title: &'a str,
    /// Name of the phase in the progress and in errors.
    pub run: &'a str,
    /// Name of the model in errors.
    pub model: &'static str,
    pub seed: u64,
    pub fit: &'a FitConfig,
    pub splits: &'a Splits<Box<dyn Batches>>,
    pub config: &'a Config,
    pub folder: &'a Folder,
    pub stage: Stage,
    pub networks: &'a dyn Networks,
}

impl Phase<'_> {
    /// Trains a network that is as it was before the phase, from the checkpoint of the phase on if there is one, and
    /// returns all epochs so far. `None` if it was interrupted, after a checkpoint of that moment was written.
    pub fn train(&self, model: &mut dyn Model, kept: Option<&SavedFit>) -> Result<Option<Ended>, CliError> {
        let Self { run, fit, splits, folder, .. } = *self;
        ranks::agree(self.config.0.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
        let progress = self.keeping.progress;
        let steps = splits.train.batches();
        let state = match kept {
            Some(kept) => {
                let state = kept.restore(model, fit, steps as u64)?;
                let epochs = state.epochs.len();
                progress.note(&format!("{run}: goes on after {epochs} epochs and {} of {steps} steps", state.steps));
                state
            }
            None => FitState::new(fit.optimizer),
        };
        // A training goes on as it began.
        let logs_events = self.keeping.logs_events || folder.events().is_dir();
        let events = logs_events.then(|| Events::begin(folder.events(), &self.epochs(&state))).transpose()?;
        model.seed_dropout(self.seed);
        progress.start_run(run, fit.epochs);
        progress.go_on(fit.epochs, steps as u64, state.epochs.len() as u64 * steps as u64 + state.steps);
        let mut observe = |event: Event<'_>| {
            progress.observe(run, fit.epochs, event);
            interrupt::flow()
        };
        let mut keeper = Keeper { phase: self, events, saved: Instant::now() };
        let mut failure = None;
        let mut keep = |moment: Moment<'_>| match keeper.note(moment) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let history = fit_from(model, splits, fit, state, &mut observe, &mut keep);
        if let Some(error) = failure {
            return Err(error);
        }
        let history = history.map_err(|source| CliError::Training { run: run.to_owned(), source })?;
        let mut epochs = self.stage.earlier.clone();
        epochs.extend(history.epochs.iter().map(|record| Epoch { phase: self.stage.phase, record: *record }));
        curves::draw(folder, self.title, &epochs)?;
        if history.outcome == Outcome::Interrupted {
            return Ok(None);
        }
        // The very last update may have ruined the network, of which no training loss tells.
        let is_ruined = history.epochs.last().is_some_and(|last| last.test.images > 0 && !last.test.loss.is_finite());
        let diverged = history.outcome == Outcome::Diverged || is_ruined;
        Ok(Some(Ended { epochs, diverged, before: self.stage.before }))
    }

    /// The epochs of all phases so far.
    fn epochs(&self, state: &FitState) -> Vec<Epoch> {
        let of_this = state.epochs.iter().map(|record| Epoch { phase: self.stage.phase, record: *record });
        self.stage.earlier.iter().copied().chain(of_this).collect()
    }
}

/// Keeps a phase under way in its folder.
struct Keeper<'a> {
    phase: &'a Phase<'a>,
    events: Option<Events>,
    /// The moment of the last checkpoint.
    saved: Instant,
}

impl Keeper<'_> {
    /// Takes in a step or an epoch. The files of an epoch are written before its checkpoint, so that a training that
    /// goes on from that has them.
    fn note(&mut self, moment: Moment<'_>) -> Result<(), CliError> {
        let Moment { model, state, last } = moment;
        let Phase { keeping, fit, config, folder, stage, .. } = self.phase;
        let mut is_end = last;
        if state.steps == 0 && !state.epochs.is_empty() {
            let epochs = self.phase.epochs(state);
            curves::write_csv(folder, &epochs)?;
            if let Some(epoch) = epochs.last() {
                if let Some(events) = &mut self.events {
                    events.add(epoch)?;
                }
                if so_far(&epochs)
                    .is_some_and(|best| (best.phase, best.record.epoch) == (epoch.phase, epoch.record.epoch))
                {
                    self.write_best(model, state, epoch)?;
                }
            }
            is_end |= state.epochs.len() as u64 == fit.epochs;
        }
        if is_end || (ranks::is_first() && self.saved.elapsed() >= keeping.every) {
            state.save(model, &folder.checkpoint(), stage.metadata(config))?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Writes the network that the last evaluation was of: where there is a moving average, that.
    fn write_best(&self, model: &dyn Model, state: &FitState, epoch: &Epoch) -> Result<(), CliError> {
        let Phase { fit, folder, networks, .. } = self.phase;
        if fit.average.is_none() {
            return networks.write(model, epoch, &folder.best());
        }
        let failed = |source| CliError::Model { model: self.phase.model, source };
        // Its values are all overwritten, and nothing is computed with it.
        let mut averaged = networks.blank()?;
        Snapshot::of(model).map_err(failed)?.restore(averaged.as_mut())?;
        state.put_average_into(averaged.as_mut()).map_err(failed)?;
        networks.write(averaged.as_ref(), epoch, &folder.best())
    }
}
