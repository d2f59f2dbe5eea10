//! Residual networks: [`v1`] with bottlenecks, [`v2`] with pre-activation, [`cifar`] for 32x32 images.

pub mod cifar;
pub mod v1;
pub mod v2;

pub use v1::{ResNet50, ResNet50V1_5, ResNet101V1_5};
pub use v2::{ResNet50V2, ResNet101V2, ResNet152V2};
