//! Train and eval mode of layers.

/// Train or eval mode of the layers that behave differently in training, by the method that is called:
///
/// | | `forward` | `forward_mut` on a tensor without a tape | `forward_mut` on a tensor with one |
/// |---|---|---|---|
/// | `Auto` | evaluates | evaluates | trains |
/// | `Train` | trains, and changes nothing | trains | trains |
/// | `Eval` | evaluates | evaluates | evaluates |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As dfdx's own layers: in `forward_mut` on a tensor with a tape as in training, else as in evaluation, whether or
    /// not the tensor has a tape. Layers are built in this mode, and only a call that sets another takes them out of
    /// it.
    #[default]
    Auto,
    /// Dropout drops; batch norm normalizes by the batch unless its statistics are frozen.
    Train,
    /// Dropout passes everything; batch norm normalizes by its running statistics.
    Eval,
}

impl Mode {
    /// True if a layer in this mode behaves as in training; `learns` if it is called as dfdx's training loops call it,
    /// by `forward_mut` on a tensor with a tape.
    pub fn trains(self, learns: bool) -> bool {
        match self {
            Mode::Auto => learns,
            Mode::Train => true,
            Mode::Eval => false,
        }
    }
}
