//! Optimizer steps, in place and in one pass.
//!
//! Coefficients are computed in `f64` and rounded once. The arithmetic is elementwise, multiplications and additions
//! are rounded one by one: every machine and every number of threads gives the same bits.

use super::simd::{Kernel, Level, Simd};
use super::tasks::{self, TASK};
use crate::kernel::Element;

/// Stochastic gradient descent, as `torch.optim.SGD` with dampening 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Step size, the factor of each update.
    pub learning_rate: f64,
    /// Weight of the past velocity; 0 switches it off.
    pub momentum: f64,
    /// True for Nesterov momentum, which looks one step of the velocity ahead.
    pub nesterov: bool,
    /// L2 penalty: `weight_decay * param` is added to the gradient.
    pub weight_decay: f64,
}

/// One step:
///
/// ```text
/// g = grad + weight_decay param
/// velocity = momentum velocity + g
/// param -= learning_rate (nesterov ? g + momentum velocity : velocity)
/// ```
///
/// The velocity starts at zero, which makes it the gradient in the first step. Without momentum (0) it is neither read
/// nor written, and may be empty.
pub fn sgd<E: Element>(param: &mut [E], grad: &[E], velocity: &mut [E], config: Sgd) {
    sgd_at(Level::current(), param, grad, velocity, config);
}

pub(crate) fn sgd_at<E: Element>(level: Level, param: &mut [E], grad: &[E], velocity: &mut [E], config: Sgd) {
    assert_eq!(param.len(), grad.len());
    let slices = param.chunks_mut(TASK).zip(grad.chunks(TASK));
    let [rate, momentum, decay] = [config.learning_rate, config.momentum, config.weight_decay].map(E::of);
    if config.momentum == 0.0 {
        tasks::for_each(level, slices.map(|(param, grad)| PlainStep { param, grad, rate, decay }));
    } else {
        assert_eq!(grad.len(), velocity.len());
        let nesterov = config.nesterov;
        tasks::for_each(
            level,
            slices.zip(velocity.chunks_mut(TASK)).map(|((param, grad), velocity)| MomentumStep {
                param,
                grad,
                velocity,
                rate,
                momentum,
                decay,
                nesterov,
            }),
        );
    }
}

struct PlainStep<'a, E> {
    param: &'a mut [E],
    grad: &'a [E],
    rate: E,
    decay: E,
}

impl<E: Element> Kernel for PlainStep<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (param, &grad) in self.param.iter_mut().zip(self.grad) {
            *param = *param - self.rate * (grad + self.decay * *param);
        }
    }
}

struct MomentumStep<'a, E> {
    param: &'a mut [E],
    grad: &'a [E],
    velocity: &'a mut [E],
    rate: E,
    momentum: E,
    decay: E,
    nesterov: bool,
}

impl<E: Element> Kernel for MomentumStep<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for ((param, &grad), velocity) in self.param.iter_mut().zip(self.grad).zip(self.velocity) {
            let g = grad + self.decay * *param;
            *velocity = self.momentum * *velocity + g;
            let step = if self.nesterov { g + self.momentum * *velocity } else { *velocity };
            *param = *param - self.rate * step;
        }
    }
}

/// Adam (D. P. Kingma and J. Ba, 2015), as `torch.optim.Adam`; with `decoupled`, AdamW (I. Loshchilov and F. Hutter,
/// 2019), as `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size, before the bias correction.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment, after the bias correction.
    pub epsilon: f64,
    /// L2 penalty, or, decoupled, the rate of decay in units of the learning rate.
    pub weight_decay: f64,
    /// True if weights decay by themselves rather than through the gradient.
    pub decoupled: bool,
}

/// One step; `step` counts from 1.
///
/// ```text
/// decoupled: param *= 1 - learning_rate weight_decay       else: grad += weight_decay param
/// m += (1 - beta1) (grad - m)
/// v = beta2 v + (1 - beta2) grad^2
/// param -= learning_rate / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
/// ```
///
/// Both moments start at zero.
pub fn adam<E: Element>(param: &mut [E], grad: &[E], m: &mut [E], v: &mut [E], step: u64, config: Adam) {
    adam_at(Level::current(), param, grad, m, v, step, config);
}

pub(crate) fn adam_at<E: Element>(
    level: Level,
    param: &mut [E],
    grad: &[E],
    m: &mut [E],
    v: &mut [E],
    step: u64,
    config: Adam,
) {
    assert!(step > 0, "steps count from 1");
    assert_eq!((grad.len(), m.len(), v.len()), (param.len(), param.len(), param.len()));
    let exponent = step as f64;
    let (shrink, decay) = if config.decoupled {
        (1.0 - config.learning_rate * config.weight_decay, 0.0)
    } else {
        (1.0, config.weight_decay)
    };
    let coefficients = AdamCoefficients {
        shrink: E::of(shrink),
        decay: E::of(decay),
        toward: E::of(1.0 - config.beta1),
        beta2: E::of(config.beta2),
        squares: E::of(1.0 - config.beta2),
        step_size: E::of(config.learning_rate / (1.0 - libm::pow(config.beta1, exponent))),
        root: E::of((1.0 - libm::pow(config.beta2, exponent)).sqrt()),
        epsilon: E::of(config.epsilon),
    };
    let slices = param.chunks_mut(TASK).zip(grad.chunks(TASK)).zip(m.chunks_mut(TASK)).zip(v.chunks_mut(TASK));
    tasks::for_each(level, slices.map(|(((param, grad), m), v)| AdamStep { param, grad, m, v, coefficients }));
}

#[derive(Clone, Copy)]
struct AdamCoefficients<E> {
    shrink: E,
    decay: E,
    toward: E,
    beta2: E,
    squares: E,
    step_size: E,
    root: E,
    epsilon: E,
}

struct AdamStep<'a, E> {
    param: &'a mut [E],
    grad: &'a [E],
    m: &'a mut [E],
    v: &'a mut [E],
    coefficients: AdamCoefficients<E>,
}

impl<E: Element> Kernel for AdamStep<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let c = self.coefficients;
        for (((param, &grad), m), v) in self.param.iter_mut().zip(self.grad).zip(self.m).zip(self.v) {
            let g = grad + c.decay * *param;
            *m = *m + c.toward * (g - *m);
            *v = c.beta2 * *v + c.squares * g * g;
            let denominator = v.sqrt() / c.root + c.epsilon;
            *param = *param * c.shrink - c.step_size * (*m / denominator);
        }
    }
}

#[cfg(test)]
mod tests;
