//! The operation of the layer that applies an activation.

use dfdx::shapes::Dtype;

use super::apply::{Keep, Operation, Parameter, Pass};
use crate::activation::Fused;
use crate::backend::{Backend, ChannelsLayout, InputGradient};
use crate::tape::Flow;

/// An activation of a tensor, free of shapes.
pub(super) struct Activate<E: Dtype, D: Backend<E>> {
    pub activation: Fused<E>,
    /// Elements that share parameters lie in one channel of it.
    pub layout: ChannelsLayout,
    /// Channels as the network has them.
    pub maps: ChannelsLayout,
    pub parameters: Vec<Parameter<E, D>>,
    pub keep: Keep,
}

impl<E: Dtype, D: Backend<E>> Activate<E, D> {
    /// Calls `run` with the parameters.
    fn with_parameters(&self, run: impl FnOnce(&[D::View<'_>]) -> Result<(), D::Err>) -> Result<(), D::Err> {
        let values: Vec<_> = self.parameters.iter().map(Parameter::read).collect();
        run(&values.iter().map(|values| D::view(values)).collect::<Vec<_>>())
    }

    /// Calls `run` with the parameters and the places of their gradients.
    pub fn with_gradients(
        &self,
        device: &D,
        flow: &mut Flow<'_, E, D>,
        run: impl FnOnce(&[D::View<'_>], Vec<Option<D::ViewMut<'_>>>, &mut Flow<'_, E, D>) -> Result<(), D::Err>,
    ) -> Result<(), D::Err> {
        let mut taken = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            taken.push(parameter.take_gradient(device, flow)?);
        }
        let slots = taken.iter_mut().map(|slot| slot.as_mut().map(D::memory_mut)).collect();
        self.with_parameters(|values| run(values, slots, flow))?;
        let mut pairs = self.parameters.iter().zip(taken);
        pairs.try_for_each(|(parameter, gradient)| parameter.put_gradient(gradient, flow))
    }
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Activate<E, D> {
    fn kind(&self) -> &'static str {
        "activation"
    }
    fn parameters(&self) -> &[Parameter<E, D>] {
        &self.parameters
    }
    fn keeps(&self) -> Keep {
        self.keep
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, mut y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        let to = D::reborrow(&mut y);
        self.with_parameters(|values| device.activation(&self.activation, self.layout, x, values, to))?;
        device.note_dead_units(self.maps, D::frozen(&y))
    }
    fn forward_in_place(&mut self, device: &D, mut x: D::ViewMut<'_>) -> Result<(), D::Err> {
        let to = D::reborrow(&mut x);
        self.with_parameters(|values| device.activation_in_place(&self.activation, self.layout, values, to))?;
        device.note_dead_units(self.maps, D::frozen(&x))
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, kept, grad_output, input } = pass;
        self.with_gradients(device, flow, |values, slots, flow| {
            let run = |grad_output: D::View<'_>, grad_x: InputGradient<D::ViewMut<'_>>| {
                let Self { activation, layout, .. } = self;
                device.activation_backward(activation, *layout, kept, values, grad_output, grad_x, slots)
            };
            match input {
                Some(input) => input.pull(flow, grad_output, run),
                None => run(D::memory(&grad_output), InputGradient::Skip),
            }
        })
    }
}
