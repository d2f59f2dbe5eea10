//! The kernels of one element type behind function pointers.
//!
//! A generic kernel is compiled in the crate that names its element type, and as that crate is optimized. Layers are
//! instantiated in the user's crate, and the training loop calls optimizers from the zoo; going through this table they
//! find the kernels compiled, once, here.

use std::fmt;

use super::gemm::{Factor, MatrixLayout, Sizes};
use super::optimizer::{Adam, Sgd};
use super::{batch_norm, cross_entropy, gemm, optimizer};
use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::operations::operations;
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
                }
            }
        }
    };
}
operations!(table);

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
        static TABLE: Table<f32> = Table::new();
        &TABLE
    }
}

impl CpuElement for f64 {
    fn cpu() -> &'static Table<Self> {
        static TABLE: Table<f64> = Table::new();
        &TABLE
    }
}
