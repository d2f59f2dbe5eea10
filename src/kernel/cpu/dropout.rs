//! Inverted dropout (N. Srivastava et al., 2014): `y = x keep / (1 - p)`.
//!
//! The mask is a function of the key and the element's index alone, so that it does not depend on the threads, and the
//! backward pass computes it again instead of storing it. The function is Philox-4x32-10 (J. K. Salmon et al., Parallel
//! random numbers: as easy as 1, 2, 3, SC 2011): it passes BigCrush for consecutive counters and for consecutive keys
//! alike, which the shorter 64-bit hashes of `key + index` do not promise (two keys there may give shifted copies of
//! one stream); it needs 32-bit multiplications only, which every vector unit has; and it is what GPU libraries use.

use super::simd::{Kernel, Level, Simd};
use super::tasks::{self, TASK};
use crate::kernel::Element;
use crate::kernel::write::Write;

/// Counters side by side: a block is their four words each, first all the first words, then all the second ones. That
/// order needs no shuffle between registers.
const LANES: usize = 16;

/// Elements in a block.
const BLOCK: usize = 4 * LANES;

const _: () = assert!(TASK.is_multiple_of(BLOCK));

/// `y = x keep / (1 - p)`, replacing or adding; `keep` is 0 with probability `p` in `[0, 1)`, else 1, independently for
/// each index and key. The probability is exact to 2^-32. A NaN stays where it is dropped, as by the formula.
pub fn apply<E: Element>(key: u64, p: f64, x: &[E], y: &mut [E], write: Write) {
    apply_from(0, key, p, x, y, write);
}

/// As [`apply`], of a part of a tensor that begins with its element of index `first`.
pub fn apply_from<E: Element>(first: usize, key: u64, p: f64, x: &[E], y: &mut [E], write: Write) {
    match write {
        Write::Replace => run::<E, false>(Level::current(), first, key, p, x, y),
        Write::Add => run::<E, true>(Level::current(), first, key, p, x, y),
    }
}

fn run<E: Element, const ADD: bool>(level: Level, first: usize, key: u64, p: f64, x: &[E], y: &mut [E]) {
    assert!((0.0..1.0).contains(&p), "the probability of dropping lies in [0, 1)");
    assert_eq!(x.len(), y.len());
    let tasks = y.chunks_mut(TASK).zip(x.chunks(TASK)).enumerate().map(|(i, (y, x))| Dropout::<E, ADD> {
        key,
        // Saturates just below 1.
        drop_below: (p * 4_294_967_296.0).round() as u32,
        scale: E::of(1.0 / (1.0 - p)),
        first: first + i * TASK,
        x,
        y,
    });
    tasks::for_each(level, tasks);
}

struct Dropout<'a, E, const ADD: bool> {
    key: u64,
    drop_below: u32,
    scale: E,
    /// Index of the first element in the tensor.
    first: usize,
    x: &'a [E],
    y: &'a mut [E],
}

impl<E: Element, const ADD: bool> Kernel for Dropout<'_, E, ADD> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { key, drop_below, scale, first, x, y } = self;
        // Up to the end of the block that the part begins in, then whole ones.
        let begun = (first.next_multiple_of(BLOCK) - first).min(y.len());
        let (begun_y, y) = y.split_at_mut(begun);
        let (begun_x, x) = x.split_at(begun);
        if begun > 0 {
            let words = random_block(key, (first / BLOCK) as u64);
            drop_by::<E, ADD>(&words[first % BLOCK..], drop_below, scale, begun_x, begun_y);
        }
        let blocks = y.chunks_mut(BLOCK).zip(x.chunks(BLOCK)).zip(first.div_ceil(BLOCK) as u64..);
        for ((y, x), block) in blocks {
            drop_by::<E, ADD>(&random_block(key, block), drop_below, scale, x, y);
        }
    }
}

/// Drops the elements whose random word is below a bound, and scales the others.
#[inline(always)]
fn drop_by<E: Element, const ADD: bool>(words: &[u32], drop_below: u32, scale: E, x: &[E], y: &mut [E]) {
    for ((y, &x), &word) in y.iter_mut().zip(x).zip(words) {
        let factor = if word < drop_below { E::zero() } else { scale };
        *y = if ADD { *y + x * factor } else { x * factor };
    }
}

/// The words of counters `LANES * block` and following.
#[inline(always)]
fn random_block(key: u64, block: u64) -> [u32; BLOCK] {
    let mut words = [0; BLOCK];
    let (first, rest) = words.split_at_mut(LANES);
    let (second, rest) = rest.split_at_mut(LANES);
    let (third, fourth) = rest.split_at_mut(LANES);
    let base = block * LANES as u64;
    // The counter's high word is the same for the whole block: a block does not straddle 2^32.
    let (low, high) = (base as u32, (base >> 32) as u32);
    for lane in 0..LANES {
        let random = philox([low + lane as u32, high, 0, 0], [key as u32, (key >> 32) as u32]);
        first[lane] = random[0];
        second[lane] = random[1];
        third[lane] = random[2];
        fourth[lane] = random[3];
    }
    words
}

/// Philox-4x32 with ten rounds.
#[inline(always)]
fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = counter;
    let [mut k, mut l] = key;
    for _ in 0..10 {
        let first = u64::from(a) * 0xD251_1F53;
        let second = u64::from(c) * 0xCD9E_8D57;
        a = (second >> 32) as u32 ^ b ^ k;
        b = second as u32;
        c = (first >> 32) as u32 ^ d ^ l;
        d = first as u32;
        k = k.wrapping_add(0x9E37_79B9);
        l = l.wrapping_add(0xBB67_AE85);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests;
