//! Sizes of taking every n-th row and column.

/// Sizes of one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsample {
    /// Number of images in the batch.
    pub batch: usize,
    /// Channels that come in.
    pub in_channels: usize,
    /// Channels that go out: half of those added come before the given ones.
    pub out_channels: usize,
    /// Rows that come in.
    pub height: usize,
    /// Columns that come in.
    pub width: usize,
    /// Step over rows and columns.
    pub stride: usize,
}

impl Subsample {
    fn out_plane(&self) -> usize {
        self.height.div_ceil(self.stride) * self.width.div_ceil(self.stride)
    }

    /// Elements that come in.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.height * self.width
    }

    /// Elements that go out.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.out_plane()
    }

    /// Calls `visit` with the position of each element taken, in one image of the input and of the output.
    pub(crate) fn each(&self, mut visit: impl FnMut(usize, usize)) {
        let before = (self.out_channels - self.in_channels) / 2;
        for channel in 0..self.in_channels {
            let plane = channel * self.height * self.width;
            let mut out = (before + channel) * self.out_plane();
            for row in (0..self.height).step_by(self.stride) {
                for column in (0..self.width).step_by(self.stride) {
                    visit(plane + row * self.width + column, out);
                    out += 1;
                }
            }
        }
    }

    /// Elements of an image of the input and of the output.
    pub(crate) fn images(&self) -> (usize, usize) {
        (self.in_channels * self.height * self.width, self.out_channels * self.out_plane())
    }
}
