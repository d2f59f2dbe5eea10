//! Optimisers over the trained parameters of a model.

use std::collections::BTreeMap;

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::kernel::cpu::optimizer::{Adam, Sgd, adam, sgd};
use pvlu::tape::LeafGradients;

use crate::model::Model;

/// Which optimiser, and its constants. The learning rate in it is a base that each update is given anew.
///
/// Weight decay applies to the weights of convolutions and linear layers alone: not to biases, batch norm or the
/// parameters of activations, whose size carries meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum, as `torch.optim.SGD`.
    Sgd(Sgd),
    /// Adam, or AdamW where the decay is decoupled, as in torch.
    Adam(Adam),
}

impl OptimizerConfig {
    /// Adam with the constants of Kingma and Ba 2015, without weight decay.
    pub fn adam() -> Self {
        OptimizerConfig::Adam(Adam {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        })
    }

    /// SGD with momentum.
    pub fn sgd(momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        OptimizerConfig::Sgd(Sgd { learning_rate: 1e-2, momentum, nesterov, weight_decay })
    }
}

/// An optimiser with its state, kept by the path of each parameter.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    state: BTreeMap<String, State>,
}

/// Moments of one parameter: the velocity for SGD, first and second moment for Adam.
#[derive(Clone, Debug, Default)]
struct State {
    /// Updates so far. Counted for each parameter, because a parameter may be released in the middle of a run.
    steps: u64,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Optimizer {
    /// An optimiser without history.
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, state: BTreeMap::new() }
    }

    /// One update of every trained parameter.
    ///
    /// [`Error::MissingGradient`], naming the parameter, if a trained one got no gradient; then nothing is changed.
    pub fn update(
        &mut self,
        model: &mut dyn Model,
        gradients: &mut LeafGradients<f32, Cpu>,
        learning_rate: f64,
    ) -> Result<(), Error> {
        let Self { config, state } = self;
        model.update(gradients, &mut |slot, values, gradient| {
            if !state.contains_key(slot.path) {
                state.insert(slot.path.to_owned(), State::default());
            }
            let Some(moments) = state.get_mut(slot.path) else { return Ok(()) };
            moments.steps += 1;
            moments.first.resize(values.len(), 0.0);
            let decay = |weight_decay| if slot.role.decays() { weight_decay } else { 0.0 };
            match *config {
                OptimizerConfig::Sgd(base) => {
                    let rule = Sgd { learning_rate, weight_decay: decay(base.weight_decay), ..base };
                    sgd(values, gradient, &mut moments.first, rule);
                }
                OptimizerConfig::Adam(base) => {
                    moments.second.resize(values.len(), 0.0);
                    let rule = Adam { learning_rate, weight_decay: decay(base.weight_decay), ..base };
                    adam(values, gradient, &mut moments.first, &mut moments.second, moments.steps, rule);
                }
            }
            Ok(())
        })
    }
}
