//! Training and evaluation of any [`Model`](crate::model::Model).
//!
//! [`fit`] trains, evaluates after each epoch, and tells its caller where it is; [`fit_from`] goes on from a
//! [`FitState`] that was saved, to the same bits. A step at a time is [`Model::step`](crate::model::Model::step) and
//! an [`Optimizer`]. All of them compute in the precision of the model's layers, which
//! [`Model::set_precision`](crate::model::Model::set_precision) sets before.
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::sync::Arc;
//!
//! use dfdx::prelude::{Cpu, DeviceBuildExt};
//! use pvlu::activation::Pvlu;
//! use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear};
//! use pvlu_zoo::data::{Augmentation, Dataset, Loader, LoaderConfig, Normalization};
//! use pvlu_zoo::model::Classifier;
//! use pvlu_zoo::train::{FitConfig, OptimizerConfig, Outcome, Schedule, Splits, fit};
//!
//! type Net = (Conv2D<3, 8, 3, 2, 1>, Act<Pvlu, 8>, GlobalAvgPool2D, Linear<8, 10>);
//! let mut model = Classifier::cifar(Cpu::seed_from_u64(0).build_module::<Net, f32>());
//!
//! let set = Dataset::procedural(10, 40, 20, 0)?;
//! let (train, validation) = set.train.split_validation(0.25)?;
//! let normalization = Normalization::measured(&train)?;
//! let evaluation = LoaderConfig::evaluation(20, normalization);
//! let splits = Splits {
//!     train: Loader::new(Arc::new(train), LoaderConfig::training(10, 0, normalization, Augmentation::NONE))?,
//!     validation: Loader::new(Arc::new(validation), evaluation.clone())?,
//!     test: Loader::new(Arc::new(set.test), evaluation)?,
//! };
//! let (optimizer, schedule) = (OptimizerConfig::adam(), Schedule::Cosine);
//! let config = FitConfig::new(2, optimizer, 1e-3, schedule);
//! let history = fit(&mut model, &splits, &config, &mut |_| ControlFlow::Continue(()))?;
//! assert!(history.outcome == Outcome::Finished && history.selected().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod average;
mod config;
mod dead_units;
mod error;
mod evaluate;
mod fit;
mod mixup;
mod mode;
mod optimizer;
mod precision;
mod ranks;
mod record;
mod saved;
mod schedule;
mod shards;
mod state;
mod trainee;

pub use config::FitConfig;
pub use dead_units::{LayerUnits, dead_units};
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, evaluate_finite};
pub use fit::{Event, History, Moment, Outcome, Splits, fit, fit_from};
pub use mixup::Mixup;
pub use optimizer::{Optimizer, OptimizerConfig};
pub use ranks::{alone, among};
pub use record::EpochRecord;
pub use saved::SavedFit;
pub use schedule::Schedule;
pub use state::FitState;
