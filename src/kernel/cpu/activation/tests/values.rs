//! Single values at which a formula is easily wrong: infinities, NaN, limits, and values far from zero.

use super::*;

/// Value and derivative at an infinity, of the given sign.
fn at_infinity<E: Element>(name: &str, positive: bool, params: &[E]) -> (E, E) {
    let (inf, nan, zero, one) = (E::infinity(), E::nan(), E::zero(), E::one());
    match (name, positive) {
        ("vlu" | "pvlu" | "snake" | "sinlu", _) => (nan, nan),
        ("tanh", true) => (one, zero),
        ("tanh", false) => (-one, zero),
        ("swish" | "swish_beta", true) => (inf, nan),
        ("acon_c", true) => (params[0] * inf, params[0]),
        ("acon_c", false) => (params[1] * -inf, params[1]),
        (_, true) => (inf, one),
        ("relu" | "gelu" | "gelu_tanh" | "mish" | "softplus", false) => (zero, zero),
        ("elu", false) => (-params[0], zero),
        ("leaky_relu" | "prelu" | "prelu_element", false) => (params[0] * -inf, params[0]),
        ("sine_relu" | "swish" | "swish_beta", false) => (nan, nan),
        (other, _) => panic!("no limits of {other}"),
    }
}

#[test]
fn special_values_follow_ieee() {
    fn check<A: Activation, E: FusedElement>() {
        let (inf, nan) = (E::infinity(), E::nan());
        // In the first register and in the tail, as one plane and as features.
        for n in [3, 19, 67] {
            for (special, at) in [(nan, 0), (inf, 0), (-inf, 0), (nan, n - 1), (inf, n - 1), (-inf, n - 1)] {
                for layout in [
                    ChannelsLayout { outer: 1, channels: 1, inner: n },
                    ChannelsLayout { outer: n, channels: 1, inner: 1 },
                ] {
                    let mut problem = Problem::<E>::new::<A>(layout);
                    problem.x[at] = special;
                    for level in Level::available() {
                        let y = problem.forward::<A>(level);
                        let mut grad_x = vec![E::zero(); n];
                        let mut grads = vec![vec![E::zero()]; A::PARAM_COUNT];
                        problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), &mut grads, |_| true);
                        let (value, slope) = (y[at], grad_x[at] / problem.grad_output[at]);
                        let what = format!("{} {level:?} at {special:?}: {value:?}, {slope:?}", A::NAME);

                        if special.is_nan() {
                            assert!(value.is_nan(), "{what}");
                        } else {
                            let params: Vec<E> = problem.params.iter().map(|param| param[0]).collect();
                            let near = |found: E, limit: E| {
                                found == limit
                                    || (found.is_nan() && limit.is_nan())
                                    || (found - limit).abs() <= limit.abs() * E::of(1e-6)
                            };
                            let (limit, slope_there) = at_infinity(A::NAME, special > E::zero(), &params);
                            assert!(near(value, limit) && near(slope, slope_there), "{what}");
                        }
                        // The neighbors stay finite.
                        let others = |values: &[E]| values.iter().filter(|v| !v.is_finite()).count();
                        assert!(others(&y) <= 1 && others(&grad_x) <= 1, "{what}");
                    }
                }
            }
        }
    }
    for_all!(check);
}

#[test]
fn elu_is_finite_where_its_exponential_overflows() {
    let layout = ChannelsLayout { outer: 1, channels: 1, inner: 2 };
    let (x, alpha, g) = ([1000.0_f32, f32::INFINITY], [1.0], [1.0; 2]);
    for level in Level::available() {
        let (mut y, mut grad_x, mut grad) = ([0.0; 2], [0.0; 2], [0.0]);
        forward_at::<Elu, f32>(level, layout, Some(&x), &[&alpha], &mut y);
        let target = InputGradient::Overwrite(&mut grad_x[..]);
        backward_at::<Elu, f32>(level, layout, (&x[..]).into(), &[&alpha], &g, target, &mut [Some(&mut grad)]);
        assert_eq!((y, grad_x, grad), (x, [1.0; 2], [0.0]));
    }
}

/// Value, derivative, and derivatives with respect to the parameters, at each x, for one set of parameters.
fn at<A: Activation, E: FusedElement>(level: Level, x: &[E], params: &[E]) -> (Vec<E>, Vec<E>, Vec<Vec<E>>) {
    let layout = ChannelsLayout { outer: 1, channels: x.len(), inner: 1 };
    let params = params.iter().map(|&param| vec![param; x.len()]).collect();
    let problem = Problem { layout, x: x.to_vec(), grad_output: vec![E::one(); x.len()], params };
    let mut grad_x = vec![E::nan(); x.len()];
    let mut grads = vec![vec![E::zero(); x.len()]; A::PARAM_COUNT];
    problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), &mut grads, |_| true);
    (problem.forward::<A>(level), grad_x, grads)
}

#[test]
fn far_from_zero_values_and_derivatives_keep_their_digits() {
    fn check<A: Activation>() {
        let Case { value, dx, dparams } = reference(A::NAME);
        // None of these has a zero there.
        let x: Vec<f32> = (0..600).flat_map(|i| [2.0, -2.0].map(|end: f32| end + end * i as f32 / 200.0)).collect();
        let params: Vec<f64> = A::PARAMS.as_slice().iter().map(|param| param.start).collect();
        let narrow: Vec<f32> = params.iter().map(|&param| param as f32).collect();
        for level in Level::available() {
            let (y, grad_x, grads) = at::<A, f32>(level, &x, &narrow);
            for (i, &x) in x.iter().enumerate() {
                let wide = f64::from(x);
                let near = |found: f32, truth: f64| {
                    // The bound is for the rounding of an exponent, which gelu_tanh has of the third degree.
                    let error = (f64::from(found) / truth - 1.0).abs();
                    assert!(error < 2e-6, "{} {level:?} at {x}: {found:e} is not {truth:e}", A::NAME);
                };
                near(y[i], value(wide, &params));
                near(grad_x[i], dx(wide, &params));
                grads.iter().zip(dparams(wide, &params)).for_each(|(grad, truth)| near(grad[i], truth));
            }
        }
    }
    check::<Gelu>();
    check::<Mish>();
    check::<Softplus>();
    check::<Tanh>();
    check::<AconC>();
}

#[test]
fn nothing_overflows_on_the_way_to_a_limit() {
    fn check<A: Activation, E: FusedElement>(limits: [[f64; 2]; 2]) {
        let params: Vec<E> = A::PARAMS.as_slice().iter().map(|param| E::of(param.start)).collect();
        for large in [150.0, 2e3, 1e10, 1e30, 3e38].map(E::of) {
            for level in Level::available() {
                let (y, grad_x, grads) = at::<A, E>(level, &[large, -large], &params);
                for (i, [slope, offset]) in limits.into_iter().enumerate() {
                    let x = [large, -large][i];
                    let what = format!("{} {level:?} at {x:?}: {:?}, {:?}, {grads:?}", A::NAME, y[i], grad_x[i]);
                    assert!(y[i] == x * E::of(slope) + E::of(offset) || y[i].abs() < E::of(1e-60), "{what}");
                    assert!((grad_x[i] - E::of(slope)).abs() < E::of(1e-37), "{what}");
                    assert!(grads.iter().all(|grad| grad[i].is_finite()), "{what}");
                }
            }
        }
    }
    macro_rules! both {
        ($activation:ident, $limits:expr) => {
            check::<$activation, f32>($limits);
            check::<$activation, f64>($limits);
        };
    }
    let [identity, zero] = [[1.0, 0.0], [0.0, 0.0]];
    both!(Gelu, [identity, zero]);
    both!(GeluTanh, [identity, zero]);
    both!(Mish, [identity, zero]);
    both!(Softplus, [identity, zero]);
    both!(Tanh, [[0.0, 1.0], [0.0, -1.0]]);
    both!(SwishBeta, [identity, zero]);
    both!(AconC, [identity, zero]);
}

#[test]
fn snake_at_a_frequency_of_zero_is_its_limit() {
    for level in Level::available() {
        let x = [-3.0, -0.0, 0.5, 7.0_f32];
        for zero in [0.0, -0.0] {
            let (y, grad_x, grads) = at::<Snake, f32>(level, &x, &[zero]);
            assert_eq!((y, grad_x, &grads[0]), (x.to_vec(), vec![1.0; 4], &x.map(|x| x * x).to_vec()));
        }
        assert!(at::<Snake, f32>(level, &[1.0], &[f32::NAN]).0[0].is_nan());
    }
}

#[test]
fn swish_with_a_trained_beta_and_acon_c_start_as_swish() {
    let x: Vec<f32> = values(300);
    for level in Level::available() {
        let (y, grad_x, grads) = at::<Swish, f32>(level, &x, &[1.0]);
        assert_eq!(at::<SwishBeta, f32>(level, &x, &[1.0]), (y.clone(), grad_x.clone(), grads.clone()));
        let (acon_y, acon_grad_x, acon_grads) = at::<AconC, f32>(level, &x, &[1.0, 0.0, 1.0]);
        for (found, truth) in [(acon_y, y), (acon_grad_x, grad_x), (acon_grads[2].clone(), grads[0].clone())] {
            let truth: Vec<f64> = truth.into_iter().map(f64::from).collect();
            assert_close(&found, &truth, |_| 1.0, "acon_c");
        }
    }
}
