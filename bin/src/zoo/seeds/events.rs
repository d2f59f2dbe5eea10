//! The scalars of the epochs in an event file for TensorBoard.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pvlu_zoo::train::EpochRecord;

use super::epochs::Epoch;
use crate::common::error::CliError;
use crate::common::tensorboard::EventFile;

/// Beginning of the names of event files, by which TensorBoard finds them.
const PREFIX: &str = "events.out.tfevents.";

/// The event file of a training.
#[derive(Debug)]
pub struct Events {
    file: EventFile,
    path: PathBuf,
    /// Number of epochs in the file, which is the step of the last one.
    epochs: u64,
}

impl Events {
    /// Begins the event file of a training anew, in place of those of commands before, with the epochs that are done.
    pub fn begin(folder: PathBuf, done: &[Epoch]) -> Result<Self, CliError> {
        let now = now();
        let seconds: f64 = done.iter().map(|epoch| epoch.record.seconds).sum();
        let path = folder.join(format!("{PREFIX}{now:.0}"));
        clear(&folder)?;
        let opened = fs::create_dir_all(&folder).and_then(|()| EventFile::create(&path, now - seconds));
        let file = opened.map_err(|source| CliError::Write { path: path.clone(), source })?;
        let mut events = Self { file, path, epochs: 0 };
        let mut at = now - seconds;
        for epoch in done {
            at += epoch.record.seconds;
            events.add_at(at, epoch)?;
        }
        Ok(events)
    }

    /// Adds the scalars of an epoch that just ended.
    pub fn add(&mut self, epoch: &Epoch) -> Result<(), CliError> {
        self.add_at(now(), epoch)
    }

    fn add_at(&mut self, wall_time: f64, epoch: &Epoch) -> Result<(), CliError> {
        let EpochRecord { learning_rate, train_loss, train_top1, validation, test, .. } = &epoch.record;
        let scalars = [
            ("learning_rate", *learning_rate),
            ("loss/train", *train_loss),
            ("loss/held_out", validation.loss),
            ("loss/test", test.loss),
            ("top1/train", *train_top1),
            ("top1/held_out", validation.top1),
            ("top1/test", test.top1),
        ];
        self.epochs += 1;
        let written: io::Result<()> = self.file.scalars(wall_time, self.epochs, &scalars);
        written.map_err(|source| CliError::Write { path: self.path.clone(), source })
    }
}

/// Removes the event files of earlier commands, if there are any, and the folder if nothing else is in it.
pub fn clear(folder: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: folder.to_owned(), source };
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    let _ = fs::remove_dir(folder);
    Ok(())
}

/// Seconds since the beginning of 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
