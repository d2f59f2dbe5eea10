//! Color planes and their order.

/// Order of the color planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red: the order of Caffe, whose weights Keras ported.
    Bgr,
}

impl Channels {
    /// Which of red, green and blue, from 0, is in this place.
    pub(crate) fn color(self, place: usize) -> usize {
        match self {
            Self::Rgb => place,
            Self::Bgr => 2 - place,
        }
    }
}
