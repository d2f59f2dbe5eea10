//! Names for programs that build, train and inspect networks, in one `use`, beside dfdx's own prelude:
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::prelude::*;
//!
//! type Net = (
//!     nn::Conv2D<3, 8, 3, 1, 1>,
//!     nn::Act<Pvlu, 8>,
//!     nn::MaxPool2D<2, 2>,
//!     nn::Flatten2D<8, 4, 4, 128>,
//!     nn::Linear<128, 10>,
//! );
//!
//! let dev = Cpu::seed_from_u64(0);
//! let net = dev.build_module::<Net, f32>();
//! let images: Tensor<Rank4<2, 3, 8, 8>, f32, _> = dev.sample_normal();
//! let loss = cross_entropy(net.forward(images.track()), &[3, 7]);
//! let mut gradients = try_backward(loss)?;
//! assert!(gradients.reached(net.1.alpha()));
//! # Ok::<(), pvlu::Error>(())
//! ```
//!
//! No name in it is one of dfdx's prelude. Both crates have a `Linear`, a `BatchNorm2D`, a `Dropout` and a `Residual`,
//! which the compiler would refuse to choose between; so layers are in the module [`nn`], all of them, that `nn::` says
//! whose they are and an unqualified `Linear` is dfdx's, as it is without this crate. Where only this crate's are
//! wanted, `use pvlu::prelude::nn::*;` in a module without dfdx's prelude, or an import by name, which goes before
//! those of a `*`: `use pvlu::prelude::nn::Linear;`.
//!
//! Left out are names that other crates have in their own sense: [`pvlu::Error`](crate::Error), and the parts of a
//! visit ([`layer::Path`](crate::layer::Path), [`layer::NamedTensor`](crate::layer::NamedTensor)), which only code that
//! implements one needs.

/// Layers, as networks are written in: [`layer::builder`](crate::layer::builder).
pub use crate::layer::builder as nn;

pub use crate::Precision;
pub use crate::activation::{
    self, Activation, Chosen, Definition, Elu, LeakyRelu, PRelu, Param, Pvlu, Real, Relu, SineRelu, Swish, Vlu,
};
pub use crate::check::{gradient_check, gradient_check_of};
pub use crate::layer::{Extent, Mode, SwapActivation, Switch, Visit, summary};
pub use crate::loss::{cross_entropy, cross_entropy_smoothed, try_cross_entropy, try_cross_entropy_smoothed};
pub use crate::sequential;
pub use crate::tape::{GradTape, LeafGradients, TrackExt, try_backward};
