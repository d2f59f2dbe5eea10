//! Training and evaluation of any [`Model`](crate::model::Model).

mod error;
mod evaluate;
mod fit;
mod optimizer;
mod schedule;

pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate};
pub use fit::{EpochRecord, Event, FitConfig, History, Outcome, Splits, fit};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use schedule::Schedule;
