//! The trunk of a network, compiled: what is computed once where the head alone is trained.

use std::fmt;

use dfdx::tensor::Cpu;

use super::BATCH;
use super::plan::Plan;
use super::tensors::Tensors;
use crate::error::Error;
use crate::layer::{Extent, Graph, LayerKind, Node, Part, Visit, Wire};

/// The layers of a network up to its [head](Part::Head), ready for inference on images of one size.
///
/// A mean over all pixels at the beginning of the head is a part of it where the head takes maps of one pixel: the mean
/// over that is the pixel itself, so that the head gives the same for less to keep.
///
/// It holds a copy of the trunk's weights, so that the head can be trained meanwhile. After a change of the trunk it is
/// the trunk as it was.
#[doc(hidden)]
pub struct CompiledTrunk {
    plan: Plan,
    features: Extent,
}

impl fmt::Debug for CompiledTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledTrunk").field("features", &self.features).finish_non_exhaustive()
    }
}

impl CompiledTrunk {
    /// Compiles the trunk of a network for inputs of this size, whose head takes the features that `takes` says. `None`
    /// of a network that does not tell its trunk from its head, or whose head takes other features, or something else
    /// than the one tensor that the trunk gives it first.
    ///
    /// # Errors
    ///
    /// As for [`Compile::try_compile`](super::Compile::try_compile), of the layers of the trunk.
    pub fn of(
        net: &(impl Visit<f32, Cpu> + ?Sized),
        input: Extent,
        takes: impl Fn(Extent) -> bool,
    ) -> Result<Option<Self>, Error> {
        let graph = Graph::of(net, input)?;
        let cuts = [with_mean(&graph), without_mean(&graph)];
        let Some(cut) = cuts.into_iter().flatten().find(|cut| takes(cut.features)) else { return Ok(None) };
        let plan = Plan::of(&cut.trunk, &Tensors::of(net)?, BATCH)?;
        Ok(Some(Self { plan, features: cut.features }))
    }

    /// Sizes of the features of one image, which the head takes.
    pub fn features(&self) -> Extent {
        self.features
    }

    /// The features of a batch of images, each `[channels, height, width]`, one after another. Their bits depend on
    /// the sizes of the network alone, and on no other image of the batch.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the elements are those of no whole number of images.
    pub fn try_run(&self, images: &[f32]) -> Result<Vec<f32>, Error> {
        Ok(self.plan.run(images)?.swap_remove(0))
    }
}

/// A graph up to a place, and the sizes of what it gives there.
struct Cut {
    trunk: Graph,
    features: Extent,
}

fn in_head(node: &Node) -> bool {
    Part::of(&node.path) == Some(Part::Head)
}

/// The graph up to the head.
fn without_mean(graph: &Graph) -> Option<Cut> {
    let end = graph.nodes.iter().position(in_head)?;
    let &[given] = &graph.nodes[end].inputs[..] else { return None };
    let trunk = up_to(graph, end, given)?;
    Some(Cut { trunk, features: graph.extent(given) })
}

/// The graph up to the head and through the mean over all pixels that the head begins with.
fn with_mean(graph: &Graph) -> Option<Cut> {
    let mean = graph.nodes.iter().position(in_head)?;
    if !matches!(graph.nodes[mean].kind, LayerKind::GlobalPool2D) {
        return None;
    }
    let trunk = up_to(graph, mean + 1, Wire::of(mean))?;
    Some(Cut { trunk, features: Extent::image(graph.nodes[mean].output.channels(), 1, 1) })
}

/// The first `end` nodes of a graph, which give one tensor, if the others are those of the head and take nothing else.
fn up_to(graph: &Graph, end: usize, given: Wire) -> Option<Graph> {
    let is_given = |&wire: &Wire| wire == given || wire.node().is_some_and(|node| node >= end);
    let (nodes, rest) = graph.nodes.split_at(end);
    let takes_it_alone = rest.iter().all(|node| in_head(node) && node.inputs.iter().all(is_given));
    let fits = takes_it_alone && graph.outputs.iter().all(is_given);
    fits.then(|| Graph { input: graph.input, nodes: nodes.to_vec(), outputs: vec![given] })
}
