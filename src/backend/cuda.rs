//! Layers on dfdx's [`Cuda`].
//!
//! A tensor's memory starts as zeros, for dfdx makes it so: one pass more than on the CPU. Outputs are never written
//! over inputs.

use std::sync::Arc;

use cudarc::driver::CudaSlice;
use dfdx::prelude::ReshapeTo;
use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Storage, Tensor, ZerosTensor};

use super::kernels::{argument, result};
use super::{Backend, ChannelsLayout, Fill, Gradients, InputGradient, Kernels, Scaling, Statistics, Write};
use crate::activation::Fused;
use crate::dead_units;
use crate::error::Error;
use crate::kernel::cuda::{CudaElement, Gpu, View, ViewMut, activation, batch_norm, view};
use crate::kernel::operations::operations;
use crate::kernel::shape::*;
use crate::tape::{Track, id};

type Done = Result<(), CudaError>;

/// The name of an activation's kernels. Layers asked [`Backend::has_activation`] first.
fn formula<E>(activation: &Fused<E>) -> &'static str {
    activation.cuda.expect("an activation without CUDA kernels is refused before it is applied")
}

/// The operations as launches of the kernels, each after a look for the GPU.
macro_rules! launch {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:tt),*) $(-> $result:tt)? = $module:ident::$kernel:ident;
    )*) => {
        $(
            fn $name(&self, $($argument: argument!($type)),*) -> Result<result!($($result)?), CudaError> {
                crate::kernel::cuda::$module::$kernel(&Gpu::of(self)?, $($argument),*)
            }
        )*
    };
}

impl<E: CudaElement> Kernels<E> for Cuda {
    type Memory = <Self as Storage<E>>::Vec;
    type Read<'a> = View<'a, E>;
    type View<'a> = View<'a, E>;
    type ViewMut<'a> = ViewMut<'a, E>;
    type Channels = Arc<CudaSlice<f64>>;
    type ChannelsView<'a> = &'a CudaSlice<f64>;
    type Bytes = CudaSlice<u8>;

    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, CudaError> {
        let mut tensor = self.try_zeros_like(&shape)?;
        fill(view::fill(&mut tensor))?;
        Ok(tensor)
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
    fn channels(channels: &Arc<CudaSlice<f64>>) -> &CudaSlice<f64> {
        channels
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

    fn has_activation(activation: &Fused<E>) -> bool {
        activation.cuda.is_some_and(|name| activation::params(name).is_some())
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

    /// The tensor is replaced: no gradient is kept of it under its identity.
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

    operations!(launch);
}

impl<E: CudaElement> Backend<E> for Cuda {
    /// The copy is dfdx's own operation, which compiles a kernel at run time where the tensor is not contiguous.
    fn try_contiguous<S: Shape, T: Track<E, Self>>(x: Tensor<S, E, Self, T>) -> Result<Tensor<S, E, Self, T>, Error> {
        x.try_contiguous().map_err(Error::device)
    }
}
