//! The two-dimensional transforms. They work on registers of channels, so that images of every size run alike; what is
//! laid out in planes is turned into channels-last pieces on the way in and back on the way out.

use std::marker::PhantomData;

use crate::kernel::cpu::copy::{Strided, transpose_into};
use crate::kernel::cpu::scratch::Buffer;
use crate::kernel::cpu::simd::{Kernel, Lane, Real, Simd};
use crate::kernel::element::Element;

use super::product::{apart, band};
use super::scheme::Scheme;
use super::tiles::TileBlock;

/// Channels that are turned at once.
pub const CHANNELS: usize = 32;

/// A transform of a square of `I x I` pixels to `P x P` points, one dimension at a time.
pub trait Square<const I: usize, const P: usize>: Send + Sync {
    fn line<V: Real>(line: [V; I]) -> [V; P];
}

/// [`Scheme::input`].
#[derive(Clone, Copy, Debug)]
pub struct Input<S, const M: usize>(PhantomData<S>);

/// [`Scheme::cotangent`].
#[derive(Clone, Copy, Debug)]
pub struct Cotangent<S, const M: usize>(PhantomData<S>);

impl<S: Scheme<M, P>, const M: usize, const P: usize> Square<P, P> for Input<S, M> {
    #[inline(always)]
    fn line<V: Real>(line: [V; P]) -> [V; P] {
        S::input(line)
    }
}

impl<S: Scheme<M, P>, const M: usize, const P: usize> Square<M, P> for Cotangent<S, M> {
    #[inline(always)]
    fn line<V: Real>(line: [V; M]) -> [V; P] {
        S::cotangent(line)
    }
}

/// Planes `[batch, channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a, E> {
    pub data: &'a [E],
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// Transforms the squares of a block of tiles: `to[point, group, tile, channel]` with `group` channels in a group, the ones
/// that there are not being zero. A square of `I x I` pixels starts `padding` pixels before its tile of `side x side`.
pub struct TransformTiles<'a, E, T, const I: usize, const P: usize> {
    pub transform: PhantomData<T>,
    pub planes: Planes<'a, E>,
    pub block: TileBlock,
    pub side: usize,
    pub padding: usize,
    /// Channels in a group: all of them (rounded up to a band), a multiple of [`CHANNELS`], or a divisor.
    pub group: usize,
    /// Tiles that `to` has room for.
    pub capacity: usize,
    pub to: &'a mut [E],
    pub scratch: &'a mut Buffer<E>,
}

impl<E: Element, T: Square<I, P>, const I: usize, const P: usize> Kernel for TransformTiles<'_, E, T, I, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { planes, block, side, padding, group, capacity, to, scratch, .. } = self;
        let Planes { data, channels, height, width } = planes;
        let lanes = E::Lane::<S>::WIDTH;
        let step = apart(channels.next_multiple_of(group) * capacity);
        let rows = block.pixel_rows(side, I, padding, height);
        let pixels = rows.len() * width;
        let last = scratch.take(pixels * CHANNELS);
        for image in 0..block.images {
            for first in (0..channels).step_by(CHANNELS) {
                let present = CHANNELS.min(channels - first);
                let wide = present.next_multiple_of(lanes);
                if wide > present {
                    last.fill(E::zero());
                }
                let plane = ((block.first_image + image) * channels + first) * height + rows.start;
                let from = data.get(plane * width..).unwrap_or_default();
                let mut turned = Strided { data: &mut *last, stride: CHANNELS };
                transpose_into::<S, _>(from, height * width, present, pixels, &mut turned, |to, from| *to = from);
                for tile in 0..block.rows * block.cols {
                    let index = image * block.rows * block.cols + tile;
                    let (row, col) = ((block.first_row + tile / block.cols) * side, tile % block.cols * side);
                    let square = At { last, rows: (rows.start, rows.end), width, row, col, padding };
                    for lane in (0..wide).step_by(lanes) {
                        let points = square.transform::<E::Lane<S>, T, I, P>(lane);
                        let channel = first + lane;
                        let at = (channel / group * capacity + index) * group + channel % group;
                        for (point, value) in points.as_flattened().iter().enumerate() {
                            value.store(&mut to[point * step + at..]);
                        }
                    }
                }
            }
        }
    }
}

/// A square in a channels-last piece.
struct At<'a, E> {
    last: &'a [E],
    rows: (usize, usize),
    width: usize,
    row: usize,
    col: usize,
    padding: usize,
}

impl<E: Element> At<'_, E> {
    #[inline(always)]
    fn transform<V: Lane<Elem = E>, T: Square<I, P>, const I: usize, const P: usize>(
        &self,
        lane: usize,
    ) -> [[V; P]; P] {
        let (row, col) = (self.row.wrapping_sub(self.padding), self.col.wrapping_sub(self.padding));
        let inside =
            |first: usize, end: usize, at: usize| at >= first && at.checked_add(I).is_some_and(|last| last <= end);
        let zero = V::of(0.0);
        let mut lines = [[zero; P]; I];
        if inside(self.rows.0, self.rows.1, row) && inside(0, self.width, col) {
            let start = ((row - self.rows.0) * self.width + col) * CHANNELS + lane;
            for (r, transformed) in lines.iter_mut().enumerate() {
                let line = &self.last[start + r * self.width * CHANNELS..];
                let mut values = [zero; I];
                for (k, value) in values.iter_mut().enumerate() {
                    *value = V::load(&line[k * CHANNELS..]);
                }
                *transformed = T::line(values);
            }
        } else {
            for (r, transformed) in lines.iter_mut().enumerate() {
                let row = row.wrapping_add(r);
                if row < self.rows.0 || row >= self.rows.1 {
                    continue;
                }
                let line = &self.last[(row - self.rows.0) * self.width * CHANNELS + lane..];
                let mut values = [zero; I];
                for (k, value) in values.iter_mut().enumerate() {
                    let col = col.wrapping_add(k);
                    if col < self.width {
                        *value = V::load(&line[col * CHANNELS..]);
                    }
                }
                *transformed = T::line(values);
            }
        }
        let mut points = [[zero; P]; P];
        for k in 0..P {
            let mut column = [zero; I];
            for (value, line) in column.iter_mut().zip(&lines) {
                *value = line[k];
            }
            for (line, value) in points.iter_mut().zip(T::line(column)) {
                line[k] = value;
            }
        }
        points
    }
}

/// A filter `[outputs, inputs, 3, 3]`, or its adjoint: turned by 180 degrees and with its channel axes swapped.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, E> {
    pub data: &'a [E],
    pub outputs: usize,
    pub inputs: usize,
    /// Whether `data` is the filter that this one is the adjoint of, `[inputs, outputs, 3, 3]`.
    pub adjoint: bool,
}

/// Taps of a filter.
pub const TAPS: usize = 9;

/// Transforms the filters of a band of output channels, from `first` on: `to[point, input, lane]`.
pub struct TransformFilter<'a, E, C, const M: usize, const P: usize> {
    pub scheme: PhantomData<C>,
    pub filter: Filter<'a, E>,
    pub first: usize,
    pub to: &'a mut [E],
    pub scratch: &'a mut Buffer<E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for TransformFilter<'_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { filter, first, to, scratch, .. } = self;
        let Filter { data, outputs, inputs, adjoint } = filter;
        let band = band::<E::Lane<S>>();
        let present = band.min(outputs - first);
        let turned = scratch.take(CHANNELS * TAPS * band);
        if present < band {
            turned.fill(E::zero());
        }
        for start in (0..inputs).step_by(CHANNELS) {
            let count = CHANNELS.min(inputs - start);
            let assign = |to: &mut E, from| *to = from;
            if adjoint {
                for (input, turned) in turned.chunks_exact_mut(TAPS * band).enumerate().take(count) {
                    let from = &data[((start + input) * outputs + first) * TAPS..];
                    transpose_into::<S, _>(
                        from,
                        TAPS,
                        present,
                        TAPS,
                        &mut Strided { data: turned, stride: band },
                        assign,
                    );
                }
            } else {
                let from = &data[(first * inputs + start) * TAPS..];
                let mut turned = Strided { data: &mut *turned, stride: band };
                transpose_into::<S, _>(from, inputs * TAPS, present, count * TAPS, &mut turned, assign);
            }
            for (input, taps) in turned.chunks_exact(TAPS * band).enumerate().take(count) {
                for lane in (0..band).step_by(E::Lane::<S>::WIDTH) {
                    let mut tap = [E::Lane::<S>::of(0.0); TAPS];
                    for (index, tap) in tap.iter_mut().enumerate() {
                        let index = if adjoint { TAPS - 1 - index } else { index };
                        *tap = E::Lane::<S>::load(&taps[index * band + lane..]);
                    }
                    let [a, b, c, d, e, f, g, h, i] = tap;
                    let lines = C::filter([a, b, c]).into_iter().zip(C::filter([d, e, f])).zip(C::filter([g, h, i]));
                    for (k, ((first, second), third)) in lines.enumerate() {
                        let column = C::filter([first, second, third]);
                        for (r, value) in column.into_iter().enumerate() {
                            let at = (r * P + k) * apart(inputs * band) + (start + input) * band;
                            value.store(&mut to[at + lane..]);
                        }
                    }
                }
            }
        }
    }
}

/// The inverse transform of a tile, a register of channels wide: `M x M` pixels of `P x P` points that lie `stride` apart.
#[inline(always)]
pub fn output<V: Lane, C: Scheme<M, P>, const M: usize, const P: usize>(
    points: &[V::Elem],
    stride: usize,
) -> [[V; M]; M] {
    let zero = V::of(0.0);
    let mut lines = [[zero; M]; P];
    for (r, line) in lines.iter_mut().enumerate() {
        let mut values = [zero; P];
        for (k, value) in values.iter_mut().enumerate() {
            *value = V::load(&points[(r * P + k) * stride..]);
        }
        *line = C::output(values);
    }
    let mut pixels = [[zero; M]; M];
    for k in 0..M {
        let mut column = [zero; P];
        for (value, line) in column.iter_mut().zip(&lines) {
            *value = line[k];
        }
        for (line, value) in pixels.iter_mut().zip(C::output(column)) {
            line[k] = value;
        }
    }
    pixels
}

/// The gradient of nine taps from that of `P x P` points, a register of channels wide.
#[inline(always)]
pub fn filter_gradient<V: Lane, C: Scheme<M, P>, const M: usize, const P: usize>(
    points: &[V::Elem],
    stride: usize,
) -> [[V; 3]; 3] {
    let zero = V::of(0.0);
    let mut lines = [[zero; 3]; P];
    for (r, line) in lines.iter_mut().enumerate() {
        let mut values = [zero; P];
        for (k, value) in values.iter_mut().enumerate() {
            *value = V::load(&points[(r * P + k) * stride..]);
        }
        *line = C::filter_gradient(values);
    }
    let mut taps = [[zero; 3]; 3];
    for k in 0..3 {
        let mut column = [zero; P];
        for (value, line) in column.iter_mut().zip(&lines) {
            *value = line[k];
        }
        for (line, value) in taps.iter_mut().zip(C::filter_gradient(column)) {
            line[k] = value;
        }
    }
    taps
}
