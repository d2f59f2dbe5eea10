//! Two-dimensional convolution of blocked maps, with everything that follows it in a network in its last write.

mod direct;
mod filtered;
mod method;
mod problem;

pub use self::problem::{BlockedConv, Epilogue};
use super::BLOCK;
use crate::kernel::cpu::tasks::each;
use crate::kernel::element::Element;

/// Packs a weight `[O, C, K, K]` as [`run`] reads it: `[blocks of outputs, blocks of inputs, K, K, 16 inputs, 16
/// outputs]`, or, for minimal filtering, `[blocks of outputs, points, blocks of inputs, 16 inputs, 16 outputs]`, with
/// zeros where there is no channel.
///
/// # Panics
///
/// If a length does not fit the sizes, or if there is a tile for a window other than 3x3 with stride one.
pub fn pack_weight<E: Element>(conv: &BlockedConv, weight: &[E], packed: &mut [E]) {
    let (inputs, outputs, taps) = (conv.input.channels, conv.output.channels, conv.taps());
    conv.check_tile();
    assert_eq!(weight.len(), outputs * inputs * taps, "length of the weight");
    assert_eq!(packed.len(), conv.weight_len(), "length of the packed weight");
    each(packed.chunks_mut(conv.block_len().max(1)).enumerate(), |(block, packed)| {
        if let Some(tile) = conv.tile {
            return filtered::pack(tile, conv, weight, block, packed);
        }
        packed.fill(E::zero());
        let first = block * BLOCK;
        for (index, packed) in packed.chunks_exact_mut(BLOCK).enumerate() {
            let (step, lane) = (index / BLOCK, index % BLOCK);
            let (input, tap) = (step / taps * BLOCK + lane, step % taps);
            if input < inputs {
                let from = (first * inputs + input) * taps + tap;
                let values = weight[from..].iter().step_by(inputs * taps);
                packed.iter_mut().zip(values).for_each(|(to, &value)| *to = value);
            }
        }
    });
}

/// `y = finish(conv(x, weight) + bias + residual)`, with zeros in the halo of `y`.
///
/// `weight` is as [`pack_weight`] writes it.
///
/// # Panics
///
/// As [`pack_weight`], and if the padding is wider than the halo of the input.
pub fn run<E: Element>(conv: &BlockedConv, x: &[E], weight: &[E], epilogue: Epilogue<'_, E>, y: &mut [E]) {
    let BlockedConv { input, output, .. } = *conv;
    conv.check_tile();
    assert!(conv.padding.iter().all(|padding| *padding <= input.halo), "padding beyond the halo");
    assert_eq!(x.len(), input.len(), "length of x");
    assert_eq!(y.len(), output.len(), "length of y");
    assert_eq!(weight.len(), conv.weight_len(), "length of the weight");
    assert_eq!(epilogue.bias.len(), output.blocks() * BLOCK, "length of the bias");
    if y.is_empty() {
        return;
    }
    match conv.tile {
        Some(tile) => filtered::run(tile, conv, x, weight, epilogue, y),
        None => direct::run(conv, x, weight, epilogue, y),
    }
}
