//! A visit over the tensors and switches of a network, in forward order.
//!
//! dfdx's `TensorCollection` visits tensors; training also needs to know what each tensor is, whether it is trained,
//! and to reach the switches (frozen or not, batch or running statistics, dropout on or off). Layers and containers
//! implement [`Visit`]; optimizers, freezing, saving and counting are visitors.
//!
//! The traits are object safe: a network is instantiated once, however many visitors there are.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::any_tensor::AnyTensor;
use super::batch_norm_switches::BatchNormSwitches;
use super::dropout_state::DropoutState;
use super::graph_builder::{GraphBuilder, Wires, show_layers};
use super::layer_summary::{Extent, LayerSummary};
use super::per_element::Site;
use crate::activation::Definition;
use crate::error::Error;
use crate::kernel::Precision;

/// Role of a tensor in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// Weight of a convolution or a linear layer.
    Weight,
    /// Bias of a convolution or a linear layer.
    Bias,
    /// Scale (gamma) of a batch norm.
    Scale,
    /// Shift (beta) of a batch norm.
    Shift,
    /// Running mean of a batch norm.
    RunningMean,
    /// Running variance of a batch norm.
    RunningVariance,
    /// Trained parameter of an activation.
    Activation,
    /// Fixed hyperparameter of an activation.
    Hyperparameter,
}

impl ParamKind {
    /// True if an optimizer may change the tensor.
    pub fn is_parameter(self) -> bool {
        !matches!(self, ParamKind::RunningMean | ParamKind::RunningVariance | ParamKind::Hyperparameter)
    }

    /// True if weight decay applies: to the weights only, not to biases, batch norm or activations.
    pub fn decays(self) -> bool {
        self == ParamKind::Weight
    }
}

/// One tensor, as a visitor meets it.
#[derive(Clone, Copy, Debug)]
pub struct NamedTensor<'a> {
    /// Path from the root, with dots: `0.3.alpha`.
    pub path: &'a str,
    /// Role of the tensor in its layer.
    pub kind: ParamKind,
    /// True if it is trained: a parameter that is not frozen.
    pub trained: bool,
    /// True if a training step changes it without a gradient: running statistics that are not frozen.
    pub updated: bool,
}

impl<'a> NamedTensor<'a> {
    fn new(path: &'a str, kind: ParamKind, frozen: bool) -> Self {
        let statistics = matches!(kind, ParamKind::RunningMean | ParamKind::RunningVariance);
        Self { path, kind, trained: kind.is_parameter() && !frozen, updated: statistics && !frozen }
    }
}

/// The switches of one layer, as a visitor meets them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Switches<'a> {
    /// The switches of a convolution or linear layer.
    Weights {
        /// Frozen: no gradient is computed, and no optimizer changes it.
        frozen: &'a mut bool,
        /// True if the bias is trained in a frozen layer too; of convolutions that have one.
        bias_trained: Option<&'a mut bool>,
        /// Number of outputs, where it can be changed; of a [`LinearTo`](super::LinearTo), whose weight and bias are
        /// made anew if it is.
        outputs: Option<&'a mut usize>,
        /// Precision of the factors of its products.
        precision: &'a mut Precision,
    },
    /// The switches of an activation.
    Activation {
        /// The activation; tensors of its parameters follow in their order. Only a layer whose type is
        /// [`Chosen`](crate::activation::Chosen) takes another one; the values of its parameters are then unspecified.
        activation: &'a mut &'static Definition,
        /// Number of channels that it is applied to.
        channels: usize,
        /// The map that it has parameters for, if the activation [has one for each
        /// element](Definition::is_per_element): given another one, it makes them anew, and their values are
        /// unspecified.
        site: &'a mut Option<Site>,
        /// Frozen: no gradient is computed, and no optimizer changes it.
        frozen: &'a mut bool,
    },
    /// The settings of a batch norm.
    BatchNorm(&'a mut BatchNormSwitches),
    /// The state of a dropout.
    Dropout(&'a mut DropoutState),
}

/// Sees every tensor of a network.
pub trait Visitor<E: Unit, D: Storage<E>> {
    /// Sees one tensor of the network.
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, D>) -> Result<(), Error>;
}

/// Changes tensors and switches of a network.
pub trait VisitorMut<E: Unit, D: Storage<E>> {
    /// One tensor. Does nothing unless overridden.
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<E, D>) -> Result<(), Error> {
        let _ = (slot, tensor);
        Ok(())
    }
    /// The switches of one layer, before its tensors. Does nothing unless overridden.
    fn switches(&mut self, path: &str, switches: Switches<'_>) -> Result<(), Error> {
        let _ = (path, switches);
        Ok(())
    }
}

/// The path from the root to where a visitor is.
#[derive(Clone, Debug, Default)]
pub struct Path(String);

impl Path {
    /// The path of the network itself.
    pub fn root() -> Self {
        Self::default()
    }
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Goes one step down, to the child of this name, and comes back.
    pub fn step<R>(&mut self, name: impl std::fmt::Display, inside: impl FnOnce(&mut Self) -> R) -> R {
        let here = self.enter(&name);
        let result = inside(self);
        self.leave(here);
        result
    }

    /// Goes one step down; the answer is for [`leave`](Self::leave). What [`step`](Self::step) is made of, for code
    /// that is instantiated often.
    pub(crate) fn enter(&mut self, name: &dyn std::fmt::Display) -> usize {
        use std::fmt::Write;
        let here = self.0.len();
        if here > 0 {
            self.0.push('.');
        }
        write!(self.0, "{name}").expect("writing to a string does not fail");
        here
    }

    /// Comes back from a step down.
    pub(crate) fn leave(&mut self, here: usize) {
        self.0.truncate(here);
    }
}

/// A module whose tensors, switches and layers can be visited in forward order; of a residual block first the main
/// branch, then the shortcut.
#[diagnostic::on_unimplemented(note = "of more than 6 layers: `pvlu::sequential!`; of dfdx: `pvlu::layer::FromDfdx`")]
pub trait Visit<E: Unit, D: Storage<E>> {
    /// Shows every tensor to the visitor.
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error>;
    /// Hands out every tensor and switch for changing.
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error>;
    /// Adds every layer to a graph, with the tensors that it takes, and returns those that the module gives.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::Window`] or [`Error::TensorCount`] if a layer does not take these tensors.
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error>;
    /// Shows every layer with the sizes that an image of size `input` has before and after it, those before the first
    /// error too; returns the last. Not meant to be overridden: it follows from [`describe`](Self::describe).
    fn summarize(
        &self,
        path: &mut Path,
        input: Extent,
        show: &mut dyn FnMut(LayerSummary<'_>),
    ) -> Result<Extent, Error> {
        Ok(show_layers(input, show, &mut |input, graph| self.describe(path, input, graph))?.extent())
    }
}

/// Shows one tensor of a layer: the body that every [`Visit::visit`] of a layer is made of.
pub(crate) fn show<E: Unit, D: Storage<E>>(
    path: &mut Path,
    visitor: &mut dyn Visitor<E, D>,
    (name, kind, frozen): (&str, ParamKind, bool),
    tensor: &dyn AnyTensor<E, D>,
) -> Result<(), Error> {
    let here = path.enter(&name);
    let result = visitor.tensor(NamedTensor::new(path.as_str(), kind, frozen), tensor);
    path.leave(here);
    result
}

/// As [`show`], for changing.
pub(crate) fn hand_out<E: Unit, D: Storage<E>>(
    path: &mut Path,
    visitor: &mut dyn VisitorMut<E, D>,
    (name, kind, frozen): (&str, ParamKind, bool),
    tensor: &mut dyn AnyTensor<E, D>,
) -> Result<(), Error> {
    let here = path.enter(&name);
    let result = visitor.tensor(NamedTensor::new(path.as_str(), kind, frozen), tensor);
    path.leave(here);
    result
}

/// Layers without tensors or switches, each with what it makes of an [`Extent`]: a kind of layer and the extent after
/// it. Implements [`Visit`], and what [`no_activation`](super::no_activation) does.
macro_rules! nothing_to_visit {
    ($([$($generics:tt)*] $layer:ty, $summary:expr);* $(;)?) => {$(
        $crate::layer::no_activation::no_activation!([$($generics)*] $layer);
        impl<E: ::dfdx::shapes::Unit, D: ::dfdx::tensor::Storage<E>, $($generics)*>
            $crate::layer::Visit<E, D> for $layer
        {
            fn visit(
                &self,
                _: &mut $crate::layer::Path,
                _: &mut dyn $crate::layer::Visitor<E, D>,
            ) -> Result<(), $crate::error::Error> {
                Ok(())
            }
            fn visit_mut(
                &mut self,
                _: &mut $crate::layer::Path,
                _: &mut dyn $crate::layer::VisitorMut<E, D>,
            ) -> Result<(), $crate::error::Error> {
                Ok(())
            }
            fn describe(
                &self,
                path: &mut $crate::layer::Path,
                input: $crate::layer::Wires,
                graph: &mut $crate::layer::GraphBuilder<'_>,
            ) -> Result<$crate::layer::Wires, $crate::error::Error> {
                let (kind, output): ($crate::layer::LayerKind, Result<$crate::layer::Extent, $crate::error::Error>) =
                    $summary(input.extent());
                Ok(graph.layer(path.as_str(), kind, input, output?))
            }
        }
    )*};
}
pub(crate) use nothing_to_visit;
