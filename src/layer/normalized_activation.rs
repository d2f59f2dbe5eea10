//! An activation of the output of a batch norm, on a tape.
//!
//! The backward pass of most activations reads their input, which here is a batch norm's output: a multiple of the
//! input that the batch norm keeps itself, and a constant, by channel. So where nobody else holds that output, the
//! activation is written over it, and its backward pass computes it once more, in registers. A block keeps two maps of
//! its size then, and not three: the batch norm's input, and the output of the activation, which the next layer mostly
//! reads.
//!
//! Both are one operation on the tape, instead of the batch norm's, which the activation takes back; types, names and
//! layers do not change, and neither does a bit of any result. An activation whose backward pass reads its output needs
//! none of this: it is written over its input anyway.

use std::any::Any;

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::Tensor;

use super::activate::Activate;
use super::apply::{Buffer, Keep, Operation, Parameter, Recorded, apply_in_place, note_added, overwrite, trained};
use super::batch_norm2d::Normalize;
use crate::backend::{Backend, Scaling};
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track};

/// Applies an activation, and together with the batch norm before it where both are recorded and that is possible.
pub(super) fn apply<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
    mut activation: Activate<E, D>,
) -> Result<Tensor<S, E, D, T>, Error> {
    let (mut x, mut tape) = D::try_contiguous(x)?.split_tape();
    if let Some(mut norm) = take_batch_norm(&x, &activation, &mut tape) {
        // Its own hold of the output, so that nobody is left who has one.
        norm.held = None;
        match overwrite(&mut activation, &mut x) {
            // Its parameters were noted when it was recorded first.
            None => tape.record(&[], |flow| norm.run(flow)),
            Some(result) => {
                result?;
                let trained = trained(&activation);
                let both = Both { norm, activation, output: Place::of(&x) };
                tape.record(&trained, |flow| both.backward(flow));
                return Ok(x.put_tape(tape));
            }
        }
    }
    apply_in_place(x.put_tape(tape), Box::new(activation))
}

/// Takes the batch norm back that `x` is the output of, if the activation can do its backward pass together with it.
fn take_batch_norm<E: Dtype, D: Backend<E>, T: Track<E, D>>(
    x: &dyn Buffer<E, D>,
    activation: &Activate<E, D>,
    tape: &mut T,
) -> Option<Recorded<E, D>> {
    if activation.keeps() != Keep::Input || !D::differentiates_normalized(&activation.activation) {
        return None;
    }
    let open = tape.take_open()?;
    let fits = |recorded: &Recorded<E, D>| {
        let held = recorded.held.as_ref().is_some_and(|held| held.id() == x.id() && held.address() == x.address());
        held && normalize(recorded).is_some_and(|norm| norm.layout == activation.layout)
    };
    if !(&*open as &dyn Any).downcast_ref().is_some_and(fits) {
        let open = open.closed();
        tape.record(&[], |flow| open.backward(flow));
        return None;
    }
    let open: Box<dyn Any> = open;
    open.downcast().ok().map(|recorded| *recorded)
}

/// The recorded operation, if it is a batch norm.
fn normalize<E: Dtype, D: Backend<E>>(recorded: &Recorded<E, D>) -> Option<&Normalize<E, D>> {
    (&*recorded.operation as &dyn Any).downcast_ref()
}

/// A batch norm and the activation of its output, on a tape.
struct Both<E: Dtype, D: Backend<E>> {
    norm: Recorded<E, D>,
    activation: Activate<E, D>,
    output: Place<E, D>,
}

impl<E: Dtype, D: Backend<E>> Both<E, D> {
    fn backward(self, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let mut gradient = self.output.take(flow)?;
        measure(self.activation.kind(), Direction::Backward, || self.pull_activation(&mut gradient, flow))?;
        note_added(&self.activation, self.output.device(), flow)?;
        self.norm.pull(gradient, flow)
    }

    /// Turns the gradient of the activation's output into that of the batch norm's.
    fn pull_activation(&self, gradient: &mut D::Memory, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Self { norm: recorded, activation, output } = self;
        let (Some(norm), Some(kept)) = (normalize(recorded), &recorded.kept) else { return Ok(()) };
        let (device, x) = (output.device(), kept.read());
        let [scale, shift] = norm.parameters.each_ref().map(Parameter::read);
        let (mean, inv_std) = (D::channels(&norm.mean), D::channels(&norm.inv_std));
        let scaling = Scaling { mean, inv_std, gamma: D::view(&scale) };
        activation.with_gradients(device, flow, |values, slots, _| {
            let Activate { activation, layout, .. } = activation;
            let (x, shift, gradient) = (D::view(&x), D::view(&shift), D::memory_mut(gradient));
            device.normalized_activation_backward(activation, *layout, x, scaling, shift, values, gradient, slots)
        })
    }
}
