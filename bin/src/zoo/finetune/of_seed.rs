//! The tuning with one seed, phase by phase, as its folder keeps it.

use std::path::Path;

use pvlu::activation::{Activation, Relu};
use pvlu_zoo::checkpoint::KeptNetwork;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{Options, Start};
use pvlu_zoo::train::SavedFit;
use pvlu_zoo::transfer;

use super::prepared::Files;
use crate::common::error::CliError;
use crate::zoo::course::Course;
use crate::zoo::seeds::config::Config;
use crate::zoo::seeds::epochs::{Ended, Epoch, PhaseName};
use crate::zoo::seeds::folder::{Begun, Folder, Stage};
use crate::zoo::seeds::keeper::{Keeping, Networks, Phase};
use crate::zoo::tune::{Plan, Session};

/// The tuning with one seed.
pub struct OfSeed<'a> {
    pub session: Session<'a>,
    pub files: &'a Files,
    pub keeping: Keeping<'a>,
    pub config: &'a Config,
    pub folder: &'a Folder,
    /// Name of the tuning in its figure.
    pub title: String,
    /// The phases so far.
    pub course: Course,
}

impl OfSeed<'_> {
    /// Tunes the pretrained model, from a checkpoint on if there is one, and writes its files. `None` if it was
    /// interrupted: after a checkpoint of that moment, or between the phases, of which the first has left one.
    pub fn perform(mut self, mut model: Box<dyn Model>, begun: Option<&Begun>) -> Result<Option<Ended>, CliError> {
        let of_tune = begun.filter(|begun| begun.stage.phase == PhaseName::Tune);
        let mut stage = Stage { phase: PhaseName::Tune, earlier: Vec::new(), before: None };
        if let Some(head) = self.session.head() {
            self.session.begin(model.as_mut(), &head, &mut self.course)?;
            if of_tune.is_none() {
                let kept = begun.map(|begun| &begun.kept);
                let first = Stage { phase: PhaseName::Head, ..stage.clone() };
                let Some(ended) = self.train(model.as_mut(), &head, first, kept)? else { return Ok(None) };
                if ended.diverged || self.session.tune().is_none() {
                    return self.finish(model.as_ref(), ended);
                }
                stage.earlier = ended.epochs;
            }
        }
        let Some(tune) = self.session.tune() else { return Ok(None) };
        if let Some(activation) = self.session.settings.activation.filter(|to| Some(to.text()) != model.activation()) {
            model = model.swap_activation(activation)?;
        }
        if let Some(begun) = of_tune {
            stage = begun.stage.clone();
        } else {
            stage.before = self.session.measure(model.as_mut(), &mut None)?;
        }
        let Some(before) = stage.before else { return Ok(None) };
        self.course.measured_before(before);
        let groups = self.session.begin(model.as_mut(), &tune, &mut self.course)?;
        self.keeping.progress.note(&transfer::table(&groups));
        let kept = of_tune.map(|begun| &begun.kept);
        let Some(ended) = self.train(model.as_mut(), &tune, stage, kept)? else { return Ok(None) };
        self.finish(model.as_ref(), ended)
    }

    /// Trains a phase, or the rest of one.
    fn train(
        &self,
        model: &mut dyn Model,
        plan: &Plan,
        stage: Stage,
        kept: Option<&SavedFit>,
    ) -> Result<Option<Ended>, CliError> {
        let phase = Phase {
            keeping: self.keeping,
            title: &self.title,
            run: &format!("{} seed {}", self.session.run(plan), self.session.settings.seed),
            model: self.session.name,
            seed: self.session.settings.seed,
            fit: &plan.fit,
            splits: &self.session.splits(true)?,
            config: self.config,
            folder: self.folder,
            stage,
            networks: &OfTuning::new(self, model),
        };
        phase.train(model, kept)
    }

    /// Writes the network after the last epoch, unless it is ruined, and the record.
    fn finish(&self, model: &dyn Model, ended: Ended) -> Result<Option<Ended>, CliError> {
        if let Some(epoch) = ended.last() {
            OfTuning::new(self, model).write(model, epoch, &self.folder.last())?;
        }
        self.folder.finish(self.config, &ended)?;
        Ok(Some(ended))
    }
}

/// The networks of a tuning in the phase that was begun last.
struct OfTuning<'a> {
    of: &'a OfSeed<'a>,
    activation: Option<&'static str>,
    classes: usize,
    image: (usize, usize),
}

impl<'a> OfTuning<'a> {
    fn new(of: &'a OfSeed<'a>, model: &dyn Model) -> Self {
        Self { of, activation: model.activation(), classes: model.classes(), image: model.image() }
    }
}

impl Networks for OfTuning<'_> {
    fn write(&self, model: &dyn Model, epoch: &Epoch, path: &Path) -> Result<(), CliError> {
        let (OfSeed { session, files, course, .. }, record) = (self.of, &epoch.record);
        let training_loss = Some(record.train_loss);
        let kept = KeptNetwork { phase: course.phase(), epoch: record.epoch, training_loss };
        let mut course = course.clone();
        course.measured_after(record.test.top1);
        let texts = course.texts(model, Some(kept)).map_err(|source| session.failed(source))?;
        Ok(files.write(model, path, texts.as_ref())?.finish()?)
    }

    fn blank(&self) -> Result<Box<dyn Model>, CliError> {
        let (activation, classes) = (self.activation.unwrap_or(Relu::NAME), self.classes);
        let options = Options { activation, classes, image: Some(self.image), weights: Start::Unfilled };
        Ok(self.of.files.entry.build(&options)?)
    }
}
