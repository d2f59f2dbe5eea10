//! What a model is built with.

/// What a model is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// What asks for the activation; see [`activation`](crate::registry::activation).
    pub activation: &'a str,
    /// Number of classes, one of [`CLASSES`](super::CLASSES).
    pub classes: usize,
    /// Height and width of the images; the original's if not given.
    pub image: Option<(usize, usize)>,
    /// Where the weights come from.
    pub weights: Start,
}

/// Where the weights of a new model come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Drawn from this seed; see [`init`](crate::init). Equal seeds give equal weights under every activation, up to
    /// the scale that suits it.
    Seed(u64),
    /// Zero, to be loaded. Other tensors have their start values.
    Unfilled,
}
