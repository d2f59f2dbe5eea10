//! Devices that layers run on: where their memory lies, and their kernels.
//!
//! A layer is written once, against [`Backend`], and runs on dfdx's [`Cpu`](dfdx::tensor::Cpu), and with the feature
//! `cuda` on its `Cuda`. This is where shapes and tensors end and kernels begin: a kernel sees slices of one device and
//! sizes.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod fresh;

use std::fmt::Debug;

use dfdx::shapes::{Shape, Unit};
use dfdx::tensor::{Tensor, TensorFromVec};

use crate::activation::Fused;
use crate::error::Error;
pub use crate::kernel::layout::ChannelsLayout;
use crate::kernel::shape::Columns;
use crate::kernel::shape::Upsample;
use crate::kernel::shape::{ConvShape, MaxPadding, PoolShape, Subsample};
pub use crate::kernel::write::{InputGradient, Write};
use crate::tape::Track;

/// What a channel of a batch norm is centered and scaled with; one value a channel in each.
pub struct Scaling<'a, E: Unit, D: Backend<E>> {
    /// Mean: of the batch in training, the running one in inference.
    pub mean: &'a D::Channels,
    /// `1 / sqrt(var + epsilon)`, with the variance that belongs to the mean.
    pub inv_std: &'a D::Channels,
    /// The learned scale.
    pub gamma: D::View<'a>,
}

/// Writes a tensor's elements, all of them; they start as anything.
pub type Fill<'f, E, D> =
    &'f mut dyn FnMut(<D as Backend<E>>::ViewMut<'_>) -> Result<(), <D as dfdx::tensor::HasErr>::Err>;

/// A device that layers of this crate run on.
///
/// What the kernels compute is documented where they are: [`kernel::cpu`](crate::kernel::cpu).
pub trait Backend<E: Unit>: TensorFromVec<E> {
    /// Elements of one owner, contiguous: the gradient of a feature map.
    type Memory: Debug + 'static;
    /// The elements of a contiguous tensor while it is read.
    type Read<'a>;
    /// A slice that kernels read.
    type View<'a>: Copy;
    /// A slice that kernels write.
    type ViewMut<'a>;
    /// One `f64` for each channel.
    type Channels: Clone + Debug + 'static;
    /// One byte for each element.
    type Bytes: Debug + 'static;

    /// A tensor whose elements `fill` writes.
    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, Self::Err>;
    /// The tensor itself where it is contiguous, else a contiguous copy of it, recorded on its tape.
    fn try_contiguous<S: Shape, T: Track<E, Self>>(x: Tensor<S, E, Self, T>) -> Result<Tensor<S, E, Self, T>, Error>;
    /// Whether the elements lie in row-major order without gaps.
    fn is_contiguous<S: Shape>(x: &Tensor<S, E, Self>) -> Result<bool, Error>;
    /// The elements of a contiguous tensor.
    fn read<'t, S: Shape>(x: &'t Tensor<S, E, Self>) -> Self::Read<'t>;
    /// The elements of a contiguous tensor for writing over, if it is the output of one of the last layers and nobody
    /// else holds it. `None` is always right, and costs memory.
    fn exclusive<'t, S: Shape>(x: &'t mut Tensor<S, E, Self>) -> Option<Self::ViewMut<'t>>;
    /// Notes that a tensor is held twice from here on, so that [`exclusive`](Self::exclusive) need not find out.
    fn note_shared<S: Shape>(x: &Tensor<S, E, Self>) {
        let _ = x;
    }

    /// What is read, for a kernel.
    fn view<'a>(read: &'a Self::Read<'_>) -> Self::View<'a>;
    /// An empty slice.
    fn nothing<'a>() -> Self::View<'a>;
    /// A slice that kernels write, for reading.
    fn frozen<'a>(view: &'a Self::ViewMut<'_>) -> Self::View<'a>;
    /// A slice that kernels write, for a shorter time.
    fn reborrow<'a>(view: &'a mut Self::ViewMut<'_>) -> Self::ViewMut<'a>;
    /// Memory for reading.
    fn memory(memory: &Self::Memory) -> Self::View<'_>;
    /// Memory for writing.
    fn memory_mut(memory: &mut Self::Memory) -> Self::ViewMut<'_>;
    /// A gradient in dfdx's collection, for writing.
    fn gradient_mut(gradient: &mut Self::Vec) -> Self::ViewMut<'_>;
    /// Takes a gradient out of dfdx's collection, which is left with something of another length.
    fn try_take(&self, gradient: &mut Self::Vec) -> Result<Self::Memory, Self::Err>;
    /// Puts a gradient back into dfdx's collection.
    fn put(gradient: &mut Self::Vec, memory: Self::Memory);
    /// Memory of unspecified elements, for a kernel to overwrite.
    fn try_unspecified(&self, len: usize) -> Result<Self::Memory, Self::Err>;
    /// The elements on the host.
    fn try_to_host(&self, x: Self::View<'_>) -> Result<Vec<E>, Self::Err>;

    /// `y = a + b`.
    fn add(&self, a: Self::View<'_>, b: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// `y += x`.
    fn add_assign(&self, y: Self::ViewMut<'_>, x: Self::View<'_>) -> Result<(), Self::Err>;
    /// `y = x`.
    fn copy(&self, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`multiply`](crate::kernel::cpu::multiply::multiply).
    fn multiply(
        &self,
        pixels: usize,
        x: Self::View<'_>,
        gate: Self::View<'_>,
        y: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// See [`multiply_backward_gate`](crate::kernel::cpu::multiply::multiply_backward_gate).
    fn multiply_backward_gate(
        &self,
        pixels: usize,
        x: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_gate: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// See [`write_columns`](crate::kernel::cpu::columns::write_columns).
    fn write_columns(&self, columns: Columns, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`read_columns`](crate::kernel::cpu::columns::read_columns).
    fn read_columns(
        &self,
        columns: Columns,
        y: Self::View<'_>,
        x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// `x *= factor`.
    fn scale(&self, x: Self::ViewMut<'_>, factor: E) -> Result<(), Self::Err>;

    /// Whether the device has kernels of this activation.
    fn has_activation(activation: &Fused<E>) -> bool;
    /// See [`activation::forward`](crate::kernel::cpu::activation::forward).
    fn activation(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        params: &[Self::View<'_>],
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`activation::forward_in_place`](crate::kernel::cpu::activation::forward_in_place).
    fn activation_in_place(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        params: &[Self::View<'_>],
        x: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`activation::backward`](crate::kernel::cpu::activation::backward).
    #[allow(clippy::too_many_arguments)]
    fn activation_backward(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        params: &[Self::View<'_>],
        grad_output: Self::View<'_>,
        grad_x: InputGradient<Self::ViewMut<'_>>,
        grad_params: Vec<Option<Self::ViewMut<'_>>>,
    ) -> Result<(), Self::Err>;
    /// Tells [`dead_units`](crate::dead_units) of the output of an activation, if somebody watches.
    fn note_dead_units(&self, layout: ChannelsLayout, y: Self::View<'_>) -> Result<(), Self::Err>;

    /// See [`conv2d::forward`](crate::kernel::cpu::conv2d::forward).
    fn conv2d(
        &self,
        shape: &ConvShape,
        x: Self::View<'_>,
        weight: Self::View<'_>,
        bias: Option<Self::View<'_>>,
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`conv2d::backward_input`](crate::kernel::cpu::conv2d::backward_input).
    fn conv2d_backward_input(
        &self,
        shape: &ConvShape,
        weight: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// See [`conv2d::backward_weight`](crate::kernel::cpu::conv2d::backward_weight).
    fn conv2d_backward_weight(
        &self,
        shape: &ConvShape,
        x: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_weight: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`conv2d::backward_bias`](crate::kernel::cpu::conv2d::backward_bias).
    fn conv2d_backward_bias(
        &self,
        shape: &ConvShape,
        grad_output: Self::View<'_>,
        grad_bias: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;

    /// `y = x weight^T + bias`, sizes rows, inputs, outputs; see [`linear`](crate::kernel::cpu::linear).
    fn linear(
        &self,
        sizes: [usize; 3],
        x: Self::View<'_>,
        weight: Self::View<'_>,
        bias: Self::View<'_>,
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`linear::backward_input`](crate::kernel::cpu::linear::backward_input).
    fn linear_backward_input(
        &self,
        sizes: [usize; 3],
        weight: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// See [`linear::backward_weight`](crate::kernel::cpu::linear::backward_weight).
    fn linear_backward_weight(
        &self,
        sizes: [usize; 3],
        x: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_weight: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`linear::backward_bias`](crate::kernel::cpu::linear::backward_bias).
    fn linear_backward_bias(
        &self,
        sizes: [usize; 3],
        grad_output: Self::View<'_>,
        grad_bias: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Mean and biased variance of each channel.
    fn batch_statistics(&self, layout: ChannelsLayout, x: Self::View<'_>) -> Result<[Self::Channels; 2], Self::Err>;
    /// The values of a tensor of one element a channel.
    fn widened(&self, x: Self::View<'_>) -> Result<Self::Channels, Self::Err>;
    /// `1 / sqrt(variance + epsilon)`.
    fn inv_std(&self, variance: &Self::Channels, epsilon: f64) -> Result<Self::Channels, Self::Err>;
    /// See [`batch_norm::normalize`](crate::kernel::cpu::batch_norm::normalize).
    fn normalize(
        &self,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        scaling: Scaling<'_, E, Self>,
        beta: Self::View<'_>,
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// See [`batch_norm::normalize_in_place`](crate::kernel::cpu::batch_norm::normalize_in_place).
    fn normalize_in_place(
        &self,
        layout: ChannelsLayout,
        scaling: Scaling<'_, E, Self>,
        beta: Self::View<'_>,
        x: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// The gradients of the input, and, added, those of scale and shift, through the statistics of the batch:
    /// [`batch_norm::backward`](crate::kernel::cpu::batch_norm::backward).
    fn batch_norm_backward(
        &self,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        scaling: Scaling<'_, E, Self>,
        grad_output: Self::View<'_>,
        grad_x: InputGradient<Self::ViewMut<'_>>,
        grad_affine: [Option<Self::ViewMut<'_>>; 2],
    ) -> Result<(), Self::Err>;
    /// Those with constant statistics:
    /// [`batch_norm::backward_running`](crate::kernel::cpu::batch_norm::backward_running).
    fn batch_norm_backward_running(
        &self,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        scaling: Scaling<'_, E, Self>,
        grad_output: Self::View<'_>,
        grad_x: InputGradient<Self::ViewMut<'_>>,
        grad_affine: [Option<Self::ViewMut<'_>>; 2],
    ) -> Result<(), Self::Err>;
    /// `running = (1 - momentum) running + momentum factor batch`.
    fn update_running<S: Shape>(
        &self,
        running: &mut Tensor<S, E, Self>,
        batch: &Self::Channels,
        momentum: f64,
        factor: f64,
    ) -> Result<(), Self::Err>;

    /// See [`pool2d::max_pool`](crate::kernel::cpu::pool2d::max_pool). Returns, if asked for, where each largest
    /// element stood.
    fn max_pool(
        &self,
        shape: PoolShape,
        padding: MaxPadding,
        x: Self::View<'_>,
        y: Self::ViewMut<'_>,
        argmax: bool,
    ) -> Result<Option<Self::Bytes>, Self::Err>;
    /// See [`pool2d::max_pool_backward`](crate::kernel::cpu::pool2d::max_pool_backward).
    fn max_pool_backward(
        &self,
        shape: PoolShape,
        argmax: &Self::Bytes,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// The mean over windows, padding counted: [`pool2d::average_pool`](crate::kernel::cpu::pool2d::average_pool).
    fn average_pool(&self, shape: PoolShape, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`pool2d::average_pool_backward`](crate::kernel::cpu::pool2d::average_pool_backward).
    fn average_pool_backward(
        &self,
        shape: PoolShape,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;
    /// See [`pool2d::global_average_pool`](crate::kernel::cpu::pool2d::global_average_pool).
    fn global_average_pool(&self, pixels: usize, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`pool2d::global_average_pool_backward`](crate::kernel::cpu::pool2d::global_average_pool_backward).
    fn global_average_pool_backward(
        &self,
        pixels: usize,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;

    /// See [`subsample::forward`](crate::kernel::cpu::subsample::forward).
    fn subsample(&self, shape: Subsample, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`subsample::backward`](crate::kernel::cpu::subsample::backward).
    fn subsample_backward(
        &self,
        shape: Subsample,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;

    /// See [`upsample::forward`](crate::kernel::cpu::upsample::forward).
    fn upsample(&self, shape: Upsample, x: Self::View<'_>, y: Self::ViewMut<'_>) -> Result<(), Self::Err>;
    /// See [`upsample::backward`](crate::kernel::cpu::upsample::backward).
    fn upsample_backward(
        &self,
        shape: Upsample,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err>;

    /// See [`dropout::apply`](crate::kernel::cpu::dropout::apply).
    fn dropout(&self, key: u64, p: f64, x: Self::View<'_>, y: Self::ViewMut<'_>, write: Write)
    -> Result<(), Self::Err>;

    /// See [`cross_entropy_smoothed`](crate::kernel::cpu::cross_entropy::cross_entropy_smoothed).
    fn cross_entropy(
        &self,
        logits: Self::View<'_>,
        classes: usize,
        labels: &[usize],
        smoothing: f64,
        grad_logits: Self::ViewMut<'_>,
    ) -> Result<f64, Self::Err>;
}
