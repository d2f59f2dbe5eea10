use dfdx::nn::Module;
use dfdx::shapes::{Const, Rank4};

use super::*;

/// Pools each window of an `h x w` plane by a function of its elements, `None` standing for padding.
fn pool(x: &[f64], [h, w]: [usize; 2], [k, s, p]: [usize; 3], of: impl Fn(&[Option<f64>]) -> f64) -> Vec<f64> {
    let mut y = Vec::new();
    for plane in x.chunks(h * w) {
        for i in 0..(h + 2 * p - k) / s + 1 {
            for j in 0..(w + 2 * p - k) / s + 1 {
                let window: Vec<Option<f64>> = (0..k * k)
                    .map(|a| {
                        let (row, column) = ((i * s + a / k).checked_sub(p)?, (j * s + a % k).checked_sub(p)?);
                        (row < h && column < w).then(|| plane[row * w + column])
                    })
                    .collect();
                y.push(of(&window));
            }
        }
    }
    y
}

fn largest(window: &[Option<f64>]) -> f64 {
    window.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn largest_with_zeros(window: &[Option<f64>]) -> f64 {
    window.iter().map(|x| x.unwrap_or(0.0)).fold(f64::NEG_INFINITY, f64::max)
}

fn mean_with_zeros(window: &[Option<f64>]) -> f64 {
    window.iter().map(|x| x.unwrap_or(0.0)).sum::<f64>() / window.len() as f64
}

macro_rules! geometry {
    ($name:ident, $k:literal / $s:literal / $p:literal, $batch:literal x $c:literal x $h:literal x $w:literal) => {
        #[test]
        fn $name() {
            // Negative everywhere, so that zero padding shows.
            let mut x = random::<Rank4<$batch, $c, $h, $w>, f64>(Default::default(), 1);
            view::with_mut(&mut x, |values| values.iter_mut().for_each(|v| *v -= 1.5)).unwrap();
            for (layer, of) in
                [(Max, largest as fn(&[Option<f64>]) -> f64), (Zero, largest_with_zeros), (Mean, mean_with_zeros)]
            {
                let expected = pool(&x.as_vec(), [$h, $w], [$k, $s, $p], of);
                macro_rules! check {
                    ($layer:expr) => {{
                        assert!(distance(&$layer.forward(x.clone()).as_vec(), &expected) < 1e-14);
                        check_gradients(&mut $layer, x.clone(), |layer, x| layer.forward(x));
                        check_gradients(&mut $layer, permuted::<$batch, $c, $h, $w>(2), |layer, x| layer.forward(x));
                    }};
                }
                match layer {
                    Max => check!(MaxPool2D::<$k, $s, $p>),
                    Zero => check!(ZeroPaddedMaxPool2D::<$k, $s, $p>),
                    Mean => check!(AvgPool2D::<$k, $s, $p>),
                }
            }
        }
    };
}

enum Kind {
    Max,
    Zero,
    Mean,
}
use Kind::{Max, Mean, Zero};

geometry!(halving, 2 / 2 / 0, 2 x 3 x 6 x 4);
geometry!(halving_odd_sides, 2 / 2 / 0, 1 x 1 x 5 x 7);
geometry!(overlapping, 3 / 2 / 1, 2 x 2 x 5 x 6);
geometry!(overlapping_valid, 3 / 2 / 0, 1 x 2 x 7 x 5);
geometry!(one_pixel, 3 / 2 / 1, 2 x 1 x 1 x 1);
geometry!(sliding, 2 / 1 / 0, 1 x 2 x 3 x 4);

#[test]
fn the_gradient_goes_to_the_first_of_equal_elements() {
    let x = zeros(Rank4::<1, 1, 2, 2>::default());
    let y = MaxPool2D::<2, 2>.forward(x.clone().track_input());
    let gradients = try_backward(weigh(y, &[3.0])).unwrap().into_gradients();
    assert_eq!(gradients.get(&x).as_vec(), [3.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_nan_is_the_largest_element() {
    for position in 0..4 {
        let mut x = zeros(Rank4::<1, 1, 2, 2>::default());
        view::with_mut(&mut x, |values| values[position] = f64::NAN).unwrap();
        assert!(MaxPool2D::<2, 2>.forward(x.clone()).as_vec()[0].is_nan());
        assert!(AvgPool2D::<2, 2>.forward(x.clone()).as_vec()[0].is_nan());
        assert!(GlobalAvgPool2D.forward(x).as_vec()[0].is_nan());
    }
}

#[test]
fn the_global_pool_is_the_mean_of_each_plane() {
    let x = random::<Rank4<2, 3, 3, 5>, f64>(Default::default(), 3);
    let expected: Vec<f64> = x.as_vec().chunks(15).map(|plane| plane.iter().sum::<f64>() / 15.0).collect();
    assert!(distance(&GlobalAvgPool2D.forward(x.clone()).as_vec(), &expected) < 1e-14);
    check_gradients(&mut GlobalAvgPool2D, x, |layer, x| layer.forward(x));
    check_gradients(&mut GlobalAvgPool2D, permuted::<2, 3, 3, 5>(4), |layer, x| layer.forward(x));
}

#[test]
fn empty_batches_and_misfits_are_handled() {
    let empty = zeros((0, Const::<2>, Const::<4>, Const::<4>));
    assert_eq!(MaxPool2D::<2, 2>.forward(empty.clone()).shape().concrete(), [0, 2, 2, 2]);
    assert_eq!(AvgPool2D::<2, 2>.forward(empty.clone()).shape().concrete(), [0, 2, 2, 2]);
    assert_eq!(GlobalAvgPool2D.forward(empty).shape().concrete(), [0, 2]);
    let small = zeros((1, Const::<2>, 1, 4));
    assert_eq!(
        MaxPool2D::<2, 2>.try_forward(small).unwrap_err(),
        Error::Window { size: 1, kernel: 2, stride: 2, padding: 0 }
    );
}
