//! Training and evaluation of any [`Model`](crate::model::Model).

mod dead_units;
mod error;
mod evaluate;
mod fit;
mod mode;
mod optimizer;
mod record;
mod saved;
mod schedule;
mod state;

pub use dead_units::{LayerDeadUnits, dead_units};
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, evaluate_finite};
pub use fit::{Event, FitConfig, History, Moment, Outcome, Splits, fit, fit_from};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use record::EpochRecord;
pub use saved::SavedFit;
pub use schedule::Schedule;
pub use state::FitState;
