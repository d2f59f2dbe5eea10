//! Fully connected layer.

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Rank2};
use dfdx::tensor::{Cpu, Storage, Tape, Tensor};

use super::contiguous::contiguous;
use super::init::HeNormal;
use super::walk::{Path, Role, Switches, Walk, Walker, WalkerMut, hand_out, show};
use super::{parameter, take, tensor};
use crate::error::Error;
use crate::kernel::cpu::linear;
use crate::kernel::{Element, view};
use crate::tape::{Track, id};

pub mod builder {
    //! What networks are written in.

    /// A fully connected layer; see [`layer::Linear`](crate::layer::Linear).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Linear<const I: usize, const O: usize>;
}

/// `y = x weight^T + bias`.
///
/// Shapes: `(B, I)` to `(B, O)`. Start values: weight normal with variance `2 / I` (He et al. 2015), bias zero.
///
/// Frozen, it computes no gradient of weight and bias, keeps no input for one, and stays as it is.
#[derive(Clone, Debug)]
pub struct Linear<const I: usize, const O: usize, E: Dtype, D: Storage<E>> {
    /// Weight, `[out, in]`.
    pub weight: Tensor<Rank2<O, I>, E, D>,
    /// Bias, `[out]`.
    pub bias: Tensor<Rank1<O>, E, D>,
    /// Whether weight and bias are frozen.
    pub frozen: bool,
}

impl<const I: usize, const O: usize, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for builder::Linear<I, O>
where
    Linear<I, O, E, D>: BuildModule<D, E>,
{
    type Built = Linear<I, O, E, D>;
}

impl<const I: usize, const O: usize, E: Dtype, D: Device<E>> TensorCollection<E, D> for Linear<I, O, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Linear<I, O, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor(
                    "weight",
                    |s| &s.weight,
                    |s| &mut s.weight,
                    TensorOptions::reset_with(|t| t.try_fill_with_distr(HeNormal { fan_in: I })),
                ),
                Self::tensor("bias", |s| &s.bias, |s| &mut s.bias, TensorOptions::reset_to_zeros()),
            ),
            |(weight, bias)| Linear { weight, bias, frozen: false },
        )
    }
}

impl<const I: usize, const O: usize, E: Dtype, D: Storage<E>> Walk<E, D> for Linear<I, O, E, D> {
    fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        show(path, walker, ("weight", Role::Weight, self.frozen), &self.weight)?;
        show(path, walker, ("bias", Role::Bias, self.frozen), &self.bias)
    }
    fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        walker.switches(path.as_str(), Switches::Weights { frozen: &mut self.frozen })?;
        hand_out(path, walker, ("weight", Role::Weight, self.frozen), &mut self.weight)?;
        hand_out(path, walker, ("bias", Role::Bias, self.frozen), &mut self.bias)
    }
}

impl<const I: usize, const O: usize, E: Dtype, D: Storage<E>> NonMutableModule for Linear<I, O, E, D> {}

impl<const I: usize, const O: usize, B, E, T> Module<Tensor<(B, Const<I>), E, Cpu, T>> for Linear<I, O, E, Cpu>
where
    B: Dim,
    E: Element + Dtype,
    T: Track<E, Cpu>,
{
    type Output = Tensor<(B, Const<O>), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>), E, Cpu, T>) -> Result<Self::Output, Error> {
        let x = contiguous(x)?;
        let (batch, _) = *x.shape();
        let rows = batch.size();
        let (x, mut tape) = x.split_tape();
        let mut y = vec![E::default(); rows * O];
        let bias = parameter("bias", &self.bias)?;
        linear::forward(rows, I, O, &view::read(&x), &parameter("weight", &self.weight)?, Some(&bias), &mut y);
        let y = tensor(x.device(), y, (batch, Const))?;

        let (train, wants_grad_x) = (!self.frozen, tape.requires_grad());
        if <T as Tape<E, Cpu>>::OWNS_TAPE && (train || wants_grad_x) {
            let trained = if train { vec![id(&self.weight), id(&self.bias)] } else { Vec::new() };
            let (x_ghost, y_ghost, bias_ghost) = (x.ghost(), y.ghost(), self.bias.ghost());
            let kept_x = train.then_some(x);
            let weight = self.weight.clone();
            tape.record(&trained, move |grads| {
                let cotangent = take(grads.get_or_alloc_mut(&y_ghost)?);
                if let Some(x) = kept_x {
                    let grad_weight = grads.get_or_alloc_mut(&weight)?;
                    linear::backward_weight(rows, I, O, &view::read(&x), &cotangent, grad_weight);
                    linear::backward_bias(rows, O, &cotangent, grads.get_or_alloc_mut(&bias_ghost)?);
                }
                if wants_grad_x {
                    let grad_x = grads.get_or_alloc_mut(&x_ghost)?;
                    linear::backward_input(rows, I, O, &view::read(&weight), &cotangent, grad_x);
                }
                Ok(())
            });
        }
        Ok(y.put_tape(tape))
    }
}
