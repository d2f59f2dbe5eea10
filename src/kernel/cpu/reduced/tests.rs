use super::recipe::{add_block, flush, multiply_add};
use super::round::{Part, rest, round, terms, widen};
use super::sizes::*;
use super::tiles::multiply;
use super::*;
use crate::kernel::cpu::conv2d;
use crate::kernel::cpu::simd::Portable;
use crate::kernel::cpu::testing::{bits, narrow, random, relative_l2, same_everywhere, wide};

type Plain = Portable<false>;

/// Numbers whose magnitudes are spread over some powers of two.
fn spread(seed: u64, len: usize, powers: std::ops::Range<i32>) -> Vec<f32> {
    let exponents = random::<f64>(seed + 1, len);
    let range = f64::from(powers.end - powers.start);
    random::<f32>(seed, len)
        .into_iter()
        .zip(exponents)
        .map(|(x, e)| (f64::from(x) * 2.0_f64.powi(powers.start + ((e + 1.0) / 2.0 * range) as i32)) as f32)
        .collect()
}

#[test]
fn rounding_is_to_the_nearest_of_eight_bits_ties_to_even() {
    for (x, expected) in [
        (1.0, 1.0),
        (1.0 + 1.0 / 256.0, 1.0),
        (1.0 + 3.0 / 256.0, 1.0 + 4.0 / 256.0),
        (-(1.0 + 1.0 / 256.0 + f32::EPSILON), -(1.0 + 2.0 / 256.0)),
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
        (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
        (f32::MIN_POSITIVE.next_down(), 0.0),
    ] {
        assert_eq!(widen(round(x)).to_bits(), f32::to_bits(expected), "{x:e}");
    }
    assert_eq!(round(-f32::MIN_POSITIVE.next_down()), 0x8000);
    for nan in [f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffff_ffff)] {
        assert!(widen(round(nan)).is_nan());
    }
    for x in spread(1, 5000, -20..20) {
        let near = f64::from(widen(round(x)));
        let unit = 2.0_f64.powi(f64::from(x).abs().log2().floor() as i32 - 7);
        assert!((near - f64::from(x)).abs() <= unit / 2.0, "{x:e} {near:e}");
        let left = f64::from(x) - near - f64::from(widen(rest(x, round(x))));
        assert!(left.abs() <= unit / 512.0, "{x:e}: {left:e} left");
    }
    for x in [f32::INFINITY, f32::MAX, f32::NAN] {
        assert_eq!(rest(x, round(x)), 0, "{x:e}");
    }
}

#[test]
fn a_result_is_tiny_by_its_size_before_the_exponent_is_bounded() {
    let (least, half) = (f32::MIN_POSITIVE, 2.0_f32.powi(-63));
    // 2^-126 (1 - 2^-24): of 24 bits, and less than the smallest normal number.
    let below = -(2.0_f32.powi(-75));
    assert_eq!(multiply_add::<Plain>(half, half, 0.0), least);
    assert_eq!(multiply_add::<Plain>(below, half * 2.0_f32.powi(-12), least).to_bits(), 0);
    // 2^-126 (1 - 2^-25): halfway to it, rounded up; anything less is rounded down.
    assert_eq!(multiply_add::<Plain>(below, half * 2.0_f32.powi(-13), least), least);
    let more = 1.0 + 1.0 / 128.0;
    assert_eq!(multiply_add::<Plain>(below * more, half * 2.0_f32.powi(-13), least).to_bits(), 0);
    assert_eq!(multiply_add::<Plain>(-below * more, half * 2.0_f32.powi(-13), -least).to_bits(), 1 << 31);
    assert_eq!(multiply_add::<Plain>(half, half / 2.0, 0.0).to_bits(), 0);
    assert_eq!(multiply_add::<Plain>(-half, half / 2.0, 0.0).to_bits(), 1 << 31);
    assert!(multiply_add::<Plain>(f32::NAN, 1.0, 0.0).is_nan());
    assert_eq!(flush(-f32::MIN_POSITIVE.next_down()).to_bits(), 1 << 31);
}

/// The definition of a block, of factors that are numbers of bf16 already, in `f64` where that is exact enough.
#[test]
fn a_block_is_two_chains_over_even_and_odd_terms() {
    let a: Vec<f32> = random::<f32>(3, BLOCK).into_iter().map(|x| widen(round(x))).collect();
    let b: Vec<f32> = random::<f32>(4, BLOCK).into_iter().map(|x| widen(round(x))).collect();
    let chain = |first: usize| {
        (first..BLOCK).step_by(2).fold(0.0_f32, |sum, k| {
            // A product of two is exact in `f64`, and so is its sum with an `f32` of such a size.
            (f64::from(a[k]) * f64::from(b[k]) + f64::from(sum)) as f32
        })
    };
    let expected = 0.25 + (chain(0) + chain(1));
    let rows: [u16; BLOCK] = std::array::from_fn(|k| round(a[k]));
    let pair = |k: usize| u32::from(round(b[2 * k])) | u32::from(round(b[2 * k + 1])) << 16;
    assert_eq!(add_block::<Plain>(&rows, pair, 0.25).to_bits(), expected.to_bits());
}

/// Factors whose products are denormal, in sums that are near the smallest normal number, too.
#[test]
fn tiles_have_the_same_bits_at_every_level() {
    for (case, powers) in [(0, -2..2), (1, -66..-60), (2, -64..-62), (3, -126..126), (4, -80..0)] {
        for (blocks, panels) in [(1, 1), (3, 2), (19, 3)] {
            let seed = 10 * case + blocks as u64;
            let a: Vec<u16> = spread(seed, blocks * ROWS, powers.clone()).into_iter().map(round).collect();
            let halves = spread(seed + 5, 2 * panels * blocks * COLUMNS, powers.clone());
            let b: Vec<u32> =
                halves.as_chunks().0.iter().map(|&[e, o]| u32::from(round(e)) | u32::from(round(o)) << 16).collect();
            let c = spread(seed + 7, panels * TILE, 2 * powers.start..(2 * powers.end).min(120));
            let c: Vec<f32> = c.into_iter().map(flush).collect();
            let sums = same_everywhere((case, blocks, panels), || {
                let mut c = c.clone();
                multiply(Level::current(), &a, &b, &mut c);
                c.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect::<Vec<_>>()
            });
            assert!(sums.iter().any(|bits| f32::from_bits(*bits) != 0.0));
        }
    }
}

const PRECISIONS: [Precision; 2] = [Precision::Bf16, Precision::Bf16x3];

/// Sums of terms in an order, as the definition has them: 32 at a time, in the parts of a precision.
fn sum(precision: Precision, terms_of_sum: &[(f32, f32)]) -> f32 {
    let mut sum = 0.0;
    for block in terms_of_sum.chunks(BLOCK) {
        let factor = |k: usize, which: usize| block.get(k).map_or(0.0, |term| [term.0, term.1][which]);
        for [left, right] in terms(precision) {
            let a: [u16; BLOCK] = std::array::from_fn(|k| left.of(factor(k, 0)));
            let b = |k: usize| u32::from(right.of(factor(2 * k, 1))) | u32::from(right.of(factor(2 * k + 1, 1))) << 16;
            sum = add_block::<Plain>(&a, b, sum);
        }
    }
    sum
}

/// Terms in the order of taps and channels, with the zeros that fill up a tap.
fn ordered(channels: usize, taps: &[Vec<(f32, f32)>]) -> Vec<(f32, f32)> {
    let mut all = Vec::new();
    for tap in taps {
        all.extend(tap);
        if channels >= BLOCK {
            all.resize(all.len().next_multiple_of(BLOCK), (0.0, 0.0));
        }
    }
    all
}

/// The three products by the definition, element by element.
struct Reference<'a> {
    precision: Precision,
    shape: &'a ConvShape,
    x: &'a [f32],
    weight: &'a [f32],
    grad_output: &'a [f32],
}

impl Reference<'_> {
    fn x(&self, [n, c, i, j]: [usize; 4], [u, v]: [usize; 2]) -> f32 {
        let ConvShape { in_channels, in_height, in_width, stride, padding, .. } = *self.shape;
        let (row, col) = ((i * stride + u).wrapping_sub(padding), (j * stride + v).wrapping_sub(padding));
        if row < in_height && col < in_width {
            self.x[((n * in_channels + c) * in_height + row) * in_width + col]
        } else {
            0.0
        }
    }
    fn w(&self, o: usize, c: usize, [u, v]: [usize; 2]) -> f32 {
        let ConvShape { in_channels, kernel, .. } = *self.shape;
        self.weight[((o * in_channels + c) * kernel + u) * kernel + v]
    }
    fn dy(&self, n: usize, o: usize, i: usize, j: usize) -> f32 {
        let [height, width] = [self.shape.out_height(), self.shape.out_width()];
        self.grad_output[((n * self.shape.out_channels + o) * height + i) * width + j]
    }
    fn taps(&self) -> impl Iterator<Item = [usize; 2]> {
        let kernel = self.shape.kernel;
        (0..kernel * kernel).map(move |tap| [tap / kernel, tap % kernel])
    }

    fn forward(&self, bias: &[f32]) -> Vec<f32> {
        let (s, mut y) = (self.shape, Vec::new());
        for (n, o) in pairs(s.batch, s.out_channels) {
            for (i, j) in pairs(s.out_height(), s.out_width()) {
                let tap = |tap: [usize; 2]| {
                    (0..s.in_channels).map(|c| (self.w(o, c, tap), self.x([n, c, i, j], tap))).collect()
                };
                let taps: Vec<Vec<_>> = self.taps().map(tap).collect();
                y.push(sum(self.precision, &ordered(s.in_channels, &taps)) + bias[o]);
            }
        }
        y
    }
    fn backward_input(&self) -> Vec<f32> {
        let (s, mut grad_x) = (self.shape, Vec::new());
        for (n, c) in pairs(s.batch, s.in_channels) {
            for (row, col) in pairs(s.in_height, s.in_width) {
                let mut taps = Vec::new();
                for [u, v] in self.taps() {
                    let (down, right) = (row + s.padding + s.stride * u, col + s.padding + s.stride * v);
                    if (down - u) % s.stride != 0 || (right - v) % s.stride != 0 {
                        continue;
                    }
                    let place = |at: usize, tap: usize, len: usize| {
                        (at + s.padding).checked_sub(tap).map(|at| at / s.stride).filter(|at| *at < len)
                    };
                    let (i, j) = (place(row, u, s.out_height()), place(col, v, s.out_width()));
                    let dy = |o| match (i, j) {
                        (Some(i), Some(j)) => self.dy(n, o, i, j),
                        _ => 0.0,
                    };
                    taps.push((0..s.out_channels).map(|o| (self.w(o, c, [u, v]), dy(o))).collect());
                }
                grad_x.push(sum(self.precision, &ordered(s.out_channels, &taps)) + 0.0);
            }
        }
        grad_x
    }
    fn backward_weight(&self) -> Vec<f32> {
        let (s, mut grad_weight) = (self.shape, Vec::new());
        for (o, c) in pairs(s.out_channels, s.in_channels) {
            for tap in self.taps() {
                let mut all = Vec::new();
                for n in 0..s.batch {
                    let places = pairs(s.out_height(), s.out_width());
                    all.extend(places.map(|(i, j)| (self.dy(n, o, i, j), self.x([n, c, i, j], tap))));
                }
                grad_weight.push(all.chunks(2048).fold(0.0, |total, stretch| total + sum(self.precision, stretch)));
            }
        }
        grad_weight
    }
}

fn pairs(first: usize, second: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..first).flat_map(move |a| (0..second).map(move |b| (a, b)))
}

fn shape([batch, in_channels, in_height, in_width, out_channels]: [usize; 5], window: [usize; 3]) -> ConvShape {
    let [kernel, stride, padding] = window;
    ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel, stride, padding }
}

/// Few channels and many, all strides, small images in one panel, bands of rows, one channel and one pixel.
fn shapes() -> Vec<ConvShape> {
    vec![
        shape([1, 1, 1, 1, 1], [1, 1, 0]),
        shape([2, 3, 9, 7, 5], [3, 1, 1]),
        shape([3, 40, 5, 4, 17], [3, 1, 1]),
        shape([2, 32, 6, 6, 33], [1, 1, 0]),
        shape([2, 5, 11, 8, 20], [3, 2, 1]),
        shape([1, 33, 9, 9, 18], [1, 2, 0]),
        shape([2, 3, 15, 13, 4], [7, 2, 3]),
        shape([1, 16, 33, 20, 16], [3, 1, 1]),
        shape([2, 4, 5, 5, 3], [5, 1, 0]),
        shape([2, 2, 2, 2, 3], [3, 1, 1]),
        shape([1, 3, 7, 7, 2], [2, 3, 2]),
        shape([1, 2, 10, 1, 2], [1, 3, 0]),
        shape([5, 2, 25, 20, 3], [3, 1, 1]),
        shape([19, 4, 1, 1, 17], [3, 1, 1]),
        shape([2, 3, 1, 1, 4], [3, 1, 2]),
        shape([20, 3, 3, 3, 5], [3, 1, 0]),
        shape([2, 3, 4, 4, 2], [3, 1, 4]),
        shape([2, 2, 3, 150, 3], [3, 1, 1]),
        shape([1, 40, 4, 4, 3], [5, 2, 2]),
        ConvShape::of_linear([40, 1, 1]),
        ConvShape::of_linear([19, 70, 12]),
        ConvShape::of_linear([1, 31, 40]),
    ]
}

#[test]
fn products_are_those_of_the_definition_at_every_level() {
    for shape in &shapes() {
        let (x, weight) = (random(1, shape.input_len()), random(2, shape.weight_len()));
        let (grad_output, bias) = (random(3, shape.output_len()), random(4, shape.out_channels));
        for precision in PRECISIONS {
            let reference = Reference { precision, shape, x: &x, weight: &weight, grad_output: &grad_output };
            let found = same_everywhere((shape, precision), || {
                let mut y = vec![f32::NAN; shape.output_len()];
                forward(precision, shape, &x, &weight, Some(&bias), &mut y);
                bits(&y)
            });
            assert_eq!(found, bits(&reference.forward(&bias)), "{shape:?} {precision}: y");
            let found = same_everywhere((shape, precision), || {
                let mut grad_x = vec![f32::NAN; shape.input_len()];
                backward_input(precision, shape, &weight, &grad_output, &mut grad_x, Write::Replace);
                bits(&grad_x)
            });
            assert_eq!(found, bits(&reference.backward_input()), "{shape:?} {precision}: grad_x");
            let found = same_everywhere((shape, precision), || {
                let mut grad_weight = vec![0.0; shape.weight_len()];
                backward_weight(precision, shape, &x, &grad_output, &mut grad_weight);
                bits(&grad_weight)
            });
            assert_eq!(found, bits(&reference.backward_weight()), "{shape:?} {precision}: grad_weight");
        }
    }
}

#[test]
fn gradients_are_added_to_what_is_there() {
    let shape = &shape([2, 5, 11, 8, 20], [3, 2, 1]);
    let (x, weight): (Vec<f32>, Vec<f32>) = (random(1, shape.input_len()), random(2, shape.weight_len()));
    let grad_output: Vec<f32> = random(3, shape.output_len());
    for precision in PRECISIONS {
        let there: Vec<f32> = random(4, shape.input_len());
        let (mut alone, mut added) = (there.clone(), there.clone());
        backward_input(precision, shape, &weight, &grad_output, &mut alone, Write::Replace);
        backward_input(precision, shape, &weight, &grad_output, &mut added, Write::Add);
        let expected: Vec<f32> = there.iter().zip(&alone).map(|(a, b)| a + b).collect();
        assert_eq!(bits(&added), bits(&expected));

        let there: Vec<f32> = random(5, shape.weight_len());
        let (mut alone, mut added) = (vec![0.0; there.len()], there.clone());
        backward_weight(precision, shape, &x, &grad_output, &mut alone);
        backward_weight(precision, shape, &x, &grad_output, &mut added);
        let expected: Vec<f32> = there.iter().zip(&alone).map(|(a, b)| a + b).collect();
        assert_eq!(bits(&added), bits(&expected));
    }
}

/// The errors of docs/precision.md, at the usual sizes of factors.
#[test]
fn errors_are_those_of_the_rounding_of_factors() {
    let shape = &shape([2, 64, 12, 12, 48], [3, 1, 1]);
    let x: Vec<f32> = random::<f32>(1, shape.input_len()).into_iter().map(|x| x.max(0.0)).collect();
    let (weight, grad_output) = (random(2, shape.weight_len()), random(3, shape.output_len()));
    let (mut y, mut grad_x, mut grad_weight) =
        (vec![0.0; shape.output_len()], vec![0.0; shape.input_len()], vec![0.0; shape.weight_len()]);
    let exact: (Vec<f64>, Vec<f64>, Vec<f64>) = (wide(&x), wide::<f32>(&weight), wide::<f32>(&grad_output));
    conv2d::forward(shape, &exact.0, &exact.1, None, &mut y);
    conv2d::backward_input(shape, &exact.1, &exact.2, &mut grad_x, Write::Replace);
    conv2d::backward_weight(shape, &exact.0, &exact.2, &mut grad_weight);
    for (precision, least, most) in [(Precision::Bf16, 1e-3, 4e-3), (Precision::Bf16x3, 1e-6, 7e-6)] {
        let mut found: (Vec<f32>, Vec<f32>, Vec<f32>) =
            (vec![0.0; y.len()], vec![0.0; grad_x.len()], vec![0.0; grad_weight.len()]);
        forward(precision, shape, &x, &weight, None, &mut found.0);
        backward_input(precision, shape, &weight, &grad_output, &mut found.1, Write::Replace);
        backward_weight(precision, shape, &x, &grad_output, &mut found.2);
        let errors = [relative_l2(&found.0, &y), relative_l2(&found.1, &grad_x), relative_l2(&found.2, &grad_weight)];
        for error in errors {
            assert!((least..most).contains(&error), "{precision}: {errors:?}");
        }
    }
}

#[test]
fn empty_sums_are_the_bias_and_empty_outputs_nothing() {
    for precision in PRECISIONS {
        let bias: Vec<f32> = narrow(&[0.5, -2.0]);
        let no_channels = &shape([2, 0, 3, 3, 2], [3, 1, 1]);
        let mut y = vec![f32::NAN; no_channels.output_len()];
        forward(precision, no_channels, &[], &[], Some(&bias), &mut y);
        assert!(y.as_chunks::<9>().0.iter().enumerate().all(|(plane, y)| *y == [bias[plane % 2]; 9]));
        let no_images = &shape([0, 2, 3, 3, 2], [3, 1, 1]);
        let weight = vec![1.0; no_images.weight_len()];
        forward(precision, no_images, &[], &weight, Some(&bias), &mut []);
        backward_input(precision, no_images, &weight, &[], &mut [], Write::Replace);
        let mut grad_weight = vec![0.25; weight.len()];
        backward_weight(precision, no_images, &[], &[], &mut grad_weight);
        assert!(grad_weight.iter().all(|grad| *grad == 0.25));
        // A window that does not fit has no outputs, and every pixel a gradient of zero.
        let no_outputs = &shape([1, 2, 2, 2, 2], [3, 1, 0]);
        let mut grad_x = vec![f32::NAN; no_outputs.input_len()];
        backward_input(precision, no_outputs, &weight, &[], &mut grad_x, Write::Replace);
        assert_eq!(grad_x, vec![0.0; grad_x.len()]);
    }
}

#[test]
fn nan_and_infinities_reach_what_reads_them() {
    let shape = &shape([1, 3, 5, 5, 2], [3, 1, 1]);
    let weight: Vec<f32> = random(2, shape.weight_len());
    for precision in PRECISIONS {
        for value in [f32::NAN, f32::INFINITY, f32::MAX] {
            let mut x = vec![1.0; shape.input_len()];
            x[0] = value;
            let mut y = vec![0.0; shape.output_len()];
            forward(precision, shape, &x, &weight, None, &mut y);
            for (index, y) in y.iter().enumerate() {
                let near = index % 25 / 5 < 2 && index % 5 < 2;
                assert_eq!(y.is_finite(), !near, "{precision} {value} {index}: {y}");
            }
        }
    }
}

#[test]
fn parts_add_up() {
    assert_eq!(Part::High.of(1.0 + 1.0 / 256.0), round(1.0));
    assert_eq!(widen(Part::Low.of(1.0 + 1.0 / 256.0)), 1.0 / 256.0);
}
