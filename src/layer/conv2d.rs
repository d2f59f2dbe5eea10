//! Two-dimensional convolution with a square kernel.

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Rank4};
use dfdx::tensor::{Storage, Tensor};

use super::any_tensor::Host;
use super::apply::{Keep, Operation, Parameter, Pass, apply};
use super::graph_builder::{GraphBuilder, Wires};
use super::init::HeNormal;
use super::layer_summary::LayerKind;
use super::no_activation::no_activation;
use super::visit::{ParamKind, Path, Switches, Visit, Visitor, VisitorMut, hand_out, show};
use crate::backend::Backend;
use crate::dim::Window;
use crate::error::Error;
use crate::kernel::Precision;
use crate::kernel::shape::ConvShape;
use crate::tape::{Flow, Track};

pub mod builder {
    //! The form of the layer in which network types are written, without element type and device.

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
/// Frozen, it computes no gradient of weight and bias, keeps no input for one, and stays as it is. The bias can be
/// trained alone.
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
    /// Frozen: weight and bias get no gradient and no update.
    pub frozen: bool,
    /// True if the bias is trained in a frozen layer too.
    pub bias_trained: bool,
    /// Precision of the factors of its products.
    pub precision: Precision,
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
            bias_trained: false,
            precision: Precision::F32,
        })
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Storage<E>,
{
    fn bias_is_frozen(&self) -> bool {
        self.frozen && !self.bias_trained
    }

    /// True if weight or bias want a gradient.
    pub(super) fn learns(&self) -> bool {
        !self.frozen || (BIAS && self.bias_trained)
    }
}

no_activation!(
    [const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool]
    Conv2D<I, O, K, S, P, BIAS, E, D>
);

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D> Visit<E, D>
    for Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Host<E>,
{
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        show(path, visitor, ("weight", ParamKind::Weight, self.frozen), &self.weight)?;
        let frozen = self.bias_is_frozen();
        self.bias.iter().try_for_each(|bias| show(path, visitor, ("bias", ParamKind::Bias, frozen), bias))
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        let bias_trained = if BIAS { Some(&mut self.bias_trained) } else { None };
        let (frozen, precision) = (&mut self.frozen, &mut self.precision);
        visitor.switches(path.as_str(), Switches::Weights { frozen, bias_trained, outputs: None, precision })?;
        hand_out(path, visitor, ("weight", ParamKind::Weight, self.frozen), &mut self.weight)?;
        let frozen = self.bias_is_frozen();
        self.bias.iter_mut().try_for_each(|bias| hand_out(path, visitor, ("bias", ParamKind::Bias, frozen), bias))
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let kind = LayerKind::Conv2D { kernel: K, stride: S, padding: P, bias: BIAS };
        let output = input.extent().expect_channels(I)?.slide::<K, S, P>()?.with_channels(O);
        Ok(graph.product(path.as_str(), kind, input, output, self.precision))
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    NonMutableModule for Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Storage<E>,
{
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, E, D>
    Conv2D<I, O, K, S, P, BIAS, E, D>
where
    E: Dtype,
    D: Backend<E>,
{
    /// The convolution with these parameters, weight and bias if there is one, in a precision.
    #[allow(clippy::type_complexity)]
    pub(super) fn convolve<B, H, W, T>(
        x: Tensor<(B, Const<I>, H, W), E, D, T>,
        parameters: Vec<Parameter<E, D>>,
        precision: Precision,
    ) -> Result<Tensor<(B, Const<O>, H::Out, W::Out), E, D, T>, Error>
    where
        B: Dim,
        H: Window<K, S, P>,
        W: Window<K, S, P>,
        T: Track<E, D>,
    {
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
        check_precision::<E, D>(precision)?;
        apply(x, out_shape, Box::new(Convolve { shape, parameters, precision }))
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize, const BIAS: bool, B, H, W, E, D, T>
    Module<Tensor<(B, Const<I>, H, W), E, D, T>> for Conv2D<I, O, K, S, P, BIAS, E, D>
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
        let mut parameters = vec![Parameter::new("weight", &self.weight, !self.frozen)];
        parameters.extend(self.bias.iter().map(|bias| Parameter::new("bias", bias, !self.bias_is_frozen())));
        Self::convolve(x, parameters, self.precision)
    }
}

/// Refuses a precision that the device has not.
pub(super) fn check_precision<E: Dtype, D: Backend<E>>(precision: Precision) -> Result<(), Error> {
    if D::has_precision(precision) { Ok(()) } else { Err(Error::NoPrecision { precision }) }
}

struct Convolve<E: Dtype, D: Backend<E>> {
    shape: ConvShape,
    /// Weight, and bias if there is one.
    parameters: Vec<Parameter<E, D>>,
    precision: Precision,
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Convolve<E, D> {
    fn kind(&self) -> &'static str {
        "convolution"
    }
    fn parameters(&self) -> &[Parameter<E, D>] {
        &self.parameters
    }
    fn keeps(&self) -> Keep {
        Keep::input_if(self.parameters[0].trained)
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        let bias = self.parameters.get(1).map(Parameter::read);
        let bias = bias.as_ref().map(|bias| D::view(bias));
        let (shape, weight) = (&self.shape, self.parameters[0].read());
        let weight = D::view(&weight);
        if self.precision.is_reduced() {
            return device.reduced_conv2d(self.precision, shape, x, weight, bias, y);
        }
        device.conv2d(shape, x, weight, bias, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, kept: x, grad_output, input } = pass;
        let (shape, weight, precision) = (&self.shape, &self.parameters[0], self.precision);
        if weight.trained {
            let (grad_output, grad_weight) = (D::memory(&grad_output), weight.gradient(flow)?);
            if precision.is_reduced() {
                device.reduced_conv2d_backward_weight(precision, shape, x, grad_output, grad_weight)?;
            } else {
                device.conv2d_backward_weight(shape, x, grad_output, grad_weight)?;
            }
        }
        if let Some(bias) = self.parameters.get(1).filter(|bias| bias.trained) {
            device.conv2d_backward_bias(&self.shape, D::memory(&grad_output), bias.gradient(flow)?)?;
        }
        if let Some(input) = input {
            input.give(flow, |grad_x, write| {
                let (weight, grad_output) = (weight.read(), D::memory(&grad_output));
                let weight = D::view(&weight);
                if precision.is_reduced() {
                    return device.reduced_conv2d_backward_input(precision, shape, weight, grad_output, grad_x, write);
                }
                device.conv2d_backward_input(shape, weight, grad_output, grad_x, write)
            })?;
        }
        Ok(())
    }
}
