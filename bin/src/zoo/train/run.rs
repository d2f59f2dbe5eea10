//! One training from scratch, with its checkpoints and the best network.

use std::path::Path;

use pvlu_zoo::checkpoint::{FrozenState, KeptNetwork, Notes, Tuning, write_model};
use pvlu_zoo::data::{Batches, LoaderConfig};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{Options, Start};
use pvlu_zoo::train::Splits;
use pvlu_zoo::transfer::{FreezePolicy, groups};
use pvlu_zoo::weights::Source;

use super::images::Parts;
use super::settings::Settings;
use crate::common::device::{self, placed};
use crate::common::error::CliError;
use crate::common::memory::check_batch;
use crate::zoo::course;
use crate::zoo::seeds::Trainings;
use crate::zoo::seeds::config::Config;
use crate::zoo::seeds::epochs::{Ended, Epoch};
use crate::zoo::seeds::folder::{Earlier, Folder, Stage};
use crate::zoo::seeds::keeper::{self, Keeping, Phase};
use crate::zoo::training::check_sides;

/// Settings and images that the trainings of all seeds share.
pub struct Session<'a> {
    pub settings: &'a Settings,
    pub parts: &'a Parts,
    pub preprocessing: Preprocessing,
    /// Height and width of the images; `None` for the model's own.
    pub image: Option<(usize, usize)>,
    /// Name of the data set, and the digest of its images.
    pub data: (&'a str, &'a str),
    pub keeping: Keeping<'a>,
}

impl Trainings for Session<'_> {
    fn config(&self, seed: u64) -> Config {
        let (name, digest) = self.data;
        let Parts { classes, train, held_out, test, .. } = self.parts;
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
        Config::of(self.settings.texts().into_iter().chain(of_data))
    }

    fn perform(
        &self,
        (seed, config, folder): (u64, &Config, &Folder),
        earlier: &Earlier,
    ) -> Result<Option<Ended>, CliError> {
        let model = self.settings.entry.name;
        let title = format!("{model} {} seed {seed}", self.settings.activation.name());
        let phase = Phase {
            keeping: self.keeping,
            title: &title,
            run: &title,
            model,
            seed,
            fit: &self.settings.fit(seed),
            splits: &self.splits(seed)?,
            config,
            folder,
            stage: Stage::WHOLE,
            networks: &Networks { session: self, seed },
        };
        let kept = match earlier {
            Earlier::Begun(begun) => Some(&begun.kept),
            _ => None,
        };
        let mut model = self.build(seed)?;
        let Some(ended) = phase.train(model.as_mut(), kept)? else { return Ok(None) };
        if let Some(epoch) = ended.last() {
            phase.networks.write(model.as_ref(), epoch, &folder.last())?;
        }
        folder.finish(config, &ended)?;
        Ok(Some(ended))
    }
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

    /// Makes sure, before anything is written or removed, that a training can begin.
    pub fn check(&self, seed: u64) -> Result<(), CliError> {
        let model = self.build(seed)?;
        check_sides(self.settings.augmentation, model.image())?;
        let train = self.parts.train.len().min(self.settings.batch_size);
        check_batch(model.as_ref(), train, Some(self.settings.fit(seed).shards), "--batch-size")?;
        self.settings.fit(seed).check()?;
        self.splits(seed).map(drop)
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
}

/// The networks of the training with a seed.
struct Networks<'a> {
    session: &'a Session<'a>,
    seed: u64,
}

impl keeper::Networks for Networks<'_> {
    fn write(&self, model: &dyn Model, epoch: &Epoch, path: &Path) -> Result<(), CliError> {
        let Self { session, seed } = *self;
        let Settings { entry, batch_size, augmentation, precision, .. } = *session.settings;
        let Parts { classes, train, held_out, test, trained_on } = session.parts;
        let record = &epoch.record;
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
        course::describe(&mut tuning, FreezePolicy::ALL, &session.settings.fit(seed), augmentation);
        let groups = groups(model.net()).map_err(|source| session.failed(source))?;
        let frozen = FrozenState::of(&groups, std::slice::from_ref(&groups)).to_json();
        let (preprocessing, tuning) = (session.preprocessing.to_string(), tuning.to_json());
        let notes = Notes {
            preprocessing: Some(&preprocessing),
            labels: Some(classes),
            trained_on: Some(trained_on),
            tuning: Some(&tuning),
            frozen: Some(&frozen),
        };
        Ok(write_model(model, entry, path, Source::Native, &notes)?.finish()?)
    }

    fn blank(&self) -> Result<Box<dyn Model>, CliError> {
        let Settings { entry, activation, .. } = self.session.settings;
        let (activation, classes) = (activation.text(), self.session.parts.classes.len());
        let options = Options { activation, classes, image: self.session.image, weights: Start::Unfilled };
        let mut model = entry.build(&options)?;
        FreezePolicy::ALL.try_apply(model.net_mut())?;
        Ok(model)
    }
}
