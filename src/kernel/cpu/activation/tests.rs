//! The kernels against formulas written out below in plain `f64`, at every instruction set of the machine.

mod cases;

use cases::{Case, Problem, reference, values};

use super::*;
use crate::activation::*;
use crate::kernel::cpu::batch_norm;
use crate::kernel::cpu::testing::{bits, random, same_everywhere};

/// Runs a generic check for every activation, of an element type if one is given.
macro_rules! each {
    ($check:ident $(, $elem:ident)?) => {
        $check::<Relu $(, $elem)?>();
        $check::<LeakyRelu $(, $elem)?>();
        $check::<Elu $(, $elem)?>();
        $check::<PRelu $(, $elem)?>();
        $check::<SineRelu $(, $elem)?>();
        $check::<Swish $(, $elem)?>();
        $check::<Vlu $(, $elem)?>();
        $check::<Pvlu $(, $elem)?>();
        $check::<Gelu $(, $elem)?>();
        $check::<GeluTanh $(, $elem)?>();
        $check::<Mish $(, $elem)?>();
        $check::<Softplus $(, $elem)?>();
        $check::<Tanh $(, $elem)?>();
        $check::<Snake $(, $elem)?>();
        $check::<SinLu $(, $elem)?>();
        $check::<SwishBeta $(, $elem)?>();
        $check::<AconC $(, $elem)?>();
        $check::<PReluElement $(, $elem)?>();
    };
}

/// A new activation stands in the list above, too.
#[test]
fn every_built_in_activation_is_checked() {
    static CHECKED: std::sync::Mutex<Vec<&str>> = std::sync::Mutex::new(Vec::new());
    fn note<A: Activation>() {
        CHECKED.lock().unwrap().push(A::NAME);
    }
    each!(note);
    let built_in: Vec<&str> = BUILT_IN.iter().map(|activation| activation.name()).collect();
    assert_eq!(*CHECKED.lock().unwrap(), built_in);
}

/// Runs a generic check for every activation and both element types.
macro_rules! for_all {
    ($check:ident) => {
        each!($check, f32);
        each!($check, f64);
    };
}

// After the macros that it uses.
mod values;

/// Largest error, relative to a scale.
fn tolerance<E: Element>() -> f64 {
    if E::epsilon().wide() > 1e-10 { 1e-6 } else { 1e-12 }
}

#[track_caller]
fn assert_close<E: Element>(found: &[E], truth: &[f64], scale: impl Fn(usize) -> f64, what: &str) {
    assert_eq!(found.len(), truth.len());
    for (i, (found, truth)) in found.iter().zip(truth).enumerate() {
        let error = (found.wide() - truth).abs();
        assert!(error <= tolerance::<E>() * scale(i), "{what}, element {i}: {found:?} is not {truth}");
    }
}

const LAYOUTS: [(usize, usize, usize); 18] = [
    (5, 3, 1),
    (5, 3, 3),
    (1, 7, 4),
    (5, 2, 31),
    (5, 3, 33),
    (2, 2, 1024),
    (1, 1, 1),
    (5, 1, 1),
    (1, 1, 5000),
    (40, 37, 49),
    (700, 129, 1),
    (300, 63, 4),
    (3, 40_000, 1),
    (37, 16_411, 1),
    (0, 3, 4),
    (0, 3, 40),
    (5, 3, 0),
    (5, 0, 7),
];

#[test]
fn every_kernel_agrees_with_the_formula() {
    fn check<A: Activation, E: FusedElement>() {
        for (outer, channels, inner) in LAYOUTS {
            let layout = ChannelsLayout { outer, channels, inner };
            let problem = Problem::<E>::new::<A>(layout);
            let truth = problem.truth(reference(A::NAME));
            for level in Level::available() {
                let what = format!("{} {level:?} {layout:?}", A::NAME);
                let y = problem.forward::<A>(level);
                let scale = |i: usize| problem.x[i].wide().abs().max(1.0);
                assert_close(&y, &truth.y, scale, &what);

                let start = E::of(0.25);
                let mut grad_x = vec![start; layout.len()];
                let mut grads = vec![vec![start; channels]; A::PARAM_COUNT];
                problem.backward::<A>(level, InputGradient::Accumulate(&mut grad_x), &mut grads, |_| true);
                let expected: Vec<f64> = truth.grad_x.iter().map(|g| g + 0.25).collect();
                assert_close(&grad_x, &expected, scale, &what);
                for (param, grad) in grads.iter().enumerate() {
                    let expected: Vec<f64> = truth.grads[param].iter().map(|g| g + 0.25).collect();
                    // A sum can cancel: its error is measured against the sum of the magnitudes.
                    assert_close(grad, &expected, |i| truth.magnitudes[param][i].max(1.0), &what);
                }

                let mut over_grad_output = problem.grad_output.clone();
                let mut others = vec![vec![start; channels]; A::PARAM_COUNT];
                problem.backward::<A>(level, InputGradient::InPlace(&mut over_grad_output), &mut others, |_| true);
                assert_close(&over_grad_output, &truth.grad_x, scale, &what);
                assert_eq!(others, grads, "{what}");
            }
        }
    }
    for_all!(check);
}

#[test]
fn what_is_not_wanted_is_not_touched() {
    fn check<A: Activation, E: FusedElement>() {
        for (outer, channels, inner) in [(5, 3, 3), (3, 4, 37)] {
            let problem = Problem::<E>::new::<A>(ChannelsLayout { outer, channels, inner });
            for level in Level::available() {
                let zeros = || vec![vec![E::zero(); channels]; A::PARAM_COUNT];
                let full = |grads: &mut Vec<Vec<E>>| {
                    let mut grad_x = vec![E::nan(); problem.x.len()];
                    problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), grads, |_| true);
                    grad_x
                };
                let mut all = zeros();
                let grad_x = full(&mut all);

                // The gradient of x alone, added: the same as overwriting zeros.
                let mut alone = vec![E::zero(); problem.x.len()];
                let mut grads = vec![vec![E::of(7.0); channels]; A::PARAM_COUNT];
                problem.backward::<A>(level, InputGradient::Accumulate(&mut alone), &mut grads, |_| false);
                assert_eq!(alone, grad_x);
                assert!(grads.iter().flatten().all(|&g| g == E::of(7.0)));

                // Each parameter alone, without that of x.
                for wanted in 0..A::PARAM_COUNT {
                    let mut grads = zeros();
                    problem.backward::<A>(level, InputGradient::Skip, &mut grads, |param| param == wanted);
                    for (param, grad) in grads.iter().enumerate() {
                        let expected = if param == wanted { all[param].clone() } else { vec![E::zero(); channels] };
                        assert_eq!(*grad, expected);
                    }
                }
                problem.backward::<A>(level, InputGradient::Skip, &mut all, |_| false);
            }
        }
    }
    for_all!(check);
}

/// Checks the promise of [`Activation::DIFFERENTIATES_FROM_OUTPUT`].
#[test]
fn derivatives_are_those_at_the_output_where_said_so() {
    fn check<A: Activation, E: FusedElement>() {
        if !A::DIFFERENTIATES_FROM_OUTPUT {
            return;
        }
        for (outer, channels, inner) in [(5, 3, 3), (3, 4, 37)] {
            let mut problem = Problem::<E>::new::<A>(ChannelsLayout { outer, channels, inner });
            let special = [E::zero(), -E::zero(), E::min_positive_value(), -E::min_positive_value(), E::infinity()];
            problem.x[..5].copy_from_slice(&special);
            for level in Level::available() {
                let gradient = |problem: &Problem<E>| {
                    let mut grad_x = vec![E::nan(); problem.x.len()];
                    problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), &mut [], |_| true);
                    grad_x
                };
                let output = Problem { x: problem.forward::<A>(level), ..problem.clone() };
                assert_eq!(gradient(&output), gradient(&problem), "{}", A::NAME);
            }
        }
    }
    for_all!(check);
    const { assert!(Relu::DIFFERENTIATES_FROM_OUTPUT && !Pvlu::DIFFERENTIATES_FROM_OUTPUT) };
}

#[test]
fn derivatives_agree_with_finite_differences() {
    fn check<A: Activation>() {
        let step = 1e-5;
        // Away from the kink at 0.
        let x: Vec<f64> = values(400).into_iter().map(|x: f64| if x.abs() < 0.01 { x + 0.5 } else { x }).collect();
        let layout = ChannelsLayout { outer: 1, channels: x.len(), inner: 1 };
        let problem = Problem { x, grad_output: vec![1.0; layout.channels], ..Problem::<f64>::new::<A>(layout) };
        for level in Level::available() {
            let shifted = |change: &dyn Fn(&mut Problem<f64>, f64)| {
                let [high, low] = [step, -step].map(|step| {
                    let mut problem = problem.clone();
                    change(&mut problem, step);
                    problem.forward::<A>(level)
                });
                high.iter().zip(&low).map(|(high, low)| (high - low) / (2.0 * step)).collect::<Vec<_>>()
            };
            let mut grad_x = vec![0.0; layout.channels];
            let mut grads = vec![vec![0.0; layout.channels]; A::PARAM_COUNT];
            problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), &mut grads, |_| true);

            let near = |found: &[f64], differences: &[f64]| {
                for ((found, difference), x) in found.iter().zip(differences).zip(&problem.x) {
                    let error = (found - difference).abs();
                    assert!(error < 1e-6 * difference.abs().max(1e-2), "{} at {x}: {found} {difference}", A::NAME);
                }
            };
            near(&grad_x, &shifted(&|problem, step| problem.x.iter_mut().for_each(|x| *x += step)));
            for (param, grad) in grads.iter().enumerate() {
                near(grad, &shifted(&|problem, step| problem.params[param].iter_mut().for_each(|p| *p += step)));
            }
        }
    }
    each!(check);
}

#[test]
fn pvlu_with_alpha_zero_is_relu_bit_for_bit() {
    fn check<E: FusedElement>() {
        for inner in [1, 50] {
            let layout = ChannelsLayout { outer: 7, channels: 9, inner };
            let mut pvlu = Problem::<E>::new::<Pvlu>(layout);
            pvlu.params = vec![vec![E::zero(); 9], vec![E::one(); 9]];
            let large = E::of(3e38);
            let extremes = [E::zero(), -E::zero(), E::min_positive_value(), -E::min_positive_value(), large, -large];
            for (x, extreme) in pvlu.x.iter_mut().step_by(5).zip(extremes.into_iter().cycle()) {
                *x = extreme;
            }
            let relu = Problem { params: vec![], ..pvlu.clone() };
            for level in Level::available() {
                let bits = |values: &[E]| values.iter().map(|v| v.wide().to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&pvlu.forward::<Pvlu>(level)), bits(&relu.forward::<Relu>(level)));
                let mut grads = [vec![E::zero(); pvlu.x.len()], vec![E::zero(); pvlu.x.len()]];
                let [first, second] = &mut grads;
                let mut params = vec![vec![E::zero(); 9]; 2];
                pvlu.backward::<Pvlu>(level, InputGradient::Overwrite(first), &mut params, |_| true);
                relu.backward::<Relu>(level, InputGradient::Overwrite(second), &mut [], |_| true);
                assert_eq!(bits(&grads[0]), bits(&grads[1]));
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn threads_and_levels_change_no_bit() {
    fn check<A: Activation, E: FusedElement>() {
        // Planes of whole registers and with a rest, over several tasks; rows of every kind.
        for (outer, channels, inner) in
            [(9, 10, 1024), (3, 5, 37), (2, 2, 40_011), (1500, 65, 1), (90, 30, 9), (7, 3, 1), (37, 16_411, 1)]
        {
            let problem = Problem::<E>::new::<A>(ChannelsLayout { outer, channels, inner });
            same_everywhere((A::NAME, problem.layout), || {
                let level = Level::current();
                let mut grad_x = vec![E::zero(); problem.x.len()];
                let mut grads = vec![vec![E::zero(); channels]; A::PARAM_COUNT];
                problem.backward::<A>(level, InputGradient::Overwrite(&mut grad_x), &mut grads, |_| true);
                [bits(&problem.forward::<A>(level)), bits(&grad_x), bits(&grads.concat())]
            });
        }
    }
    for_all!(check);
}

#[test]
fn an_input_that_a_batch_norm_makes_gives_the_bits_of_its_values() {
    fn check<A: Activation, E: FusedElement>() {
        for (outer, channels, inner) in LAYOUTS {
            let layout = ChannelsLayout { outer, channels, inner };
            let mut problem = Problem::<E>::new::<A>(layout);
            let (x, values) = (problem.x.clone(), random::<E>(3, channels));
            let (mean, inv_std) = (vec![0.1; channels], vec![1.7; channels]);
            let scaling = batch_norm::Scaling { mean: &mean, inv_std: &inv_std, gamma: &values };
            batch_norm::normalize(layout, &x, scaling, &values, &mut problem.x);
            let normalization = batch_norm::Normalization::new(layout, scaling, &values);
            let params: Vec<&[E]> = problem.params.iter().map(Vec::as_slice).collect();
            for level in Level::available() {
                let run = |input: Input<'_, E>| {
                    let mut grad_x = problem.grad_output.clone();
                    let mut grads = vec![vec![E::zero(); channels]; A::PARAM_COUNT];
                    let wanted = &mut grads.iter_mut().map(|grad| Some(&mut grad[..])).collect::<Vec<_>>();
                    backward_at::<A, E>(
                        level,
                        layout,
                        input,
                        &params,
                        &[],
                        InputGradient::InPlace(&mut grad_x),
                        wanted,
                    );
                    [bits(&grad_x), bits(&grads.concat())]
                };
                let found = run(Input::normalized(&x, &normalization));
                assert_eq!(found, run((&problem.x[..]).into()), "{} {level:?} {layout:?}", A::NAME);
            }
        }
    }
    for_all!(check);
}

/// a / x: derivatives are infinite at x = 0, with which the kernels fill up their last register.
#[derive(Clone, Copy, Debug, Default)]
struct Singular;

impl Formula for Singular {
    type Params<T: Copy> = [T; 1];

    #[inline(always)]
    fn f<R: Real>(x: R, [a]: [R; 1]) -> R {
        a / x
    }
    #[inline(always)]
    fn df<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        (-a / (x * x), [R::of(1.0) / x])
    }
}

#[test]
fn lanes_past_the_end_do_not_leak_into_sums() {
    for (outer, inner) in [(3, 37), (5, 3)] {
        let layout = ChannelsLayout { outer, channels: 1, inner };
        let x = vec![2.0_f32; layout.len()];
        for level in Level::available() {
            let mut grad = [0.0];
            let target = &mut [Some(&mut grad[..])];
            backward_at::<Singular, f32>(level, layout, (&x[..]).into(), &[&[1.0]], &x, InputGradient::Skip, target);
            assert_eq!(grad, [layout.len() as f32]);
        }
    }
}

/// ISRU (Carlile 2017), as a user would write it.
#[derive(Clone, Copy, Debug, Default)]
struct Isru;

impl Activation for Isru {
    const NAME: &'static str = "isru";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 1.5)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        x / (a * x).mul_add(x, R::of(1.0)).sqrt()
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        let reciprocal = R::of(1.0) / (a * x).mul_add(x, R::of(1.0)).sqrt();
        let cube = reciprocal * reciprocal * reciprocal;
        (cube, [R::of(-0.5) * x * x * x * cube])
    }
}

#[test]
fn a_users_activation_gets_the_fused_kernels() {
    let truth: Case = Case {
        value: |x, p| x / (1.0 + p[0] * x * x).sqrt(),
        dx: |x, p| (1.0 + p[0] * x * x).powf(-1.5),
        dparams: |x, p| vec![-0.5 * x.powi(3) * (1.0 + p[0] * x * x).powf(-1.5)],
    };
    let problem = Problem::<f64>::new::<Isru>(ChannelsLayout { outer: 4, channels: 3, inner: 40 });
    let truth = problem.truth(truth);
    let Kernels { forward, backward, .. } = <f64 as FusedElement>::kernels::<Isru>();
    let params: Vec<&[f64]> = problem.params.iter().map(Vec::as_slice).collect();
    let (mut y, mut grad_x, mut grad) = (vec![0.0; 480], vec![0.0; 480], vec![0.0; 3]);
    forward(problem.layout, &problem.x, &params, &mut y);
    let target = InputGradient::Overwrite(&mut grad_x[..]);
    backward(problem.layout, (&problem.x[..]).into(), &params, &problem.grad_output, target, &mut [Some(&mut grad)]);
    assert_close(&y, &truth.y, |_| 10.0, "isru");
    assert_close(&grad_x, &truth.grad_x, |_| 10.0, "isru");
    assert_close(&grad, &truth.grads[0], |i| truth.magnitudes[0][i], "isru");
}
