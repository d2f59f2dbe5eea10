//! Sizes of a pooling.

use std::ops::Range;

/// Sizes of a pooling with square windows; images are `[batch, channels, height, width]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Number of images in the batch.
    pub batch: usize,
    /// Channels, each pooled by itself.
    pub channels: usize,
    /// Rows of the input.
    pub in_height: usize,
    /// Columns of the input.
    pub in_width: usize,
    /// Side of the window: 1 to 15.
    pub kernel: usize,
    /// Distance between windows: at least 1.
    pub stride: usize,
    /// Rows and columns added on each side: at most `kernel / 2`, so that every window meets the image.
    pub padding: usize,
}

/// The largest window side: a position in the window fits a byte, with one value to spare.
pub const MAX_KERNEL: usize = 15;

impl PoolShape {
    /// Rows of the output: `floor((in_height + 2 padding - kernel) / stride) + 1`, or 0 where no window fits.
    pub fn out_height(self) -> usize {
        self.out(self.in_height)
    }

    /// Columns of the output, as [`out_height`](Self::out_height).
    pub fn out_width(self) -> usize {
        self.out(self.in_width)
    }

    /// Elements of the input.
    pub fn input_len(self) -> usize {
        self.planes() * self.in_plane()
    }

    /// Elements of the output.
    pub fn output_len(self) -> usize {
        self.planes() * self.out_plane()
    }

    fn out(self, size: usize) -> usize {
        let padded = size + 2 * self.padding;
        // Without an image there is no window, however wide the padding.
        if size == 0 || padded < self.kernel { 0 } else { (padded - self.kernel) / self.stride + 1 }
    }

    pub(crate) fn planes(self) -> usize {
        self.batch * self.channels
    }

    pub(crate) fn in_plane(self) -> usize {
        self.in_height * self.in_width
    }

    pub(crate) fn out_plane(self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Asserts the contract of the kernels.
    pub(crate) fn check(self, input: usize, output: usize) {
        assert!((1..=MAX_KERNEL).contains(&self.kernel), "windows are 1 to {MAX_KERNEL} wide");
        assert!(self.stride >= 1, "windows move");
        assert!(self.padding <= self.kernel / 2, "every window meets the image");
        assert_eq!((input, output), (self.input_len(), self.output_len()));
    }

    /// The row of the image under row `tap` of the windows in output row `out`, if it is not padding.
    #[inline(always)]
    pub(crate) fn row_under(self, out: usize, tap: usize) -> Option<usize> {
        (out * self.stride + tap).checked_sub(self.padding).filter(|&row| row < self.in_height)
    }

    /// For each column of the window, the output columns at which it does not lie on padding, and the column of the
    /// image under it at the first of them.
    pub(crate) fn columns(self) -> Vec<TapColumns> {
        let width = self.out_width();
        (0..self.kernel)
            .map(|tap| {
                let end = (self.in_width + self.padding).saturating_sub(tap).div_ceil(self.stride).min(width);
                let start = self.padding.saturating_sub(tap).div_ceil(self.stride).min(end);
                TapColumns { out: start..end, first: (start * self.stride + tap).saturating_sub(self.padding) }
            })
            .collect()
    }
}

/// The output columns at which one column of the window lies on the image.
#[derive(Clone, Debug)]
pub(crate) struct TapColumns {
    /// Range of the output columns.
    pub(crate) out: Range<usize>,
    /// The column of the image under the first of them.
    pub(crate) first: usize,
}

/// The value of the padding in max pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxPadding {
    /// Minus infinity, which never wins: PyTorch's padding.
    NegativeInfinity,
    /// Zeros that compete: Keras' `ZeroPadding2D` followed by a pooling without padding.
    Zero,
}
