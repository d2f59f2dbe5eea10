//! Augmentation and normalization: from bytes to the values that a network reads.

pub(super) mod crop;
pub(super) mod jitter;

use super::rng::{KeyedRng, Purpose};
use super::{CHANNELS, DataError, Split};
use crate::image::Channels;

/// Maps a byte `p` of channel `c` to `(p / 255 - mean[c]) / std[c]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Mean of `p / 255`, by channel (red, green, blue). Images of fewer channels take the first of these.
    pub mean: [f32; CHANNELS],
    /// Standard deviation of `p / 255`, by channel.
    pub std: [f32; CHANNELS],
}

impl Normalization {
    /// Mean and standard deviation of the 50,000 training images of CIFAR-10, the values in common use.
    pub const CIFAR10: Self = Self { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] };
    /// Mean and standard deviation of the 50,000 training images of CIFAR-100, the values in common use.
    pub const CIFAR100: Self = Self { mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] };
    /// Mean 0 and standard deviation 1, which leave `p / 255` as it is.
    pub const NONE: Self = Self { mean: [0.0; CHANNELS], std: [1.0; CHANNELS] };

    /// Mean and standard deviation (of the population, divisor `n`) over all pixels of all images, by channel. The sums
    /// are integers, so the result does not depend on the order of the images. For channels that the images do not
    /// have: 0 and 1.
    ///
    /// # Errors
    ///
    /// [`DataError::NoImages`] for an empty split, [`DataError::Setting`] if a channel has one value only: its standard
    /// deviation is 0 and nothing can be divided by it; or if there are more than 3 channels.
    pub fn measured(split: &Split) -> Result<Self, DataError> {
        if split.is_empty() {
            return Err(DataError::NoImages { what: "measuring the normalization" });
        }
        let [channels, height, width] = split.shape();
        check_channels(channels)?;
        let plane_len = height * width;
        let (mut sums, mut squares) = ([0_u64; CHANNELS], [0_u64; CHANNELS]);
        for image in split.pixels().chunks_exact(split.image_len()) {
            for (channel, plane) in image.chunks_exact(plane_len).enumerate() {
                sums[channel] += plane.iter().map(|&p| u64::from(p)).sum::<u64>();
                squares[channel] += plane.iter().map(|&p| u64::from(p) * u64::from(p)).sum::<u64>();
            }
        }
        Self::of_sums(&Sums { count: (split.len() * plane_len) as u64, sums, squares }, channels)
    }

    pub(super) fn of_sums(Sums { count, sums, squares }: &Sums, channels: usize) -> Result<Self, DataError> {
        let count = u128::from(*count);
        let mean = sums.map(|sum| (sum as f64 / (255.0 * count as f64)) as f32);
        let std = std::array::from_fn(|channel| {
            if channel >= channels {
                return 1.0;
            }
            let sum = u128::from(sums[channel]);
            // n^2 times the variance, without rounding.
            let spread = count * u128::from(squares[channel]) - sum * sum;
            ((spread as f64).sqrt() / (255.0 * count as f64)) as f32
        });
        let measured = Self { mean, std };
        measured.check()?;
        Ok(measured)
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        if self.mean.iter().any(|mean| !mean.is_finite()) {
            return Err(DataError::setting("mean of the normalization", "finite numbers", format!("{:?}", self.mean)));
        }
        if self.std.iter().any(|&std| !(std.is_normal() && std > 0.0)) {
            let expected = "positive, finite numbers";
            let found = format!("{:?}", self.std);
            return Err(DataError::setting("standard deviation of the normalization", expected, found));
        }
        Ok(())
    }
}

/// Number of pixels, and the sums of their values and of the squares of these, by channel.
#[derive(Default)]
pub(super) struct Sums {
    count: u64,
    sums: [u64; CHANNELS],
    squares: [u64; CHANNELS],
}

impl Sums {
    /// Those of pixels with their three values side by side.
    pub(super) fn of_pixels(pixels: &[u8]) -> Self {
        let (pixels, _) = pixels.as_chunks::<CHANNELS>();
        let mut of = Self { count: pixels.len() as u64, ..Self::default() };
        for pixel in pixels {
            for (channel, &value) in pixel.iter().enumerate() {
                of.sums[channel] += u64::from(value);
                of.squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        of
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        for channel in 0..CHANNELS {
            self.sums[channel] += other.sums[channel];
            self.squares[channel] += other.squares[channel];
        }
    }
}

/// Checks that a [`Normalization`] has values for this many channels.
pub(super) fn check_channels(channels: usize) -> Result<(), DataError> {
    if (1..=CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(DataError::setting("channels of the images", "1 to 3, one mean and standard deviation each", channels))
}

/// Random changes of a training image. All are off in [`Augmentation::NONE`], the default.
///
/// They apply in the order part, colors, flip, shift, cutout. What they uncover is filled with 0 *after* normalization,
/// that is with the mean color. The draws are keyed by seed, epoch and index of the image, and each change has its own
/// draws: to switch one on or off leaves the others as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Augmentation {
    /// Mirror left and right with probability 1/2.
    pub flip: bool,
    /// Move by a whole number of pixels, uniform in `-shift..=shift`, down and to the right independently. This is the
    /// random crop from an image padded by `shift`. Less than a side of the input.
    pub shift: usize,
    /// Erase one square with sides of this many pixels, from 1 to the input's shorter side. Its center is uniform over
    /// the image and the part outside of the image is lost (DeVries & Taylor 2017, arXiv:1708.04552). A square of even
    /// side `s` begins `s / 2` before its center, as in their code.
    pub cutout: Option<usize>,
    /// Take a part of the image in place of the fit of the [preprocessing](crate::image::Preprocessing), and resize it
    /// to the input: torchvision's `RandomResizedCrop`, with parts from this share of the area (0.08 there) to all of
    /// it, 3/4 to 4/3 as wide as high. Of color images alone.
    pub part: Option<f64>,
    /// Scale brightness, contrast and saturation, each by a factor that is at most so far from 1: torchvision's
    /// `ColorJitter`. Of color images alone.
    pub jitter: Option<f64>,
}

impl Augmentation {
    /// No augmentation: images stay as they are.
    pub const NONE: Self = Self { flip: false, shift: 0, cutout: None, part: None, jitter: None };
    /// Flips and shifts by up to 4 pixels, the usual choice for CIFAR (He et al. 2015, section 4.2).
    pub const STANDARD: Self = Self { flip: true, shift: 4, ..Self::NONE };

    pub(super) fn check(&self, (height, width): (usize, usize), channels: usize) -> Result<(), DataError> {
        let side = height.min(width);
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let (part, jitter) = (self.part.unwrap_or(1.0), self.jitter.unwrap_or(1.0));
        if !share(part) || !share(jitter) {
            let (name, found) =
                if share(part) { ("change of the colors", jitter) } else { ("part of the image", part) };
            return Err(DataError::setting(name, "a share above 0, at most 1", found));
        }
        if channels != CHANNELS && (self.part.is_some() || self.jitter.is_some()) {
            let expected = "3, to take parts of images or change their colors";
            return Err(DataError::setting("channels of the images", expected, channels));
        }
        if self.shift >= side {
            return Err(DataError::setting("shift", "fewer pixels than a side of the input has", self.shift));
        }
        match self.cutout {
            Some(cut) if cut == 0 || cut > side => {
                Err(DataError::setting("side of the cutout", "1 pixel to as many as a side of the input has", cut))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn draw(&self, seed: u64, epoch: u64, index: usize, (height, width): (usize, usize)) -> Change {
        let mut rng = KeyedRng::new(Purpose::Augment, seed, epoch, index as u64);
        // Always the same number of draws in the same order, see the type.
        let coin = rng.coin();
        let [down, right] = [rng.below(2 * self.shift + 1), rng.below(2 * self.shift + 1)];
        let [row, column] = [rng.below(height), rng.below(width)];
        Change {
            flip: self.flip && coin,
            shift: [down, right].map(|step| step as isize - self.shift as isize),
            hole: self.cutout.map(|side| [square(row, side, height), square(column, side, width)]),
        }
    }
}

/// First row of the square (or column) and the one after its last, clipped to the image.
fn square(center: usize, side: usize, image: usize) -> [usize; 2] {
    [center.saturating_sub(side / 2), (center + side).saturating_sub(side / 2).min(image)]
}

/// An image at the size of the input, by planes: red, green, blue, or the ones there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes<'a, P> {
    /// Bytes, or values from 0 to 255 that are not rounded.
    pub(super) pixels: &'a [P],
    /// Height and width in pixels.
    pub(super) size: (usize, usize),
    /// The order that the planes come out in.
    pub(super) channels: Channels,
}

/// Changes drawn for one image in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    flip: bool,
    /// Number of rows down and of columns to the right that the image is moved by.
    shift: [isize; 2],
    /// Rows and columns to erase, each from the first to the one after the last.
    hole: Option<[[usize; 2]; 2]>,
}

impl Change {
    pub(super) const NONE: Self = Self { flip: false, shift: [0, 0], hole: None };

    /// Writes the changed `image`, normalized by `normalize`, to `out`, which has as many values and holds zeros. The
    /// channels that `normalize` is told are in the order of `out`.
    pub(super) fn apply<P: Copy>(&self, image: Planes<'_, P>, normalize: impl Fn(usize, P) -> f32, out: &mut [f32]) {
        let Planes { pixels, size: (height, width), channels } = image;
        let plane = height * width;
        debug_assert_eq!((pixels.len(), out.len() % plane), (out.len(), 0));
        let (rows, columns) = (overlap(self.shift[0], height), overlap(self.shift[1], width));
        for (channel, to) in out.chunks_exact_mut(plane).enumerate() {
            let normalize = |pixel| normalize(channel, pixel);
            let from = &pixels[channels.color(channel) * plane..][..plane];
            for row in rows.to.clone() {
                let source = &from[(row + rows.from - rows.to.start) * width..][..width];
                let target = &mut to[row * width..][..width][columns.to.clone()];
                let count = target.len();
                if self.flip {
                    // Column `x` of the mirror image is column `width - 1 - x`.
                    let source = &source[width - columns.from - count..][..count];
                    write(source.iter().rev(), normalize, target);
                } else {
                    write(source[columns.from..][..count].iter(), normalize, target);
                }
            }
            if let Some([rows, [left, right]]) = self.hole {
                for row in rows[0]..rows[1] {
                    to[row * width..][left..right].fill(0.0);
                }
            }
        }
    }
}

/// Overlap of the shifted image with the output along one axis.
struct Overlap {
    /// First position of the image that is read.
    from: usize,
    /// Positions of the output that are written.
    to: std::ops::Range<usize>,
}

fn overlap(shift: isize, side: usize) -> Overlap {
    let length = shift.unsigned_abs();
    if shift < 0 { Overlap { from: length, to: 0..side - length } } else { Overlap { from: 0, to: length..side } }
}

fn write<'a, P: Copy + 'a>(from: impl Iterator<Item = &'a P>, normalize: impl Fn(P) -> f32, to: &mut [f32]) {
    for (value, &pixel) in to.iter_mut().zip(from) {
        *value = normalize(pixel);
    }
}

#[cfg(test)]
mod tests;
