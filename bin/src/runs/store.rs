//! Where runs are kept: finished ones as records, unfinished ones as checkpoints.
//!
//! `OUT/runs/RUN.json` is the record of a finished run, `OUT/runs/RUN.safetensors` the checkpoint of one under way. Each is
//! whole or not there, so that a command can be killed at any moment. Trainings that runs go on from have checkpoints too,
//! which stay until the table is finished.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pvlu_zoo::checkpoint::save_model;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, FitState, History, Moment, Outcome, SavedFit, Splits, fit_from};
use pvlu_zoo::weights::Source;

use super::config::Config;
use super::record::Record;
use crate::error::CliError;
use crate::interrupt;
use crate::output::prepare_folder;
use crate::progress::Progress;

/// Key of a checkpoint's metadata that holds the configuration.
const CONFIG: &str = "pvlu_zoo.config";

/// The folder of a command's runs.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Whether what is there is gone on from.
    resume: bool,
    /// Time between two checkpoints.
    every: Duration,
    /// Where the weights of finished runs go, if they are wanted.
    weights: Option<PathBuf>,
    /// What an earlier command left of the runs of this one, which begins anew. It goes with the first thing that this
    /// command keeps, so that a command that comes to nothing costs nothing.
    given_up: RefCell<Vec<PathBuf>>,
}

/// A training.
pub struct Job<'a> {
    /// For a person.
    pub title: &'a str,
    /// What decides its numbers.
    pub config: &'a Config,
    /// How it trains.
    pub fit: FitConfig,
    /// On what.
    pub splits: Splits,
    /// Seed of the dropouts.
    pub seed: u64,
}

impl Store {
    /// The runs of an output folder, to be read and put there.
    pub fn of(out: &Path) -> Result<Self, CliError> {
        Self::new(out, true, Duration::MAX, false)
    }

    /// The runs of an output folder, to be done.
    pub fn new(out: &Path, resume: bool, every: Duration, save_weights: bool) -> Result<Self, CliError> {
        let folder = out.join("runs");
        prepare_folder(&folder)?;
        let weights = save_weights.then(|| out.join("weights"));
        weights.as_deref().map_or(Ok(()), prepare_folder)?;
        Ok(Self { folder, resume, every, weights, given_up: RefCell::default() })
    }

    /// Without `resume`: notes what there is of these runs, and of trainings that they go on from, as given up, and returns how many
    /// files that are.
    pub fn begin_anew<'a>(&self, configs: impl IntoIterator<Item = &'a Config>) -> usize {
        let mut given_up = self.given_up.borrow_mut();
        if !self.resume {
            let paths = configs.into_iter().flat_map(|config| [self.record_path(config), self.checkpoint_path(config)]);
            given_up.extend(paths.filter(|path| path.exists()));
            given_up.sort();
            given_up.dedup();
        }
        given_up.len()
    }

    /// Removes what was given up, but for the file that has just been written in the place of one.
    fn take_over(&self, written: &Path) {
        for path in self.given_up.borrow_mut().drain(..).filter(|path| path != written) {
            // If it stays, --resume will refuse it by its name.
            let _ = std::fs::remove_file(path);
        }
    }

    fn record_path(&self, config: &Config) -> PathBuf {
        self.folder.join(format!("{}.json", config.stem()))
    }

    fn checkpoint_path(&self, config: &Config) -> PathBuf {
        self.folder.join(format!("{}.safetensors", config.stem()))
    }

    fn weights_path(&self, config: &Config) -> Option<PathBuf> {
        Some(self.weights.as_ref()?.join(format!("{}.safetensors", config.stem())))
    }

    /// The record of a run, if it is finished and finished runs count. Where weights are wanted, one without is not finished.
    pub fn finished(&self, config: &Config) -> Result<Option<Record>, CliError> {
        let path = self.record_path(config);
        let lacks_weights = self.weights_path(config).is_some_and(|weights| !weights.exists());
        if !self.resume || lacks_weights || !path.exists() {
            return Ok(None);
        }
        let record = Record::read(&path)?;
        same(&path, config, &record.config)?;
        Ok(Some(record))
    }

    /// Makes sure that a checkpoint, if there is one that counts, is of this configuration.
    pub fn check(&self, config: &Config) -> Result<(), CliError> {
        self.opened(config).map(drop)
    }

    /// Keeps a finished run. Its checkpoint is of no use any more.
    pub fn finish(&self, record: &Record) -> Result<(), CliError> {
        let path = self.record_path(&record.config);
        record.write(&path)?;
        self.take_over(&path);
        self.forget(&record.config)
    }

    /// Removes a checkpoint, if there is one, and what a process that was killed left of one.
    pub fn forget(&self, config: &Config) -> Result<(), CliError> {
        self.sweep(config);
        let path = self.checkpoint_path(config);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(CliError::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Removes what a process that was killed left of a checkpoint that it wrote.
    fn sweep(&self, config: &Config) {
        let begin = format!(".{}.safetensors.", config.stem());
        for folder in [Some(&self.folder), self.weights.as_ref()].into_iter().flatten() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with(&begin) && name.ends_with(".tmp") {
                    // Of no use, and in nobody's way if it stays.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// Saves the network of a run that is about to be finished, if weights are wanted.
    pub fn save_weights(&self, config: &Config, model: &dyn Model, preprocessing: &str) -> Result<(), CliError> {
        let Some(path) = self.weights_path(config) else { return Ok(()) };
        let entry = registry::find(config.get("model"))?;
        Ok(save_model(model, entry, path, Source::Native, Some(preprocessing), None)?)
    }

    /// Trains a network, from its checkpoint if there is one; `None` if it was interrupted, and a checkpoint of that moment
    /// is then on disk. A finished training leaves a checkpoint too.
    pub fn train(
        &self,
        job: &Job<'_>,
        model: &mut dyn Model,
        progress: &Progress,
    ) -> Result<Option<History>, CliError> {
        let Job { title, config, fit, splits, seed } = job;
        self.sweep(config);
        let state = self.state(job, model, progress)?;
        model.seed_dropout(*seed);
        progress.start_run(title, fit.epochs);
        let path = self.checkpoint_path(config);
        let mut observe = |event: Event<'_>| {
            progress.observe(title, fit.epochs, event);
            if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut failure = None;
        let mut saved = Instant::now();
        let mut keep = |moment: Moment<'_>| {
            let diverged = moment.state.epochs.last().is_some_and(|epoch| !epoch.train_loss.is_finite());
            let ended = diverged || moment.state.epochs.len() as u64 >= fit.epochs;
            if !(moment.last || ended || saved.elapsed() >= self.every) {
                return ControlFlow::Continue(());
            }
            let metadata = [(CONFIG.to_owned(), config.to_json().to_string())];
            match moment.state.save(moment.model, &path, metadata) {
                Ok(()) => {
                    self.take_over(&path);
                    saved = Instant::now();
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let history = fit_from(model, splits, fit, state, &mut observe, &mut keep);
        if let Some(error) = failure {
            return Err(error.into());
        }
        let history = history.map_err(|source| CliError::Training { run: (*title).to_owned(), source })?;
        Ok((history.outcome != Outcome::Interrupted).then_some(history))
    }

    /// The checkpoint of a training, if there is one that counts.
    fn opened(&self, config: &Config) -> Result<Option<SavedFit>, CliError> {
        let path = self.checkpoint_path(config);
        if !self.resume || !path.exists() {
            return Ok(None);
        }
        let kept = SavedFit::open(&path)?;
        let text = kept.metadata().get(CONFIG);
        let found = text.and_then(|text| Config::of_json(&serde_json::from_str(text).ok()?));
        let Some(found) = found else {
            return Err(CliError::Damaged { path, what: "expected the configuration of a run".to_owned() });
        };
        same(&path, config, &found)?;
        Ok(Some(kept))
    }

    /// Where a training begins: at its checkpoint, whose values go into the network, or at the beginning.
    fn state(&self, job: &Job<'_>, model: &mut dyn Model, progress: &Progress) -> Result<FitState, CliError> {
        let Some(kept) = self.opened(job.config)? else { return Ok(FitState::new(job.fit.optimizer)) };
        let steps = job.splits.train.batches();
        let state = kept.restore(model, &job.fit, steps as u64)?;
        let epoch = state.epochs.len();
        progress.note(&format!("{}: goes on after {epoch} epochs and {} of {steps} steps", job.title, state.steps));
        Ok(state)
    }
}

/// Whether what was kept is of the run that this command would do.
fn same(path: &Path, here: &Config, kept: &Config) -> Result<(), CliError> {
    match here.difference(kept) {
        None => Ok(()),
        Some(difference) => Err(CliError::OtherConfiguration { path: path.to_owned(), difference }),
    }
}
