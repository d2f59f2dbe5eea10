//! Images in planes and maps in blocks of channels, one from the other.

use super::{BLOCK, BlockedMap};
use crate::kernel::cpu::tasks::each;
use crate::kernel::element::Element;

/// Brings images `[batch, channels, height, width]` into blocks, with zeros in the halo and in channels that there are
/// not.
///
/// # Panics
///
/// If a length does not fit the map.
pub fn from_planes<E: Element>(map: BlockedMap, x: &[E], y: &mut [E]) {
    unfold(&Taps::pixels(map.channels, map.height, map.width), map, x, y);
}

/// Taps of windows as channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// Channels of the images.
    pub channels: usize,
    /// Rows of the images.
    pub height: usize,
    /// Columns of the images.
    pub width: usize,
    /// Rows and columns of a window whose taps become channels.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Rows and columns of zeros that the window begins in.
    pub padding: [usize; 2],
}

impl Taps {
    /// The pixels of images as they are.
    pub fn pixels(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, kernel: [1; 2], stride: [1; 2], padding: [0; 2] }
    }
}

/// Brings the taps of windows of images `[batch, channels, height, width]` into blocks: channel `(u, v, c)` of pixel
/// `(i, j)` is `x[c, i S - P + u, j S - P + v]`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn unfold<E: Element>(taps: &Taps, map: BlockedMap, x: &[E], y: &mut [E]) {
    let Taps { channels, height, width, kernel, stride, padding } = *taps;
    assert_eq!(map.channels, channels * kernel[0] * kernel[1], "channels of the map");
    assert_eq!(x.len(), map.batch * channels * height * width, "length of x");
    assert_eq!(y.len(), map.len(), "length of y");
    if y.is_empty() {
        return;
    }
    each(y.chunks_exact_mut(map.plane()).enumerate(), |(plane, y)| {
        y.fill(E::zero());
        let (image, block) = (plane / map.blocks(), plane % map.blocks());
        for lane in 0..BLOCK.min(map.channels - block * BLOCK) {
            let channel = block * BLOCK + lane;
            let (tap, channel) = (channel / channels, channel % channels);
            let (u, v) = (tap / kernel[1], tap % kernel[1]);
            let x = &x[(image * channels + channel) * height * width..][..height * width];
            // Columns whose tap lies in the image.
            let first = padding[1].saturating_sub(v).div_ceil(stride[1]);
            let end = (width + padding[1]).saturating_sub(v).div_ceil(stride[1]).min(map.width);
            for row in 0..map.height {
                let Some(from) = (row * stride[0] + u).checked_sub(padding[0]).filter(|&from| from < height) else {
                    continue;
                };
                if first >= end {
                    continue;
                }
                let x = x[from * width + first * stride[1] + v - padding[1]..].iter().step_by(stride[1]);
                let y = y[map.at(row, first) + lane..].iter_mut().step_by(BLOCK);
                y.zip(x).take(end - first).for_each(|(y, &x)| *y = x);
            }
        }
    });
}

/// Brings a map into planes `[batch, channels, height, width]`.
///
/// # Panics
///
/// If a length does not fit the map.
pub fn to_planes<E: Element>(map: BlockedMap, x: &[E], y: &mut [E]) {
    assert_eq!(x.len(), map.len(), "length of x");
    assert_eq!(y.len(), map.batch * map.channels * map.pixels(), "length of y");
    if y.is_empty() {
        return;
    }
    each(y.chunks_exact_mut(map.pixels()).enumerate(), |(plane, y)| {
        let (image, channel) = (plane / map.channels, plane % map.channels);
        let x = &x[image * map.image() + channel / BLOCK * map.plane()..][..map.plane()];
        for (row, y) in y.chunks_exact_mut(map.width).enumerate() {
            let x = x[map.at(row, 0) + channel % BLOCK..].iter().step_by(BLOCK);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
        }
    });
}
