//! From a list of instructions back to a graph, for what translates a formula into another language.

use super::definition::Program;
use super::list::{Node, partner};

impl Program {
    /// The value of the formula as a graph, and the number of the node that is the value. Operands come before what is
    /// computed from them; sums of products are one node, as the kernels compute them.
    pub fn value_nodes(&self) -> (Vec<Node>, usize) {
        let list = &self.value;
        let mut nodes = vec![Node::X];
        nodes.extend((0..self.params).map(Node::Param));
        nodes.extend(list.constants.iter().copied().map(Node::Constant));
        // The node whose value each register holds: the first registers are those of the nodes so far.
        let mut held: Vec<usize> = (0..list.registers).collect();
        for instruction in &list.instructions {
            let operands = instruction.operands.map(|register| held[register]);
            held[instruction.target] = nodes.len();
            nodes.push(Node::Apply(instruction.operation, operands));
            if let (Some(second), Some(partner)) = (instruction.second, partner(instruction.operation)) {
                held[second] = nodes.len();
                nodes.push(Node::Apply(partner, operands));
            }
        }
        (nodes, held[list.outputs[0]])
    }
}
