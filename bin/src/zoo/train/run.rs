//! One training from scratch, with its checkpoints and the best network.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use pvlu_zoo::checkpoint::{FrozenState, KeptNetwork, Notes, Tuning, write_model};
use pvlu_zoo::data::{Augmentation, Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{Options, Start};
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{EpochRecord, Event, FitState, Moment, Outcome, Splits, fit_from};
use pvlu_zoo::transfer::{FreezePolicy, groups};
use pvlu_zoo::weights::Source;

use super::curves;
use super::events::Events;
use super::folder::{CONFIG, Earlier, Ended, Folder};
use super::images::Parts;
use super::settings::{Config, Settings};
use crate::common::device::{self, placed};
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::memory::check_batch;
use crate::common::progress::Progress;
use crate::zoo::course;

/// Settings and images that the trainings of all seeds share.
pub struct Session<'a> {
    pub settings: &'a Settings,
    pub parts: &'a Parts,
    pub preprocessing: Preprocessing,
    /// Height and width of the images; `None` for the model's own.
    pub image: Option<(usize, usize)>,
    /// Time between two checkpoints.
    pub every: Duration,
    /// True if event files for TensorBoard are written.
    pub logs_events: bool,
    pub progress: &'a Progress,
}

impl Session<'_> {
    /// The network before its training with a seed, on the chosen device.
    pub fn build(&self, seed: u64) -> Result<Box<dyn Model>, CliError> {
        let Settings { entry, activation, .. } = self.settings;
        let (activation, classes) = (activation.text(), self.parts.classes.len());
        let options = Options { activation, classes, image: self.image, weights: Start::Seed(seed) };
        let mut model = placed(entry.build(&options)?)?;
        FreezePolicy::ALL.try_apply(model.net_mut())?;
        Ok(model)
    }

    /// A network of the same kind on the host, whose values are to be written.
    fn unfilled(&self) -> Result<Box<dyn Model>, CliError> {
        let Settings { entry, activation, .. } = self.settings;
        let (activation, classes) = (activation.text(), self.parts.classes.len());
        let options = Options { activation, classes, image: self.image, weights: Start::Unfilled };
        let mut model = entry.build(&options)?;
        FreezePolicy::ALL.try_apply(model.net_mut())?;
        Ok(model)
    }

    /// Makes sure, before anything is written or removed, that a training can begin.
    pub fn check(&self, seed: u64) -> Result<(), CliError> {
        let model = self.build(seed)?;
        let (height, width) = model.image();
        let side = height.min(width);
        let Augmentation { shift, cutout, .. } = self.settings.augmentation;
        for (option, pixels, most) in [("--crop", shift, side - 1), ("--cutout", cutout.unwrap_or(1), side)] {
            if pixels > most || (option == "--cutout" && pixels == 0) {
                let of = format!("of images of {height}x{width}");
                return Err(CliError::Usage(format!("{option}: expected at most {most} pixels {of}, found {pixels}")));
            }
        }
        let train = self.parts.train.len().min(self.settings.batch_size);
        check_batch(model.as_ref(), train, true, "--batch-size")?;
        self.settings.fit(seed).check()?;
        self.splits(seed).map(drop)
    }

    /// The configuration of the training with a seed.
    pub fn config(&self, seed: u64, data: (&str, &str)) -> Config {
        let (name, digest) = data;
        let Parts { classes, train, held_out, test, .. } = self.parts;
        let mut texts = self.settings.texts();
        let of_data = [
            ("seed", seed.to_string()),
            ("data", name.to_owned()),
            ("data sha256", digest.to_owned()),
            ("preprocessing", self.preprocessing.to_string()),
            ("classes", classes.len().to_string()),
            ("training images", train.len().to_string()),
            ("held-out images", held_out.len().to_string()),
            ("test images", test.len().to_string()),
            // The CPU and CUDA round differently.
            ("device", device::kind().to_owned()),
        ];
        texts.extend(of_data.map(|(name, text)| (name.to_owned(), text)));
        Config(texts)
    }

    /// The batches of the training with a seed; an error where the images cannot be changed as they are to be.
    pub fn splits(&self, seed: u64) -> Result<Splits<Box<dyn Batches>>, CliError> {
        let Settings { batch_size, augmentation, .. } = *self.settings;
        let in_order = LoaderConfig::evaluation(batch_size, self.preprocessing);
        let shuffled = LoaderConfig::training(batch_size, seed, self.preprocessing, augmentation);
        Ok(Splits {
            train: self.parts.train.loader(shuffled)?,
            validation: self.parts.held_out.loader(in_order.clone())?,
            test: self.parts.test.loader(in_order)?,
        })
    }

    fn failed(&self, source: pvlu::Error) -> CliError {
        CliError::Model { model: self.settings.entry.name, source }
    }

    /// Does a training, or the rest of one. `None` if it was interrupted, after a checkpoint of that moment was
    /// written.
    pub fn perform(
        &self,
        (seed, config, folder): (u64, &Config, &Folder),
        earlier: &Earlier,
    ) -> Result<Option<Ended>, CliError> {
        let entry = self.settings.entry;
        let title = format!("{} {} seed {seed}", entry.name, self.settings.activation.name());
        let fit = self.settings.fit(seed);
        let mut model = self.build(seed)?;
        let splits = self.splits(seed)?;
        let steps = splits.train.batches();
        let state = match earlier {
            Earlier::Begun(kept) => {
                let state = kept.restore(model.as_mut(), &fit, steps as u64)?;
                let epochs = state.epochs.len();
                let at = format!("{title}: goes on after {epochs} epochs and {} of {steps} steps", state.steps);
                self.progress.note(&at);
                state
            }
            _ => FitState::new(fit.optimizer),
        };
        // A training goes on as it began.
        let logs_events = self.logs_events || folder.events().is_dir();
        let events = logs_events.then(|| Events::begin(folder.events(), &state.epochs)).transpose()?;
        model.seed_dropout(seed);
        self.progress.start_run(&title, fit.epochs);
        self.progress.go_on(fit.epochs, steps as u64, state.epochs.len() as u64 * steps as u64 + state.steps);
        let mut observe = |event: Event<'_>| {
            self.progress.observe(&title, fit.epochs, event);
            interrupt::flow()
        };
        let mut keeper = Keeper { session: self, seed, config, folder, events, saved: Instant::now() };
        let mut failure = None;
        let mut keep = |moment: Moment<'_>| match keeper.note(moment) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let history = fit_from(model.as_mut(), &splits, &fit, state, &mut observe, &mut keep);
        if let Some(error) = failure {
            return Err(error);
        }
        let history = history.map_err(|source| CliError::Training { run: title.clone(), source })?;
        curves::draw(folder, &title, &history.epochs)?;
        if history.outcome == Outcome::Interrupted {
            return Ok(None);
        }
        let ended = Ended { diverged: history.outcome == Outcome::Diverged, epochs: history.epochs };
        if let Some(record) = ended.epochs.last().filter(|_| !ended.diverged) {
            self.write(seed, model.as_ref(), record, &folder.last())?;
        }
        folder.finish(config, &ended)?;
        Ok(Some(ended))
    }

    /// Writes the network after an epoch, with what is known of its training.
    fn write(&self, seed: u64, model: &dyn Model, record: &EpochRecord, path: &Path) -> Result<(), CliError> {
        let Settings { entry, batch_size, augmentation, precision, .. } = *self.settings;
        let Parts { classes, train, held_out, test, trained_on } = self.parts;
        let mut tuning = Tuning {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            start: Some("scratch".to_owned()),
            loss: Some("cross_entropy".to_owned()),
            batch_size: Some(batch_size as u64),
            seed: Some(seed),
            train_images: Some(train.len() as u64),
            held_out_images: Some(held_out.len() as u64).filter(|count| *count > 0),
            test_images: Some(test.len() as u64),
            precision: precision.is_reduced().then(|| precision.name().to_owned()),
            kept: Some(KeptNetwork { phase: 0, epoch: record.epoch, training_loss: Some(record.train_loss) }),
            top1: Some(record.test.top1),
            ..Tuning::default()
        };
        course::describe(&mut tuning, FreezePolicy::ALL, &self.settings.fit(seed), augmentation);
        let groups = groups(model.net()).map_err(|source| self.failed(source))?;
        let frozen = FrozenState::of(&groups, std::slice::from_ref(&groups)).to_json();
        let (preprocessing, tuning) = (self.preprocessing.to_string(), tuning.to_json());
        let notes = Notes {
            preprocessing: Some(&preprocessing),
            labels: Some(classes),
            trained_on: Some(trained_on),
            tuning: Some(&tuning),
            frozen: Some(&frozen),
        };
        Ok(write_model(model, entry, path, Source::Native, &notes)?.finish()?)
    }
}

/// Keeps a training under way in its folder.
struct Keeper<'a> {
    session: &'a Session<'a>,
    seed: u64,
    config: &'a Config,
    folder: &'a Folder,
    events: Option<Events>,
    /// The moment of the last checkpoint.
    saved: Instant,
}

impl Keeper<'_> {
    /// Takes in a step or an epoch. The files of an epoch are written before its checkpoint, so that a training that
    /// goes on from that has them.
    fn note(&mut self, moment: Moment<'_>) -> Result<(), CliError> {
        let Moment { model, state, last } = moment;
        if let (0, Some(record)) = (state.steps, state.epochs.last()) {
            curves::write_csv(self.folder, &state.epochs)?;
            if let Some(events) = &mut self.events {
                events.add(record)?;
            }
            if best(&state.epochs).is_some_and(|best| best.epoch == record.epoch) {
                self.write_best(model, state, record)?;
            }
        }
        if last || self.saved.elapsed() >= self.session.every {
            let metadata = [(CONFIG.to_owned(), self.config.to_json().to_string())];
            state.save(model, &self.folder.checkpoint(), metadata)?;
            self.saved = Instant::now();
        }
        Ok(())
    }

    /// Writes the network that the last evaluation was of: where there is a moving average, that.
    fn write_best(&self, model: &dyn Model, state: &FitState, record: &EpochRecord) -> Result<(), CliError> {
        let (session, path) = (self.session, self.folder.best());
        if session.settings.fit(self.seed).average.is_none() {
            return session.write(self.seed, model, record, &path);
        }
        // Its values are all overwritten, and nothing is computed with it.
        let mut averaged = session.unfilled()?;
        Snapshot::of(model).map_err(|source| session.failed(source))?.restore(averaged.as_mut())?;
        state.put_average_into(averaged.as_mut()).map_err(|source| session.failed(source))?;
        session.write(self.seed, averaged.as_ref(), record, &path)
    }
}

/// The epoch with the best accuracy on held-out images, the earliest of several; `None` without such images.
pub fn best(epochs: &[EpochRecord]) -> Option<&EpochRecord> {
    // An epoch in which the loss was not finite may have ruined the network.
    let measured = epochs.iter().filter(|epoch| epoch.validation.images > 0 && epoch.train_loss.is_finite());
    measured.rev().max_by(|left, right| left.validation.top1.total_cmp(&right.validation.top1))
}
