//! Fully connected layer to a number of outputs that is known when the program runs.

use dfdx::nn::{BuildModule, BuildOnDevice, Module, ModuleVisitor, NonMutableModule, TensorCollection, TensorOptions};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Dim, Dtype, HasShape, Rank0};
use dfdx::tensor::{Storage, Tensor};

use super::any_tensor::Host;
use super::apply::{Parameter, apply};
use super::graph_builder::{GraphBuilder, Wires};
use super::layer_summary::LayerKind;
use super::linear::Transform;
use super::no_activation::no_activation;
use super::visit::{ParamKind, Path, Switches, Visit, Visitor, VisitorMut, hand_out, show};
use crate::backend::Backend;
use crate::error::Error;
use crate::kernel::Precision;
use crate::tape::Track;

pub mod builder {
    //! The form of the layer in which network types are written, without element type and device.

    /// A fully connected layer to any number of outputs; see [`layer::LinearTo`](crate::layer::LinearTo).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct LinearTo<const I: usize>;
}

/// `y = x weight^T + bias`, as [`Linear`](super::Linear), to a number of outputs that is known when the program runs.
///
/// Shapes: `(B, I)` to `(B, outputs)`, the latter of type `usize`. For the head of a typed trunk, where the classes are
/// those that a user brings:
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::layer::builder::LinearTo;
///
/// let dev = Cpu::default();
/// let mut head = dev.build_module::<LinearTo<8>, f32>();
/// head.set_outputs(5)?;
/// let x: Tensor<(usize, Const<8>), f32, _> = dev.zeros_like(&(3, Const));
/// assert_eq!(*head.forward(x).shape(), (3, 5));
/// # Ok::<(), pvlu::Error>(())
/// ```
///
/// It is built without outputs, and gives [`Error::NoOutputs`] until it is told how many it has. Weight and bias are
/// zero then; start values are drawn through a visit. dfdx makes no tensors whose shape is not that of a type, so its
/// `TensorCollection` does not see weight and bias: its optimizers do not train them, and a network on another device
/// has to be told the outputs there. A [`Visit`] sees them.
///
/// Frozen, it computes no gradient of weight and bias, keeps no input for one, and stays as it is.
#[derive(Clone, Debug)]
pub struct LinearTo<const I: usize, E: Dtype, D: Storage<E>> {
    tensors: Option<WeightAndBias<I, E, D>>,
    /// Frozen: weight and bias get no gradient and no update.
    pub frozen: bool,
    /// Precision of the factors of its products.
    pub precision: Precision,
    /// A scalar that dfdx makes on the device of the layer, which has no other tensor until its outputs are known.
    device: Tensor<Rank0, E, D>,
}

/// Weight, `[out, in]`, and bias, `[out]`.
#[derive(Clone, Debug)]
struct WeightAndBias<const I: usize, E: Dtype, D: Storage<E>> {
    weight: Tensor<(usize, Const<I>), E, D>,
    bias: Tensor<(usize,), E, D>,
}

impl<const I: usize, E: Dtype, D: Storage<E>> LinearTo<I, E, D> {
    /// Number of outputs; 0 until there is one.
    pub fn outputs(&self) -> usize {
        self.tensors.as_ref().map_or(0, |tensors| tensors.bias.shape().0)
    }

    /// Weight, `[out, in]`, where there are outputs.
    pub fn weight(&self) -> Option<&Tensor<(usize, Const<I>), E, D>> {
        self.tensors.as_ref().map(|tensors| &tensors.weight)
    }

    /// Bias, `[out]`, where there are outputs.
    pub fn bias(&self) -> Option<&Tensor<(usize,), E, D>> {
        self.tensors.as_ref().map(|tensors| &tensors.bias)
    }
}

impl<const I: usize, E: Dtype, D: Device<E>> LinearTo<I, E, D> {
    /// Gives the layer this number of outputs. Where it has another one, weight and bias are made anew, as zeros.
    pub fn set_outputs(&mut self, outputs: usize) -> Result<(), Error> {
        if outputs == self.outputs() {
            return Ok(());
        }
        let device = self.device.device();
        let weight = device.try_zeros_like(&(outputs, Const)).map_err(Error::device)?;
        let bias = device.try_zeros_like(&(outputs,)).map_err(Error::device)?;
        self.tensors = (outputs > 0).then_some(WeightAndBias { weight, bias });
        Ok(())
    }
}

impl<const I: usize, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for builder::LinearTo<I>
where
    LinearTo<I, E, D>: BuildModule<D, E>,
{
    type Built = LinearTo<I, E, D>;
}

impl<const I: usize, E: Dtype, D: Device<E>> TensorCollection<E, D> for LinearTo<I, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = LinearTo<I, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            Self::tensor(
                "device",
                |s| &s.device,
                |s| &mut s.device,
                TensorOptions::detached(|t| t.try_fill_with_zeros()),
            ),
            |device| LinearTo { tensors: None, frozen: false, precision: Precision::F32, device },
        )
    }
}

no_activation!([const I: usize] LinearTo<I, E, D>);

impl<const I: usize, E: Dtype, D: Device<E> + Host<E>> Visit<E, D> for LinearTo<I, E, D> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        let Some(WeightAndBias { weight, bias }) = &self.tensors else { return Ok(()) };
        show(path, visitor, ("weight", ParamKind::Weight, self.frozen), weight)?;
        show(path, visitor, ("bias", ParamKind::Bias, self.frozen), bias)
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        let mut outputs = self.outputs();
        let (frozen, precision) = (&mut self.frozen, &mut self.precision);
        let switches = Switches::Weights { frozen, bias_trained: None, outputs: Some(&mut outputs), precision };
        visitor.switches(path.as_str(), switches)?;
        self.set_outputs(outputs)?;
        let Some(WeightAndBias { weight, bias }) = &mut self.tensors else { return Ok(()) };
        hand_out(path, visitor, ("weight", ParamKind::Weight, self.frozen), weight)?;
        hand_out(path, visitor, ("bias", ParamKind::Bias, self.frozen), bias)
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let output = input.extent().expect_channels(I)?.with_channels(self.outputs());
        Ok(graph.product(path.as_str(), LayerKind::Linear, input, output, self.precision))
    }
}

impl<const I: usize, E: Dtype, D: Storage<E>> NonMutableModule for LinearTo<I, E, D> {}

impl<const I: usize, B, E, D, T> Module<Tensor<(B, Const<I>), E, D, T>> for LinearTo<I, E, D>
where
    B: Dim,
    E: Dtype,
    D: Backend<E>,
    T: Track<E, D>,
{
    type Output = Tensor<(B, usize), E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<(B, Const<I>), E, D, T>) -> Result<Self::Output, Error> {
        let Some(WeightAndBias { weight, bias }) = &self.tensors else { return Err(Error::NoOutputs) };
        let ((batch, _), outputs) = (*x.shape(), self.outputs());
        let parameters = [Parameter::new("weight", weight, !self.frozen), Parameter::new("bias", bias, !self.frozen)];
        let sizes = [batch.size(), I, outputs];
        apply(x, (batch, outputs), Box::new(Transform::new(sizes, parameters, self.precision)?))
    }
}

/// Tells every layer of a network that has any number of outputs to have this one.
///
/// # Errors
///
/// [`Error::Device`] if there is no memory.
pub fn set_outputs<E: Dtype, D: Storage<E>>(net: &mut dyn Visit<E, D>, outputs: usize) -> Result<(), Error> {
    struct Set(usize);
    impl<E: Dtype, D: Storage<E>> VisitorMut<E, D> for Set {
        fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), Error> {
            if let Switches::Weights { outputs: Some(outputs), .. } = switches {
                *outputs = self.0;
            }
            Ok(())
        }
    }
    net.visit_mut(&mut Path::root(), &mut Set(outputs))
}
