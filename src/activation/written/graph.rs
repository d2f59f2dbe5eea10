//! A formula as a graph, in which equal parts are one node.
//!
//! A part is simplified only if its value stays the same for every x, infinities and NaN included (but for the sign of
//! a zero).

use std::collections::HashMap;

use super::limits::MAX_OPERATIONS;
use crate::kernel::cpu::activation::program::{Node, Operation};

/// Largest integer exponent that is multiplied out; a larger one is refused.
pub const MAX_EXPONENT: f64 = 64.0;

/// The error for a graph with too many nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Full;

#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Key, usize>,
}

/// A node as it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    X,
    Param(usize),
    Constant(u64),
    Apply(Operation, [usize; 3]),
}

impl Graph {
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn constant(&mut self, value: f64) -> Result<usize, Full> {
        self.node(Node::Constant(value))
    }

    /// The number of a node, old or new.
    pub fn node(&mut self, node: Node) -> Result<usize, Full> {
        let key = match node {
            Node::X => Key::X,
            Node::Param(param) => Key::Param(param),
            Node::Constant(value) => Key::Constant(value.to_bits()),
            Node::Apply(operation, operands) => Key::Apply(operation, operands),
        };
        if let Some(&number) = self.known.get(&key) {
            return Ok(number);
        }
        if self.nodes.len() == MAX_OPERATIONS {
            return Err(Full);
        }
        self.known.insert(key, self.nodes.len());
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// The value of a node that is a constant.
    pub fn value(&self, node: usize) -> Option<f64> {
        if let Node::Constant(value) = self.nodes[node] { Some(value) } else { None }
    }

    fn is(&self, node: usize, value: f64) -> bool {
        self.value(node) == Some(value)
    }

    fn negated(&self, node: usize) -> Option<usize> {
        if let Node::Apply(Operation::Negate, [inner, ..]) = self.nodes[node] { Some(inner) } else { None }
    }

    pub fn unary(&mut self, operation: Operation, a: usize) -> Result<usize, Full> {
        if let Some(a) = self.value(a) {
            return self.constant(operation.of(&[a]));
        }
        match (operation, self.negated(a)) {
            (Operation::Negate, Some(inner)) => Ok(inner),
            _ => self.node(Node::Apply(operation, [a, 0, 0])),
        }
    }

    pub fn binary(&mut self, operation: Operation, a: usize, b: usize) -> Result<usize, Full> {
        if let (Some(a), Some(b)) = (self.value(a), self.value(b)) {
            return self.constant(operation.of(&[a, b]));
        }
        // The operands of an operation that commutes are put in order: a constant comes second, else the older one
        // first.
        let commutes = matches!(operation, Operation::Add | Operation::Multiply);
        let extreme = matches!(operation, Operation::Max | Operation::Min);
        let second = self.value(a).is_some() || commutes && self.value(b).is_none() && b < a;
        let (a, b) = if (commutes || extreme) && second { (b, a) } else { (a, b) };
        match operation {
            Operation::Add | Operation::Subtract if self.is(b, 0.0) => Ok(a),
            Operation::Multiply | Operation::Divide if self.is(b, 1.0) => Ok(a),
            Operation::Multiply | Operation::Divide if self.is(b, -1.0) => self.unary(Operation::Negate, a),
            Operation::Subtract if self.is(a, 0.0) => self.unary(Operation::Negate, b),
            Operation::Max if self.is(b, 0.0) => self.unary(Operation::Relu, a),
            Operation::Max | Operation::Min if a == b => Ok(a),
            Operation::Add if self.negated(a).is_some() => {
                let inner = self.negated(a).unwrap_or(a);
                self.binary(Operation::Subtract, b, inner)
            }
            Operation::Add | Operation::Subtract if self.negated(b).is_some() => {
                let inner = self.negated(b).unwrap_or(b);
                let opposite = if operation == Operation::Add { Operation::Subtract } else { Operation::Add };
                self.binary(opposite, a, inner)
            }
            _ => self.node(Node::Apply(operation, [a, b, 0])),
        }
    }

    /// `positive` where `a > 0`, else `other`.
    pub fn select(&mut self, a: usize, positive: usize, other: usize) -> Result<usize, Full> {
        if self.is(positive, 1.0) && self.is(other, 0.0) {
            return self.unary(Operation::Step, a);
        }
        match [a, positive, other].map(|node| self.value(node)) {
            [Some(a), Some(positive), Some(other)] => self.constant(Operation::Select.of(&[a, positive, other])),
            _ => self.node(Node::Apply(Operation::Select, [a, positive, other])),
        }
    }

    /// `base^exponent`: by multiplication for a constant integer exponent up to [`MAX_EXPONENT`]; by square roots for
    /// halves; else `e^(exponent ln base)`, which is NaN for a negative base.
    pub fn power(&mut self, base: usize, exponent: usize) -> Result<usize, Full> {
        let Some(number) = self.value(exponent) else {
            let logarithm = self.unary(Operation::Ln, base)?;
            let product = self.binary(Operation::Multiply, exponent, logarithm)?;
            return self.unary(Operation::Exp, product);
        };
        if let Some(base) = self.value(base) {
            return self.constant(libm::pow(base, number));
        }
        let magnitude = number.abs();
        let power = if magnitude <= MAX_EXPONENT && magnitude.fract() == 0.0 {
            self.integer_power(base, magnitude as usize)?
        } else if magnitude == 0.5 {
            self.unary(Operation::Sqrt, base)?
        } else {
            let logarithm = self.unary(Operation::Ln, base)?;
            let product = self.binary(Operation::Multiply, exponent, logarithm)?;
            return self.unary(Operation::Exp, product);
        };
        let one = self.constant(1.0)?;
        if number < 0.0 { self.binary(Operation::Divide, one, power) } else { Ok(power) }
    }

    /// A power by squaring, from the highest bit of the exponent down.
    fn integer_power(&mut self, base: usize, exponent: usize) -> Result<usize, Full> {
        let mut power = self.constant(1.0)?;
        for bit in (0..usize::BITS - exponent.leading_zeros()).rev() {
            power = self.binary(Operation::Multiply, power, power)?;
            if exponent >> bit & 1 == 1 {
                power = self.binary(Operation::Multiply, power, base)?;
            }
        }
        Ok(power)
    }
}
