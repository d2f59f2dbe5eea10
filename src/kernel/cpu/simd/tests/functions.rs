//! Logarithms, roots, the hyperbolic tangent, the error function, and the choice among two numbers.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::*;

/// Every 1511th pattern of bits, NaNs of both signs among them, and the neighbors of where a function changes its
/// method.
fn patterns() -> Vec<f32> {
    let mut x: Vec<f32> = (0..=u32::MAX).step_by(1511).map(f32::from_bits).collect();
    let near = [f32::MIN_POSITIVE, 0.414_213_6, 0.5, 0.625, FRAC_1_SQRT_2, 0.9, 1.0, SQRT_2, 2.0, 3.92, 4.0, 9.01];
    for near in near.into_iter().chain([-0.292_893_2, -0.5, -1.0, 1.0e9, 2.0_f32.powi(30), 2.0_f32.powi(127)]) {
        x.extend((-40..=40).map(|step| f32::from_bits(near.to_bits().wrapping_add_signed(step))));
    }
    x.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1.0e-45, -1.0e-45]);
    x
}

#[test]
fn every_function_keeps_its_bound_over_the_whole_range() {
    let x = patterns();
    #[allow(clippy::type_complexity)]
    let functions: [(&str, fn(Level, &[f32]) -> Vec<f32>, fn(f64) -> f64, f64); 7] = [
        ("ln", |level, x| map(level, Ln, x), f64::ln, 2.0),
        ("ln_1p", |level, x| map(level, Ln1p, x), f64::ln_1p, 2.0),
        ("sqrt", |level, x| map(level, Sqrt, x), f64::sqrt, 0.5),
        ("tanh", |level, x| map(level, Tanh, x), f64::tanh, 2.0),
        ("erf", |level, x| map(level, Erf, x), libm::erf, 2.0),
        ("normal", |level, x| map(level, Normal, x), |x| 0.5 * libm::erfc(-x * 0.5_f64.sqrt()), 6.0),
        ("density", |level, x| map(level, Density, x), |x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(), 3.0),
    ];
    for (name, function, truth, bound) in functions {
        let truth: Vec<f64> = x.iter().map(|&x| truth(f64::from(x))).collect();
        for level in Level::available() {
            let (mut worst, mut at) = (0.0, 0.0);
            for ((found, &truth), &x) in function(level, &x).into_iter().zip(&truth).zip(&x) {
                let error = ulps(found, truth);
                if error > worst {
                    (worst, at) = (error, x);
                }
                assert!(truth != 0.0 || found.to_bits() == (truth as f32).to_bits(), "{name}({x:e}) is {found}");
            }
            println!("{level:?} {name}: {worst:.3} ulp at {at:e}");
            assert!(worst <= bound, "{level:?}: {name}({at:e}) is {worst} ulp off");
        }
    }
}

/// x with the hyperbolic tangent and the error function, from 40 digits.
const IN_40_DIGITS: [(f64, f64, f64); 16] = [
    (1e-300, 1e-300, 1.1283791670955126e-300),
    (3e-9, 3e-9, 3.3851375012865378e-9),
    (0.001, 0.0009999996666668, 0.0011283787909692365),
    (0.1, 0.09966799462495582, 0.1124629160182849),
    (0.243407269807429, 0.2387114654049536, 0.26932657370605106),
    (0.4, 0.3799489622552249, 0.42839235504666845),
    (0.7, 0.6043677771171635, 0.6778011938374184),
    (0.84, 0.6858090622290945, 0.7651427114549945),
    (0.9, 0.7162978701990245, 0.7969082124228322),
    (1.2, 0.8336546070121552, 0.9103139782296353),
    (1.5, 0.9051482536448664, 0.9661051464753108),
    (2.0, 0.9640275800758169, 0.9953222650189527),
    (2.7, 0.9910074536781176, 0.9998656672600594),
    (3.5, 0.9981778976111987, 0.9999992569016276),
    (5.0, 0.9999092042625951, 0.9999999999984626),
    (5.9, 0.9999849909968058, 0.9999999999999999),
];

#[test]
fn doubles_have_the_digits_that_are_said() {
    let off = |found: f64, truth: f64| found.to_bits().abs_diff(truth.to_bits());
    for level in Level::available() {
        for sign in [1.0, -1.0] {
            let x = IN_40_DIGITS.map(|(x, ..)| sign * x);
            let (tanh, erf) = (map(level, Tanh, &x), map(level, Erf, &x));
            for (i, (x, true_tanh, true_erf)) in IN_40_DIGITS.into_iter().enumerate() {
                assert!(off(tanh[i], sign * true_tanh) <= 3, "{level:?}: tanh({x:e}) is {:e}", tanh[i]);
                assert!(off(erf[i], sign * true_erf) <= 1, "{level:?}: erf({x:e}) is {:e}", erf[i]);
            }
        }
        // Both at most 1 ulp off, the root none.
        let x: Vec<f64> = arguments(1.0e-30, 1.0e30).into_iter().map(f64::from).collect();
        let (ln, ln_1p, sqrt) = (map(level, Ln, &x), map(level, Ln1p, &x), map(level, Sqrt, &x));
        for (i, x) in x.into_iter().enumerate() {
            assert!(x < 0.0 || off(ln[i], x.ln()) <= 2, "{level:?}: ln({x:e}) is {:e}", ln[i]);
            assert!(x <= -1.0 || off(ln_1p[i], x.ln_1p()) <= 2, "{level:?}: ln_1p({x:e}) is {:e}", ln_1p[i]);
            assert!(x < 0.0 || sqrt[i] == x.sqrt(), "{level:?}: sqrt({x:e}) is {:e}", sqrt[i]);
        }
    }
}

#[test]
fn edges_of_the_domains_follow_ieee() {
    fn check<E: Element>() {
        let (inf, nan, zero) = (f64::INFINITY, f64::NAN, 0.0);
        let x = [nan, inf, -inf, zero, -zero, -1.0, -3.0];
        let x = x.map(E::of);
        // With signs of zeros, and any NaN the same.
        let expect = |found: Vec<E>, expected: &[f64], what: &str| {
            assert_eq!(bits(&found), bits(expected), "{what}: {found:?}, expected {expected:?}");
        };
        for level in Level::available() {
            expect(map(level, Ln, &x), &[nan, inf, nan, -inf, -inf, nan, nan], "ln");
            expect(map(level, Ln1p, &x), &[nan, inf, nan, zero, -zero, -inf, nan], "ln_1p");
            expect(map(level, Sqrt, &x), &[nan, inf, nan, zero, -zero, nan, nan], "sqrt");
            expect(map(level, Abs, &x), &[nan, inf, inf, zero, zero, 1.0, 3.0], "abs");
            expect(map(level, Tanh, &x[..5]), &[nan, 1.0, -1.0, zero, -zero], "tanh");
            expect(map(level, Normal, &x[..5]), &[nan, 1.0, zero, 0.5, 0.5], "normal");
            assert!(map(level, Density, &x[..3])[0].is_nan());
            assert_eq!(map(level, Density, &x[1..3]), [E::zero(); 2]);
            expect(map(level, Erf, &x[..5]), &[nan, 1.0, -1.0, zero, -zero], "erf");
        }
    }
    check::<f32>();
    check::<f64>();
}

/// The larger and the smaller of each pair of elements.
struct Pairs<'a, E> {
    a: &'a [E],
    b: &'a [E],
}

impl<E: Element> Kernel for Pairs<'_, E> {
    type Output = (Vec<E>, Vec<E>);
    #[inline(always)]
    fn run<S: Simd>(self) -> (Vec<E>, Vec<E>) {
        let width = <E::Lane<S>>::WIDTH;
        let (mut larger, mut smaller) = (vec![E::nan(); self.a.len()], vec![E::nan(); self.a.len()]);
        let pairs = self.a.chunks(width).zip(self.b.chunks(width));
        for ((a, b), (larger, smaller)) in pairs.zip(larger.chunks_mut(width).zip(smaller.chunks_mut(width))) {
            let (a, b) = (<E::Lane<S>>::load_partial(a), <E::Lane<S>>::load_partial(b));
            a.max(b).store_partial(larger);
            a.min(b).store_partial(smaller);
        }
        (larger, smaller)
    }
}

#[test]
fn the_larger_and_the_smaller_of_two_are_nan_if_either_is_and_order_zeros_by_sign() {
    fn check<E: Element>() {
        let tiny = E::min_positive_value() / E::of(4.0);
        let values =
            [E::nan(), E::infinity(), -E::infinity(), E::zero(), -E::zero(), E::one(), E::of(-2.5), tiny, -tiny];
        let pairs = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b)));
        let (a, b): (Vec<E>, Vec<E>) = pairs.unzip();
        let truth = |first_wins: fn(f64, f64) -> bool| -> Vec<f64> {
            let choice = a.iter().zip(&b).map(|(a, b)| match (a.wide(), b.wide()) {
                (a, b) if a.is_nan() || b.is_nan() => f64::NAN,
                (a, b) if first_wins(a, b) => a,
                (_, b) => b,
            });
            choice.collect()
        };
        let larger = truth(|a, b| a > b || (a == b && a.is_sign_positive()));
        let smaller = truth(|a, b| a < b || (a == b && a.is_sign_negative()));
        let check = |(found_larger, found_smaller): (Vec<E>, Vec<E>), what: &str| {
            assert_eq!(bits(&found_larger), bits(&larger), "{what}");
            assert_eq!(bits(&found_smaller), bits(&smaller), "{what}");
        };
        for level in Level::available() {
            check(dispatch_at(level, Pairs { a: &a, b: &b }), level.name());
        }
        check(Pairs { a: &a, b: &b }.run::<Portable<false>>(), "without FMA");
    }
    check::<f32>();
    check::<f64>();
}
