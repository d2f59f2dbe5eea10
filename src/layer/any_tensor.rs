//! Tensors without their shape in the type, as a visit of a network shows them.

use std::borrow::Cow;

use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Cpu, Storage, Tensor, UniqueId};

#[cfg(feature = "cuda")]
use dfdx::tensor::{Cuda, TensorFromVec};

#[cfg(feature = "cuda")]
use crate::backend::Kernels;
use crate::error::Error;
#[cfg(feature = "cuda")]
use crate::kernel::cuda::CudaElement;
use crate::kernel::view;
use crate::tape::{LeafGradients, id};

/// A device whose tensors can be read and written from the host.
pub trait Host<E: Unit>: Storage<E> {
    /// The elements in row-major order.
    fn read<S: Shape>(tensor: &Tensor<S, E, Self>) -> Result<Cow<'_, [E]>, Error>;

    /// Lets `write` change the elements in row-major order. The tensor keeps its identity if it was contiguous.
    fn with_mut<S: Shape>(tensor: &mut Tensor<S, E, Self>, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error>;
}

impl<E: Unit> Host<E> for Cpu {
    fn read<S: Shape>(tensor: &Tensor<S, E, Cpu>) -> Result<Cow<'_, [E]>, Error> {
        Ok(view::read(tensor))
    }

    fn with_mut<S: Shape>(tensor: &mut Tensor<S, E, Cpu>, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error> {
        Ok(view::with_mut(tensor, write)?)
    }
}

/// Through copies on the host.
#[cfg(feature = "cuda")]
impl<E: CudaElement> Host<E> for Cuda {
    fn read<S: Shape>(tensor: &Tensor<S, E, Cuda>) -> Result<Cow<'_, [E]>, Error> {
        Ok(Cow::Owned(tensor.as_vec()))
    }

    fn with_mut<S: Shape>(tensor: &mut Tensor<S, E, Cuda>, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error> {
        let mut values = tensor.as_vec();
        write(&mut values);
        if Cuda::is_contiguous(tensor)? {
            tensor.copy_from(&values);
        } else {
            *tensor = tensor.device().try_tensor_from_vec(values, *tensor.shape()).map_err(Error::device)?;
        }
        Ok(())
    }
}

/// A tensor of any shape.
pub trait AnyTensor<E: Unit, D: Storage<E>> {
    /// Sizes of the dimensions.
    fn dims(&self) -> Vec<usize>;

    /// The elements in row-major order.
    fn read(&self) -> Result<Cow<'_, [E]>, Error>;

    /// Lets `write` change the elements in row-major order. The tensor keeps its identity if it was contiguous.
    fn with_mut(&mut self, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error>;

    /// The identity under which dfdx keeps its gradient.
    fn id(&self) -> UniqueId;

    /// Its gradient in dfdx's storage, if the pass reached it.
    fn gradient<'g>(&self, gradients: &'g mut LeafGradients<E, D>) -> Result<Option<&'g mut D::Vec>, Error>;
}

impl<S: Shape, E: Unit, D: Host<E>> AnyTensor<E, D> for Tensor<S, E, D> {
    fn dims(&self) -> Vec<usize> {
        self.shape().concrete().into_iter().collect()
    }
    fn read(&self) -> Result<Cow<'_, [E]>, Error> {
        D::read(self)
    }
    fn with_mut(&mut self, write: &mut dyn FnMut(&mut [E])) -> Result<(), Error> {
        D::with_mut(self, write)
    }
    fn id(&self) -> UniqueId {
        id(self)
    }
    fn gradient<'g>(&self, gradients: &'g mut LeafGradients<E, D>) -> Result<Option<&'g mut D::Vec>, Error> {
        gradients.get_mut(self).transpose().map_err(|error| Error::Device(error.to_string()))
    }
}
