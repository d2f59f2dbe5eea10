//! The kernels of compiled networks.

use super::activations::Run;
use crate::kernel::Element;
use crate::kernel::cpu::blocked::conv2d::{self, BlockedConv, Epilogue, pack_weight};
use crate::kernel::cpu::blocked::convert::{Taps, from_planes, to_planes, unfold};
use crate::kernel::cpu::blocked::rows::{self, GlobalMean, Joined, Pool, Product, Reduction, Repeated, RowOperation};
use crate::kernel::cpu::blocked::rows::{Scaled, Sum};
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Source, Tile, linear};
use crate::kernel::cpu::testing::{bits, random};

/// Every kernel; the convolutions are one for each method.
pub fn kernels<E: Element>() -> Vec<(&'static str, Run)> {
    vec![
        ("blocked 1x1", || convolution::<E>([3, 70, 7, 5, 37], [1, 1, 0], None)),
        ("blocked 3x3, by tap", || convolution::<E>([2, 40, 9, 11, 50], [3, 1, 1], None)),
        ("blocked 3x3, F(2x2)", || convolution::<E>([3, 48, 9, 7, 40], [3, 1, 1], Some(Tile::Two))),
        ("blocked 3x3, F(4x4)", || convolution::<E>([3, 48, 9, 7, 40], [3, 1, 1], Some(Tile::Four))),
        ("blocked 3x3, stride 2", || convolution::<E>([2, 60, 17, 15, 30], [3, 2, 1], None)),
        ("blocked linear", linear::<E>),
        ("blocked rows", row_operations::<E>),
    ]
}

fn blocked<E: Element>(map: BlockedMap, seed: u64) -> Vec<E> {
    let mut y = vec![E::zero(); map.len()];
    from_planes(map, &random::<E>(seed, map.batch * map.channels * map.pixels()), &mut y);
    y
}

fn padded<E: Element>(map: BlockedMap, seed: u64) -> Vec<E> {
    let mut values = random::<E>(seed, map.channels);
    values.resize(map.blocks() * BLOCK, E::zero());
    values
}

/// A convolution to which a map is added.
fn convolution<E: Element>(
    [batch, inputs, height, width, outputs]: [usize; 5],
    [kernel, stride, padding]: [usize; 3],
    tile: Option<Tile>,
) -> Vec<u64> {
    let input = BlockedMap { batch, channels: inputs, height, width, halo: padding };
    let [height, width] = [height, width].map(|side| (side + 2 * padding - kernel) / stride + 1);
    let output = BlockedMap { batch, channels: outputs, height, width, halo: 1 };
    let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
    let conv = BlockedConv { input, output, kernel, stride, padding, tile };
    let mut weight = vec![E::zero(); conv.weight_len()];
    pack_weight(&conv, &random::<E>(2, outputs * inputs * kernel[0] * kernel[1]), &mut weight);
    let (bias, other) = (padded::<E>(output, 3), blocked::<E>(output, 4));
    let residual = Some(Source { map: output, values: &other });
    let mut y = vec![E::zero(); output.len()];
    let epilogue = Epilogue { bias: &bias, residual, finish: None };
    conv2d::run(&conv, &blocked(input, 1), &weight, epilogue, &mut y);
    bits(&y)
}

fn linear<E: Element>() -> Vec<u64> {
    let map = |channels| BlockedMap { batch: 70, channels, height: 1, width: 1, halo: 0 };
    let (input, output) = (map(75), map(50));
    let (kernel, stride, padding) = ([1; 2], [1; 2], [0; 2]);
    let conv = BlockedConv { input, output, kernel, stride, padding, tile: None };
    let mut weight = vec![E::zero(); conv.weight_len()];
    pack_weight(&conv, &random::<E>(2, 75 * 50), &mut weight);
    let mut y = vec![E::zero(); output.len()];
    linear::run([75, 50], &blocked(input, 1), &weight, &padded(output, 3), None, &mut y);
    bits(&y)
}

/// The operations that go row by row, and the taps of images.
fn row_operations<E: Element>() -> Vec<u64> {
    let map = BlockedMap { batch: 2, channels: 21, height: 9, width: 7, halo: 1 };
    let (x, other, gate) = (blocked::<E>(map, 1), blocked::<E>(map, 2), BlockedMap { height: 1, width: 1, ..map });
    let gates = blocked::<E>(gate, 3);
    let x = Source { map, values: &x };
    let (two, gated) = ([x, Source { map, values: &other }], [x, Source { map: gate, values: &gates }]);
    let (scale, shift) = (padded::<E>(map, 4), padded::<E>(map, 5));
    let smaller = BlockedMap { height: 5, width: 4, ..map };
    let mut all = Vec::new();
    all.extend(run(map, &Sum(&two)));
    all.extend(run(map, &Product(&gated)));
    all.extend(run(map, &Scaled { x, scale: &scale, shift: &shift }));
    for reduction in [Reduction::Max, Reduction::MaxWithZeros, Reduction::Mean] {
        all.extend(run(smaller, &Pool { x, reduction, kernel: 3, stride: 2, padding: 1 }));
    }
    all.extend(run(gate, &GlobalMean(x)));
    all.extend(run(BlockedMap { height: 18, width: 14, ..map }, &Repeated { x, factor: 2 }));
    all.extend(run(BlockedMap { channels: 45, ..smaller }, &Joined { sources: &two, before: 3, stride: 2 }));
    let taps = Taps { channels: 3, height: 9, width: 7, kernel: [1, 3], stride: [1, 2], padding: [0, 1] };
    let to = BlockedMap { channels: 9, width: 4, ..map };
    let mut y = vec![E::zero(); to.len()];
    unfold(&taps, to, &random::<E>(6, 2 * 3 * 9 * 7), &mut y);
    let mut planes = vec![E::zero(); 2 * 9 * 9 * 4];
    to_planes(to, &y, &mut planes);
    all.extend(bits(&planes));
    all
}

fn run<E: Element>(map: BlockedMap, operation: &impl RowOperation<E>) -> Vec<u64> {
    let mut y = vec![E::zero(); map.len()];
    rows::run(map, operation, None, &mut y);
    bits(&y)
}
