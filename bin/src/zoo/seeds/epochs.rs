//! The epochs of a training, phase by phase, and the one that counts.

use pvlu_zoo::train::{EpochRecord, Evaluation};
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

    /// The epoch whose network counts: the best by held-out images, else the last. Of a training that diverged, the one
    /// whose network was kept until then.
    pub fn chosen(&self) -> Option<&Epoch> {
        best(&self.epochs).or(self.last()).or_else(|| so_far(&self.epochs))
    }

    /// True if the network that counts is that after the last epoch, because no held-out images picked another one.
    pub fn counts_last(&self) -> bool {
        !self.diverged && best(&self.epochs).is_none()
    }
}

/// The epoch whose network is kept while a training goes on, and counts if it diverges: the [`best`] by held-out
/// images; without such images the one with the lowest training loss, of the last phase that has a sound network.
pub fn so_far(epochs: &[Epoch]) -> Option<&Epoch> {
    // The last update of an epoch may have ruined the network, which its training loss does not tell.
    let is_sound = |epoch: &&Epoch| {
        let EpochRecord { train_loss, validation, test, .. } = &epoch.record;
        let is_finite = |of: &Evaluation| of.images == 0 || of.loss.is_finite();
        train_loss.is_finite() && is_finite(validation) && is_finite(test)
    };
    best(epochs).or_else(|| {
        let last = epochs.iter().rfind(is_sound)?.phase;
        let of_last = epochs.iter().filter(is_sound).filter(|epoch| epoch.phase == last);
        of_last.rev().min_by(|left, right| left.record.train_loss.total_cmp(&right.record.train_loss))
    })
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
    fn without_held_out_images_the_lowest_training_loss_counts_if_a_training_diverges_and_else_the_last_epoch() {
        use PhaseName::{Head, Tune};
        let unpicked = |phase, number, loss| {
            let mut epoch = epoch(phase, number, f64::NAN, loss);
            epoch.record.validation = Evaluation { images: 0, top1: f64::NAN, top5: f64::NAN, loss: f64::NAN };
            epoch
        };
        let mut epochs = vec![unpicked(Head, 1, 0.5), unpicked(Head, 2, 0.6), unpicked(Tune, 1, f64::NAN)];
        let found = |epochs: &[Epoch], diverged| {
            let ended = Ended { epochs: epochs.to_vec(), diverged, before: None };
            ended.chosen().map(|epoch| (epoch.phase, epoch.record.epoch, ended.counts_last()))
        };
        assert_eq!(found(&epochs, true), Some((Head, 1, false)));
        epochs.insert(2, unpicked(Tune, 1, 2.0));
        assert_eq!(found(&epochs, true), Some((Tune, 1, false)));
        assert_eq!(found(&epochs[..2], false), Some((Head, 2, true)));
        // The last update ruined it.
        epochs[2].record.test.loss = f64::INFINITY;
        assert_eq!(found(&epochs, true), Some((Head, 1, false)));
        assert_eq!(found(&epochs[3..], true), None);
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
