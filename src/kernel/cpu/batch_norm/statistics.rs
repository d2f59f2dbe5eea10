//! Mean and variance of a batch.
//!
//! Each block of elements is read twice while it is in the cache: once for its mean, once for the squares of the
//! deviations from it. Blocks are merged in `f64` (Chan, Golub and LeVeque, 1983), in ascending order. Memory is read
//! once, and a mean far from zero costs no digits of the variance.

use super::Statistics;
use super::tiles::{Lines, Tile, partials_of, split_partials};
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd};
use crate::kernel::cpu::sums::{BLOCK, block_sum, block_sums};
use crate::kernel::cpu::tasks::{self, pieces};
use crate::kernel::layout::ChannelsLayout;

/// Count, mean and sum of the squared deviations of some elements.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// From the sums of the deviations from `shift` and of their squares.
    #[inline(always)]
    fn new(count: usize, shift: f64, (deviations, squares): (f64, f64)) -> Self {
        let count = count as f64;
        let squares = squares - deviations * deviations / count;
        // Rounding alone can make it negative; written so that a NaN stays.
        let squares = if squares < 0.0 { 0.0 } else { squares };
        Moments { count, mean: shift + deviations / count, squares }
    }

    #[inline(always)]
    fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Moments {
            count,
            mean: self.mean + delta * (other.count / count),
            squares: self.squares + other.squares + delta * delta * (self.count * other.count / count),
        }
    }
}

/// Mean and biased variance of each channel of `x`, `[outer, channels, inner]`.
///
/// A channel without elements has mean 0 and variance 0; a NaN or an infinity makes its channel's NaN.
pub fn batch_statistics<E: Element>(layout: ChannelsLayout, x: &[E]) -> Statistics {
    batch_statistics_at(Level::current(), layout, x)
}

pub(crate) fn batch_statistics_at<E: Element>(level: Level, layout: ChannelsLayout, x: &[E]) -> Statistics {
    assert_eq!(x.len(), layout.len());
    let mut channels = vec![Moments::default(); layout.channels];
    if !layout.is_empty() {
        match Lines::of(layout) {
            Lines::Planes => by_planes(level, layout, x, &mut channels),
            Lines::Rows { line } => by_rows(level, layout, line, x, &mut channels),
        }
    }
    Statistics {
        mean: channels.iter().map(|moments| moments.mean).collect(),
        variance: channels.iter().map(|m| if m.count == 0.0 { 0.0 } else { m.squares / m.count }).collect(),
    }
}

fn by_planes<E: Element>(level: Level, layout: ChannelsLayout, x: &[E], channels: &mut [Moments]) {
    let pieces = pieces(x.len(), layout.inner);
    // As many partial results as the piece has planes, or one for its part of a plane.
    let sizes: Vec<usize> = pieces.iter().map(|piece| piece.elements.len().div_ceil(layout.inner)).collect();
    let mut partials = vec![Moments::default(); sizes.iter().sum()];
    let mut rest = &mut partials[..];
    tasks::for_each(
        level,
        pieces.iter().zip(&sizes).map(|(piece, &size)| {
            let (moments, after) = std::mem::take(&mut rest).split_at_mut(size);
            rest = after;
            PlaneMoments { x: &x[piece.elements.clone()], inner: layout.inner, moments }
        }),
    );
    let planes = pieces.iter().zip(&sizes).flat_map(|(piece, &size)| piece.line..piece.line + size);
    for (plane, &moments) in planes.zip(&partials) {
        let channel = &mut channels[plane % layout.channels];
        *channel = channel.merge(moments);
    }
}

struct PlaneMoments<'a, E> {
    x: &'a [E],
    inner: usize,
    moments: &'a mut [Moments],
}

impl<E: Element> Kernel for PlaneMoments<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (plane, moments) in self.x.chunks(self.inner).zip(self.moments) {
            for block in plane.chunks(BLOCK) {
                let shift = E::of(block_sum::<S, E>(block) / block.len() as f64);
                let sums = block_sums::<S, E, true>(block, block, shift);
                *moments = moments.merge(Moments::new(block.len(), shift.wide(), sums));
            }
        }
    }
}

fn by_rows<E: Element>(level: Level, layout: ChannelsLayout, line: usize, x: &[E], channels: &mut [Moments]) {
    let tiles = Tile::all(layout, line);
    let mut partials = vec![Moments::default(); partials_of(&tiles)];
    let parts = split_partials(&tiles, &mut partials);
    tasks::for_each(level, tiles.iter().zip(parts).map(|(tile, moments)| TileMoments { x, tile, moments }));
    for (i, &moments) in partials.iter().enumerate() {
        let channel = &mut channels[i % layout.channels];
        *channel = channel.merge(moments);
    }
}

struct TileMoments<'a, E> {
    x: &'a [E],
    tile: &'a Tile,
    moments: &'a mut [Moments],
}

impl<E: Element> Kernel for TileMoments<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let tile = self.tile;
        let mut first = vec![E::zero(); tile.columns.len()];
        for line in tile.lines(self.x) {
            for (sum, &x) in first.iter_mut().zip(line) {
                *sum = *sum + x;
            }
        }
        let count = tile.count();
        let means = tile.fold(first.iter().map(|sum| sum.wide()));
        let means: Vec<E> = means.iter().map(|sum| E::of(sum / count as f64)).collect();
        let shifts = tile.expand(&means);
        let mut second = vec![E::zero(); tile.columns.len()];
        first.fill(E::zero());
        for line in tile.lines(self.x) {
            for (((sum, squares), &shift), &x) in first.iter_mut().zip(&mut second).zip(&shifts).zip(line) {
                let deviation = x - shift;
                *sum = *sum + deviation;
                *squares = *squares + deviation * deviation;
            }
        }
        let deviations = tile.fold(first.iter().map(|sum| sum.wide()));
        let squares = tile.fold(second.iter().map(|sum| sum.wide()));
        for (i, moments) in self.moments.iter_mut().enumerate() {
            *moments = Moments::new(count, means[i].wide(), (deviations[i], squares[i]));
        }
    }
}
