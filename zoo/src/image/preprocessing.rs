//! Preprocessing of an image before it reaches a network.

use std::ops::Range;

use rayon::prelude::*;

use super::Image;
use super::channels::Channels;
use super::interpolation::Interpolation;
use super::parameters::{Fit, PreprocessingError};
use super::resize::{Window, resize};
use crate::data::Normalization;

/// Largest side of a network's input, in pixels.
#[doc(hidden)]
pub const MAX_INPUT: usize = 4096;

/// Conversion of an image to the input of a network: a fit, then for each channel `c` in order `(byte / divisor -
/// mean[c]) / std[c]`, in `f32`.
///
/// Its [`Display`](std::fmt::Display) is one line, which [`FromStr`](std::str::FromStr) reads back to the same bits:
///
/// ```
/// use pvlu_zoo::image::Preprocessing;
///
/// let line = "input=224x224 fit=crop:256 interpolation=bilinear channels=rgb divisor=255 mean=0.485,0.456,0.406 \
///             std=0.229,0.224,0.225";
/// assert_eq!(line.parse::<Preprocessing>()?, Preprocessing::TORCHVISION);
/// assert_eq!(Preprocessing::TORCHVISION.to_string(), line);
/// # Ok::<(), pvlu_zoo::image::PreprocessingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    pub(crate) input: (usize, usize),
    pub(crate) fit: Fit,
    pub(crate) interpolation: Interpolation,
    pub(crate) channels: Channels,
    pub(crate) divisor: f32,
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

impl Preprocessing {
    /// torchvision's weights `IMAGENET1K_V1` and timm's `tv_in1k`: shorter side 256, bilinear, center 224x224, mean and
    /// standard deviation of ImageNet.
    pub const TORCHVISION: Self = Self {
        input: (224, 224),
        fit: Fit::Crop { shorter: 256 },
        interpolation: Interpolation::Bilinear,
        channels: Channels::Rgb,
        divisor: 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
    /// torchvision's weights `IMAGENET1K_V2`: as [`TORCHVISION`](Self::TORCHVISION) with shorter side 232. timm says
    /// the same of `tv2_in1k`: a crop of 0.965.
    pub const TORCHVISION_V2: Self = Self { fit: Fit::Crop { shorter: 232 }, ..Self::TORCHVISION };
    /// Keras' mode `caffe`, that of VGG and ResNet50: blue, green, red, minus the mean of ImageNet. `load_img` squashes
    /// to 224x224 with nearest neighbors unless told otherwise.
    pub const KERAS_CAFFE: Self = Self {
        input: (224, 224),
        fit: Fit::Squash,
        interpolation: Interpolation::Nearest,
        channels: Channels::Bgr,
        divisor: 1.0,
        mean: [103.939, 116.779, 123.68],
        std: [1.0; 3],
    };
    /// Keras' mode `tf`, that of the ResNets V2: `byte / 127.5 - 1`. Resized as [`KERAS_CAFFE`](Self::KERAS_CAFFE).
    pub const KERAS_TF: Self = Self { channels: Channels::Rgb, divisor: 127.5, mean: [1.0; 3], ..Self::KERAS_CAFFE };
    /// Preprocessing for 32x32 images, which it only normalizes, by [`Normalization::CIFAR10`]. Other images are fitted
    /// as torchvision would, without a margin around the crop.
    pub const CIFAR10: Self = Self::small(Normalization::CIFAR10);
    /// As [`CIFAR10`](Self::CIFAR10) with [`Normalization::CIFAR100`].
    pub const CIFAR100: Self = Self::small(Normalization::CIFAR100);

    /// Preprocessing of 32x32 images, normalized as a [`Loader`](crate::data::Loader) does, to the same bits.
    #[must_use]
    pub const fn small(normalization: Normalization) -> Self {
        Self {
            input: (32, 32),
            fit: Fit::Crop { shorter: 32 },
            mean: normalization.mean,
            std: normalization.std,
            ..Self::TORCHVISION
        }
    }

    /// Makes a preprocessing of these settings; `input` is height and width.
    ///
    /// # Errors
    ///
    /// [`PreprocessingError`] if a side of the input is not within 1 to [`MAX_INPUT`], the shorter side of a crop does
    /// not cover the input or exceeds `2 *` [`MAX_INPUT`], a mean is not finite, or the divisor or a standard deviation
    /// is not a positive, normal number.
    pub fn new(
        input: (usize, usize),
        fit: Fit,
        interpolation: Interpolation,
        channels: Channels,
        divisor: f32,
        mean: [f32; 3],
        std: [f32; 3],
    ) -> Result<Self, PreprocessingError> {
        let error = |key, expected, found: String| Err(PreprocessingError::Value { key, expected, found });
        let (height, width) = input;
        if !(1..=MAX_INPUT).contains(&height) || !(1..=MAX_INPUT).contains(&width) {
            return error("input", "sides of 1 to 4096 pixels", format!("{height}x{width}"));
        }
        if let Fit::Crop { shorter } = fit
            && !(height.max(width)..=2 * MAX_INPUT).contains(&shorter)
        {
            let expected = "a shorter side that covers the input, at most 8192";
            return error("fit", expected, format!("{shorter} for {height}x{width}"));
        }
        let positive = |value: f32| value.is_normal() && value > 0.0;
        if !positive(divisor) {
            return error("divisor", "a positive, finite number", divisor.to_string());
        }
        if !mean.iter().all(|mean| mean.is_finite()) {
            return error("mean", "finite numbers", format!("{mean:?}"));
        }
        if !std.iter().all(|&std| positive(std)) {
            return error("std", "positive, finite numbers", format!("{std:?}"));
        }
        Ok(Self { input, fit, interpolation, channels, divisor, mean, std })
    }

    /// The same for inputs of another height and width; the margin around a crop stays in proportion to the longer
    /// side, rounded down.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_input(self, input: (usize, usize)) -> Result<Self, PreprocessingError> {
        let fit = match self.fit {
            Fit::Squash => Fit::Squash,
            Fit::Crop { shorter } => {
                // Bounded by `new` on the one side; on the other a product that overflows is out of bounds anyway.
                let (old, new) = (self.input.0.max(self.input.1), input.0.max(input.1));
                Fit::Crop { shorter: shorter.saturating_mul(new) / old }
            }
        };
        Self::new(input, fit, self.interpolation, self.channels, self.divisor, self.mean, self.std)
    }

    /// The same for inputs of another height and width and small images that show nothing but their object, as CIFAR's
    /// do: without a margin around the crop, and bilinear. An image of the size of the input stays as it is.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn whole(self, input: (usize, usize)) -> Result<Self, PreprocessingError> {
        let fit = Fit::Crop { shorter: input.0.max(input.1) };
        Self::new(input, fit, Interpolation::Bilinear, self.channels, self.divisor, self.mean, self.std)
    }

    /// The same with another mean or standard deviation, which are those of red, green and blue pixels in [0, 1]
    /// regardless of the order of the channels and of the divisor; what is `None` stays.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_statistics(self, mean: Option<[f32; 3]>, std: Option<[f32; 3]>) -> Result<Self, PreprocessingError> {
        // `(byte / d - mean) / std` is `(byte / 255 - mean d / 255) / (std d / 255)`; without a rounding where `d` is
        // 255.
        let kept = |values: [f32; 3]| values.map(|value| value * (self.divisor / 255.0));
        let given = |rgb: [f32; 3]| [0, 1, 2].map(|place| rgb[self.channels.color(place)]);
        let (mean, std) = (mean.map_or(kept(self.mean), given), std.map_or(kept(self.std), given));
        Self::new(self.input, self.fit, self.interpolation, self.channels, 255.0, mean, std)
    }

    /// Returns `true` if an image of this height and width is only normalized.
    pub(crate) fn keeps(&self, (height, width): (usize, usize)) -> bool {
        let fits = match self.fit {
            Fit::Squash => true,
            Fit::Crop { shorter } => shorter == height.min(width),
        };
        fits && self.input == (height, width)
    }

    /// The normalized values of all 256 bytes, for each channel in order: a table costs one load a pixel instead of a
    /// division.
    pub(crate) fn tables(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            std::array::from_fn(|byte| (byte as f32 / self.divisor - mean) / std)
        })
    }

    /// Height and width of the input.
    #[must_use]
    pub fn input(&self) -> (usize, usize) {
        self.input
    }

    /// Method by which an image gets the size of the input.
    #[must_use]
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// Method by which a value between pixels is computed.
    #[must_use]
    pub fn interpolation(&self) -> Interpolation {
        self.interpolation
    }

    /// Order of the color planes in the input.
    #[must_use]
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// Divisor of a byte, the first step of the normalization.
    #[must_use]
    pub fn divisor(&self) -> f32 {
        self.divisor
    }

    /// Mean that is subtracted from `byte / divisor`, for each channel in order.
    #[must_use]
    pub fn mean(&self) -> [f32; 3] {
        self.mean
    }

    /// Standard deviation that the difference is divided by, for each channel in order.
    #[must_use]
    pub fn std(&self) -> [f32; 3] {
        self.std
    }

    /// Values of one input: `3 * height * width`.
    #[must_use]
    pub fn len(&self) -> usize {
        3 * self.input.0 * self.input.1
    }

    /// Always `false`, since an input has at least one pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The image at the size of the input, still in RGB bytes.
    #[must_use]
    pub fn fitted(&self, image: &Image) -> Image {
        let (height, width) = self.input;
        let window = match self.fit {
            Fit::Squash => Window { size: [height, width], part: [0..height, 0..width] },
            Fit::Crop { shorter } => {
                let short = image.height().min(image.width());
                // torchvision computes `int(shorter * long / short)` in floats; at these sizes no quotient that is not
                // whole rounds to a whole number.
                let size = [image.height(), image.width()].map(|side| shorter * side / short);
                Window { size, part: [center(size[0], height), center(size[1], width)] }
            }
        };
        resize(image, &window, self.interpolation)
    }

    /// A part of an image, by rows and columns, resized to the size of the input, still in RGB bytes.
    pub(crate) fn stretched(&self, image: &Image, [rows, columns]: [Range<usize>; 2]) -> Image {
        let (height, width) = self.input;
        let window = Window { size: [height, width], part: [0..height, 0..width] };
        resize(&image.cut(rows, columns), &window, self.interpolation)
    }

    /// Writes the input made of `image` to `out`: `[3, height, width]`.
    ///
    /// # Panics
    ///
    /// If `out` does not have [`len`](Self::len) values.
    pub fn apply_into(&self, image: &Image, out: &mut [f32]) {
        assert_eq!(out.len(), self.len(), "values of an input");
        let image = self.fitted(image);
        let (height, width) = self.input;
        for ((channel, plane), table) in out.chunks_exact_mut(height * width).enumerate().zip(self.tables()) {
            let color = self.channels.color(channel);
            for (value, pixel) in plane.iter_mut().zip(image.pixels().chunks_exact(3)) {
                *value = table[usize::from(pixel[color])];
            }
        }
    }

    /// The inputs made of `images`, which may differ in size: `[n, 3, height, width]`. The images are shared out to the
    /// threads of the pool; the result does not depend on them.
    #[must_use]
    pub fn apply(&self, images: &[Image]) -> Vec<f32> {
        let mut out = vec![0.0; images.len() * self.len()];
        out.par_chunks_exact_mut(self.len()).zip(images).for_each(|(out, image)| self.apply_into(image, out));
        out
    }
}

/// Converts as [`Preprocessing::small`] does.
impl From<Normalization> for Preprocessing {
    fn from(normalization: Normalization) -> Self {
        Self::small(normalization)
    }
}

/// The middle `part` of `whole`, as torchvision's `CenterCrop` rounds: halves to even.
fn center(whole: usize, part: usize) -> Range<usize> {
    let margin = whole.saturating_sub(part);
    let start = margin / 2 + usize::from(margin % 4 == 3);
    start..start + part
}
