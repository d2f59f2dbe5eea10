//! Activations as operations of ONNX.

use pvlu::activation::{BUILT_IN, Definition, Written};
use pvlu::kernel::cpu::activation::program::{Node, Operation};

use super::builder::{Attribute, Builder, Value};

/// A built-in activation, in the language of [formulas](pvlu::activation::written).
enum Form {
    /// The formula, for every x.
    Formula(&'static str),
    /// The formula for x <= 0; x itself above.
    BelowZero(&'static str),
    /// The parameter times x for x <= 0; x itself above: an operation of its own.
    Slope,
}

/// The form of a built-in activation. Parameters have their own names.
fn form(name: &str) -> Option<Form> {
    Some(match name {
        "relu" => Form::Formula("relu(x)"),
        "leaky_relu" | "prelu" | "prelu_element" => Form::Slope,
        "elu" => Form::BelowZero("alpha*exp_m1(x)"),
        "sine_relu" => Form::BelowZero("epsilon*(sin(x) - cos(x))"),
        "swish" | "swish_beta" => Form::Formula("x*sigmoid(beta*x)"),
        "vlu" => Form::Formula("relu(x) + a*sin(b*x)"),
        "pvlu" => Form::Formula("relu(x) + alpha*sin(beta*x)"),
        "gelu" => Form::Formula("x*(0.5 + 0.5*erf(x*0.7071067811865476))"),
        // sqrt(2 / pi) twice, and that times 0.044715.
        "gelu_tanh" => Form::Formula("x*sigmoid(x*(1.5957691216057308 + 0.07135481627159607*x^2))"),
        "mish" => Form::Formula("x*tanh(softplus(x))"),
        "softplus" => Form::Formula("softplus(x)"),
        "tanh" => Form::Formula("tanh(x)"),
        // The quotient by a, which is zero for a = 0.
        "snake" => Form::Formula("x + sin(a*x)^2*a/(a^2 + 1e-37)"),
        "sinlu" => Form::Formula("(x + a*sin(b*x))*sigmoid(x)"),
        "acon_c" => Form::Formula("(p1 - p2)*x*sigmoid(beta*((p1 - p2)*x)) + p2*x"),
        _ => return None,
    })
}

/// The operations of an activation on `x`, given its parameters, each of sizes that spread over those of x. `None` if
/// its formula is not known.
pub fn activation(
    builder: &mut Builder,
    layer: &str,
    definition: &Definition,
    x: Value,
    params: &[Value],
) -> Option<Value> {
    if let Some(program) = definition.program() {
        return Some(formula(builder, layer, program.value_nodes(), x, params));
    }
    let of_text = |builder: &mut Builder, text: &str| {
        // The start values do not matter.
        let listed: String = definition.params().iter().map(|param| format!("; {} = 1", param.name)).collect();
        let written = Written::parse(&format!("f = {text}{listed}")).ok()?;
        Some(formula(builder, layer, written.program().value_nodes(), x, params))
    };
    // An activation of a program's own may have the name of a built-in one, and another formula.
    let built_in = BUILT_IN.iter().find(|known| known.is_of_the_type_of(definition))?;
    match form(built_in.name())? {
        Form::Formula(text) => of_text(builder, text),
        Form::BelowZero(text) => {
            let below = of_text(builder, text)?;
            let zero = builder.scalar(0.0);
            let positive = builder.operation(layer, "Greater", &[x, zero], Vec::new());
            Some(builder.operation(layer, "Where", &[positive, x, below], Vec::new()))
        }
        Form::Slope => Some(builder.operation(layer, "PRelu", &[x, *params.first()?], Vec::new())),
    }
}

/// The operations of a formula.
fn formula(
    builder: &mut Builder,
    layer: &str,
    (nodes, output): (Vec<Node>, usize),
    x: Value,
    params: &[Value],
) -> Value {
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
