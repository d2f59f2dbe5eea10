//! The kernels of one element type behind function pointers.
//!
//! A generic kernel is compiled in the crate that names its element type, and as that crate is optimized. Layers are
//! instantiated in the user's crate, and the training loop calls optimizers from the zoo; going through this table they
//! find the kernels compiled, once, here.

use std::fmt;

use super::gemm::{Factor, MatrixLayout, Sizes};
use super::optimizer::{Adam, Sgd};
use super::{batch_norm, cross_entropy, dropout, gemm, optimizer, reduced};
use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::operations::operations;
use crate::kernel::precision::Precision;
use crate::kernel::shape::*;
use crate::kernel::write::Write;

/// The type of an argument, as [`operations`] names it.
macro_rules! argument {
    (View) => { &[E] };
    (ViewMut) => { &mut [E] };
    ((Option View)) => { Option<&[E]> };
    (Channels) => { &[f64] };
    (Bytes) => { &[u8] };
    (Scaling) => { batch_norm::Scaling<'_, E> };
    (Gradients) => { batch_norm::Gradients<'_, E> };
    (($other:ty)) => { $other };
    ($other:ty) => { $other };
}

/// The type of a result, as [`operations`] names it.
macro_rules! result {
    () => { () };
    (Channels) => { Vec<f64> };
    ((Option Bytes)) => { Option<Vec<u8>> };
    (Statistics) => { batch_norm::Statistics };
    ($other:ty) => { $other };
}

macro_rules! table {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $type:tt),*) $(-> $result:tt)? = $module:ident::$kernel:ident;
    )*) => {
        /// The kernels of one element type: those of the operations of layers, and those that training calls with
        /// slices.
        pub struct Table<E: 'static> {
            $($(#[$doc])* pub $name: fn($(argument!($type)),*) -> result!($($result)?),)*
            /// Instance of [`cross_entropy::top_k_correct`] for `E`.
            pub top_k_correct: fn(&[E], usize, &[usize], usize) -> usize,
            /// Instance of [`gemm::product`] for `E`.
            pub product: fn(Sizes, Write, Factor<'_, E>, Factor<'_, E>, &mut [E], MatrixLayout),
            /// Instance of [`optimizer::sgd`] for `E`.
            pub sgd: fn(&mut [E], &[E], &mut [E], Sgd),
            /// Instance of [`optimizer::adam`] for `E`.
            pub adam: fn(&mut [E], &[E], &mut [E], &mut [E], u64, Adam),
            /// Products with rounded factors; of `f32` alone.
            pub reduced: Option<Reduced<E>>,
            /// Kernels of parts of what is computed together.
            pub parts: Parts<E>,
        }

        impl<E: Element> Table<E> {
            /// The kernels in `E`, compiled in the crate that calls this with a concrete `E`.
            pub(crate) const fn new() -> Self {
                Self {
                    $($name: super::$module::$kernel,)*
                    top_k_correct: cross_entropy::top_k_correct,
                    product: gemm::product,
                    sgd: optimizer::sgd,
                    adam: optimizer::adam,
                    reduced: None,
                    parts: Parts::new(),
                }
            }
        }
    };
}
operations!(table);

/// The kernels of a shard of a batch, beside those that a whole batch has as well.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::type_complexity, reason = "a name for each signature would say less")]
pub struct Parts<E: 'static> {
    /// Instance of [`dropout::apply_from`] for `E`.
    pub dropout: fn(usize, u64, f64, &[E], &mut [E], Write),
    /// Instance of [`batch_norm::gradient_sums`] for `E`.
    pub gradient_sums: fn(ChannelsLayout, &[E], &[f64], &[E]) -> batch_norm::GradientSums,
    /// Instance of [`batch_norm::backward_of_part`] for `E`.
    pub batch_norm_backward: fn(
        ChannelsLayout,
        &[E],
        batch_norm::Scaling<'_, E>,
        &[E],
        [&batch_norm::GradientSums; 2],
        usize,
        batch_norm::Gradients<'_, E>,
    ),
}

impl<E: Element> Parts<E> {
    const fn new() -> Self {
        Self {
            dropout: dropout::apply_from,
            gradient_sums: batch_norm::gradient_sums,
            batch_norm_backward: batch_norm::backward_of_part,
        }
    }
}

/// The kernels of products whose factors are rounded to a reduced precision.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::type_complexity, reason = "a name for each signature would say less")]
pub struct Reduced<E: 'static> {
    /// Instance of [`reduced::forward`] for `E`.
    pub conv2d: fn(Precision, &ConvShape, &[E], &[E], Option<&[E]>, &mut [E]),
    /// Instance of [`reduced::backward_input`] for `E`.
    pub conv2d_backward_input: fn(Precision, &ConvShape, &[E], &[E], &mut [E], Write),
    /// Instance of [`reduced::backward_weight`] for `E`.
    pub conv2d_backward_weight: fn(Precision, &ConvShape, &[E], &[E], &mut [E]),
}

const REDUCED: Reduced<f32> = Reduced {
    conv2d: reduced::forward,
    conv2d_backward_input: reduced::backward_input,
    conv2d_backward_weight: reduced::backward_weight,
};

impl<E> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// The element types whose kernels are compiled in this crate. Sealed, as [`Element`] is.
pub trait CpuElement: Element {
    /// The CPU kernels of this type.
    fn cpu() -> &'static Table<Self>;
}

impl CpuElement for f32 {
    fn cpu() -> &'static Table<Self> {
        static TABLE: Table<f32> = Table { reduced: Some(REDUCED), ..Table::new() };
        &TABLE
    }
}

impl CpuElement for f64 {
    fn cpu() -> &'static Table<Self> {
        static TABLE: Table<f64> = Table::new();
        &TABLE
    }
}
