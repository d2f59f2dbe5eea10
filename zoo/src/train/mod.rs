//! Training and evaluation of any [`Model`](crate::model::Model).

mod error;
mod evaluate;
mod fit;
mod liveness;
mod mode;
mod optimizer;
mod saved;
mod schedule;
mod state;

pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, evaluate_finite};
pub use fit::{EpochRecord, Event, FitConfig, History, Moment, Outcome, Splits, fit, fit_from};
pub use liveness::{LayerLiveness, liveness};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use saved::SavedFit;
pub use schedule::Schedule;
pub use state::FitState;
