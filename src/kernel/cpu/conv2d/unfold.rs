//! Tiles of output pixels, and the unfolding of their input along the width.
//!
//! # The unfolded tile
//!
//! A tile is a run of output rows of a few images. Its pixels are ordered
//! `(output row, image, output column)`. The unfolded tile is a matrix with one row
//! for each channel and kernel column `(c, v)`:
//!
//! ```text
//! patches[(c, v), (slot, image, j)] = x[image, c, input row of the slot, j S - P + v]
//! ```
//!
//! A slot is an input row that the tile needs. Output row `i` meets kernel row `u` at
//! input row `i S - P + u`. The slots are sorted by `u mod S`, then by input row:
//! neighbors in a class are `S` input rows apart, as neighboring output rows are.
//! So for each `u` the pixels of the tile see a contiguous run of slots, and the
//! matrix that kernel row `u` multiplies is a column range of `patches`.
//!
//! With few channels the products would be too shallow to be fast. Then all kernel
//! rows are unfolded one below the other, rows `(u, c, v)`, for one deep product
//! (the usual im2col).

use std::ops::Range;

use crate::kernel::cpu::blocks::even_part;
use crate::kernel::cpu::copy::{copy_run, take_every};
use crate::kernel::cpu::simd::{Kernel, Simd, dispatch};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Depth `C K` of a product from which the kernel rows are kept apart.
const DEEP: usize = 64;

/// Sizes of the tiles that the output pixels of a convolution are cut into.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Images of a task.
    pub images: usize,
    /// Output rows of a tile.
    pub rows: usize,
}

impl Tiling {
    /// Tiles of about `target` pixels: several small images, or some rows of one.
    pub fn new(shape: &ConvShape, target: usize) -> Self {
        let pixels = shape.out_pixels().max(1);
        let images = even_part(shape.batch, (target / pixels).max(1));
        let line = images * shape.out_width().max(1);
        Self { images, rows: even_part(shape.out_height(), (target / line).max(1)) }
    }

    /// The tiles of a group of images, top to bottom.
    pub fn tiles(&self, shape: &ConvShape, images: Range<usize>) -> impl Iterator<Item = Tile> + use<> {
        let (height, width, step) = (shape.out_height(), shape.out_width(), self.rows);
        (0..height).step_by(step).map(move |first_row| Tile {
            first_image: images.start,
            images: images.len(),
            first_row,
            rows: step.min(height - first_row),
            width,
        })
    }
}

/// A run of output rows of a few images.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    pub first_image: usize,
    pub images: usize,
    pub first_row: usize,
    pub rows: usize,
    /// Output pixels in a row of an image.
    pub width: usize,
}

impl Tile {
    /// Pixels of one output row over all images of the tile.
    pub fn line(&self) -> usize {
        self.images * self.width
    }

    /// Output pixels of the tile.
    pub fn pixels(&self) -> usize {
        self.rows * self.line()
    }

    /// Index of the first pixel of the tile in a plane of its image.
    pub fn first_pixel(&self) -> usize {
        self.first_row * self.width
    }
}

/// A class of slots: consecutive output rows at one kernel row or more.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// First kernel row of the class.
    kernel_row: usize,
    slots: usize,
    /// Index of the first element in the patches.
    start: usize,
}

/// Positions of the patches of a tile in memory.
#[derive(Clone, Copy, Debug)]
pub struct PatchLayout {
    kernel: usize,
    stride: usize,
    channels: usize,
    rows: usize,
    line: usize,
    split: bool,
}

/// The patches that one matrix product meets.
#[derive(Clone, Copy, Debug)]
pub struct PatchProduct {
    /// First kernel row of the product.
    pub kernel_row: usize,
    /// Index of its first element in the patches.
    pub start: usize,
    /// Matrix rows: `C K` for one kernel row, `K C K` for all.
    pub depth: usize,
}

impl PatchLayout {
    /// The layout for `channels` channels of `tile`, by kernel rows where that pays.
    pub fn new(shape: &ConvShape, tile: &Tile, channels: usize) -> Self {
        let split = channels * shape.kernel >= DEEP;
        Self { split, ..Self::by_kernel_rows(shape, tile, channels) }
    }

    /// The layout with one product for each kernel row.
    pub fn by_kernel_rows(shape: &ConvShape, tile: &Tile, channels: usize) -> Self {
        Self { kernel: shape.kernel, stride: shape.stride, channels, rows: tile.rows, line: tile.line(), split: true }
    }

    /// Matrix rows `(c, v)`.
    fn taps(&self) -> usize {
        self.channels * self.kernel
    }

    /// Classes of slots: remainders of the kernel row by the stride.
    fn phases(&self) -> usize {
        self.kernel.min(self.stride)
    }

    /// Slots of the class of kernel rows `phase, phase + S, ...`
    fn slots(&self, phase: usize) -> usize {
        self.rows + (self.kernel - 1 - phase) / self.stride
    }

    /// Distance between matrix rows.
    pub fn row_stride(&self) -> usize {
        if self.split {
            (0..self.phases()).map(|phase| self.slots(phase)).sum::<usize>() * self.line
        } else {
            self.rows * self.line
        }
    }

    /// Elements of the patches.
    pub fn len(&self) -> usize {
        let blocks = if self.split { 1 } else { self.kernel };
        blocks * self.taps() * self.row_stride()
    }

    /// The products of a tile.
    pub fn products(&self) -> impl Iterator<Item = PatchProduct> + use<> {
        let this = *self;
        let (count, depth) = match this.split {
            true => (this.kernel, this.taps()),
            false => (1, this.kernel * this.taps()),
        };
        (0..count).map(move |kernel_row| {
            let phase = kernel_row % this.stride;
            let before: usize = (0..phase).map(|phase| this.slots(phase)).sum();
            let start = (before + kernel_row / this.stride) * this.line;
            PatchProduct { kernel_row, start, depth }
        })
    }

    fn classes(&self) -> impl Iterator<Item = Class> + use<> {
        let this = *self;
        let count = if this.split { this.phases() } else { this.kernel };
        let block = this.taps() * this.row_stride();
        let mut start = 0;
        (0..count).map(move |kernel_row| {
            let slots = if this.split { this.slots(kernel_row) } else { this.rows };
            let class = Class { kernel_row, slots, start };
            start += if this.split { slots * this.line } else { block };
            class
        })
    }
}

/// The output columns of kernel column `v` that fall on the input, and the input
/// column of the first: `j` with `0 <= j S - P + v < W`.
fn inside(shape: &ConvShape, width: usize, v: usize) -> (Range<usize>, usize) {
    let (stride, padding) = (shape.stride, shape.padding);
    let first = padding.saturating_sub(v).div_ceil(stride).min(width);
    let end = (shape.in_width + padding).saturating_sub(v).div_ceil(stride);
    let end = end.clamp(first, width);
    (first..end, (first * stride + v).saturating_sub(padding))
}

/// The input row at `row` of the padded input, if it is not padding.
fn input_row(shape: &ConvShape, row: usize) -> Option<usize> {
    row.checked_sub(shape.padding).filter(|&row| row < shape.in_height)
}

/// Fills `patches` with the unfolded channels `channels` of the tile.
pub fn unfold<E: Element>(
    shape: &ConvShape,
    tile: &Tile,
    layout: &PatchLayout,
    channels: Range<usize>,
    x: &[E],
    patches: &mut [E],
) {
    dispatch(Unfold { shape, tile, layout, channels, x, patches });
}

struct Unfold<'a, E> {
    shape: &'a ConvShape,
    tile: &'a Tile,
    layout: &'a PatchLayout,
    channels: Range<usize>,
    x: &'a [E],
    patches: &'a mut [E],
}

impl<E: Element> Kernel for Unfold<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { shape, tile, layout, channels, x, patches } = self;
        let (plane, row_stride) = (shape.in_pixels(), layout.row_stride());
        let image = shape.in_channels * plane;
        for class in layout.classes() {
            for (index, channel) in channels.clone().enumerate() {
                for v in 0..shape.kernel {
                    let (columns, first) = inside(shape, tile.width, v);
                    let start = class.start + (index * shape.kernel + v) * row_stride;
                    let lines = patches[start..][..class.slots * tile.line()].chunks_exact_mut(tile.line());
                    for (slot, line) in lines.enumerate() {
                        let row = (tile.first_row + slot) * shape.stride + class.kernel_row;
                        let Some(row) = input_row(shape, row).filter(|_| !columns.is_empty()) else {
                            line.fill(E::zero());
                            continue;
                        };
                        let mut at = tile.first_image * image + channel * plane + row * shape.in_width + first;
                        for segment in line.chunks_exact_mut(tile.width) {
                            segment[..columns.start].fill(E::zero());
                            copy_strided(&x[at..], shape.stride, &mut segment[columns.clone()]);
                            segment[columns.end..].fill(E::zero());
                            at += image;
                        }
                    }
                }
            }
        }
    }
}

/// `to[j] = from[j stride]`.
#[inline(always)]
fn copy_strided<E: Element>(from: &[E], stride: usize, to: &mut [E]) {
    if stride == 1 {
        copy_run(&from[..to.len()], to);
    } else {
        take_every(stride, &from[..(to.len() - 1) * stride + 1], to);
    }
}

/// The adjoint of [`unfold`] for one channel, the `index`-th of the layout.
///
/// Calls `add(image, range, stride, values)` for each run of patches that lies on the
/// input: `values[j]` belongs to element `range.start + j stride` of the plane of that
/// channel in image `image` of the tile. The calls come in a fixed order.
pub fn fold<E: Element>(
    shape: &ConvShape,
    tile: &Tile,
    layout: &PatchLayout,
    index: usize,
    patches: &[E],
    mut add: impl FnMut(usize, Range<usize>, usize, &[E]),
) {
    let row_stride = layout.row_stride();
    for class in layout.classes() {
        for v in 0..shape.kernel {
            let (columns, first) = inside(shape, tile.width, v);
            if columns.is_empty() {
                continue;
            }
            let start = class.start + (index * shape.kernel + v) * row_stride;
            let lines = patches[start..][..class.slots * tile.line()].chunks_exact(tile.line());
            for (slot, line) in lines.enumerate() {
                let row = (tile.first_row + slot) * shape.stride + class.kernel_row;
                let Some(row) = input_row(shape, row) else {
                    continue;
                };
                let at = row * shape.in_width + first;
                let end = at + (columns.len() - 1) * shape.stride + 1;
                for (image, segment) in line.chunks_exact(tile.width).enumerate() {
                    add(image, at..end, shape.stride, &segment[columns.clone()]);
                }
            }
        }
    }
}

/// Copies the channels `channels` of a tile of `y`-shaped data into the order
/// `[channel, (row, image, column)]`.
pub fn gather<E: Element>(shape: &ConvShape, tile: &Tile, channels: Range<usize>, y: &[E], to: &mut [E]) {
    let plane = shape.out_pixels();
    let image = shape.out_channels * plane;
    for (channel, to) in channels.zip(to.chunks_exact_mut(tile.pixels())) {
        let first = tile.first_image * image + channel * plane + tile.first_pixel();
        for (row, line) in to.chunks_exact_mut(tile.line()).enumerate() {
            let mut at = first + row * tile.width;
            for segment in line.chunks_exact_mut(tile.width) {
                copy_run(&y[at..at + tile.width], segment);
                at += image;
            }
        }
    }
}
