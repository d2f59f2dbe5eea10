//! The kernels of one element type behind function pointers.
//!
//! A generic kernel is compiled in the crate that names its element type, and as that crate is optimized. Layers are
//! instantiated in the user's crate, and the training loop calls optimizers from the zoo; going through this table they
//! find the kernels compiled, once, here.

use super::batch_norm::{self, Gradients, Scaling, Statistics};
use super::gemm::{self, Factor, Sizes};
use super::optimizer::{self, Adam, Sgd};
use super::{add, columns, conv2d, cross_entropy, dropout, linear, multiply, pool2d, subsample, upsample};
use crate::kernel::Element;
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::shape::{Columns, ConvShape, MaxPadding, PoolShape, Subsample, Upsample};
use crate::kernel::write::Write;

type Unary<E, S> = fn(S, &[E], &mut [E]);

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $kernel:path;)*) => {
        /// The kernels that layers call; each field is documented where the function is.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub struct Table<E: 'static> {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl<E: Element> Table<E> {
            /// The kernels in `E`, compiled in the crate that calls this with a concrete `E`.
            pub(crate) const fn new() -> Self {
                Self { $($name: $kernel,)* }
            }
        }
    };
}
table! {
    add: fn(&[E], &[E], &mut [E]) = add::add;
    add_assign: fn(&mut [E], &[E]) = add::add_assign;
    copy: fn(&[E], &mut [E]) = add::copy;
    multiply: fn(usize, &[E], &[E], &mut [E], Write) = multiply::multiply;
    multiply_backward_gate: fn(usize, &[E], &[E], &mut [E], Write) = multiply::multiply_backward_gate;
    write_columns: Unary<E, Columns> = columns::write_columns;
    read_columns: fn(Columns, &[E], &mut [E], Write) = columns::read_columns;
    conv2d: fn(&ConvShape, &[E], &[E], Option<&[E]>, &mut [E]) = conv2d::forward;
    conv2d_backward_input: fn(&ConvShape, &[E], &[E], &mut [E], Write) = conv2d::backward_input;
    conv2d_backward_weight: fn(&ConvShape, &[E], &[E], &mut [E]) = conv2d::backward_weight;
    conv2d_backward_bias: fn(&ConvShape, &[E], &mut [E]) = conv2d::backward_bias;
    linear: fn(usize, usize, usize, &[E], &[E], Option<&[E]>, &mut [E]) = linear::forward;
    linear_backward_input: fn(usize, usize, usize, &[E], &[E], &mut [E], Write) = linear::backward_input;
    linear_backward_weight: fn(usize, usize, usize, &[E], &[E], &mut [E]) = linear::backward_weight;
    linear_backward_bias: fn(usize, usize, &[E], &mut [E]) = linear::backward_bias;
    batch_statistics: fn(ChannelsLayout, &[E]) -> Statistics = batch_norm::batch_statistics;
    normalize: fn(ChannelsLayout, &[E], Scaling<'_, E>, &[E], &mut [E]) = batch_norm::normalize;
    normalize_in_place: fn(ChannelsLayout, Scaling<'_, E>, &[E], &mut [E]) = batch_norm::normalize_in_place;
    batch_norm_backward: fn(ChannelsLayout, &[E], Scaling<'_, E>, &[E], Gradients<'_, E>) = batch_norm::backward;
    batch_norm_backward_running: fn(ChannelsLayout, &[E], Scaling<'_, E>, &[E], Gradients<'_, E>) =
        batch_norm::backward_running;
    max_pool: fn(PoolShape, MaxPadding, &[E], &mut [E], Option<&mut [u8]>) = pool2d::max_pool;
    max_pool_backward: fn(PoolShape, &[u8], &[E], &mut [E], Write) = pool2d::max_pool_backward;
    average_pool: fn(PoolShape, bool, &[E], &mut [E]) = pool2d::average_pool;
    average_pool_backward: fn(PoolShape, bool, &[E], &mut [E], Write) = pool2d::average_pool_backward;
    global_average_pool: Unary<E, usize> = pool2d::global_average_pool;
    global_average_pool_backward: fn(usize, &[E], &mut [E], Write) = pool2d::global_average_pool_backward;
    subsample: Unary<E, Subsample> = subsample::forward;
    subsample_backward: fn(Subsample, &[E], &mut [E], Write) = subsample::backward;
    upsample: Unary<E, Upsample> = upsample::forward;
    upsample_backward: fn(Upsample, &[E], &mut [E], Write) = upsample::backward;
    dropout: fn(u64, f64, &[E], &mut [E]) = dropout::apply;
    dropout_accumulate: fn(u64, f64, &[E], &mut [E]) = dropout::apply_accumulate;
    cross_entropy: fn(&[E], usize, &[usize], f64, &mut [E]) -> f64 = cross_entropy::cross_entropy_smoothed;
    top_k_correct: fn(&[E], usize, &[usize], usize) -> usize = cross_entropy::top_k_correct;
    product: fn(Sizes, Write, Factor<'_, E>, Factor<'_, E>, &mut [E], gemm::MatrixLayout) = gemm::product;
    sgd: fn(&mut [E], &[E], &mut [E], Sgd) = optimizer::sgd;
    adam: fn(&mut [E], &[E], &mut [E], &mut [E], u64, Adam) = optimizer::adam;
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
