//! Which elements of planes are the pixels of a product, and their way into bands and back.

use std::ops::Range;

use crate::kernel::cpu::conv2d::product::{REGISTERS, band};
use crate::kernel::cpu::copy::copy_run;
use crate::kernel::cpu::simd::{Lane, Simd};
use crate::kernel::element::Element;

/// The pixels of a product in planes: every `step`-th one of every `step`-th row.
#[derive(Clone, Copy, Debug)]
pub struct PixelMap {
    /// Elements of a plane.
    pub plane: usize,
    /// Elements of a row of it.
    pub width: usize,
    /// Distance of neighbours, over rows and over columns.
    pub step: usize,
    /// Pixels of an image that take part.
    pub pixels: usize,
    /// Those of a row.
    pub cols: usize,
}

/// Pixels of one image at equal distances, within one band.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The band, and the first lane in it.
    pub band: usize,
    pub lane: usize,
    pub len: usize,
    pub image: usize,
    /// The first element, in its plane.
    pub start: usize,
}

impl PixelMap {
    /// The runs of a range of pixels, counted through all images, in bands of `lanes`.
    pub fn runs(&self, range: Range<usize>, lanes: usize, runs: &mut Vec<Run>) {
        runs.clear();
        let mut at = range.start;
        while at < range.end {
            let (image, pixel) = (at / self.pixels, at % self.pixels);
            let (row, col) = (pixel / self.cols, pixel % self.cols);
            let left = if self.step == 1 { self.pixels - pixel } else { self.cols - col };
            let offset = at - range.start;
            let (band, lane) = (offset / lanes, offset % lanes);
            let len = left.min(lanes - lane).min(range.end - at);
            runs.push(Run { band, lane, len, image, start: (row * self.width + col) * self.step });
            at += len;
        }
    }
}

/// Planes `[image, channel, pixel]` to read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, E> {
    pub data: &'a [E],
    pub channels: usize,
    pub map: PixelMap,
}

/// Writes bands `[band, channel, lane]` of some channels; `runs` are those of the source's map, with images counted from
/// `first_image`. Lanes without a pixel become zero.
#[inline(always)]
pub fn pack<S: Simd, E: Element>(
    source: Source<'_, E>,
    first_image: usize,
    runs: &[Run],
    channels: Range<usize>,
    to: &mut [E],
) {
    let lanes = band::<E::Lane<S>>();
    let (depth, step) = (channels.len(), source.map.step);
    if let Some(last) = runs.last()
        && last.lane + last.len < lanes
    {
        to[last.band * depth * lanes..][..depth * lanes].fill(E::zero());
    }
    for channel in channels.clone() {
        for run in runs {
            let plane = (first_image + run.image) * source.channels + channel;
            let from = &source.data[plane * source.map.plane + run.start..];
            let to = &mut to[(run.band * depth + channel - channels.start) * lanes + run.lane..][..run.len];
            if step != 1 {
                to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &from)| *to = from);
            } else if run.len == lanes {
                for r in 0..REGISTERS {
                    let at = r * <E::Lane<S> as Lane>::WIDTH;
                    <E::Lane<S> as Lane>::load(&from[at..]).store(&mut to[at..]);
                }
            } else {
                copy_run(&from[..run.len], to);
            }
        }
    }
}
