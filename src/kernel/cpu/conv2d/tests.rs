use super::*;
use crate::kernel::cpu::testing::{bits, narrow, relative_l2, same_everywhere, tolerance, values};
use crate::kernel::shape::ConvShape;

fn shape(
    [batch, in_channels, in_height, in_width, out_channels]: [usize; 5],
    [kernel, stride, padding]: [usize; 3],
) -> ConvShape {
    ConvShape { batch, in_channels, in_height, in_width, out_channels, kernel, stride, padding }
}

/// `[N, C, H, W, O]`: odd sizes, one image, one channel, one pixel, several images in
/// a tile and several tiles in an image, deep and shallow products.
const SIZES: [[usize; 5]; 8] = [
    [1, 1, 1, 1, 1],
    [2, 3, 5, 7, 4],
    [3, 1, 9, 4, 5],
    [5, 33, 3, 2, 7],
    [1, 5, 31, 29, 3],
    [7, 2, 8, 8, 17],
    [4, 22, 4, 4, 1],
    [2, 4, 40, 19, 6],
];

fn sweep() -> Vec<ConvShape> {
    let mut shapes = Vec::new();
    for sizes in SIZES {
        for kernel in [1, 2, 3, 5, 7] {
            for stride in [1, 2, 3] {
                for padding in [0, 1, 2, 3] {
                    shapes.push(shape(sizes, [kernel, stride, padding]));
                }
            }
        }
    }
    // Channels in several blocks, a stem, a pointwise layer, tiny images, a stride
    // above the kernel, padding above the image.
    shapes.extend([
        shape([2, 70, 6, 5, 135], [3, 1, 1]),
        shape([3, 70, 7, 5, 140], [3, 2, 1]),
        shape([9, 67, 2, 2, 66], [3, 1, 1]),
        shape([33, 40, 1, 1, 20], [3, 1, 1]),
        // A kernel as large as the image, and one of which a part is.
        shape([5, 9, 3, 3, 20], [3, 1, 0]),
        shape([1, 1, 3, 3, 1], [3, 2, 0]),
        shape([9, 67, 2, 2, 66], [3, 2, 1]),
        shape([2, 3, 50, 50, 10], [7, 2, 3]),
        shape([3, 9, 16, 16, 16], [3, 1, 1]),
        shape([2, 130, 23, 23, 70], [1, 1, 0]),
        shape([2, 65, 11, 9, 70], [1, 2, 0]),
        // 1x1: more channels and more pixels than are packed at once, one image, images of a pixel, other strides.
        shape([3, 300, 4, 4, 50], [1, 1, 0]),
        shape([1, 520, 3, 3, 7], [1, 1, 0]),
        shape([1, 17, 20, 30, 19], [1, 1, 0]),
        shape([70, 5, 1, 1, 3], [1, 1, 0]),
        shape([5, 9, 7, 8, 97], [1, 3, 0]),
        // 1x1: so many pixels that they are added up in parts.
        shape([9, 37, 23, 23, 53], [1, 1, 0]),
        shape([1, 3, 130, 135, 2], [1, 2, 0]),
        shape([2, 3, 11, 11, 2], [2, 5, 1]),
        shape([2, 30, 2, 3, 4], [3, 2, 7]),
        // Windows: more taps than are packed at once, odd rows, tasks of several images, a phase that no window meets.
        shape([3, 60, 17, 15, 30], [3, 2, 1]),
        shape([9, 31, 14, 13, 20], [5, 3, 2]),
        shape([1, 4, 41, 33, 25], [2, 3, 1]),
    ]);
    shapes
}

/// The results of every kernel: `y`, then the gradients added onto `start`; where `start` is zero, that of the input
/// replaces NaN.
fn run<E: Element>(shape: &ConvShape, start: f64) -> [Vec<E>; 4] {
    let x: Vec<E> = narrow(&values(shape.input_len(), 1));
    let weight: Vec<E> = narrow(&values(shape.weight_len(), 2));
    let bias: Vec<E> = narrow(&values(shape.out_channels, 3));
    let grad_output: Vec<E> = narrow(&values(shape.output_len(), 4));
    let mut y = vec![E::nan(); shape.output_len()];
    forward(shape, &x, &weight, Some(&bias), &mut y);
    let (old, write) = if start == 0.0 { (E::nan(), Write::Replace) } else { (E::of(start), Write::Add) };
    let mut grad_x = vec![old; x.len()];
    let mut grad_weight = vec![E::of(start); weight.len()];
    let mut grad_bias = vec![E::of(start); bias.len()];
    backward_input(shape, &weight, &grad_output, &mut grad_x, write);
    backward_weight(shape, &x, &grad_output, &mut grad_weight);
    backward_bias(shape, &grad_output, &mut grad_bias);
    [y, grad_x, grad_weight, grad_bias]
}

fn run_reference(shape: &ConvShape, start: f64) -> [Vec<f64>; 4] {
    let (x, weight) = (values(shape.input_len(), 1), values(shape.weight_len(), 2));
    let (bias, grad_output) = (values(shape.out_channels, 3), values(shape.output_len(), 4));
    let mut y = vec![0.0; shape.output_len()];
    reference::forward(shape, &x, &weight, &bias, &mut y);
    let mut grad_x = vec![start; x.len()];
    let mut grad_weight = vec![start; weight.len()];
    let mut grad_bias = vec![start; bias.len()];
    reference::backward_input(shape, &weight, &grad_output, &mut grad_x);
    reference::backward_weight(shape, &x, &grad_output, &mut grad_weight);
    reference::backward_bias(shape, &grad_output, &mut grad_bias);
    [y, grad_x, grad_weight, grad_bias]
}

fn compare<E: Element>(shape: &ConvShape, got: &[Vec<E>; 4], want: &[Vec<f64>; 4]) {
    let names = ["y", "grad_x", "grad_weight", "grad_bias"];
    for ((got, want), name) in got.iter().zip(want).zip(names) {
        let error = relative_l2(got, want);
        assert!(error < tolerance::<E>(), "{name} {error:e} {shape:?}");
    }
}

#[test]
fn the_kernels_match_the_formulas() {
    for shape in sweep() {
        let want = run_reference(&shape, 0.0);
        compare(&shape, &run::<f64>(&shape, 0.0), &want);
        compare(&shape, &run::<f32>(&shape, 0.0), &want);
    }
}

#[test]
fn gradients_add_to_what_is_there() {
    for shape in sweep() {
        compare(&shape, &run::<f64>(&shape, 0.75), &run_reference(&shape, 0.75));
    }
}

#[test]
fn a_second_call_adds_the_same_again() {
    let shape = shape([3, 5, 7, 6, 4], [3, 2, 1]);
    let (x, weight) = (values(shape.input_len(), 1), values(shape.weight_len(), 2));
    let grad_output = values(shape.output_len(), 4);
    let double = |call: &dyn Fn(&mut [f64]), len: usize| {
        let mut once = vec![0.0; len];
        call(&mut once);
        let mut twice = once.clone();
        call(&mut twice);
        let want: Vec<f64> = once.iter().map(|v| 2.0 * v).collect();
        assert!(relative_l2(&twice, &want) < 1e-14);
    };
    double(&|grad| backward_input(&shape, &weight, &grad_output, grad, Write::Add), x.len());
    double(&|grad| backward_weight(&shape, &x, &grad_output, grad), weight.len());
    double(&|grad| backward_bias(&shape, &grad_output, grad), shape.out_channels);
    // Forward overwrites instead.
    let (mut once, mut twice) = (vec![0.0; grad_output.len()], vec![f64::NAN; grad_output.len()]);
    forward(&shape, &x, &weight, None, &mut once);
    forward(&shape, &x, &weight, None, &mut twice);
    assert_eq!(once, twice);
}

#[test]
fn threads_and_levels_do_not_change_a_bit() {
    for shape in sweep() {
        same_everywhere(shape, || run::<f32>(&shape, 0.5).map(|values| bits(&values)));
        same_everywhere(shape, || run::<f64>(&shape, 0.5).map(|values| bits(&values)));
    }
}

#[test]
fn an_empty_batch_does_nothing() {
    let shape = shape([0, 3, 8, 8, 4], [3, 1, 1]);
    let weight = vec![f32::NAN; shape.weight_len()];
    let (mut grad_weight, mut grad_bias) = (vec![2.0; weight.len()], vec![3.0; 4]);
    forward(&shape, &[], &weight, Some(&[1.0; 4]), &mut []);
    backward_input(&shape, &weight, &[], &mut [], Write::Add);
    backward_weight(&shape, &[], &[], &mut grad_weight);
    backward_bias(&shape, &[], &mut grad_bias);
    assert!(grad_weight.iter().all(|&v| v == 2.0) && grad_bias.iter().all(|&v| v == 3.0));
}

#[test]
fn a_kernel_larger_than_the_image_has_no_output() {
    let shape = shape([2, 3, 2, 9, 4], [5, 1, 0]);
    assert_eq!((shape.out_height(), shape.out_width(), shape.output_len()), (0, 5, 0));
    let mut grad = vec![1.0f32; shape.input_len()];
    backward_input(&shape, &vec![1.0; shape.weight_len()], &[], &mut grad, Write::Add);
    assert!(grad.iter().all(|&v| v == 1.0));
    backward_input(&shape, &vec![1.0; shape.weight_len()], &[], &mut grad, Write::Replace);
    assert!(grad.iter().all(|&v| v == 0.0));
}

#[test]
fn nan_and_infinity_reach_the_pixels_that_see_them() {
    // With 2 channels by the plain product, with 40 by minimal filtering, whose tiles are spoilt as a whole.
    for (stride, poison, channels) in [
        (1, f32::NAN, 2),
        (2, f32::NAN, 2),
        (1, f32::INFINITY, 2),
        (2, f32::INFINITY, 2),
        (1, f32::NAN, 40),
        (1, f32::INFINITY, 40),
    ] {
        let shape = shape([3, channels, 9, 9, channels], [3, stride, 1]);
        let whole_tiles = winograd::choose(&shape).is_some();
        assert!(!whole_tiles || channels == 40);
        let mut x = vec![0.5; shape.input_len()];
        // Image 1, channel 1, row 4, column 4.
        x[((channels + 1) * 9 + 4) * 9 + 4] = poison;
        let weight = vec![1.0; shape.weight_len()];
        let mut y = vec![0.0; shape.output_len()];
        forward(&shape, &x, &weight, None, &mut y);
        let (height, width) = (shape.out_height(), shape.out_width());
        for (index, &value) in y.iter().enumerate() {
            let (n, i, j) = (index / (channels * height * width), index / width % height, index % width);
            // Rows of the padded input, in which the poison is at 5.
            let sees = |at: usize| (at * stride..at * stride + 3).contains(&5);
            if n == 1 && sees(i) && sees(j) {
                let same = if poison.is_nan() || whole_tiles { !value.is_finite() } else { value == poison };
                assert!(same, "{n} {i} {j} {value}");
            } else if n != 1 || !whole_tiles || i.abs_diff(4) > 5 || j.abs_diff(4) > 5 {
                assert!(value.is_finite(), "{n} {i} {j} {value}");
            }
        }
    }
}

/// The bench shapes against `f64`: each kernel once in each precision. The `f64`
/// results are those of the same kernels, which the sweep checks on their own.
#[test]
fn large_shapes_are_accurate_in_single_precision() {
    for (channels, side) in [(64, 32), (128, 16), (256, 8), (512, 4)] {
        let shape = shape([32, channels, side, side, channels], [3, 1, 1]);
        let got = run::<f32>(&shape, 0.0);
        let want = run::<f64>(&shape, 0.0);
        compare(&shape, &got, &want);
    }
}
