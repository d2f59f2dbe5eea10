//! The best network of a tuning that does not come to its end: it is kept, whatever ended it.

use std::path::{Path, PathBuf};

use pvlu::Error;
use pvlu_zoo::model::Model;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{EpochRecord, Moment};

use crate::error::CliError;
use crate::output::write_in_folder;

/// What a phase of a tuning has come to so far.
///
/// Nothing is measured while a model is tuned but the loss of its training. The best network is that after which it was
/// lowest: over the next epoch, as far as that goes, and before the first step of one over the last epoch. So a network that
/// an update has ruined is never the best.
#[derive(Debug)]
pub struct Reached {
    epochs: u64,
    /// Steps of the epoch that is under way.
    steps: u64,
    best: Option<Candidate>,
    /// The network after the last epoch.
    last: Option<Candidate>,
}

/// A network to go back to.
#[derive(Debug)]
struct Candidate {
    /// Infinite for what an earlier phase left.
    loss: f64,
    what: String,
    values: Snapshot,
}

impl Reached {
    /// The beginning of a phase of so many epochs; `before` is what an earlier one made of the model, if it was trained.
    pub fn new(model: &dyn Model, epochs: u64, before: Option<&str>) -> Result<Self, Error> {
        let candidate = |what: &str| {
            let (what, values) = (what.to_owned(), Snapshot::of_moving(model)?);
            Ok::<_, Error>(Candidate { loss: f64::INFINITY, what, values })
        };
        Ok(Self { epochs, steps: 0, best: before.map(candidate).transpose()?, last: None })
    }

    /// Takes note of a moment.
    pub fn note(&mut self, moment: Moment<'_>) -> Result<(), Error> {
        let state = moment.state;
        self.steps = state.steps;
        let ended = state.epochs.last().filter(|_| state.steps == 0);
        if let (Some(last), Some(loss)) = (&mut self.last, state.mean_loss().or(ended.map(|epoch| epoch.train_loss))) {
            last.loss = loss;
        }
        if let Some(&EpochRecord { epoch, train_loss, .. }) = ended {
            self.settle();
            let what = format!("the network after epoch {epoch} of {} (training loss {train_loss:.4})", self.epochs);
            self.last = Some(Candidate { loss: train_loss, what, values: Snapshot::of_moving(moment.model)? });
        }
        Ok(())
    }

    /// Whether the last network is the best; of equal ones the later is.
    fn settle(&mut self) {
        let lowest = self.best.as_ref().map_or(f64::INFINITY, |best| best.loss);
        if let Some(last) = self.last.take().filter(|last| last.loss.is_finite() && last.loss <= lowest) {
            self.best = Some(last);
        }
    }

    /// Puts the model back to the best network, and returns what it is; `None` if nothing came of the phase. Without a whole
    /// epoch the model is left after the steps that were done, unless these went wrong.
    pub fn restore(mut self, model: &mut dyn Model, diverged: bool) -> Result<Option<String>, Error> {
        self.settle();
        let Self { epochs, steps, best, .. } = self;
        let whole = best.as_ref().is_some_and(|best| best.loss.is_finite());
        if steps > 0 && !whole && !diverged {
            return Ok(Some(format!("the network after {steps} steps of epoch 1 of {epochs}")));
        }
        best.map(|best| best.values.put_back(model).map(|()| best.what)).transpose()
    }
}

/// Keeps the network that a tuning came to in the file that was asked for, or, where that cannot be written, in the folder for
/// temporary files; and returns what ended the tuning with what became of the network.
pub fn keep(
    error: CliError,
    reached: Option<String>,
    out: Option<&Path>,
    save: &dyn Fn(&Path) -> Result<(), CliError>,
) -> CliError {
    let (Some(what), Some(out)) = (reached, out) else { return error };
    let write = |path: &Path| write_in_folder(path, || save(path));
    let elsewhere = elsewhere(out);
    // That the file could not be written may be the error itself.
    let written = write(out).map(|()| out.to_owned()).or_else(|_| write(&elsewhere).map(|()| elsewhere));
    let source = Box::new(error);
    match written {
        Ok(path) => CliError::Kept { source, what, path },
        Err(failure) => CliError::NotKept { source, what, failure: Box::new(failure) },
    }
}

/// The file in the folder for temporary files.
fn elsewhere(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    std::env::temp_dir().join(format!("zoo-finetune-{}-{name}", std::process::id()))
}
