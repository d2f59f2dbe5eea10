//! The memory and the kernels of a device, which tapes and layers stand on.

use std::fmt::Debug;

use dfdx::shapes::{Shape, Unit};
use dfdx::tensor::{Tensor, TensorFromVec};

use self::sealed::Sealed;
use crate::activation::Fused;
use crate::error::Error;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::normalization::{Gradients, Scaling, Statistics, SumsOfAll};
use crate::kernel::operations::operations;
use crate::kernel::precision::Precision;
use crate::kernel::shape::*;
use crate::kernel::write::{InputGradient, Write};

/// The reason that a device without reduced precisions is never asked for a product in one.
pub(super) const ASKED: &str = "layers ask `has_precision` first";

/// The reason that a device without shards is never asked to compute one.
pub(super) const SHARDS: &str = "layers ask `has_shards` first";

/// A function that writes every element of a new tensor; they are unspecified before it.
pub type Fill<'f, E, D> =
    &'f mut dyn FnMut(<D as Kernels<E>>::ViewMut<'_>) -> Result<(), <D as dfdx::tensor::HasErr>::Err>;

/// The type of an argument, as [`operations`] names it.
macro_rules! argument {
    (View) => { Self::View<'_> };
    (ViewMut) => { Self::ViewMut<'_> };
    ((Option View)) => { Option<Self::View<'_>> };
    (Channels) => { Self::ChannelsView<'_> };
    (Bytes) => { &Self::Bytes };
    (Scaling) => { Scaling<Self::ChannelsView<'_>, Self::View<'_>> };
    (Gradients) => { Gradients<Self::ViewMut<'_>, Self::ViewMut<'_>> };
    (($other:ty)) => { $other };
    ($other:ty) => { $other };
}

/// The type of a result, as [`operations`] names it.
macro_rules! result {
    () => { () };
    (Channels) => { Self::Channels };
    ((Option Bytes)) => { Option<Self::Bytes> };
    (Statistics) => { Statistics<Self::Channels> };
    ($other:ty) => { $other };
}

pub(super) use {argument, result};

/// The operations as methods that a device has.
macro_rules! declare {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:tt),*) $(-> $result:tt)? = $module:ident::$kernel:ident;
    )*) => {
        $(
            $(#[$doc])*
            fn $name(&self, $($argument: argument!($type)),*) -> Result<result!($($result)?), Self::Err>;
        )*
    };
}

/// The memory and the kernels of a device, below tapes: the larger part of a [`Backend`](super::Backend).
///
/// The kernels are documented once, with their formulas and contracts, in [`kernel::cpu`](crate::kernel::cpu); other
/// devices compute the same.
pub trait Kernels<E: Unit>: TensorFromVec<E> + Sealed {
    /// Memory that owns its elements, contiguous: the gradient of a feature map.
    type Memory: Debug + 'static;
    /// Access to the elements of a contiguous tensor while it is read.
    type Read<'a>;
    /// A slice of elements that kernels read.
    type View<'a>: Copy;
    /// A slice of elements that kernels write.
    type ViewMut<'a>;
    /// One `f64` for each channel: statistics of a batch norm.
    type Channels: Clone + Debug + 'static;
    /// A slice of those that kernels read.
    type ChannelsView<'a>: Copy;
    /// One byte for each element: positions of maxima in their windows.
    type Bytes: Debug + 'static;

    /// A tensor whose elements `fill` writes.
    fn try_create<S: Shape>(&self, shape: S, fill: Fill<'_, E, Self>) -> Result<Tensor<S, E, Self>, Self::Err>;
    /// True if the elements lie in row-major order without gaps.
    fn is_contiguous<S: Shape>(x: &Tensor<S, E, Self>) -> Result<bool, Error>;
    /// Access to the elements of a contiguous tensor.
    fn read<'t, S: Shape>(x: &'t Tensor<S, E, Self>) -> Self::Read<'t>;
    /// The elements of a contiguous tensor for writing over, if it is the output of one of the last layers and no other
    /// tensor shares its memory. `None` is always correct, and costs a new output tensor.
    fn exclusive<'t, S: Shape>(x: &'t mut Tensor<S, E, Self>) -> Option<Self::ViewMut<'t>>;
    /// Notes that a second tensor shares this one's memory from here on, so that [`exclusive`](Self::exclusive) need
    /// not check.
    fn note_shared<S: Shape>(x: &Tensor<S, E, Self>) {
        let _ = x;
    }

    /// A number that tells apart the memory of tensors that are held at once; `None` if the device has none.
    fn address<S: Shape>(x: &Tensor<S, E, Self>) -> Option<usize> {
        let _ = x;
        None
    }

    /// The slice that a kernel reads of a tensor under [`read`](Self::read).
    fn view<'a>(read: &'a Self::Read<'_>) -> Self::View<'a>;
    /// A slice of no elements, for a kernel's operand that is not read.
    fn nothing<'a>() -> Self::View<'a>;
    /// A slice that kernels write, lent for reading.
    fn frozen<'a>(view: &'a Self::ViewMut<'_>) -> Self::View<'a>;
    /// A slice that kernels write, lent for a shorter time.
    fn reborrow<'a>(view: &'a mut Self::ViewMut<'_>) -> Self::ViewMut<'a>;
    /// The elements of owned memory, for reading.
    fn memory(memory: &Self::Memory) -> Self::View<'_>;
    /// The elements of owned memory, for writing.
    fn memory_mut(memory: &mut Self::Memory) -> Self::ViewMut<'_>;
    /// The values of a channel's statistics, for reading.
    fn channels(channels: &Self::Channels) -> Self::ChannelsView<'_>;
    /// The elements of a gradient in dfdx's collection, for writing.
    fn gradient_mut(gradient: &mut Self::Vec) -> Self::ViewMut<'_>;
    /// Takes a gradient out of dfdx's collection, which keeps memory of another length until [`put`](Self::put).
    fn try_take(&self, gradient: &mut Self::Vec) -> Result<Self::Memory, Self::Err>;
    /// Puts a gradient back into dfdx's collection.
    fn put(gradient: &mut Self::Vec, memory: Self::Memory);
    /// Memory of `len` unspecified elements, for a kernel to overwrite.
    fn try_unspecified(&self, len: usize) -> Result<Self::Memory, Self::Err>;
    /// A copy of the elements in the host's memory.
    fn try_to_host(&self, x: Self::View<'_>) -> Result<Vec<E>, Self::Err>;

    /// True if the device has products of this precision for this element type.
    fn has_precision(precision: Precision) -> bool {
        !precision.is_reduced()
    }
    /// Computes a convolution with factors of a reduced precision that the device has:
    /// [`reduced::forward`](crate::kernel::cpu::reduced::forward).
    fn reduced_conv2d(
        &self,
        precision: Precision,
        shape: &ConvShape,
        x: Self::View<'_>,
        weight: Self::View<'_>,
        bias: Option<Self::View<'_>>,
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err> {
        let _ = (shape, x, weight, bias, y);
        unreachable!("{precision}: {ASKED}")
    }
    /// Computes the gradient of its input:
    /// [`reduced::backward_input`](crate::kernel::cpu::reduced::backward_input).
    fn reduced_conv2d_backward_input(
        &self,
        precision: Precision,
        shape: &ConvShape,
        weight: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_x: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err> {
        let _ = (shape, weight, grad_output, grad_x, write);
        unreachable!("{precision}: {ASKED}")
    }
    /// Computes, accumulated, the gradient of its weight:
    /// [`reduced::backward_weight`](crate::kernel::cpu::reduced::backward_weight).
    fn reduced_conv2d_backward_weight(
        &self,
        precision: Precision,
        shape: &ConvShape,
        x: Self::View<'_>,
        grad_output: Self::View<'_>,
        grad_weight: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err> {
        let _ = (shape, x, grad_output, grad_weight);
        unreachable!("{precision}: {ASKED}")
    }
    /// True if the device computes [shards](crate::shard) of a batch.
    fn has_shards() -> bool {
        false
    }
    /// Drops elements of a part of a tensor, which begins with its element of index `first`:
    /// [`dropout::apply_from`](crate::kernel::cpu::dropout::apply_from).
    fn dropout_from(
        &self,
        first: usize,
        key: u64,
        p: f64,
        x: Self::View<'_>,
        y: Self::ViewMut<'_>,
        write: Write,
    ) -> Result<(), Self::Err> {
        let _ = (first, key, p, x, y, write);
        unreachable!("{SHARDS}")
    }
    /// Computes mean and variance of each channel of several parts, from those of this one by `all`.
    fn batch_statistics_of_parts(
        &self,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        all: &mut dyn FnMut(Statistics<Vec<f64>>) -> Statistics<Vec<f64>>,
    ) -> Result<Statistics<Self::Channels>, Self::Err> {
        let _ = (layout, x, all);
        unreachable!("{SHARDS}")
    }
    /// Computes the gradients of a batch norm by the statistics of several parts. `all` gives the sums of all of them,
    /// and the number of elements of a channel, from the sums of this one:
    /// [`batch_norm::backward_of_part`](crate::kernel::cpu::batch_norm::backward_of_part).
    fn batch_norm_backward_of_parts(
        &self,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        scaling: Scaling<Self::ChannelsView<'_>, Self::View<'_>>,
        grad_output: Self::View<'_>,
        gradients: Gradients<Self::ViewMut<'_>, Self::ViewMut<'_>>,
        all: &SumsOfAll<'_>,
    ) -> Result<(), Self::Err> {
        let _ = (layout, x, scaling, grad_output, gradients, all);
        unreachable!("{SHARDS}")
    }
    /// True if the device has kernels of this activation.
    fn has_activation(activation: &Fused<E>) -> bool;
    /// Applies an activation to each element: [`activation::forward`](crate::kernel::cpu::activation::forward).
    fn activation(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        params: &[Self::View<'_>],
        y: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// Applies an activation to each element in place:
    /// [`activation::forward_in_place`](crate::kernel::cpu::activation::forward_in_place).
    fn activation_in_place(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        params: &[Self::View<'_>],
        x: Self::ViewMut<'_>,
    ) -> Result<(), Self::Err>;
    /// Computes the gradients of an activation's input and, accumulated, of its parameters:
    /// [`activation::backward`](crate::kernel::cpu::activation::backward).
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
    /// True if the device differentiates this activation at what a batch norm makes of a tensor.
    fn differentiates_normalized(activation: &Fused<E>) -> bool {
        let _ = activation;
        false
    }
    /// As [`activation_backward`](Self::activation_backward) over the gradient of the output, where the input is what a
    /// batch norm makes of `x` by these values and shifts: [`Input`](crate::kernel::cpu::activation::Input).
    #[allow(clippy::too_many_arguments)]
    fn normalized_activation_backward(
        &self,
        activation: &Fused<E>,
        layout: ChannelsLayout,
        x: Self::View<'_>,
        scaling: Scaling<Self::ChannelsView<'_>, Self::View<'_>>,
        shift: Self::View<'_>,
        params: &[Self::View<'_>],
        gradient: Self::ViewMut<'_>,
        grad_params: Vec<Option<Self::ViewMut<'_>>>,
    ) -> Result<(), Self::Err> {
        let _ = (activation, layout, x, scaling, shift, params, gradient, grad_params);
        unreachable!("layers ask `differentiates_normalized` first")
    }
    /// Adds the output of an activation to what [`dead_units::watch`](crate::dead_units::watch) collects, if it runs on
    /// this thread.
    fn note_dead_units(&self, layout: ChannelsLayout, y: Self::View<'_>) -> Result<(), Self::Err>;

    /// Updates running statistics: `running = (1 - momentum) running + momentum factor batch`.
    fn update_running<S: Shape>(
        &self,
        running: &mut Tensor<S, E, Self>,
        batch: &Self::Channels,
        momentum: f64,
        factor: f64,
    ) -> Result<(), Self::Err>;

    operations!(declare);
}

mod sealed {
    //! The devices that there are.

    pub trait Sealed {}

    impl Sealed for dfdx::tensor::Cpu {}
    #[cfg(feature = "cuda")]
    impl Sealed for dfdx::tensor::Cuda {}
}
