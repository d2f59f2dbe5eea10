//! Maximum pooling.
//!
//! A window is read row by row. The first of equal maxima wins, and a NaN wins over everything before it, as in
//! PyTorch.

use std::ops::Range;

use super::max2x2::Forward2x2;
use super::phases::{Phases, band_rows, bands};
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Kernel, Level, Simd};
use crate::kernel::cpu::tasks::{self, TASK};
use crate::kernel::shape::{MaxPadding, PoolShape};
use crate::kernel::write::Write;

/// The mark of a window that the zero padding has won.
const PADDING_WON: u8 = u8::MAX;

/// `y[n, c, i, j] = max x[n, c, stride i + k - padding, stride j + l - padding]` over `0 <= k, l < kernel`.
///
/// With `argmax` it returns, for each output, the winner's position in its window, `kernel k + l`, or 255 where the
/// zero padding won; [`max_pool_backward`] needs it.
pub fn max_pool<E: Element>(
    shape: PoolShape,
    padding: MaxPadding,
    x: &[E],
    y: &mut [E],
    argmax: bool,
) -> Option<Vec<u8>> {
    let mut positions = argmax.then(|| vec![0; y.len()]);
    max_pool_at(Level::current(), shape, padding, x, y, positions.as_deref_mut());
    positions
}

/// As [`max_pool`] with registers of this level; `argmax` is as long as `y`.
pub(crate) fn max_pool_at<E: Element>(
    level: Level,
    shape: PoolShape,
    padding: MaxPadding,
    x: &[E],
    y: &mut [E],
    argmax: Option<&mut [u8]>,
) {
    shape.check(x.len(), y.len());
    assert!(argmax.as_ref().is_none_or(|argmax| argmax.len() == y.len()));
    if y.is_empty() {
        return;
    }
    let width = shape.out_width();
    // In elements read, so that a task's work does not depend on the window.
    let rows = (TASK / (width * shape.kernel * shape.kernel)).max(1);
    let marks = argmax.map(|argmax| argmax.chunks_mut(rows * width));
    let marks = marks.into_iter().flatten().map(Some).chain(std::iter::repeat_with(|| None));
    let parts = y.chunks_mut(rows * width).zip(marks).enumerate().map(|(i, (y, marks))| (i * rows, y, marks));
    if is_2x2(shape) {
        tasks::for_each(level, parts.map(|(first, y, argmax)| Forward2x2 { shape, x, first, y, argmax }));
    } else {
        tasks::for_each(level, parts.map(|(first, y, argmax)| Forward { shape, padding, x, first, y, argmax }));
    }
}

fn is_2x2(shape: PoolShape) -> bool {
    (shape.kernel, shape.stride, shape.padding) == (2, 2, 0)
}

struct Forward<'a, E> {
    shape: PoolShape,
    padding: MaxPadding,
    x: &'a [E],
    /// The first output row, counted over all planes.
    first: usize,
    y: &'a mut [E],
    argmax: Option<&'a mut [u8]>,
}

/// The winner's position in its window, if it is wanted; as wide as an `f32`, for the vectorizer.
trait Mark: Copy {
    fn at(position: usize) -> Self;
}

impl Mark for u32 {
    #[inline(always)]
    fn at(position: usize) -> Self {
        position as u32
    }
}

impl Mark for () {
    #[inline(always)]
    fn at(_: usize) -> Self {}
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Forward { shape, padding, x, first, y, argmax } = self;
        let width = shape.out_width();
        let fill = match padding {
            MaxPadding::NegativeInfinity => E::neg_infinity(),
            MaxPadding::Zero => E::zero(),
        };
        let mut phases = Phases::new(shape, fill);
        let line = phases.line;
        let mut best = vec![E::zero(); band_rows(shape) * line];
        match argmax {
            None => {
                let mut marks = vec![(); best.len()];
                let mut y = y.chunks_mut(width);
                for (plane, rows) in bands(shape, first..first + y.len()) {
                    pool_band(&mut phases, x, plane, rows.clone(), &mut best, &mut marks);
                    for (best, y) in best.chunks(line).zip((&mut y).take(rows.len())) {
                        y.copy_from_slice(&best[..width]);
                    }
                }
            }
            Some(argmax) => {
                let mut marks = vec![0_u32; best.len()];
                let mut outputs = y.chunks_mut(width).zip(argmax.chunks_mut(width));
                for (plane, rows) in bands(shape, first..first + outputs.len()) {
                    pool_band(&mut phases, x, plane, rows.clone(), &mut best, &mut marks);
                    let lines = best.chunks(line).zip(marks.chunks(line)).zip(rows);
                    for (((best, marks), row), (y, argmax)) in lines.zip(&mut outputs) {
                        y.copy_from_slice(&best[..width]);
                        for (argmax, &mark) in argmax.iter_mut().zip(marks) {
                            *argmax = mark as u8;
                        }
                        if padding == MaxPadding::Zero {
                            mark_padding(shape, row, argmax);
                        }
                    }
                }
            }
        }
    }
}

/// Pools some output rows of a plane, into lines of `best` and `marks`.
#[inline(always)]
fn pool_band<E: Element, M: Mark>(
    phases: &mut Phases<E>,
    x: &[E],
    plane: usize,
    rows: Range<usize>,
    best: &mut [E],
    marks: &mut [M],
) {
    let (shape, line) = (phases.shape, phases.line);
    phases.load(&x[plane * shape.in_plane()..][..shape.in_plane()], rows.clone());
    let used = (rows.len() - 1) * line + shape.out_width();
    let (best, marks) = (&mut best[..used], &mut marks[..used]);
    best.fill(E::neg_infinity());
    // The first position on the image, for a window that holds nothing above minus infinity.
    for (marks, row) in marks.chunks_mut(line).zip(rows) {
        let top = shape.padding.saturating_sub(row * shape.stride) * shape.kernel;
        for (j, mark) in marks.iter_mut().enumerate() {
            *mark = M::at(top + shape.padding.saturating_sub(j * shape.stride));
        }
    }
    for k in 0..shape.kernel {
        for l in 0..shape.kernel {
            let position = M::at(k * shape.kernel + l);
            for ((best, mark), &x) in best.iter_mut().zip(marks.iter_mut()).zip(phases.under(k, l)) {
                // Not short-circuited, for the vectorizer.
                let wins = (x > *best) | x.is_nan();
                *best = if wins { x } else { *best };
                *mark = if wins { position } else { *mark };
            }
        }
    }
}

/// Marks the windows of an output row whose winner lies on the padding.
#[inline(always)]
fn mark_padding(shape: PoolShape, row: usize, argmax: &mut [u8]) {
    for (column, mark) in argmax.iter_mut().enumerate() {
        let (k, l) = (usize::from(*mark) / shape.kernel, usize::from(*mark) % shape.kernel);
        let across = (column * shape.stride + l).checked_sub(shape.padding).filter(|&x| x < shape.in_width);
        if shape.row_under(row, k).is_none() || across.is_none() {
            *mark = PADDING_WON;
        }
    }
}

/// The gradient of each element, written or added: the gradients of the outputs of the windows that it won; `argmax` is
/// [`max_pool`]'s.
pub fn max_pool_backward<E: Element>(
    shape: PoolShape,
    argmax: &[u8],
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    max_pool_backward_at(Level::current(), shape, argmax, grad_output, grad_x, write);
}

pub(crate) fn max_pool_backward_at<E: Element>(
    level: Level,
    shape: PoolShape,
    argmax: &[u8],
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    shape.check(grad_x.len(), grad_output.len());
    assert_eq!(argmax.len(), grad_output.len());
    if grad_output.is_empty() {
        return write.prepare(grad_x);
    }
    // Windows of a plane may overlap, planes do not.
    let planes = (TASK / shape.in_plane()).max(1);
    let outputs = argmax.chunks(planes * shape.out_plane()).zip(grad_output.chunks(planes * shape.out_plane()));
    let parts = outputs.zip(grad_x.chunks_mut(planes * shape.in_plane()));
    tasks::for_each(
        level,
        parts.map(|((argmax, grad_output), grad_x)| Backward { shape, argmax, grad_output, grad_x, write }),
    );
}

struct Backward<'a, E> {
    shape: PoolShape,
    argmax: &'a [u8],
    grad_output: &'a [E],
    grad_x: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.shape;
        let width = shape.out_width();
        // Where a position in the window lies in the plane, from the window's first element.
        let mut places = [0; u8::MAX as usize];
        for (position, place) in places.iter_mut().enumerate().take(shape.kernel * shape.kernel) {
            *place = position / shape.kernel * shape.in_width + position % shape.kernel;
        }
        let outputs = self.argmax.chunks(shape.out_plane()).zip(self.grad_output.chunks(shape.out_plane()));
        for ((argmax, grad_output), grad_x) in outputs.zip(self.grad_x.chunks_mut(shape.in_plane())) {
            self.write.prepare(grad_x);
            for (row, (argmax, grad_output)) in argmax.chunks(width).zip(grad_output.chunks(width)).enumerate() {
                for (column, (&mark, &g)) in argmax.iter().zip(grad_output).enumerate() {
                    if mark == PADDING_WON {
                        continue;
                    }
                    let window = row * shape.stride * shape.in_width + column * shape.stride;
                    let place = window + places[usize::from(mark)] - shape.padding * (shape.in_width + 1);
                    grad_x[place] = grad_x[place] + g;
                }
            }
        }
    }
}
