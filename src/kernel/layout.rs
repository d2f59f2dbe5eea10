//! The place of the channels among the axes of a tensor.

/// The sizes of a tensor `[outer, channels, inner]`, row-major: images `(N, C, H, W)` with `inner = H W`, or dense
/// features `(N, C)` with `inner = 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelsLayout {
    /// Number of samples `N`.
    pub outer: usize,
    /// Number of channels, or of dense features, `C`.
    pub channels: usize,
    /// Elements of one channel of one sample.
    pub inner: usize,
}

impl ChannelsLayout {
    /// Elements in the tensor.
    pub fn len(self) -> usize {
        self.outer * self.channels * self.inner
    }

    /// Returns whether the tensor has no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements in a channel.
    pub fn count(self) -> usize {
        self.outer * self.inner
    }

    /// Returns whether one channel of one sample fills registers: a narrower one would leave most of a register empty.
    pub(crate) fn is_planar(self) -> bool {
        self.inner >= 32
    }
}
