//! A compile-time-shaped model zoo on [dfdx], around the Parametric Variational Linear Unit.
//!
//! Architectures are type aliases over the layers of [`pvlu`], generic over the activation:
//! `Sequential6Conv<Pvlu, 10>`. [`data`] reads real images or draws its own, [`train`] trains and evaluates any network
//! behind the object-safe [`Model`](model::Model).
//!
//! One function over every activation, without a bound beyond `Activation`:
//!
//! ```
//! use dfdx::prelude::{Cpu, DeviceBuildExt};
//! use pvlu::activation::{Activation, Pvlu, Relu};
//! use pvlu_zoo::model::{Classifier, Model};
//! use pvlu_zoo::sequential::Sequential6Conv;
//! use pvlu_zoo::train::{Optimizer, OptimizerConfig};
//!
//! fn train_one_step<A: Activation>(images: &[f32], labels: &[usize]) -> Result<Vec<f32>, pvlu::Error> {
//!     let dev = Cpu::seed_from_u64(0);
//!     let mut model = Classifier::cifar(dev.build_module::<Sequential6Conv<A, 10>, f32>());
//!     let mut optimizer = Optimizer::new(OptimizerConfig::adam());
//!
//!     model.set_mode(pvlu::layer::Mode::Train);
//!     let mut step = model.step(images.to_vec(), labels)?;
//!     optimizer.update(&mut model, &mut step.gradients, 1e-3)?;
//!
//!     model.set_mode(pvlu::layer::Mode::Eval);
//!     model.logits(images.to_vec())
//! }
//!
//! let images = vec![0.1; 2 * 3 * 32 * 32];
//! assert_eq!(train_one_step::<Relu>(&images, &[3, 7])?.len(), 2 * 10);
//! assert_eq!(train_one_step::<Pvlu>(&images, &[3, 7])?.len(), 2 * 10);
//! # Ok::<(), pvlu::Error>(())
//! ```

// Tests compare with the system's functions.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod activations;
#[doc(hidden)]
pub mod atomic;
pub mod cards;
pub mod checkpoint;
pub mod data;
pub mod device;
pub mod export;
mod family;
pub mod image;
pub mod inference;
pub mod init;
pub mod labels;
pub mod model;
pub mod names;
mod pickle;
pub mod published;
pub mod registry;
mod signature;
#[doc(hidden)]
pub mod snapshot;
pub mod source;
#[doc(hidden)]
pub mod text;
pub mod train;
pub mod transfer;
pub mod weights;

pub use family::*;

/// The example of this package's README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
