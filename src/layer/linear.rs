//! Fully connected layer with a bias.

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank1, Rank2};
use dfdx::tensor::{Storage, Tensor};

use super::any_tensor::Host;
use super::apply::{Keep, Operation, Parameter, Pass, apply};
use super::conv2d::check_precision;
use super::graph_builder::{GraphBuilder, Wires};
use super::init::HeNormal;
use super::layer_summary::LayerKind;
use super::no_activation::no_activation;
use super::visit::{ParamKind, Path, Switches, Visit, Visitor, VisitorMut, hand_out, show};
use crate::backend::Backend;
use crate::error::Error;
use crate::kernel::Precision;
use crate::kernel::shape::ConvShape;
use crate::tape::{Flow, Track};

pub mod builder {
    //! The form of the layer in which network types are written, without element type and device.

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
    /// Weight, `[out, in]`: one row for each output.
    pub weight: Tensor<Rank2<O, I>, E, D>,
    /// Bias, `[out]`: one value for each output.
    pub bias: Tensor<Rank1<O>, E, D>,
    /// Frozen: weight and bias get no gradient and no update.
    pub frozen: bool,
    /// Precision of the factors of its products.
    pub precision: Precision,
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
            |(weight, bias)| Linear { weight, bias, frozen: false, precision: Precision::F32 },
        )
    }
}

no_activation!([const I: usize, const O: usize] Linear<I, O, E, D>);

impl<const I: usize, const O: usize, E: Dtype, D: Host<E>> Visit<E, D> for Linear<I, O, E, D> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        show(path, visitor, ("weight", ParamKind::Weight, self.frozen), &self.weight)?;
        show(path, visitor, ("bias", ParamKind::Bias, self.frozen), &self.bias)
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        let (frozen, precision) = (&mut self.frozen, &mut self.precision);
        visitor.switches(path.as_str(), Switches::Weights { frozen, bias_trained: None, outputs: None, precision })?;
        hand_out(path, visitor, ("weight", ParamKind::Weight, self.frozen), &mut self.weight)?;
        hand_out(path, visitor, ("bias", ParamKind::Bias, self.frozen), &mut self.bias)
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let output = input.extent().expect_channels(I)?.with_channels(O);
        Ok(graph.product(path.as_str(), LayerKind::Linear, input, output, self.precision))
    }
}

impl<const I: usize, const O: usize, E: Dtype, D: Storage<E>> NonMutableModule for Linear<I, O, E, D> {}

impl<const I: usize, const O: usize, B, E, D, T> Module<Tensor<(B, Const<I>), E, D, T>> for Linear<I, O, E, D>
where
    B: Dim,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, Const<O>), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>), E, D, T>) -> Result<Self::Output, Error> {
        let (batch, _) = *x.shape();
        let (weight, bias) = (&self.weight, &self.bias);
        let parameters = [Parameter::new("weight", weight, !self.frozen), Parameter::new("bias", bias, !self.frozen)];
        let sizes = [batch.size(), I, O];
        apply(x, (batch, Const), Box::new(Transform::new(sizes, parameters, self.precision)?))
    }
}

pub(super) struct Transform<E: Dtype, D: Backend<E>> {
    /// Rows, inputs and outputs.
    sizes: [usize; 3],
    /// The weight, then the bias.
    parameters: [Parameter<E, D>; 2],
    precision: Precision,
}

impl<E: Dtype, D: Backend<E>> Transform<E, D> {
    /// The operation, with the weight and then the bias, or [`Error::NoPrecision`].
    pub fn new(sizes: [usize; 3], parameters: [Parameter<E, D>; 2], precision: Precision) -> Result<Self, Error> {
        check_precision::<E, D>(precision)?;
        Ok(Self { sizes, parameters, precision })
    }
}

impl<E: Dtype, D: Backend<E>> Operation<E, D> for Transform<E, D> {
    fn kind(&self) -> &'static str {
        "linear"
    }
    fn parameters(&self) -> &[Parameter<E, D>] {
        &self.parameters
    }
    fn keeps(&self) -> Keep {
        Keep::input_if(self.parameters[0].trained)
    }
    fn forward(&mut self, device: &D, x: D::View<'_>, y: D::ViewMut<'_>, _: bool) -> Result<(), D::Err> {
        let [weight, bias] = &self.parameters;
        let (weight, bias) = (weight.read(), bias.read());
        let (weight, bias) = (D::view(&weight), Some(D::view(&bias)));
        if self.precision.is_reduced() {
            let shape = &ConvShape::of_linear(self.sizes);
            return device.reduced_conv2d(self.precision, shape, x, weight, bias, y);
        }
        device.linear(self.sizes, x, weight, bias, y)
    }
    fn backward(&self, pass: Pass<'_, E, D>, flow: &mut Flow<'_, E, D>) -> Result<(), D::Err> {
        let Pass { device, kept: x, grad_output, input } = pass;
        let Self { sizes, parameters: [weight, bias], precision } = self;
        let (precision, shape) = (*precision, &ConvShape::of_linear(*sizes));
        if weight.trained {
            let (grad, grad_weight) = (D::memory(&grad_output), weight.gradient(flow)?);
            if precision.is_reduced() {
                device.reduced_conv2d_backward_weight(precision, shape, x, grad, grad_weight)?;
            } else {
                device.linear_backward_weight(*sizes, x, grad, grad_weight)?;
            }
            device.linear_backward_bias(*sizes, D::memory(&grad_output), bias.gradient(flow)?)?;
        }
        if let Some(input) = input {
            input.give(flow, |grad_x, write| {
                let (weight, grad_output) = (weight.read(), D::memory(&grad_output));
                let weight = D::view(&weight);
                if precision.is_reduced() {
                    return device.reduced_conv2d_backward_input(precision, shape, weight, grad_output, grad_x, write);
                }
                device.linear_backward_input(*sizes, weight, grad_output, grad_x, write)
            })?;
        }
        Ok(())
    }
}
