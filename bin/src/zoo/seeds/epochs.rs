//! The epochs of a training, phase by phase, and the one that counts.

use pvlu_zoo::train::EpochRecord;
use serde_json::Value;

/// A phase of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseName {
    /// The only one of a training from scratch, which has no name.
    Whole,
    /// The first one of a tuning, which trains the head alone.
    Head,
    /// The last one of a tuning, which trains the parts that the user chose.
    Tune,
}

impl PhaseName {
    /// The name of the phase in files; `None` for the only one of a training.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Head => Some("head"),
            Self::Tune => Some("tune"),
        }
    }

    /// The phase with a name in a file; `None` if there is none of that name.
    pub fn of_text(text: Option<&str>) -> Option<Self> {
        [Self::Whole, Self::Head, Self::Tune].into_iter().find(|phase| phase.text() == text)
    }
}

/// A finished epoch, numbered within its phase.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    pub phase: PhaseName,
    pub record: EpochRecord,
}

impl Epoch {
    /// The epoch as JSON, which [`of_json`](Self::of_json) reads.
    pub fn to_json(self) -> Value {
        let mut json = self.record.to_json();
        if let Some(name) = self.phase.text() {
            json["phase"] = name.into();
        }
        json
    }

    /// The epoch in a JSON value; `None` if that is not one that [`to_json`](Self::to_json) makes.
    pub fn of_json(value: &Value) -> Option<Self> {
        let phase = value.get("phase").map(|phase| phase.as_str());
        Some(Self { phase: PhaseName::of_text(phase.flatten())?, record: EpochRecord::of_json(value)? })
    }

    /// All epochs in a JSON array of them.
    pub fn all_of_json(value: &Value) -> Option<Vec<Self>> {
        value.as_array()?.iter().map(Self::of_json).collect()
    }
}

/// The end of a training.
#[derive(Clone, Debug)]
pub struct Ended {
    pub epochs: Vec<Epoch>,
    /// True if the loss was no finite number any more.
    pub diverged: bool,
    /// Test accuracy before the phase of a tuning that trains the parts that the user chose, where that was begun.
    pub before: Option<f64>,
}

impl Ended {
    /// The last epoch, unless the network was ruined in it.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last().filter(|_| !self.diverged)
    }

    /// The epoch whose network counts: the best by held-out images, else the last.
    pub fn chosen(&self) -> Option<&Epoch> {
        best(&self.epochs).or(self.last())
    }
}

/// The epoch with the best accuracy on held-out images, the earliest of several; `None` without such images. Of a
/// tuning in two phases those of the last one count, as soon as there are any: a network of the first one may have
/// another activation.
pub fn best(epochs: &[Epoch]) -> Option<&Epoch> {
    // An epoch in which the loss was not finite may have ruined the network.
    let measured = |epoch: &&Epoch| {
        let EpochRecord { train_loss, validation, .. } = &epoch.record;
        validation.images > 0 && train_loss.is_finite() && validation.loss.is_finite()
    };
    let last = epochs.iter().rfind(measured)?.phase;
    let of_last = epochs.iter().filter(measured).filter(|epoch| epoch.phase == last);
    of_last.rev().max_by(|left, right| left.record.validation.top1.total_cmp(&right.record.validation.top1))
}

#[cfg(test)]
mod tests {
    use pvlu_zoo::train::Evaluation;

    use super::*;

    fn epoch(phase: PhaseName, epoch: u64, top1: f64, train_loss: f64) -> Epoch {
        let validation = Evaluation { images: 4, top1, top5: 1.0, loss: 1.0 };
        let record = EpochRecord {
            epoch,
            learning_rate: 0.1,
            train_loss,
            train_top1: 0.5,
            validation,
            test: validation,
            seconds: 1.0,
        };
        Epoch { phase, record }
    }

    #[test]
    fn the_best_epoch_is_one_of_the_last_phase_that_has_any() {
        use PhaseName::{Head, Tune};
        let found = |epochs: &[Epoch]| best(epochs).map(|epoch| (epoch.phase, epoch.record.epoch));
        let mut epochs = vec![epoch(Head, 1, 0.5, 1.0), epoch(Head, 2, 0.9, 1.0), epoch(Head, 3, 0.9, 1.0)];
        assert_eq!(found(&epochs), Some((Head, 2)));
        epochs.push(epoch(Tune, 1, 0.95, f64::NAN));
        assert_eq!(found(&epochs), Some((Head, 2)));
        epochs.extend([epoch(Tune, 1, 0.2, 1.0), epoch(Tune, 2, 0.1, 1.0)]);
        assert_eq!(found(&epochs), Some((Tune, 1)));
        // A ruined network may guess more than a sound one.
        let mut ruined = epoch(Tune, 3, 0.3, 1.0);
        ruined.record.validation.loss = f64::NAN;
        epochs.push(ruined);
        assert_eq!(found(&epochs), Some((Tune, 1)));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn an_epoch_keeps_its_phase_as_json_and_a_phase_of_another_name_is_none() {
        for phase in [PhaseName::Whole, PhaseName::Head, PhaseName::Tune] {
            let json = epoch(phase, 3, 0.5, 1.0).to_json();
            let again = Epoch::of_json(&json).unwrap();
            assert_eq!((again.phase, again.record), (phase, epoch(phase, 3, 0.5, 1.0).record));
        }
        let mut json = epoch(PhaseName::Head, 1, 0.5, 1.0).to_json();
        json["phase"] = "body".into();
        assert!(Epoch::of_json(&json).is_none());
    }
}
