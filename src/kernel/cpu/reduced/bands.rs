//! The parts of an output that tasks write.

use super::problem::{Depth, Problem};
use super::round::terms;
use super::sizes::{COLUMNS, SIDE};
use crate::kernel::cpu::blocks::even_part;
use crate::kernel::precision::Precision;

/// Bytes of the packed columns of a task, about: they stay in the second cache level.
const PANELS: usize = 384 << 10;
/// Most positions of a task.
const POSITIONS: usize = 8 * SIDE;
/// Tasks, at least, where there are as many tiles of outputs.
const TASKS: usize = 4;

/// Some output channels of some rows of one image, or of several whole images.
pub struct Band<'y> {
    /// Index of the first image.
    pub image: usize,
    /// Number of images of the band.
    pub images: usize,
    /// Index of the first row.
    pub row: usize,
    /// Number of rows of an image.
    pub rows: usize,
    /// The first channel, a multiple of 16.
    pub channel: usize,
    /// Number of channels of the band.
    pub channels: usize,
    /// The rows of each channel of each image; of images of one pixel the channels of each image.
    pub planes: Vec<&'y mut [f32]>,
}

/// Cuts an output, which is not empty, into bands: so many positions that their packed columns stay in the cache, and
/// all channels unless there are few bands. Sums do not depend on it.
pub fn bands<'y>(problem: &Problem, batch: usize, precision: Precision, y: &'y mut [f32]) -> Vec<Band<'y>> {
    let ([height, width], channels) = (problem.output, problem.outputs);
    let blocks = problem.phases.iter().map(|phase| problem.depth(phase).blocks()).max().unwrap_or(0);
    let positions = positions_of(blocks, precision) * problem.phases.len();
    // Whole steps, so that every band begins with the same phase.
    let rows = even_part(height, (positions / width).max(1)).next_multiple_of(problem.step).min(height);
    let images = if rows < height { 1 } else { even_part(batch, positions / (height * width)) };
    let (down, across) = (height.div_ceil(rows), batch.div_ceil(images));
    let tiles = channels.div_ceil(SIDE);
    let group = tiles.div_ceil(TASKS.div_ceil(down * across).min(tiles)) * SIDE;
    let groups = channels.div_ceil(group);
    let mut bands: Vec<Band<'y>> = (0..across * down * groups)
        .map(|index| {
            let (place, channel) = (index / groups, index % groups * group);
            let (image, row) = (place / down * images, place % down * rows);
            let (images, rows) = (images.min(batch - image), rows.min(height - row));
            let channels = group.min(channels - channel);
            let planes = Vec::with_capacity(if height * width == 1 { images } else { images * channels });
            Band { image, images, row, rows, channel, channels, planes }
        })
        .collect();
    if height * width == 1 {
        for (image, y) in y.chunks_exact_mut(channels).enumerate() {
            for (index, y) in y.chunks_mut(group).enumerate() {
                bands[image / images * groups + index].planes.push(y);
            }
        }
        return bands;
    }
    for (plane, y) in y.chunks_exact_mut(height * width).enumerate() {
        let (image, channel) = (plane / channels, plane % channels);
        for (row, y) in y.chunks_mut(rows * width).enumerate() {
            bands[(image / images * down + row) * groups + channel / group].planes.push(y);
        }
    }
    bands
}

/// Positions whose packed columns stay in the cache, for sums of so many blocks.
fn positions_of(blocks: usize, precision: Precision) -> usize {
    let panel = blocks.max(1) * terms(precision).len() * COLUMNS * size_of::<u32>();
    (PANELS / panel * SIDE).clamp(SIDE, POSITIONS)
}

/// Positions of a task, about, for sums of such a depth.
pub fn panel_positions(depth: Depth, precision: Precision) -> usize {
    positions_of(depth.blocks(), precision)
}
