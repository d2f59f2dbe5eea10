//! The words of a formula.

use crate::activation::BUILT_IN;
use crate::kernel::cpu::activation::program::Operation;

/// The functions, with as many arguments as their operation has operands.
pub(super) const FUNCTIONS: [(&str, Operation); 15] = [
    ("exp", Operation::Exp),
    ("exp_m1", Operation::ExpM1),
    ("ln", Operation::Ln),
    ("ln_1p", Operation::Ln1p),
    ("sqrt", Operation::Sqrt),
    ("tanh", Operation::Tanh),
    ("erf", Operation::Erf),
    ("abs", Operation::Abs),
    ("min", Operation::Min),
    ("max", Operation::Max),
    ("sin", Operation::Sin),
    ("cos", Operation::Cos),
    ("sigmoid", Operation::Sigmoid),
    ("relu", Operation::Relu),
    ("softplus", Operation::Softplus),
];

/// The function of a name.
pub(super) fn function(name: &str) -> Option<Operation> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|&(_, operation)| operation)
}

/// The meaning that a name has already, if it cannot be given to an activation or a parameter.
pub(super) fn meaning(name: &str) -> Option<&'static str> {
    match name {
        "x" => Some("the input"),
        "pi" => Some("a number"),
        "fixed" | "swap" => Some("a word of the list of parameters"),
        _ if function(name).is_some() => Some("a function"),
        _ if BUILT_IN.iter().any(|activation| activation.name() == name) => Some("a built-in activation"),
        _ => None,
    }
}
