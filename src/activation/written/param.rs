//! Parameters of a written activation.

/// A parameter of a written activation: one value for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenParam {
    /// Name, as in the formula: "alpha".
    pub name: String,
    /// Value at the start of training from scratch.
    pub start: f64,
    /// Value where the activation replaces another one in a trained network.
    pub swapped: f64,
    /// True if the parameter is trained; otherwise it is a hyperparameter, saved with the network but never changed.
    pub trained: bool,
}

/// A parameter as a list after a `;` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Name of the parameter.
    pub name: String,
    /// The number of the character, from 0, that the name begins with.
    pub place: usize,
    /// The number after `=`.
    pub start: f64,
    /// The number after `swap`, if there is one.
    pub swapped: Option<f64>,
    /// True if `fixed` stands before the name.
    pub fixed: bool,
}

impl From<Setting> for WrittenParam {
    fn from(setting: Setting) -> Self {
        let Setting { name, start, swapped, fixed, .. } = setting;
        WrittenParam { name, start, swapped: swapped.unwrap_or(start), trained: !fixed }
    }
}
