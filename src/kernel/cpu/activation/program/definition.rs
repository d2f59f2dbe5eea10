//! A formula as lists of operations.

use super::list::{List, Node};

/// A function of x and up to four parameters, and its derivatives, as lists of operations. Immutable.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub(super) params: usize,
    /// The list whose one output is f.
    pub(super) value: List,
    /// The list whose outputs are df/dx, and df/dparameter for each parameter.
    pub(super) derivatives: List,
}

/// Most parameters of a program.
pub const MAX_PARAMS: usize = 4;

impl Program {
    /// The program of a graph, in which operands come before what is computed from them. `value` is the node of f, and
    /// `derivatives` those of df/dx and of df/dparameter for each parameter.
    ///
    /// # Panics
    /// If a node refers to itself, a later one or a parameter that there is not, if one of the outputs is not a node,
    /// or if there is no derivative or one of more than [`MAX_PARAMS`] parameters.
    pub fn new(nodes: &[Node], value: usize, derivatives: &[usize]) -> Program {
        assert!((1..=1 + MAX_PARAMS).contains(&derivatives.len()));
        let params = derivatives.len() - 1;
        Program {
            params,
            value: List::new(params, nodes, &[value]),
            derivatives: List::new(params, nodes, derivatives),
        }
    }

    /// Number of parameters, at most [`MAX_PARAMS`].
    pub fn param_count(&self) -> usize {
        self.params
    }
}
