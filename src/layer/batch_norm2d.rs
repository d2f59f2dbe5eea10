//! Batch normalization over images.

use std::marker::PhantomData;

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection, TensorOptions};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1};
use dfdx::tensor::{Storage, Tape, Tensor};

use super::any_tensor::Host;
use super::apply::{Keep, Operation, Parameter, Pass, apply_in_place};
use super::batch_norm_switches::BatchNormSwitches;
use super::graph_builder::{GraphBuilder, Wires};
use super::layer_summary::{LayerKind, LayerSummary};
use super::no_activation::no_activation;
use super::visit::{ParamKind, Path, Switches, Visit, Visitor, VisitorMut, hand_out, show};
use crate::backend::{self, Backend, ChannelsLayout, Gradients, InputGradient, Scaling};
use crate::error::Error;
use crate::kernel::Precision;
use crate::kernel::shape::Correction;
use crate::profile::{Direction, measure};
use crate::shard::{self, Shard};
use crate::tape::{Flow, Track};

pub mod builder {
    //! The form of the layer in which network types are written, without element type and device.

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
    /// The batch variance that goes into the running one.
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

/// `y = scale (x - mean) / sqrt(variance + eps) + shift`, by channel (Ioffe and Szegedy 2015).
///
/// Shapes: `(B, C, H, W)` to the same. Mean and (biased) variance are those of the batch or the running ones, see
/// [`BatchNormSwitches`]; either way a tape may be on the input. Unless [`Mode`](super::Mode) was set by hand, it is
/// the batch in `forward_mut` on a tensor with a tape. `forward_mut` moves the running statistics towards those of the
/// batch it was normalized by; `forward` never changes them. Start values: scale 1, shift 0, running mean 0, running
/// variance 1.
#[derive(Clone, Debug)]
pub struct BatchNorm2D<const C: usize, P, E: Dtype, D: Storage<E>> {
    /// Scale (gamma) of each channel, `[channels]`.
    pub scale: Tensor<Rank1<C>, E, D>,
    /// Shift (beta) of each channel, `[channels]`.
    pub shift: Tensor<Rank1<C>, E, D>,
    /// Running mean of each channel, `[channels]`.
    pub running_mean: Tensor<Rank1<C>, E, D>,
    /// Running variance of each channel, `[channels]`.
    pub running_var: Tensor<Rank1<C>, E, D>,
    /// Mode, frozen parts and constants of the layer.
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
                switches: BatchNormSwitches::new(P::EPSILON, P::MOMENTUM, P::CORRECTION),
                defaults: PhantomData,
            },
        )
    }
}

no_activation!([const C: usize, P: BatchNormDefaults] BatchNorm2D<C, P, E, D>);

impl<const C: usize, P, E: Dtype, D: Host<E>> Visit<E, D> for BatchNorm2D<C, P, E, D> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        let BatchNormSwitches { affine_frozen: affine, statistics_frozen: statistics, .. } = self.switches;
        show(path, visitor, ("scale", ParamKind::Scale, affine), &self.scale)?;
        show(path, visitor, ("shift", ParamKind::Shift, affine), &self.shift)?;
        show(path, visitor, ("running_mean", ParamKind::RunningMean, statistics), &self.running_mean)?;
        show(path, visitor, ("running_var", ParamKind::RunningVariance, statistics), &self.running_var)
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        visitor.switches(path.as_str(), Switches::BatchNorm(&mut self.switches))?;
        let BatchNormSwitches { affine_frozen: affine, statistics_frozen: statistics, .. } = self.switches;
        hand_out(path, visitor, ("scale", ParamKind::Scale, affine), &mut self.scale)?;
        hand_out(path, visitor, ("shift", ParamKind::Shift, affine), &mut self.shift)?;
        hand_out(path, visitor, ("running_mean", ParamKind::RunningMean, statistics), &mut self.running_mean)?;
        hand_out(path, visitor, ("running_var", ParamKind::RunningVariance, statistics), &mut self.running_var)
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let (extent, epsilon) = (input.extent().expect_channels(C)?, Some(self.switches.epsilon));
        let (path, kind, wires) = (path.as_str(), LayerKind::BatchNorm2D, input.as_slice());
        Ok(graph.add(LayerSummary {
            path,
            kind,
            wires,
            input: extent,
            output: extent,
            epsilon,
            precision: Precision::F32,
        }))
    }
}

/// Mean and variance of each channel.
pub(super) type Statistics<E, D> = backend::Statistics<<D as backend::Kernels<E>>::Channels>;

impl<const C: usize, P, E: Dtype, D: Backend<E>> BatchNorm2D<C, P, E, D> {
    pub(super) fn running_statistics(&self, device: &D) -> Result<Statistics<E, D>, Error> {
        let widened = |tensor| device.widened(D::view(&D::read(tensor))).map_err(Error::device);
        Ok(backend::Statistics { mean: widened(&self.running_mean)?, variance: widened(&self.running_var)? })
    }

    /// Normalizes, and returns the statistics of the batch, and its elements a channel, if those were used. For
    /// `learns` see [`Mode::trains`](super::Mode::trains).
    #[allow(clippy::type_complexity)]
    fn normalize<B: Dim, H: Dim, W: Dim, T: Track<E, D>>(
        &self,
        x: Tensor<(B, Const<C>, H, W), E, D, T>,
        learns: bool,
    ) -> Result<(Tensor<(B, Const<C>, H, W), E, D, T>, Option<(Statistics<E, D>, usize)>), Error> {
        let (x, tape) = D::try_contiguous(x)?.split_tape();
        let (batch, _, height, width) = *x.shape();
        let layout = ChannelsLayout { outer: batch.size(), channels: C, inner: height.size() * width.size() };
        let uses_batch = self.switches.uses_batch(learns);
        let device = x.device().clone();
        // The batch may be one of which this is a shard.
        let shard = if uses_batch { shard::current() } else { None };
        if shard.is_some() && !D::has_shards() {
            return Err(Error::NoShards);
        }
        let batch_statistics = if uses_batch {
            let run = || statistics_of(&device, layout, D::view(&D::read(&x)), shard.as_ref());
            Some(measure("batch norm", Direction::Forward, run).map_err(Error::device)?)
        } else {
            None
        };
        let backend::Statistics { mean, variance } = match &batch_statistics {
            Some((statistics, _)) => statistics.clone(),
            None => self.running_statistics(&device)?,
        };
        let trained = !self.switches.affine_frozen;
        let parameters = [Parameter::new("scale", &self.scale, trained), Parameter::new("shift", &self.shift, trained)];
        let inv_std = device.inv_std(D::channels(&variance), self.switches.epsilon).map_err(Error::device)?;
        let operation = Normalize { layout, mean, inv_std, uses_batch, shard, parameters };
        Ok((apply_in_place(x.put_tape(tape), Box::new(operation))?, batch_statistics))
    }
}

/// Statistics of a batch of which `x` is all, or a shard, and the number of its elements a channel.
fn statistics_of<E: Dtype, D: Backend<E>>(
    device: &D,
    layout: ChannelsLayout,
    x: D::View<'_>,
    shard: Option<&Shard>,
) -> Result<(Statistics<E, D>, usize), D::Err> {
    let mut count = layout.count();
    let statistics = match shard {
        None => device.batch_statistics(layout, x)?,
        Some(shard) => device.batch_statistics_of_parts(layout, x, &mut |own| {
            let (all, elements) = shard.merged(own, layout.count());
            count = elements;
            all
        })?,
    };
    Ok((statistics, count))
}

pub(super) struct Normalize<E: Dtype, D: Backend<E>> {
    pub layout: ChannelsLayout,
    pub mean: D::Channels,
    pub inv_std: D::Channels,
    /// True if mean and deviation are those of the input.
    uses_batch: bool,
    /// The shard of the batch that the input is, if it is one and mean and deviation are those of the batch.
    shard: Option<Shard>,
    /// The scale, then the shift.
    pub parameters: [Parameter<E, D>; 2],
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Normalize<E, D> {
    fn kind(&self) -> &'static str {
        "batch norm"
    }
    fn parameters(&self) -> &[Parameter<E, D>] {
        &self.parameters
    }
    fn keeps(&self) -> Keep {
        // With constant statistics and a frozen affine part the gradient is a multiple of the gradient of the output.
        Keep::input_if(self.uses_batch || self.parameters[0].trained)
    }
    fn stays_open(&self) -> bool {
        // What follows can compute the output once more where the input is kept anyway.
        self.keeps() == Keep::Input
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        let [scale, shift] = self.parameters.each_ref().map(Parameter::read);
        let scaling =
            Scaling { mean: D::channels(&self.mean), inv_std: D::channels(&self.inv_std), gamma: D::view(&scale) };
        device.normalize(self.layout, x, scaling, D::view(&shift), y)
    }
    fn forward_in_place(&mut self, device: &D, x: D::ViewMut<'_>) -> Result<(), D::Err> {
        let [scale, shift] = self.parameters.each_ref().map(Parameter::read);
        let scaling =
            Scaling { mean: D::channels(&self.mean), inv_std: D::channels(&self.inv_std), gamma: D::view(&scale) };
        device.normalize_in_place(self.layout, scaling, D::view(&shift), x)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, kept: x, grad_output, input } = pass;
        let [scale, shift] = &self.parameters;
        let (mut gamma, mut beta) = (scale.take_gradient(device, flow)?, shift.take_gradient(device, flow)?);
        let slots = [gamma.as_mut().map(D::memory_mut), beta.as_mut().map(D::memory_mut)];
        let run = |grad_output: D::View<'_>, grad_x: InputGradient<D::ViewMut<'_>>| {
            let values = scale.read();
            let scaling =
                Scaling { mean: D::channels(&self.mean), inv_std: D::channels(&self.inv_std), gamma: D::view(&values) };
            let [gamma, beta] = slots;
            let gradients = Gradients { x: grad_x, gamma, beta };
            let layout = self.layout;
            match &self.shard {
                Some(shard) => {
                    let all = |own: &_| shard.added(own, layout.count());
                    device.batch_norm_backward_of_parts(layout, x, scaling, grad_output, gradients, &all)
                }
                None if self.uses_batch => device.batch_norm_backward(layout, x, scaling, grad_output, gradients),
                None => device.batch_norm_backward_running(layout, x, scaling, grad_output, gradients),
            }
        };
        match input {
            Some(input) => input.pull(flow, grad_output, run)?,
            None => run(D::memory(&grad_output), InputGradient::Skip)?,
        }
        scale.put_gradient(gamma, flow)?;
        shift.put_gradient(beta, flow)
    }
}

impl<const C: usize, P, B: Dim, H: Dim, W: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>
    Module<Tensor<(B, Const<C>, H, W), E, D, T>> for BatchNorm2D<C, P, E, D>
{
    type Output = Tensor<(B, Const<C>, H, W), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        Ok(self.normalize(x, false)?.0)
    }
}

impl<const C: usize, P, B: Dim, H: Dim, W: Dim, E: Dtype, D: Backend<E>, T: Track<E, D>>
    ModuleMut<Tensor<(B, Const<C>, H, W), E, D, T>> for BatchNorm2D<C, P, E, D>
{
    type Output = Tensor<(B, Const<C>, H, W), E, D, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<(B, Const<C>, H, W), E, D, T>) -> Result<Self::Output, Error> {
        let (y, statistics) = self.normalize(x, <T as Tape<E, D>>::OWNS_TAPE)?;
        // An empty batch has no statistics to learn from.
        if let Some((backend::Statistics { mean, variance }, count)) = statistics
            && count > 0
        {
            let BatchNormSwitches { momentum, correction, .. } = self.switches;
            let device = y.device();
            device.update_running(&mut self.running_mean, &mean, momentum, 1.0).map_err(Error::device)?;
            let factor = correction.factor(count);
            device.update_running(&mut self.running_var, &variance, momentum, factor).map_err(Error::device)?;
        }
        Ok(y)
    }
}
