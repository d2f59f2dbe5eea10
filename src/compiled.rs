//! Networks made ready for inference.
//!
//! [`Compiled`] is a network of `f32` on the CPU, for images of one size. From the [graph](crate::layer::Graph) that
//! layers describe themselves by it takes everything that can be done once for all images: a batch norm goes into the
//! convolution before it, weights are brought into the order in which kernels read them, the sum with a shortcut and
//! the activation become the last step of the convolution that they follow, where there is one, and maps whose steps
//! do not overlap share their memory. What it computes is what the network computes in evaluation, but for rounding:
//! running statistics, no dropout.
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::compiled::Compile;
//! use pvlu::prelude::*;
//!
//! type Block = (nn::Conv2D<3, 8, 3, 1, 1>, nn::BatchNorm2D<8>, nn::Act<Pvlu, 8>);
//! type Net = (Block, nn::GlobalAvgPool2D, nn::Linear<8, 10>);
//!
//! let dev = Cpu::seed_from_u64(0);
//! let net = dev.build_module::<Net, f32>();
//! let compiled = net.compile(Extent::image(3, 16, 16));
//! let images: Tensor<Rank4<2, 3, 16, 16>, f32, _> = dev.sample_normal();
//! let logits: Tensor<Rank2<2, 10>, f32, _> = compiled.forward(images.clone());
//! for (compiled, logit) in logits.as_vec().into_iter().zip(net.forward(images).as_vec()) {
//!     assert!((compiled - logit).abs() < 1e-4);
//! }
//! ```
//!
//! A compiled network borrows the network: its weights cannot change as long as there is one.
//!
//! ```compile_fail,E0502
//! # use dfdx::prelude::*;
//! # use pvlu::compiled::Compile;
//! # use pvlu::prelude::*;
//! let dev = Cpu::seed_from_u64(0);
//! let mut net = dev.build_module::<nn::Linear<8, 10>, f32>();
//! let compiled = net.compile(Extent::features(8));
//! net.reset_params();
//! let logits: Tensor<Rank2<1, 10>, f32, _> = compiled.forward(dev.zeros::<Rank2<1, 8>>());
//! ```
//!
//! Bits depend on the sizes of the network alone, and on the batch that it was compiled for: on no number of threads,
//! no instruction set, and no size of a batch that is run.

mod activate;
mod builder;
mod memory;
mod plan;
mod slices;
mod step;
mod tensors;
#[cfg(test)]
mod tests;
mod trunk;

use std::fmt;
use std::marker::PhantomData;

use dfdx::nn::Module;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, Tensor, TensorFromVec};

use self::plan::Plan;
use self::tensors::Tensors;
pub use self::trunk::CompiledTrunk;
use crate::error::Error;
use crate::kernel::view;
use crate::layer::{Extent, Graph, Visit};

/// A network that is ready for inference on images of one size; see the [module](self).
pub struct Compiled<'net, N: ?Sized> {
    plan: Plan,
    net: PhantomData<fn() -> &'net N>,
}

impl<N: ?Sized> fmt::Debug for Compiled<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Images of the batches that a network is compiled for where nothing else is said.
const BATCH: usize = 8;

/// Networks that can be compiled.
pub trait Compile: Visit<f32, Cpu> {
    /// Compiles the network for inputs of this size, and for batches of some 8 images; see
    /// [`try_compile_for`](Self::try_compile_for).
    ///
    /// # Errors
    ///
    /// [`Error::NotCompiled`] if a layer has no kernel here: a module of dfdx's, a layer that does not say what it
    /// computes, an activation with a parameter for each element. [`Error::NoOutputs`] of a head that was not told how
    /// many it has, [`Error::Shape`] of an input without elements or a tensor of another size, and those of
    /// [`Graph::of`].
    fn try_compile(&self, input: Extent) -> Result<Compiled<'_, Self>, Error> {
        self.try_compile_for(input, BATCH)
    }

    /// As [`try_compile`](Self::try_compile), by the methods that are fastest for batches of `batch` images.
    ///
    /// It runs batches of any size, and its bits do not depend on them, but on the size that it was compiled for. One
    /// small image alone is faster with 1, for then the weights are most of what is read; networks for large images
    /// hardly differ.
    ///
    /// # Errors
    ///
    /// As for [`try_compile`](Self::try_compile).
    fn try_compile_for(&self, input: Extent, batch: usize) -> Result<Compiled<'_, Self>, Error> {
        let plan = Plan::of(&Graph::of(self, input)?, &Tensors::of(self)?, batch)?;
        Ok(Compiled { plan, net: PhantomData })
    }

    /// As [`try_compile`](Self::try_compile), panicking on an error.
    fn compile(&self, input: Extent) -> Compiled<'_, Self> {
        self.try_compile(input).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Compiles the network and drops it. Its tensors are copied, the network is dropped, and each copy is freed once
    /// it is brought into the order in which kernels read it: at first that is twice the weights, and then hardly more
    /// than what is left of them and what is made of them.
    ///
    /// # Errors
    ///
    /// As for [`try_compile`](Self::try_compile).
    fn try_into_compiled(self, input: Extent) -> Result<Compiled<'static, Self>, Error>
    where
        Self: Sized + 'static,
    {
        let graph = Graph::of(&self, input)?;
        let plan = Plan::of(&graph, &Tensors::out_of(self, &graph)?, BATCH)?;
        Ok(Compiled { plan, net: PhantomData })
    }
}

impl<N: Visit<f32, Cpu> + ?Sized> Compile for N {}

impl<N: ?Sized> Compiled<'_, N> {
    /// Sizes of an input.
    pub fn input(&self) -> Extent {
        self.plan.input()
    }

    /// Sizes of the outputs: one, or of [`TwoHeads`](crate::layer::TwoHeads) several.
    pub fn outputs(&self) -> &[Extent] {
        self.plan.outputs()
    }

    /// Bytes of the packed weights.
    pub fn weight_bytes(&self) -> usize {
        self.plan.weight_bytes()
    }

    /// Runs the network on a batch of images, each `[channels, height, width]`, one after another. Returns each output
    /// likewise.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the elements are those of no whole number of images.
    pub fn try_run(&self, images: &[f32]) -> Result<Vec<Vec<f32>>, Error> {
        self.plan.run(images)
    }

    /// Runs the network on a batch, typed as the network is.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images have another size than those that it was compiled for, [`Error::TensorCount`] if
    /// it has more than one output.
    pub fn try_forward<S: Shape, T: Shape>(&self, images: Tensor<S, f32, Cpu>) -> Result<Tensor<T, f32, Cpu>, Error>
    where
        N: Module<Tensor<S, f32, Cpu>, Output = Tensor<T, f32, Cpu>>,
    {
        let dims: Vec<usize> = images.shape().concrete().into_iter().collect();
        let (batch, sizes) = dims.split_first().ok_or(Error::Shape { expected: 1, found: 0 })?;
        let sizes_of = |extent: Extent| match extent {
            Extent::Image { channels, height, width } => vec![channels, height, width],
            other => vec![other.elements()],
        };
        let expected = sizes_of(self.input());
        if sizes != expected {
            let differs = expected.iter().zip(sizes).find(|(expected, found)| expected != found);
            let (&expected, &found) = differs.unwrap_or((&expected.len(), &sizes.len()));
            return Err(Error::Shape { expected, found });
        }
        let [output] = self.outputs() else {
            return Err(Error::TensorCount { expected: "one", found: self.outputs().len() });
        };
        let dims = [vec![*batch], sizes_of(*output)].concat();
        let mut shape = T::Concrete::default();
        (0..T::NUM_DIMS.min(dims.len())).for_each(|axis| shape[axis] = dims[axis]);
        let shape = T::from_concrete(&shape).filter(|_| T::NUM_DIMS == dims.len());
        let shape = shape.ok_or(Error::Shape { expected: T::NUM_DIMS, found: dims.len() })?;
        let values = self.try_run(&view::read(&images))?.swap_remove(0);
        Cpu::default().try_tensor_from_vec(values, shape).map_err(|error| Error::Device(error.to_string()))
    }

    /// As [`try_forward`](Self::try_forward), panicking on an error.
    pub fn forward<S: Shape, T: Shape>(&self, images: Tensor<S, f32, Cpu>) -> Tensor<T, f32, Cpu>
    where
        N: Module<Tensor<S, f32, Cpu>, Output = Tensor<T, f32, Cpu>>,
    {
        self.try_forward(images).unwrap_or_else(|error| panic!("{error}"))
    }
}
