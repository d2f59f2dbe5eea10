//! Every n-th row and column of an image, with channels of zeros around.

use super::tasks::each;
use super::write::Write;
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

    /// Calls `visit` with the position of each element taken, in one image of the input and of the output.
    fn each(&self, mut visit: impl FnMut(usize, usize)) {
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
    fn images(&self) -> (usize, usize) {
        (self.in_channels * self.height * self.width, self.out_channels * self.out_plane())
    }
}

/// `y[n, before + c, i, j] = x[n, c, stride i, stride j]`, and zero in the other channels.
pub fn forward<E: Element>(shape: Subsample, x: &[E], y: &mut [E]) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    if x.is_empty() {
        return y.fill(E::zero());
    }
    let (from, to) = shape.images();
    each(y.chunks_mut(to).zip(x.chunks(from)), |(y, x)| {
        y.fill(E::zero());
        shape.each(|from, to| y[to] = x[from]);
    });
}

/// The gradient of the input, written to `grad_x` or added.
pub fn backward<E: Element>(shape: Subsample, grad_output: &[E], grad_x: &mut [E], write: Write) {
    assert!(grad_x.len() == shape.input_len() && grad_output.len() == shape.output_len());
    if grad_x.is_empty() {
        return;
    }
    let (from, to) = shape.images();
    each(grad_x.chunks_mut(from).zip(grad_output.chunks(to)), |(grad_x, grad_output)| {
        write.prepare(grad_x);
        shape.each(|from, to| grad_x[from] = grad_x[from] + grad_output[to]);
    });
}
