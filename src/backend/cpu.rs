//! Layers on dfdx's [`Cpu`].

use std::borrow::Cow;

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dtype, HasShape, Shape};
use dfdx::tensor::{Cpu, CpuError, Storage, Tensor, TensorFromVec};

use super::kernels::{ASKED, argument, result};
use super::{Backend, ChannelsLayout, Fill, Gradients, InputGradient, Kernels, Scaling, Statistics, Write, fresh};
use crate::activation::Fused;
use crate::dead_units;
use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::kernel::cpu::activation::Input;
use crate::kernel::cpu::batch_norm;
use crate::kernel::memory::unspecified;
use crate::kernel::normalization::SumsOfAll;
use crate::kernel::operations::operations;
use crate::kernel::precision::Precision;
use crate::kernel::shape::*;
use crate::kernel::view;
use crate::tape::{Place, Track};

/// A kernel of the CPU has no errors.
type Done = Result<(), CpuError>;

/// The operations as calls of the kernels that were compiled in this crate.
macro_rules! forward {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:tt),*) $(-> $result:tt)? = $module:ident::$kernel:ident;
    )*) => {
        $(
            fn $name(&self, $($argument: argument!($type)),*) -> Result<result!($($result)?), CpuError> {
                Ok((E::cpu().$name)($($argument),*))
            }
        )*
    };
}

impl<E: CpuElement + Dtype> Kernels<E> for Cpu {
    type Memory = Vec<E>;
    type Read<'a> = Cow<'a, [E]>;
    type View<'a> = &'a [E];
    type ViewMut<'a> = &'a mut [E];
    type Channels = Vec<f64>;
    type ChannelsView<'a> = &'a [f64];
    type Bytes = Vec<u8>;

    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, CpuError> {
        let mut values = <Self as Kernels<E>>::try_unspecified(self, shape.num_elements())?;
        fill(&mut values)?;
        fresh::note(values.as_ptr().addr());
        self.try_tensor_from_vec(values, shape)
    }
    fn is_contiguous<S: Shape>(x: &Tensor<S, E, Self>) -> Result<bool, Error> {
        Ok(view::is_contiguous(x))
    }
    fn read<'t, S: Shape>(x: &'t Tensor<S, E, Self>) -> Cow<'t, [E]> {
        view::read(x)
    }
    fn exclusive<S: Shape>(x: &mut Tensor<S, E, Self>) -> Option<&mut [E]> {
        if fresh::is(view::address(x)) { view::exclusive(x) } else { None }
    }
    fn note_shared<S: Shape>(x: &Tensor<S, E, Self>) {
        fresh::forget(view::address(x));
    }
    fn address<S: Shape>(x: &Tensor<S, E, Self>) -> Option<usize> {
        Some(view::address(x))
    }

    fn view<'a>(read: &'a Cow<'_, [E]>) -> &'a [E] {
        read
    }
    fn nothing<'a>() -> &'a [E] {
        &[]
    }
    fn frozen<'a>(view: &'a &mut [E]) -> &'a [E] {
        view
    }
    fn reborrow<'a>(view: &'a mut &mut [E]) -> &'a mut [E] {
        view
    }
    fn memory(memory: &Vec<E>) -> &[E] {
        memory
    }
    fn memory_mut(memory: &mut Vec<E>) -> &mut [E] {
        memory
    }
    fn channels(channels: &Vec<f64>) -> &[f64] {
        channels
    }
    fn gradient_mut(gradient: &mut <Self as Storage<E>>::Vec) -> &mut [E] {
        gradient
    }
    fn try_take(&self, gradient: &mut <Self as Storage<E>>::Vec) -> Result<Vec<E>, CpuError> {
        Ok(std::mem::take(&mut **gradient))
    }
    fn put(gradient: &mut <Self as Storage<E>>::Vec, memory: Vec<E>) {
        **gradient = memory;
    }
    fn try_unspecified(&self, len: usize) -> Result<Vec<E>, CpuError> {
        unspecified(len).map_err(|_| CpuError::OutOfMemory)
    }
    fn try_to_host(&self, x: &[E]) -> Result<Vec<E>, CpuError> {
        Ok(x.to_vec())
    }

    fn has_precision(precision: Precision) -> bool {
        !precision.is_reduced() || E::cpu().reduced.is_some()
    }
    fn reduced_conv2d(
        &self,
        precision: Precision,
        shape: &ConvShape,
        x: &[E],
        weight: &[E],
        bias: Option<&[E]>,
        y: &mut [E],
    ) -> Done {
        (E::cpu().reduced.as_ref().expect(ASKED).conv2d)(precision, shape, x, weight, bias, y);
        Ok(())
    }
    fn reduced_conv2d_backward_input(
        &self,
        precision: Precision,
        shape: &ConvShape,
        weight: &[E],
        grad_output: &[E],
        grad_x: &mut [E],
        write: Write,
    ) -> Done {
        let kernels = E::cpu().reduced.as_ref().expect(ASKED);
        (kernels.conv2d_backward_input)(precision, shape, weight, grad_output, grad_x, write);
        Ok(())
    }
    fn reduced_conv2d_backward_weight(
        &self,
        precision: Precision,
        shape: &ConvShape,
        x: &[E],
        grad_output: &[E],
        grad_weight: &mut [E],
    ) -> Done {
        let kernels = E::cpu().reduced.as_ref().expect(ASKED);
        (kernels.conv2d_backward_weight)(precision, shape, x, grad_output, grad_weight);
        Ok(())
    }
    fn has_shards() -> bool {
        true
    }
    fn dropout_from(&self, first: usize, key: u64, p: f64, x: &[E], y: &mut [E], write: Write) -> Done {
        (E::cpu().parts.dropout)(first, key, p, x, y, write);
        Ok(())
    }
    fn batch_statistics_of_parts(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        all: &mut dyn FnMut(Statistics<Vec<f64>>) -> Statistics<Vec<f64>>,
    ) -> Result<Statistics<Vec<f64>>, CpuError> {
        Ok(all((E::cpu().batch_statistics)(layout, x)))
    }
    fn batch_norm_backward_of_parts(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        scaling: Scaling<&[f64], &[E]>,
        grad_output: &[E],
        gradients: Gradients<&mut [E], &mut [E]>,
        all: &SumsOfAll<'_>,
    ) -> Done {
        let kernels = &E::cpu().parts;
        let own = (kernels.gradient_sums)(layout, x, scaling.mean, gradients.x.grad_output(grad_output));
        let (sums, count) = all(&own);
        (kernels.batch_norm_backward)(layout, x, scaling, grad_output, [&own, &sums], count, gradients);
        Ok(())
    }
    fn has_activation(_: &Fused<E>) -> bool {
        true
    }
    fn activation(&self, activation: &Fused<E>, layout: ChannelsLayout, x: &[E], params: &[&[E]], y: &mut [E]) -> Done {
        activation.cpu.forward(layout, x, params, y);
        Ok(())
    }
    fn activation_in_place(&self, activation: &Fused<E>, layout: ChannelsLayout, params: &[&[E]], x: &mut [E]) -> Done {
        activation.cpu.forward_in_place(layout, params, x);
        Ok(())
    }
    fn activation_backward(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: &[E],
        params: &[&[E]],
        grad_output: &[E],
        grad_x: InputGradient<&mut [E]>,
        mut grad_params: Vec<Option<&mut [E]>>,
    ) -> Done {
        activation.cpu.backward(layout, x.into(), params, grad_output, grad_x, &mut grad_params);
        Ok(())
    }
    fn differentiates_normalized(_: &Fused<E>) -> bool {
        true
    }
    fn normalized_activation_backward(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: &[E],
        scaling: Scaling<&[f64], &[E]>,
        shift: &[E],
        params: &[&[E]],
        gradient: &mut [E],
        mut grad_params: Vec<Option<&mut [E]>>,
    ) -> Done {
        let normalization = batch_norm::Normalization::new(layout, scaling, shift);
        let (input, to) = (Input::normalized(x, &normalization), InputGradient::InPlace(gradient));
        activation.cpu.backward(layout, input, params, &[], to, &mut grad_params);
        Ok(())
    }
    fn note_dead_units(&self, layout: ChannelsLayout, y: &[E]) -> Done {
        dead_units::note(layout, y);
        Ok(())
    }

    fn update_running<S: Shape>(
        &self,
        running: &mut Tensor<S, E, Self>,
        batch: &Vec<f64>,
        momentum: f64,
        factor: f64,
    ) -> Done {
        view::with_mut(running, |running| batch_norm::update_running(running, batch, momentum, factor))
    }

    operations!(forward);
}

impl<E: CpuElement + Dtype> Backend<E> for Cpu {
    /// dfdx lays the gradient of a tensor out like its storage; the copy's gradient is added there, element by element.
    fn try_contiguous<S: Shape, T: Track<E, Self>>(x: Tensor<S, E, Self, T>) -> Result<Tensor<S, E, Self, T>, Error> {
        let Some(offsets) = view::offsets(&x) else { return Ok(x) };
        let (x, mut tape) = x.split_tape();
        let y = x.device().try_tensor_from_vec(view::read(&x).into_owned(), *x.shape())?;
        fresh::note(view::address(&y));
        if T::OWNS_TAPE && tape.requires_grad() {
            let (x_ghost, place) = (x.ghost(), Place::of(&y));
            tape.record(&[], move |flow| {
                let grad_output = place.take(flow)?;
                // A tensor that is not contiguous is a leaf or comes out of an operation of dfdx's own.
                let grad_x = flow.gradients().get_or_alloc_mut(&x_ghost)?;
                for (&offset, &g) in offsets.iter().zip(&grad_output) {
                    grad_x[offset] += g;
                }
                Ok(())
            });
        }
        Ok(y.put_tape(tape))
    }
}
