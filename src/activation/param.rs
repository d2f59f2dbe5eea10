//! Parameters of an activation: their names and their values at the start.

/// The largest number of parameters that an activation has.
pub const MAX_PARAMS: usize = 4;

/// A parameter of an activation: one value for each channel, or each element; see
/// [`Activation::PER_ELEMENT`](super::Activation::PER_ELEMENT).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// Name, as in the formula: "alpha".
    pub name: &'static str,
    /// Value at the start of training from scratch.
    pub start: f64,
    /// Value where the activation replaces another one in a trained network.
    pub swapped: f64,
    /// True if the parameter is trained; otherwise it is a hyperparameter, saved with the network but never changed.
    pub trained: bool,
}

impl Param {
    /// A trained parameter with one start value, from scratch and after a swap.
    pub const fn trained(name: &'static str, start: f64) -> Self {
        Param { name, start, swapped: start, trained: true }
    }

    /// A hyperparameter with one value, from scratch and after a swap.
    pub const fn fixed(name: &'static str, value: f64) -> Self {
        Param { name, start: value, swapped: value, trained: false }
    }

    /// The same parameter with another value after a swap.
    pub const fn swapped(self, value: f64) -> Self {
        Param { swapped: value, ..self }
    }
}
