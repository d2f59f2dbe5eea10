//! Where gradients lie.

use std::collections::btree_map::Entry;
use std::fmt;

use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Cpu, CpuError, Gradients, Tensor, UniqueId};

use super::{Flow, id};
use crate::kernel::Element;
use crate::kernel::cpu::{InputGradient, Write};
use crate::kernel::memory::unspecified;

/// Finds a gradient.
type Find<E> = dyn Fn(&mut Gradients<E, Cpu>) -> Result<&mut Vec<E>, CpuError>;

/// The place of a tensor's gradient, without the tensor: what an operation on a tape holds of its input and its output.
pub struct Place<E: Unit> {
    tensor: UniqueId,
    len: usize,
    find: Box<Find<E>>,
}

impl<E: Element + Unit> Place<E> {
    /// The place of the gradient of a contiguous tensor.
    pub fn of<S: Shape>(tensor: &Tensor<S, E, Cpu>) -> Self {
        let ghost = tensor.ghost();
        Self {
            tensor: id(tensor),
            len: tensor.shape().num_elements(),
            find: Box::new(move |gradients| Ok(&mut *gradients.get_or_alloc_mut(&ghost)?)),
        }
    }

    /// Takes the gradient out; zeros where nobody gave one.
    pub fn take(&self, flow: &mut Flow<'_, E, Cpu>) -> Result<Vec<E>, CpuError> {
        match flow.between(self.tensor).and_then(|gradients| gradients.remove(&self.tensor)) {
            Some(gradient) => Ok(gradient),
            None => Ok(std::mem::take((self.find)(flow.gradients())?)),
        }
    }

    /// Lets `write` give the gradient a contribution: the first one, or one to add.
    pub fn give(&self, flow: &mut Flow<'_, E, Cpu>, write: impl FnOnce(&mut [E], Write)) -> Result<(), CpuError> {
        match flow.between(self.tensor) {
            Some(gradients) => match gradients.entry(self.tensor) {
                Entry::Occupied(mut found) => write(found.get_mut(), Write::Add),
                Entry::Vacant(place) => write(place.insert(unspecified(self.len)), Write::Replace),
            },
            None => write((self.find)(flow.gradients())?, Write::Add),
        }
        Ok(())
    }

    /// Lets `pull` turn the cotangent of an output of the same shape into a contribution, in place if it is the first one. It is
    /// handed the cotangent, and where the contribution goes.
    pub fn pull(
        &self,
        flow: &mut Flow<'_, E, Cpu>,
        cotangent: Vec<E>,
        pull: impl FnOnce(&[E], InputGradient<'_, E>),
    ) -> Result<(), CpuError> {
        match flow.between(self.tensor).map(|gradients| gradients.entry(self.tensor)) {
            Some(Entry::Vacant(place)) => pull(&[], InputGradient::InPlace(place.insert(cotangent))),
            Some(Entry::Occupied(mut found)) => pull(&cotangent, InputGradient::Accumulate(found.get_mut())),
            None => pull(&cotangent, InputGradient::Accumulate((self.find)(flow.gradients())?)),
        }
        Ok(())
    }

    /// Gives the gradient a contribution that is there already.
    pub fn hand_over(&self, flow: &mut Flow<'_, E, Cpu>, contribution: Vec<E>) -> Result<(), CpuError> {
        match flow.between(self.tensor).map(|gradients| gradients.entry(self.tensor)) {
            Some(Entry::Vacant(place)) => {
                place.insert(contribution);
            }
            Some(Entry::Occupied(mut found)) => (E::cpu().add_assign)(found.get_mut(), &contribution),
            None => (E::cpu().add_assign)((self.find)(flow.gradients())?, &contribution),
        }
        Ok(())
    }
}

impl<E: Unit> fmt::Debug for Place<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("tensor", &self.tensor).field("len", &self.len).finish_non_exhaustive()
    }
}
