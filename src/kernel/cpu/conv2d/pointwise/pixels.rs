//! The elements of planes that are the pixels of a product, and their way into bands and back.

use std::ops::Range;

use crate::kernel::cpu::copy::{copy_run, take_every};
use crate::kernel::cpu::registers::{REGISTERS, band};
use crate::kernel::cpu::simd::{Lane, Simd};
use crate::kernel::element::Element;

/// Positions of the pixels of a product in a channel of an image.
#[derive(Clone, Copy, Debug)]
pub struct PixelMap {
    /// Distance of neighbors over rows, and over columns.
    pub row: usize,
    pub step: usize,
    /// Pixels of an image.
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
    fn is_contiguous(&self) -> bool {
        self.step == 1 && self.row == self.cols
    }

    /// The runs of a range of pixels, counted through all images, in bands of `lanes`.
    pub fn runs(&self, range: Range<usize>, lanes: usize, runs: &mut Vec<Run>) {
        runs.clear();
        let mut at = range.start;
        while at < range.end {
            let (image, pixel) = (at / self.pixels, at % self.pixels);
            let (row, col) = (pixel / self.cols, pixel % self.cols);
            let left = if self.is_contiguous() { self.pixels - pixel } else { self.cols - col };
            let offset = at - range.start;
            let (band, lane) = (offset / lanes, offset % lanes);
            let len = left.min(lanes - lane).min(range.end - at);
            runs.push(Run { band, lane, len, image, start: row * self.row + col * self.step });
            at += len;
        }
    }
}

/// Images that pixels are read from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a, E> {
    pub data: &'a [E],
    /// Elements of an image.
    pub image: usize,
    pub channels: Channels<'a>,
    pub map: PixelMap,
}

/// Positions in an image at which its channels begin.
#[derive(Clone, Copy, Debug)]
pub enum Channels<'a> {
    /// Multiples of one distance, in elements.
    Planes(usize),
    /// One index for each channel.
    Table(&'a [usize]),
}

/// Writes bands `[band, channel, lane]` of some channels; `runs` are those of the source's map, with images counted
/// from `first_image`. Lanes without a pixel become zero.
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
        let start = match source.channels {
            Channels::Planes(plane) => channel * plane,
            Channels::Table(starts) => starts[channel],
        };
        for run in runs {
            let from = &source.data[(first_image + run.image) * source.image + start + run.start..];
            let to = &mut to[(run.band * depth + channel - channels.start) * lanes + run.lane..][..run.len];
            if step != 1 {
                take_every(step, &from[..(run.len - 1) * step + 1], to);
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
