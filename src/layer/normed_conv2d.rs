//! A convolution and the batch norm of its output.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Rank4};
use dfdx::tensor::{Tape, Tensor};

use super::apply::Parameter;
use super::no_activation::moved;
use super::{BatchNorm2D, Conv2D};
use crate::backend::{Backend, ChannelsLayout, Scaling, Statistics};
use crate::container;
use crate::dim::Window;
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::Track;

/// A convolution and the batch norm of its output: what the two compute one after the other, in one pass where nothing
/// of either is learned.
///
/// Shapes: those of the convolution.
///
/// With running statistics a batch norm multiplies each output channel by a constant and adds one. Where neither layer
/// wants a gradient of a parameter, these go into a copy of the convolution's weight and bias, and the feature map is
/// not passed over again; the result is that of the two layers but for rounding. The copy takes as long as a pass over
/// as many elements, so that it is made where the output has no fewer.
#[derive(Clone, Debug, Default)]
pub struct NormedConv2D<C, N> {
    /// The convolution, whose output is normalized.
    pub conv: C,
    /// The batch norm of its output.
    pub norm: N,
}

container!(@build NormedConv2D { conv: C, norm: N });
moved!([C, N] NormedConv2D<C, N>);

/// Weight and bias of a convolution that does a batch norm's work too.
type Folded<E, D, const I: usize, const O: usize, const K: usize> =
    (Tensor<Rank4<O, I, K, K>, E, D>, Tensor<Rank1<O>, E, D>);

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, N, E, D>
    NormedConv2D<Conv2D<I, O, K, S, P, BIAS, E, D>, BatchNorm2D<O, N, E, D>>
where
    E: Dtype,
    D: Backend<E>,
{
    /// True if the two are computed as one convolution, for an output of that many pixels; `recorded` if on a tape, and
    /// for `learns` see [`Mode::trains`](super::Mode::trains).
    pub(super) fn folds(&self, pixels: usize, recorded: bool, learns: bool) -> Result<bool, Error> {
        let trained = self.conv.learns() || !self.norm.switches.affine_frozen;
        let worth_it = pixels >= I * K * K;
        if self.norm.switches.uses_batch(learns) || (recorded && trained) || !worth_it {
            return Ok(false);
        }
        // Parameters that a layer refuses are left to it, so that it returns its error.
        let norm = D::is_contiguous(&self.norm.scale)? && D::is_contiguous(&self.norm.shift)?;
        let bias = self.conv.bias.as_ref().map_or(Ok(true), D::is_contiguous)?;
        Ok(norm && bias && D::is_contiguous(&self.conv.weight)?)
    }

    /// `weight[o] gamma[o] / sqrt(var[o] + eps)`, and the bias that goes with it.
    fn fold(&self, device: &D) -> Result<Folded<E, D, I, O, K>, Error> {
        let Self { conv, norm } = self;
        let Statistics { mean, variance } = norm.running_statistics(device)?;
        let zeros = device.try_tensor_from_vec(vec![E::default(); O], (Const::<O>,)).map_err(Error::device)?;
        let run = || {
            let inv_std = device.inv_std(D::channels(&variance), norm.switches.epsilon)?;
            let (zeros, gamma, shift) = (D::read(&zeros), D::read(&norm.scale), D::read(&norm.shift));
            let (zeros, gamma, shift) = (D::view(&zeros), D::view(&gamma), D::view(&shift));
            let none = device.widened(zeros)?;
            let weight = device.try_create(*conv.weight.shape(), &mut |to| {
                let layout = ChannelsLayout { outer: 1, channels: O, inner: I * K * K };
                let scaling = Scaling { mean: D::channels(&none), inv_std: D::channels(&inv_std), gamma };
                device.normalize(layout, D::view(&D::read(&conv.weight)), scaling, zeros, to)
            })?;
            let bias = device.try_create((Const::<O>,), &mut |to| {
                let layout = ChannelsLayout { outer: 1, channels: O, inner: 1 };
                let scaling = Scaling { mean: D::channels(&mean), inv_std: D::channels(&inv_std), gamma };
                match &conv.bias {
                    Some(bias) => device.normalize(layout, D::view(&D::read(bias)), scaling, shift, to),
                    None => device.normalize(layout, zeros, scaling, shift, to),
                }
            })?;
            Ok::<_, D::Err>((weight, bias))
        };
        measure("batch norm", Direction::Forward, run).map_err(Error::device)
    }

    /// True if the two are computed as one convolution, for this input; `mutable` in `forward_mut`.
    fn is_one<B: Dim, H: Window<K, S, P>, W: Window<K, S, P>, T: Track<E, D>>(
        &self,
        x: &Tensor<(B, Const<I>, H, W), E, D, T>,
        mutable: bool,
    ) -> Result<bool, Error> {
        let (batch, _, height, width) = *x.shape();
        let pixels = batch.size() * height.try_slide()?.size() * width.try_slide()?.size();
        let recorded = <T as Tape<E, D>>::OWNS_TAPE;
        self.folds(pixels, recorded, mutable && recorded)
    }

    /// Weight and bias of that convolution.
    fn parameters(&self, device: &D) -> Result<Vec<Parameter<E, D>>, Error> {
        let (weight, bias) = self.fold(device)?;
        Ok(vec![Parameter::new("weight", &weight, false), Parameter::new("bias", &bias, false)])
    }
}

impl<
    const I: usize,
    const O: usize,
    const K: usize,
    const S: usize,
    const P: usize,
    const BIAS: bool,
    N,
    B,
    H,
    W,
    E,
    D,
    T,
> Module<Tensor<(B, Const<I>, H, W), E, D, T>>
    for NormedConv2D<Conv2D<I, O, K, S, P, BIAS, E, D>, BatchNorm2D<O, N, E, D>>
where
    B: Dim,
    H: Window<K, S, P>,
    W: Window<K, S, P>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<O>, H::Out, W::Out), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        if self.is_one(&x, false)? {
            let parameters = self.parameters(x.device())?;
            return Conv2D::<I, O, K, S, P, BIAS, E, D>::convolve(x, parameters, self.conv.precision);
        }
        self.norm.try_forward(self.conv.try_forward(x)?)
    }
}

impl<
    const I: usize,
    const O: usize,
    const K: usize,
    const S: usize,
    const P: usize,
    const BIAS: bool,
    N,
    B,
    H,
    W,
    E,
    D,
    T,
> ModuleMut<Tensor<(B, Const<I>, H, W), E, D, T>>
    for NormedConv2D<Conv2D<I, O, K, S, P, BIAS, E, D>, BatchNorm2D<O, N, E, D>>
where
    B: Dim,
    H: Window<K, S, P>,
    W: Window<K, S, P>,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<O>, H::Out, W::Out), E, D, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<(B, Const<I>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        if self.is_one(&x, true)? {
            let parameters = self.parameters(x.device())?;
            return Conv2D::<I, O, K, S, P, BIAS, E, D>::convolve(x, parameters, self.conv.precision);
        }
        self.norm.try_forward_mut(self.conv.try_forward(x)?)
    }
}
