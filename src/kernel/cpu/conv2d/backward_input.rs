//! Gradient of the input for any stride and padding: a product, then a fold.

use super::unfold::{PatchLayout, Tiling, fold, gather};
use crate::kernel::cpu::blocks::{even_part, grid};
use crate::kernel::cpu::copy::transpose;
use crate::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes, product};
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::{Buffer, Workspace, with_kept};
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

/// Output pixels of a tile.
const TILE: usize = 512;
/// Tasks below which the input channels are split too.
const TASKS: usize = 8;
/// Fewest input channels of a task.
const MIN_CHANNELS: usize = 32;

/// `grad_x = conv^T(grad_output)` or `grad_x += conv^T(grad_output)`, parallel over groups of images and blocks of
/// input channels. The patches of the gradient are the product of the weight and the gradient of the output. The tiles
/// of a task overlap in `grad_x` and are added in order.
pub fn run<E: Element>(shape: &ConvShape, weight: &[E], grad_output: &[E], grad_x: &mut [E], write: Write) {
    with_kept(|buffer: &mut Buffer<E>| {
        let packed = buffer.take(weight.len());
        transpose_weight(shape, weight, packed);
        add_all(shape, packed, grad_output, grad_x, write);
    });
}

fn add_all<E: Element>(shape: &ConvShape, packed: &[E], grad_output: &[E], grad_x: &mut [E], write: Write) {
    let (in_plane, out_plane) = (shape.in_pixels(), shape.out_pixels());
    let tiling = Tiling::new(shape, TILE);
    let groups = shape.batch.div_ceil(tiling.images);
    let channels = shape.in_channels.div_ceil(TASKS.div_ceil(groups)).max(MIN_CHANNELS);
    let channels = even_part(shape.in_channels, channels);
    let outputs = shape.out_channels;

    let blocks = grid(grad_x, shape.in_channels * in_plane, tiling.images, channels * in_plane);
    each(blocks, |mut block| {
        let (first, channels) = (block.col / in_plane, block.width() / in_plane);
        let images = block.row..block.row + block.rows.len();
        block.rows.iter_mut().for_each(|image| write.prepare(image));
        with_kept(|workspace: &mut Workspace<E>| {
            for tile in tiling.tiles(shape, images) {
                let pixels = tile.pixels();
                let layout = PatchLayout::by_kernel_rows(shape, &tile, channels);
                let patches = workspace.patches.take(layout.len());
                patches.fill(E::zero());
                let pulled = if tile.images == 1 {
                    let start = tile.first_image * outputs * out_plane + tile.first_pixel();
                    Factor::new(grad_output, MatrixLayout::columns(start, out_plane))
                } else {
                    let gathered = workspace.grad_output.take(outputs * pixels);
                    gather(shape, &tile, 0..outputs, grad_output, gathered);
                    Factor::new(&*gathered, MatrixLayout::columns(0, pixels))
                };
                for part in layout.products() {
                    let row = part.kernel_row * shape.in_channels + first;
                    product(
                        Sizes { rows: pixels, cols: part.depth, depth: outputs },
                        Write::Add,
                        pulled,
                        Factor::new(packed, MatrixLayout::columns(row * shape.kernel * outputs, outputs)),
                        patches,
                        MatrixLayout::columns(part.start, layout.row_stride()),
                    );
                }
                for channel in 0..channels {
                    let plane = channel * in_plane..(channel + 1) * in_plane;
                    fold(shape, &tile, &layout, channel, patches, |image, at, stride, values| {
                        let to = &mut block.rows[image][plane.clone()][at];
                        for (to, &value) in to.iter_mut().step_by(stride).zip(values) {
                            *to = *to + value;
                        }
                    });
                }
            }
        });
    });
}

/// Writes an OIHW weight in the order `[K (row), C, K (column), O]`.
fn transpose_weight<E: Element>(shape: &ConvShape, weight: &[E], packed: &mut [E]) {
    let (k, c, outputs) = (shape.kernel, shape.in_channels, shape.out_channels);
    each(packed.chunks_mut(outputs * k).enumerate(), |(index, to)| {
        let (u, channel) = (index / c, index % c);
        let first = &weight[(channel * k + u) * k..];
        transpose(first, shape.fan_in(), outputs, k, to);
    });
}
