//! Convolutions of 3x3 with stride one by minimal filtering (Winograd; Lavin and Gray 2016, arXiv:1509.09308).
//!
//! A tile of `M x M` output pixels takes `(M + 2)^2` multiplications for each pair of channels instead of `9 M^2`:
//! 2.25 times fewer with F(2x2), 4 times with F(4x4). What is saved is paid for by transforms of the input, the filter
//! and the output, which cost per channel and not per pair of channels.

mod backward_weight;
mod forward;
mod problem;
pub mod scheme;
#[cfg(test)]
mod tests;
pub mod tiles;
pub mod transform;

use self::problem::Problem;
use self::scheme::{F2, F4};
use self::transform::{Filter, Planes};
use super::forward::Start;
use crate::kernel::element::Element;
use crate::kernel::shape::ConvShape;

/// Output pixels along a side of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// Two rows of two pixels.
    Two,
    /// Four rows of four pixels.
    Four,
}

impl Tile {
    /// Output pixels along a side.
    pub fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Points at which a tile is multiplied.
    pub fn points(self) -> usize {
        (self.side() + 2) * (self.side() + 2)
    }
}

/// The tile with which a convolution is fastest, if any is faster than the plain product.
///
/// Work is counted in multiply-adds of registers that are full. The plain product has `9 C O` for each pixel. With
/// tiles of `M x M` a point of a tile has `C O`, a little dearer since the products are smaller, and what the
/// transforms take: to turn, transform and store a channel of the input, to load, transform and turn back one of the
/// output. The filters are transformed once. The constants were fitted to timings of 25 shapes with 3 to 512 channels
/// on images of 1 to 56 pixels (AVX2, two threads), those of the transforms to 16 to 128 channels on images of 32 to 8
/// with AVX-512: wider registers double the rate of the products, but not that of transforms, which load, shuffle and
/// store. With AVX2 these cost a third as many multiply-adds; but the method must follow from the shape alone, for each
/// rounds in its own way. Where two methods take about as long, either may be chosen.
pub fn choose(shape: &ConvShape) -> Option<Tile> {
    fastest(shape, 1.0)
}

/// As [`choose`], for the gradient of the weight, whose plain product has patches to unfold and to read: for 16
/// channels at 32x32, batch 128, that is 6.3 ms, and 2.0 filtered (AVX2: 6.6 and 2.2); at 8x8 0.47 and 0.23 (0.50 and
/// 0.26).
pub fn choose_for_weight(shape: &ConvShape) -> Option<Tile> {
    fastest(shape, 2.0)
}

/// `plain` is what a multiply-add of the plain product takes.
fn fastest(shape: &ConvShape, plain: f64) -> Option<Tile> {
    const PRODUCT: f64 = 1.3;
    const FILTER: f64 = 4.0;
    // For a channel of the input, and for one of the output.
    const INPUT: f64 = 33.0;
    const OUTPUT: f64 = 45.0;
    if shape.kernel != 3 || shape.stride != 1 || shape.padding > 2 {
        return None;
    }
    let (inputs, outputs, batch) = (shape.in_channels as f64, shape.out_channels as f64, shape.batch as f64);
    let work = |side: usize| {
        let points = ((side + 2) * (side + 2)) as f64;
        let tiles = (shape.out_height().div_ceil(side) * shape.out_width().div_ceil(side)) as f64;
        let each = PRODUCT * inputs * outputs + INPUT * inputs + OUTPUT * outputs;
        points * (batch * tiles * each + FILTER * inputs * outputs)
    };
    let plain = plain * shape.multiply_adds() as f64;
    let candidates = [(plain, None), (work(2), Some(Tile::Two)), (work(4), Some(Tile::Four))];
    candidates.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).and_then(|(_, tile)| tile)
}

/// [`conv2d::forward`](super::forward()) by minimal filtering.
pub fn forward<E: Element>(tile: Tile, shape: &ConvShape, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    let filter = Filter { data: weight, outputs: shape.out_channels, inputs: shape.in_channels, adjoint: false };
    let x = Planes { data: x, channels: shape.in_channels, height: shape.in_height, width: shape.in_width };
    let problem = Problem { batch: shape.batch, x, padding: shape.padding, filter };
    run(tile, &problem, Start::Replace(bias), y);
}

/// [`conv2d::backward_input`](super::backward_input()) by minimal filtering.
pub fn backward_input<E: Element>(
    tile: Tile,
    shape: &ConvShape,
    weight: &[E],
    grad_output: &[E],
    start: Start<'_, E>,
    grad_x: &mut [E],
) {
    let filter = Filter { data: weight, outputs: shape.in_channels, inputs: shape.out_channels, adjoint: true };
    let (height, width) = (shape.out_height(), shape.out_width());
    let x = Planes { data: grad_output, channels: shape.out_channels, height, width };
    let problem = Problem { batch: shape.batch, x, padding: 2 - shape.padding, filter };
    run(tile, &problem, start, grad_x);
}

/// [`conv2d::backward_weight`](super::backward_weight()) by minimal filtering.
pub fn backward_weight<E: Element>(tile: Tile, shape: &ConvShape, x: &[E], grad_output: &[E], grad_weight: &mut [E]) {
    let x = Planes { data: x, channels: shape.in_channels, height: shape.in_height, width: shape.in_width };
    let (height, width) = (shape.out_height(), shape.out_width());
    let grad_output = Planes { data: grad_output, channels: shape.out_channels, height, width };
    match tile {
        Tile::Two => backward_weight::run::<E, F2, 2, 4>(shape.batch, x, shape.padding, grad_output, grad_weight),
        Tile::Four => backward_weight::run::<E, F4, 4, 6>(shape.batch, x, shape.padding, grad_output, grad_weight),
    }
}

fn run<E: Element>(tile: Tile, problem: &Problem<'_, E>, start: Start<'_, E>, y: &mut [E]) {
    match tile {
        Tile::Two => forward::run::<E, F2, 2, 4>(problem, start, y),
        Tile::Four => forward::run::<E, F4, 4, 6>(problem, start, y),
    }
}
