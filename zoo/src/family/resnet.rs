//! Residual networks: [`basic`] with basic blocks, [`v1`] with bottlenecks, [`v2`] with pre-activation, [`cifar`] for
//! 32x32 images.
//!
//! Every size is in the types; only the batch is open here:
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::activation::Pvlu;
//! use pvlu_zoo::resnet::ResNet101V2;
//!
//! let dev = Cpu::default();
//! let net = pvlu::layer::try_build_unfilled::<ResNet101V2<Pvlu, 10>, f32, _>(&dev)?;
//! let images: Tensor<(usize, Const<3>, Const<224>, Const<224>), f32, _> = dev.zeros_like(&(1, Const, Const, Const));
//! let logits: Tensor<(usize, Const<10>), f32, _> = net.try_forward(images)?;
//! assert_eq!(logits.shape().0, 1);
//! # Ok::<(), pvlu::Error>(())
//! ```

use crate::cards::Paper;
use crate::image::{Fit, Interpolation, Preprocessing};

pub mod basic;
pub mod cifar;
pub mod v1;
pub mod v2;

pub use basic::{ResNet18, ResNet34};
pub use v1::{ResNet50, ResNet50V1_5, ResNet101, ResNet101V1_5, ResNet152, ResNet152V1_5};
pub use v2::{ResNet50V2, ResNet101V2, ResNet152V2};

/// Paper of the networks without pre-activation.
const PAPER: Paper = Paper {
    authors: "He, Zhang, Ren, Sun",
    title: "Deep Residual Learning for Image Recognition",
    year: 2016,
    arxiv: Some("1512.03385"),
};

/// timm's `a1_in1k` (Wightman et al. 2021): 288x288 without a margin, bicubic.
const TIMM_A1: Preprocessing = Preprocessing {
    input: (288, 288),
    fit: Fit::Crop { shorter: 288 },
    interpolation: Interpolation::Bicubic,
    ..Preprocessing::TORCHVISION
};

/// Licenses that timm states for its weights: for those that torchvision trained, and for its own.
const BSD: &str = "BSD-3-Clause";
const APACHE: &str = "Apache-2.0";
