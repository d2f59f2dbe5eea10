//! The description of layers by themselves: tensors on their way from one layer to the next, and what takes the layers
//! down.

use super::layer_summary::{Extent, LayerKind, LayerSummary, MOST};
use super::wire::Wire;
use crate::error::Error;
use crate::kernel::Precision;

/// The tensors that a layer gives or takes: one, or several of [`Branches`](super::Branches), with their sizes for one
/// image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wires {
    extent: Extent,
    wires: [Wire; MOST],
    count: usize,
}

impl Wires {
    /// One tensor of this size.
    fn one(wire: Wire, extent: Extent) -> Self {
        let mut wires = [Wire::INPUT; MOST];
        wires[0] = wire;
        Self { extent, wires, count: 1 }
    }

    /// The tensors of several branches: two to six, each of them one, or [`Error::TensorCount`].
    pub(crate) fn several(parts: &[Wires]) -> Result<Self, Error> {
        let extents: Vec<Extent> = parts.iter().map(|part| part.extent).collect();
        let mut several = Wires { extent: Extent::several(&extents)?, wires: [Wire::INPUT; MOST], count: parts.len() };
        several.wires.iter_mut().zip(parts).for_each(|(wire, part)| *wire = part.wires[0]);
        Ok(several)
    }

    /// Sizes of the tensors.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// The tensors, in their order.
    pub fn as_slice(&self) -> &[Wire] {
        &self.wires[..self.count]
    }
}

/// Takes down the layers of a network, in forward order. The output of each is a wire of its own.
pub struct GraphBuilder<'a> {
    show: &'a mut dyn FnMut(LayerSummary<'_>),
    /// Number of the last layer, counted from 1.
    last: usize,
}

impl GraphBuilder<'_> {
    /// Adds a layer that takes all of `input`, and returns its output.
    pub fn layer(&mut self, path: &str, kind: LayerKind, input: Wires, output: Extent) -> Wires {
        self.product(path, kind, input, output, Precision::F32)
    }

    /// Adds a layer whose products have factors of this precision.
    pub fn product(
        &mut self,
        path: &str,
        kind: LayerKind,
        input: Wires,
        output: Extent,
        precision: Precision,
    ) -> Wires {
        let wires = input.as_slice();
        self.add(LayerSummary { path, kind, wires, input: input.extent, output, epsilon: None, precision })
    }

    /// Adds a layer, and returns its output.
    pub fn add(&mut self, layer: LayerSummary<'_>) -> Wires {
        (self.show)(layer);
        self.last += 1;
        Wires::one(Wire(self.last), layer.output)
    }
}

/// Shows the layers that `describe` adds to a graph with an input of this size, and returns the size of what it gives.
pub(super) fn show_layers(
    input: Extent,
    show: &mut dyn FnMut(LayerSummary<'_>),
    describe: &mut dyn FnMut(Wires, &mut GraphBuilder<'_>) -> Result<Wires, Error>,
) -> Result<Wires, Error> {
    describe(Wires::one(Wire::INPUT, input), &mut GraphBuilder { show, last: 0 })
}
