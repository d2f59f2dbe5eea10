//! Typed layers: dfdx modules whose channel counts, windows and image sizes the compiler checks.
//!
//! Every layer takes images `(batch, Const<C>, height, width)` where batch, height and width are each `usize` or
//! `Const`, in `f32` or `f64`, on any [`Backend`](crate::backend::Backend), with any tape: `NoneTape`, dfdx's
//! `OwnedTape`, or [`GradTape`](crate::tape::GradTape), which skips operations of which no gradient is wanted.
//!
//! A layer hands the gradient of its output on and releases it, so after a backward pass only the gradients of leaves
//! (parameters and traced inputs) are there.
//!
//! Switches (frozen, train or eval, seeds) are values of a layer. They are not tensors: dfdx's `to_device` and
//! `to_dtype` return a module with the switches as built.
//!
//! As built, batch norm and dropout are as in training in `forward_mut` on a tensor with a tape, and as in evaluation
//! in `forward`, as dfdx's own layers are. So a training loop of dfdx's trains:
//!
//! ```
//! use dfdx::data::OneHotEncode;
//! use dfdx::optim::{Sgd, SgdConfig};
//! use dfdx::prelude::*;
//! use pvlu::activation::Pvlu;
//! use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Dropout, Flatten2D, Linear};
//!
//! type Features = (Conv2D<3, 4, 3, 1, 1>, BatchNorm2D<4>, Act<Pvlu, 4>);
//! type Net = (Features, Dropout<50>, Flatten2D<4, 8, 8, 256>, Linear<256, 10>);
//!
//! let dev = Cpu::seed_from_u64(0);
//! let mut net = dev.build_module::<Net, f32>();
//! let mut sgd = Sgd::new(&net, SgdConfig { lr: 1e-2, ..Default::default() });
//! let images: Tensor<Rank4<2, 3, 8, 8>, f32, _> = dev.sample_normal();
//! let labels: Tensor<Rank2<2, 10>, f32, _> = dev.one_hot_encode(Const::<10>, [3, 7]);
//!
//! let before = net.0.1.running_mean.array();
//! for _ in 0..3 {
//!     let logits = net.forward_mut(images.leaky_trace());
//!     let gradients = cross_entropy_with_logits_loss(logits, labels.clone()).backward();
//!     sgd.update(&mut net, &gradients)?;
//! }
//! assert_ne!(net.0.1.running_mean.array(), before);
//! assert_eq!(net.forward(images.clone()).array(), net.forward(images).array(), "nothing is dropped");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Switch::set_mode`] has either by hand, for gradients in evaluation and batch statistics without a tape; see
//! [`Mode`].
//!
//! # More than six layers
//!
//! dfdx's tuples are modules up to six elements. Of seven, `build_module` says that "the trait `ZeroSizedModule` is not
//! implemented for" the tuple: write [`sequential!`](crate::sequential), or tuples in tuples.
//!
//! # Layers of dfdx's
//!
//! In a tuple all modules have one type of error. That of these layers is [`Error`](crate::Error); that of dfdx's is
//! what the device returns, `CpuError`. So none that computes something stands in a tuple beside one of these, and the
//! compiler says "the method `forward` exists for tuple ..., but its trait bounds were not satisfied: `<Tanh as
//! Module<...>>::Error = pvlu::Error`".
//!
//! | of dfdx | beside these layers |
//! |---|---|
//! | `Repeated<M, N>`, and tuples | as they are: their error is that of the modules in them |
//! | what has no tensors and keeps the shape: `ReLU`, `Tanh`, `Softmax`, `LogSoftmax`, ... | in [`FromDfdx`] |
//! | `SplitInto`, `AddInto` | run, but are no [`Visit`]: [`Branches`], [`TwoHeads`], [`Residual`] |
//! | `Residual`, `GeneralizedResidual` | not: they add by an operation with dfdx's error. [`Residual`] |
//! | what has tensors: `Linear`, `LayerNorm1D`, ... | not: the tensors have no [`ParamKind`] |
//! | `DropoutOneIn`, pools, `Reshape`, `Upscale2D` | not: [`Dropout`], [`Upsample2D`] and the pools of this module |
//!
//! A network whose last part is of dfdx's alone runs as two networks: `theirs.try_forward(ours.try_forward(x)?)`.
//! dfdx's optimizers take both; [`GradTape`](crate::tape::GradTape) records both.

mod act;
mod activate;
mod add;
mod any_tensor;
mod apply;
mod batch_norm2d;
mod batch_norm_switches;
mod branches;
mod build;
#[doc(hidden)]
pub mod children;
mod choose;
mod concat;
mod container;
mod conv2d;
mod dropout;
mod dropout_state;
mod flatten;
mod from_dfdx;
mod graph;
mod graph_builder;
mod identity;
mod init;
mod layer_summary;
mod linear;
mod linear_to;
mod mode;
mod multiply;
mod named_parameters;
mod no_activation;
mod normalized_activation;
mod normed_conv2d;
mod parts;
mod per_element;
mod pool2d;
mod pool_global;
mod residual;
mod sequential;
mod subsample;
mod summary;
mod swap;
mod switches;
mod two_heads;
mod upsample2d;
mod visit;
mod visit_tuples;
mod wire;

pub use act::Act;
pub use add::Add;
pub use any_tensor::{AnyTensor, Host};
pub use batch_norm_switches::BatchNormSwitches;
pub use batch_norm2d::{BatchNorm2D, BatchNormDefaults, Keras, KerasResNet, Torch};
pub use branches::Branches;
pub use build::{BuildUnfilled, try_build_unfilled, try_unfilled};
pub use choose::choose_activation;
pub use concat::Concat;
pub use conv2d::Conv2D;
pub use dropout::Dropout;
pub use dropout_state::DropoutState;
pub use flatten::Flatten2D;
pub use from_dfdx::FromDfdx;
pub use graph::{Graph, Node};
pub use graph_builder::{GraphBuilder, Wires};
pub use identity::Identity;
pub use layer_summary::{Extent, LayerKind, LayerSummary, Several};
pub use linear::Linear;
pub use linear_to::{LinearTo, set_outputs};
pub use mode::Mode;
pub use multiply::Multiply;
pub use named_parameters::{NamedParameter, named_parameters};
pub use normed_conv2d::NormedConv2D;
pub use parts::{Part, TrunkAndHead};
pub use per_element::Site;
pub use pool_global::GlobalAvgPool2D;
pub use pool2d::{AvgPool2D, MaxPool2D, ZeroPaddedMaxPool2D};
pub use residual::{ProjectedResidual, Residual};
pub use subsample::SubsamplePad2D;
pub use summary::{Counts, Summary, SummaryLine, summary};
pub use swap::SwapActivation;
pub use switches::{Switch, SwitchState};
pub use two_heads::TwoHeads;
pub use upsample2d::Upsample2D;
pub use visit::{NamedTensor, ParamKind, Path, Switches, Visit, Visitor, VisitorMut};
pub use wire::Wire;

/// Builder types: what a network is written in, and what `dev.build_module::<Network, f32>()` takes.
pub mod builder {
    pub use super::act::builder::Act;
    pub use super::batch_norm2d::builder::BatchNorm2D;
    pub use super::conv2d::builder::Conv2D;
    pub use super::linear::builder::Linear;
    pub use super::linear_to::builder::LinearTo;
    pub use super::{
        Add, AvgPool2D, Branches, Concat, Dropout, Flatten2D, FromDfdx, GlobalAvgPool2D, Identity, MaxPool2D, Multiply,
        NormedConv2D, ProjectedResidual, Residual, SubsamplePad2D, TrunkAndHead, TwoHeads, Upsample2D,
        ZeroPaddedMaxPool2D,
    };
}

#[cfg(test)]
mod tests;
