//! The two-dimensional transforms. They work on registers of channels, so that images of every size run alike; what is
//! laid out in planes is turned into channels-last pieces on the way in and back on the way out.

use std::marker::PhantomData;

use crate::kernel::cpu::copy::{Strided, transpose_into};
use crate::kernel::cpu::simd::{Kernel, Lane, Real, Simd};
use crate::kernel::cpu::workspace::Buffer;
use crate::kernel::element::Element;
use crate::kernel::write::Write;

use super::scheme::Scheme;
use super::tiles::TileBlock;
use crate::kernel::cpu::registers::{apart, band};

/// Channels that are turned at once.
pub const CHANNELS: usize = 32;

/// A transform of a square of `I x I` values to one of `O x O`, one dimension at a time.
pub trait Square<const I: usize, const O: usize>: Send + Sync {
    fn line<V: Real>(line: [V; I]) -> [V; O];
}

/// The transforms of a scheme as [`Square`]s.
macro_rules! squares {
    ($($(#[$doc:meta])* $name:ident: $from:tt => $to:tt by $line:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<S, const M: usize, const P: usize>(PhantomData<S>);

        impl<S: Scheme<M, P>, const M: usize, const P: usize> Square<$from, $to> for $name<S, M, P> {
            #[inline(always)]
            fn line<V: Real>(line: [V; $from]) -> [V; $to] {
                S::$line(line)
            }
        }
    )*};
}
squares! {
    /// [`Scheme::input`] in two dimensions.
    Input: P => P by input;
    /// [`Scheme::filter`] in two dimensions.
    FilterTaps: 3 => P by filter;
    /// [`Scheme::output`] in two dimensions.
    Output: P => M by output;
    /// [`Scheme::grad_output`] in two dimensions.
    GradOutput: M => P by grad_output;
    /// [`Scheme::filter_gradient`] in two dimensions.
    FilterGradient: P => 3 by filter_gradient;
}

/// The place of the values of a transformed square, which come one column after another.
pub trait Put<V> {
    fn put(&mut self, row: usize, col: usize, value: V);
}

/// Squares as arrays, for what is worked on further.
impl<V, const O: usize> Put<V> for [[V; O]; O] {
    #[inline(always)]
    fn put(&mut self, row: usize, col: usize, value: V) {
        self[row][col] = value;
    }
}

/// A register of each point of a square of `O x O`, the points `step` apart, from `at` on.
pub struct Points<'a, E, const O: usize> {
    pub to: &'a mut [E],
    pub step: usize,
    pub at: usize,
}

impl<V: Lane, const O: usize> Put<V> for Points<'_, V::Elem, O> {
    #[inline(always)]
    fn put(&mut self, row: usize, col: usize, value: V) {
        value.store(&mut self.to[(row * O + col) * self.step + self.at..]);
    }
}

/// The second dimension of a transform, along the columns of lines that are transformed already.
#[inline(always)]
fn columns_to<V: Real, T: Square<I, O>, const I: usize, const O: usize>(lines: &[[V; O]; I], to: &mut impl Put<V>) {
    let zero = V::of(0.0);
    for k in 0..O {
        let mut column = [zero; I];
        for (value, line) in column.iter_mut().zip(lines) {
            *value = line[k];
        }
        for (row, value) in T::line(column).into_iter().enumerate() {
            to.put(row, k, value);
        }
    }
}

/// [`columns_to`] as an array.
#[inline(always)]
pub fn columns<V: Real, T: Square<I, O>, const I: usize, const O: usize>(lines: &[[V; O]; I]) -> [[V; O]; O] {
    let mut square = [[V::of(0.0); O]; O];
    columns_to::<V, T, I, O>(lines, &mut square);
    square
}

/// The transform of a square whose values lie `stride` apart, a register of channels wide.
///
/// What `lines` holds does not matter: they are more than there are registers, and an array made for each square would
/// be filled with zeros each time, which takes a fifth as long as the transform.
#[inline(always)]
pub fn transform_to<V: Lane, T: Square<I, O>, const I: usize, const O: usize>(
    values: &[V::Elem],
    stride: usize,
    lines: &mut [[V; O]; I],
    to: &mut impl Put<V>,
) {
    let zero = V::of(0.0);
    for (r, transformed) in lines.iter_mut().enumerate() {
        let mut line = [zero; I];
        for (k, value) in line.iter_mut().enumerate() {
            *value = V::load(&values[(r * I + k) * stride..]);
        }
        *transformed = T::line(line);
    }
    columns_to::<V, T, I, O>(lines, to);
}

/// [`transform_to`] as an array.
#[inline(always)]
pub fn transform<V: Lane, T: Square<I, O>, const I: usize, const O: usize>(
    values: &[V::Elem],
    stride: usize,
) -> [[V; O]; O] {
    let zero = V::of(0.0);
    let (mut lines, mut square) = ([[zero; O]; I], [[zero; O]; O]);
    transform_to::<V, T, I, O>(values, stride, &mut lines, &mut square);
    square
}

/// Planes `[batch, channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a, E> {
    pub data: &'a [E],
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl<'a, E> Planes<'a, E> {
    /// All elements from the start of a row of a channel on; none beyond the last image.
    #[inline(always)]
    fn rows(&self, image: usize, channel: usize, row: usize) -> &'a [E] {
        self.data.get(((image * self.channels + channel) * self.height + row) * self.width..).unwrap_or_default()
    }
}

/// Transforms the squares of a block of tiles: `to[point, group, tile, channel]` with `group` channels in a group, the
/// ones that there are not being zero. A square of `I x I` pixels starts `padding` pixels before its tile of
/// `side x side`.
pub struct TransformTiles<'a, E, T, const I: usize, const P: usize> {
    pub transform: PhantomData<T>,
    pub planes: Planes<'a, E>,
    pub block: TileBlock,
    /// The block that is transformed next, to prefetch.
    pub next: Option<TileBlock>,
    pub side: usize,
    pub padding: usize,
    /// Channels in a group: all of them (rounded up to a band), a multiple of [`CHANNELS`], or a divisor.
    pub group: usize,
    /// Tiles that `to` has room for.
    pub capacity: usize,
    pub to: &'a mut [E],
    pub workspace: &'a mut Buffer<E>,
}

impl<E: Element, T: Square<I, P>, const I: usize, const P: usize> Kernel for TransformTiles<'_, E, T, I, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { planes, block, next, side, padding, group, capacity, to, workspace, .. } = self;
        let Planes { channels, height, width, .. } = planes;
        let lanes = E::Lane::<S>::WIDTH;
        let step = apart(channels.next_multiple_of(group) * capacity);
        let rows = block.pixel_rows(side, I, padding, height);
        let pixels = rows.len() * width;
        let last = workspace.take(pixels * CHANNELS);
        let tiles = block.rows * block.cols;
        let mut lines = [[<E::Lane<S>>::of(0.0); P]; I];
        for image in 0..block.images {
            for first in (0..channels).step_by(CHANNELS) {
                let present = CHANNELS.min(channels - first);
                let wide = present.next_multiple_of(lanes);
                if wide > present {
                    last.fill(E::zero());
                }
                let from = planes.rows(block.first_image + image, first, rows.start);
                let mut turned = Strided { data: &mut *last, stride: CHANNELS };
                transpose_into::<S, _>(from, height * width, present, pixels, &mut turned, Write::Replace);
                // The planes that are turned next, some of them for each tile.
                let after = if first + CHANNELS < channels {
                    Some((block.first_image + image, first + CHANNELS, rows.start))
                } else if image + 1 < block.images {
                    Some((block.first_image + image + 1, 0, rows.start))
                } else {
                    next.map(|next| (next.first_image, 0, next.pixel_rows(side, I, padding, height).start))
                };
                let (from, count) = match after {
                    Some((image, first, row)) => (planes.rows(image, first, row), CHANNELS.min(channels - first)),
                    None => Default::default(),
                };
                let mut ahead = from.chunks(height * width).take(count);
                let share = ahead.len().div_ceil(tiles);
                for tile in 0..tiles {
                    for plane in ahead.by_ref().take(share) {
                        S::prefetch(&plane[..pixels.min(plane.len())]);
                    }
                    let index = image * tiles + tile;
                    let (row, col) = ((block.first_row + tile / block.cols) * side, tile % block.cols * side);
                    let square = At { last, rows: (rows.start, rows.end), width, row, col, padding };
                    for lane in (0..wide).step_by(lanes) {
                        let channel = first + lane;
                        let at = (channel / group * capacity + index) * group + channel % group;
                        let mut points = Points::<E, P> { to: &mut *to, step, at };
                        square.transform::<E::Lane<S>, T, I, P>(lane, &mut lines, &mut points);
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
    /// The transform of a register of channels from `lane` on; see [`transform_to`].
    #[inline(always)]
    fn transform<V: Lane<Elem = E>, T: Square<I, P>, const I: usize, const P: usize>(
        &self,
        lane: usize,
        lines: &mut [[V; P]; I],
        to: &mut impl Put<V>,
    ) {
        let (row, col) = (self.row.wrapping_sub(self.padding), self.col.wrapping_sub(self.padding));
        let inside =
            |first: usize, end: usize, at: usize| at >= first && at.checked_add(I).is_some_and(|last| last <= end);
        let zero = V::of(0.0);
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
                    *transformed = [zero; P];
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
        columns_to::<V, T, I, P>(lines, to);
    }
}

/// A filter `[outputs, inputs, 3, 3]`, or its adjoint: turned by 180 degrees and with its channel axes swapped.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, E> {
    pub data: &'a [E],
    pub outputs: usize,
    pub inputs: usize,
    /// True if `data` is the filter that this one is the adjoint of, `[inputs, outputs, 3, 3]`.
    pub adjoint: bool,
}

/// Taps of a filter.
pub const TAPS: usize = 9;

/// Transforms the filters of a band of output channels, from `first` on: `to[point, input, lane]`, but for registers
/// without a channel.
pub struct TransformFilter<'a, E, C, const M: usize, const P: usize> {
    pub scheme: PhantomData<C>,
    pub filter: Filter<'a, E>,
    pub first: usize,
    pub to: &'a mut [E],
    pub workspace: &'a mut Buffer<E>,
}

impl<E: Element, C: Scheme<M, P>, const M: usize, const P: usize> Kernel for TransformFilter<'_, E, C, M, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { filter, first, to, workspace, .. } = self;
        let Filter { data, outputs, inputs, adjoint } = filter;
        let band = band::<E::Lane<S>>();
        let present = band.min(outputs - first);
        let turned = workspace.take(CHANNELS * TAPS * band);
        if present < band {
            turned.fill(E::zero());
        }
        for start in (0..inputs).step_by(CHANNELS) {
            let count = CHANNELS.min(inputs - start);
            if adjoint {
                for (input, turned) in turned.chunks_exact_mut(TAPS * band).enumerate().take(count) {
                    let from = &data[((start + input) * outputs + first) * TAPS..];
                    transpose_into::<S, _>(
                        from,
                        TAPS,
                        present,
                        TAPS,
                        &mut Strided { data: turned, stride: band },
                        Write::Replace,
                    );
                }
            } else {
                let from = &data[(first * inputs + start) * TAPS..];
                let mut turned = Strided { data: &mut *turned, stride: band };
                transpose_into::<S, _>(from, inputs * TAPS, present, count * TAPS, &mut turned, Write::Replace);
            }
            for (input, taps) in turned.chunks_exact(TAPS * band).enumerate().take(count) {
                for lane in (0..present).step_by(E::Lane::<S>::WIDTH) {
                    let (step, at) = (apart(inputs * band), (start + input) * band + lane);
                    let mut points = Points::<E, P> { to: &mut *to, step, at };
                    if adjoint {
                        turned_around::<E::Lane<S>, FilterTaps<C, M, P>, P>(&taps[lane..], band, &mut points);
                    } else {
                        let mut lines = [[<E::Lane<S>>::of(0.0); P]; 3];
                        transform_to::<E::Lane<S>, FilterTaps<C, M, P>, 3, P>(
                            &taps[lane..],
                            band,
                            &mut lines,
                            &mut points,
                        );
                    }
                }
            }
        }
    }
}

/// [`transform_to`] of nine taps from the last to the first.
#[inline(always)]
fn turned_around<V: Lane, T: Square<3, P>, const P: usize>(taps: &[V::Elem], stride: usize, to: &mut impl Put<V>) {
    let zero = V::of(0.0);
    let mut lines = [[zero; P]; 3];
    for (row, transformed) in lines.iter_mut().enumerate() {
        let mut line = [zero; 3];
        for (col, value) in line.iter_mut().enumerate() {
            *value = V::load(&taps[(TAPS - 1 - (3 * row + col)) * stride..]);
        }
        *transformed = T::line(line);
    }
    columns_to::<V, T, 3, P>(&lines, to);
}
