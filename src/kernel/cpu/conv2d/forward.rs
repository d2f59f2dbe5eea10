//! The product behind the forward convolution, and behind the gradient of the input
//! when the stride is one.

use super::unfold::{PatchLayout, Tile, Tiling, unfold};
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::copy::copy_run;
use crate::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes, product};
use crate::kernel::cpu::tasks::{TASK, each};
use crate::kernel::cpu::workspace::{Workspace, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

/// Output pixels of a tile.
const TILE: usize = 256;
/// Tasks below which the output channels are split too.
const TASKS: usize = 8;
/// Fewest output channels of a task: the unfolding is repeated for each block.
const MIN_CHANNELS: usize = 128;

/// The treatment of the old contents of `y` by a convolution.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, E> {
    /// Adds to the old contents.
    Add,
    /// Replaces the old contents, starting from a bias.
    Replace(Option<&'a [E]>),
}

/// The weight as the products read it.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a, E> {
    /// In the order of [`pack_weight`]; a weight of 1x1 already is.
    Packed(&'a [E]),
    /// A weight of 1x1 with its channel axes swapped, `[C, O]`.
    Swapped(&'a [E]),
}

impl<'a, E: Element> Weight<'a, E> {
    /// The columns of the output channels from `first` on, at the taps of a kernel row.
    fn columns(self, shape: &ConvShape, first: usize, kernel_row: usize) -> Factor<'a, E> {
        let (fan_in, taps) = (shape.fan_in(), shape.in_channels * shape.kernel);
        match self {
            Weight::Packed(data) => {
                Factor::new(data, MatrixLayout::columns(first * fan_in + kernel_row * taps, fan_in))
            }
            Weight::Swapped(data) => Factor::new(data, MatrixLayout::rows(first, shape.out_channels)),
        }
    }
}

/// Writes an OIHW weight in the order `[O, K (row), C, K (column)]`, that of the
/// patches.
pub fn pack_weight<E: Element>(shape: &ConvShape, weight: &[E], packed: &mut [E]) {
    let (k, c) = (shape.kernel, shape.in_channels);
    let outputs = shape.fan_in() * TASK.div_ceil(shape.fan_in());
    each(packed.chunks_mut(outputs).zip(weight.chunks(outputs)), |(to, from)| {
        for (to, from) in to.chunks_mut(shape.fan_in()).zip(from.chunks(shape.fan_in())) {
            for (channel, from) in from.chunks_exact(k * k).enumerate() {
                for (u, row) in from.chunks_exact(k).enumerate() {
                    copy_run(row, &mut to[(u * c + channel) * k..][..k]);
                }
            }
        }
    });
}

/// Writes the weight of the adjoint of a convolution of stride one, turned by 180
/// degrees and with its channel axes swapped, in the order of [`pack_weight`].
pub fn pack_adjoint<E: Element>(shape: &ConvShape, weight: &[E], packed: &mut [E]) {
    /// Channels of a task: neighbors in `weight` share cache lines.
    const BAND: usize = 16;
    let (k, c, o) = (shape.kernel, shape.in_channels, shape.out_channels);
    each(packed.chunks_mut(BAND * o * k * k).enumerate(), |(band, packed)| {
        for output in 0..o {
            let from = weight[(output * c + band * BAND) * k * k..].chunks_exact(k * k);
            for (to, from) in packed.chunks_exact_mut(o * k * k).zip(from) {
                for (u, row) in from.chunks_exact(k).rev().enumerate() {
                    let to = &mut to[(u * o + output) * k..][..k];
                    for (to, &from) in to.iter_mut().zip(row.iter().rev()) {
                        *to = from;
                    }
                }
            }
        }
    });
}

/// `y = conv(x, weight) + bias` or `y += conv(x, weight)`, parallel
/// over groups of images and blocks of channels. `y` is not empty.
pub fn run<E: Element>(shape: &ConvShape, x: &[E], weight: Weight<'_, E>, start: Start<'_, E>, y: &mut [E]) {
    let plane = shape.out_pixels();
    let tiling = Tiling::new(shape, TILE);
    let groups = shape.batch.div_ceil(tiling.images);
    let wanted = shape.out_channels.div_ceil(TASKS.div_ceil(groups));
    // One group alone, such as one image, is split in two at least.
    let fewest = match groups {
        1 => MIN_CHANNELS.min(shape.out_channels.div_ceil(2)),
        _ => MIN_CHANNELS,
    };
    let channels = wanted.max(fewest);
    let channels = even_part(shape.out_channels, channels);
    let blocks = grid(y, shape.out_channels * plane, tiling.images, channels * plane);
    each(blocks, |mut block| {
        with_kept(|workspace: &mut Workspace<E>| {
            let images = block.row..block.row + block.rows.len();
            for tile in tiling.tiles(shape, images) {
                run_tile(shape, &tile, x, weight, start, &mut block, workspace);
            }
        });
    });
}

/// Computes one tile of the output channels of `block`.
fn run_tile<E: Element>(
    shape: &ConvShape,
    tile: &Tile,
    x: &[E],
    weight: Weight<'_, E>,
    start: Start<'_, E>,
    block: &mut Block<'_, E>,
    workspace: &mut Workspace<E>,
) {
    let plane = shape.out_pixels();
    let (first, channels) = (block.col / plane, block.width() / plane);
    let layout = PatchLayout::new(shape, tile, shape.in_channels);

    // One image of a pointwise convolution already is its own unfolding.
    let direct = shape.is_pointwise() && tile.images == 1;
    let (patches, offset, row_stride) = if direct {
        let image = tile.first_image * shape.in_channels * plane;
        (x, image + tile.first_pixel(), plane)
    } else {
        let patches = workspace.patches.take(layout.len());
        unfold(shape, tile, &layout, 0..shape.in_channels, x, patches);
        (&*patches, 0, layout.row_stride())
    };

    if let Start::Replace(bias) = start {
        let bias = bias.map(|bias| &bias[first..first + channels]);
        set_bias(tile, plane, bias, block);
    }
    // The pixels of one image are contiguous in a plane of `y`. Those of several are
    // not: their product goes through a buffer.
    let pixels = tile.pixels();
    let one = tile.images == 1;
    let (to, to_layout) = match one {
        true => (&mut *block.rows[0], MatrixLayout::columns(tile.first_pixel(), plane)),
        false => (workspace.product.take(channels * pixels), MatrixLayout::columns(0, pixels)),
    };
    for part in layout.products() {
        let write = if one || part.kernel_row > 0 { Write::Add } else { Write::Replace };
        let depth = part.depth;
        product(
            Sizes { rows: pixels, cols: channels, depth },
            write,
            Factor::new(patches, MatrixLayout::columns(offset + part.start, row_stride)),
            weight.columns(shape, first, part.kernel_row),
            to,
            to_layout,
        );
    }
    if !one {
        scatter(tile, plane, workspace.product.take(channels * pixels), block);
    }
}

/// Fills the pixels of a tile with the bias of their channel, or with zero. The tile
/// is still in cache when the product is added to it.
fn set_bias<E: Element>(tile: &Tile, plane: usize, bias: Option<&[E]>, block: &mut Block<'_, E>) {
    let pixels = tile.first_pixel()..tile.first_pixel() + tile.rows * tile.width;
    for image in &mut block.rows {
        for (channel, to) in image.chunks_exact_mut(plane).enumerate() {
            to[pixels.clone()].fill(bias.map_or(E::zero(), |bias| bias[channel]));
        }
    }
}

/// Adds a product `[channel, (row, image, column)]` to the images of a block.
fn scatter<E: Element>(tile: &Tile, plane: usize, from: &[E], block: &mut Block<'_, E>) {
    for (channel, from) in from.chunks_exact(tile.pixels()).enumerate() {
        let first = channel * plane + tile.first_pixel();
        for (row, line) in from.chunks_exact(tile.line()).enumerate() {
            let at = first + row * tile.width;
            for (image, segment) in block.rows.iter_mut().zip(line.chunks_exact(tile.width)) {
                for (to, &value) in image[at..at + tile.width].iter_mut().zip(segment) {
                    *to = *to + value;
                }
            }
        }
    }
}
