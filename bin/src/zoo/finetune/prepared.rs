//! Everything that a tuning needs, checked before any work is done.

use std::num::NonZeroUsize;
use std::path::Path;

use pvlu_zoo::checkpoint::{Description, Notes, write_model};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::ModelEntry;
use pvlu_zoo::weights::{Source, Writer};

use super::pretrained::{Pretrained, check_train};
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::memory::check_batch;
use crate::common::progress::Progress;
use crate::common::readable::readable;
use crate::zoo::args::FinetuneArgs;
use crate::zoo::classes::Order;
use crate::zoo::course::Texts;
use crate::zoo::data::TuningSet;
use crate::zoo::trained_on::{Purpose, TrainedOn};
use crate::zoo::training::check_sides;
use crate::zoo::tune::{Parts, Session};

/// A tuning that can begin.
pub struct Prepared<'a> {
    /// The model before the tuning, frozen as in the second phase.
    pub model: Box<dyn Model>,
    pub session: Session<'a>,
    pub files: Files,
    /// Names of the classes of the set, in label order.
    pub classes: Vec<String>,
    /// Naming of the tensors in the file before the tuning.
    pub naming: Source,
}

impl<'a> Prepared<'a> {
    /// Opens the model, checks the settings and looks at the images of a set.
    pub fn of(
        args: &FinetuneArgs,
        pretrained: &Pretrained<'_>,
        set: TuningSet,
        progress: &'a Progress,
    ) -> Result<Self, CliError> {
        let Pretrained { file, data, settings } = *pretrained;
        let weights = &file.path;
        let mut opened = pretrained.open(&set.classes)?;
        let name = opened.entry.name;
        check_train(settings, weights, &mut opened)?;
        let order = Order::of((&data.path, &set.classes), &opened, weights, true)?;
        let preprocessing = data.preprocessing(&opened, weights)?;
        settings.late_changes().iter().for_each(|line| progress.note(line));
        set.warnings.iter().for_each(|warning| progress.note(&format!("warning: {warning}")));
        order.warning.iter().chain(&data.choice(&opened, weights)).for_each(|line| progress.note(line));
        progress.note(&format!("{name}: {}", opened.report));

        let part = |images: Images, limit: Option<NonZeroUsize>, what: &str| {
            let images = order.labeled(images)?.limit(limit.map_or(usize::MAX, usize::from));
            // Where nothing is trained, those to measure with are read at once, and the others never.
            if settings.trains() { readable(images, args.skip_unreadable, what, progress) } else { Ok(images) }
        };
        let (train, test) = ("to train on", "to measure with");
        let (all, test_images) = (part(set.train, args.limit_train, train)?, part(set.test, args.limit_test, test)?);
        let [train_images, held_out] = all.held_out(args.held_out)?;
        let parts =
            [(&train_images, train, true), (&held_out, "to hold out", args.held_out > 0.0), (&test_images, test, true)];
        for (images, part, is_wanted) in parts {
            if is_wanted && images.is_empty() {
                let data = data.dataset.name();
                return Err(CliError::TooFewImages { data, part, train: all.len(), test: test_images.len() });
            }
        }
        check_sides(settings.augmentation(preprocessing), opened.model.image())?;
        settings.fit(settings.policy, settings.epochs).check()?;
        // The model is frozen as in the second phase here. Training the head before it keeps less in memory.
        let at_once = |images: &Images| images.len().min(settings.batch_size);
        let model = opened.model;
        let most = [&train_images, &held_out, &test_images].into_iter().map(at_once).max().unwrap_or_default();
        check_batch(model.as_ref(), most, None, "--batch-size")?;
        let shards = (!settings.trains_nothing).then_some(args.training.shards);
        check_batch(model.as_ref(), at_once(&train_images), shards, "--batch-size")?;
        let mut trained_on = TrainedOn::of_text(opened.description.trained_on.as_deref(), weights)?;
        let warnings = trained_on.warnings(&held_out, weights, Purpose::HeldOut);
        let of_test = trained_on.warnings(&test_images, weights, Purpose::Evaluated);
        warnings.iter().chain(&of_test).for_each(|warning| progress.note(warning));
        if settings.head_epochs > 0 || !settings.trains_nothing {
            trained_on = trained_on.and(set.origin, &train_images);
        }
        let files = Files {
            entry: opened.entry,
            preprocessing: preprocessing.to_string(),
            names: order.names,
            trained_on: (!trained_on.is_empty()).then(|| trained_on.to_text()),
            said: opened.description,
        };
        let images = Parts { train: train_images, held_out, test: test_images };
        let session = Session { settings: settings.clone(), name, images, preprocessing, progress };
        Ok(Self { model, session, files, classes: set.classes, naming: opened.report.source })
    }
}

/// All that the files of tuned networks say beside the course of their tuning.
pub struct Files {
    pub entry: &'static ModelEntry,
    preprocessing: String,
    /// Names of the model's outputs.
    names: Vec<String>,
    trained_on: Option<String>,
    /// Description that the file before the tuning gives of its model.
    pub said: Description,
}

impl Files {
    /// Writes a network, with the texts of its tuning if it had any phase.
    pub fn write(&self, model: &dyn Model, path: &Path, texts: Option<&Texts>) -> Result<Writer, CliError> {
        let (preprocessing, labels) = (Some(self.preprocessing.as_str()), Some(&self.names[..]));
        // Where nothing was trained, the record of an earlier tuning still holds.
        let (tuning, frozen) = match texts {
            Some(Texts { tuning, frozen }) => (Some(tuning.as_str()), Some(frozen.as_str())),
            // Of a network with another activation nothing is on record.
            None if model.activation() != self.said.activation.as_deref() => (None, None),
            None => (self.said.tuning.as_deref(), self.said.frozen.as_deref()),
        };
        let notes = Notes { preprocessing, labels, trained_on: self.trained_on.as_deref(), tuning, frozen };
        Ok(write_model(model, self.entry, path, Source::Native, &notes)?)
    }
}
