//! Layers on dfdx's [`Cuda`].
//!
//! A tensor's memory starts as zeros, for dfdx makes it so: one pass more than on the CPU. Outputs are never written
//! over inputs.

use std::sync::Arc;

use cudarc::driver::CudaSlice;
use dfdx::prelude::ReshapeTo;
use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Storage, Tensor, ZerosTensor};

use super::{Backend, ChannelsLayout, Fill, InputGradient, Scaling, Write};
use crate::activation::Fused;
use crate::dead_units;
use crate::error::Error;
use crate::kernel::cuda::{
    CudaElement, Gpu, View, ViewMut, activation, batch_norm, columns, conv2d, cross_entropy, dropout, elementwise,
    linear, multiply, pool2d, subsample, upsample, view,
};
use crate::kernel::shape::Columns;
use crate::kernel::shape::Upsample;
use crate::kernel::shape::{ConvShape, MaxPadding, PoolShape, Subsample};
use crate::tape::{Track, id};

type Done = Result<(), CudaError>;

/// The name of an activation's kernels. Layers asked [`Backend::has_activation`] first.
fn formula<E>(activation: &Fused<E>) -> &'static str {
    activation.cuda.expect("an activation without CUDA kernels is refused before it is applied")
}

/// For the kernels.
fn scaling<E: CudaElement>(scaling: Scaling<'_, E, Cuda>) -> batch_norm::Scaling<'_, E> {
    batch_norm::Scaling { mean: scaling.mean, inv_std: scaling.inv_std, gamma: scaling.gamma }
}

impl<E: CudaElement> Backend<E> for Cuda {
    type Memory = <Self as Storage<E>>::Vec;
    type Read<'a> = View<'a, E>;
    type View<'a> = View<'a, E>;
    type ViewMut<'a> = ViewMut<'a, E>;
    type Channels = Arc<CudaSlice<f64>>;
    type Bytes = CudaSlice<u8>;

    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, CudaError> {
        let mut tensor = self.try_zeros_like(&shape)?;
        fill(view::fill(&mut tensor))?;
        Ok(tensor)
    }
    /// By dfdx's own operation, which compiles a kernel at run time where the tensor is not contiguous.
    fn try_contiguous<S: Shape, T: Track<E, Self>>(x: Tensor<S, E, Self, T>) -> Result<Tensor<S, E, Self, T>, Error> {
        x.try_contiguous().map_err(Error::device)
    }
    fn is_contiguous<S: Shape>(x: &Tensor<S, E, Self>) -> Result<bool, Error> {
        // A copy has an identity of its own; what is contiguous is returned as it is.
        Ok(id(&x.clone().try_contiguous().map_err(Error::device)?) == id(x))
    }
    fn read<'t, S: Shape>(x: &'t Tensor<S, E, Self>) -> View<'t, E> {
        view::read(x)
    }
    fn exclusive<S: Shape>(_: &mut Tensor<S, E, Self>) -> Option<ViewMut<'_, E>> {
        None
    }

    fn view<'a>(read: &'a View<'_, E>) -> View<'a, E> {
        *read
    }
    fn nothing<'a>() -> View<'a, E> {
        View::empty()
    }
    fn frozen<'a>(view: &'a ViewMut<'_, E>) -> View<'a, E> {
        view.read()
    }
    fn reborrow<'a>(view: &'a mut ViewMut<'_, E>) -> ViewMut<'a, E> {
        view.reborrow()
    }
    fn memory(memory: &Self::Memory) -> View<'_, E> {
        View::of(memory)
    }
    fn memory_mut(memory: &mut Self::Memory) -> ViewMut<'_, E> {
        ViewMut::of(memory)
    }
    fn gradient_mut(gradient: &mut Self::Memory) -> ViewMut<'_, E> {
        ViewMut::of(gradient)
    }
    fn try_take(&self, gradient: &mut Self::Memory) -> Result<Self::Memory, CudaError> {
        Ok(std::mem::replace(gradient, self.try_alloc_len(1)?))
    }
    fn put(gradient: &mut Self::Memory, memory: Self::Memory) {
        *gradient = memory;
    }
    fn try_unspecified(&self, len: usize) -> Result<Self::Memory, CudaError> {
        self.try_alloc_len(len)
    }
    fn try_to_host(&self, x: View<'_, E>) -> Result<Vec<E>, CudaError> {
        Gpu::of(self)?.to_host(x)
    }

    fn add(&self, a: View<'_, E>, b: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        elementwise::add(&Gpu::of(self)?, a, b, y)
    }
    fn add_assign(&self, y: ViewMut<'_, E>, x: View<'_, E>) -> Done {
        elementwise::add_assign(&Gpu::of(self)?, y, x)
    }
    fn copy(&self, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        elementwise::copy(&Gpu::of(self)?, x, y)
    }
    fn multiply(&self, pixels: usize, x: View<'_, E>, gate: View<'_, E>, y: ViewMut<'_, E>, write: Write) -> Done {
        multiply::multiply(&Gpu::of(self)?, pixels, x, gate, y, write)
    }
    fn multiply_backward_gate(
        &self,
        pixels: usize,
        x: View<'_, E>,
        grad_output: View<'_, E>,
        grad_gate: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        multiply::multiply_backward_gate(&Gpu::of(self)?, pixels, x, grad_output, grad_gate, write)
    }
    fn write_columns(&self, columns: Columns, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        columns::write_columns(&Gpu::of(self)?, columns, x, y)
    }
    fn read_columns(&self, columns: Columns, y: View<'_, E>, x: ViewMut<'_, E>, write: Write) -> Done {
        columns::read_columns(&Gpu::of(self)?, columns, y, x, write)
    }
    fn scale(&self, x: ViewMut<'_, E>, factor: E) -> Done {
        elementwise::scale(&Gpu::of(self)?, x, factor.wide())
    }

    fn has_activation(activation: &Fused<E>) -> bool {
        activation.cuda.is_some_and(|name| activation::formulas().contains(&name))
    }
    fn activation(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: View<'_, E>,
        params: &[View<'_, E>],
        y: ViewMut<'_, E>,
    ) -> Done {
        activation::forward(&Gpu::of(self)?, formula(activation), layout, x, params, y)
    }
    fn activation_in_place(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        params: &[View<'_, E>],
        x: ViewMut<'_, E>,
    ) -> Done {
        activation::forward_in_place(&Gpu::of(self)?, formula(activation), layout, params, x)
    }
    fn activation_backward(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: View<'_, E>,
        params: &[View<'_, E>],
        grad_output: View<'_, E>,
        grad_x: InputGradient<ViewMut<'_, E>>,
        mut grad_params: Vec<Option<ViewMut<'_, E>>>,
    ) -> Done {
        let gpu = Gpu::of(self)?;
        activation::backward(&gpu, formula(activation), layout, x, params, grad_output, grad_x, &mut grad_params)
    }
    fn note_dead_units(&self, layout: ChannelsLayout, y: View<'_, E>) -> Done {
        if dead_units::is_watched() {
            dead_units::note(layout, &Gpu::of(self)?.to_host(y)?);
        }
        Ok(())
    }

    fn conv2d(
        &self,
        shape: &ConvShape,
        x: View<'_, E>,
        weight: View<'_, E>,
        bias: Option<View<'_, E>>,
        y: ViewMut<'_, E>,
    ) -> Done {
        conv2d::forward(&Gpu::of(self)?, shape, x, weight, bias, y)
    }
    fn conv2d_backward_input(
        &self,
        shape: &ConvShape,
        weight: View<'_, E>,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        conv2d::backward_input(&Gpu::of(self)?, shape, weight, grad_output, grad_x, write)
    }
    fn conv2d_backward_weight(
        &self,
        shape: &ConvShape,
        x: View<'_, E>,
        grad_output: View<'_, E>,
        grad_weight: ViewMut<'_, E>,
    ) -> Done {
        conv2d::backward_weight(&Gpu::of(self)?, shape, x, grad_output, grad_weight)
    }
    fn conv2d_backward_bias(&self, shape: &ConvShape, grad_output: View<'_, E>, grad_bias: ViewMut<'_, E>) -> Done {
        conv2d::backward_bias(&Gpu::of(self)?, shape, grad_output, grad_bias)
    }

    fn linear(
        &self,
        [n, i, o]: [usize; 3],
        x: View<'_, E>,
        weight: View<'_, E>,
        bias: View<'_, E>,
        y: ViewMut<'_, E>,
    ) -> Done {
        linear::forward(&Gpu::of(self)?, n, i, o, x, weight, Some(bias), y)
    }
    fn linear_backward_input(
        &self,
        [n, i, o]: [usize; 3],
        weight: View<'_, E>,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        linear::backward_input(&Gpu::of(self)?, n, i, o, weight, grad_output, grad_x, write)
    }
    fn linear_backward_weight(
        &self,
        [n, i, o]: [usize; 3],
        x: View<'_, E>,
        grad_output: View<'_, E>,
        grad_weight: ViewMut<'_, E>,
    ) -> Done {
        linear::backward_weight(&Gpu::of(self)?, n, i, o, x, grad_output, grad_weight)
    }
    fn linear_backward_bias(&self, [n, _, o]: [usize; 3], grad_output: View<'_, E>, grad_bias: ViewMut<'_, E>) -> Done {
        linear::backward_bias(&Gpu::of(self)?, n, o, grad_output, grad_bias)
    }

    fn batch_statistics(&self, layout: ChannelsLayout, x: View<'_, E>) -> Result<[Self::Channels; 2], CudaError> {
        let (mean, variance) = batch_norm::statistics(&Gpu::of(self)?, layout, x)?;
        Ok([mean, variance].map(Arc::new))
    }
    fn widened(&self, x: View<'_, E>) -> Result<Self::Channels, CudaError> {
        batch_norm::widen(&Gpu::of(self)?, x).map(Arc::new)
    }
    fn inv_std(&self, variance: &Self::Channels, epsilon: f64) -> Result<Self::Channels, CudaError> {
        batch_norm::inv_std(&Gpu::of(self)?, variance, epsilon).map(Arc::new)
    }
    fn normalize(
        &self,
        layout: ChannelsLayout,
        x: View<'_, E>,
        by: Scaling<'_, E, Self>,
        beta: View<'_, E>,
        y: ViewMut<'_, E>,
    ) -> Done {
        batch_norm::normalize(&Gpu::of(self)?, layout, x, scaling(by), beta, y)
    }
    fn normalize_in_place(
        &self,
        layout: ChannelsLayout,
        by: Scaling<'_, E, Self>,
        beta: View<'_, E>,
        x: ViewMut<'_, E>,
    ) -> Done {
        batch_norm::normalize_in_place(&Gpu::of(self)?, layout, scaling(by), beta, x)
    }
    fn batch_norm_backward(
        &self,
        layout: ChannelsLayout,
        x: View<'_, E>,
        by: Scaling<'_, E, Self>,
        grad_output: View<'_, E>,
        grad_x: InputGradient<ViewMut<'_, E>>,
        [gamma, beta]: [Option<ViewMut<'_, E>>; 2],
    ) -> Done {
        let gradients = batch_norm::Gradients { x: grad_x, gamma, beta };
        batch_norm::backward(&Gpu::of(self)?, layout, x, scaling(by), grad_output, gradients)
    }
    fn batch_norm_backward_running(
        &self,
        layout: ChannelsLayout,
        x: View<'_, E>,
        by: Scaling<'_, E, Self>,
        grad_output: View<'_, E>,
        grad_x: InputGradient<ViewMut<'_, E>>,
        [gamma, beta]: [Option<ViewMut<'_, E>>; 2],
    ) -> Done {
        let gradients = batch_norm::Gradients { x: grad_x, gamma, beta };
        batch_norm::backward_running(&Gpu::of(self)?, layout, x, scaling(by), grad_output, gradients)
    }
    /// The tensor is replaced: nobody keeps a gradient of it under its identity.
    fn update_running<S: Shape>(
        &self,
        running: &mut Tensor<S, E, Self>,
        batch: &Self::Channels,
        momentum: f64,
        factor: f64,
    ) -> Done {
        let gpu = Gpu::of(self)?;
        let updated = self.try_create(*dfdx::shapes::HasShape::shape(running), &mut |to| {
            batch_norm::update_running(&gpu, view::read(running), batch, momentum, factor, to)
        })?;
        *running = updated;
        Ok(())
    }

    fn max_pool(
        &self,
        shape: PoolShape,
        padding: MaxPadding,
        x: View<'_, E>,
        y: ViewMut<'_, E>,
        argmax: bool,
    ) -> Result<Option<CudaSlice<u8>>, CudaError> {
        let gpu = Gpu::of(self)?;
        let mut positions = if argmax { Some(gpu.bytes(y.len())?) } else { None };
        pool2d::max_pool(&gpu, shape, padding, x, y, positions.as_mut())?;
        Ok(positions)
    }
    fn max_pool_backward(
        &self,
        shape: PoolShape,
        argmax: &CudaSlice<u8>,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        pool2d::max_pool_backward(&Gpu::of(self)?, shape, argmax, grad_output, grad_x, write)
    }
    fn average_pool(&self, shape: PoolShape, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        pool2d::average_pool(&Gpu::of(self)?, shape, true, x, y)
    }
    fn average_pool_backward(
        &self,
        shape: PoolShape,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        pool2d::average_pool_backward(&Gpu::of(self)?, shape, true, grad_output, grad_x, write)
    }
    fn global_average_pool(&self, pixels: usize, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        pool2d::global_average_pool(&Gpu::of(self)?, pixels, x, y)
    }
    fn global_average_pool_backward(
        &self,
        pixels: usize,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        pool2d::global_average_pool_backward(&Gpu::of(self)?, pixels, grad_output, grad_x, write)
    }

    fn subsample(&self, shape: Subsample, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        subsample::forward(&Gpu::of(self)?, shape, x, y)
    }
    fn subsample_backward(
        &self,
        shape: Subsample,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        subsample::backward(&Gpu::of(self)?, shape, grad_output, grad_x, write)
    }

    fn upsample(&self, shape: Upsample, x: View<'_, E>, y: ViewMut<'_, E>) -> Done {
        upsample::forward(&Gpu::of(self)?, shape, x, y)
    }
    fn upsample_backward(
        &self,
        shape: Upsample,
        grad_output: View<'_, E>,
        grad_x: ViewMut<'_, E>,
        write: Write,
    ) -> Done {
        upsample::backward(&Gpu::of(self)?, shape, grad_output, grad_x, write)
    }

    fn dropout(&self, key: u64, p: f64, x: View<'_, E>, y: ViewMut<'_, E>, write: Write) -> Done {
        let gpu = Gpu::of(self)?;
        match write {
            Write::Replace => dropout::apply(&gpu, key, p, x, y),
            Write::Add => dropout::apply_accumulate(&gpu, key, p, x, y),
        }
    }

    fn cross_entropy(
        &self,
        logits: View<'_, E>,
        classes: usize,
        labels: &[usize],
        smoothing: f64,
        grad_logits: ViewMut<'_, E>,
    ) -> Result<f64, CudaError> {
        cross_entropy::cross_entropy(&Gpu::of(self)?, logits, classes, labels, smoothing, grad_logits)
    }
}
