//! A moving average of a network over the steps of its training.

use std::collections::BTreeMap;

use pvlu::Error;
use rayon::prelude::*;

use crate::model::Model;
use crate::snapshot::Snapshot;

/// Values that a task averages.
const TASK: usize = 1 << 14;

/// Averages of the tensors that training moves, running statistics among them, by their paths: after every step the
/// average is `decay` times itself and `1 - decay` times the value, from the values before the first step on. They are
/// those of timm's `ModelEmaV3` and of PyTorch's `AveragedModel` with `get_ema_multi_avg_fn(decay)` and
/// `use_buffers=True`, but that PyTorch's begins with the values after the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct Average(Snapshot);

impl Average {
    /// The averages before the first step: the values themselves.
    pub fn of(model: &dyn Model) -> Result<Self, Error> {
        Snapshot::of_moving(model).map(Self)
    }

    /// Averages that were kept.
    pub fn from_values(values: BTreeMap<String, Vec<f32>>) -> Self {
        Self(Snapshot::from_values(values))
    }

    /// The averages by path.
    pub fn values(&self) -> &BTreeMap<String, Vec<f32>> {
        self.0.values()
    }

    /// Moves the averages towards the values of the model.
    pub fn add(&mut self, model: &dyn Model, decay: f64) -> Result<(), Error> {
        let (kept, new) = (decay as f32, (1.0 - decay) as f32);
        model.tensors(&mut |tensor| {
            if let Some(average) = self.0.values_mut().get_mut(tensor.slot.path) {
                let values = tensor.values.par_chunks(TASK);
                average.par_chunks_mut(TASK).zip(values).for_each(|(average, values)| {
                    for (average, value) in average.iter_mut().zip(values) {
                        *average = kept * *average + new * value;
                    }
                });
            }
        })
    }

    /// Writes the averages into the model that they are of.
    pub fn put_into(&self, model: &mut dyn Model) -> Result<(), Error> {
        self.0.put_back(model)
    }
}
