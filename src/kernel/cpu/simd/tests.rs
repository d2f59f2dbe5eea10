use super::*;
use crate::kernel::Element;

mod functions;

/// Applies one function of [`Real`] to a slice, at one level.
struct Map<'a, E, F> {
    x: &'a [E],
    function: F,
}

trait Function<E: Element>: Copy {
    fn apply<R: Real>(self, x: R) -> R;
}

impl<E: Element, F: Function<E>> Kernel for Map<'_, E, F> {
    type Output = Vec<E>;
    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<E> {
        let width = <E::Lane<S>>::WIDTH;
        let mut y = vec![E::default(); self.x.len()];
        for (x, y) in self.x.chunks(width).zip(y.chunks_mut(width)) {
            self.function.apply(<E::Lane<S>>::load_partial(x)).store_partial(y);
        }
        y
    }
}

macro_rules! function {
    ($name:ident, |$x:ident| $body:expr) => {
        #[derive(Clone, Copy)]
        struct $name;
        impl<E: Element> Function<E> for $name {
            #[inline(always)]
            fn apply<R: Real>(self, $x: R) -> R {
                $body
            }
        }
    };
}
function!(Sin, |x| x.sin());
function!(Cos, |x| x.cos());
function!(Exp, |x| x.exp());
function!(ExpM1, |x| x.exp_m1());
function!(Ln, |x| x.ln());
function!(Ln1p, |x| x.ln_1p());
function!(Sqrt, |x| x.sqrt());
function!(Tanh, |x| x.tanh());
function!(Erf, |x| x.erf());
function!(Normal, |x| x.normal().0);
function!(Density, |x| x.normal().1);
function!(Abs, |x| x.abs());
function!(Max, |x| x.max(R::of(0.5)));
function!(Min, |x| (-x).min(x * x));
function!(Relu, |x| x.relu());
function!(Step, |x| x.step());
function!(Sigmoid, |x| x.sigmoid());
function!(SinCos, |x| {
    let (sin, cos) = x.sin_cos();
    sin * R::of(3.0) + cos
});
function!(MulAdd, |x| x.mul_add(x, R::of(1.0)) / (x - R::of(3.0)) + -x);
// What rounding takes from the square, which only a fused operation sees.
function!(Lost, |x| x.mul_add(x, -(x * x)));

fn map<E: Element>(level: Level, function: impl Function<E>, x: &[E]) -> Vec<E> {
    dispatch_at(level, Map { x, function })
}

/// The same on the portable kernel as a processor without FMA runs it.
fn map_without_fma<E: Element>(function: impl Function<E>, x: &[E]) -> Vec<E> {
    Map { x, function }.run::<Portable<false>>()
}

/// Bits of the values, which widen exactly; any NaN is the same.
fn bits<E: Element>(values: &[E]) -> Vec<u64> {
    values.iter().map(|v| if v.is_nan() { f64::NAN } else { v.wide() }.to_bits()).collect()
}

/// Distance of an `f32` from the true value, in units of the true value's last place.
fn ulps(found: f32, truth: f64) -> f64 {
    if found.is_nan() != truth.is_nan() {
        return f64::INFINITY;
    }
    let rounded = truth as f32;
    if found == rounded || (found.is_nan() && truth.is_nan()) {
        return 0.0;
    }
    let magnitude = rounded.abs().max(f32::MIN_POSITIVE);
    let ulp = f64::from(f32::from_bits(magnitude.to_bits() + 1)) - f64::from(magnitude);
    (f64::from(found) - truth).abs() / ulp
}

/// Every 977th `f32` with magnitude in `[low, high]`, both signs, and values next to multiples of pi/2.
fn arguments(low: f32, high: f32) -> Vec<f32> {
    let mut x: Vec<f32> = (low.to_bits()..=high.to_bits()).step_by(977).map(f32::from_bits).collect();
    for k in 1..6400_u32 {
        let near = (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32;
        x.extend((-2..=2).map(|step: i32| f32::from_bits(near.to_bits().wrapping_add_signed(step))));
    }
    x.retain(|x| (low..=high).contains(x));
    let negative: Vec<f32> = x.iter().map(|x| -x).collect();
    x.extend(negative);
    x
}

fn worst(level: Level, function: impl Function<f32>, x: &[f32], truth: impl Fn(f64) -> f64) -> (f64, f32) {
    map(level, function, x)
        .iter()
        .zip(x)
        .map(|(&found, &x)| (ulps(found, truth(f64::from(x))), x))
        .fold((0.0, 0.0), |worst, next| if next.0 > worst.0 { next } else { worst })
}

#[test]
fn sine_and_cosine_are_within_two_ulp_up_to_ten_thousand() {
    let x = arguments(f32::MIN_POSITIVE, 1.0e4);
    for level in Level::available() {
        let (sin, at) = worst(level, Sin, &x, f64::sin);
        println!("{level:?} sin: {sin:.3} ulp at {at:e}");
        assert!(sin <= 2.0, "{level:?}: sin({at:e}) is {sin} ulp off");
        let (cos, at) = worst(level, Cos, &x, f64::cos);
        println!("{level:?} cos: {cos:.3} ulp at {at:e}");
        assert!(cos <= 2.0, "{level:?}: cos({at:e}) is {cos} ulp off");
    }
}

#[test]
fn sine_and_cosine_are_right_beyond() {
    let x = [1.0001e4, 1.0e5, 123_456_789.0, 1.0e20, f32::MAX, -4.0e9, 2.5, 1.0e-30, 0.0, -0.0];
    for level in Level::available() {
        assert!(worst(level, Sin, &x, f64::sin).0 <= 1.0);
        assert!(worst(level, Cos, &x, f64::cos).0 <= 1.0);
    }
}

#[test]
fn exponentials_are_within_two_ulp() {
    let x: Vec<f32> = arguments(1.0e-30, 88.72);
    for level in Level::available() {
        let (exp, at) = worst(level, Exp, &x, f64::exp);
        println!("{level:?} exp: {exp:.3} ulp at {at:e}");
        assert!(exp <= 2.0, "{level:?}: exp({at:e}) is {exp} ulp off");
        let (exp_m1, at) = worst(level, ExpM1, &x, f64::exp_m1);
        println!("{level:?} exp_m1: {exp_m1:.3} ulp at {at:e}");
        assert!(exp_m1 <= 2.5, "{level:?}: exp_m1({at:e}) is {exp_m1} ulp off");
    }
}

#[test]
fn doubles_are_as_near_the_truth_as_the_systems_library() {
    let x: Vec<f64> = arguments(1.0e-30, 700.0).into_iter().map(f64::from).collect();
    #[allow(clippy::type_complexity)]
    let functions: [(fn(Level, &[f64]) -> Vec<f64>, fn(f64) -> f64); 4] = [
        (|level, x| map(level, Sin, x), f64::sin),
        (|level, x| map(level, Cos, x), f64::cos),
        (|level, x| map(level, Exp, x), f64::exp),
        (|level, x| map(level, ExpM1, x), f64::exp_m1),
    ];
    for level in Level::available() {
        for (function, truth) in functions {
            for (found, &x) in function(level, &x).iter().zip(&x) {
                // Both are at most 1 ulp off.
                let distance = found.to_bits().abs_diff(truth(x).to_bits());
                assert!(distance <= 2, "{level:?}: {found:e} and {:e} at {x:e}", truth(x));
            }
        }
    }
}

#[test]
fn an_element_has_the_same_bits_at_every_level_whatever_its_neighbors() {
    fn check<E: Element>(x: &[E], function: impl Function<E>, name: &str) {
        let truth = bits(&map_without_fma(function, x));
        let backward: Vec<E> = x.iter().rev().copied().collect();
        for level in Level::available() {
            let (found, mut reversed) = (bits(&map(level, function, x)), bits(&map(level, function, &backward)));
            reversed.reverse();
            for (((found, reversed), truth), x) in found.into_iter().zip(reversed).zip(&truth).zip(x) {
                let wide = f64::from_bits;
                assert_eq!(found, *truth, "{name}, {level:?} at {x:?}: {:e} {:e}", wide(found), wide(*truth));
                assert_eq!(reversed, *truth, "{name}, {level:?} reversed at {x:?}");
            }
        }
    }
    fn check_all<E: Element>(x: &[E]) {
        check(x, Sin, "sin");
        check(x, Cos, "cos");
        check(x, SinCos, "sin_cos");
        check(x, Exp, "exp");
        check(x, ExpM1, "exp_m1");
        check(x, Ln, "ln");
        check(x, Ln1p, "ln_1p");
        check(x, Sqrt, "sqrt");
        check(x, Tanh, "tanh");
        check(x, Erf, "erf");
        check(x, Normal, "normal");
        check(x, Density, "density");
        check(x, Abs, "abs");
        check(x, Max, "max");
        check(x, Min, "min");
        check(x, Relu, "relu");
        check(x, Step, "step");
        check(x, Sigmoid, "sigmoid");
        check(x, MulAdd, "mul_add");
        check(x, Lost, "lost");
    }
    // Every magnitude from the smallest subnormal to infinity and some NaNs: each register has large and small ones.
    let magnitudes: Vec<f32> = (0..0x7fc0_0000).step_by(40_009).map(f32::from_bits).collect();
    let mixed = (0..magnitudes.len()).map(|i| magnitudes[i * 7919 % magnitudes.len()]);
    let mut x: Vec<f32> = mixed.zip([1.0, -1.0, -1.0].into_iter().cycle()).map(|(x, sign)| sign * x).collect();
    x.extend([f32::NAN, f32::INFINITY, -0.0, 0.5, f32::NEG_INFINITY, 1.0e4, 1.0001e4, -1.0e4, f32::MAX, 3.0, 1.0]);
    x.extend(arguments(1.0e-3, 2.0e4).iter().step_by(5));
    check_all(&x);
    let mut wide: Vec<f64> = x.iter().map(|&x| f64::from(x) * 1.000_000_123).collect();
    wide.extend([f64::MIN_POSITIVE, 5.0e-324, -1.0e-310, f64::MAX, 1.0e300, -745.2, 709.9, 1.0e22]);
    check_all(&wide);
}

#[test]
fn special_values_follow_ieee() {
    fn check<E: Element>() {
        let (inf, nan) = (E::infinity(), E::nan());
        let x = [nan, inf, -inf, E::zero(), E::of(-2.0), E::of(3.0)];
        for level in Level::available() {
            let wide = |values: Vec<E>| values.into_iter().map(|v| v.wide()).collect::<Vec<_>>();
            let sin = wide(map(level, Sin, &x));
            let cos = wide(map(level, Cos, &x));
            assert!(sin[..3].iter().chain(&cos[..3]).all(|v| v.is_nan()), "{level:?} {sin:?} {cos:?}");
            assert_eq!((sin[3], cos[3]), (0.0, 1.0));
            let exp = wide(map(level, Exp, &x));
            assert!(exp[0].is_nan());
            assert_eq!(&exp[1..4], &[f64::INFINITY, 0.0, 1.0]);
            let exp_m1 = wide(map(level, ExpM1, &x));
            assert!(exp_m1[0].is_nan());
            assert_eq!(&exp_m1[1..4], &[f64::INFINITY, -1.0, 0.0]);
            let relu = wide(map(level, Relu, &x));
            assert!(relu[0].is_nan());
            assert_eq!(&relu[1..], &[f64::INFINITY, 0.0, 0.0, 0.0, 3.0]);
            assert!(map(level, Relu, &[E::of(-0.0)])[0].is_sign_positive());
            let step = wide(map(level, Step, &x));
            assert!(step[0].is_nan());
            assert_eq!(&step[1..], &[1.0, 0.0, 0.0, 0.0, 1.0]);
            let sigmoid = wide(map(level, Sigmoid, &x));
            assert!(sigmoid[0].is_nan());
            assert_eq!(&sigmoid[1..4], &[1.0, 0.0, 0.5]);
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn operators_agree_with_the_scalar_ones() {
    let x: Vec<f64> = (0..37).map(|i| f64::from(i) * 0.37 - 5.0).collect();
    let truth: Vec<f64> = x.iter().map(|x| (x * x + 1.0) / (x - 3.0) - x).collect();
    for level in Level::available() {
        for (found, truth) in map(level, MulAdd, &x).iter().zip(&truth) {
            assert!((found - truth).abs() <= 1e-13 * truth.abs().max(1.0), "{level:?}: {found} {truth}");
        }
    }
}

#[test]
fn overflow_and_underflow_of_exp_are_gradual() {
    for level in Level::available() {
        let y = map(level, Exp, &[88.73_f32, 88.72, -87.5, -103.0, -104.5, 1000.0, -1000.0]);
        assert_eq!(y[0], f32::INFINITY);
        assert!(y[1].is_finite());
        assert!(y[2] > 0.0 && y[2] < f32::MIN_POSITIVE);
        assert!(y[3] > 0.0);
        assert_eq!(&y[4..], &[0.0, f32::INFINITY, 0.0]);
    }
}
