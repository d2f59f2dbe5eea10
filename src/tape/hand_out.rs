//! Gradients of parameters that a shard hands out while the backward pass goes on.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use dfdx::tensor::UniqueId;

use crate::shard::{Shard, TakeGradients, current};

/// The operations that have still to add to the gradient of each parameter, in the backward pass of a shard whose
/// gradients are taken one by one.
pub struct HandOut {
    shard: Shard,
    to: Arc<dyn TakeGradients>,
    operations: BTreeMap<UniqueId, usize>,
}

impl std::fmt::Debug for HandOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { shard, operations, .. } = self;
        f.debug_struct("HandOut").field("shard", shard).field("operations", operations).finish_non_exhaustive()
    }
}

impl HandOut {
    /// For the backward pass of operations that give these parameters a gradient, each named as often as there are
    /// operations; `None` on a thread without a shard whose gradients are taken, and for gradients that nobody takes.
    pub fn of<M: Any>(reached: &[UniqueId]) -> Option<Self> {
        let shard = current().filter(|_| TypeId::of::<M>() == TypeId::of::<Vec<f32>>())?;
        let to = shard.gradients()?;
        let mut operations = BTreeMap::new();
        reached.iter().for_each(|parameter| *operations.entry(*parameter).or_insert(0) += 1);
        Some(Self { shard, to, operations })
    }

    /// Notes that an operation has added to the gradient of a parameter. True if it was the last one.
    pub fn is_last(&mut self, parameter: UniqueId) -> bool {
        let left = self.operations.get_mut(&parameter);
        left.is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        })
    }

    /// Hands the gradient of a parameter out.
    pub fn give<M: Any>(&self, parameter: UniqueId, gradient: M) {
        let gradient: Box<dyn Any> = Box::new(gradient);
        if let Ok(gradient) = gradient.downcast() {
            self.to.take(self.shard.index(), parameter, *gradient);
        }
    }
}
