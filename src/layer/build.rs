//! Networks to load weights into.

use std::marker::PhantomData;

use dfdx::nn::modules::Repeated;
use dfdx::nn::{BuildOnDevice, RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor};
use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::Tensor;

use super::Act;
use crate::activation::Activation;
use crate::error::Error;

/// Builds a network without drawing its weights: tensors of one dimension get their start values, all others are zero.
///
/// For networks whose weights are loaded or drawn afterwards. The memory of the zeros is not touched until then, which
/// on most systems means that it is not taken either.
pub fn try_build_unfilled<M: BuildOnDevice<D, E>, E: Dtype, D: Device<E>>(device: &D) -> Result<M::Built, Error> {
    try_unfilled::<M::Built, E, D>(device)
}

/// As [`try_build_unfilled`], of the network's own type instead of the type that it is written in: for a layer, the
/// work of [`BuildUnfilled`].
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

/// A module that [`try_build_unfilled`] builds by the type's own code: a container, one child after the other. dfdx's
/// visitors are compiled into several times as much code for each type, which shows in a program that has many
/// networks.
///
/// A layer of one's own that stands in a network of a registry gets it in three lines: `try_unfilled(device)` is the
/// body.
pub trait BuildUnfilled<E: Dtype, D: Device<E>>: Sized {
    /// Builds; [`Error::Device`] if the device cannot make a tensor.
    fn try_unfilled(device: &D) -> Result<Self, Error>;
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> BuildUnfilled<E, D> for Act<A, C, E, D> {
    fn try_unfilled(device: &D) -> Result<Self, Error> {
        try_unfilled(device)
    }
}

/// Tuples. Of other containers [`container!`](crate::container) writes it.
macro_rules! tuples {
    ($([$($child:ident),+];)*) => {$(
        impl<E: Dtype, D: Device<E>, $($child: BuildUnfilled<E, D>),+> BuildUnfilled<E, D> for ($($child,)+) {
            fn try_unfilled(device: &D) -> Result<Self, Error> {
                Ok(($($child::try_unfilled(device)?,)+))
            }
        }
    )*};
}
tuples! {
    [M0];
    [M0, M1];
    [M0, M1, M2];
    [M0, M1, M2, M3];
    [M0, M1, M2, M3, M4];
    [M0, M1, M2, M3, M4, M5];
}

impl<E: Dtype, D: Device<E>, M: BuildUnfilled<E, D>, const N: usize> BuildUnfilled<E, D> for Repeated<M, N> {
    fn try_unfilled(device: &D) -> Result<Self, Error> {
        let mut modules = Vec::with_capacity(N);
        for _ in 0..N {
            modules.push(M::try_unfilled(device)?);
        }
        Ok(Repeated { modules })
    }
}
