//! Batch normalisation over images.

use std::marker::PhantomData;

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection, TensorOptions};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1};
use dfdx::tensor::{Cpu, CpuError, Storage, Tensor};

use super::any_tensor::Host;
use super::apply::{Keep, Operation, Parameter, Pass, apply_in_place};
use super::contiguous::contiguous;
use super::outline::{Extent, LayerKind, LayerOutline};
use super::switches::Mode;
use super::walk::{Path, Role, Switches, Walk, Walker, WalkerMut, hand_out, show};
use crate::error::Error;
use crate::kernel::cpu::batch_norm::{self, Correction, Gradients, Scaling, Statistics};
use crate::kernel::cpu::{InputGradient, Layout};
use crate::kernel::{Element, view};
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Track};

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

/// The ResNets of `keras.applications`: as [`Keras`], with eps 1.001e-5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KerasResNet;

impl BatchNormDefaults for KerasResNet {
    const EPSILON: f64 = 1.001e-5;
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

impl<const C: usize, P, E: Dtype, D: Host<E>> Walk<E, D> for BatchNorm2D<C, P, E, D> {
    fn walk(&self, path: &mut Path, walker: &mut dyn Walker<E, D>) -> Result<(), Error> {
        let BatchNormSwitches { affine_frozen: affine, statistics_frozen: statistics, .. } = self.switches;
        show(path, walker, ("scale", Role::Scale, affine), &self.scale)?;
        show(path, walker, ("shift", Role::Shift, affine), &self.shift)?;
        show(path, walker, ("running_mean", Role::RunningMean, statistics), &self.running_mean)?;
        show(path, walker, ("running_var", Role::RunningVariance, statistics), &self.running_var)
    }
    fn walk_mut(&mut self, path: &mut Path, walker: &mut dyn WalkerMut<E, D>) -> Result<(), Error> {
        walker.switches(path.as_str(), Switches::BatchNorm(&mut self.switches))?;
        let BatchNormSwitches { affine_frozen: affine, statistics_frozen: statistics, .. } = self.switches;
        hand_out(path, walker, ("scale", Role::Scale, affine), &mut self.scale)?;
        hand_out(path, walker, ("shift", Role::Shift, affine), &mut self.shift)?;
        hand_out(path, walker, ("running_mean", Role::RunningMean, statistics), &mut self.running_mean)?;
        hand_out(path, walker, ("running_var", Role::RunningVariance, statistics), &mut self.running_var)
    }
    fn outline(&self, path: &mut Path, input: Extent, show: &mut dyn FnMut(LayerOutline<'_>)) -> Result<Extent, Error> {
        let (kind, output) = (LayerKind::BatchNorm2D, input.expect_channels(C)?);
        show(LayerOutline { path: path.as_str(), kind, input, output });
        Ok(output)
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
        let (batch, _, height, width) = *x.shape();
        let layout = Layout { outer: batch.size(), channels: C, inner: height.size() * width.size() };
        let uses_batch = self.switches.uses_batch();
        let batch_statistics = uses_batch.then(|| {
            measure("batch norm", Direction::Forward, || (E::cpu().batch_statistics)(layout, &view::read(&x)))
        });
        let statistics = batch_statistics.clone().unwrap_or_else(|| self.running_statistics());
        let trained = !self.switches.affine_frozen;
        let parameters = [Parameter::new("scale", &self.scale, trained), Parameter::new("shift", &self.shift, trained)];
        let inv_std = statistics.inv_std(self.switches.epsilon);
        let operation = Normalize { layout, mean: statistics.mean, inv_std, uses_batch, parameters };
        Ok((apply_in_place(x, Box::new(operation))?, batch_statistics))
    }
}

/// One application.
struct Normalize<E: Element + Dtype> {
    layout: Layout,
    mean: Vec<f64>,
    inv_std: Vec<f64>,
    /// Whether mean and deviation are those of the input.
    uses_batch: bool,
    /// Scale and shift.
    parameters: [Parameter<E>; 2],
}

impl<E: Element + Dtype> Operation<E> for Normalize<E> {
    fn kind(&self) -> &'static str {
        "batch norm"
    }
    fn output_len(&self) -> usize {
        self.layout.len()
    }
    fn parameters(&self) -> &[Parameter<E>] {
        &self.parameters
    }
    fn keeps(&self) -> Keep {
        // With constant statistics and a frozen affine part the gradient is a multiple of the cotangent.
        Keep::input_if(self.uses_batch || self.parameters[0].trained)
    }
    fn forward(&mut self, x: &[E], y: &mut [E], _: bool) {
        let [scale, shift] = &self.parameters;
        let scaling = Scaling { mean: &self.mean, inv_std: &self.inv_std, gamma: &scale.read() };
        (E::cpu().normalize)(self.layout, x, scaling, &shift.read(), y);
    }
    fn forward_in_place(&mut self, x: &mut [E]) {
        let [scale, shift] = &self.parameters;
        let scaling = Scaling { mean: &self.mean, inv_std: &self.inv_std, gamma: &scale.read() };
        (E::cpu().normalize_in_place)(self.layout, scaling, &shift.read(), x);
    }
    fn backward(&self, pass: Pass<'_, E>, flow: &mut Flow<'_, E, Cpu>) -> Result<(), CpuError> {
        let Pass { kept: x, cotangent, input } = pass;
        let [scale, shift] = &self.parameters;
        let (mut gamma, mut beta) = (scale.take_gradient(flow)?, shift.take_gradient(flow)?);
        {
            let scaling = Scaling { mean: &self.mean, inv_std: &self.inv_std, gamma: &scale.read() };
            let kernels = E::cpu();
            let backward =
                if self.uses_batch { kernels.batch_norm_backward } else { kernels.batch_norm_backward_running };
            let mut run = |cotangent: &[E], grad_x: InputGradient<'_, E>| {
                let slots = Gradients { x: grad_x, gamma: gamma.as_deref_mut(), beta: beta.as_deref_mut() };
                backward(self.layout, x, scaling, cotangent, slots);
            };
            match input {
                Some(input) => input.pull(flow, cotangent, run)?,
                None => run(&cotangent, InputGradient::Skip),
            }
        }
        scale.put_gradient(gamma, flow)?;
        shift.put_gradient(beta, flow)
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
