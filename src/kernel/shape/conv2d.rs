//! Sizes of a convolution.

/// Sizes of a 2-d convolution, NCHW activations, OIHW weights, square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Number of images `N`.
    pub batch: usize,
    /// Number of input channels `C`.
    pub in_channels: usize,
    /// Height `H` of the input, in pixels.
    pub in_height: usize,
    /// Width `W` of the input, in pixels.
    pub in_width: usize,
    /// Number of output channels `O`.
    pub out_channels: usize,
    /// Height and width `K` of the kernel, at least one.
    pub kernel: usize,
    /// Step `S` between output pixels, in input pixels, at least one.
    pub stride: usize,
    /// Rings `P` of zeros around the input.
    pub padding: usize,
}

impl ConvShape {
    /// The convolution that a linear layer is, of as many images as the layer has rows, of a single pixel:
    /// `[rows, inputs, outputs]`.
    pub fn of_linear([batch, in_channels, out_channels]: [usize; 3]) -> Self {
        let (in_height, in_width) = (1, 1);
        Self { batch, in_channels, in_height, in_width, out_channels, kernel: 1, stride: 1, padding: 0 }
    }

    /// Output pixels along an axis of `len` input pixels:
    /// `floor((len + 2 P - K) / S) + 1`, or zero where the kernel does not fit.
    fn out_len(&self, len: usize) -> usize {
        assert!(self.kernel > 0 && self.stride > 0, "kernel and stride must be positive");
        match (len + 2 * self.padding).checked_sub(self.kernel) {
            Some(room) => room / self.stride + 1,
            None => 0,
        }
    }

    /// Height `H'` of the output, in pixels; zero where the kernel does not fit.
    pub fn out_height(&self) -> usize {
        self.out_len(self.in_height)
    }

    /// Width `W'` of the output, in pixels; zero where the kernel does not fit.
    pub fn out_width(&self) -> usize {
        self.out_len(self.in_width)
    }

    /// Pixels of one input plane, `H W`.
    pub fn in_pixels(&self) -> usize {
        self.in_height * self.in_width
    }

    /// Pixels of one output plane.
    pub fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Elements of the input, `N C H W`.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.in_pixels()
    }

    /// Elements of the output, `N O H' W'`.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.out_pixels()
    }

    /// Elements of the weight.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.fan_in()
    }

    /// Inputs that one output pixel depends on, `C K^2`.
    pub fn fan_in(&self) -> usize {
        self.in_channels * self.kernel * self.kernel
    }

    /// Multiply-adds of one forward pass, those with padding included:
    /// `N O H' W' C K^2`. Each of the gradients of the input and of the weight has the
    /// same number.
    pub fn multiply_adds(&self) -> usize {
        self.output_len() * self.fan_in()
    }

    /// Returns whether the convolution is a matrix product over channels, pixel by pixel.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.padding == 0
    }
}
