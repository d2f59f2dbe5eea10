//! Operations on blocked maps that go row by row: pools, sums, products, and whatever moves channels or pixels.

use super::{BLOCK, BlockedMap, Finish, Source};
use crate::kernel::cpu::simd::{Kernel, Lane, Level, Simd, dispatch_at};
use crate::kernel::cpu::tasks::{TASK, each};
use crate::kernel::element::Element;

/// An operation that writes the rows of a map, each by itself.
pub trait RowOperation<E: Element>: Sync {
    /// Writes a row, without its halo, of a block of an image. Implementations carry `#[inline(always)]`.
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]);
}

/// `y = finish(operation)`, with zeros in the halo of `y`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn run<E: Element>(map: BlockedMap, operation: &impl RowOperation<E>, finish: Option<&dyn Finish<E>>, y: &mut [E]) {
    assert_eq!(y.len(), map.len(), "length of y");
    if y.is_empty() {
        return;
    }
    let level = Level::current();
    let planes = (TASK / map.plane()).max(1);
    each(y.chunks_mut(planes * map.plane()).enumerate(), |(task, y)| {
        dispatch_at(level, Planes { map, operation, finish, first: task * planes, y });
    });
}

/// Some planes of a map, counted through all images from `first` on.
struct Planes<'a, 'y, E, O> {
    map: BlockedMap,
    operation: &'a O,
    finish: Option<&'a dyn Finish<E>>,
    first: usize,
    y: &'y mut [E],
}

impl<E: Element, O: RowOperation<E>> Kernel for Planes<'_, '_, E, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { map, operation, finish, first, y } = self;
        for (plane, y) in (first..).zip(y.chunks_exact_mut(map.plane())) {
            let (image, block) = (plane / map.blocks(), plane % map.blocks());
            for row in 0..map.height {
                operation.row::<S>(image, block, row, &mut y[map.at(row, 0)..][..map.width * BLOCK]);
            }
            if let Some(finish) = finish {
                finish.finish(block, y);
            }
            map.clear(block, y, map.halo, map.halo);
        }
    }
}

/// Registers of a pixel, one after another.
#[inline(always)]
fn registers<V: Lane>() -> impl Iterator<Item = usize> {
    (0..BLOCK).step_by(V::WIDTH)
}

/// The sum of maps of one size, from the first on; of one map that map.
#[derive(Clone, Copy, Debug)]
pub struct Sum<'a, E>(pub &'a [Source<'a, E>]);

impl<E: Element> RowOperation<E> for Sum<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        for (index, source) in self.0.iter().enumerate() {
            let x = source.map.interior(source.plane(image, block), row);
            if index == 0 {
                y.copy_from_slice(x);
                continue;
            }
            let width = <E::Lane<S> as Lane>::WIDTH;
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                (<E::Lane<S> as Lane>::load(y) + <E::Lane<S> as Lane>::load(x)).store(y);
            }
        }
    }
}

/// The product of maps of one size, from the first on, or of a map and a gate of one pixel.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a, E>(pub &'a [Source<'a, E>]);

impl<E: Element> RowOperation<E> for Product<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        for (index, source) in self.0.iter().enumerate() {
            let is_gate = source.map.pixels() == 1;
            let x = source.map.interior(source.plane(image, block), if is_gate { 0 } else { row });
            if index == 0 {
                y.copy_from_slice(x);
                continue;
            }
            for (pixel, y) in y.chunks_exact_mut(BLOCK).enumerate() {
                let x = &x[if is_gate { 0 } else { pixel * BLOCK }..][..BLOCK];
                for lane in registers::<E::Lane<S>>() {
                    (<E::Lane<S> as Lane>::load(&y[lane..]) * <E::Lane<S> as Lane>::load(&x[lane..]))
                        .store(&mut y[lane..]);
                }
            }
        }
    }
}

/// `x scale + shift`, with a factor and a summand for each channel of each block.
#[derive(Clone, Copy, Debug)]
pub struct Scaled<'a, E> {
    /// The map that is read.
    pub x: Source<'a, E>,
    /// One factor for each channel.
    pub scale: &'a [E],
    /// One summand for each channel.
    pub shift: &'a [E],
}

impl<E: Element> RowOperation<E> for Scaled<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        let x = self.x.map.interior(self.x.plane(image, block), row);
        for lane in registers::<E::Lane<S>>() {
            let [scale, shift] =
                [self.scale, self.shift].map(|values| <E::Lane<S> as Lane>::load(&values[block * BLOCK + lane..]));
            for (y, x) in y.chunks_exact_mut(BLOCK).zip(x.chunks_exact(BLOCK)) {
                use crate::kernel::cpu::simd::Real;
                <E::Lane<S> as Lane>::load(&x[lane..]).mul_add(scale, shift).store(&mut y[lane..]);
            }
        }
    }
}

/// The reduction of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The largest element; padding takes no part.
    Max,
    /// The largest element; padding is zeros.
    MaxWithZeros,
    /// The mean; padding is zeros.
    Mean,
}

/// A pool over windows.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a, E> {
    /// The map that is read.
    pub x: Source<'a, E>,
    /// The reduction of a window to one element.
    pub reduction: Reduction,
    /// Rows and columns of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Padding on each side.
    pub padding: usize,
}

impl<E: Element> RowOperation<E> for Pool<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        use crate::kernel::cpu::simd::Real;
        let Self { x, reduction, kernel, stride, padding } = *self;
        let plane = x.plane(image, block);
        let within =
            |at: usize, len: usize| (at * stride).saturating_sub(padding)..(at * stride + kernel - padding).min(len);
        let rows = within(row, x.map.height);
        for (col, y) in y.chunks_exact_mut(BLOCK).enumerate() {
            let cols = within(col, x.map.width);
            let whole = rows.len() * cols.len() == kernel * kernel;
            for lane in registers::<E::Lane<S>>() {
                let zero = <E::Lane<S> as Lane>::splat(E::zero());
                let mut value = match reduction {
                    Reduction::Max => <E::Lane<S> as Lane>::splat(E::neg_infinity()),
                    Reduction::MaxWithZeros if whole => <E::Lane<S> as Lane>::splat(E::neg_infinity()),
                    _ => zero,
                };
                for row in rows.clone() {
                    let from = x.map.at(row, cols.start) + lane;
                    for tap in 0..cols.len() {
                        let x = <E::Lane<S> as Lane>::load(&plane[from + tap * BLOCK..]);
                        value = if reduction == Reduction::Mean { value + x } else { value.max(x) };
                    }
                }
                if reduction == Reduction::Mean {
                    value = value / <E::Lane<S> as Real>::of((kernel * kernel) as f64);
                }
                value.store(&mut y[lane..]);
            }
        }
    }
}

/// The mean over all pixels: sums of rows, then of these.
#[derive(Clone, Copy, Debug)]
pub struct GlobalMean<'a, E>(pub Source<'a, E>);

impl<E: Element> RowOperation<E> for GlobalMean<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, _: usize, y: &mut [E]) {
        use crate::kernel::cpu::simd::Real;
        let Source { map, .. } = self.0;
        let plane = self.0.plane(image, block);
        for lane in registers::<E::Lane<S>>() {
            let zero = <E::Lane<S> as Lane>::splat(E::zero());
            let mut total = zero;
            for row in 0..map.height {
                let pixels = map.interior(plane, row).chunks_exact(BLOCK);
                total = total + pixels.fold(zero, |sum, x| sum + <E::Lane<S> as Lane>::load(&x[lane..]));
            }
            (total / <E::Lane<S> as Real>::of(map.pixels() as f64)).store(&mut y[lane..]);
        }
    }
}

/// Rows and columns repeated.
#[derive(Clone, Copy, Debug)]
pub struct Repeated<'a, E> {
    /// The map that is read.
    pub x: Source<'a, E>,
    /// Number of times that each is repeated.
    pub factor: usize,
}

impl<E: Element> RowOperation<E> for Repeated<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        let x = self.x.map.interior(self.x.plane(image, block), row / self.factor);
        for (y, x) in y.chunks_exact_mut(self.factor * BLOCK).zip(x.chunks_exact(BLOCK)) {
            y.chunks_exact_mut(BLOCK).for_each(|y| y.copy_from_slice(x));
        }
    }
}

/// Channels of maps, one after another, with zeros before and behind them: every `stride`-th row and column.
#[derive(Clone, Copy, Debug)]
pub struct Joined<'a, E> {
    /// The maps that are read.
    pub sources: &'a [Source<'a, E>],
    /// Channels of zeros before those of the first.
    pub before: usize,
    /// Step between the rows and columns that are taken.
    pub stride: usize,
}

impl<E: Element> Joined<'_, E> {
    /// The map that a channel of the output comes from, and its channel there.
    fn origin(&self, channel: usize) -> Option<(&Source<'_, E>, usize)> {
        let mut channel = channel.checked_sub(self.before)?;
        for source in self.sources {
            if channel < source.map.channels {
                return Some((source, channel));
            }
            channel -= source.map.channels;
        }
        None
    }
}

impl<E: Element> RowOperation<E> for Joined<'_, E> {
    #[inline(always)]
    fn row<S: Simd>(&self, image: usize, block: usize, row: usize, y: &mut [E]) {
        let step = self.stride * BLOCK;
        if let Some((source, channel)) = self.origin(block * BLOCK)
            && channel.is_multiple_of(BLOCK)
            && (channel + BLOCK <= source.map.channels
                || self.origin(block * BLOCK + source.map.channels - channel).is_none())
        {
            // A block of a map is one of the output.
            let x = source.map.interior(source.plane(image, channel / BLOCK), row * self.stride);
            y.chunks_exact_mut(BLOCK).zip(x.chunks(step)).for_each(|(y, x)| y.copy_from_slice(&x[..BLOCK]));
            return;
        }
        for lane in 0..BLOCK {
            let y = y.iter_mut().skip(lane).step_by(BLOCK);
            match self.origin(block * BLOCK + lane) {
                Some((source, channel)) => {
                    let x = source.map.interior(source.plane(image, channel / BLOCK), row * self.stride);
                    y.zip(x.iter().skip(channel % BLOCK).step_by(step)).for_each(|(y, &x)| *y = x);
                }
                None => y.for_each(|y| *y = E::zero()),
            }
        }
    }
}
