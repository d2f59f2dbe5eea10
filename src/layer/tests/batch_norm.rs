use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Rank4};

use super::*;
use crate::layer::builder;

type Images = Rank4<3, 2, 2, 3>;

/// Mean and biased variance of channel `c` of two.
fn moments(x: &[f64], c: usize) -> (f64, f64, f64) {
    let values: Vec<f64> = x.iter().enumerate().filter(|(i, _)| i / 6 % 2 == c).map(|(_, v)| *v).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n, n)
}

#[test]
fn batch_statistics_normalize_and_move_the_running_ones() {
    fn check<P: BatchNormDefaults>(unbiased: bool) {
        let mut layer = shaken::<builder::BatchNorm2D<2, P>>(1);
        layer.set_mode(Mode::Train);
        let x = random::<Images, f64>(Default::default(), 2);
        let (values, scale, shift) = (x.as_vec(), layer.scale.as_vec(), layer.shift.as_vec());
        let before = (layer.running_mean.as_vec(), layer.running_var.as_vec());
        let expected: Vec<f64> = (0..values.len())
            .map(|i| {
                let c = i / 6 % 2;
                let (mean, variance, _) = moments(&values, c);
                scale[c] * (values[i] - mean) / (variance + P::EPSILON).sqrt() + shift[c]
            })
            .collect();
        let y = layer.forward(x.clone());
        assert!(distance(&y.as_vec(), &expected) < 1e-12);
        assert_eq!((layer.running_mean.as_vec(), layer.running_var.as_vec()), before, "forward learns nothing");

        assert_eq!(layer.forward_mut(x).as_vec(), y.as_vec());
        for c in 0..2 {
            let (mean, variance, n) = moments(&values, c);
            let variance = if unbiased { variance * n / (n - 1.0) } else { variance };
            let (running_mean, running_var) = (layer.running_mean.as_vec()[c], layer.running_var.as_vec()[c]);
            let m = P::MOMENTUM;
            assert!((running_mean - ((1.0 - m) * before.0[c] + m * mean)).abs() < 1e-14);
            assert!((running_var - ((1.0 - m) * before.1[c] + m * variance)).abs() < 1e-14);
        }
    }
    check::<Torch>(true);
    check::<Keras>(false);
}

#[test]
fn running_statistics_normalize_and_stay() {
    let mut layer = shaken::<builder::BatchNorm2D<2>>(3);
    let x = random::<Images, f64>(Default::default(), 4);
    let (values, scale, shift) = (x.as_vec(), layer.scale.as_vec(), layer.shift.as_vec());
    let (mean, variance) = (layer.running_mean.as_vec(), layer.running_var.as_vec());
    let expected: Vec<f64> = (0..values.len())
        .map(|i| {
            let c = i / 6 % 2;
            scale[c] * (values[i] - mean[c]) / (variance[c] + 1e-5).sqrt() + shift[c]
        })
        .collect();
    assert!(distance(&layer.forward_mut(x.clone()).as_vec(), &expected) < 1e-12);
    // Train mode with frozen statistics is the same.
    layer.set_mode(Mode::Train);
    layer.freeze_batch_norm(false, true);
    assert!(distance(&layer.forward_mut(x).as_vec(), &expected) < 1e-12);
    assert_eq!((layer.running_mean.as_vec(), layer.running_var.as_vec()), (mean, variance));
}

#[test]
fn gradients_in_every_combination_of_switches() {
    for mode in [Mode::Train, Mode::Eval] {
        for (affine, statistics) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut layer = shaken::<builder::BatchNorm2D<2>>(5);
            layer.set_mode(mode);
            layer.freeze_batch_norm(affine, statistics);
            check_gradients(&mut layer, random::<Images, f64>(Default::default(), 6), |layer, x| layer.forward(x));
            check_gradients(&mut layer, permuted::<3, 2, 2, 3>(7), |layer, x| layer.forward(x));
        }
    }
}

#[test]
fn odd_sizes_have_right_gradients() {
    for mode in [Mode::Train, Mode::Eval] {
        let mut one_channel = shaken::<builder::BatchNorm2D<1>>(8);
        one_channel.set_mode(mode);
        check_gradients(&mut one_channel, random::<Rank4<1, 1, 5, 3>, f64>(Default::default(), 9), |l, x| l.forward(x));
        let mut one_pixel = shaken::<builder::BatchNorm2D<3>>(10);
        one_pixel.set_mode(mode);
        check_gradients(&mut one_pixel, random::<Rank4<5, 3, 1, 1>, f64>(Default::default(), 11), |l, x| l.forward(x));
    }
}

#[test]
fn an_empty_batch_changes_nothing() {
    let mut layer = shaken::<builder::BatchNorm2D<2>>(12);
    layer.set_mode(Mode::Train);
    let before = layer.running_mean.as_vec();
    let y = layer.forward_mut(zeros((0, Const::<2>, 3, 3)));
    assert_eq!(y.shape().concrete(), [0, 2, 3, 3]);
    assert_eq!(layer.running_mean.as_vec(), before);
}

#[test]
fn a_nan_stays_in_its_channel() {
    let mut layer = shaken::<builder::BatchNorm2D<2>>(13);
    layer.set_mode(Mode::Train);
    let mut x = random::<Images, f64>(Default::default(), 14);
    view::with_mut(&mut x, |values| values[0] = f64::NAN).unwrap();
    for (i, y) in layer.forward(x).as_vec().iter().enumerate() {
        assert_eq!(y.is_nan(), i / 6 % 2 == 0, "element {i}");
    }
}
