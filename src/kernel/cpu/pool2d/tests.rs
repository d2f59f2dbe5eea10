use super::average::{average_pool_at, average_pool_backward_at};
use super::global::{global_average_pool_at, global_average_pool_backward_at};
use super::max::{max_pool_at, max_pool_backward_at};
use super::*;
use crate::kernel::Element;
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::testing::{assert_close, bits, differences, dot, random, same_everywhere, wide};
use crate::kernel::shape::{MaxPadding, PoolShape};
use crate::kernel::write::Write;

/// `[batch, channels, height, width]`, then kernel, stride and padding.
fn shape(
    [batch, channels, in_height, in_width]: [usize; 4],
    kernel: usize,
    stride: usize,
    padding: usize,
) -> PoolShape {
    PoolShape { batch, channels, in_height, in_width, kernel, stride, padding }
}

fn shapes() -> Vec<PoolShape> {
    let mut shapes = vec![
        shape([0, 3, 8, 8], 2, 2, 0),
        shape([2, 0, 8, 8], 3, 2, 1),
        shape([2, 3, 0, 8], 2, 2, 1),
        shape([2, 3, 1, 1], 2, 2, 0),
        shape([3, 2, 1, 1], 1, 1, 0),
        shape([3, 2, 1, 1], 3, 2, 1),
        shape([1, 1, 15, 33], 15, 1, 7),
        shape([1, 2, 40, 20], 15, 3, 7),
        shape([40, 5, 33, 35], 2, 2, 0),
        shape([9, 5, 64, 64], 3, 2, 1),
        shape([1, 1, 300, 301], 3, 1, 1),
    ];
    for (height, width) in [(2, 2), (5, 7), (8, 33), (19, 16)] {
        for (kernel, stride, padding) in
            [(2, 2, 0), (2, 2, 1), (2, 1, 1), (3, 2, 1), (3, 2, 0), (3, 1, 1), (3, 3, 0), (2, 3, 1), (5, 4, 2)]
        {
            shapes.push(shape([2, 3, height, width], kernel, stride, padding));
        }
    }
    shapes
}

/// For each output, in order, the plane and the positions in the window with the element under each, `None` on padding.
fn windows(shape: PoolShape) -> Vec<Vec<Option<usize>>> {
    let mut windows = Vec::new();
    for plane in 0..shape.batch * shape.channels {
        for i in 0..shape.out_height() {
            for j in 0..shape.out_width() {
                let mut window = Vec::new();
                for k in 0..shape.kernel {
                    for l in 0..shape.kernel {
                        let row = (i * shape.stride + k).checked_sub(shape.padding).filter(|&r| r < shape.in_height);
                        let column = (j * shape.stride + l).checked_sub(shape.padding).filter(|&c| c < shape.in_width);
                        window.push(row.zip(column).map(|(r, c)| (plane * shape.in_height + r) * shape.in_width + c));
                    }
                }
                windows.push(window);
            }
        }
    }
    windows
}

/// Maxima and marks by the definition: the first maximum of the window, or the last NaN.
fn plain_max(shape: PoolShape, padding: MaxPadding, x: &[f64]) -> (Vec<f64>, Vec<u8>) {
    windows(shape)
        .iter()
        .map(|window| {
            let mut best: Option<(f64, u8)> = None;
            for (position, place) in window.iter().enumerate() {
                let (x, mark) = match (place, padding) {
                    (Some(place), _) => (x[*place], position as u8),
                    (None, MaxPadding::Zero) => (0.0, 255),
                    (None, MaxPadding::NegativeInfinity) => continue,
                };
                if best.is_none_or(|(most, _)| x > most || x.is_nan()) {
                    best = Some((x, mark));
                }
            }
            best.unwrap()
        })
        .unzip()
}

/// Random numbers with many ties, among them zeros.
fn image<E: Element>(shape: PoolShape, seed: u64) -> Vec<E> {
    random::<E>(seed, shape.input_len()).iter().map(|&x| (x * E::of(6.0)).round() - E::one()).collect()
}

fn max_follows_the_definition<E: Element>() {
    for shape in shapes() {
        let x: Vec<E> = image(shape, 1);
        let grad_output: Vec<E> = random(2, shape.output_len());
        for padding in [MaxPadding::NegativeInfinity, MaxPadding::Zero] {
            let (truth, marks) = plain_max(shape, padding, &wide(&x));
            let mut gradient = vec![1.0; x.len()];
            for ((window, &mark), g) in windows(shape).iter().zip(&marks).zip(&grad_output) {
                if mark != 255 {
                    gradient[window[usize::from(mark)].unwrap()] += 2.0 * g.wide();
                }
            }
            for level in Level::available() {
                let mut y = vec![E::nan(); truth.len()];
                let mut argmax = vec![77; truth.len()];
                max_pool_at(level, shape, padding, &x, &mut y, Some(&mut argmax));
                assert_eq!(wide(&y), truth, "{shape:?} {padding:?} {level:?}");
                assert_eq!(argmax, marks, "{shape:?} {padding:?} {level:?}");
                y.fill(E::nan());
                max_pool_at(level, shape, padding, &x, &mut y, None);
                assert_eq!(wide(&y), truth, "{shape:?} {padding:?} {level:?} without marks");
                // Once replacing NaN, and once more added onto that result plus one.
                let mut grad_x = vec![E::nan(); x.len()];
                max_pool_backward_at(level, shape, &argmax, &grad_output, &mut grad_x, Write::Replace);
                grad_x.iter_mut().for_each(|grad| *grad = *grad + E::one());
                max_pool_backward_at(level, shape, &argmax, &grad_output, &mut grad_x, Write::Add);
                let bound = 10.0 * E::epsilon().wide();
                assert_close(&grad_x, &gradient, bound, &format!("{shape:?} {padding:?} {level:?} backward"));
            }
        }
    }
}

#[test]
fn f32_max_follows_the_definition() {
    max_follows_the_definition::<f32>();
}

#[test]
fn f64_max_follows_the_definition() {
    max_follows_the_definition::<f64>();
}

/// `F.max_pool2d` and `F.avg_pool2d` of PyTorch 2 on `x[i, j] = (7 i + 3 j + i j) mod 11 - 5`, 5 by 6.
#[test]
fn agrees_with_pytorch() {
    let x: Vec<f64> =
        (0..30).map(|p| (p / 6, p % 6)).map(|(i, j)| f64::from((i * 7 + j * 3 + i * j) % 11) - 5.0).collect();
    let check = |kernel, stride, padding, max: &[f64], indices: &[usize], with_pad: &[f64], without: &[f64]| {
        let shape = shape([1, 1, 5, 6], kernel, stride, padding);
        let mut y = vec![0.0; max.len()];
        let argmax = max_pool(shape, MaxPadding::NegativeInfinity, &x, &mut y, true).unwrap();
        assert_eq!(y, max);
        let found = windows(shape).into_iter().zip(argmax).map(|(window, mark)| window[usize::from(mark)].unwrap());
        assert_eq!(found.collect::<Vec<_>>(), indices);
        average_pool(shape, true, &x, &mut y);
        assert_close(&y, with_pad, 1e-15, "with padding");
        average_pool(shape, false, &x, &mut y);
        assert_close(&y, without, 1e-15, "without padding");
    };
    let third = 1.0 / 3.0;
    let ninth = 1.0 / 9.0;
    check(
        3,
        2,
        1,
        &[2.0, 4.0, 4.0, 5.0, 3.0, 3.0, 5.0, 4.0, 3.0],
        &[6, 3, 3, 18, 9, 9, 18, 26, 29],
        &[-10.0 * ninth, 0.0, -2.0 * ninth, third, -5.0 * ninth, -third, third, -third, -2.0 * ninth],
        &[-2.5, 0.0, -third, 0.5, -5.0 * ninth, -third, 0.75, -0.5, -third],
    );
    let average = [-2.5, 1.75, -2.25, 1.5, -1.25, -1.25];
    check(2, 2, 0, &[2.0, 4.0, 0.0, 5.0, 2.0, 2.0], &[6, 3, 11, 18, 15, 23], &average, &average);
    check(
        5,
        3,
        2,
        &[3.0, 4.0, 5.0, 4.0],
        &[13, 3, 18, 26],
        &[-0.48, -0.4, -0.16, -0.56],
        &[-4.0 * third, -2.0 * third, -third, -0.7],
    );
}

#[test]
fn a_nan_wins_and_minus_infinity_is_a_number() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0)] {
        let shape = shape([1, 2, 9, 9], kernel, stride, padding);
        let mut x: Vec<f64> = random(4, shape.input_len());
        x[10] = f64::NAN;
        x[13] = f64::NAN;
        x[90..150].fill(f64::NEG_INFINITY);
        for mode in [MaxPadding::NegativeInfinity, MaxPadding::Zero] {
            let (truth, marks) = plain_max(shape, mode, &x);
            assert!(truth.iter().any(|y| y.is_nan()) && truth.contains(&f64::NEG_INFINITY));
            for level in Level::available() {
                let (mut y, mut argmax) = (vec![0.0; truth.len()], vec![0; truth.len()]);
                max_pool_at(level, shape, mode, &x, &mut y, Some(&mut argmax));
                assert_eq!((bits(&y), &argmax), (bits(&truth), &marks), "{shape:?} {mode:?} {level:?}");
                max_pool_at(level, shape, mode, &x, &mut y, None);
                assert_eq!(bits(&y), bits(&truth));
            }
        }
    }
}

#[test]
fn max_gradients_are_the_slopes_of_the_loss() {
    for shape in [shape([1, 2, 5, 6], 2, 2, 0), shape([1, 1, 6, 5], 3, 2, 1), shape([1, 1, 5, 5], 3, 1, 1)] {
        // A permutation: distinct by at least 0.1, and none within 0.05 of the padding's zero.
        let n = shape.input_len();
        let x: Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % n) as f64 * 0.1 - 1.55).collect();
        let grad_output: Vec<f64> = random(2, shape.output_len());
        for padding in [MaxPadding::NegativeInfinity, MaxPadding::Zero] {
            let mut y = vec![0.0; grad_output.len()];
            let argmax = max_pool(shape, padding, &x, &mut y, true).unwrap();
            let mut grad_x = vec![0.0; n];
            max_pool_backward(shape, &argmax, &grad_output, &mut grad_x, Write::Add);
            let slopes = differences(&x, |x| dot(&plain_max(shape, padding, x).0, &grad_output));
            assert_close(&grad_x, &slopes, 1e-6, &format!("{shape:?}"));
        }
    }
}

/// Averages by the definition, and the gradient of their inner product with the gradient of the output.
fn plain_average(shape: PoolShape, count_include_pad: bool, x: &[f64], grad_output: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut gradient = vec![0.0; x.len()];
    let y = windows(shape)
        .iter()
        .zip(grad_output)
        .map(|(window, g)| {
            let met: Vec<usize> = window.iter().copied().flatten().collect();
            let divisor = if count_include_pad { window.len() } else { met.len() } as f64;
            met.iter().for_each(|&place| gradient[place] += g / divisor);
            met.iter().map(|&place| x[place]).sum::<f64>() / divisor
        })
        .collect();
    (y, gradient)
}

fn average_follows_the_definition<E: Element>(bound: f64) {
    for shape in shapes() {
        let x: Vec<E> = random(1, shape.input_len());
        let grad_output: Vec<E> = random(2, shape.output_len());
        for include in [true, false] {
            let (truth, gradient) = plain_average(shape, include, &wide(&x), &wide(&grad_output));
            let twice: Vec<f64> = gradient.iter().map(|g| 1.0 + 2.0 * g).collect();
            for level in Level::available() {
                let what = format!("{shape:?} {include} {level:?}");
                let mut y = vec![E::nan(); truth.len()];
                average_pool_at(level, shape, include, &x, &mut y);
                assert_close(&y, &truth, bound, &what);
                let mut grad_x = vec![E::one(); x.len()];
                average_pool_backward_at(level, shape, include, &grad_output, &mut grad_x, Write::Add);
                average_pool_backward_at(level, shape, include, &grad_output, &mut grad_x, Write::Add);
                assert_close(&grad_x, &twice, bound, &what);
            }
        }
    }
}

#[test]
fn f32_average_follows_the_definition() {
    average_follows_the_definition::<f32>(1e-6);
}

#[test]
fn f64_average_follows_the_definition() {
    average_follows_the_definition::<f64>(1e-14);
}

#[test]
fn average_gradients_are_the_slopes_of_the_loss() {
    for shape in [shape([1, 2, 5, 6], 2, 2, 0), shape([1, 1, 6, 5], 3, 2, 1), shape([2, 1, 5, 5], 3, 1, 1)] {
        let x: Vec<f64> = random(1, shape.input_len());
        let grad_output: Vec<f64> = random(2, shape.output_len());
        for include in [true, false] {
            let mut grad_x = vec![0.0; x.len()];
            average_pool_backward(shape, include, &grad_output, &mut grad_x, Write::Add);
            let mut y = vec![0.0; grad_output.len()];
            let slopes = differences(&x, |x| {
                average_pool(shape, include, x, &mut y);
                dot(&y, &grad_output)
            });
            assert_close(&grad_x, &slopes, 1e-6, &format!("{shape:?} {include}"));
        }
    }
}

fn global_follows_the_definition<E: Element>(bound: f64) {
    for (planes, inner) in [(0, 4), (1, 1), (7, 1), (5, 16), (6, 49), (3, 1025), (5000, 17), (2, 70_001)] {
        let x: Vec<E> = random(1, planes * inner);
        let truth: Vec<f64> = wide(&x).chunks(inner).map(|x| x.iter().sum::<f64>() / inner as f64).collect();
        let grad_output: Vec<E> = random(2, planes);
        let gradient: Vec<f64> =
            wide(&grad_output).iter().flat_map(|g| std::iter::repeat_n(1.0 + 2.0 * g / inner as f64, inner)).collect();
        for level in Level::available() {
            let mut y = vec![E::nan(); planes];
            global_average_pool_at(level, inner, &x, &mut y);
            assert_close(&y, &truth, bound, &format!("{planes} {inner} {level:?}"));
            let mut grad_x = vec![E::one(); planes * inner];
            global_average_pool_backward_at(level, inner, &grad_output, &mut grad_x, Write::Add);
            global_average_pool_backward_at(level, inner, &grad_output, &mut grad_x, Write::Add);
            assert_close(&grad_x, &gradient, bound, &format!("{planes} {inner} {level:?}"));
        }
    }
}

#[test]
fn global_average_follows_the_definition() {
    global_follows_the_definition::<f32>(1e-6);
    global_follows_the_definition::<f64>(1e-13);
}

#[test]
fn global_average_gradients_are_the_slopes_of_the_loss() {
    let (planes, inner) = (3, 5);
    let x: Vec<f64> = random(1, planes * inner);
    let grad_output: Vec<f64> = random(2, planes);
    let mut grad_x = vec![0.0; planes * inner];
    global_average_pool_backward(inner, &grad_output, &mut grad_x, Write::Add);
    let mut y = vec![0.0; planes];
    let slopes = differences(&x, |x| {
        global_average_pool(inner, x, &mut y);
        dot(&y, &grad_output)
    });
    assert_close(&grad_x, &slopes, 1e-6, "planes");
}

#[test]
fn planes_without_elements_have_no_mean() {
    let mut y = [0.0_f32; 2];
    global_average_pool(0, &[], &mut y);
    assert!(y.iter().all(|y| y.is_nan()));
    global_average_pool_backward(0, &y, &mut [], Write::Add);
}

#[test]
fn a_nan_stays_in_its_windows() {
    let shape = shape([1, 2, 6, 6], 3, 2, 1);
    let mut x: Vec<f32> = random(1, shape.input_len());
    x[7] = f32::NAN;
    let mut y = vec![0.0; shape.output_len()];
    average_pool(shape, true, &x, &mut y);
    for (y, window) in y.iter().zip(windows(shape)) {
        assert_eq!(y.is_nan(), window.contains(&Some(7)));
    }
}

#[test]
fn threads_and_levels_change_no_bit() {
    for shape in [shape([40, 5, 33, 35], 2, 2, 0), shape([9, 5, 64, 64], 3, 2, 1)] {
        let x: Vec<f32> = random(1, shape.input_len());
        let grad_output: Vec<f32> = random(2, shape.output_len());
        let run = || {
            let mut y = vec![0.0; grad_output.len()];
            let mut grad_x = vec![0.0; x.len()];
            let argmax = max_pool(shape, MaxPadding::Zero, &x, &mut y, true).unwrap();
            max_pool_backward(shape, &argmax, &grad_output, &mut grad_x, Write::Add);
            let mut all = bits(&y);
            average_pool(shape, false, &x, &mut y);
            average_pool_backward(shape, false, &grad_output, &mut grad_x, Write::Add);
            all.extend(bits(&y));
            let mut means = vec![0.0; 45];
            global_average_pool(x.len() / 45, &x[..x.len() / 45 * 45], &mut means);
            all.extend(bits(&means));
            all.extend(bits(&grad_x));
            all
        };
        same_everywhere(shape, run);
    }
}

#[test]
#[should_panic(expected = "every window meets the image")]
fn padding_beyond_half_the_window_is_refused() {
    let shape = shape([1, 1, 4, 4], 2, 2, 2);
    max_pool::<f32>(shape, MaxPadding::Zero, &[0.0; 16], &mut [0.0; 16], false);
}
