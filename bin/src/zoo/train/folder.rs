//! The folder of one training: its files, and what an earlier command left of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pvlu_zoo::train::{EpochRecord, SavedFit};
use serde_json::{Value, json};

use super::events;
use super::settings::Config;
use crate::common::error::CliError;
use crate::common::output::{json_text, prepare_folder, write_atomically};

/// Key of a checkpoint's metadata, and of the record's, that holds the configuration.
pub const CONFIG: &str = "pvlu_zoo.config";

/// Beginning of the name of a training's folder, before its seed.
const SEED: &str = "seed-";

/// The files of a training, by name.
const CHECKPOINT: &str = "checkpoint.safetensors";
const RECORD: &str = "run.json";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const EPOCHS: &str = "epochs.csv";
const CURVES: [&str; 2] = ["curves.svg", "curves.png"];
const EVENTS: &str = "tensorboard";

/// The end of a training.
#[derive(Clone, Debug)]
pub struct Ended {
    pub epochs: Vec<EpochRecord>,
    /// True if the loss was no finite number any more.
    pub diverged: bool,
}

/// The rest of an earlier command of the same training.
pub enum Earlier {
    Nothing,
    /// A checkpoint, from which the training goes on.
    Begun(Box<SavedFit>),
    Finished(Ended),
}

/// The folder of a training.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of the training with a seed in the output folder of a command.
    pub fn of(out: &Path, seed: u64) -> Self {
        Self(out.join(format!("{SEED}{seed}")))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join(CHECKPOINT)
    }
    pub fn best(&self) -> PathBuf {
        self.0.join(BEST)
    }
    pub fn last(&self) -> PathBuf {
        self.0.join(LAST)
    }
    pub fn epochs(&self) -> PathBuf {
        self.0.join(EPOCHS)
    }
    pub fn curves(&self) -> [PathBuf; 2] {
        CURVES.map(|name| self.0.join(name))
    }
    pub fn events(&self) -> PathBuf {
        self.0.join(EVENTS)
    }

    /// Makes sure that the folder may be used, before anything is trained, and finds what is there of the training.
    /// Nothing is changed.
    ///
    /// # Errors
    ///
    /// A training that is there unless the user goes on or begins anew, one of another configuration that was to go on,
    /// and files that are damaged.
    pub fn earlier(&self, config: &Config, resume: bool, fresh: bool) -> Result<Earlier, CliError> {
        let is_there = |name: &str| self.0.join(name).symlink_metadata().is_ok();
        if fresh || ![CHECKPOINT, RECORD, BEST, LAST, EPOCHS].into_iter().any(is_there) {
            return Ok(Earlier::Nothing);
        }
        if !resume {
            let folder = pvlu_zoo::text::path(&self.0).to_string();
            let message = format!("{folder}: has a training: --resume goes on with it, --fresh begins anew");
            return Err(CliError::Usage(message));
        }
        if let Some(ended) = self.ended(config)? {
            return Ok(Earlier::Finished(ended));
        }
        let path = self.checkpoint();
        if !path.exists() {
            return Ok(Earlier::Nothing);
        }
        let kept = SavedFit::open(&path)?;
        let text = kept.metadata().get(CONFIG).and_then(|text| serde_json::from_str(text).ok());
        same(&path, config, text.as_ref())?;
        Ok(Earlier::Begun(Box::new(kept)))
    }

    /// The record of the training, if it is finished.
    pub fn ended(&self, config: &Config) -> Result<Option<Ended>, CliError> {
        let path = self.0.join(RECORD);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| CliError::Read { path: path.clone(), source })?,
        };
        let json: Option<Value> = serde_json::from_str(&text).ok();
        same(&path, config, json.as_ref().and_then(|json| json.get(CONFIG)))?;
        let wrong = || CliError::Damaged { path: path.clone(), what: "expected the record of a training".to_owned() };
        let json = json.ok_or_else(wrong)?;
        let epochs = json["epochs"].as_array().ok_or_else(wrong)?;
        let epochs = epochs.iter().map(EpochRecord::of_json).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        let diverged = json["diverged"].as_bool().ok_or_else(wrong)?;
        Ok(Some(Ended { epochs, diverged }))
    }

    /// Makes the folder ready to write in. Where nothing of the training counts, files of an earlier one are removed.
    pub fn prepare(&self, earlier: &Earlier) -> Result<(), CliError> {
        prepare_folder(&self.0)?;
        let stale: &[&str] = match earlier {
            Earlier::Nothing => &[RECORD, CHECKPOINT, BEST, LAST, EPOCHS, CURVES[0], CURVES[1]],
            Earlier::Begun(_) => &[],
            // A command that was killed between writing the record and removing the checkpoint leaves that.
            Earlier::Finished(_) => &[CHECKPOINT],
        };
        if matches!(earlier, Earlier::Nothing) {
            events::clear(&self.events())?;
        }
        stale.iter().try_for_each(|name| remove(&self.0.join(name)))
    }

    /// Writes the record of a finished training, and removes its checkpoint.
    pub fn finish(&self, config: &Config, ended: &Ended) -> Result<(), CliError> {
        let epochs: Vec<Value> = ended.epochs.iter().map(EpochRecord::to_json).collect();
        let record = json!({ CONFIG: config.to_json(), "diverged": ended.diverged, "epochs": epochs });
        write_atomically(&self.0.join(RECORD), json_text(&record).as_bytes())?;
        remove(&self.checkpoint())
    }
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> Result<(), CliError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(CliError::Write { path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

/// Seeds of the trainings in the output folder of a command.
pub fn seeds(out: &Path) -> Result<Vec<u64>, CliError> {
    let failed = |source| CliError::Read { path: out.to_owned(), source };
    let mut seeds = Vec::new();
    for entry in fs::read_dir(out).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let seed = name.to_str().and_then(|name| name.strip_prefix(SEED)).and_then(|seed| seed.parse::<u64>().ok());
        seeds.extend(seed.filter(|seed| name == format!("{SEED}{seed}").as_str()));
    }
    Ok(seeds)
}

/// Makes sure that a file is of the training that this command would do.
fn same(path: &Path, config: &Config, kept: Option<&Value>) -> Result<(), CliError> {
    let what = "expected the configuration of a training".to_owned();
    let kept = kept.and_then(Config::of_json).ok_or_else(|| CliError::Damaged { path: path.to_owned(), what })?;
    match config.difference(&kept) {
        None => Ok(()),
        Some(difference) => Err(CliError::OtherTraining { path: path.to_owned(), difference }),
    }
}
