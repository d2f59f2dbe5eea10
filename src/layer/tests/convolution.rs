use dfdx::nn::Module;
use dfdx::shapes::{Const, Rank2, Rank4};

use super::*;
use crate::layer::builder;

/// `y[n, o, i, j] = bias[o] + sum weight[o, c, a, b] x[n, c, i s + a - p, j s + b - p]`, straight from the formula.
fn reference(
    (x, [n, c, h, w]): (&[f64], [usize; 4]),
    (weight, bias, [o, k, s, p]): (&[f64], &[f64], [usize; 4]),
) -> Vec<f64> {
    let (out_h, out_w) = ((h + 2 * p - k) / s + 1, (w + 2 * p - k) / s + 1);
    let mut y = Vec::new();
    for (n, o, i, j) in itertools4(n, o, out_h, out_w) {
        let mut sum = bias[o];
        for (c_in, a, b) in itertools3(c, k, k) {
            let (row, column) = (i * s + a, j * s + b);
            if (p..h + p).contains(&row) && (p..w + p).contains(&column) {
                let pixel = x[((n * c + c_in) * h + row - p) * w + column - p];
                sum += weight[((o * c + c_in) * k + a) * k + b] * pixel;
            }
        }
        y.push(sum);
    }
    y
}

fn itertools3(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

fn itertools4(a: usize, b: usize, c: usize, d: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a).flat_map(move |i| itertools3(b, c, d).map(move |(j, k, l)| (i, j, k, l)))
}

/// One geometry: values against the formula and gradients against differences, with image sizes known to the compiler
/// and at run time, contiguous and permuted.
macro_rules! geometry {
    (
        $name:ident, $in:literal to $out:literal, $k:literal / $s:literal / $p:literal,
        $batch:literal x $h:literal x $w:literal
    ) => {
        #[test]
        fn $name() {
            let mut layer = shaken::<builder::Conv2D<$in, $out, $k, $s, $p>>(1);
            let x = random::<Rank4<$batch, $in, $h, $w>, f64>(Default::default(), 2);
            let expected = reference(
                (&x.as_vec(), [$batch, $in, $h, $w]),
                (&layer.weight.as_vec(), &layer.bias.as_ref().unwrap().as_vec(), [$out, $k, $s, $p]),
            );
            let y = layer.forward(x.clone());
            assert!(distance(&y.as_vec(), &expected) < 1e-13);
            let at_run_time = Cpu::default().try_tensor_from_vec(x.as_vec(), ($batch, Const::<$in>, $h, $w)).unwrap();
            assert_eq!(layer.forward(at_run_time).as_vec(), y.as_vec());

            check_gradients(&mut layer, x, |layer, x| layer.forward(x));
            let strided = permuted::<$batch, $in, $h, $w>(3);
            let expected = layer.forward(random_like(&strided));
            assert_eq!(layer.forward(strided.clone()).as_vec(), expected.as_vec());
            check_permuted(&mut layer, strided);
        }
    };
}

/// A contiguous copy of a tensor.
fn random_like<S: Shape>(x: &Tensor<S, f64, Cpu>) -> Tensor<S, f64, Cpu> {
    Cpu::default().try_tensor_from_vec(x.as_vec(), *x.shape()).unwrap()
}

/// The gradient of a permuted input is that of its contiguous copy.
fn check_permuted<N, const B: usize, const C: usize, const H: usize, const W: usize, O: Shape>(
    layer: &mut N,
    x: Tensor<Rank4<B, C, H, W>, f64, Cpu>,
) where
    N: Visit<f64, Cpu> + Module<Tracked<Rank4<B, C, H, W>>, Output = Tracked<O>, Error = Error>,
{
    let gradient = |x: &Tensor<Rank4<B, C, H, W>, f64, Cpu>| {
        let y = layer.try_forward(x.clone().track_input()).unwrap();
        let grad_output = noise(y.shape().num_elements(), 5);
        let mut gradients = try_backward(weigh(y, &grad_output)).unwrap();
        let by_parameter = gradients_of(layer, &mut gradients);
        (by_parameter, gradients.into_gradients().get(x).as_vec())
    };
    assert_eq!(gradient(&x), gradient(&random_like(&x)));
}

geometry!(three_by_three, 3 to 4, 3 / 1 / 1, 2 x 5 x 4);
geometry!(one_by_one, 5 to 3, 1 / 1 / 0, 3 x 3 x 5);
geometry!(strided_one_by_one, 2 to 3, 1 / 2 / 0, 2 x 5 x 6);
geometry!(strided_stem, 3 to 2, 7 / 2 / 3, 1 x 9 x 8);
geometry!(valid, 2 to 2, 3 / 1 / 0, 1 x 3 x 7);
geometry!(strided_valid, 1 to 1, 3 / 2 / 0, 1 x 5 x 5);
geometry!(five_by_five, 1 to 2, 5 / 1 / 2, 2 x 4 x 4);
geometry!(one_pixel, 4 to 4, 3 / 1 / 1, 2 x 1 x 1);

#[test]
fn any_window_goes_through_run_time_sizes() {
    let mut layer = shaken::<builder::Conv2D<2, 3, 4, 3, 2>>(4);
    let x = random((2, Const::<2>, 6, 8), 5);
    let expected = reference(
        (&x.as_vec(), [2, 2, 6, 8]),
        (&layer.weight.as_vec(), &layer.bias.as_ref().unwrap().as_vec(), [3, 4, 3, 2]),
    );
    assert!(distance(&layer.forward(x.clone()).as_vec(), &expected) < 1e-13);
    check_gradients(&mut layer, x, |layer, x| layer.forward(x));
    let too_small: Tensor<(usize, Const<2>, usize, usize), f64, Cpu> = random((1, Const, 1, 2), 6);
    assert!(layer.try_forward(too_small.clone()).is_ok());
    let layer = shaken::<builder::Conv2D<2, 3, 5, 1, 0>>(4);
    assert_eq!(layer.try_forward(too_small).unwrap_err(), Error::Window { size: 1, kernel: 5, stride: 1, padding: 0 });
}

#[test]
fn without_bias_there_is_no_bias() {
    let mut layer = shaken::<builder::Conv2D<2, 3, 3, 1, 1, false>>(7);
    assert!(layer.bias.is_none());
    let x = random::<Rank4<2, 2, 4, 4>, f64>(Default::default(), 8);
    let expected = reference((&x.as_vec(), [2, 2, 4, 4]), (&layer.weight.as_vec(), &[0.0; 3], [3, 3, 1, 1]));
    assert!(distance(&layer.forward(x.clone()).as_vec(), &expected) < 1e-13);
    check_gradients(&mut layer, x, |layer, x| layer.forward(x));
}

#[test]
fn an_empty_batch_gives_an_empty_batch_and_zero_gradients() {
    let layer = shaken::<builder::Conv2D<2, 3, 3, 1, 1>>(9);
    let x = zeros((0, Const::<2>, Const::<4>, Const::<4>));
    let y = layer.forward(x.track());
    assert_eq!(y.shape().concrete(), [0, 3, 4, 4]);
    let mut gradients = try_backward(weigh(y, &[])).unwrap();
    for (path, gradient) in gradients_of(&layer, &mut gradients) {
        assert!(gradient.iter().all(|&g| g == 0.0), "{path}");
    }
}

#[test]
fn a_nan_reaches_its_windows_and_no_others() {
    let layer = shaken::<builder::Conv2D<1, 1, 3, 1, 1>>(10);
    let mut x = zeros(Rank4::<1, 1, 5, 5>::default());
    view::with_mut(&mut x, |values| values[0] = f64::NAN).unwrap();
    let y = layer.forward(x).as_vec();
    for (i, y) in y.iter().enumerate() {
        assert_eq!(y.is_nan(), i / 5 <= 1 && i % 5 <= 1, "pixel {i}");
    }
}

#[test]
fn single_precision_is_close_to_double() {
    let layer = shaken::<builder::Conv2D<8, 8, 3, 1, 1>>(11);
    let single = crate::layer::Conv2D::<8, 8, 3, 1, 1, true, f32, Cpu> {
        weight: narrow(&layer.weight),
        bias: layer.bias.as_ref().map(narrow),
        frozen: false,
        bias_trained: false,
        precision: crate::Precision::F32,
    };
    let x = random::<Rank4<3, 8, 9, 7>, f64>(Default::default(), 12);
    let y: Vec<f64> = single.forward(narrow(&x)).as_vec().into_iter().map(f64::from).collect();
    assert!(distance(&y, &layer.forward(x).as_vec()) < 1e-6);
}

fn narrow<S: Shape>(x: &Tensor<S, f64, Cpu>) -> Tensor<S, f32, Cpu> {
    let values = x.as_vec().into_iter().map(|v| v as f32).collect();
    Cpu::default().try_tensor_from_vec(values, *x.shape()).unwrap()
}

#[test]
fn linear_is_a_product_with_the_transposed_weight() {
    let mut layer = shaken::<builder::Linear<5, 3>>(13);
    let x = random::<Rank2<4, 5>, f64>(Default::default(), 14);
    let (weight, bias, values) = (layer.weight.as_vec(), layer.bias.as_vec(), x.as_vec());
    let expected: Vec<f64> = (0..12)
        .map(|i| bias[i % 3] + (0..5).map(|k| values[i / 3 * 5 + k] * weight[i % 3 * 5 + k]).sum::<f64>())
        .collect();
    assert!(distance(&layer.forward(x.clone()).as_vec(), &expected) < 1e-14);
    check_gradients(&mut layer, x, |layer, x| layer.forward(x));
    let empty = layer.forward(zeros((0, Const::<5>)));
    assert_eq!(empty.shape().concrete(), [0, 3]);
}
