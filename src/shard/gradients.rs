//! The sum of the gradients of two shards.

use dfdx::shapes::Dtype;
use dfdx::tensor::Cpu;

use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::layer::{AnyTensor, NamedTensor, Path, Visit, Visitor};
use crate::tape::LeafGradients;

/// Adds the gradients of the trained parameters of a network, of which two shards had copies with the same tensors.
///
/// # Errors
///
/// [`Error::Device`] if there is no memory for a gradient.
pub fn add_gradients<E: CpuElement + Dtype>(
    net: &(impl Visit<E, Cpu> + ?Sized),
    to: &mut LeafGradients<E, Cpu>,
    from: &mut LeafGradients<E, Cpu>,
) -> Result<(), Error> {
    net.visit(&mut Path::root(), &mut Sum { to, from })
}

struct Sum<'g, E: CpuElement + Dtype> {
    to: &'g mut LeafGradients<E, Cpu>,
    from: &'g mut LeafGradients<E, Cpu>,
}

impl<E: CpuElement + Dtype> Visitor<E, Cpu> for Sum<'_, E> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
        if slot.trained
            && let (Some(to), Some(from)) = (tensor.gradient(self.to)?, tensor.gradient(self.from)?)
        {
            (E::cpu().add_assign)(to, from);
        }
        Ok(())
    }
}
