//! Devices that layers run on: their memory and their kernels.
//!
//! A layer is written once, against [`Backend`], and runs on dfdx's [`Cpu`](dfdx::tensor::Cpu), and with the feature
//! `cuda` on its `Cuda`. Shapes and tensors stop at this trait: a kernel is handed sizes and slices of one device's
//! memory.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod fresh;
mod kernels;

use dfdx::shapes::{Shape, Unit};
use dfdx::tensor::Tensor;

pub use self::kernels::{Fill, Kernels};
use crate::error::Error;
pub use crate::kernel::layout::ChannelsLayout;
pub use crate::kernel::normalization::{Gradients, Scaling, Statistics};
pub use crate::kernel::write::{InputGradient, Write};
use crate::tape::Track;

/// A device that layers of this crate run on: dfdx's [`Cpu`](dfdx::tensor::Cpu), and with the feature `cuda` its
/// `Cuda`. Sealed: the operations that layers need grow from version to version.
pub trait Backend<E: Unit>: Kernels<E> {
    /// The tensor itself where it is contiguous, else a contiguous copy of it, recorded on its tape.
    fn try_contiguous<S: Shape, T: Track<E, Self>>(x: Tensor<S, E, Self, T>) -> Result<Tensor<S, E, Self, T>, Error>;
}
