//! The optimizer, the learning rate and the schedule of a protocol, and the settings of a training that they make.

use pvlu_zoo::train::{FitConfig, OptimizerConfig, Schedule};

/// The way in which a protocol trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// The optimizer and its constants.
    pub optimizer: OptimizerConfig,
    /// Learning rate at the start; of pretrained networks in each arm.
    pub learning_rate: f64,
    /// Factor on the learning rate at each step.
    pub schedule: Schedule,
}

impl Training {
    /// The settings of a training of some epochs from a learning rate. Every training of a table gets its settings
    /// here, but for the one that stands in for pretrained weights.
    pub fn fit(&self, epochs: u64, learning_rate: f64) -> FitConfig {
        FitConfig { epochs, optimizer: self.optimizer, learning_rate, schedule: self.schedule }
    }

    /// The optimizer with its constants in one line, as a configuration holds it.
    pub fn optimizer_text(&self) -> String {
        match self.optimizer {
            OptimizerConfig::Sgd { momentum, nesterov, weight_decay } => {
                format!("sgd momentum={momentum:e} nesterov={nesterov} weight_decay={weight_decay:e}")
            }
            OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, decoupled } => {
                let name = if decoupled { "adamw" } else { "adam" };
                format!("{name} beta1={beta1:e} beta2={beta2:e} epsilon={epsilon:e} weight_decay={weight_decay:e}")
            }
        }
    }

    /// The schedule in one line, as a configuration holds it.
    pub fn schedule_text(&self) -> String {
        match self.schedule {
            Schedule::Constant => "constant".to_owned(),
            Schedule::Cosine => "cosine".to_owned(),
            Schedule::Step { every, factor } => format!("step every={every} factor={factor:e}"),
        }
    }
}
