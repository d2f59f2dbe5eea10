//! Typed CNN layers and fused, trainable activations for [dfdx] on stable Rust.
//!
//! dfdx has compile-time-shaped tensors and automatic differentiation, but its convolutions need a nightly compiler
//! that no longer exists. This crate brings them to stable: [`layer`] has convolution, pooling, batch norm, dropout and
//! linear layers as dfdx modules, [`activation`] the Parametric Variational Linear Unit f(x) = max(0, x) + alpha
//! sin(beta x) and its rivals, each with one fused kernel forward and one backward.
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::activation::Pvlu;
//! use pvlu::layer::builder::{Act, Conv2D, Flatten2D, Linear, MaxPool2D};
//! use pvlu::loss::cross_entropy;
//! use pvlu::tape::{TrackExt, try_backward};
//!
//! type Net = (Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 8>, MaxPool2D<2, 2>, Flatten2D<8, 4, 4, 128>, Linear<128, 10>);
//!
//! let dev = Cpu::seed_from_u64(0);
//! let net = dev.build_module::<Net, f32>();
//! // A batch of any size, channels and image size known to the compiler: another size does not compile.
//! let images: Tensor<(usize, Const<3>, Const<8>, Const<8>), f32, _> =
//!     dev.sample_like(&(2, Const, Const, Const), rand_distr::StandardNormal);
//! let logits = net.forward(images.track());
//! let loss = cross_entropy(logits, &[3, 7]);
//! let mut gradients = try_backward(loss)?;
//! assert!(gradients.reached(net.1.alpha()));
//! # Ok::<(), pvlu::Error>(())
//! ```

// Tests compare with the system's functions.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod activation;
pub mod backend;
pub mod check;
pub mod compiled;
pub mod dead_units;
pub mod dim;
pub mod error;
#[doc(hidden)]
pub mod kernel;
pub mod layer;
pub mod loss;
pub mod prelude;
pub mod profile;
pub mod random;
pub mod shard;
pub mod tape;

pub use check::gradient_check;
pub use error::Error;
pub use kernel::{NUMERICS_VERSION, Precision, UnknownPrecision};
pub use layer::summary;
