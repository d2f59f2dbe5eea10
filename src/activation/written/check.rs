//! A check that a formula and its derivatives are finite for the inputs that an activation meets.

use super::derive::{Derivatives, needed};
use super::graph::Graph;
use super::param::WrittenParam;
use crate::kernel::cpu::activation::program::Node;

/// Inputs from -`FARTHEST` to `FARTHEST`, this many to the unit: what comes out of a normalization or a layer that was
/// started well is rarely beyond.
const FARTHEST: i32 = 4;
const STEPS: i32 = 8;

/// A value or derivative that is not finite in `f32`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// Number of the first node that is not finite.
    pub node: usize,
    /// Number of the derivative, 0 for that by x; `None` for the value.
    pub derivative: Option<usize>,
    pub x: f64,
    /// The values of the parameters.
    pub params: Vec<f64>,
}

/// Looks at the value and the derivatives by x and by what is trained, for x from -4 to 4 in steps of 1/8, with the
/// parameters as they start in either way.
pub(super) fn check(
    graph: &Graph,
    value: usize,
    derivatives: &[Derivatives],
    params: &[WrittenParam],
) -> Result<(), Found> {
    let needed = needed(graph, value);
    let starts: [fn(&WrittenParam) -> f64; 2] = [|param| param.start, |param| param.swapped];
    // Zero first: a formula that is not finite somewhere is mostly not finite there.
    let mut steps: Vec<i32> = (-FARTHEST * STEPS..=FARTHEST * STEPS).collect();
    steps.sort_by_key(|step| (step.abs(), *step));
    let used: Vec<bool> = std::iter::once(true).chain(params.iter().map(|param| param.trained)).collect();
    for start in starts {
        let params: Vec<f64> = params.iter().map(start).collect();
        for &step in &steps {
            let x = f64::from(step) / f64::from(STEPS);
            let values = evaluate(graph, x, &params);
            let bad = |node: usize| !(values[node] as f32).is_finite();
            let bad_derivative = |by: &Derivatives, node: usize| by[node].is_some_and(bad);
            let nodes = || (0..=value).filter(|&node| needed[node]);
            let found = |node: Option<usize>, derivative| Found {
                node: node.unwrap_or(value),
                derivative,
                x,
                params: params.clone(),
            };
            if bad(value) {
                return Err(found(nodes().find(|&node| bad(node)), None));
            }
            let number = derivatives.iter().zip(&used).position(|(by, &used)| used && bad_derivative(by, value));
            if let Some(number) = number {
                return Err(found(nodes().find(|&node| bad_derivative(&derivatives[number], node)), Some(number)));
            }
        }
    }
    Ok(())
}

/// The value of every node, each rounded to `f32`, whose range is the smaller one.
fn evaluate(graph: &Graph, x: f64, params: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let value = match *node {
            Node::X => x,
            Node::Param(param) => params[param],
            Node::Constant(value) => value,
            Node::Apply(operation, operands) => {
                let operands = operands.map(|operand| values.get(operand).copied().unwrap_or_default());
                operation.of(&operands[..operation.arity()])
            }
        };
        values.push(f64::from(value as f32));
    }
    values
}
