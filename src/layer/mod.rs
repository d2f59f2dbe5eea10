//! Typed layers: dfdx modules whose channel counts, windows and image sizes the compiler checks.
//!
//! Every layer takes images `(batch, Const<C>, height, width)` where batch, height and width are each `usize` or
//! `Const`, in `f32` or `f64`, on any [`Backend`](crate::backend::Backend), with any tape: `NoneTape`, dfdx's `OwnedTape`, or
//! [`GradTape`](crate::tape::GradTape), which skips what nobody wants a gradient of.
//!
//! A layer hands the gradient of its output on and releases it, so after a backward pass only the gradients of leaves
//! (parameters and traced inputs) are there.
//!
//! Switches (frozen, train or eval, seeds) are values of a layer and independent of the tape. They are not tensors:
//! dfdx's `to_device` and `to_dtype` return a module with the switches as built.

mod act;
mod any_tensor;
mod apply;
mod batch_norm2d;
mod build;
mod conv2d;
mod dropout;
mod flatten;
mod init;
mod linear;
mod normed_conv2d;
mod outline;
mod pool2d;
mod pool_global;
mod residual;
mod subsample;
mod swap;
mod switches;
mod walk;

pub use act::Act;
pub use any_tensor::{AnyTensor, Host};
pub use batch_norm2d::{BatchNorm2D, BatchNormDefaults, BatchNormSwitches, Keras, KerasResNet, Torch};
pub use build::try_build_unfilled;
pub use conv2d::Conv2D;
pub use dropout::{Dropout, DropoutState};
pub use flatten::Flatten2D;
pub use linear::Linear;
pub use normed_conv2d::NormedConv2D;
pub use outline::{Extent, LayerKind, LayerOutline};
pub use pool_global::GlobalAvgPool2D;
pub use pool2d::{AvgPool2D, MaxPool2D, ZeroPaddedMaxPool2D};
pub use residual::{ProjectedResidual, Residual};
pub use subsample::SubsamplePad2D;
pub use swap::SwapActivation;
pub use switches::{Mode, Switch, SwitchState};
pub use walk::{Path, Role, Slot, Switches, Walk, Walker, WalkerMut};

/// Builder types: what a network is written in, and what `dev.build_module::<Network, f32>()` takes.
pub mod builder {
    pub use super::act::builder::Act;
    pub use super::batch_norm2d::builder::BatchNorm2D;
    pub use super::conv2d::builder::Conv2D;
    pub use super::linear::builder::Linear;
    pub use super::{
        AvgPool2D, Dropout, Flatten2D, GlobalAvgPool2D, MaxPool2D, NormedConv2D, ProjectedResidual, Residual,
        SubsamplePad2D, ZeroPaddedMaxPool2D,
    };
}

#[cfg(test)]
mod tests;
