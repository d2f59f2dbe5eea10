//! Optimizers over the trained parameters of a model.

use std::collections::BTreeMap;

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::kernel::cpu::CpuElement;
use pvlu::kernel::cpu::optimizer::{Adam, Sgd};
use pvlu::tape::LeafGradients;

use crate::model::Model;

/// An optimizer and its constants, but for the learning rate, which each update is given.
///
/// Weight decay applies to the weights of convolutions and linear layers alone: not to biases, batch norm or the
/// parameters of activations, whose size carries meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent, as `torch.optim.SGD`.
    Sgd {
        /// Share of the last velocity that is kept.
        momentum: f64,
        /// Nesterov's momentum instead of the classical one.
        nesterov: bool,
        /// Share of the weight that is added to its gradient.
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015), or AdamW where the decay is decoupled, as in torch.
    Adam {
        /// Share of the last first moment that is kept.
        beta1: f64,
        /// Share of the last second moment that is kept.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Share of the weight that is added to its gradient, or taken off the weight itself if decoupled.
        weight_decay: f64,
        /// Decoupled decay (Loshchilov and Hutter 2019).
        decoupled: bool,
    },
}

impl OptimizerConfig {
    /// Adam with the constants of its paper, without weight decay.
    pub fn adam() -> Self {
        OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false }
    }

    /// Stochastic gradient descent with these constants.
    pub fn sgd(momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        OptimizerConfig::Sgd { momentum, nesterov, weight_decay }
    }
}

/// An optimizer with its state, kept by the path of each parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    config: OptimizerConfig,
    state: BTreeMap<String, Moments>,
}

/// Moments of one parameter: the velocity for SGD, first and second moment for Adam.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    /// Updates so far. Counted for each parameter, because a parameter may be released in the middle of a run.
    pub steps: u64,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Optimizer {
    /// An optimizer without history.
    pub fn new(config: OptimizerConfig) -> Self {
        Self::with(config, BTreeMap::new())
    }

    /// An optimizer with the history that another one had.
    pub(super) fn with(config: OptimizerConfig, state: BTreeMap<String, Moments>) -> Self {
        Self { config, state }
    }

    /// The history, by the path of each parameter.
    pub(super) fn state(&self) -> &BTreeMap<String, Moments> {
        &self.state
    }

    /// One update of every trained parameter.
    ///
    /// [`Error::MissingGradient`], naming the parameter, if a trained one got no gradient; then nothing is changed.
    /// (Not if an operation of dfdx's own ran on the tape: which parameters it reached is not known, and all count as
    /// reached.)
    pub fn update(
        &mut self,
        model: &mut dyn Model,
        gradients: &mut LeafGradients<f32, Cpu>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        self.update_each(model, gradients, &|_| learning_rate)
    }

    /// As [`update`](Self::update), with a learning rate for each parameter by its path.
    pub fn update_each(
        &mut self,
        model: &mut dyn Model,
        gradients: &mut LeafGradients<f32, Cpu>,
        learning_rate: &dyn Fn(&str) -> f64,
    ) -> Result<(), Error> {
        let Self { config, state } = self;
        model.update(gradients, &mut |slot, values, gradient| {
            if !state.contains_key(slot.path) {
                state.insert(slot.path.to_owned(), Moments::default());
            }
            let Some(moments) = state.get_mut(slot.path) else { return Ok(()) };
            moments.steps += 1;
            moments.first.resize(values.len(), 0.0);
            let learning_rate = learning_rate(slot.path);
            let decay = |weight_decay| if slot.kind.decays() { weight_decay } else { 0.0 };
            match *config {
                OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
                    let rule = Sgd { learning_rate, momentum, nesterov, weight_decay: decay(weight_decay) };
                    (f32::cpu().sgd)(values, gradient, &mut moments.first, rule);
                }
                OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, decoupled } => {
                    moments.second.resize(values.len(), 0.0);
                    let weight_decay = decay(weight_decay);
                    let rule = Adam { learning_rate, beta1, beta2, epsilon, weight_decay, decoupled };
                    (f32::cpu().adam)(values, gradient, &mut moments.first, &mut moments.second, moments.steps, rule);
                }
            }
            Ok(())
        })
    }
}
