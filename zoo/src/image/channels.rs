//! Color planes and their order.

/// Order of the color planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue: the order of torchvision and of Keras' mode `tf`.
    Rgb,
    /// Blue, green, red: the order of Caffe, whose weights Keras ported.
    Bgr,
}

impl Channels {
    /// Index of the color in this place: 0 for red, 1 for green, 2 for blue.
    pub(crate) fn color(self, place: usize) -> usize {
        match self {
            Self::Rgb => place,
            Self::Bgr => 2 - place,
        }
    }
}
