//! Layers on dfdx's [`Cpu`].

use std::borrow::Cow;

use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Dtype, HasShape, Shape};
use dfdx::tensor::{Cpu, CpuError, Storage, Tensor, TensorFromVec};

use super::{Backend, ChannelsLayout, Fill, InputGradient, Scaling, Write, fresh};
use crate::activation::Fused;
use crate::dead_units;
use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::kernel::cpu::batch_norm::{self, Gradients, Statistics};
use crate::kernel::memory::unspecified;
use crate::kernel::shape::Columns;
use crate::kernel::shape::Upsample;
use crate::kernel::shape::{ConvShape, MaxPadding, PoolShape, Subsample};
use crate::kernel::view;
use crate::tape::{Place, Track};

/// A kernel of the CPU has no errors.
type Done = Result<(), CpuError>;

impl<E: CpuElement + Dtype> Backend<E> for Cpu {
    type Memory = Vec<E>;
    type Read<'a> = Cow<'a, [E]>;
    type View<'a> = &'a [E];
    type ViewMut<'a> = &'a mut [E];
    type Channels = Vec<f64>;
    type Bytes = Vec<u8>;

    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, CpuError> {
        let mut values = <Self as Backend<E>>::try_unspecified(self, shape.num_elements())?;
        fill(&mut values)?;
        fresh::note(values.as_ptr().addr());
        self.try_tensor_from_vec(values, shape)
    }
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

    fn add(&self, a: &[E], b: &[E], y: &mut [E]) -> Done {
        (E::cpu().add)(a, b, y);
        Ok(())
    }
    fn add_assign(&self, y: &mut [E], x: &[E]) -> Done {
        (E::cpu().add_assign)(y, x);
        Ok(())
    }
    fn copy(&self, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().copy)(x, y);
        Ok(())
    }
    fn multiply(&self, pixels: usize, x: &[E], gate: &[E], y: &mut [E], write: Write) -> Done {
        (E::cpu().multiply)(pixels, x, gate, y, write);
        Ok(())
    }
    fn multiply_backward_gate(
        &self,
        pixels: usize,
        x: &[E],
        grad_output: &[E],
        grad_gate: &mut [E],
        write: Write,
    ) -> Done {
        (E::cpu().multiply_backward_gate)(pixels, x, grad_output, grad_gate, write);
        Ok(())
    }
    fn write_columns(&self, columns: Columns, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().write_columns)(columns, x, y);
        Ok(())
    }
    fn read_columns(&self, columns: Columns, y: &[E], x: &mut [E], write: Write) -> Done {
        (E::cpu().read_columns)(columns, y, x, write);
        Ok(())
    }
    fn scale(&self, x: &mut [E], factor: E) -> Done {
        x.iter_mut().for_each(|x| *x *= factor);
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
        activation.cpu.backward(layout, x, params, grad_output, grad_x, &mut grad_params);
        Ok(())
    }
    fn note_dead_units(&self, layout: ChannelsLayout, y: &[E]) -> Done {
        dead_units::note(layout, y);
        Ok(())
    }

    fn conv2d(&self, shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) -> Done {
        (E::cpu().conv2d)(shape, x, weight, bias, y);
        Ok(())
    }
    fn conv2d_backward_input(
        &self,
        shape: &ConvShape,
        weight: &[E],
        grad_output: &[E],
        grad_x: &mut [E],
        write: Write,
    ) -> Done {
        (E::cpu().conv2d_backward_input)(shape, weight, grad_output, grad_x, write);
        Ok(())
    }
    fn conv2d_backward_weight(&self, shape: &ConvShape, x: &[E], grad_output: &[E], grad_weight: &mut [E]) -> Done {
        (E::cpu().conv2d_backward_weight)(shape, x, grad_output, grad_weight);
        Ok(())
    }
    fn conv2d_backward_bias(&self, shape: &ConvShape, grad_output: &[E], grad_bias: &mut [E]) -> Done {
        (E::cpu().conv2d_backward_bias)(shape, grad_output, grad_bias);
        Ok(())
    }

    fn linear(&self, [n, i, o]: [usize; 3], x: &[E], weight: &[E], bias: &[E], y: &mut [E]) -> Done {
        (E::cpu().linear)(n, i, o, x, weight, Some(bias), y);
        Ok(())
    }
    fn linear_backward_input(
        &self,
        [n, i, o]: [usize; 3],
        weight: &[E],
        grad_output: &[E],
        grad_x: &mut [E],
        write: Write,
    ) -> Done {
        (E::cpu().linear_backward_input)(n, i, o, weight, grad_output, grad_x, write);
        Ok(())
    }
    fn linear_backward_weight(&self, [n, i, o]: [usize; 3], x: &[E], grad_output: &[E], grad_weight: &mut [E]) -> Done {
        (E::cpu().linear_backward_weight)(n, i, o, x, grad_output, grad_weight);
        Ok(())
    }
    fn linear_backward_bias(&self, [n, _, o]: [usize; 3], grad_output: &[E], grad_bias: &mut [E]) -> Done {
        (E::cpu().linear_backward_bias)(n, o, grad_output, grad_bias);
        Ok(())
    }

    fn batch_statistics(&self, layout: ChannelsLayout, x: &[E]) -> Result<[Vec<f64>; 2], CpuError> {
        let Statistics { mean, variance } = (E::cpu().batch_statistics)(layout, x);
        Ok([mean, variance])
    }
    fn widened(&self, x: &[E]) -> Result<Vec<f64>, CpuError> {
        Ok(x.iter().map(|value| value.wide()).collect())
    }
    fn inv_std(&self, variance: &Vec<f64>, epsilon: f64) -> Result<Vec<f64>, CpuError> {
        Ok(batch_norm::inv_std(variance, epsilon))
    }
    fn normalize(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        Scaling { mean, inv_std, gamma }: Scaling<'_, E, Self>,
        beta: &[E],
        y: &mut [E],
    ) -> Done {
        (E::cpu().normalize)(layout, x, batch_norm::Scaling { mean, inv_std, gamma }, beta, y);
        Ok(())
    }
    fn normalize_in_place(
        &self,
        layout: ChannelsLayout,
        Scaling { mean, inv_std, gamma }: Scaling<'_, E, Self>,
        beta: &[E],
        x: &mut [E],
    ) -> Done {
        (E::cpu().normalize_in_place)(layout, batch_norm::Scaling { mean, inv_std, gamma }, beta, x);
        Ok(())
    }
    fn batch_norm_backward(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        Scaling { mean, inv_std, gamma }: Scaling<'_, E, Self>,
        grad_output: &[E],
        grad_x: InputGradient<&mut [E]>,
        [grad_gamma, grad_beta]: [Option<&mut [E]>; 2],
    ) -> Done {
        let scaling = batch_norm::Scaling { mean, inv_std, gamma };
        let gradients = Gradients { x: grad_x, gamma: grad_gamma, beta: grad_beta };
        (E::cpu().batch_norm_backward)(layout, x, scaling, grad_output, gradients);
        Ok(())
    }
    fn batch_norm_backward_running(
        &self,
        layout: ChannelsLayout,
        x: &[E],
        Scaling { mean, inv_std, gamma }: Scaling<'_, E, Self>,
        grad_output: &[E],
        grad_x: InputGradient<&mut [E]>,
        [grad_gamma, grad_beta]: [Option<&mut [E]>; 2],
    ) -> Done {
        let scaling = batch_norm::Scaling { mean, inv_std, gamma };
        let gradients = Gradients { x: grad_x, gamma: grad_gamma, beta: grad_beta };
        (E::cpu().batch_norm_backward_running)(layout, x, scaling, grad_output, gradients);
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

    fn max_pool(
        &self,
        shape: PoolShape,
        padding: MaxPadding,
        x: &[E],
        y: &mut [E],
        argmax: bool,
    ) -> Result<Option<Vec<u8>>, CpuError> {
        let mut positions = argmax.then(|| vec![0; y.len()]);
        (E::cpu().max_pool)(shape, padding, x, y, positions.as_deref_mut());
        Ok(positions)
    }
    fn max_pool_backward(
        &self,
        shape: PoolShape,
        argmax: &Vec<u8>,
        grad_output: &[E],
        grad_x: &mut [E],
        write: Write,
    ) -> Done {
        (E::cpu().max_pool_backward)(shape, argmax, grad_output, grad_x, write);
        Ok(())
    }
    fn average_pool(&self, shape: PoolShape, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().average_pool)(shape, true, x, y);
        Ok(())
    }
    fn average_pool_backward(&self, shape: PoolShape, grad_output: &[E], grad_x: &mut [E], write: Write) -> Done {
        (E::cpu().average_pool_backward)(shape, true, grad_output, grad_x, write);
        Ok(())
    }
    fn global_average_pool(&self, pixels: usize, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().global_average_pool)(pixels, x, y);
        Ok(())
    }
    fn global_average_pool_backward(&self, pixels: usize, grad_output: &[E], grad_x: &mut [E], write: Write) -> Done {
        (E::cpu().global_average_pool_backward)(pixels, grad_output, grad_x, write);
        Ok(())
    }

    fn subsample(&self, shape: Subsample, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().subsample)(shape, x, y);
        Ok(())
    }
    fn subsample_backward(&self, shape: Subsample, grad_output: &[E], grad_x: &mut [E], write: Write) -> Done {
        (E::cpu().subsample_backward)(shape, grad_output, grad_x, write);
        Ok(())
    }

    fn upsample(&self, shape: Upsample, x: &[E], y: &mut [E]) -> Done {
        (E::cpu().upsample)(shape, x, y);
        Ok(())
    }
    fn upsample_backward(&self, shape: Upsample, grad_output: &[E], grad_x: &mut [E], write: Write) -> Done {
        (E::cpu().upsample_backward)(shape, grad_output, grad_x, write);
        Ok(())
    }

    fn dropout(&self, key: u64, p: f64, x: &[E], y: &mut [E], write: Write) -> Done {
        match write {
            Write::Replace => (E::cpu().dropout)(key, p, x, y),
            Write::Add => (E::cpu().dropout_accumulate)(key, p, x, y),
        }
        Ok(())
    }

    fn cross_entropy(
        &self,
        logits: &[E],
        classes: usize,
        labels: &[usize],
        smoothing: f64,
        grad_logits: &mut [E],
    ) -> Result<f64, CpuError> {
        Ok((E::cpu().cross_entropy)(logits, classes, labels, smoothing, grad_logits))
    }
}
