use super::apply::normalize_at;
use super::backward::{backward_at, backward_running_at};
use super::statistics::batch_statistics_at;
use super::*;
use crate::kernel::Element;
use crate::kernel::cpu::simd::Level;
use crate::kernel::cpu::testing::{assert_close, bits, differences, dot, random, same_everywhere};
use crate::kernel::shape::Correction;
use crate::kernel::write::InputGradient;

const EPSILON: f64 = 1e-3;

/// Every way through a tensor: planes and rows, joined or cut, whole and broken lines, planes over several tasks, one
/// of everything.
const SHAPES: [(usize, usize, usize); 16] = [
    (1, 1, 1),
    (2, 1, 1),
    (1, 3, 1),
    (5, 3, 1),
    (700, 3, 1),
    (301, 7, 4),
    (33, 5, 49),
    (3, 300, 127),
    (2, 2100, 49),
    (130, 129, 9),
    (4, 3, 128),
    (3, 2, 1024),
    (5, 3, 1025),
    (17, 5, 3000),
    (2, 2, 40_000),
    (1, 1, 70_001),
];

fn layout((outer, channels, inner): (usize, usize, usize)) -> ChannelsLayout {
    ChannelsLayout { outer, channels, inner }
}

fn channel_of(layout: ChannelsLayout, index: usize) -> usize {
    index / layout.inner % layout.channels
}

/// The formulas, in `f64`.
mod plain {
    use super::*;

    pub fn statistics(layout: ChannelsLayout, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = layout.count() as f64;
        let mut mean = vec![0.0; layout.channels];
        for (i, x) in x.iter().enumerate() {
            mean[channel_of(layout, i)] += x / n;
        }
        let mut variance = vec![0.0; layout.channels];
        for (i, x) in x.iter().enumerate() {
            let c = channel_of(layout, i);
            variance[c] += (x - mean[c]).powi(2) / n;
        }
        (mean, variance)
    }

    pub fn normalize(
        layout: ChannelsLayout,
        x: &[f64],
        mean: &[f64],
        var: &[f64],
        gamma: &[f64],
        beta: &[f64],
    ) -> Vec<f64> {
        let one = |(i, x): (usize, &f64)| {
            let c = channel_of(layout, i);
            gamma[c] * (x - mean[c]) / (var[c] + EPSILON).sqrt() + beta[c]
        };
        x.iter().enumerate().map(one).collect()
    }
}

/// Equal, or both NaN.
fn same<E: Element>(found: &[E], expected: &[E]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

struct Case<E> {
    layout: ChannelsLayout,
    x: Vec<E>,
    gamma: Vec<E>,
    beta: Vec<E>,
    grad_output: Vec<E>,
}

impl<E: Element> Case<E> {
    fn new(layout: ChannelsLayout) -> Self {
        let mut x: Vec<E> = random(1, layout.len());
        for (i, x) in x.iter_mut().enumerate() {
            *x = *x * E::of(1.5) + E::of(0.3 * (channel_of(layout, i) % 5) as f64);
        }
        let gamma = random(2, layout.channels);
        Case { layout, x, gamma, beta: random(3, layout.channels), grad_output: random(4, layout.len()) }
    }

    fn wide(&self) -> Case<f64> {
        let wide = crate::kernel::cpu::testing::wide::<E>;
        Case {
            layout: self.layout,
            x: wide(&self.x),
            gamma: wide(&self.gamma),
            beta: wide(&self.beta),
            grad_output: wide(&self.grad_output),
        }
    }

    /// Output and the three gradients, with the statistics of the batch.
    fn train(&self, level: Level) -> [Vec<E>; 4] {
        let statistics = batch_statistics_at(level, self.layout, &self.x);
        let inv_std = statistics.inv_std(EPSILON);
        let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &self.gamma };
        let mut y = vec![E::nan(); self.x.len()];
        normalize_at(level, self.layout, Some(&self.x), scaling, &self.beta, &mut y);
        let mut in_place = self.x.clone();
        normalize_at(level, self.layout, None, scaling, &self.beta, &mut in_place);
        assert!(same(&in_place, &y));
        let mut x = vec![E::nan(); self.x.len()];
        let mut gamma = vec![E::zero(); self.gamma.len()];
        let mut beta = vec![E::zero(); self.gamma.len()];
        let gradients =
            Gradients { x: InputGradient::Overwrite(&mut x), gamma: Some(&mut gamma), beta: Some(&mut beta) };
        backward_at(level, self.layout, &self.x, scaling, &self.grad_output, gradients);
        let mut in_place = self.grad_output.clone();
        let gradients = Gradients { x: InputGradient::InPlace(&mut in_place), gamma: None, beta: None };
        backward_at(level, self.layout, &self.x, scaling, &[], gradients);
        assert!(same(&in_place, &x));
        [y, x, gamma, beta]
    }

    /// The three gradients with constant statistics.
    fn infer(&self, level: Level, mean: &[f64], inv_std: &[f64]) -> [Vec<E>; 3] {
        let scaling = Scaling { mean, inv_std, gamma: &self.gamma };
        let mut x = vec![E::nan(); self.x.len()];
        let mut gamma = vec![E::zero(); self.gamma.len()];
        let mut beta = vec![E::zero(); self.gamma.len()];
        let gradients =
            Gradients { x: InputGradient::Overwrite(&mut x), gamma: Some(&mut gamma), beta: Some(&mut beta) };
        backward_running_at(level, self.layout, &self.x, scaling, &self.grad_output, gradients);
        let mut in_place = self.grad_output.clone();
        let gradients = Gradients { x: InputGradient::InPlace(&mut in_place), gamma: None, beta: None };
        backward_running_at(level, self.layout, &[], scaling, &[], gradients);
        assert!(same(&in_place, &x));
        [x, gamma, beta]
    }
}

impl Case<f64> {
    /// The formulas of the module: output and gradients with the statistics of the batch.
    fn plain(&self) -> [Vec<f64>; 4] {
        let layout = self.layout;
        let (mean, variance) = plain::statistics(layout, &self.x);
        let y = plain::normalize(layout, &self.x, &mean, &variance, &self.gamma, &self.beta);
        let inv_std = |c: usize| 1.0 / (variance[c] + EPSILON).sqrt();
        let mut gamma = vec![0.0; layout.channels];
        let mut beta = vec![0.0; layout.channels];
        for (i, (x, g)) in self.x.iter().zip(&self.grad_output).enumerate() {
            let c = channel_of(layout, i);
            gamma[c] += g * (x - mean[c]) * inv_std(c);
            beta[c] += g;
        }
        let n = layout.count() as f64;
        let grad = |(i, (x, g)): (usize, (&f64, &f64))| {
            let c = channel_of(layout, i);
            self.gamma[c] * inv_std(c) * (g - beta[c] / n - (x - mean[c]) * inv_std(c) * gamma[c] / n)
        };
        let x = self.x.iter().zip(&self.grad_output).enumerate().map(grad).collect();
        [y, x, gamma, beta]
    }
}

fn follows_the_formulas<E: Element>(bound: f64) {
    for shape in SHAPES {
        let case = Case::<E>::new(layout(shape));
        let truth = case.wide().plain();
        let (mean, variance) = plain::statistics(case.layout, &case.wide().x);
        for level in Level::available() {
            let what = format!("{shape:?} {level:?}");
            let statistics = batch_statistics_at(level, case.layout, &case.x);
            assert_close(&statistics.mean, &mean, bound, &format!("{what} mean"));
            assert_close(&statistics.variance, &variance, bound, &format!("{what} variance"));
            for ((found, truth), name) in case.train(level).iter().zip(&truth).zip(["y", "x", "gamma", "beta"]) {
                // With one or two elements a channel, the gradient is what is left of terms that cancel.
                if case.layout.count() <= 2 && matches!(name, "x" | "gamma") {
                    let error = found.iter().zip(truth).map(|(f, t)| (f.wide() - t).abs()).fold(0.0, f64::max);
                    assert!(error <= 100.0 * bound, "{what} {name}: {error:e}");
                } else {
                    assert_close(found, truth, bound, &format!("{what} {name}"));
                }
            }
        }
    }
}

#[test]
fn f64_follows_the_formulas() {
    follows_the_formulas::<f64>(1e-11);
}

#[test]
fn f32_follows_the_formulas() {
    follows_the_formulas::<f32>(3e-6);
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for shape in [(3, 2, 5), (2, 1, 1), (4, 3, 1), (2, 1, 130)] {
        let case = Case::<f64>::new(layout(shape));
        let l = case.layout;
        let trained = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            let (mean, variance) = plain::statistics(l, x);
            dot(&plain::normalize(l, x, &mean, &variance, gamma, beta), &case.grad_output)
        };
        let [_, x, gamma, beta] = case.train(Level::current());
        assert_close(&x, &differences(&case.x, |x| trained(x, &case.gamma, &case.beta)), 1e-6, "x");
        assert_close(&gamma, &differences(&case.gamma, |gamma| trained(&case.x, gamma, &case.beta)), 1e-6, "gamma");
        assert_close(&beta, &differences(&case.beta, |beta| trained(&case.x, &case.gamma, beta)), 1e-6, "beta");

        let mean: Vec<f64> = random(5, l.channels);
        let variance: Vec<f64> = random(6, l.channels).iter().map(|v: &f64| v.abs() + 0.1).collect();
        let inv_std: Vec<f64> = variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect();
        let inferred = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            dot(&plain::normalize(l, x, &mean, &variance, gamma, beta), &case.grad_output)
        };
        let [x, gamma, beta] = case.infer(Level::current(), &mean, &inv_std);
        assert_close(&x, &differences(&case.x, |x| inferred(x, &case.gamma, &case.beta)), 1e-6, "constant x");
        let slopes = differences(&case.gamma, |gamma| inferred(&case.x, gamma, &case.beta));
        assert_close(&gamma, &slopes, 1e-6, "constant gamma");
        assert_close(
            &beta,
            &differences(&case.beta, |beta| inferred(&case.x, &case.gamma, beta)),
            1e-6,
            "constant beta",
        );
    }
}

/// Numbers of PyTorch 2: `F.batch_norm(x, running_mean, running_var, gamma, beta, True, 0.1, 1e-5)` in `float64`, and
/// the gradients of `(y * w).sum()`.
#[test]
fn agrees_with_pytorch() {
    let l = layout((2, 2, 2));
    let x = [1.0, 2.0, 3.0, -1.0, 0.5, 4.0, 2.0, 2.5];
    let (gamma, beta) = ([1.5, -0.5], [0.25, 1.0]);
    let w = [1.0, -2.0, 0.5, 3.0, 2.0, 1.0, -1.0, 0.25];
    let statistics = batch_statistics(l, &x);
    let inv_std = statistics.inv_std(1e-5);
    let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &gamma };
    let mut y = [0.0; 8];
    normalize(l, &x, scaling, &beta, &mut y);
    let truth = [
        -0.7291273241279139,
        0.3898753320182733,
        0.5582302811433941,
        1.8433785541807932,
        -1.2886286522010075,
        2.6278806443106477,
        0.8795173494027438,
        0.7188738152730689,
    ];
    assert_close(&y, &truth, 1e-14, "y");
    let (mut running_mean, mut running_variance) = ([0.1, 0.2], [1.0, 2.0]);
    update_running(&mut running_mean, &statistics.mean, 0.1, 1.0);
    update_running(&mut running_variance, &statistics.variance, 0.1, Correction::Unbiased.factor(l.count()));
    assert_close(&running_mean, &[0.2775, 0.3425], 1e-15, "running mean");
    assert_close(&running_variance, &[1.1395833333333334, 2.122916666666667], 1e-15, "running variance");
    let (mut grad_x, mut grad_gamma, mut grad_beta) = ([0.0; 8], [0.0; 2], [0.0; 2]);
    let gradients = Gradients {
        x: InputGradient::Accumulate(&mut grad_x),
        gamma: Some(&mut grad_gamma),
        beta: Some(&mut grad_beta),
    };
    backward(l, &x, scaling, &w, gradients);
    let truth = [
        0.3211064367439533,
        -2.7634502273184482,
        -0.27464724010117414,
        -0.10364362958648762,
        1.3038834407020605,
        1.1384603498724346,
        0.4508386825786158,
        -0.07254781289095405,
    ];
    assert_close(&grad_x, &truth, 1e-14, "grad x");
    assert_close(&grad_gamma, &[-1.3055030988372185, -4.7189038150592], 1e-14, "grad gamma");
    assert_close(&grad_beta, &[2.0, 2.75], 1e-15, "grad beta");
}

/// From the sums of x and of x^2 the variance would have no digit left.
#[test]
fn a_mean_far_from_zero_costs_no_digits() {
    for shape in [(64, 3, 16), (8, 2, 1500), (900, 1, 1)] {
        let l = layout(shape);
        let x: Vec<f32> = random::<f32>(9, l.len()).iter().map(|x| 4096.0 + x).collect();
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let (mean, variance) = plain::statistics(l, &wide);
        for level in Level::available() {
            let found = batch_statistics_at(level, l, &x);
            assert_close(&found.mean, &mean, 1e-9, "mean");
            assert_close(&found.variance, &variance, 1e-6, "variance");
        }
        let far: Vec<f64> = random::<f64>(9, l.len()).iter().map(|x| 1e9 + x).collect();
        let (_, variance) = plain::statistics(l, &far);
        // The reference itself loses seven digits of the mean here.
        assert_close(&batch_statistics(l, &far).variance, &variance, 1e-8, "variance, far");
    }
}

#[test]
fn threads_and_levels_change_no_bit() {
    fn check<E: Element>() {
        for shape in SHAPES.into_iter().chain([(301, 70, 4)]) {
            let case = Case::<E>::new(layout(shape));
            let (mean, inv_std) = (vec![0.1; shape.1], vec![1.7; shape.1]);
            same_everywhere(shape, || {
                let level = Level::current();
                (
                    case.train(level).map(|values| bits(&values)),
                    case.infer(level, &mean, &inv_std).map(|values| bits(&values)),
                )
            });
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn gradients_accumulate_and_frozen_ones_are_skipped() {
    for shape in [(5, 3, 4), (3, 2, 200)] {
        let case = Case::<f64>::new(layout(shape));
        let statistics = batch_statistics(case.layout, &case.x);
        let inv_std = statistics.inv_std(EPSILON);
        let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma: &case.gamma };
        let trained = case.train(Level::current());
        let inferred = case.infer(Level::current(), &statistics.mean, &inv_std);
        for (constant, truth) in [(false, &trained[1..]), (true, &inferred[..])] {
            let run = |gradients: Gradients<f64>| {
                if constant {
                    backward_running(case.layout, &case.x, scaling, &case.grad_output, gradients);
                } else {
                    backward(case.layout, &case.x, scaling, &case.grad_output, gradients);
                }
            };
            let mut x = vec![1.0; case.x.len()];
            let (mut gamma, mut beta) = (vec![1.0; case.gamma.len()], vec![1.0; case.gamma.len()]);
            run(Gradients { x: InputGradient::Accumulate(&mut x), gamma: None, beta: None });
            run(Gradients { x: InputGradient::Skip, gamma: Some(&mut gamma), beta: None });
            run(Gradients { x: InputGradient::Skip, gamma: None, beta: Some(&mut beta) });
            run(Gradients { x: InputGradient::Skip, gamma: None, beta: None });
            run(Gradients { x: InputGradient::Accumulate(&mut x), gamma: Some(&mut gamma), beta: Some(&mut beta) });
            for (found, truth) in [&x, &gamma, &beta].into_iter().zip(truth) {
                let truth: Vec<f64> = truth.iter().map(|truth| 1.0 + 2.0 * truth).collect();
                assert_close(found, &truth, 1e-14, "twice");
            }
        }
    }
}

/// The gradients of a batch in parts of `outer`, one after the other, by the sums of all.
fn in_parts<E: Element>(case: &Case<E>, outer: [usize; 2]) -> [Vec<E>; 3] {
    let Case { layout, x, gamma, grad_output, .. } = case;
    let statistics = batch_statistics(*layout, x);
    let inv_std = statistics.inv_std(EPSILON);
    let scaling = Scaling { mean: &statistics.mean, inv_std: &inv_std, gamma };
    let cut = outer[0] * layout.channels * layout.inner;
    let parts = outer.map(|outer| ChannelsLayout { outer, ..*layout });
    let (first_x, last_x) = x.split_at(cut);
    let (first_g, last_g) = grad_output.split_at(cut);
    let sums = [
        gradient_sums(parts[0], first_x, &statistics.mean, first_g),
        gradient_sums(parts[1], last_x, &statistics.mean, last_g),
    ];
    let add = |of: fn(&GradientSums) -> &Vec<f64>| of(&sums[0]).iter().zip(of(&sums[1])).map(|(a, b)| a + b).collect();
    let all = GradientSums { grad_outputs: add(|sums| &sums.grad_outputs), products: add(|sums| &sums.products) };
    let mut grad_x = vec![E::nan(); x.len()];
    let (mut grad_gamma, mut grad_beta) = (vec![E::zero(); gamma.len()], vec![E::zero(); gamma.len()]);
    let (first, last) = grad_x.split_at_mut(cut);
    for (part, own, x, g, to) in
        [(parts[0], &sums[0], first_x, first_g, first), (parts[1], &sums[1], last_x, last_g, last)]
    {
        let gradients =
            Gradients { x: InputGradient::Overwrite(to), gamma: Some(&mut grad_gamma), beta: Some(&mut grad_beta) };
        backward_of_part(part, x, scaling, g, [own, &all], layout.count(), gradients);
    }
    [grad_x, grad_gamma, grad_beta]
}

#[test]
fn parts_have_the_gradients_of_the_whole_and_the_same_bits_everywhere() {
    for shape in SHAPES {
        let case = Case::<f64>::new(layout(shape));
        let [_, whole @ ..] = case.train(Level::current());
        for first in [0, 1, shape.0 / 2, shape.0] {
            for (found, truth) in in_parts(&case, [first, shape.0 - first]).iter().zip(&whole) {
                let largest = truth.iter().fold(1e-3_f64, |largest, x| largest.max(x.abs()));
                let error = found.iter().zip(truth).fold(0.0_f64, |error, (a, b)| error.max((a - b).abs()));
                assert!(error <= 1e-10 * largest, "{shape:?} after {first}: {error:e} of {largest:e}");
            }
        }
        let case = Case::<f32>::new(layout(shape));
        same_everywhere(shape, || in_parts(&case, [1, shape.0 - 1]).map(|gradient| bits(&gradient)));
    }
}

#[test]
fn nothing_is_a_batch_too() {
    for shape in [(0, 3, 4), (2, 0, 4), (2, 3, 0)] {
        let case = Case::<f32>::new(layout(shape));
        let statistics = batch_statistics(case.layout, &case.x);
        assert_eq!(statistics.mean, vec![0.0; shape.1]);
        assert_eq!(statistics.variance, vec![0.0; shape.1]);
        let [y, x, gamma, beta] = case.train(Level::current());
        assert!(y.is_empty() && x.is_empty());
        assert!(gamma.iter().chain(&beta).all(|&g| g == 0.0));
    }
}

#[test]
fn what_is_not_finite_stays_in_its_channel() {
    for (shape, bad) in [((4, 3, 5), f64::NAN), ((4, 3, 5), f64::INFINITY), ((4, 3, 300), f64::NAN)] {
        let mut case = Case::<f64>::new(layout(shape));
        case.x[case.layout.inner + 2] = bad;
        for level in Level::available() {
            let [y, x, gamma, _] = case.train(level);
            for (i, (y, x)) in y.iter().zip(&x).enumerate() {
                let hit = channel_of(case.layout, i) == 1;
                assert_eq!((y.is_nan(), x.is_nan()), (hit, hit), "{shape:?} {level:?} {i}");
            }
            assert_eq!(gamma.iter().map(|g| g.is_nan()).collect::<Vec<_>>(), [false, true, false]);
        }
    }
}

#[test]
fn running_variance_follows_pytorch_or_keras() {
    assert_eq!(Correction::Unbiased.factor(5), 1.25);
    assert_eq!(Correction::Unbiased.factor(1), 1.0);
    assert_eq!(Correction::Unbiased.factor(0), 1.0);
    assert_eq!(Correction::Biased.factor(5), 1.0);
    let mut running = [1.0_f32, 2.0];
    update_running(&mut running, &[2.0, 4.0], 0.5, Correction::Unbiased.factor(5));
    assert_eq!(running, [1.75, 3.5]);
    update_running(&mut running, &[2.0, 4.0], 0.5, Correction::Biased.factor(5));
    assert_eq!(running, [1.875, 3.75]);
    update_running(&mut running, &[0.0, 0.0], 1.0, 1.0);
    assert_eq!(running, [0.0, 0.0]);
}
