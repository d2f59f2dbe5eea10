//! Networks to load weights into.

use std::marker::PhantomData;

use dfdx::nn::{BuildOnDevice, RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor};
use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::Tensor;

use crate::error::Error;

/// Builds a network without drawing its weights: tensors of one dimension get their start values, all others are zero.
///
/// For networks whose weights are loaded or drawn afterwards. The memory of the zeros is not touched until then, which
/// on most systems means that it is not taken either.
pub fn try_build_unfilled<M: BuildOnDevice<D, E>, E: Dtype, D: Device<E>>(device: &D) -> Result<M::Built, Error> {
    try_unfilled::<M::Built, E, D>(device)
}

/// As [`try_build_unfilled`], of the network's own type in the place of that which it is written in.
pub fn try_unfilled<N, E: Dtype, D: Device<E>>(device: &D) -> Result<N, Error>
where
    N: TensorCollection<E, D, To<E, D> = N>,
{
    let built = N::iter_tensors(&mut RecursiveWalker { m: (), f: &mut Unfilled { device, element: PhantomData } });
    let built = built.map_err(|error: D::Err| Error::Device(error.to_string()))?;
    built.ok_or_else(|| Error::Device("the network has a field that could not be built".to_owned()))
}

struct Unfilled<'a, E, D> {
    device: &'a D,
    element: PhantomData<E>,
}

impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Unfilled<'_, E, D> {
    type Viewer = ();
    type Err = D::Err;
    type E2 = E;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        (): (),
    ) -> Result<Option<Tensor<S, E, D>>, Self::Err> {
        let mut tensor = self.device.try_zeros_like(&options.shape)?;
        if S::NUM_DIMS <= 1 {
            (options.reset)(&mut tensor)?;
        }
        Ok(Some(tensor))
    }
}
