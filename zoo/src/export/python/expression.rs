//! Formulas as expressions of Python.

use pvlu::kernel::cpu::activation::program::{Node, Operation};

use super::number;
use crate::export::form::Nodes;

/// Binding of an expression, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Comparison,
    Sum,
    Product,
    Sign,
    Atom,
}

/// An expression and how tightly it binds.
#[derive(Clone, Debug)]
struct Expression {
    text: String,
    binding: Binding,
}

impl Expression {
    fn atom(text: impl Into<String>) -> Self {
        Self { text: text.into(), binding: Binding::Atom }
    }

    /// The text, in brackets if it binds looser than its place needs.
    fn within(&self, least: Binding) -> String {
        if self.binding < least { format!("({})", self.text) } else { self.text.clone() }
    }
}

/// A formula as Python computes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// Assignments to `t1`, `t2` and so on, of what is needed more than once, in their order.
    pub assignments: Vec<String>,
    /// Expression of the value.
    pub value: String,
    /// True if the value depends on x.
    pub varies: bool,
}

/// Writes a formula of `x` and of parameters with these names. `call` writes a function of a library on its arguments:
/// any operation but signs, sums, products and quotients.
pub fn formula((nodes, output): &Nodes, params: &[String], call: &dyn Fn(Operation, &[String]) -> String) -> Formula {
    let mut uses = vec![0_usize; nodes.len()];
    let mut needed = vec![false; nodes.len()];
    needed[*output] = true;
    for (index, node) in nodes.iter().enumerate().rev().filter(|(index, _)| *index <= *output) {
        if needed[index] {
            for &operand in node.operands() {
                uses[operand] += 1;
                needed[operand] = true;
            }
        }
    }
    let mut written = Formula { assignments: Vec::new(), value: String::new(), varies: false };
    let mut varies = Vec::with_capacity(nodes.len());
    let mut found: Vec<Expression> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        varies.push(*node == Node::X || node.operands().iter().any(|&operand| varies[operand]));
        let expression = match node {
            Node::X => Expression::atom("x"),
            Node::Param(param) => Expression::atom(params[*param].as_str()),
            Node::Constant(value) if *value < 0.0 => Expression { text: number(*value), binding: Binding::Sign },
            Node::Constant(value) => Expression::atom(number(*value)),
            Node::Apply(operation, _) => {
                let operands: Vec<&Expression> = node.operands().iter().map(|&operand| &found[operand]).collect();
                apply(*operation, &operands, call)
            }
        };
        let is_shared = uses[index] > 1 && needed[index] && matches!(node, Node::Apply(..));
        found.push(if is_shared {
            let name = format!("t{}", written.assignments.len() + 1);
            written.assignments.push(format!("{name} = {}", expression.text));
            Expression::atom(name)
        } else {
            expression
        });
    }
    written.value.clone_from(&found[*output].text);
    written.varies = varies[*output];
    written
}

/// An operation on expressions.
fn apply(operation: Operation, operands: &[&Expression], call: &dyn Fn(Operation, &[String]) -> String) -> Expression {
    let two = |sign: &str, own: Binding, right: Binding| {
        let text = format!("{} {sign} {}", operands[0].within(own), operands[1].within(right));
        Expression { text, binding: own }
    };
    match operation {
        Operation::Negate => {
            Expression { text: format!("-{}", operands[0].within(Binding::Sign)), binding: Binding::Sign }
        }
        Operation::Add => two("+", Binding::Sum, Binding::Product),
        Operation::Subtract => two("-", Binding::Sum, Binding::Product),
        Operation::Multiply => two("*", Binding::Product, Binding::Sign),
        Operation::Divide => two("/", Binding::Product, Binding::Sign),
        Operation::MultiplyAdd => {
            let [a, b] = [operands[0].within(Binding::Product), operands[1].within(Binding::Sign)];
            Expression { text: format!("{} + {a} * {b}", operands[2].within(Binding::Sum)), binding: Binding::Sum }
        }
        _ => {
            let arguments: Vec<String> = operands.iter().map(|operand| operand.within(Binding::Comparison)).collect();
            Expression::atom(call(operation, &arguments))
        }
    }
}
