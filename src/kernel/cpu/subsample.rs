//! Every n-th row and column of an image, with channels of zeros around.

use crate::kernel::Element;

/// Sizes of one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsample {
    /// Images.
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

    /// Calls `visit` with the position of each element taken, in the input and in the output.
    fn each(&self, mut visit: impl FnMut(usize, usize)) {
        let before = (self.out_channels - self.in_channels) / 2;
        for image in 0..self.batch {
            for channel in 0..self.in_channels {
                let plane = (image * self.in_channels + channel) * self.height * self.width;
                let mut out = (image * self.out_channels + before + channel) * self.out_plane();
                for row in (0..self.height).step_by(self.stride) {
                    for column in (0..self.width).step_by(self.stride) {
                        visit(plane + row * self.width + column, out);
                        out += 1;
                    }
                }
            }
        }
    }
}

/// `y[n, before + c, i, j] = x[n, c, stride i, stride j]` in a `y` of zeros.
pub fn forward<E: Element>(shape: Subsample, x: &[E], y: &mut [E]) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    shape.each(|from, to| y[to] = x[from]);
}

/// Adds the gradient of the input to `grad_x`.
pub fn backward<E: Element>(shape: Subsample, cotangent: &[E], grad_x: &mut [E]) {
    assert!(grad_x.len() == shape.input_len() && cotangent.len() == shape.output_len());
    shape.each(|from, to| grad_x[from] = grad_x[from] + cotangent[to]);
}
