//! The store of runs on disk: finished ones as records, unfinished ones as checkpoints.
//!
//! `OUT/runs/RUN.json` is the record of a finished run, `OUT/runs/RUN.safetensors` the checkpoint of one under way.
//! Each is written atomically, so that a command can be killed at any moment. Trainings that runs start from have
//! checkpoints too, which stay until the table is finished. A file that is in the way of a run of other settings is
//! never removed but moved [aside](super::aside).

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pvlu_zoo::checkpoint::{Notes, save_model};
use pvlu_zoo::data::Batches;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry;
use pvlu_zoo::train::{Event, FitConfig, FitState, History, Moment, Outcome, SavedFit, Splits, fit_from};
use pvlu_zoo::weights::{Source, WeightsError};

use super::aside::Aside;
use super::config::Config;
use super::earlier::Earlier;
use super::planned::Planned;
use super::record::Record;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::output::{note, prepare_folder};
use crate::common::progress::Progress;
use crate::common::ranks;

/// Key of a checkpoint's metadata that holds the configuration.
const CONFIG: &str = "pvlu_zoo.config";

/// The records, checkpoints and weights of the runs in an output folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    weights: PathBuf,
    earlier: Earlier,
    /// Time between two checkpoints.
    every: Duration,
    /// True if the weights of finished runs are saved too.
    save_weights: bool,
    aside: Aside,
}

/// The training, validation and test images of a training, from memory or from files.
pub type Loaders = Splits<Box<dyn Batches>>;

/// A training to be done by [`Store::train`].
pub struct Job<'a> {
    /// Name of the training in progress output and errors.
    pub title: &'a str,
    /// The configuration that decides the numbers of the training.
    pub config: &'a Config,
    /// Optimizer, epochs and schedule of the training.
    pub fit: FitConfig,
    /// The training, validation and test images.
    pub splits: Loaders,
    /// Seed of the dropout layers.
    pub seed: u64,
}

impl Store {
    /// The store of an output folder for reading and adopting runs, which trains nothing.
    pub fn of(out: &Path) -> Result<Self, CliError> {
        Self::new(out, Earlier::Used, Duration::MAX, false)
    }

    /// The store of an output folder for doing runs, with the least time between two checkpoints of a training.
    pub fn new(out: &Path, earlier: Earlier, every: Duration, save_weights: bool) -> Result<Self, CliError> {
        let (folder, weights) = (out.join("runs"), out.join("weights"));
        prepare_folder(&folder)?;
        if save_weights {
            prepare_folder(&weights)?;
        }
        Ok(Self { folder, weights, earlier, every, save_weights, aside: Aside::of(out) })
    }

    /// Looks for files that an earlier command left of these runs, and of the trainings that they start from, before
    /// anything is trained: moves aside those that do not count, and returns the records of the runs that are finished.
    pub fn begin(&self, runs: &[Planned], progress: &Progress) -> Result<Vec<Option<Record>>, CliError> {
        // Everything is read before anything is moved, so that an error leaves all as it was.
        let mut aside: Vec<(PathBuf, String)> = Vec::new();
        let mut finished = Vec::new();
        for run in runs {
            let mut in_the_way = |path: &Path, why: String| {
                // Several runs can start from the same training.
                if aside.iter().all(|(other, _)| other != path) {
                    aside.push((path.to_owned(), why));
                }
            };
            let (record, checkpoint) = (self.record_path(&run.config), self.checkpoint_path(&run.config));
            let weights = self.weights_path(&run.config);
            if self.earlier == Earlier::Aside {
                let before = run.after.iter().map(|(config, _)| self.checkpoint_path(config));
                let there = [record, checkpoint, weights].into_iter().chain(before).filter(|path| path.exists());
                there.for_each(|path| in_the_way(&path, "--fresh".to_owned()));
                finished.push(None);
                continue;
            }
            let done = self.counting(&record, self.finished(&run.config), &mut in_the_way)?;
            let begun = self.counting(&checkpoint, self.opened(&run.config), &mut in_the_way)?;
            // Without a record or checkpoint, nothing says of which settings the weights are.
            if done.is_none() && begun.is_none() && weights.exists() {
                in_the_way(&weights, "no run of these settings is there".to_owned());
            }
            for (config, _) in &run.after {
                self.counting(&self.checkpoint_path(config), self.opened(config), &mut in_the_way)?;
            }
            finished.push(done);
        }
        self.aside.take(&aside, &|line| progress.say(line))?;
        for record in finished.iter().flatten() {
            // A command that was killed between writing the record and removing the checkpoint leaves the checkpoint.
            self.forget(&record.config)?;
        }
        Ok(finished)
    }

    /// Under [`Earlier::Required`], an error for the first of these runs of which there is a record or a checkpoint of
    /// other settings than those that `may_differ`.
    pub fn refuse(&self, runs: &[Planned], may_differ: &[&str]) -> Result<(), CliError> {
        if self.earlier != Earlier::Required {
            return Ok(());
        }
        for Planned { config, .. } in runs {
            for (path, read) in [
                (self.record_path(config), Record::config_of as fn(&Path) -> Result<Config, CliError>),
                (self.checkpoint_path(config), config_of_checkpoint),
            ] {
                if path.exists()
                    && let Some(difference) = config.difference_but(&read(&path)?, may_differ)
                {
                    return Err(CliError::OtherConfiguration { path, difference });
                }
            }
        }
        Ok(())
    }

    /// Passes on a file that counts. One that does not, being of other settings or damaged, gives `None` and is told to
    /// `in_the_way` with the reason; under [`Earlier::Required`] it is an error.
    fn counting<T>(
        &self,
        path: &Path,
        found: Result<Option<T>, CliError>,
        in_the_way: &mut dyn FnMut(&Path, String),
    ) -> Result<Option<T>, CliError> {
        let why = match found {
            Err(error) if self.earlier == Earlier::Required => return Err(error),
            Err(CliError::OtherConfiguration { difference, .. }) => difference.to_string(),
            Err(CliError::Damaged { what, .. }) => what,
            Err(CliError::Weights(error)) if is_damage(&error) => error.to_string(),
            found => return found,
        };
        in_the_way(path, why);
        Ok(None)
    }

    fn record_path(&self, config: &Config) -> PathBuf {
        self.folder.join(format!("{}.json", config.stem()))
    }

    fn checkpoint_path(&self, config: &Config) -> PathBuf {
        self.folder.join(format!("{}.safetensors", config.stem()))
    }

    fn weights_path(&self, config: &Config) -> PathBuf {
        self.weights.join(format!("{}.safetensors", config.stem()))
    }

    /// The record of a run, if it is finished. Where weights are to be saved, a run without them is not finished.
    pub fn finished(&self, config: &Config) -> Result<Option<Record>, CliError> {
        let path = self.record_path(config);
        if !path.exists() {
            return Ok(None);
        }
        let record = Record::read(&path)?;
        same(&path, config, &record.config)?;
        let lacks_weights = self.save_weights && !self.weights_path(config).exists();
        Ok((!lacks_weights).then_some(record))
    }

    /// Keeps the record of a run that was done elsewhere. A different record of the same run is moved aside, and so are
    /// any checkpoint and weights of it.
    pub fn adopt(&self, record: &Record) -> Result<(), CliError> {
        let (config, path) = (&record.config, self.record_path(&record.config));
        let why = match path.exists().then(|| Record::read(&path)) {
            None => None,
            Some(Ok(kept)) if kept.says_the_same(record) => return Ok(()),
            Some(Ok(kept)) => Some(match config.difference(&kept.config) {
                Some(difference) => difference.to_string(),
                None => "its numbers are others".to_owned(),
            }),
            Some(Err(CliError::Damaged { what, .. })) => Some(what),
            Some(Err(error)) => return Err(error),
        };
        let of_another = || why.clone().unwrap_or_else(|| "no run of these settings is there".to_owned());
        let paths = [path.clone(), self.checkpoint_path(config), self.weights_path(config)];
        let there: Vec<_> = paths.into_iter().filter(|path| path.exists()).map(|path| (path, of_another())).collect();
        self.aside.take(&there, &note)?;
        record.write(&path)
    }

    /// Moves files of the output folder aside.
    pub fn set_aside(&self, files: &[PathBuf], why: &str) -> Result<(), CliError> {
        let files: Vec<_> = files.iter().map(|path| (path.clone(), why.to_owned())).collect();
        self.aside.take(&files, &note)
    }

    /// Writes the record of a finished run, and removes its checkpoint.
    pub fn finish(&self, record: &Record) -> Result<(), CliError> {
        record.write(&self.record_path(&record.config))?;
        self.forget(&record.config)
    }

    /// Removes the checkpoint of a run or training, if there is one.
    pub fn forget(&self, config: &Config) -> Result<(), CliError> {
        let path = self.checkpoint_path(config);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(CliError::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Saves the network of a run that is about to be finished, if the store saves weights.
    pub fn save_weights(&self, config: &Config, model: &dyn Model, preprocessing: &str) -> Result<(), CliError> {
        if !self.save_weights {
            return Ok(());
        }
        let entry = registry::find(&config.model)?;
        let notes = Notes { preprocessing: Some(preprocessing), ..Notes::default() };
        Ok(save_model(model, entry, self.weights_path(config), Source::Native, &notes)?)
    }

    /// Trains a network, from its checkpoint if there is one. `None` if it was interrupted, after a checkpoint of that
    /// moment was written. A finished training leaves a checkpoint too.
    pub fn train(
        &self,
        job: &Job<'_>,
        model: &mut dyn Model,
        progress: &Progress,
    ) -> Result<Option<History>, CliError> {
        let Job { title, config, fit, splits, seed } = job;
        let entries = config.entries();
        ranks::agree(entries.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
        let state = self.state(job, model, progress)?;
        model.seed_dropout(*seed);
        progress.start_run(title, fit.epochs);
        let path = self.checkpoint_path(config);
        let mut observe = |event: Event<'_>| {
            progress.observe(title, fit.epochs, event);
            interrupt::flow()
        };
        let mut failure = None;
        let mut saved = Instant::now();
        let mut keep = |moment: Moment<'_>| {
            let diverged = moment.state.epochs.last().is_some_and(|epoch| !epoch.train_loss.is_finite());
            let ended = diverged || moment.state.epochs.len() as u64 >= fit.epochs;
            if !(moment.last || ended || (ranks::is_first() && saved.elapsed() >= self.every)) {
                return ControlFlow::Continue(());
            }
            let metadata = [(CONFIG.to_owned(), config.to_json().to_string())];
            match moment.state.save(moment.model, &path, metadata) {
                Ok(()) => {
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
        if !path.exists() {
            return Ok(None);
        }
        let kept = SavedFit::open(&path)?;
        same(&path, config, &config_within(&kept, &path)?)?;
        Ok(Some(kept))
    }

    /// The state from which a training starts: that of its checkpoint, whose values are loaded into the network, or the
    /// initial one.
    fn state(&self, job: &Job<'_>, model: &mut dyn Model, progress: &Progress) -> Result<FitState, CliError> {
        let beginning = || FitState::new(job.fit.optimizer);
        let Some(kept) = self.opened(job.config)? else { return Ok(beginning()) };
        let steps = job.splits.train.batches();
        let state = match kept.restore(model, &job.fit, steps as u64) {
            // Damage to the tensors shows only when they are read.
            Err(error) if self.earlier != Earlier::Required && is_damage(&error) => {
                let damaged = (self.checkpoint_path(job.config), error.to_string());
                self.aside.take(&[damaged], &|line| progress.say(line))?;
                return Ok(beginning());
            }
            state => state?,
        };
        let epoch = state.epochs.len();
        progress.note(&format!("{}: goes on after {epoch} epochs and {} of {steps} steps", job.title, state.steps));
        Ok(state)
    }
}

/// The configuration of the training in a checkpoint.
fn config_of_checkpoint(path: &Path) -> Result<Config, CliError> {
    config_within(&SavedFit::open(path)?, path)
}

fn config_within(kept: &SavedFit, path: &Path) -> Result<Config, CliError> {
    let text = kept.metadata().get(CONFIG);
    let json = text.and_then(|text| serde_json::from_str(text).ok());
    let found = json.ok_or_else(|| "expected the configuration of a run".to_owned());
    found.and_then(|json| Config::of_json(&json)).map_err(|what| CliError::Damaged { path: path.to_owned(), what })
}

/// True for an error about the content of a file, false for a failure of the system or the device.
fn is_damage(error: &WeightsError) -> bool {
    !matches!(error, WeightsError::Io { .. } | WeightsError::Device(_))
}

/// Makes sure that a file's configuration is that of the run that this command would do.
fn same(path: &Path, here: &Config, kept: &Config) -> Result<(), CliError> {
    match here.difference(kept) {
        None => Ok(()),
        Some(difference) => Err(CliError::OtherConfiguration { path: path.to_owned(), difference }),
    }
}
