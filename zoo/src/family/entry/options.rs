//! Options that a model is built with.

/// Options that a model is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// Text that asks for the activation; see [`activation`](crate::registry::activation).
    pub activation: &'a str,
    /// Number of classes, one of [`CLASSES`](super::CLASSES).
    pub classes: usize,
    /// Height and width of the images; the original's if not given.
    pub image: Option<(usize, usize)>,
    /// Start values of the weights.
    pub weights: Start,
}

/// Start values of the weights of a new model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Drawn from this seed; see [`init`](crate::init). Equal seeds give equal weights under every activation, up to
    /// the scale that suits it.
    Seed(u64),
    /// Zero, to be loaded. Other tensors have their start values.
    Unfilled,
}
