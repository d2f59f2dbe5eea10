//! Derivatives of a graph, as nodes of the same graph.
//!
//! Forward, one variable after the other, so that at a kink the derivative of the branch that is not taken, which may
//! be infinite, is left out and not multiplied by zero. Each node is differentiated once for each variable into a few
//! nodes: the size is bounded by that of the formula times the number of variables.

use super::graph::{Full, Graph};
use crate::kernel::cpu::activation::program::{Node, Operation};

/// The derivatives of every node up to `value` by one variable; nothing stands for zero.
pub(super) type Derivatives = Vec<Option<usize>>;

/// The derivatives by `variable`; if there are too many nodes, at which node.
pub(super) fn derivatives(graph: &mut Graph, value: usize, variable: Node) -> Result<Derivatives, usize> {
    let mut derivatives: Derivatives = Vec::with_capacity(value + 1);
    for (node, needed) in needed(graph, value).into_iter().enumerate() {
        let derivative = if needed { derivative(graph, node, variable, &derivatives) } else { Ok(None) };
        derivatives.push(derivative.map_err(|Full| node)?);
    }
    Ok(derivatives)
}

/// The nodes that a value is computed from, and itself.
pub(super) fn needed(graph: &Graph, value: usize) -> Vec<bool> {
    let mut needed = vec![false; value + 1];
    needed[value] = true;
    for node in (0..=value).rev() {
        if needed[node] {
            graph.nodes()[node].operands().iter().for_each(|&operand| needed[operand] = true);
        }
    }
    needed
}

fn derivative(
    graph: &mut Graph,
    node: usize,
    variable: Node,
    derivatives: &[Option<usize>],
) -> Result<Option<usize>, Full> {
    let (operation, [a, b, _]) = match graph.nodes()[node] {
        same if same == variable => return graph.constant(1.0).map(Some),
        Node::Apply(operation, operands) => (operation, operands),
        _ => return Ok(None),
    };
    if operation.arity() == 1 {
        let Some(da) = derivatives[a] else { return Ok(None) };
        return match power(graph, node, derivatives) {
            Some([base, exponent, dbase]) => power_rule(graph, base, exponent, dbase).map(Some),
            None => function(graph, operation, node, a, da).map(Some),
        };
    }
    if derivatives[a].is_none() && derivatives[b].is_none() {
        return Ok(None);
    }
    let zero = graph.constant(0.0)?;
    let (da, db) = (derivatives[a].unwrap_or(zero), derivatives[b].unwrap_or(zero));
    // A product with a derivative, if that is not zero.
    let times = |graph: &mut Graph, factor: usize, d: usize| {
        if d == zero { Ok(zero) } else { graph.binary(Operation::Multiply, factor, d) }
    };
    let derivative = match operation {
        Operation::Add | Operation::Subtract => graph.binary(operation, da, db)?,
        Operation::Multiply => {
            let (first, second) = (times(graph, b, da)?, times(graph, a, db)?);
            graph.binary(Operation::Add, first, second)?
        }
        Operation::Divide => {
            let second = times(graph, node, db)?;
            let difference = graph.binary(Operation::Subtract, da, second)?;
            graph.binary(Operation::Divide, difference, b)?
        }
        // b + relu(a - b)
        Operation::Max => {
            let difference = graph.binary(Operation::Subtract, a, b)?;
            graph.select(difference, da, db)?
        }
        // a - relu(a - b)
        Operation::Min => {
            let difference = graph.binary(Operation::Subtract, a, b)?;
            graph.select(difference, db, da)?
        }
        other => unreachable!("{other:?} is not part of a formula"),
    };
    Ok(Some(derivative))
}

/// The derivative of a function of `a`, whose value is `node`, where that of `a` is `da`.
fn function(graph: &mut Graph, operation: Operation, node: usize, a: usize, da: usize) -> Result<usize, Full> {
    use Operation::{Add, Divide, Multiply, Negate, Subtract};
    let one = graph.constant(1.0)?;
    let slope = match operation {
        Negate => return graph.unary(Negate, da),
        Operation::Relu => {
            let zero = graph.constant(0.0)?;
            return graph.select(a, da, zero);
        }
        Operation::Ln => return graph.binary(Divide, da, a),
        Operation::Ln1p => {
            let divisor = graph.binary(Add, a, one)?;
            return graph.binary(Divide, da, divisor);
        }
        Operation::Sqrt => {
            let twice = graph.binary(Add, node, node)?;
            return graph.binary(Divide, da, twice);
        }
        Operation::Abs => graph.unary(Operation::Sign, a)?,
        Operation::Exp => node,
        Operation::ExpM1 => graph.unary(Operation::Exp, a)?,
        Operation::Tanh => {
            let square = graph.binary(Multiply, node, node)?;
            graph.binary(Subtract, one, square)?
        }
        Operation::Erf => {
            let factor = graph.constant(std::f64::consts::FRAC_2_SQRT_PI)?;
            let square = graph.binary(Multiply, a, a)?;
            let exponent = graph.unary(Negate, square)?;
            let bell = graph.unary(Operation::Exp, exponent)?;
            graph.binary(Multiply, bell, factor)?
        }
        Operation::Sin => graph.unary(Operation::Cos, a)?,
        Operation::Cos => {
            let sin = graph.unary(Operation::Sin, a)?;
            graph.unary(Negate, sin)?
        }
        Operation::Sigmoid => graph.unary(Operation::SigmoidSlope, a)?,
        Operation::Softplus => graph.unary(Operation::Sigmoid, a)?,
        other => unreachable!("{other:?} is not part of a formula"),
    };
    graph.binary(Multiply, slope, da)
}

/// Base, exponent and the derivative of the base, if a node is a power whose exponent does not depend on the variable:
/// `e^(exponent ln base)`.
fn power(graph: &Graph, node: usize, derivatives: &[Option<usize>]) -> Option<[usize; 3]> {
    let operands = |node: usize, wanted: Operation| match graph.nodes()[node] {
        Node::Apply(operation, operands) if operation == wanted => Some(operands),
        _ => None,
    };
    let [product, ..] = operands(node, Operation::Exp)?;
    let [a, b, _] = operands(product, Operation::Multiply)?;
    [(a, b), (b, a)].into_iter().find_map(|(logarithm, exponent)| {
        let [base, ..] = operands(logarithm, Operation::Ln)?;
        if derivatives[exponent].is_none() { Some([base, exponent, derivatives[base]?]) } else { None }
    })
}

/// The derivative of a power, `exponent base^(exponent - 1) base'`, which is right also at 0, where the logarithm is
/// infinite.
fn power_rule(graph: &mut Graph, base: usize, exponent: usize, dbase: usize) -> Result<usize, Full> {
    let one = graph.constant(1.0)?;
    let less = graph.binary(Operation::Subtract, exponent, one)?;
    let power = graph.power(base, less)?;
    let slope = graph.binary(Operation::Multiply, power, exponent)?;
    graph.binary(Operation::Multiply, slope, dbase)
}
