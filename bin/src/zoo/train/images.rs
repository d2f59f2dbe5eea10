//! The images of a training: those that it trains on, those held out and those to test on.

use std::num::NonZeroUsize;

use pvlu_zoo::image::Preprocessing;

use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::progress::Progress;
use crate::common::readable::readable;
use crate::zoo::args::TrainArgs;
use crate::zoo::data::Data;
use crate::zoo::trained_on::TrainedOn;

/// The images of a training.
#[derive(Debug)]
pub struct Parts {
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    pub train: Images,
    /// Images that the best epoch is picked by; none if no share is held out.
    pub held_out: Images,
    pub test: Images,
    /// The record of the training images for the files of networks.
    pub trained_on: String,
}

impl Parts {
    /// Opens the images that the options name, and reads all image files once, so that one that cannot be read is
    /// found before the first step.
    pub fn open(args: &TrainArgs, data: &Data, progress: &Progress) -> Result<Self, CliError> {
        let set = data.open_to_tune()?;
        set.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
        let limit = |images: Images, limit: Option<NonZeroUsize>| images.limit(limit.map_or(usize::MAX, usize::from));
        let (all, test) = (limit(set.train, args.limit_train), limit(set.test, args.limit_test));
        let all = readable(all, args.skip_unreadable, "to train on", progress)?;
        let test = readable(test, args.skip_unreadable, "to test on", progress)?;
        let [train, held_out] = all.held_out(args.held_out)?;
        let too_few =
            |part| CliError::TooFewImages { data: data.dataset.name(), part, train: all.len(), test: test.len() };
        let parts = [
            (&train, "to train on", true),
            (&held_out, "to hold out", args.held_out > 0.0),
            (&test, "to test on", true),
        ];
        for (images, part, is_wanted) in parts {
            if is_wanted && images.is_empty() {
                return Err(too_few(part));
            }
        }
        let trained_on = TrainedOn::default().and(set.origin, &train).to_text();
        Ok(Self { classes: set.classes, train, held_out, test, trained_on })
    }

    /// The preprocessing of the images for a network of this input: CIFAR's usual normalization, that of ImageNet for
    /// a folder, and of another set that of its own training images; or the one that the user gave.
    pub fn preprocessing(&self, data: &Data, input: (usize, usize)) -> Result<Preprocessing, CliError> {
        let usual = match (&self.train, data.dataset.name()) {
            (Images::Files(_), _) => Preprocessing::TORCHVISION,
            (_, "cifar10") => Preprocessing::CIFAR10,
            (_, "cifar100") => Preprocessing::CIFAR100,
            (Images::Memory(_), _) => Preprocessing::small(self.train.normalization()?),
        };
        data.fitted(usual, input)
    }

    /// SHA-256 of all images and labels.
    pub fn digest(&self) -> Result<String, CliError> {
        Images::hash(&[&self.train, &self.held_out, &self.test])
    }
}
