//! Tensors of a graph, by number.

/// A tensor of a graph: the input of the network, or the output of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wire(pub(super) usize);

impl Wire {
    /// The input of the network.
    pub const INPUT: Wire = Wire(0);

    /// The output of the node of this number.
    pub(crate) fn of(node: usize) -> Self {
        Wire(node + 1)
    }

    /// The number of the node that gives the tensor; `None` of the network's input.
    pub fn node(self) -> Option<usize> {
        self.0.checked_sub(1)
    }
}
