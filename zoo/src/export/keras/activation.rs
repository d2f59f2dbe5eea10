//! Activations as classes of Keras' layers.

use std::fmt::Write as _;

use pvlu::activation::{Definition, Param};
use pvlu::kernel::cpu::activation::program::Operation;

use crate::export::form::Form;
use crate::export::python::expression::{Formula, formula};
use crate::export::python::{inner, number, string};

/// A class that the file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Name of the class.
    pub name: String,
    /// Definition of the class.
    pub text: String,
}

/// The class of an activation, under its [`class_name`] with a number behind it if one is given. `None` if its formula
/// is not known.
pub fn class(definition: &Definition, number: Option<usize>) -> Option<Class> {
    let params = definition.params();
    let attributes: Vec<String> = params.iter().map(|param| attribute(definition, param)).collect();
    let own: Vec<String> = attributes.iter().map(|name| format!("self.{name}")).collect();
    let body = body(&Form::of(definition)?, &own);
    let name = class_name(definition) + &number.map_or_else(String::new, |number| number.to_string());
    let what = match (params.is_empty(), definition.is_per_element()) {
        (true, _) => "",
        (false, false) => "\n\n    Each parameter has a value for each channel.\n    ",
        (false, true) => "\n\n    Each parameter has a value for each element of a map.\n    ",
    };
    let mut text = String::from(REGISTER);
    let _ = writeln!(text, "class {name}(layers.Layer):");
    let _ = writeln!(text, "    \"\"\"The activation {}.{what}\"\"\"", inner(definition.text()));
    let call = format!("    def call(self, x):\n{body}");
    let methods = if params.is_empty() {
        vec![call]
    } else {
        let shape = if definition.is_per_element() { "tuple(input_shape[1:])" } else { "(input_shape[-1],)" };
        with_parameters(&params, &attributes, shape, call)
    };
    for method in methods {
        let _ = write!(text, "\n{method}");
    }
    Some(Class { name, text })
}

/// Line that makes a class known to Keras when it reads a saved model.
const REGISTER: &str = "@keras.saving.register_keras_serializable(package=\"pvlu_zoo\")\n";

/// The methods of a layer with parameters. One of them, `call`, is given.
fn with_parameters(params: &[Param], attributes: &[String], shape: &str, call: String) -> Vec<String> {
    let named: Vec<(&Param, &String)> = params.iter().zip(attributes).collect();
    let starts: String = named.iter().map(|(param, name)| format!("{name}={}, ", number(param.start))).collect();
    let mut init = format!("    def __init__(self, {starts}**kwargs):\n        super().__init__(**kwargs)\n");
    let mut build = format!("    def build(self, input_shape):\n        shape = {shape}\n");
    let mut save = String::from("    def save_own_variables(self, store):\n");
    let mut load = String::from("    def load_own_variables(self, store):\n");
    let mut config = String::from("    def get_config(self):\n        config = super().get_config()\n");
    for (param, name) in named {
        let _ = writeln!(init, "        self.{name}_start = {name}");
        let own = string(param.name);
        let fixed = if param.trained { "" } else { ", trainable=False" };
        let start = format!("keras.initializers.Constant(self.{name}_start)");
        let _ = writeln!(
            build,
            "        self.{name} = self.add_weight(\n            \
             shape=shape, initializer={start}{fixed}, name={own}\n        )"
        );
        let _ = writeln!(save, "        store[{own}] = self.{name}");
        let _ = writeln!(load, "        self.{name}.assign(store[{own}])");
        let _ = writeln!(config, "        config[\"{name}\"] = self.{name}_start");
    }
    config.push_str("        return config\n");
    vec![init, build, call, save, load, config]
}

/// The lines that compute an activation of `x`.
fn body(form: &Form, params: &[String]) -> String {
    let lines = |before: &[&str], formula: Formula, value: &dyn Fn(&str) -> String| {
        let mut text: String = before.iter().map(|line| format!("        {line}\n")).collect();
        for line in &formula.assignments {
            let _ = writeln!(text, "        {line}");
        }
        let _ = writeln!(text, "        return {}", value(&formula.value));
        text
    };
    match form {
        Form::Formula(nodes) => {
            let formula = formula(nodes, params, &call);
            let varies = formula.varies;
            lines(&[], formula, &|value| {
                if varies { value.to_owned() } else { format!("ops.zeros_like(x) + ({value})") }
            })
        }
        // What is not taken must not overflow, where its derivative would be NaN.
        Form::BelowZero(nodes) => {
            let before = ["positive = x > 0", "above = x", "x = ops.minimum(x, 0.0)"];
            lines(&before, formula(nodes, params, &call), &|value| format!("ops.where(positive, above, {value})"))
        }
        Form::Slope => {
            let slope = params.first().map_or("0.0", String::as_str);
            format!("        return ops.where(x > 0, x, {slope} * x)\n")
        }
    }
}

/// A function of `keras.ops`.
fn call(operation: Operation, arguments: &[String]) -> String {
    let all = arguments.join(", ");
    let name = match operation {
        Operation::Min => "minimum",
        Operation::Max => "maximum",
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
        Operation::Softplus => "softplus",
        Operation::Step => return format!("ops.cast({all} > 0, \"float32\")"),
        Operation::Select => return format!("ops.where({} > 0, {})", arguments[0], arguments[1..].join(", ")),
        Operation::SigmoidSlope => return format!("(ops.sigmoid({all}) * (1.0 - ops.sigmoid({all})))"),
        // Written with signs.
        Operation::Negate | Operation::Add | Operation::Subtract | Operation::Multiply | Operation::Divide => "add",
        Operation::MultiplyAdd => "add",
    };
    format!("ops.{name}({all})")
}

/// Name of the class of an activation: `PVLU`, `LeakyRelu`, and `Formula` for one that is written as text. In a file of
/// weights, Keras makes it the name of the activation again, `leaky_relu`.
fn class_name(definition: &Definition) -> String {
    if definition.program().is_some() {
        return "Formula".to_owned();
    }
    let name = definition.name();
    if ["pvlu", "vlu", "elu"].contains(&name) {
        return name.to_uppercase();
    }
    let capital = |word: &str| word.get(..1).map_or_else(String::new, |first| first.to_uppercase() + &word[1..]);
    name.split('_').map(capital).collect()
}

/// Name of the attribute that holds a parameter. Those of a formula may have the name of anything.
fn attribute(definition: &Definition, param: &Param) -> String {
    if definition.program().is_some() { format!("param_{}", param.name) } else { param.name.to_owned() }
}

/// Layers beside those of Keras that a network may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Helper {
    /// Minus infinity around a map.
    InfinityPadding2D,
    /// Channels of zeros around those of a map.
    ChannelPadding,
}

impl Helper {
    /// The class of the layer.
    pub fn class(self) -> Class {
        let (name, doc, argument, pad) = match self {
            Self::InfinityPadding2D => (
                "InfinityPadding2D",
                "Rows and columns of minus infinity around a map, which a max pool does not take.",
                "padding",
                "widths = [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]\n        \
                 return ops.pad(x, widths, constant_values=-float(\"inf\"))",
            ),
            Self::ChannelPadding => (
                "ChannelPadding",
                "As many channels of zeros before as after those of a map.",
                "channels",
                "return ops.pad(x, [[0, 0], [0, 0], [0, 0], [self.channels] * 2])",
            ),
        };
        let text = format!(
            "{REGISTER}class {name}(layers.Layer):\n    \"\"\"{doc}\"\"\"\n\n    \
             def __init__(self, {argument}, **kwargs):\n        super().__init__(**kwargs)\n        \
             self.{argument} = {argument}\n\n    def call(self, x):\n        {pad}\n\n    \
             def get_config(self):\n        return {{**super().get_config(), \"{argument}\": self.{argument}}}\n"
        );
        Class { name: name.to_owned(), text }
    }
}
