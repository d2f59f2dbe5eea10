//! Convolutions, and the linear layers that are such, with factors of a [reduced precision](Precision).
//!
//! Each of the three products of a convolution is a number of sums of products, of a left factor (the weight, or in the
//! gradient of the weight the gradient of the output) and a right one (the input, or in the gradient of the input the
//! gradient of the output). `docs/precision.md` defines them to the last bit:
//!
//! 1. Factors are rounded to bf16. Of `bf16x3`, each has a second part: what rounding left of it, rounded.
//! 2. The terms of a sum are in an order that sizes fix, filled with zeros up to a multiple of 32.
//! 3. From zero on, 32 terms at a time are added by one recipe, for `bf16x3` three times: high by low, low by
//!    high, high by high.
//! 4. In the gradient of the weight, each stretch of 2,048 positions is a sum of its own, from zero on, and these are
//!    added one after another.
//! 5. The bias, or what was there before, is added in `f32`.
//!
//! There is no minimal filtering. The order of no sum depends on threads, instruction sets or the batch, but for the
//! gradient of the weight, whose terms are the positions of all images.

mod backward_weight;
mod bands;
mod gather;
mod problem;
mod recipe;
mod round;
mod sizes;
mod tiles;
mod turn;
mod weight;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

#[cfg(test)]
mod tests;

/// Packing, for kernels that read other layouts.
pub(in crate::kernel::cpu) mod packed {
    pub use super::bands::panel_positions;
    pub use super::problem::{Depth, Phase, Problem, Segment, Tap};
    pub use super::round::{Bf16, terms};
    pub use super::sizes::{BLOCK, COLUMNS, ROWS, SIDE, TILE};
    pub use super::tiles::multiply;
    pub use super::weight::{pack, put_columns};
}

pub use self::backward_weight::backward_weight;
use self::bands::bands;
use self::gather::{Planes, Start};
use self::problem::Problem;
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::tasks::each;
use crate::kernel::cpu::workspace::with_kept;
use crate::kernel::precision::Precision;
use crate::kernel::shape::ConvShape;
use crate::kernel::write::Write;

impl Precision {
    /// True if kernels compute the precision by instructions for it, AMX's: if the processor has them, `PVLU_SIMD` asks
    /// for no other level, and the system permits their use, which it is asked for.
    pub fn is_fast(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return !self.is_reduced() || (Level::current() == Level::Amx && crate::kernel::cpu::simd::may_use_tiles());
        #[cfg(not(target_arch = "x86_64"))]
        return !self.is_reduced();
    }
}

/// `y = conv(x, weight) + bias`. Overwrites `y`.
///
/// Shapes: `x` `[N, C, H, W]`, `weight` `[O, C, K, K]`, `bias` `[O]`, `y` `[N, O, H', W']`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn forward(
    precision: Precision,
    shape: &ConvShape,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    assert_eq!(x.len(), shape.input_len(), "length of x");
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(y.len(), shape.output_len(), "length of y");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), shape.out_channels, "length of bias");
    }
    run(precision, &Problem::forward(shape), shape.batch, x, weight, Start::Replace(bias), y);
}

/// `grad_x = conv^T(grad_output)` or `grad_x += conv^T(grad_output)`: the gradient of the input.
///
/// Shapes: `weight` `[O, C, K, K]`, `grad_output` `[N, O, H', W']`, `grad_x` `[N, C, H, W]`.
///
/// # Panics
///
/// If a length does not fit the shape.
pub fn backward_input(
    precision: Precision,
    shape: &ConvShape,
    weight: &[f32],
    grad_output: &[f32],
    grad_x: &mut [f32],
    write: Write,
) {
    assert_eq!(weight.len(), shape.weight_len(), "length of weight");
    assert_eq!(grad_output.len(), shape.output_len(), "length of gradient of the output");
    assert_eq!(grad_x.len(), shape.input_len(), "length of grad_x");
    let start = match write {
        Write::Replace => Start::Replace(None),
        Write::Add => Start::Add,
    };
    run(precision, &Problem::backward_input(shape), shape.batch, grad_output, weight, start, grad_x);
}

/// Most elements of packed weights that a thread keeps from one call to the next, 16 MiB.
const KEPT: usize = 8 << 20;

/// The packed weight of each phase.
#[derive(Debug, Default)]
struct Packed(Vec<Vec<round::Bf16>>);

/// Writes the sums of a problem, of images whose planes lie one after another.
fn run(
    precision: Precision,
    problem: &Problem,
    batch: usize,
    source: &[f32],
    weight: &[f32],
    start: Start<'_>,
    y: &mut [f32],
) {
    if y.is_empty() {
        return;
    }
    let level = Level::current();
    let planes = Planes { channels: problem.inputs, size: problem.source, values: source };
    with_kept(|packed: &mut Packed| {
        let phases = packed.0.len().max(problem.phases.len());
        packed.0.resize_with(phases, Vec::new);
        for (phase, packed) in problem.phases.iter().zip(&mut packed.0) {
            weight::pack(level, precision, problem, phase, weight, packed);
        }
        each(bands(problem, batch, precision, y), |mut band| {
            gather::run(level, precision, problem, &packed.0, planes, start, &mut band);
        });
        if packed.0.iter().map(Vec::capacity).sum::<usize>() > KEPT {
            packed.0.clear();
        }
    });
}
