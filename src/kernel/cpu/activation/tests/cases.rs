//! The formulas once more, in plain `f64`, and the data to run them on.

use std::f64::consts::{FRAC_2_PI, TAU};

use super::super::*;
use crate::activation::Activation;
use crate::kernel::ParamArray;

/// A formula and its derivatives with respect to x and to each parameter.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub value: fn(f64, &[f64]) -> f64,
    pub dx: fn(f64, &[f64]) -> f64,
    pub dparams: fn(f64, &[f64]) -> Vec<f64>,
}

fn logistic(z: f64) -> f64 {
    if z > 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * 0.5_f64.sqrt())
}

fn gelu_angle(x: f64) -> f64 {
    FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3))
}

/// From the formulas in the papers.
pub(super) fn reference(name: &str) -> Case {
    let leaky = Case {
        value: |x, p| if x > 0.0 { x } else { p[0] * x },
        dx: |x, p| if x > 0.0 { 1.0 } else { p[0] },
        dparams: |x, _| vec![x.min(0.0)],
    };
    let sinusoidal = Case {
        value: |x, p| x.max(0.0) + p[0] * (p[1] * x).sin(),
        dx: |x, p| f64::from(x > 0.0) + p[0] * p[1] * (p[1] * x).cos(),
        dparams: |x, p| vec![(p[1] * x).sin(), p[0] * x * (p[1] * x).cos()],
    };
    match name {
        "relu" => Case { value: |x, _| x.max(0.0), dx: |x, _| f64::from(x > 0.0), dparams: |_, _| vec![] },
        "leaky_relu" | "prelu" | "prelu_element" => leaky,
        "elu" => Case {
            value: |x, p| if x > 0.0 { x } else { p[0] * x.exp_m1() },
            dx: |x, p| if x > 0.0 { 1.0 } else { p[0] * x.exp() },
            dparams: |x, _| vec![x.min(0.0).exp_m1()],
        },
        "sine_relu" => Case {
            value: |x, p| if x > 0.0 { x } else { p[0] * (x.sin() - x.cos()) },
            dx: |x, p| if x > 0.0 { 1.0 } else { p[0] * (x.cos() + x.sin()) },
            dparams: |x, _| vec![if x > 0.0 { 0.0 } else { x.sin() - x.cos() }],
        },
        "swish" => Case {
            value: |x, p| x * logistic(p[0] * x),
            dx: |x, p| logistic(p[0] * x) * (1.0 + p[0] * x * logistic(-p[0] * x)),
            dparams: |x, p| vec![x * x * logistic(p[0] * x) * logistic(-p[0] * x)],
        },
        "vlu" | "pvlu" => sinusoidal,
        "swish_beta" => reference("swish"),
        "gelu" => Case {
            value: |x, _| x * normal(x),
            dx: |x, _| normal(x) + x * (-0.5 * x * x).exp() / TAU.sqrt(),
            dparams: |_, _| vec![],
        },
        "gelu_tanh" => Case {
            value: |x, _| x * logistic(2.0 * gelu_angle(x)),
            dx: |x, _| {
                let u = gelu_angle(x);
                logistic(2.0 * u) + 0.5 * x / u.cosh().powi(2) * FRAC_2_PI.sqrt() * (1.0 + 3.0 * 0.044715 * x * x)
            },
            dparams: |_, _| vec![],
        },
        "mish" => Case {
            value: |x, _| x * x.exp().ln_1p().tanh(),
            dx: |x, _| {
                let softplus = x.exp().ln_1p();
                softplus.tanh() + x * logistic(x) / softplus.cosh().powi(2)
            },
            dparams: |_, _| vec![],
        },
        "softplus" => Case { value: |x, _| x.exp().ln_1p(), dx: |x, _| logistic(x), dparams: |_, _| vec![] },
        "tanh" => Case { value: |x, _| x.tanh(), dx: |x, _| x.cosh().powi(-2), dparams: |_, _| vec![] },
        "snake" => Case {
            value: |x, p| x + (p[0] * x).sin().powi(2) / p[0],
            dx: |x, p| 1.0 + (2.0 * p[0] * x).sin(),
            dparams: |x, p| vec![x * (2.0 * p[0] * x).sin() / p[0] - ((p[0] * x).sin() / p[0]).powi(2)],
        },
        "sinlu" => Case {
            value: |x, p| (x + p[0] * (p[1] * x).sin()) * logistic(x),
            dx: |x, p| {
                let wave = x + p[0] * (p[1] * x).sin();
                (1.0 + p[0] * p[1] * (p[1] * x).cos()) * logistic(x) + wave * logistic(x) * logistic(-x)
            },
            dparams: |x, p| vec![(p[1] * x).sin() * logistic(x), p[0] * x * (p[1] * x).cos() * logistic(x)],
        },
        "acon_c" => Case {
            value: |x, p| (p[0] - p[1]) * x * logistic(p[2] * (p[0] - p[1]) * x) + p[1] * x,
            dx: |x, p| {
                let z = p[2] * (p[0] - p[1]) * x;
                (p[0] - p[1]) * (logistic(z) + z * logistic(z) * logistic(-z)) + p[1]
            },
            dparams: |x, p| {
                let z = p[2] * (p[0] - p[1]) * x;
                let first = x * (logistic(z) + z * logistic(z) * logistic(-z));
                vec![first, x - first, ((p[0] - p[1]) * x).powi(2) * logistic(z) * logistic(-z)]
            },
        },
        other => panic!("no formula for {other}"),
    }
}

/// Values in [-4, 4], spread evenly by the golden ratio; some are zero, of either sign.
pub(super) fn values<E: Element>(n: usize) -> Vec<E> {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let value = |i: usize| match i % 50 {
        20 => 0.0,
        45 => -0.0,
        _ => 8.0 * (i as f64 * golden).fract() - 4.0,
    };
    (0..n).map(|i| E::of(value(i))).collect()
}

/// One call of the kernels.
#[derive(Clone, Debug)]
pub(super) struct Problem<E> {
    pub layout: ChannelsLayout,
    pub x: Vec<E>,
    pub grad_output: Vec<E>,
    pub params: Vec<Vec<E>>,
}

/// The expected results of the kernels, in `f64`.
pub(super) struct Truth {
    pub y: Vec<f64>,
    pub grad_x: Vec<f64>,
    pub grads: Vec<Vec<f64>>,
    /// The sums of the magnitudes of the terms of `grads`.
    pub magnitudes: Vec<Vec<f64>>,
}

impl<E: Element> Problem<E> {
    /// Parameters around their start values, different in each channel.
    pub(super) fn new<A: Activation>(layout: ChannelsLayout) -> Self {
        let n = layout.len();
        let spread: Vec<f64> = values(layout.channels);
        let params = A::PARAMS.as_slice().to_vec();
        let near = |start: f64, s: f64| E::of(if start == 0.0 { s / 10.0 } else { start * (1.0 + s / 10.0) });
        let params = params.iter().map(|param| spread.iter().map(|&s| near(param.start, s)).collect());
        // In [-1, 1], and out of step with x.
        let grad_output = values::<E>(n + 7).into_iter().skip(7).map(|g| g / E::of(4.0)).collect();
        Problem { layout, x: values(n), grad_output, params: params.collect() }
    }

    pub(super) fn truth(&self, case: Case) -> Truth {
        let ChannelsLayout { channels, inner, .. } = self.layout;
        let sums = vec![vec![0.0; channels]; self.params.len()];
        let mut truth = Truth { y: vec![], grad_x: vec![], grads: sums.clone(), magnitudes: sums };
        for (i, (x, g)) in self.x.iter().zip(&self.grad_output).enumerate() {
            let channel = i / inner % channels;
            let params: Vec<f64> = self.params.iter().map(|param| param[channel].wide()).collect();
            let (x, g) = (x.wide(), g.wide());
            truth.y.push((case.value)(x, &params));
            truth.grad_x.push(g * (case.dx)(x, &params));
            for (param, d) in (case.dparams)(x, &params).into_iter().enumerate() {
                truth.grads[param][channel] += g * d;
                truth.magnitudes[param][channel] += (g * d).abs();
            }
        }
        truth
    }

    fn params(&self) -> Vec<&[E]> {
        self.params.iter().map(Vec::as_slice).collect()
    }

    pub(super) fn forward<A: Activation>(&self, level: Level) -> Vec<E> {
        let mut y = vec![E::nan(); self.x.len()];
        forward_at::<A, E>(level, self.layout, Some(&self.x), &self.params(), &mut y);
        let mut in_place = self.x.clone();
        forward_at::<A, E>(level, self.layout, None, &self.params(), &mut in_place);
        assert!(in_place.iter().zip(&y).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{}", A::NAME);
        y
    }

    pub(super) fn backward<A: Activation>(
        &self,
        level: Level,
        grad_x: InputGradient<&mut [E]>,
        grads: &mut [Vec<E>],
        wanted: impl Fn(usize) -> bool,
    ) {
        let mut grads: Vec<Option<&mut [E]>> =
            grads.iter_mut().enumerate().map(|(param, grad)| wanted(param).then_some(&mut grad[..])).collect();
        let grad_output: &[E] = if matches!(grad_x, InputGradient::InPlace(_)) { &[] } else { &self.grad_output };
        backward_at::<A, E>(level, self.layout, (&self.x[..]).into(), &self.params(), grad_output, grad_x, &mut grads);
    }
}
