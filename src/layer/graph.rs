//! A network as a graph: the layers, and the tensors that run between them.
//!
//! A layer describes itself once, by [`Visit::describe`]. From that come the [summary](super::summary()) of a network
//! and this graph, which says what a table of layers in forward order cannot: of two branches which layer takes what.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::graph_builder::{GraphBuilder, Wires, show_layers};
use super::layer_summary::{Extent, LayerKind, LayerSummary};
use super::visit::{Path, Visit};
use super::wire::Wire;
use crate::error::Error;
use crate::kernel::Precision;

/// One layer of a [`Graph`].
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Path from the root, with dots. The layer's tensors are those below it: see
    /// [`named_parameters`](super::named_parameters()).
    pub path: String,
    /// Kind and hyperparameters of the layer.
    pub kind: LayerKind,
    /// The tensors that it takes, in the order of its operation.
    pub inputs: Vec<Wire>,
    /// Sizes of the output for one image.
    pub output: Extent,
    /// Number that is added to the variance under the root; of batch norms.
    pub epsilon: Option<f64>,
    /// Precision of the factors; of convolutions and linear layers.
    pub precision: Precision,
}

/// The layers of a network and the tensors between them, for one image. Nothing is run to find them.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::layer::{Graph, LayerKind, Wire};
/// use pvlu::prelude::*;
///
/// // f(x) + x
/// type Net = nn::Residual<nn::Conv2D<4, 4, 3, 1, 1>>;
///
/// let graph = Graph::of(&Cpu::default().build_module::<Net, f32>(), Extent::image(4, 8, 8))?;
/// let [convolution, sum] = &graph.nodes[..] else { panic!("{graph:?}") };
/// assert_eq!((convolution.path.as_str(), &convolution.inputs[..]), ("main", &[Wire::INPUT][..]));
/// assert_eq!((sum.kind, sum.inputs[0].node(), sum.inputs[1]), (LayerKind::Add, Some(0), Wire::INPUT));
/// assert_eq!(graph.outputs[0].node(), Some(1));
/// # Ok::<(), pvlu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Sizes of one input image.
    pub input: Extent,
    /// The layers in forward order: each comes after those whose outputs it takes.
    pub nodes: Vec<Node>,
    /// The tensors that the network gives: one, or of [`TwoHeads`](super::TwoHeads) or open branches several.
    pub outputs: Vec<Wire>,
}

impl Graph {
    /// The graph of a network for images of this size.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::Window`] or [`Error::TensorCount`] if a layer does not take what the one before it
    /// gives.
    pub fn of<E: Unit, D: Storage<E>>(net: &(impl Visit<E, D> + ?Sized), input: Extent) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        let mut add = |layer: LayerSummary<'_>| {
            let LayerSummary { path, kind, wires, output, epsilon, precision, .. } = layer;
            nodes.push(Node { path: path.to_owned(), kind, inputs: wires.to_vec(), output, epsilon, precision });
        };
        let describe = &mut |input: Wires, graph: &mut GraphBuilder<'_>| net.describe(&mut Path::root(), input, graph);
        let outputs = show_layers(input, &mut add, describe)?.as_slice().to_vec();
        Ok(Self { input, nodes, outputs })
    }

    /// Sizes of a tensor for one image.
    ///
    /// # Panics
    ///
    /// For a wire of another graph with more nodes.
    pub fn extent(&self, wire: Wire) -> Extent {
        wire.node().map_or(self.input, |node| self.nodes[node].output)
    }
}
