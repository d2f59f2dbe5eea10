//! Maximum and average pooling over windows.

use dfdx::nn::{Module, NonMutableModule, ZeroSizedModule};
use dfdx::shapes::{Const, Dim, Dtype, HasShape};
use dfdx::tensor::Tensor;

use super::apply::{Keep, Operation, Pass, apply};
use super::layer_summary::{Extent, LayerKind};
use super::visit::nothing_to_visit;
use crate::backend::Backend;
use crate::dim::Window;
use crate::error::Error;
use crate::kernel::shape;
use crate::kernel::shape::{MaxPadding, PoolShape};
use crate::tape::{Flow, Track};

/// The largest element of each `K x K` window; padding counts as minus infinity, as in torch.
///
/// Shapes: `(B, C, H, W)` to `(B, C, H', W')` with `H' = (H + 2 P - K) / S + 1`, rounded down. The gradient goes to the
/// first largest element in row-major order. A NaN in a window is its largest element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPool2D<const K: usize, const S: usize, const P: usize = 0>;

/// The largest element of each `K x K` window of the image padded with zeros: Keras' `ZeroPadding2D(P)` followed by
/// `MaxPooling2D(K, S, "valid")`. Differs from [`MaxPool2D`] wherever a window at the border has only negative
/// elements.
///
/// Shapes and ties as for [`MaxPool2D`]; where the padding wins, the gradient goes nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZeroPaddedMaxPool2D<const K: usize, const S: usize, const P: usize>;

/// The mean of each `K x K` window; padding counts as zeros, as in torch with `count_include_pad`.
///
/// Shapes as for [`MaxPool2D`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AvgPool2D<const K: usize, const S: usize, const P: usize = 0>;

/// Sizes of one application.
fn pool_shape<const K: usize, const S: usize, const P: usize>(
    (batch, channels, height, width): (usize, usize, usize, usize),
) -> PoolShape {
    const { assert!(K <= shape::MAX_KERNEL, "a pool's window has at most 15 rows and columns") };
    const { assert!(2 * P <= K, "a pool's padding is at most half its window, or a window could lie wholly in it") };
    PoolShape { batch, channels, in_height: height, in_width: width, kernel: K, stride: S, padding: P }
}

/// The reduction of a window to one element.
#[derive(Clone, Copy)]
enum Pool {
    Max(MaxPadding),
    Average,
}

macro_rules! pool {
    ($name:ident, $pool:expr) => {
        impl<const K: usize, const S: usize, const P: usize> ZeroSizedModule for $name<K, S, P> {}
        impl<const K: usize, const S: usize, const P: usize> NonMutableModule for $name<K, S, P> {}
        nothing_to_visit!([const K: usize, const S: usize, const P: usize] $name<K, S, P>, |input: Extent| {
            let kind = LayerKind::Pool2D { name: stringify!($name), kernel: K, stride: S, padding: P };
            (kind, input.slide::<K, S, P>())
        });

        impl<const K: usize, const S: usize, const P: usize, B, const C: usize, H, W, E, D, T>
            Module<Tensor<(B, Const<C>, H, W), E, D, T>> for $name<K, S, P>
        where
            B: Dim,
            H: Window<K, S, P>,
            W: Window<K, S, P>,
            E: Dtype,
            D: Backend<E>,
            T: Track<E, D>,
        {
            type Output = Tensor<(B, Const<C>, H::Out, W::Out), E, D, T>;
            type Error = Error;

            fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
                let (batch, channels, height, width) = *x.shape();
                let out_shape = (batch, channels, height.try_slide()?, width.try_slide()?);
                let shape = pool_shape::<K, S, P>((batch.size(), C, height.size(), width.size()));
                apply(x, out_shape, Box::new(Pooling::<E, D> { shape, pool: $pool, argmax: None }))
            }
        }
    };
}
pool!(MaxPool2D, Pool::Max(MaxPadding::NegativeInfinity));
pool!(ZeroPaddedMaxPool2D, Pool::Max(MaxPadding::Zero));
pool!(AvgPool2D, Pool::Average);

struct Pooling<E: Dtype, D: Backend<E>> {
    shape: PoolShape,
    pool: Pool,
    /// Position of each largest element within its window: one byte instead of the whole input kept.
    argmax: Option<D::Bytes>,
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Pooling<E, D> {
    fn kind(&self) -> &'static str {
        "pool"
    }
    fn keeps(&self) -> Keep {
        Keep::Nothing
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, differentiate: bool) -> Result<(), D::Err> {
        match self.pool {
            Pool::Max(padding) => {
                self.argmax = device.max_pool(self.shape, padding, x, y, differentiate)?;
                Ok(())
            }
            Pool::Average => device.average_pool(self.shape, true, x, y),
        }
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, grad_output, input, .. } = pass;
        let Some(input) = input else { return Ok(()) };
        let grad_output = D::memory(&grad_output);
        input.give(flow, |grad_x, write| match &self.argmax {
            Some(argmax) => device.max_pool_backward(self.shape, argmax, grad_output, grad_x, write),
            None => device.average_pool_backward(self.shape, true, grad_output, grad_x, write),
        })
    }
}
