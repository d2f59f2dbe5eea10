//! Visits to all tensors of a network: showing them, looking for gradients that are missing, and updating them.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::layer::{AnyTensor, NamedTensor, Visitor, VisitorMut};
use pvlu::tape::LeafGradients;

/// One tensor of a model: its path and kind, its dimensions and its values.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Path, kind, and whether it is trained.
    pub slot: NamedTensor<'a>,
    /// Dimensions of the tensor.
    pub shape: &'a [usize],
    /// Values in row-major order.
    pub values: &'a [f32],
}

/// Changes one trained parameter, given its gradient.
pub type UpdateRule<'a> = dyn FnMut(NamedTensor<'_>, &mut [f32], &[f32]) -> Result<(), Error> + 'a;

/// Hands each tensor to a function.
pub struct Show<'a>(pub &'a mut dyn FnMut(TensorView<'_>));

impl Visitor<f32, Cpu> for Show<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        (self.0)(TensorView { slot, shape: &tensor.dims(), values: &tensor.read()? });
        Ok(())
    }
}

/// Finds a trained parameter without gradient before anything is changed.
pub struct Reached<'a>(pub &'a LeafGradients<f32, Cpu>);

impl Visitor<f32, Cpu> for Reached<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.trained && !self.0.reached_id(tensor.id()) {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        }
        Ok(())
    }
}

/// Changes each trained parameter by a rule.
pub struct Update<'a, 'b> {
    pub gradients: &'a mut LeafGradients<f32, Cpu>,
    pub rule: &'a mut UpdateRule<'b>,
}

impl VisitorMut<f32, Cpu> for Update<'_, '_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if !slot.trained {
            return Ok(());
        }
        let Some(gradient) = tensor.gradient(self.gradients)? else {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        };
        let mut result = Ok(());
        tensor.with_mut(&mut |values| result = (self.rule)(slot, values, gradient))?;
        result
    }
}
