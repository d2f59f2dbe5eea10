//! Built-in activations in the language of [formulas](pvlu::activation::written), for programs that have no such layer.

use pvlu::activation::{BUILT_IN, Definition, Written};
use pvlu::kernel::cpu::activation::program::Node;

/// The operations of a formula, each after those that it takes, and the number of the one whose value is the formula's.
pub type Nodes = (Vec<Node>, usize);

/// An activation by its formula, whose parameters have the numbers that they have in the activation's list.
#[derive(Clone, Debug)]
pub enum Form {
    /// The formula, for every x.
    Formula(Nodes),
    /// The formula for x <= 0; x itself above.
    BelowZero(Nodes),
    /// The first parameter times x for x <= 0; x itself above.
    Slope,
}

impl Form {
    /// The form of an activation: of one that is written as text, or a built-in one. `None` of any other, whose formula
    /// is compiled into its program and not known.
    pub fn of(definition: &Definition) -> Option<Self> {
        if let Some(program) = definition.program() {
            return Some(Self::Formula(program.value_nodes()));
        }
        let nodes = |text: &str| {
            // The start values do not matter.
            let listed: String = definition.params().iter().map(|param| format!("; {} = 1", param.name)).collect();
            let written = Written::parse(&format!("f = {text}{listed}")).ok()?;
            Some(written.program().value_nodes())
        };
        // An activation of a program's own may have the name of a built-in one, and another formula.
        let built_in = BUILT_IN.iter().find(|known| known.is_of_the_type_of(definition))?;
        Some(match built_in.name() {
            "relu" => Self::Formula(nodes("relu(x)")?),
            "leaky_relu" | "prelu" | "prelu_element" => Self::Slope,
            "elu" => Self::BelowZero(nodes("alpha*exp_m1(x)")?),
            "sine_relu" => Self::BelowZero(nodes("epsilon*(sin(x) - cos(x))")?),
            "swish" | "swish_beta" => Self::Formula(nodes("x*sigmoid(beta*x)")?),
            "vlu" => Self::Formula(nodes("relu(x) + a*sin(b*x)")?),
            "pvlu" => Self::Formula(nodes("relu(x) + alpha*sin(beta*x)")?),
            "gelu" => Self::Formula(nodes("x*(0.5 + 0.5*erf(x*0.7071067811865476))")?),
            // sqrt(2 / pi) twice, and that times 0.044715.
            "gelu_tanh" => Self::Formula(nodes("x*sigmoid(x*(1.5957691216057308 + 0.07135481627159607*x^2))")?),
            "mish" => Self::Formula(nodes("x*tanh(softplus(x))")?),
            "softplus" => Self::Formula(nodes("softplus(x)")?),
            "tanh" => Self::Formula(nodes("tanh(x)")?),
            // The quotient by a, which is zero for a = 0.
            "snake" => Self::Formula(nodes("x + sin(a*x)^2*a/(a^2 + 1e-37)")?),
            "sinlu" => Self::Formula(nodes("(x + a*sin(b*x))*sigmoid(x)")?),
            "acon_c" => Self::Formula(nodes("(p1 - p2)*x*sigmoid(beta*((p1 - p2)*x)) + p2*x")?),
            _ => return None,
        })
    }
}
