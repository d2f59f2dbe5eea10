//! Places of gradients, which operations on a tape hold instead of tensors.

use std::collections::btree_map::Entry;
use std::fmt;

use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Gradients, HasErr, Storage, Tensor, UniqueId};

use super::{Flow, id};
use crate::backend::{InputGradient, Kernels, Write};

/// Finds a tensor's gradient in dfdx's collection.
type Find<E, D> = dyn Fn(&mut Gradients<E, D>) -> Result<&mut <D as Storage<E>>::Vec, <D as HasErr>::Err>;

/// The place of a tensor's gradient, without the tensor: operations on a tape hold those of their input and their
/// output.
pub struct Place<E: Unit, D: Kernels<E>> {
    tensor: UniqueId,
    len: usize,
    device: D,
    find: Box<Find<E, D>>,
    /// True if the gradient of the output that [`pull`](Self::pull) is handed was taken from this very place.
    overwritten: bool,
}

impl<E: Unit, D: Kernels<E>> Place<E, D> {
    /// The place of the gradient of a contiguous tensor.
    pub fn of<S: Shape>(tensor: &Tensor<S, E, D>) -> Self {
        let ghost = tensor.ghost();
        Self {
            tensor: id(tensor),
            len: tensor.shape().num_elements(),
            device: tensor.device().clone(),
            find: Box::new(move |gradients| gradients.get_or_alloc_mut(&ghost)),
            overwritten: false,
        }
    }

    /// The place of the gradient of a tensor over which the output was written, and of that of the output.
    pub fn overwritten<S: Shape>(tensor: &Tensor<S, E, D>) -> Self {
        Self { overwritten: true, ..Self::of(tensor) }
    }

    /// The device that the gradient is on.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Takes the gradient out; zeros where no operation gave one.
    pub fn take(&self, flow: &mut Flow<'_, E, D>) -> Result<D::Memory, D::Err> {
        match flow.between(self.tensor).and_then(|gradients| gradients.remove(&self.tensor)) {
            Some(gradient) => Ok(gradient),
            None => self.device.try_take((self.find)(flow.gradients())?),
        }
    }

    /// Puts a gradient back that was [taken](Self::take), while no other operation gave one.
    pub fn put(&self, flow: &mut Flow<'_, E, D>, gradient: D::Memory) -> Result<(), D::Err> {
        match flow.between(self.tensor) {
            Some(gradients) => {
                gradients.insert(self.tensor, gradient);
            }
            None => D::put((self.find)(flow.gradients())?, gradient),
        }
        Ok(())
    }

    /// Lets `write` give the gradient a contribution: the first one, or one to add.
    pub fn give(
        &self,
        flow: &mut Flow<'_, E, D>,
        write: impl FnOnce(D::ViewMut<'_>, Write) -> Result<(), D::Err>,
    ) -> Result<(), D::Err> {
        match flow.between(self.tensor) {
            Some(gradients) => match gradients.entry(self.tensor) {
                Entry::Occupied(mut found) => write(D::memory_mut(found.get_mut()), Write::Add),
                Entry::Vacant(place) => {
                    let memory = place.insert(self.device.try_unspecified(self.len)?);
                    write(D::memory_mut(memory), Write::Replace)
                }
            },
            None => write(D::gradient_mut((self.find)(flow.gradients())?), Write::Add),
        }
    }

    /// Lets `pull` turn the gradient of an output of the same shape into a contribution, in place if it
    /// is the first one. It is handed the gradient of the output, and where the contribution goes.
    pub fn pull(
        &self,
        flow: &mut Flow<'_, E, D>,
        grad_output: D::Memory,
        pull: impl FnOnce(D::View<'_>, InputGradient<D::ViewMut<'_>>) -> Result<(), D::Err>,
    ) -> Result<(), D::Err> {
        if self.overwritten {
            let mut gradient = grad_output;
            pull(D::nothing(), InputGradient::InPlace(D::memory_mut(&mut gradient)))?;
            return self.put(flow, gradient);
        }
        match flow.between(self.tensor).map(|gradients| gradients.entry(self.tensor)) {
            Some(Entry::Vacant(place)) => {
                pull(D::nothing(), InputGradient::InPlace(D::memory_mut(place.insert(grad_output))))
            }
            Some(Entry::Occupied(mut found)) => {
                pull(D::memory(&grad_output), InputGradient::Accumulate(D::memory_mut(found.get_mut())))
            }
            None => {
                let gradient = D::gradient_mut((self.find)(flow.gradients())?);
                pull(D::memory(&grad_output), InputGradient::Accumulate(gradient))
            }
        }
    }

    /// Gives the gradient a contribution that is there already.
    pub fn hand_over(&self, flow: &mut Flow<'_, E, D>, contribution: D::Memory) -> Result<(), D::Err> {
        let add = |gradient: D::ViewMut<'_>| self.device.add_assign(gradient, D::memory(&contribution));
        match flow.between(self.tensor).map(|gradients| gradients.entry(self.tensor)) {
            Some(Entry::Vacant(place)) => {
                place.insert(contribution);
                Ok(())
            }
            Some(Entry::Occupied(mut found)) => add(D::memory_mut(found.get_mut())),
            None => add(D::gradient_mut((self.find)(flow.gradients())?)),
        }
    }
}

impl<E: Unit, D: Kernels<E>> fmt::Debug for Place<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("tensor", &self.tensor).field("len", &self.len).finish_non_exhaustive()
    }
}
