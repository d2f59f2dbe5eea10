//! Two-dimensional convolution.

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Rank4};
use dfdx::tensor::{Cpu, Storage, Tape, Tensor};

use super::contiguous::contiguous;
use super::init::HeNormal;
use super::walk::{Path, Role, Switches, Walk, Walker, WalkerMut, hand_out, show};
use super::{parameter, take, tensor};
use crate::dim::Window;
use crate::error::Error;
use crate::kernel::cpu::conv2d::{self, ConvShape};
use crate::kernel::{Element, view};
use crate::tape::{Track, id};

pub mod builder {
    //! What networks are written in.

    /// A convolution; see [`layer::Conv2D`](crate::layer::Conv2D).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Conv2D<
        const I: usize,
        const O: usize,
        const K: usize,
        const S: usize = 1,
        const P: usize = 0,
        const BIAS: bool = true,
    >;
}

/// `y[n, o] = bias[o] + sum over c of weight[o, c] * x[n, c]`, cross-correlated over windows of `K x K`.
///
/// Shapes: `(B, I, H, W)` to `(B, O, H', W')` with `H' = (H + 2 P - K) / S + 1`, rounded down; the padding is zero.
/// Start values: weight normal with variance `2 / (I K K)` (He et al. 2015), bias zero.
///
/// Frozen, it computes no gradient of weight and bias, keeps no input for one, and stays as it is.
#[derive(Clone, Debug)]
pub struct Conv2D<
    const I: usize,
    const O: usize,
    const K: usize,
    const S: usize,
    const P: usize,
    const BIAS: bool,
    E: Dtype,
    D: Storage<E>,
> {
    /// Weight, `[out, in, row, column]`.
    pub weight: Tensor<Rank4<O, I, K, K>, E, D>,
    /// Bias, `[out]`; present exactly if `BIAS`.
    pub bias: Option<Tensor<Rank1<O>, E, D>>,
    /// Whether weight and bias are frozen.
    pub frozen: bool,
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    BuildOnDevice<D, E> for builder::Conv2D<I, O, K, S, P, BIAS>
where
    E: Dtype,
    D: Device<E>,
    Conv2D<I, O, K, S, P, BIAS, E, D>: BuildModule<D, E>,
{
    type Built = Conv2D<I, O, K, S, P, BIAS, E, D>;
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    TensorCollection<E, D> for Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Device<E>,
{
    type To<E2: Dtype, D2: Device<E2>> = Conv2D<I, O, K, S, P, BIAS, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let weight = Self::tensor(
            "weight",
            |s| &s.weight,
            |s| &mut s.weight,
            TensorOptions::reset_with(|t| t.try_fill_with_distr(HeNormal { fan_in: I * K * K })),
        );
        // A layer without bias has an empty list of biases to visit.
        let bias = BIAS.then(|| {
            Self::tensor(
                "bias",
                |s: &Self| s.bias.as_ref().expect("BIAS says that there is one"),
                |s: &mut Self| s.bias.as_mut().expect("BIAS says that there is one"),
                TensorOptions::reset_to_zeros(),
            )
        });
        visitor.visit_fields((weight, Vec::from_iter(bias)), |(weight, bias)| Conv2D {
            weight,
            bias: bias.into_iter().next(),
            frozen: false,
        })
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D> Walk<E, D>
    for Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Storage<E>,
{
    fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        show(path, walker, ("weight", Role::Weight, self.frozen), &self.weight)?;
        self.bias.iter().try_for_each(|bias| show(path, walker, ("bias", Role::Bias, self.frozen), bias))
    }
    fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        walker.switches(path.as_str(), Switches::Weights { frozen: &mut self.frozen })?;
        hand_out(path, walker, ("weight", Role::Weight, self.frozen), &mut self.weight)?;
        self.bias.iter_mut().try_for_each(|bias| hand_out(path, walker, ("bias", Role::Bias, self.frozen), bias))
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    NonMutableModule for Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Storage<E>,
{
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, B, H, W, E, T>
    Module<Tensor<(B, Const<I>, H, W), E, Cpu, T>> for Conv2D<I, O, K, S, P, BIAS, E, Cpu>
where
    B: Dim,
    H: Window<K, S, P>,
    W: Window<K, S, P>,
    E: Element + Dtype,
    T: Track<E, Cpu>,
{
    type Output = Tensor<(B, Const<O>, H::Out, W::Out), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>, H, W), E, Cpu, T>) -> Result<Self::Output, Error> {
        let x = contiguous(x)?;
        let (batch, _, height, width) = *x.shape();
        let out_shape = (batch, Const, height.try_slide()?, width.try_slide()?);
        let shape = ConvShape {
            batch: batch.size(),
            in_channels: I,
            in_height: height.size(),
            in_width: width.size(),
            out_channels: O,
            kernel: K,
            stride: S,
            padding: P,
        };
        let (x, mut tape) = x.split_tape();
        let mut y = vec![E::default(); shape.output_len()];
        {
            let bias = self.bias.as_ref().map(|bias| parameter("bias", bias)).transpose()?;
            conv2d::forward(&shape, &view::read(&x), &parameter("weight", &self.weight)?, bias.as_deref(), &mut y);
        }
        let y = tensor(x.device(), y, out_shape)?;

        let (train, wants_grad_x) = (!self.frozen, tape.requires_grad());
        if <T as Tape<E, Cpu>>::OWNS_TAPE && (train || wants_grad_x) {
            let mut trained = Vec::new();
            if train {
                trained.push(id(&self.weight));
                trained.extend(self.bias.iter().map(id));
            }
            let (x_ghost, y_ghost) = (x.ghost(), y.ghost());
            let kept_x = train.then_some(x);
            let weight = self.weight.clone();
            let bias_ghost = self.bias.as_ref().map(Tensor::ghost);
            tape.record(&trained, move |grads| {
                let cotangent = take(grads.get_or_alloc_mut(&y_ghost)?);
                if let Some(x) = kept_x {
                    let grad_weight = grads.get_or_alloc_mut(&weight)?;
                    conv2d::backward_weight(&shape, &view::read(&x), &cotangent, grad_weight);
                    if let Some(bias_ghost) = bias_ghost {
                        conv2d::backward_bias(&shape, &cotangent, grads.get_or_alloc_mut(&bias_ghost)?);
                    }
                }
                if wants_grad_x {
                    let grad_x = grads.get_or_alloc_mut(&x_ghost)?;
                    conv2d::backward_input(&shape, &view::read(&weight), &cotangent, grad_x);
                }
                Ok(())
            });
        }
        Ok(y.put_tape(tape))
    }
}
