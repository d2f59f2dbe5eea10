//! Batch normalisation over images.

use std::marker::PhantomData;

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection, TensorOptions};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1};
use dfdx::tensor::{Cpu, Storage, Tape, Tensor};

use super::contiguous::contiguous;
use super::switches::Mode;
use super::walk::{Path, Role, Switches, Walk, Walker, WalkerMut, hand_out, show};
use super::{parameter, take, tensor};
use crate::error::Error;
use crate::kernel::cpu::Layout;
use crate::kernel::cpu::batch_norm::{self, Correction, Gradients, Scaling, Statistics};
use crate::kernel::{Element, view};
use crate::tape::{Track, id};

pub mod builder {
    //! What networks are written in.

    /// A batch norm; see [`layer::BatchNorm2D`](crate::layer::BatchNorm2D).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct BatchNorm2D<const C: usize, P = super::Torch>(std::marker::PhantomData<P>);
}

/// The constants that a framework builds its batch norms with: a property of a model, like its widths.
pub trait BatchNormDefaults: Clone + std::fmt::Debug + Default + Send + Sync + 'static {
    /// Added to the variance under the root.
    const EPSILON: f64;
    /// Share of the batch in the running statistics: `running = (1 - momentum) running + momentum batch`.
    const MOMENTUM: f64;
    /// Which batch variance goes into the running one.
    const CORRECTION: Correction;
}

/// `torch.nn.BatchNorm2d`: eps 1e-5, momentum 0.1, unbiased running variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Torch;

impl BatchNormDefaults for Torch {
    const EPSILON: f64 = 1e-5;
    const MOMENTUM: f64 = 0.1;
    const CORRECTION: Correction = Correction::Unbiased;
}

/// `keras.layers.BatchNormalization`: eps 1e-3, momentum 0.01 (which Keras calls 0.99), biased running variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keras;

impl BatchNormDefaults for Keras {
    const EPSILON: f64 = 1e-3;
    const MOMENTUM: f64 = 0.01;
    const CORRECTION: Correction = Correction::Biased;
}

/// How a batch norm behaves; each value is independent of the others and of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormSwitches {
    /// [`Mode::Train`] normalises by the batch unless the statistics are frozen, [`Mode::Eval`] by the running statistics.
    pub mode: Mode,
    /// Running statistics are used in both modes and never change.
    pub statistics_frozen: bool,
    /// Scale and shift get no gradient and no update.
    pub affine_frozen: bool,
    /// Added to the variance under the root.
    pub epsilon: f64,
    /// Share of the batch in the running statistics.
    pub momentum: f64,
    /// Which batch variance goes into the running one.
    pub correction: Correction,
}

impl BatchNormSwitches {
    fn of<P: BatchNormDefaults>() -> Self {
        Self {
            mode: Mode::default(),
            statistics_frozen: false,
            affine_frozen: false,
            epsilon: P::EPSILON,
            momentum: P::MOMENTUM,
            correction: P::CORRECTION,
        }
    }

    /// Whether the statistics of the batch are used.
    pub fn uses_batch(&self) -> bool {
        self.mode == Mode::Train && !self.statistics_frozen
    }
}

/// `y = scale (x - mean) / sqrt(variance + eps) + shift`, by channel (Ioffe and Szegedy 2015).
///
/// Shapes: `(B, C, H, W)` to the same. Mean and (biased) variance are those of the batch or the running ones, see
/// [`BatchNormSwitches`]; either way a tape may be on the input. `forward_mut` moves the running statistics towards those
/// of the batch it was normalised by; `forward` never changes them. Start values: scale 1, shift 0, running mean 0,
/// running variance 1.
#[derive(Clone, Debug)]
pub struct BatchNorm2D<const C: usize, P, E: Dtype, D: Storage<E>> {
    /// Scale (gamma), `[channels]`.
    pub scale: Tensor<Rank1<C>, E, D>,
    /// Shift (beta), `[channels]`.
    pub shift: Tensor<Rank1<C>, E, D>,
    /// Running mean, `[channels]`.
    pub running_mean: Tensor<Rank1<C>, E, D>,
    /// Running variance, `[channels]`.
    pub running_var: Tensor<Rank1<C>, E, D>,
    /// How it behaves.
    pub switches: BatchNormSwitches,
    defaults: PhantomData<P>,
}

impl<const C: usize, P: BatchNormDefaults, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for builder::BatchNorm2D<C, P>
where
    BatchNorm2D<C, P, E, D>: BuildModule<D, E>,
{
    type Built = BatchNorm2D<C, P, E, D>;
}

impl<const C: usize, P: BatchNormDefaults, E: Dtype, D: Device<E>> TensorCollection<E, D> for BatchNorm2D<C, P, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = BatchNorm2D<C, P, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor("scale", |s| &s.scale, |s| &mut s.scale, TensorOptions::reset_to_ones()),
                Self::tensor("shift", |s| &s.shift, |s| &mut s.shift, TensorOptions::reset_to_zeros()),
                Self::tensor(
                    "running_mean",
                    |s| &s.running_mean,
                    |s| &mut s.running_mean,
                    TensorOptions::detached(|t| t.try_fill_with_zeros()),
                ),
                Self::tensor(
                    "running_var",
                    |s| &s.running_var,
                    |s| &mut s.running_var,
                    TensorOptions::detached(|t| t.try_fill_with_ones()),
                ),
            ),
            |(scale, shift, running_mean, running_var)| BatchNorm2D {
                scale,
                shift,
                running_mean,
                running_var,
                switches: BatchNormSwitches::of::<P>(),
                defaults: PhantomData,
            },
        )
    }
}

impl<const C: usize, P, E: Dtype, D: Storage<E>> Walk<E, D> for BatchNorm2D<C, P, E, D> {
    fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        let frozen = self.switches.affine_frozen;
        show(path, walker, ("scale", Role::Scale, frozen), &self.scale)?;
        show(path, walker, ("shift", Role::Shift, frozen), &self.shift)?;
        show(path, walker, ("running_mean", Role::RunningMean, true), &self.running_mean)?;
        show(path, walker, ("running_var", Role::RunningVariance, true), &self.running_var)
    }
    fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        walker.switches(path.as_str(), Switches::BatchNorm(&mut self.switches))?;
        let frozen = self.switches.affine_frozen;
        hand_out(path, walker, ("scale", Role::Scale, frozen), &mut self.scale)?;
        hand_out(path, walker, ("shift", Role::Shift, frozen), &mut self.shift)?;
        hand_out(path, walker, ("running_mean", Role::RunningMean, true), &mut self.running_mean)?;
        hand_out(path, walker, ("running_var", Role::RunningVariance, true), &mut self.running_var)
    }
}

impl<const C: usize, P, E: Element + Dtype> BatchNorm2D<C, P, E, Cpu> {
    fn running_statistics(&self) -> Statistics {
        let widen = |tensor| view::read(tensor).iter().map(|&value: &E| value.wide()).collect();
        Statistics { mean: widen(&self.running_mean), variance: widen(&self.running_var) }
    }

    /// Normalises, and returns the statistics of the batch if those were used.
    #[allow(clippy::type_complexity)]
    fn normalize<B: Dim, H: Dim, W: Dim, T: Track<E, Cpu>>(
        &self,
        x: Tensor<(B, Const<C>, H, W), E, Cpu, T>,
    ) -> Result<(Tensor<(B, Const<C>, H, W), E, Cpu, T>, Option<Statistics>), Error> {
        let x = contiguous(x)?;
        let out_shape = *x.shape();
        let (batch, _, height, width) = out_shape;
        let layout = Layout { outer: batch.size(), channels: C, inner: height.size() * width.size() };
        let (x, mut tape) = x.split_tape();

        let uses_batch = self.switches.uses_batch();
        let values = view::read(&x);
        let statistics =
            if uses_batch { batch_norm::batch_statistics(layout, &values) } else { self.running_statistics() };
        let inv_std = statistics.inv_std(self.switches.epsilon);
        let mut y = vec![E::default(); values.len()];
        {
            let (gamma, beta) = (parameter("scale", &self.scale)?, parameter("shift", &self.shift)?);
            let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
            batch_norm::normalize(layout, &values, scaling, &beta, &mut y);
        }
        drop(values);
        let y = tensor(x.device(), y, out_shape)?;

        let (train, wants_grad_x) = (!self.switches.affine_frozen, tape.requires_grad());
        if <T as Tape<E, Cpu>>::OWNS_TAPE && (train || wants_grad_x) {
            let trained = if train { vec![id(&self.scale), id(&self.shift)] } else { Vec::new() };
            let (x_ghost, y_ghost, shift_ghost) = (x.ghost(), y.ghost(), self.shift.ghost());
            // With constant statistics and a frozen affine part the gradient is a multiple: the input is not kept.
            let kept_x = (train || uses_batch).then_some(x);
            let (scale, mean) = (self.scale.clone(), statistics.mean.clone());
            tape.record(&trained, move |grads| {
                let cotangent = take(grads.get_or_alloc_mut(&y_ghost)?);
                let x = kept_x.as_ref().map(view::read).unwrap_or_default();
                // Moved out and back in, because only one gradient can be borrowed at a time.
                let mut grad_affine = if train {
                    Some((take(grads.get_or_alloc_mut(&scale)?), take(grads.get_or_alloc_mut(&shift_ghost)?)))
                } else {
                    None
                };
                let (gamma, beta) = grad_affine.as_mut().map(|(gamma, beta)| (&mut gamma[..], &mut beta[..])).unzip();
                let x_slot = if wants_grad_x { Some(&mut grads.get_or_alloc_mut(&x_ghost)?[..]) } else { None };
                let gradients = Gradients { x: x_slot, gamma, beta };
                let scaling = Scaling { mean: &mean, inv_std: &inv_std, gamma: &view::read(&scale) };
                if uses_batch {
                    batch_norm::backward(layout, &x, scaling, &cotangent, gradients);
                } else {
                    batch_norm::backward_running(layout, &x, scaling, &cotangent, gradients);
                }
                if let Some((grad_scale, grad_shift)) = grad_affine {
                    **grads.get_or_alloc_mut(&scale)? = grad_scale;
                    **grads.get_or_alloc_mut(&shift_ghost)? = grad_shift;
                }
                Ok(())
            });
        }
        Ok((y.put_tape(tape), uses_batch.then_some(statistics)))
    }
}

impl<const C: usize, P, B: Dim, H: Dim, W: Dim, E: Element + Dtype, T: Track<E, Cpu>>
    Module<Tensor<(B, Const<C>, H, W), E, Cpu, T>> for BatchNorm2D<C, P, E, Cpu>
{
    type Output = Tensor<(B, Const<C>, H, W), E, Cpu, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, Cpu, T>) -> Result<Self::Output, Error> {
        Ok(self.normalize(x)?.0)
    }
}

impl<const C: usize, P, B: Dim, H: Dim, W: Dim, E: Element + Dtype, T: Track<E, Cpu>>
    ModuleMut<Tensor<(B, Const<C>, H, W), E, Cpu, T>> for BatchNorm2D<C, P, E, Cpu>
{
    type Output = Tensor<(B, Const<C>, H, W), E, Cpu, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<(B, Const<C>, H, W), E, Cpu, T>) -> Result<Self::Output, Error> {
        let (batch, _, height, width) = *x.shape();
        let count = batch.size() * height.size() * width.size();
        let (y, statistics) = self.normalize(x)?;
        // An empty batch has no statistics to learn from.
        if let Some(Statistics { mean, variance }) = statistics
            && count > 0
        {
            let BatchNormSwitches { momentum, correction, .. } = self.switches;
            view::with_mut(&mut self.running_mean, |running| batch_norm::update_running(running, &mean, momentum))?;
            view::with_mut(&mut self.running_var, |running| {
                batch_norm::update_running_variance(running, &variance, momentum, count, correction);
            })?;
        }
        Ok(y)
    }
}
