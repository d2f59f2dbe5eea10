//! Snapshots of a model's tensors in memory, from which several runs can go on.

use std::collections::BTreeMap;

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::layer::{AnyTensor, NamedTensor, Path, VisitorMut};

use crate::model::Model;

/// The values of every tensor, by its path. Switches, such as what is frozen, are no part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(BTreeMap<String, Vec<f32>>);

/// A model that a snapshot does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A tensor that the snapshot or the model lacks, or whose sizes differ.
    #[error("{path}: {what}; nothing was changed")]
    Tensor {
        /// Path of the tensor; `model` if the numbers of tensors differ.
        path: String,
        /// Description of the difference.
        what: String,
    },
    /// The device reported an error.
    #[error(transparent)]
    Device(#[from] Error),
}

impl Snapshot {
    /// Copies the tensors of a model.
    pub fn of(model: &dyn Model) -> Result<Self, Error> {
        Self::of_those(model, |_| true)
    }

    /// Copies the tensors that training moves: those that are trained, and running statistics that are updated. For the
    /// model itself to [go back](Self::put_back) to.
    pub fn of_moving(model: &dyn Model) -> Result<Self, Error> {
        Self::of_those(model, |slot| slot.trained || slot.updated)
    }

    fn of_those(model: &dyn Model, wanted: impl Fn(&NamedTensor<'_>) -> bool) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        model.tensors(&mut |tensor| {
            if wanted(&tensor.slot) {
                values.insert(tensor.slot.path.to_owned(), tensor.values.to_vec());
            }
        })?;
        Ok(Self(values))
    }

    /// Writes the values back into the model that they are of, and leaves its other tensors as they are.
    pub fn put_back(&self, model: &mut dyn Model) -> Result<(), Error> {
        model.net_mut().visit_mut(&mut Path::root(), &mut Restore(&self.0))
    }

    /// A snapshot of values by path.
    pub(crate) fn from_values(values: BTreeMap<String, Vec<f32>>) -> Self {
        Self(values)
    }

    /// The values by path, to be changed.
    pub(crate) fn values_mut(&mut self) -> &mut BTreeMap<String, Vec<f32>> {
        &mut self.0
    }

    /// The values by path.
    pub(crate) fn values(&self) -> &BTreeMap<String, Vec<f32>> {
        &self.0
    }

    /// Writes the values into another model of the same kind: as many tensors, of the same paths and sizes.
    pub fn restore(&self, model: &mut dyn Model) -> Result<(), SnapshotError> {
        let mut wrong = None;
        let mut seen = 0;
        model.tensors(&mut |tensor| {
            seen += 1;
            let (path, found) = (tensor.slot.path, tensor.values.len());
            let what = match self.0.get(path).map(Vec::len) {
                Some(expected) if expected == found => return,
                Some(expected) => format!("expected {found} values, found {expected} in the snapshot"),
                None => "the snapshot does not have this tensor".to_owned(),
            };
            wrong.get_or_insert((path.to_owned(), what));
        })?;
        if seen != self.0.len() {
            let what = format!("expected {seen} tensors, found {} in the snapshot", self.0.len());
            wrong.get_or_insert(("model".to_owned(), what));
        }
        if let Some((path, what)) = wrong {
            return Err(SnapshotError::Tensor { path, what });
        }
        Ok(self.put_back(model)?)
    }
}

struct Restore<'a>(&'a BTreeMap<String, Vec<f32>>);

impl VisitorMut<f32, Cpu> for Restore<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        let Some(values) = self.0.get(slot.path) else { return Ok(()) };
        tensor.with_mut(&mut |to| to.copy_from_slice(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::build;

    #[test]
    fn a_model_is_restored_bit_for_bit_and_another_one_is_refused() {
        let first = build("cifar_resnet20", "relu", 10, 1).unwrap();
        let mut second = build("cifar_resnet20", "relu", 10, 2).unwrap();
        let snapshot = Snapshot::of(first.as_ref()).unwrap();
        assert_ne!(Snapshot::of(second.as_ref()).unwrap(), snapshot);
        snapshot.restore(second.as_mut()).unwrap();
        assert_eq!(Snapshot::of(second.as_ref()).unwrap(), snapshot);

        for (model, activation, classes) in
            [("cifar_resnet20", "relu", 100), ("cifar_resnet32", "relu", 10), ("cifar_resnet20", "pvlu", 10)]
        {
            let mut other = build(model, activation, classes, 3).unwrap();
            let before = Snapshot::of(other.as_ref()).unwrap();
            let error = snapshot.restore(other.as_mut()).unwrap_err();
            assert!(error.to_string().contains("nothing was changed"), "{error}");
            assert_eq!(Snapshot::of(other.as_ref()).unwrap(), before);
        }
    }
}
