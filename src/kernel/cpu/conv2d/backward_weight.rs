//! Gradient of the weight: a product over all pixels.

use std::ops::Range;

use super::crop::Crop;
use super::unfold::{PatchLayout, Tiling, gather, unfold};
use super::{direct, pointwise, whole_image, winograd};
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::copy::transpose;
use crate::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes, product};
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Workspace, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

/// Output pixels of a tile.
const TILE: usize = 512;
/// Tasks below which the images are split too.
const TASKS: usize = 8;
/// Most output channels of a task.
const OUT_BLOCK: usize = 128;
/// Most input channels of a task.
const IN_BLOCK: usize = 64;

/// `grad_weight += sum over images and pixels of grad_output times patch`.
///
/// Shapes: `x` `[N, C, H, W]`, `grad_output` `[N, O, H', W']`,
/// `grad_weight` `[O, C, K, K]`.
///
/// Each task owns a block of channels and adds up all pixels in order. Where that
/// gives too few tasks, the images are split into a fixed number of parts, whose sums
/// are added in order.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn backward_weight<E: Element>(shape: &ConvShape, x: &[E], grad_output: &[E], grad_weight: &mut [E]) {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_weight.len(), shape.weight_len(), "length of grad_weight");
    if x.is_empty() || grad_output.is_empty() {
        return;
    }
    if let Some(crop) = Crop::of(shape) {
        // Sums of the part, which are added where they belong.
        let mut part = vec![E::zero(); crop.shape.weight_len()];
        backward_weight(&crop.shape, x, grad_output, &mut part);
        return crop.add(&part, grad_weight);
    }
    if let Some(shape) = whole_image(shape) {
        return pointwise::backward_weight(&shape, x, grad_output, grad_weight);
    }
    if pointwise::applies(shape) {
        return pointwise::backward_weight(shape, x, grad_output, grad_weight);
    }
    if direct::weight::pays::<E>(shape) {
        return direct::weight::run(Level::current(), shape, x, grad_output, grad_weight);
    }
    if let Some(tile) = winograd::choose_for_weight(shape) {
        return winograd::backward_weight(tile, shape, x, grad_output, grad_weight);
    }
    let window = shape.kernel * shape.kernel;
    let tiling = Tiling::new(shape, TILE);
    let outputs = even_part(shape.out_channels, OUT_BLOCK);
    let inputs = even_part(shape.in_channels, IN_BLOCK);
    let blocks = grid(grad_weight, shape.fan_in(), outputs, inputs * window);

    let groups = shape.batch.div_ceil(tiling.images);
    let parts = TASKS.div_ceil(blocks.len()).min(groups);
    if parts == 1 {
        each(blocks, |mut block| {
            with_kept(|workspace: &mut Workspace<E>| {
                let place = Place::of(&block, window);
                let mut product = std::mem::take(&mut workspace.product);
                let sum = product.take(place.len(shape));
                add_up(shape, &tiling, &place, 0..shape.batch, x, grad_output, sum, workspace);
                add_transposed(shape, sum, &mut block);
                workspace.product = product;
            });
        });
        return;
    }

    let share = groups.div_ceil(parts) * tiling.images;
    let places: Vec<_> = blocks.iter().map(|block| Place::of(block, window)).collect();
    let tasks: Vec<_> =
        places.iter().flat_map(|place| (0..shape.batch).step_by(share).map(move |first| (place, first))).collect();
    let mut sums: Vec<Vec<E>> = tasks.iter().map(|_| Vec::new()).collect();
    each(tasks.iter().zip(&mut sums), |(&(place, first), sum)| {
        let images = first..(first + share).min(shape.batch);
        sum.resize(place.len(shape), E::zero());
        with_kept(|workspace: &mut Workspace<E>| {
            add_up(shape, &tiling, place, images, x, grad_output, sum, workspace);
        });
    });
    let per_block = shape.batch.div_ceil(share);
    each(blocks.into_iter().zip(sums.chunks_mut(per_block)), |(mut block, sums)| {
        let (total, rest) = sums.split_first_mut().expect("at least one part");
        for part in rest {
            for (total, &part) in total.iter_mut().zip(part.iter()) {
                *total = *total + part;
            }
        }
        add_transposed(shape, total, &mut block);
    });
}

/// The channels of a task.
#[derive(Clone, Debug)]
struct Place {
    outputs: Range<usize>,
    inputs: Range<usize>,
}

impl Place {
    fn of<E>(block: &Block<'_, E>, window: usize) -> Self {
        let first = block.col / window;
        Self { outputs: block.row..block.row + block.rows.len(), inputs: first..first + block.width() / window }
    }

    /// Weights of the task.
    fn len(&self, shape: &ConvShape) -> usize {
        self.outputs.len() * self.inputs.len() * shape.kernel * shape.kernel
    }
}

/// `sum[(u, c, v), o] = sum over the pixels of images`, tile after tile.
#[allow(clippy::too_many_arguments)]
fn add_up<E: Element>(
    shape: &ConvShape,
    tiling: &Tiling,
    place: &Place,
    images: Range<usize>,
    x: &[E],
    grad_output: &[E],
    sum: &mut [E],
    workspace: &mut Workspace<E>,
) {
    let outputs = place.outputs.len();
    let taps = place.inputs.len() * shape.kernel;
    let mut write = Write::Replace;
    for first in images.clone().step_by(tiling.images) {
        let group = first..(first + tiling.images).min(images.end);
        for tile in tiling.tiles(shape, group) {
            let pixels = tile.pixels();
            let layout = PatchLayout::new(shape, &tile, place.inputs.len());
            let patches = workspace.patches.take(layout.len());
            unfold(shape, &tile, &layout, place.inputs.clone(), x, patches);
            let buffer = workspace.grad_output.take(2 * outputs * pixels);
            let (rows, columns) = buffer.split_at_mut(outputs * pixels);
            if tile.images == 1 {
                let first = tile.first_image * shape.out_channels + place.outputs.start;
                let from = &grad_output[first * shape.out_pixels() + tile.first_pixel()..];
                transpose(from, shape.out_pixels(), outputs, pixels, columns);
            } else {
                gather(shape, &tile, place.outputs.clone(), grad_output, rows);
                transpose(rows, pixels, outputs, pixels, columns);
            }
            for part in layout.products() {
                product(
                    Sizes { rows: outputs, cols: part.depth, depth: pixels },
                    write,
                    Factor::new(columns, MatrixLayout::columns(0, outputs)),
                    Factor::new(patches, MatrixLayout::columns(part.start, layout.row_stride())),
                    sum,
                    MatrixLayout::columns(part.kernel_row * taps * outputs, outputs),
                );
            }
            write = Write::Add;
        }
    }
}

/// Adds a sum `[(u, c, v), o]` to the weights `[o, (c, u, v)]` of a block.
fn add_transposed<E: Element>(shape: &ConvShape, sum: &[E], block: &mut Block<'_, E>) {
    // One cache line of outputs at a time, so that each line of `sum` is read once.
    const STRIP: usize = 16;
    let (k, outputs) = (shape.kernel, block.rows.len());
    let channels = block.width() / (k * k);
    for (strip, rows) in block.rows.chunks_mut(STRIP).enumerate() {
        for channel in 0..channels {
            for u in 0..k {
                for v in 0..k {
                    let from = ((u * channels + channel) * k + v) * outputs + strip * STRIP;
                    let to = (channel * k + u) * k + v;
                    for (row, &value) in rows.iter_mut().zip(&sum[from..]) {
                        row[to] = row[to] + value;
                    }
                }
            }
        }
    }
}
