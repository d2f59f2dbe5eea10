//! The blocked kernels against plain loops in `f64`, at every instruction set.

use super::conv2d::{BlockedConv, Epilogue, pack_weight};
use super::convert::{Taps, from_planes, to_planes, unfold};
use super::rows::{GlobalMean, Joined, Pool, Product, Reduction, Repeated, RowOperation, Scaled, Sum};
use super::{BLOCK, BlockedMap, Finish, Source, Tile, conv2d, linear, rows};
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::tasks::alone;
use crate::kernel::cpu::testing::{bits, same_everywhere, with_level};
use crate::kernel::element::Element;

fn values<E: Element>(len: usize, seed: usize) -> Vec<E> {
    (0..len).map(|i| E::of(f64::from((((i * 7919 + seed * 104_729) % 2003) as f32) / 1001.0 - 1.0))).collect()
}

fn map(batch: usize, channels: usize, [height, width]: [usize; 2], halo: usize) -> BlockedMap {
    BlockedMap { batch, channels, height, width, halo }
}

fn blocked<E: Element>(map: BlockedMap, x: &[E]) -> Vec<E> {
    let mut y = vec![E::nan(); map.len()];
    from_planes(map, x, &mut y);
    y
}

fn planes<E: Element>(map: BlockedMap, x: &[E]) -> Vec<E> {
    let mut y = vec![E::nan(); map.batch * map.channels * map.pixels()];
    to_planes(map, x, &mut y);
    y
}

/// Checks that there are zeros wherever a map has no pixel or no channel.
fn assert_clear<E: Element>(map: BlockedMap, x: &[E]) {
    let again = blocked(map, &planes(map, x));
    assert!(bits(x) == bits(&again), "{map:?}: {x:?}");
}

/// Doubles and adds one, so that zeros would not stay zeros.
struct Affine;

impl<E: Element> Finish<E> for Affine {
    fn finish(&self, _: usize, rows: &mut [E]) {
        rows.iter_mut().for_each(|value| *value = *value + *value + E::one());
    }
}

fn convolved(conv: &BlockedConv, x: &[f64], w: &[f64], bias: &[f64]) -> Vec<f64> {
    let BlockedConv { input, output, kernel, stride, padding, .. } = *conv;
    let mut y = Vec::new();
    for n in 0..output.batch {
        for (o, bias) in bias.iter().enumerate().take(output.channels) {
            for i in 0..output.height {
                for j in 0..output.width {
                    let mut sum = *bias;
                    for c in 0..input.channels {
                        for u in 0..kernel[0] {
                            for v in 0..kernel[1] {
                                let (row, col) = (i * stride[0] + u, j * stride[1] + v);
                                let row = row.checked_sub(padding[0]).filter(|&row| row < input.height);
                                let col = col.checked_sub(padding[1]).filter(|&col| col < input.width);
                                if let (Some(row), Some(col)) = (row, col) {
                                    let x = x[((n * input.channels + c) * input.height + row) * input.width + col];
                                    sum += w[((o * input.channels + c) * kernel[0] + u) * kernel[1] + v] * x;
                                }
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}

/// Sizes with one channel, several blocks, odd sizes, halos wider than the padding, and every number of pixels in a
/// tile.
fn convolutions() -> Vec<BlockedConv> {
    let mut all = Vec::new();
    for (batch, inputs, outputs, size, kernel, stride, padding, halos) in [
        (1, 1, 1, [1, 1], 1, 1, 0, [0, 0]),
        (2, 16, 32, [4, 7], 1, 1, 0, [0, 1]),
        (1, 20, 17, [5, 3], 3, 1, 1, [1, 0]),
        (2, 33, 48, [7, 7], 3, 2, 1, [2, 1]),
        (3, 3, 8, [9, 6], 7, 2, 3, [3, 2]),
        (1, 40, 80, [6, 13], 5, 1, 2, [2, 0]),
        (1, 64, 96, [14, 14], 1, 2, 0, [1, 0]),
        (0, 16, 16, [3, 3], 1, 1, 0, [0, 0]),
    ] {
        let out = size.map(|side: usize| (side + 2 * padding - kernel) / stride + 1);
        let input = map(batch, inputs, size, halos[0]);
        let output = map(batch, outputs, out, halos[1]);
        let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
        all.push(BlockedConv { input, output, kernel, stride, padding, tile: None });
    }
    for width in 1..32 {
        let input = map(1, 16, [1, width], 0);
        let output = BlockedMap { channels: 33, ..input };
        let (kernel, stride, padding) = ([1; 2], [1; 2], [0; 2]);
        all.push(BlockedConv { input, output, kernel, stride, padding, tile: None });
    }
    // By minimal filtering: tiles that hang over an edge or are cut off by it, blocks of some rows, of several images
    // and of a part of the channels, with and without padding, halos wider than it, and more blocks than threads.
    for (batch, inputs, outputs, size, padding, halos) in [
        (1, 1, 1, [1, 1], 1, [1, 0]),
        (2, 20, 17, [4, 4], 1, [1, 1]),
        (3, 16, 33, [7, 6], 1, [2, 2]),
        (1, 48, 40, [5, 9], 0, [0, 1]),
        (1, 33, 16, [14, 14], 1, [1, 0]),
        (25, 16, 20, [6, 5], 1, [1, 1]),
        (1, 40, 16, [61, 60], 1, [1, 1]),
        (1, 16, 16, [1, 200], 1, [1, 1]),
        (1, 17, 5, [3, 4], 2, [2, 0]),
        (0, 16, 16, [4, 4], 1, [1, 1]),
    ] {
        let input = map(batch, inputs, size, halos[0]);
        let output = map(batch, outputs, size.map(|side: usize| side + 2 * padding - 2), halos[1]);
        let (kernel, stride, padding) = ([3; 2], [1; 2], [padding; 2]);
        for tile in [Tile::Two, Tile::Four] {
            all.push(BlockedConv { input, output, kernel, stride, padding, tile: Some(tile) });
        }
    }
    all
}

fn run_convolution<E: Element>(conv: &BlockedConv, finish: Option<&dyn Finish<E>>, with_residual: bool) -> Vec<E> {
    let BlockedConv { input, output, .. } = *conv;
    let x = blocked(input, &values::<E>(input.batch * input.channels * input.pixels(), 1));
    let w = values::<E>(output.channels * input.channels * conv.kernel.iter().product::<usize>(), 2);
    let mut packed = vec![E::nan(); conv.weight_len()];
    pack_weight(conv, &w, &mut packed);
    let mut bias = values::<E>(output.channels, 3);
    bias.resize(output.blocks() * BLOCK, E::zero());
    let residual = BlockedMap { halo: 3 - output.halo, ..output };
    let other = blocked(residual, &values::<E>(output.batch * output.channels * output.pixels(), 4));
    let residual = with_residual.then_some(Source { map: residual, values: &other });
    let mut y = vec![E::nan(); output.len()];
    conv2d::run(conv, &x, &packed, Epilogue { bias: &bias, residual, finish }, &mut y);
    assert_clear(output, &y);
    y
}

/// Runs a check at every instruction set.
fn at_every_level(check: impl Fn() + Sync) {
    Level::available().into_iter().for_each(|level| with_level(level, 2, &check));
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], what: &dyn std::fmt::Debug) {
    assert_eq!(found.len(), expected.len(), "{what:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{what:?}: {found} {expected}");
    }
}

#[test]
fn convolutions_are_those_of_plain_loops_with_residual_and_finish() {
    at_every_level(|| {
        for conv in convolutions() {
            let BlockedConv { input, output, .. } = conv;
            let x = values::<f64>(input.batch * input.channels * input.pixels(), 1);
            let w = values::<f64>(output.channels * input.channels * conv.kernel.iter().product::<usize>(), 2);
            let other = values::<f64>(output.batch * output.channels * output.pixels(), 4);
            let plain = convolved(&conv, &x, &w, &values::<f64>(output.channels, 3));
            let with_other: Vec<f64> = plain.iter().zip(&other).map(|(sum, other)| sum + other).collect();
            let finished: Vec<f64> = with_other.iter().map(|sum| 2.0 * sum + 1.0).collect();
            for (finish, with_residual, expected) in
                [(None, false, &plain), (None, true, &with_other), (Some(&Affine as &dyn Finish<f64>), true, &finished)]
            {
                let found = planes(output, &run_convolution::<f64>(&conv, finish, with_residual));
                assert_close(&found, expected, &conv);
            }
        }
    });
}

#[test]
fn convolutions_have_the_same_bits_everywhere_and_whatever_the_batch() {
    for conv in convolutions() {
        same_everywhere(conv, || bits(&run_convolution::<f32>(&conv, None, true)));
    }
    for conv in convolutions().into_iter().filter(|conv| conv.input.batch > 0) {
        let all = run_convolution::<f32>(&conv, None, false);
        let one = BlockedConv {
            input: BlockedMap { batch: 1, ..conv.input },
            output: BlockedMap { batch: 1, ..conv.output },
            ..conv
        };
        assert_eq!(bits(&all[..conv.output.image()]), bits(&run_convolution::<f32>(&one, None, false)), "{conv:?}");
        let alone = alone(|| run_convolution::<f32>(&conv, None, false));
        assert_eq!(bits(&all), bits(&alone), "{conv:?}");
    }
}

fn run_rows(to: BlockedMap, operation: &impl RowOperation<f64>) -> Vec<f64> {
    let mut y = vec![f64::NAN; to.len()];
    rows::run(to, operation, None, &mut y);
    assert_clear(to, &y);
    planes(to, &y)
}

/// Images in planes, with their sizes.
struct Plain {
    map: BlockedMap,
    values: Vec<f64>,
}

impl Plain {
    fn new(map: BlockedMap, seed: usize) -> Self {
        Self { map, values: values(map.batch * map.channels * map.pixels(), seed) }
    }

    fn get(&self, [n, c, i, j]: [usize; 4]) -> f64 {
        let BlockedMap { channels, height, width, .. } = self.map;
        self.values[((n * channels + c) * height + i) * width + j]
    }

    fn blocked(&self) -> Vec<f64> {
        blocked(self.map, &self.values)
    }
}

/// The images that a formula of image, channel, row and column gives.
fn table(to: BlockedMap, formula: impl Fn([usize; 4]) -> f64) -> Vec<f64> {
    let mut all = Vec::new();
    for n in 0..to.batch {
        for c in 0..to.channels {
            for i in 0..to.height {
                all.extend((0..to.width).map(|j| formula([n, c, i, j])));
            }
        }
    }
    all
}

#[test]
fn sums_products_and_scaled_maps_are_those_of_their_formulas() {
    at_every_level(|| {
        for (batch, channels, size) in [(1, 1, [1, 1]), (2, 20, [3, 5]), (1, 48, [6, 2]), (0, 3, [2, 2])] {
            let maps = [0, 1, 2].map(|halo| map(batch, channels, size, halo));
            let gate = map(batch, channels, [1, 1], 0);
            let plain = [0, 1, 2].map(|at| Plain::new(maps[at], at));
            let gate = Plain::new(gate, 5);
            let all = plain.each_ref().map(Plain::blocked);
            let sources = [0, 1, 2].map(|at| Source { map: maps[at], values: &all[at] });
            let to = map(batch, channels, size, 1);
            let of =
                |f: fn(f64, f64, f64) -> f64| table(to, |at| f(plain[0].get(at), plain[1].get(at), plain[2].get(at)));
            assert_close(&run_rows(to, &Sum(&sources)), &of(|a, b, c| a + b + c), &"sum");
            assert_close(&run_rows(to, &Product(&sources)), &of(|a, b, c| a * b * c), &"product");
            assert_close(&run_rows(to, &Sum(&sources[..1])), &of(|a, _, _| a), &"copy");
            let values = gate.blocked();
            let gated = [sources[0], Source { map: gate.map, values: &values }];
            let expected = table(to, |at @ [n, c, ..]| plain[0].get(at) * gate.get([n, c, 0, 0]));
            assert_close(&run_rows(to, &Product(&gated)), &expected, &"gate");
            let [scale, shift] = [7, 8].map(|seed| values_of_channels(to, seed));
            let scaled = Scaled { x: sources[2], scale: &scale, shift: &shift };
            let expected = table(to, |at @ [_, c, ..]| plain[2].get(at) * scale[c] + shift[c]);
            assert_close(&run_rows(to, &scaled), &expected, &"scaled");
        }
    });
}

/// A value for each channel, with zeros behind the last.
fn values_of_channels(map: BlockedMap, seed: usize) -> Vec<f64> {
    let mut all = values::<f64>(map.channels, seed);
    all.resize(map.blocks() * BLOCK, 0.0);
    all
}

#[test]
fn pools_and_means_are_those_of_plain_loops() {
    at_every_level(|| {
        for (size, kernel, stride, padding) in
            [([6, 6], 2, 2, 0), ([7, 5], 3, 2, 1), ([3, 4], 3, 1, 1), ([5, 9], 3, 3, 0), ([1, 1], 1, 1, 0)]
        {
            let from = map(2, 21, size, 1);
            let out = size.map(|side| (side + 2 * padding - kernel) / stride + 1);
            let to = map(2, 21, out, 1);
            let plain = Plain::new(from, 1);
            let x = plain.blocked();
            let x = Source { map: from, values: &x };
            for reduction in [Reduction::Max, Reduction::MaxWithZeros, Reduction::Mean] {
                let expected = table(to, |[n, c, i, j]| {
                    let mut window = Vec::new();
                    for u in 0..kernel {
                        for v in 0..kernel {
                            let row = (i * stride + u).checked_sub(padding).filter(|&row| row < size[0]);
                            let col = (j * stride + v).checked_sub(padding).filter(|&col| col < size[1]);
                            window.push(row.zip(col).map(|(row, col)| plain.get([n, c, row, col])));
                        }
                    }
                    match reduction {
                        Reduction::Max => window.into_iter().flatten().fold(f64::NEG_INFINITY, f64::max),
                        Reduction::MaxWithZeros => {
                            window.into_iter().map(Option::unwrap_or_default).fold(f64::NEG_INFINITY, f64::max)
                        }
                        Reduction::Mean => window.into_iter().flatten().sum::<f64>() / (kernel * kernel) as f64,
                    }
                });
                let pool = Pool { x, reduction, kernel, stride, padding };
                assert_close(&run_rows(to, &pool), &expected, &(reduction, size, kernel));
            }
            let one = map(2, 21, [1, 1], 0);
            let mean = table(one, |[n, c, ..]| {
                let all = (0..size[0]).flat_map(|i| (0..size[1]).map(move |j| [n, c, i, j]));
                all.map(|at| plain.get(at)).sum::<f64>() / from.pixels() as f64
            });
            assert_close(&run_rows(one, &GlobalMean(x)), &mean, &"global mean");
        }
    });
}

#[test]
fn a_pool_hands_a_nan_on_and_leaves_padding_out() {
    let from = map(1, 1, [2, 2], 1);
    let x = blocked(from, &[f64::NAN, -1.0, -2.0, -3.0]);
    let pool = |reduction, padding, kernel| {
        let x = Source { map: from, values: &x };
        let side = 2 + 2 * padding - kernel + 1;
        run_rows(map(1, 1, [side, side], 0), &Pool { x, reduction, kernel, stride: 1, padding })
    };
    let whole = pool(Reduction::Max, 0, 1);
    assert!(whole[0].is_nan() && whole[1..] == [-1.0, -2.0, -3.0]);
    let padded = pool(Reduction::Max, 1, 2);
    assert!(padded[0].is_nan() && padded[4].is_nan() && padded[8] == -3.0);
    assert_eq!(pool(Reduction::MaxWithZeros, 1, 2)[8], 0.0);
}

#[test]
fn channels_are_joined_taken_and_repeated_wherever_their_blocks_begin() {
    at_every_level(|| {
        for channels in [[16, 32, 5], [3, 16, 20], [1, 1, 1], [16, 7, 16]] {
            let maps = channels.map(|channels| map(2, channels, [4, 5], 1));
            let plain = [0, 1, 2].map(|at| Plain::new(maps[at], at));
            let all = plain.each_ref().map(Plain::blocked);
            let sources = [0, 1, 2].map(|at| Source { map: maps[at], values: &all[at] });
            for (before, after, stride) in [(0, 0, 1), (8, 8, 2), (16, 16, 1), (3, 1, 3)] {
                let size = [4, 5].map(|side: usize| (side - 1) / stride + 1);
                let to = map(2, before + channels.iter().sum::<usize>() + after, size, 2);
                let expected = table(to, |[n, c, i, j]| {
                    let Some(mut c) = c.checked_sub(before) else { return 0.0 };
                    for plain in &plain {
                        if c < plain.map.channels {
                            return plain.get([n, c, i * stride, j * stride]);
                        }
                        c -= plain.map.channels;
                    }
                    0.0
                });
                let joined = Joined { sources: &sources, before, stride };
                assert_close(&run_rows(to, &joined), &expected, &(channels, before, stride));
            }
            let to = BlockedMap { height: 8, width: 10, ..maps[2] };
            let expected = table(to, |[n, c, i, j]| plain[2].get([n, c, i / 2, j / 2]));
            assert_close(&run_rows(to, &Repeated { x: sources[2], factor: 2 }), &expected, &"repeated");
        }
    });
}

#[test]
fn linear_layers_are_those_of_plain_loops_and_have_the_same_bits_everywhere() {
    for (batch, inputs, outputs) in [(1, 1, 1), (3, 20, 33), (70, 48, 10), (1, 600, 1000), (0, 4, 4), (29, 16, 70)] {
        fn run<E: Element>(batch: usize, inputs: usize, outputs: usize) -> Vec<E> {
            let (from, to) = (map(batch, inputs, [1, 1], 0), map(batch, outputs, [1, 1], 0));
            let (kernel, stride, padding) = ([1; 2], [1; 2], [0; 2]);
            let conv = BlockedConv { input: from, output: to, kernel, stride, padding, tile: None };
            let mut packed = vec![E::nan(); conv.weight_len()];
            pack_weight(&conv, &values::<E>(inputs * outputs, 2), &mut packed);
            let mut bias = values::<E>(outputs, 3);
            bias.resize(to.blocks() * BLOCK, E::zero());
            let x = blocked(from, &values::<E>(batch * inputs, 1));
            let mut y = vec![E::nan(); to.len()];
            linear::run([inputs, outputs], &x, &packed, &bias, Some(&Affine), &mut y);
            assert_clear(to, &y);
            planes(to, &y)
        }
        let (x, w, bias) =
            (values::<f64>(batch * inputs, 1), values::<f64>(inputs * outputs, 2), values::<f64>(outputs, 3));
        let expected: Vec<f64> = (0..batch * outputs)
            .map(|at| {
                let (n, o) = (at / outputs, at % outputs);
                2.0 * (bias[o] + (0..inputs).map(|i| x[n * inputs + i] * w[o * inputs + i]).sum::<f64>()) + 1.0
            })
            .collect();
        at_every_level(|| assert_close(&run::<f64>(batch, inputs, outputs), &expected, &(batch, inputs, outputs)));
        same_everywhere((batch, inputs, outputs), || bits(&run::<f32>(batch, inputs, outputs)));
    }
}

#[test]
fn taps_of_windows_become_channels() {
    for (kernel, stride, padding) in [([3, 3], [1, 1], [1, 1]), ([1, 7], [1, 2], [0, 3]), ([2, 5], [3, 1], [0, 4])] {
        let (batch, channels, height, width) = (2, 3, 6, 9);
        let out = |side: usize, axis: usize| (side + 2 * padding[axis] - kernel[axis]) / stride[axis] + 1;
        let to = map(batch, channels * kernel[0] * kernel[1], [out(height, 0), out(width, 1)], 1);
        let plain = Plain::new(map(batch, channels, [height, width], 0), 1);
        let mut y = vec![f64::NAN; to.len()];
        unfold(&Taps { channels, height, width, kernel, stride, padding }, to, &plain.values, &mut y);
        assert_clear(to, &y);
        let expected = table(to, |[n, channel, i, j]| {
            let (tap, c) = (channel / channels, channel % channels);
            let row = (i * stride[0] + tap / kernel[1]).checked_sub(padding[0]).filter(|&row| row < height);
            let col = (j * stride[1] + tap % kernel[1]).checked_sub(padding[1]).filter(|&col| col < width);
            row.zip(col).map_or(0.0, |(row, col)| plain.get([n, c, row, col]))
        });
        assert_eq!(planes(to, &y), expected);
    }
}
