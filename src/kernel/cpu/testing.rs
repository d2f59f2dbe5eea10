//! Helpers that the tests of several kernels share.

use std::cell::Cell;

use super::simd::Level;
use crate::kernel::Element;

thread_local! {
    static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
    static FORGOES_FMA: Cell<bool> = const { Cell::new(false) };
}

/// The level that a test has forced on the kernels of this thread.
pub fn forced_level() -> Option<Level> {
    FORCED.get()
}

/// Returns whether the portable kernels of this thread are those of a processor without FMA.
#[cfg(target_arch = "x86_64")]
pub fn forgoes_fma() -> bool {
    FORGOES_FMA.get()
}

/// Numbers in `[-1, 1)` from a SplitMix64 generator.
pub fn random<E: Element>(seed: u64, n: usize) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            E::of(((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// The elements of a slice as `f64`, exactly.
pub fn wide<E: Element>(x: &[E]) -> Vec<f64> {
    x.iter().map(|x| x.wide()).collect()
}

/// Runs `f` in a pool of its own whose kernels run at `level`.
pub fn with_level<T: Send>(level: Level, threads: usize, f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(move |_| FORCED.set(Some(level)));
    pool.build().unwrap().install(f)
}

/// Runs `f` on one thread, with the portable kernels as a processor without FMA runs them.
pub fn without_fma<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).start_handler(|_| {
        FORCED.set(Some(Level::Portable));
        FORGOES_FMA.set(true);
    });
    pool.build().unwrap().install(f)
}

/// The result of `run`, after comparing it at every level of this machine and with one thread, two and eight.
#[track_caller]
pub fn same_everywhere<T: PartialEq + Send>(what: impl std::fmt::Debug, run: impl Fn() -> T + Sync) -> T {
    let first = with_level(Level::Portable, 1, &run);
    for level in Level::available() {
        for threads in [1, 2, 8] {
            assert!(with_level(level, threads, &run) == first, "{level:?}, {threads} threads: other bits, {what:?}");
        }
    }
    first
}

/// `|found - truth| / |truth|` in the Euclidean norm; NaN if either has one.
pub fn relative_l2<E: Element>(found: &[E], truth: &[f64]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let error: f64 = found.iter().zip(truth).map(|(found, truth)| (found.wide() - truth).powi(2)).sum();
    let size: f64 = truth.iter().map(|truth| truth * truth).sum();
    if error == 0.0 { 0.0 } else { (error / size).sqrt() }
}

/// Asserts a small relative error in the Euclidean norm.
#[track_caller]
pub fn assert_close<E: Element>(found: &[E], truth: &[f64], bound: f64, what: &str) {
    let error = relative_l2(found, truth);
    assert!(error <= bound, "{what}: relative error {error:e} above {bound:e}");
}

/// The gradient of `f` at `x` by central differences with one extrapolation: fourth order.
pub fn differences(x: &[f64], mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut moved = x.to_vec();
    let step = 1e-3;
    (0..x.len())
        .map(|i| {
            let mut slope = |h: f64| {
                moved[i] = x[i] + h;
                let above = f(&moved);
                moved[i] = x[i] - h;
                let below = f(&moved);
                moved[i] = x[i];
                (above - below) / (2.0 * h)
            };
            (4.0 * slope(step / 2.0) - slope(step)) / 3.0
        })
        .collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The bits of each element, to compare results that must be the same.
pub fn bits<E: Element>(x: &[E]) -> Vec<u64> {
    x.iter().map(|x| x.wide().to_bits()).collect()
}

/// `len` values in `[-1, 1)`, exact in `f32`, so that both element types see the same data.
pub fn values(len: usize, seed: u64) -> Vec<f64> {
    random::<f32>(seed, len).into_iter().map(f64::from).collect()
}

/// The values, each rounded to `E`.
pub fn narrow<E: Element>(values: &[f64]) -> Vec<E> {
    values.iter().map(|&value| E::of(value)).collect()
}

/// The relative error in the Euclidean norm that is asked of an element type.
pub fn tolerance<E: Element>() -> f64 {
    if E::epsilon().wide() < 1e-10 { 1e-12 } else { 1e-5 }
}
