//! The best network of a tuning, which the model returns to if the tuning does not finish.

use pvlu::Error;
use pvlu_zoo::checkpoint::KeptNetwork;
use pvlu_zoo::model::Model;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{EpochRecord, Moment};

/// A network that a tuning reached, whose values the model now has.
#[derive(Debug)]
pub struct Reached {
    /// Description of the network for messages, as in "the network after its 3 epochs".
    pub what: String,
    /// The place in the tuning at which it was reached.
    pub at: At,
    /// Training loss that was measured on the network; infinite if none was.
    pub loss: f64,
    /// Accuracy on held-out images, where the network was picked by it.
    pub held_out: Option<f64>,
    /// The best network before this one, if there is any.
    earlier: Option<Candidate>,
}

/// A place in a tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Index of the phase, from 0 on.
    pub phase: u64,
    /// Number of whole epochs of the phase.
    pub epoch: u64,
}

impl Reached {
    /// The network as the record of a tuning tells it.
    pub fn kept(&self) -> KeptNetwork {
        let training_loss = Some(self.loss).filter(|loss| loss.is_finite());
        KeptNetwork { phase: self.at.phase, epoch: self.at.epoch, training_loss }
    }

    /// Forgets the loss, since the network under another activation is another one.
    pub fn with_other_activation(&mut self) {
        self.loss = f64::INFINITY;
    }

    /// Puts the model back to the best network before this one, whose last update ruined it; `None` if there is none
    /// before it.
    pub fn go_back(self, model: &mut dyn Model) -> Result<Option<Self>, Error> {
        self.earlier.map(|earlier| earlier.put_back(model)).transpose()
    }
}

/// A network that the model can be put back to.
#[derive(Debug)]
struct Candidate {
    what: String,
    at: At,
    loss: f64,
    held_out: Option<f64>,
    values: Snapshot,
}

impl Candidate {
    fn put_back(self, model: &mut dyn Model) -> Result<Reached, Error> {
        let Self { what, at, loss, held_out, values } = self;
        values.put_back(model).map(|()| Reached { what, at, loss, held_out, earlier: None })
    }
}

/// The progress of a phase of a tuning.
///
/// While a model is tuned, only its training loss is measured, which a step takes before its update. The loss of the
/// network after an epoch is the mean over that epoch, and, from the first step of the next one on, the mean over the
/// next one so far. The loss of the network before a phase is that of the first step. The best network is the one with
/// the lowest loss; where images are held out, that of the phase with the best accuracy on them. No loss shows if the
/// very last update ruined a network: see [`Reached::go_back`].
#[derive(Debug)]
pub struct Phase {
    /// Index of the phase in the tuning.
    number: u64,
    epochs: u64,
    /// True until the first epoch ends.
    is_first: bool,
    /// Number of steps in the current epoch, and their mean loss; infinite once a step diverged.
    steps: (u64, f64),
    best: Option<Candidate>,
    /// The network after the last epoch.
    last: Option<Candidate>,
    /// The network after the epoch with the best accuracy on held-out images, the earliest of several.
    picked: Option<Candidate>,
    /// True if a moving average of the network is what counts.
    averages: bool,
    /// The average after the last step of the first epoch.
    stepped: Option<Snapshot>,
}

impl Phase {
    /// The beginning of a phase of `epochs`. `before` is the result of an earlier phase, if one trained the model.
    pub fn new(model: &dyn Model, epochs: u64, before: Option<&Reached>) -> Result<Self, Error> {
        let candidate = |Reached { what, at, loss, .. }: &Reached| {
            let values = Snapshot::of_moving(model)?;
            Ok::<_, Error>(Candidate { what: what.clone(), at: *at, loss: *loss, held_out: None, values })
        };
        let best = before.map(candidate).transpose()?;
        let number = before.map_or(0, |before| before.at.phase + 1);
        let (steps, last, picked) = ((0, f64::INFINITY), None, None);
        Ok(Self { number, epochs, is_first: true, steps, best, last, picked, averages: false, stepped: None })
    }

    /// The same phase, of which a moving average of the network counts if `averages`.
    #[must_use]
    pub fn averaging(self, averages: bool) -> Self {
        Self { averages, ..self }
    }

    /// Takes in the state of the training after a step or an epoch.
    pub fn note(&mut self, moment: Moment<'_>) -> Result<(), Error> {
        let state = moment.state;
        match state.mean_loss() {
            Some(loss) => {
                self.step(state.steps, loss);
                // The model itself has other values, which the first epoch would else leave.
                if self.averages && self.is_first && loss.is_finite() {
                    self.stepped = Some(state.measured(moment.model)?);
                }
            }
            None => state.epochs.last().map_or(Ok(()), |epoch| self.epoch(epoch, || state.measured(moment.model)))?,
        }
        Ok(())
    }

    /// Takes in a step, given the mean loss of the steps of its epoch so far.
    fn step(&mut self, number: u64, mean: f64) {
        if !mean.is_finite() && number > 1 {
            // The first step of the epoch was finite, so that the network before it is sound, and one within this epoch
            // was ruined.
            self.steps = (number, f64::INFINITY);
            return;
        }
        if let Some(last) = &mut self.last {
            last.loss = mean;
        }
        if mean.is_finite() {
            self.steps = (number, mean);
            // The first step of a phase measures the network that the phase began with.
            if let Some(before) = self.best.as_mut().filter(|_| self.is_first && number == 1) {
                before.loss = mean;
            }
        }
    }

    /// Takes in an epoch, and keeps the network after it, which has these values, if its loss is finite.
    fn epoch(&mut self, record: &EpochRecord, values: impl FnOnce() -> Result<Snapshot, Error>) -> Result<(), Error> {
        self.settle();
        self.is_first = false;
        let &EpochRecord { epoch, train_loss, validation, .. } = record;
        if train_loss.is_finite() {
            let (at, values) = (At { phase: self.number, epoch }, values()?);
            let what = format!("the network after epoch {epoch} of {}", self.epochs);
            let of = |what, held_out, values| Candidate { what, at, loss: train_loss, held_out, values };
            let top1 = validation.top1;
            let best = self.picked.as_ref().and_then(|picked| picked.held_out);
            if validation.images > 0 && validation.loss.is_finite() && best.is_none_or(|best| top1 > best) {
                let what = format!("{what}, the best by held-out images ({top1:.4})");
                self.picked = Some(of(what, Some(top1), values.clone()));
            }
            self.last = Some(of(format!("{what} (training loss {train_loss:.4})"), None, values));
        }
        Ok(())
    }

    /// Makes the network after the last epoch the best one if no earlier one has a lower loss.
    fn settle(&mut self) {
        let lowest = self.best.as_ref().map_or(f64::INFINITY, |best| best.loss);
        if let Some(last) = self.last.take().filter(|last| last.loss.is_finite() && last.loss <= lowest) {
            self.best = Some(last);
        }
    }

    /// The network after all epochs, whether or not it is the best.
    pub fn finish(self) -> Reached {
        let what = format!("the network after its {} {}", self.epochs, plural("epoch", self.epochs));
        let loss = self.last.map_or(f64::INFINITY, |last| last.loss);
        let at = At { phase: self.number, epoch: self.epochs };
        Reached { what, at, loss, held_out: None, earlier: self.best }
    }

    /// As [`finish`](Self::finish), but puts the model back to the network with the best accuracy on held-out images,
    /// if there are any.
    pub fn finish_with_best(mut self, model: &mut dyn Model) -> Result<Reached, Error> {
        match self.picked.take() {
            Some(picked) => Ok(Reached { earlier: self.best, ..picked.put_back(model)? }),
            None => Ok(self.finish()),
        }
    }

    /// Puts the model back to the best network; `None` if the phase reached none. Without a whole epoch the model stays
    /// as it is after the steps that were done, or becomes their average if that counts, unless one of them diverged or
    /// the network before the phase is better.
    pub fn restore(self, model: &mut dyn Model) -> Result<Option<Reached>, Error> {
        let Self { number, epochs, is_first, steps: (steps, loss), best, last, picked, stepped, .. } = self;
        if let Some(picked) = picked {
            return Ok(Some(Reached { earlier: best, ..picked.put_back(model)? }));
        }
        let lowest = best.as_ref().map_or(f64::INFINITY, |best| best.loss);
        if let Some(last) = last.filter(|last| last.loss.is_finite() && last.loss <= lowest) {
            let reached = last.put_back(model)?;
            return Ok(Some(Reached { earlier: best, ..reached }));
        }
        if is_first && steps > 0 && loss.is_finite() && loss < lowest {
            let what = format!("the network after {steps} {} of epoch 1 of {epochs}", plural("step", steps));
            let at = At { phase: number, epoch: 0 };
            stepped.map_or(Ok(()), |average| average.put_back(model))?;
            return Ok(Some(Reached { what, at, loss, held_out: None, earlier: best }));
        }
        best.map(|best| best.put_back(model)).transpose()
    }
}

/// The word in the singular for a count of one, else in the plural.
fn plural(one: &str, count: u64) -> String {
    if count == 1 { one.to_owned() } else { format!("{one}s") }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use pvlu_zoo::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
    use pvlu_zoo::registry::build;
    use pvlu_zoo::train::{Evaluation, Event, FitConfig, FitState, OptimizerConfig, Schedule, Splits, fit_from};
    use pvlu_zoo::transfer::FreezePolicy;

    use super::*;

    /// One of several networks, of which only the head is trained.
    fn network(number: u64) -> Box<dyn Model> {
        let mut model = build("cifar_resnet20", "relu", 10, number).unwrap();
        FreezePolicy::HEAD.apply(model.net_mut());
        model
    }

    const NOTHING: Evaluation = Evaluation { images: 0, top1: f64::NAN, top5: f64::NAN, loss: f64::NAN };

    fn ended(phase: &mut Phase, epoch: u64, train_loss: f64, number: u64) {
        measured(phase, epoch, train_loss, number, NOTHING);
    }

    fn measured(phase: &mut Phase, epoch: u64, train_loss: f64, number: u64, validation: Evaluation) {
        let test = NOTHING;
        let record =
            EpochRecord { epoch, learning_rate: 0.1, train_loss, train_top1: 0.5, validation, test, seconds: 0.0 };
        phase.epoch(&record, || Snapshot::of_moving(network(number).as_ref())).unwrap();
    }

    /// The description and number of the network that a model of number 9 is put back to.
    fn found(back: impl FnOnce(&mut dyn Model) -> Result<Option<Reached>, Error>) -> Option<(String, u64)> {
        let mut model = network(9);
        let reached = back(model.as_mut()).unwrap()?;
        let now = Snapshot::of_moving(model.as_ref()).unwrap();
        let number = (1..10).find(|&number| Snapshot::of_moving(network(number).as_ref()).unwrap() == now);
        Some((reached.what, number.unwrap()))
    }

    /// The result of a head phase that reached network 1 with this loss.
    fn head(loss: f64) -> Reached {
        let mut phase = Phase::new(network(8).as_ref(), 1, None).unwrap();
        ended(&mut phase, 1, loss, 1);
        phase.finish()
    }

    #[test]
    fn only_a_divergence_at_the_first_step_after_a_network_says_that_it_was_ruined() {
        for (steps, number) in [([0.8, f64::INFINITY], 2), ([f64::NAN, f64::NAN], 1)] {
            let mut phase = Phase::new(network(8).as_ref(), 4, None).unwrap();
            ended(&mut phase, 1, 1.0, 1);
            phase.step(1, 0.9);
            ended(&mut phase, 2, 0.9, 2);
            for (number, mean) in (1..).zip(steps) {
                phase.step(number, mean);
            }
            ended(&mut phase, 3, f64::NAN, 3);
            let (what, went_back_to) = found(|model| phase.restore(model)).unwrap();
            assert!(went_back_to == number && what.contains(&format!("epoch {number} of 4")), "{what} {went_back_to}");
        }
    }

    #[test]
    fn a_finished_network_that_turns_out_to_be_ruined_leaves_the_best_before() {
        let mut phase = Phase::new(network(8).as_ref(), 3, None).unwrap();
        for (number, loss) in [(1, 2.0), (2, 0.5), (3, 1.0)] {
            phase.step(1, loss);
            ended(&mut phase, number, loss, number);
        }
        let reached = phase.finish();
        assert_eq!(reached.what, "the network after its 3 epochs");
        // The loss after it is 0.5 and not 1.
        assert_eq!(found(|model| reached.go_back(model)).unwrap().1, 1);
        assert!(found(|model| head(1.0).go_back(model)).is_none());
        let mut phase = Phase::new(network(1).as_ref(), 1, Some(&head(1.0))).unwrap();
        ended(&mut phase, 1, 0.5, 2);
        assert_eq!(found(|model| phase.finish().go_back(model)).unwrap(), ("the network after its 1 epoch".into(), 1));
    }

    #[test]
    fn steps_of_a_second_phase_take_the_place_of_the_first_if_they_are_better() {
        let stopped_after = |head: &Reached, means: &[f64]| {
            let mut phase = Phase::new(network(1).as_ref(), 5, Some(head)).unwrap();
            (1..).zip(means).for_each(|(number, mean)| phase.step(number, *mean));
            found(|model| phase.restore(model)).unwrap()
        };
        let kept = ("the network after its 1 epoch".to_owned(), 1);
        // The loss of the head's network is that of the first step, and no longer the one in its own phase.
        let mut other = head(1.0);
        other.with_other_activation();
        for head in [&head(1.0), &other] {
            for means in [&[0.9][..], &[1.2, 1.2], &[1.2, 1.3], &[3.0], &[0.5, f64::NAN], &[0.5, 0.4, f64::NAN]] {
                assert_eq!(stopped_after(head, means), kept, "{means:?}");
            }
            let what = "the network after 2 steps of epoch 1 of 5".to_owned();
            assert_eq!(stopped_after(head, &[1.2, 0.9]), (what.clone(), 9));
            // Ruined by its last update, of which no loss is known, it makes room for the head again.
            let mut phase = Phase::new(network(1).as_ref(), 5, Some(head)).unwrap();
            [(1, 1.2), (2, 0.9)].into_iter().for_each(|(number, mean)| phase.step(number, mean));
            let reached = phase.restore(network(9).as_mut()).unwrap().unwrap();
            assert_eq!(reached.what, what);
            assert_eq!(found(|model| reached.go_back(model)).unwrap(), kept);
            let mut phase = Phase::new(network(1).as_ref(), 5, Some(head)).unwrap();
            [(1, 0.5), (2, f64::NAN)].into_iter().for_each(|(number, mean)| phase.step(number, mean));
            ended(&mut phase, 1, f64::NAN, 2);
            assert_eq!(found(|model| phase.restore(model)).unwrap(), kept);
        }
        let nothing = |means: &[f64]| {
            let mut phase = Phase::new(network(8).as_ref(), 5, None).unwrap();
            (1..).zip(means).for_each(|(number, mean)| phase.step(number, *mean));
            found(|model| phase.restore(model)).is_none()
        };
        assert!(nothing(&[]) && nothing(&[f64::NAN]) && nothing(&[0.5, f64::NAN]) && !nothing(&[0.5]));
    }

    #[test]
    fn steps_of_a_first_epoch_leave_their_average_where_that_counts() {
        let images = Arc::new(Dataset::procedural(10, 12, 0, 5).unwrap().train);
        let normalization = Normalization::measured(&images).unwrap();
        let config = LoaderConfig::training(4, 3, normalization, Augmentation::NONE);
        let loader = || Loader::new(Arc::clone(&images), config.clone()).unwrap();
        let splits = Splits { train: loader(), validation: loader(), test: loader() };
        for average in [None, Some(0.9)] {
            let fit = FitConfig { average, ..FitConfig::new(1, OptimizerConfig::adam(), 0.1, Schedule::Constant) };
            let mut model = network(3);
            let mut phase = Phase::new(model.as_ref(), 1, None).unwrap().averaging(average.is_some());
            let mut measured = None;
            let mut keep = |moment: Moment<'_>| {
                phase.note(moment).unwrap();
                measured = Some(moment.state.measured(moment.model).unwrap());
                if moment.state.steps < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let mut observe = |_: Event<'_>| ControlFlow::Continue(());
            let state = FitState::new(fit.optimizer);
            fit_from(model.as_mut(), &splits, &fit, state, &mut observe, &mut keep).unwrap();
            let last = Snapshot::of_moving(model.as_ref()).unwrap();
            let reached = phase.restore(model.as_mut()).unwrap().unwrap();
            assert_eq!(reached.what, "the network after 2 steps of epoch 1 of 1");
            let now = Snapshot::of_moving(model.as_ref()).unwrap();
            assert!(Some(&now) == measured.as_ref() && (now == last) == average.is_none(), "{average:?}");
        }
    }

    #[test]
    fn held_out_images_pick_the_earliest_of_the_best_networks_whatever_its_loss() {
        let phase = || {
            let mut phase = Phase::new(network(8).as_ref(), 4, Some(&head(0.1))).unwrap();
            for (number, loss, top1) in [(1, 0.3, 0.5), (2, 0.5, 0.75), (3, 0.2, 0.75), (4, f64::NAN, 1.0)] {
                phase.step(1, loss);
                measured(&mut phase, number, loss, number, Evaluation { images: 4, top1, loss: 1.0, ..NOTHING });
            }
            phase
        };
        let picked = ("the network after epoch 2 of 4, the best by held-out images (0.7500)".to_owned(), 2);
        assert_eq!(found(|model| phase().finish_with_best(model).map(Some)).unwrap(), picked);
        assert_eq!(found(|model| phase().restore(model)).unwrap(), picked);
        assert_eq!(phase().finish().held_out, None);
    }
}
