//! The passes that write a tensor: one formula an element, with three coefficients a channel.

use super::Scaling;
use super::tiles::Lines;
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{self, pieces, split_mut};
use crate::kernel::layout::ChannelsLayout;

/// A formula for an element of the output, given its old value and `N` inputs.
pub(super) trait Pointwise<E, const N: usize>: Copy + Send + Sync {
    /// The new output, from the old one, the elements at the same place of the inputs, and the channel's coefficients.
    fn at(self, out: E, inputs: [E; N], coefficients: [E; 3]) -> E;
}

/// Applies a formula of the old output and `N` inputs to a tensor.
pub(super) fn apply<E: Element, F: Pointwise<E, N>, const N: usize>(
    level: Level,
    layout: ChannelsLayout,
    formula: F,
    coefficients: [&[E]; 3],
    inputs: [&[E]; N],
    out: &mut [E],
) {
    if layout.is_empty() {
        return;
    }
    let line = match Lines::of(layout) {
        Lines::Planes => layout.inner,
        Lines::Rows { line } => line,
    };
    let pieces = pieces(out.len(), line);
    let parts = split_mut(out, &pieces);
    let parts = pieces.iter().zip(parts).map(|(piece, out)| (piece, inputs.map(|x| &x[piece.elements.clone()]), out));
    match Lines::of(layout) {
        Lines::Planes => tasks::for_each(
            level,
            parts.map(|(piece, inputs, out)| Planes {
                formula,
                coefficients,
                plane: piece.line,
                inner: layout.inner,
                inputs,
                out,
            }),
        ),
        Lines::Rows { .. } => {
            let columns = coefficients.map(|values| expand(layout, line, values));
            let columns = columns.each_ref().map(|values| &values[..]);
            tasks::for_each(
                level,
                parts.map(|(piece, inputs, out)| Rows {
                    formula,
                    coefficients: columns.map(|values| &values[piece.offset..]),
                    line,
                    inputs,
                    out,
                }),
            );
        }
    }
}

/// One value a channel, repeated for each column of a line, which is one row of all channels or several.
fn expand<E: Element>(layout: ChannelsLayout, line: usize, values: &[E]) -> Vec<E> {
    let mut columns = Vec::with_capacity(line);
    for &value in values {
        columns.resize(columns.len() + layout.inner, value);
    }
    for _ in 1..line / columns.len() {
        columns.extend_from_within(..values.len() * layout.inner);
    }
    columns
}

struct Planes<'a, E, F, const N: usize> {
    formula: F,
    coefficients: [&'a [E]; 3],
    /// Index of the first plane, over all channels of all samples.
    plane: usize,
    inner: usize,
    inputs: [&'a [E]; N],
    out: &'a mut [E],
}

impl<E: Element, F: Pointwise<E, N>, const N: usize> Kernel for Planes<'_, E, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let [a, b, c] = self.coefficients;
        for (i, out) in self.out.chunks_mut(self.inner).enumerate() {
            let channel = (self.plane + i) % a.len();
            let coefficients = [a[channel], b[channel], c[channel]];
            let inputs = self.inputs.map(|x| &x[i * self.inner..][..out.len()]);
            for (j, out) in out.iter_mut().enumerate() {
                *out = self.formula.at(*out, inputs.map(|x| x[j]), coefficients);
            }
        }
    }
}

struct Rows<'a, E, F, const N: usize> {
    formula: F,
    /// For each column, from the piece's first.
    coefficients: [&'a [E]; 3],
    line: usize,
    inputs: [&'a [E]; N],
    out: &'a mut [E],
}

impl<E: Element, F: Pointwise<E, N>, const N: usize> Kernel for Rows<'_, E, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let [a, b, c] = self.coefficients;
        for (i, out) in self.out.chunks_mut(self.line).enumerate() {
            let inputs = self.inputs.map(|x| &x[i * self.line..][..out.len()]);
            let coefficients = a.iter().zip(b).zip(c);
            for (j, (out, ((&a, &b), &c))) in out.iter_mut().zip(coefficients).enumerate() {
                *out = self.formula.at(*out, inputs.map(|x| x[j]), [a, b, c]);
            }
        }
    }
}

/// `y = a x + b`.
#[derive(Clone, Copy)]
struct ScaleAndShift;

impl<E: Element> Pointwise<E, 1> for ScaleAndShift {
    #[inline(always)]
    fn at(self, _: E, [x]: [E; 1], [scale, shift, _]: [E; 3]) -> E {
        x * scale + shift
    }
}

impl<E: Element> Pointwise<E, 0> for ScaleAndShift {
    #[inline(always)]
    fn at(self, x: E, []: [E; 0], [scale, shift, _]: [E; 3]) -> E {
        x * scale + shift
    }
}

/// `y = gamma (x - mean) inv_std + beta`; overwrites `y`.
///
/// Mean, variance and parameters fold into a scale and a shift a channel, computed in `f64`. The error against the
/// formula is a few roundings of `x gamma inv_std`, which is what a rounding of `x` itself costs.
pub fn normalize<E: Element>(layout: ChannelsLayout, x: &[E], scaling: Scaling<E>, beta: &[E], y: &mut [E]) {
    assert_eq!(x.len(), layout.len());
    normalize_at(Level::current(), layout, Some(x), scaling, beta, y);
}

/// As [`normalize`], with the result written over `x`.
pub fn normalize_in_place<E: Element>(layout: ChannelsLayout, scaling: Scaling<E>, beta: &[E], x: &mut [E]) {
    normalize_at(Level::current(), layout, None, scaling, beta, x);
}

/// Computes `y` from `x` or, without one, from the contents of `y`.
pub(crate) fn normalize_at<E: Element>(
    level: Level,
    layout: ChannelsLayout,
    x: Option<&[E]>,
    scaling: Scaling<E>,
    beta: &[E],
    y: &mut [E],
) {
    assert_eq!(y.len(), layout.len());
    let [scale, shift] = scale_and_shift(layout, scaling, beta);
    let coefficients = [&scale[..], &shift, &shift];
    match x {
        Some(x) => apply(level, layout, ScaleAndShift, coefficients, [x], y),
        None => apply(level, layout, ScaleAndShift, coefficients, [], y),
    }
}

/// The factor and the summand of each channel.
fn scale_and_shift<E: Element>(layout: ChannelsLayout, scaling: Scaling<E>, beta: &[E]) -> [Vec<E>; 2] {
    scaling.check(layout);
    assert_eq!(beta.len(), layout.channels, "a beta a channel");
    let scale: Vec<f64> = scaling.gamma.iter().zip(scaling.inv_std).map(|(gamma, s)| gamma.wide() * s).collect();
    let shift = scale.iter().zip(scaling.mean).zip(beta).map(|((s, mean), beta)| E::of(beta.wide() - s * mean));
    let shift = shift.collect();
    [scale.into_iter().map(E::of).collect(), shift]
}

/// The formula of [`normalize`] with its coefficients, for kernels that apply it to a piece of a tensor at a time.
#[derive(Clone, Debug)]
pub struct Normalization<E> {
    layout: ChannelsLayout,
    /// The factor of each channel, and the summand.
    coefficients: [Vec<E>; 2],
}

impl<E: Element> Normalization<E> {
    /// Normalization of a tensor of this layout.
    pub fn new(layout: ChannelsLayout, scaling: Scaling<E>, beta: &[E]) -> Self {
        Normalization { layout, coefficients: scale_and_shift(layout, scaling, beta) }
    }

    /// The factor of each channel, and the summand: `y = x factor + summand`, rounded twice.
    pub fn coefficients(&self) -> [&[E]; 2] {
        self.coefficients.each_ref().map(|values| &values[..])
    }

    /// Writes what becomes of `x`, the elements of a tensor from `start` on, where a plane begins.
    pub fn write(&self, level: Level, start: usize, x: &[E], y: &mut [E]) {
        let ([scale, shift], inner) = (self.coefficients(), self.layout.inner);
        let (plane, coefficients) = (start / inner.max(1), [scale, shift, shift]);
        dispatch_at(level, Planes { formula: ScaleAndShift, coefficients, plane, inner, inputs: [x], out: y });
    }
}
