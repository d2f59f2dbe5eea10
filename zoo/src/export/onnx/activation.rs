//! Activations as operations of ONNX.

use pvlu::activation::Definition;
use pvlu::kernel::cpu::activation::program::{Node, Operation};

use super::builder::{Attribute, Builder, Value};
use crate::export::form::{Form, Nodes};

/// The operations of an activation on `x`, given its parameters, each of sizes that spread over those of x. `None` if
/// its formula is not known.
pub fn activation(
    builder: &mut Builder,
    layer: &str,
    definition: &Definition,
    x: Value,
    params: &[Value],
) -> Option<Value> {
    Some(match Form::of(definition)? {
        Form::Formula(nodes) => formula(builder, layer, nodes, x, params),
        Form::BelowZero(nodes) => {
            let below = formula(builder, layer, nodes, x, params);
            let zero = builder.scalar(0.0);
            let positive = builder.operation(layer, "Greater", &[x, zero], Vec::new());
            builder.operation(layer, "Where", &[positive, x, below], Vec::new())
        }
        Form::Slope => builder.operation(layer, "PRelu", &[x, *params.first()?], Vec::new()),
    })
}

/// The operations of a formula.
fn formula(builder: &mut Builder, layer: &str, (nodes, output): Nodes, x: Value, params: &[Value]) -> Value {
    let mut varies = Vec::with_capacity(nodes.len());
    let mut values: Vec<Value> = Vec::with_capacity(nodes.len());
    for node in &nodes {
        varies.push(*node == Node::X || node.operands().iter().any(|&operand| varies[operand]));
        values.push(match node {
            Node::X => x,
            Node::Param(number) => params[*number],
            Node::Constant(number) => builder.scalar(*number),
            Node::Apply(operation, _) => {
                let operands: Vec<Value> = node.operands().iter().map(|&operand| values[operand]).collect();
                apply(builder, layer, *operation, &operands)
            }
        });
    }
    if varies[output] {
        return values[output];
    }
    // A constant, for every element.
    let shape = builder.operation(layer, "Shape", &[x], Vec::new());
    builder.operation(layer, "Expand", &[values[output], shape], Vec::new())
}

/// One operation of a formula.
fn apply(builder: &mut Builder, layer: &str, operation: Operation, operands: &[Value]) -> Value {
    let on = |builder: &mut Builder, name, operands: &[Value]| builder.operation(layer, name, operands, Vec::new());
    let [a, b, c] = [0, 1, 2].map(|number| operands.get(number).copied().unwrap_or(operands[0]));
    let name = match operation {
        Operation::Negate => "Neg",
        Operation::Add => "Add",
        Operation::Subtract => "Sub",
        Operation::Multiply => "Mul",
        Operation::Divide => "Div",
        Operation::Min => "Min",
        Operation::Max => "Max",
        Operation::Relu => "Relu",
        Operation::Abs => "Abs",
        Operation::Sign => "Sign",
        Operation::Exp => "Exp",
        Operation::Ln => "Log",
        Operation::Sqrt => "Sqrt",
        Operation::Tanh => "Tanh",
        Operation::Erf => "Erf",
        Operation::Sin => "Sin",
        Operation::Cos => "Cos",
        Operation::Sigmoid => "Sigmoid",
        Operation::Softplus => "Softplus",
        Operation::MultiplyAdd => {
            let product = on(builder, "Mul", &[a, b]);
            return on(builder, "Add", &[product, c]);
        }
        Operation::Step => {
            let zero = builder.scalar(0.0);
            let positive = on(builder, "Greater", &[a, zero]);
            return builder.operation(layer, "Cast", &[positive], vec![("to", Attribute::Integer(1))]);
        }
        Operation::Select => {
            let zero = builder.scalar(0.0);
            let positive = on(builder, "Greater", &[a, zero]);
            return on(builder, "Where", &[positive, b, c]);
        }
        // tanh(a / 2) (e^a + 1), which keeps its digits near 0.
        Operation::ExpM1 => {
            let (half, one) = (builder.scalar(0.5), builder.scalar(1.0));
            let halved = on(builder, "Mul", &[a, half]);
            let tanh = on(builder, "Tanh", &[halved]);
            let exp = on(builder, "Exp", &[a]);
            let sum = on(builder, "Add", &[exp, one]);
            return on(builder, "Mul", &[tanh, sum]);
        }
        Operation::Ln1p => {
            let one = builder.scalar(1.0);
            let sum = on(builder, "Add", &[a, one]);
            return on(builder, "Log", &[sum]);
        }
        Operation::SigmoidSlope => {
            let one = builder.scalar(1.0);
            let sigmoid = on(builder, "Sigmoid", &[a]);
            let rest = on(builder, "Sub", &[one, sigmoid]);
            return on(builder, "Mul", &[sigmoid, rest]);
        }
    };
    on(builder, name, operands)
}

#[cfg(test)]
mod tests;
