//! Trainings that are kept in a folder, one for each seed: as `zoo train` and `zoo finetune --runs` do them.

pub mod config;
mod curves;
pub mod epochs;
mod events;
pub mod folder;
pub mod keeper;
pub mod summary;

use std::path::Path;

use pvlu_zoo::text;

use self::config::Config;
use self::epochs::Ended;
use self::events::Events;
use self::folder::{Earlier, Folder};
use crate::common::error::CliError;
use crate::common::lock;
use crate::common::progress::Progress;

/// Name of the summary's file.
const SUMMARY: &str = "summary.csv";

/// The trainings that a command asks for.
pub struct Request<'a> {
    /// The output folder, with a folder in it for each seed.
    pub out: &'a Path,
    /// The option that names the output folder.
    pub option: &'static str,
    pub seeds: &'a [u64],
    /// True to go on with trainings that are there.
    pub resume: bool,
    /// True to begin anew where trainings are there.
    pub fresh: bool,
    /// True if event files for TensorBoard are written.
    pub logs_events: bool,
    pub progress: &'a Progress,
}

/// Trainings of which one can be done for each seed.
pub trait Trainings {
    /// The configuration of the training with a seed.
    fn config(&self, seed: u64) -> Config;

    /// Does a training, or the rest of one, and writes its record. `None` if it was interrupted, after a checkpoint of
    /// that moment was written.
    fn perform(&self, run: (u64, &Config, &Folder), earlier: &Earlier) -> Result<Option<Ended>, CliError>;
}

impl Request<'_> {
    /// The error for a command that was interrupted, whose trainings go on in its folder if something is kept there.
    pub fn interrupted(&self) -> CliError {
        if self.seeds.iter().any(|seed| Folder::of(self.out, *seed).keeps()) {
            CliError::TrainingInterrupted { out: self.out.to_owned() }
        } else {
            CliError::Stopped
        }
    }

    /// Does the trainings one after another, and writes their summary, with those in the folder of other seeds and the
    /// same settings. `plan` is noted once nothing speaks against them.
    pub fn perform(&self, trainings: &dyn Trainings, plan: &str) -> Result<Vec<(u64, Ended)>, CliError> {
        let lock = lock::hold(&[self.out]).map_err(|error| match error {
            CliError::InUse { folder, .. } => CliError::InUse { folder, option: self.option },
            error => error,
        })?;
        let mut planned = Vec::new();
        for &seed in self.seeds {
            let (config, folder) = (trainings.config(seed), Folder::of(self.out, seed));
            // All are looked at before anything is trained or removed.
            let earlier = folder.earlier(&config, self.resume, self.fresh)?;
            planned.push((seed, config, folder, earlier));
        }
        self.progress.note(&format!("{}: {plan}", text::path(self.out)));
        // All are made ready before the first is trained: nothing of earlier settings is left if this is interrupted.
        planned.iter().try_for_each(|(_, config, folder, earlier)| folder.prepare(config, earlier))?;
        let path = self.out.join(SUMMARY);
        if planned.iter().any(|(.., earlier)| matches!(earlier, Earlier::Nothing)) {
            folder::remove(&path)?;
        }
        let ended = self.all(trainings, planned);
        self.progress.finish();
        let ended = ended?.ok_or_else(|| self.interrupted())?;
        let mut rows = ended.clone();
        rows.extend(self.others(trainings)?);
        rows.sort_by_key(|(seed, _)| *seed);
        summary::write(&path, &rows)?;
        drop(lock);
        Ok(ended)
    }

    /// Does the trainings one after another; `None` if interrupted.
    fn all(
        &self,
        trainings: &dyn Trainings,
        planned: Vec<(u64, Config, Folder, Earlier)>,
    ) -> Result<Option<Vec<(u64, Ended)>>, CliError> {
        let mut ended = Vec::new();
        for (seed, config, folder, earlier) in planned {
            let done = match earlier {
                Earlier::Finished(done) => {
                    let how = if done.diverged { "ended before, its loss was not finite" } else { "is finished" };
                    self.progress.note(&format!("{}: {how}", text::path(folder.path())));
                    if self.logs_events {
                        Events::begin(folder.events(), &done.epochs)?;
                    }
                    Some(done)
                }
                earlier => trainings.perform((seed, &config, &folder), &earlier).inspect_err(|_| {
                    if folder.checkpoint().exists() {
                        let kept = text::path(&folder.checkpoint()).to_string();
                        self.progress.say(&format!("note: the training was kept in {kept}: --resume goes on"));
                    }
                })?,
            };
            let Some(done) = done else { return Ok(None) };
            ended.push((seed, done));
        }
        Ok(Some(ended))
    }

    /// Trainings in the output folder of other seeds than those of this command, and of the same settings. A record
    /// that cannot be read is left out with a warning, for the trainings of this command do not depend on it.
    fn others(&self, trainings: &dyn Trainings) -> Result<Vec<(u64, Ended)>, CliError> {
        let mut found = Vec::new();
        for seed in folder::seeds(self.out)?.into_iter().filter(|seed| !self.seeds.contains(seed)) {
            match Folder::of(self.out, seed).ended(&trainings.config(seed)) {
                Ok(Some(ended)) => found.push((seed, ended)),
                Ok(None) | Err(CliError::OtherTraining { .. }) => {}
                Err(error) => self.progress.say(&format!("warning: {error}: left out of {SUMMARY}")),
            }
        }
        Ok(found)
    }
}

/// The error of a command of which trainings diverged, after their results were printed.
pub fn check_finite(ended: &[(u64, Ended)]) -> Result<(), CliError> {
    let diverged = ended.iter().filter(|(_, ended)| ended.diverged);
    let diverged: Vec<String> = diverged.map(|(seed, _)| format!("seed {seed}")).collect();
    if diverged.is_empty() { Ok(()) } else { Err(CliError::Diverged { run: diverged.join(", ") }) }
}
