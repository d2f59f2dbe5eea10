//! The folder of one training: its files, and what an earlier command left of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pvlu_zoo::train::SavedFit;
use serde_json::{Value, json};

use super::config::Config;
use super::epochs::{Ended, Epoch, PhaseName};
use super::events;
use crate::common::error::CliError;
use crate::common::output::{json_text, prepare_folder, write_atomically};

/// Key of a checkpoint's metadata, and of the files beside it, that holds the configuration.
const CONFIG: &str = "pvlu_zoo.config";

/// Key of a checkpoint's metadata that holds the phase that it is of, and the phases before.
const PHASE: &str = "pvlu_zoo.phase";

/// Beginning of the name of a training's folder, before its seed.
const SEED: &str = "seed-";

/// Name of the best network's file.
pub const BEST: &str = "best.safetensors";

/// The other files of a training, by name.
const CHECKPOINT: &str = "checkpoint.safetensors";
const RECORD: &str = "run.json";
/// It says of which training a folder is before there is a checkpoint.
const BEGUN: &str = "config.json";
const LAST: &str = "last.safetensors";
const EPOCHS: &str = "epochs.csv";
const CURVES: [&str; 2] = ["curves.svg", "curves.png"];
const EVENTS: &str = "tensorboard";

/// The place of a training in its phases.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The phase that is under way.
    pub phase: PhaseName,
    /// The epochs of the phases before.
    pub earlier: Vec<Epoch>,
    /// Test accuracy before the phase [`PhaseName::Tune`], where that is under way.
    pub before: Option<f64>,
}

impl Stage {
    /// The only phase of a training from scratch.
    pub const WHOLE: Self = Self { phase: PhaseName::Whole, earlier: Vec::new(), before: None };

    /// Metadata of a checkpoint in this phase.
    pub fn metadata(&self, config: &Config) -> Vec<(String, String)> {
        let mut texts = vec![(CONFIG.to_owned(), config.to_json().to_string())];
        if let Some(phase) = self.phase.text() {
            let earlier: Vec<Value> = self.earlier.iter().map(|epoch| epoch.to_json()).collect();
            let stage = json!({ "phase": phase, "epochs": earlier, "before": number(self.before) });
            texts.push((PHASE.to_owned(), stage.to_string()));
        }
        texts
    }

    /// The place that the metadata of a checkpoint tell; `None` if they are not as [`metadata`](Self::metadata) makes
    /// them.
    fn of_metadata(text: Option<&String>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::WHOLE) };
        let json: Value = serde_json::from_str(text).ok()?;
        Some(Self {
            phase: PhaseName::of_text(Some(json["phase"].as_str()?))?,
            earlier: Epoch::all_of_json(&json["epochs"])?,
            before: number_of(&json["before"])?,
        })
    }
}

/// A number that may be missing, as text, because JSON has no NaN.
fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| value.to_string().into())
}

/// The number that [`number`] wrote; `None` for anything else.
fn number_of(value: &Value) -> Option<Option<f64>> {
    match value {
        Value::Null => Some(None),
        value => value.as_str()?.parse().ok().map(Some),
    }
}

/// A training that was kept before its end.
pub struct Begun {
    pub kept: SavedFit,
    pub stage: Stage,
}

/// The rest of an earlier command of the same training.
pub enum Earlier {
    Nothing,
    /// A checkpoint, from which the training goes on.
    Begun(Box<Begun>),
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
        let is_there = |name: &&str| self.0.join(name).symlink_metadata().is_ok();
        let found = [CHECKPOINT, RECORD, BEST, LAST, EPOCHS].into_iter().find(is_there);
        if fresh || (found.is_none() && !(resume && is_there(&BEGUN))) {
            return Ok(Earlier::Nothing);
        }
        let folder = pvlu_zoo::text::path(&self.0);
        if !resume {
            let message = format!("{folder}: has a training: --resume goes on with it, --fresh begins anew");
            return Err(CliError::Usage(message));
        }
        if let Some(ended) = self.ended(config)? {
            return Ok(Earlier::Finished(ended));
        }
        let path = self.checkpoint();
        if !path.exists() {
            // A command that was killed before its first checkpoint leaves nothing to go on from.
            return match (self.read(BEGUN, config)?, found) {
                (None, Some(found)) => Err(CliError::Usage(format!(
                    "{folder}: has {found}, but neither {CHECKPOINT} nor {RECORD}, which would say of which training: \
                     choose another folder, or begin anew with --fresh"
                ))),
                _ => Ok(Earlier::Nothing),
            };
        }
        let kept = SavedFit::open(&path)?;
        let text = kept.metadata().get(CONFIG).and_then(|text| serde_json::from_str(text).ok());
        same(&path, config, text.as_ref())?;
        let what = "expected the phases of a training".to_owned();
        let stage = Stage::of_metadata(kept.metadata().get(PHASE)).ok_or(CliError::Damaged { path, what })?;
        Ok(Earlier::Begun(Box::new(Begun { kept, stage })))
    }

    /// True if there is something of the training that `--resume` would find.
    pub fn keeps(&self) -> bool {
        [CHECKPOINT, RECORD].into_iter().any(|name| self.0.join(name).exists())
    }

    /// The JSON file of a name, if there is one, which has to be of this configuration.
    fn read(&self, name: &str, config: &Config) -> Result<Option<Value>, CliError> {
        let path = self.0.join(name);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| CliError::Read { path: path.clone(), source })?,
        };
        let json: Option<Value> = serde_json::from_str(&text).ok();
        same(&path, config, json.as_ref().and_then(|json| json.get(CONFIG)))?;
        Ok(json)
    }

    /// The record of the training, if it is finished.
    pub fn ended(&self, config: &Config) -> Result<Option<Ended>, CliError> {
        let path = self.0.join(RECORD);
        let Some(json) = self.read(RECORD, config)? else { return Ok(None) };
        let wrong = || CliError::Damaged { path: path.clone(), what: "expected the record of a training".to_owned() };
        let epochs = Epoch::all_of_json(&json["epochs"]).ok_or_else(wrong)?;
        let diverged = json["diverged"].as_bool().ok_or_else(wrong)?;
        let before = number_of(&json["before"]).ok_or_else(wrong)?;
        Ok(Some(Ended { epochs, diverged, before }))
    }

    /// Makes the folder ready to write in. Where nothing of the training counts, files of an earlier one are removed,
    /// and the folder says from then on that it is of this one.
    pub fn prepare(&self, config: &Config, earlier: &Earlier) -> Result<(), CliError> {
        prepare_folder(&self.0)?;
        match earlier {
            Earlier::Nothing => {
                // Networks are removed once no record is left that tells of them.
                self.remove(&[RECORD, CHECKPOINT])?;
                let begun = json!({ CONFIG: config.to_json() });
                write_atomically(&self.0.join(BEGUN), json_text(&begun).as_bytes())?;
                events::clear(&self.events())?;
                self.remove(&[BEST, LAST, EPOCHS, CURVES[0], CURVES[1]])
            }
            Earlier::Begun(_) => Ok(()),
            Earlier::Finished(ended) => self.clear(ended),
        }
    }

    /// Removes files that a finished training does not need. A command that was killed after it wrote the record leaves
    /// them.
    fn clear(&self, ended: &Ended) -> Result<(), CliError> {
        self.remove(&[CHECKPOINT, BEGUN])?;
        // It was kept in case that the training would diverge.
        if ended.counts_last() { self.remove(&[BEST]) } else { Ok(()) }
    }

    /// Removes those of the files that are there.
    fn remove(&self, names: &[&str]) -> Result<(), CliError> {
        names.iter().try_for_each(|name| remove(&self.0.join(name)))
    }

    /// Writes the record of a finished training, and removes its checkpoint.
    pub fn finish(&self, config: &Config, ended: &Ended) -> Result<(), CliError> {
        let epochs: Vec<Value> = ended.epochs.iter().map(|epoch| epoch.to_json()).collect();
        let mut record = json!({ CONFIG: config.to_json(), "diverged": ended.diverged, "epochs": epochs });
        if ended.before.is_some() {
            record["before"] = number(ended.before);
        }
        write_atomically(&self.0.join(RECORD), json_text(&record).as_bytes())?;
        self.clear(ended)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_whose_it_is_before_there_is_a_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let [config, other] = ["1e-2", "2e-2"].map(|rate| Config::of([("learning rate", rate.to_owned())]));
        let folder = Folder::of(place.path(), 3);
        let refused = |config: &Config| folder.earlier(config, true, false).err().unwrap().to_string();
        folder.prepare(&config, &Earlier::Nothing).unwrap();
        for names in [&[][..], &[BEST, EPOCHS]] {
            names.iter().for_each(|name| fs::write(folder.0.join(name), "").unwrap());
            assert!(matches!(folder.earlier(&config, true, false), Ok(Earlier::Nothing)));
            let said = refused(&other);
            assert!([BEGUN, "learning rate is 1e-2", "here 2e-2"].iter().all(|words| said.contains(words)), "{said}");
        }
        // Without that file it is of no known training.
        remove(&folder.0.join(BEGUN)).unwrap();
        let said = refused(&config);
        assert!(said.contains("seed-3: has best.safetensors, but neither") && said.contains("--fresh"), "{said}");
        assert!(matches!(folder.earlier(&config, true, true), Ok(Earlier::Nothing)));
        folder.prepare(&other, &Earlier::Nothing).unwrap();
        assert!(!folder.best().exists() && !folder.keeps());
        folder.finish(&other, &Ended { epochs: Vec::new(), diverged: false, before: None }).unwrap();
        assert!(folder.keeps() && !folder.0.join(BEGUN).exists());
    }

    #[test]
    fn a_checkpoint_tells_its_phase_and_other_texts_tell_none() {
        let config = Config::of([("seed", "3".to_owned())]);
        let stage = Stage { phase: PhaseName::Tune, earlier: Vec::new(), before: Some(0.1) };
        let metadata = stage.metadata(&config);
        let text = &metadata.iter().find(|(key, _)| key == PHASE).unwrap().1;
        let again = Stage::of_metadata(Some(text)).unwrap();
        assert_eq!((again.phase, again.before, again.earlier.len()), (PhaseName::Tune, Some(0.1), 0));
        assert!(Stage::WHOLE.metadata(&config).iter().all(|(key, _)| key != PHASE));
        assert_eq!(Stage::of_metadata(None).unwrap().phase, PhaseName::Whole);
        for wrong in
            ["", "[]", "{}", &text.replace("tune", "body"), &text.replace("[]", "[1]"), &text.replace("0.1", "x")]
        {
            assert!(Stage::of_metadata(Some(&wrong.to_owned())).is_none(), "{wrong}");
        }
    }
}
