//! Activations as modules of torch.

use std::fmt::Write as _;

use pvlu::activation::{Definition, Pvlu};
use pvlu::kernel::cpu::activation::program::Operation;

use crate::export::form::Form;
use crate::export::python::expression::formula;
use crate::export::python::{inner, number};
use crate::weights::attribute;

/// The function that spreads a parameter over a batch; see [`EACH`].
pub const EACH_NAME: &str = "each";

/// Definition of the function that spreads a parameter over a batch.
pub const EACH: &str = r#"
def each(parameter, x):
    """The parameter, of one value for each channel or element, with the dimensions that spread it over the batch x."""
    return parameter.reshape(parameter.shape + (1,) * (x.dim() - 1 - parameter.dim()))
"#;

/// The class of an activation, `name`; `None` if its formula is not known.
pub fn class(definition: &Definition, name: &str) -> Option<String> {
    let form = Form::of(definition)?;
    let params = definition.params();
    let mut text = format!("\nclass {name}(nn.Module):\n");
    if definition.is_of_the_type_of(Definition::of::<Pvlu>()) {
        text.push_str(
            "    \"\"\"Parametric variational linear unit, max(x, 0) + alpha sin(beta x).\n\n    \
             Each channel has an alpha and a beta.\n\n    \
             Gupta and Ahuja, \"Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks\",\n    \
             arXiv:2110.12246.\n    \"\"\"\n",
        );
    } else {
        let each = if definition.is_per_element() { "element of a map" } else { "channel" };
        let values =
            if params.is_empty() { String::new() } else { format!(", its parameters one value for each {each}") };
        let _ = writeln!(text, "    \"\"\"The activation {}{values}.\"\"\"", inner(definition.text()));
    }
    if !params.is_empty() {
        let (argument, sizes) =
            if definition.is_per_element() { ("*sizes", "sizes") } else { ("channels", "channels") };
        let _ = writeln!(text, "\n    def __init__(self, {argument}):\n        super().__init__()");
        for param in params.iter() {
            let (name, start) = (attribute(param.name), number(param.start));
            let value = format!("torch.full(({sizes},), {start})");
            let value = if definition.is_per_element() { format!("torch.full({sizes}, {start})") } else { value };
            let _ = if param.trained {
                writeln!(text, "        self.{name} = nn.Parameter({value})")
            } else {
                writeln!(text, "        self.register_buffer(\"{name}\", {value})")
            };
        }
    }
    let _ = writeln!(text, "\n    def forward(self, x):");
    let locals: Vec<String> = params.iter().map(|param| local(param.name)).collect();
    for (param, local) in params.iter().zip(&locals) {
        let _ = writeln!(text, "        {local} = {EACH_NAME}(self.{}, x)", attribute(param.name));
    }
    let mut lines = Vec::new();
    let value = match &form {
        Form::Slope => format!("torch.where(x > 0, x, {} * x)", locals.first()?),
        Form::Formula(nodes) => {
            let formula = formula(nodes, &locals, &call);
            lines.extend(formula.assignments);
            // A constant, for every element.
            if formula.varies { formula.value } else { format!("torch.zeros_like(x) + ({})", formula.value) }
        }
        Form::BelowZero(nodes) => {
            let formula = formula(nodes, &locals, &call);
            // What is not taken would overflow, and make a gradient of 0 times infinity.
            lines.push("above, x = x, torch.where(x > 0, 0.0, x)".to_owned());
            lines.extend(formula.assignments);
            format!("torch.where(above > 0, above, {})", formula.value)
        }
    };
    for line in lines {
        let _ = writeln!(text, "        {line}");
    }
    let _ = writeln!(text, "        return {value}");
    Some(text)
}

/// The name of a parameter in the function that computes the activation, which no other name there is.
fn local(parameter: &str) -> String {
    let name = attribute(parameter);
    let is_temporary = name.strip_prefix('t').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let is_taken = ["torch", "F", "self", "above", EACH_NAME].contains(&name.as_str());
    // `call` takes numbers for constants.
    let is_number = name.parse::<f64>().is_ok();
    if is_temporary || is_taken || is_number || name.starts_with("p_") { format!("p_{name}") } else { name }
}

/// An operation on texts of expressions.
fn call(operation: Operation, arguments: &[String]) -> String {
    let constant = |argument: &String| argument.parse::<f64>().ok();
    let constants: Vec<Option<f64>> = arguments.iter().map(constant).collect();
    // Functions of torch take tensors.
    if let Some(values) = constants.iter().copied().collect::<Option<Vec<f64>>>() {
        let value = operation.of(&values);
        return if value < 0.0 { format!("({})", number(value)) } else { number(value) };
    }
    let a = &arguments[0];
    let name = match operation {
        Operation::Min | Operation::Max => {
            let (bound, function) = if operation == Operation::Min { ("max", "minimum") } else { ("min", "maximum") };
            return match constants[..] {
                [_, Some(limit)] => format!("torch.clamp({a}, {bound}={})", number(limit)),
                [Some(limit), _] => format!("torch.clamp({}, {bound}={})", arguments[1], number(limit)),
                _ => format!("torch.{function}({a}, {})", arguments[1]),
            };
        }
        Operation::Step => return format!("torch.where({a} > 0, 1.0, 0.0)"),
        Operation::Select => return format!("torch.where({a} > 0, {}, {})", arguments[1], arguments[2]),
        Operation::SigmoidSlope => return format!("(torch.sigmoid({a}) * torch.sigmoid(-({a})))"),
        Operation::Softplus => return format!("F.softplus({a})"),
        Operation::Relu => "relu",
        Operation::Abs => "abs",
        Operation::Sign => "sign",
        Operation::Exp => "exp",
        Operation::ExpM1 => "expm1",
        Operation::Ln => "log",
        Operation::Ln1p => "log1p",
        Operation::Sqrt => "sqrt",
        Operation::Tanh => "tanh",
        Operation::Erf => "erf",
        Operation::Sin => "sin",
        Operation::Cos => "cos",
        Operation::Sigmoid => "sigmoid",
        Operation::Negate => "neg",
        // Signs of their own in an expression.
        Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide | Operation::MultiplyAdd => {
            let sign = match operation {
                Operation::Add => "+",
                Operation::Subtract => "-",
                Operation::Divide => "/",
                _ => "*",
            };
            let rest: String = arguments.get(2).map(|c| format!(" + ({c})")).unwrap_or_default();
            return format!("(({a}) {sign} ({}){rest})", arguments[1]);
        }
    };
    format!("torch.{name}({a})")
}
