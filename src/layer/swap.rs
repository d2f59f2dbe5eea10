//! Another activation in the same network.

use dfdx::nn::modules::Repeated;
use dfdx::prelude::Device;
use dfdx::shapes::Dtype;

use super::Act;
use crate::activation::Activation;
use crate::error::Error;

/// Replaces every activation of a network, at the type level: `net.swap_activation::<Pvlu>()` makes a
/// `ResNet101V2<Pvlu>` of a `ResNet101V2<Relu>`.
///
/// Every other tensor is moved, not copied, and keeps its identity, its switches and its optimizer state. The new
/// activations start at the values that [`Param::swapped`](crate::activation::Param::swapped) gives, at which PVLU
/// (alpha = 0, beta = 1) is ReLU; other values are set afterwards, through a visit. One with a parameter for each
/// element has to be told the size of the images by [`choose_activation`](super::choose_activation).
pub trait SwapActivation<E: Dtype, D: Device<E>>: Sized {
    /// The network with activation `B`.
    type Swapped<B: Activation>;

    /// Swaps; [`Error::Device`] if the device cannot make the new activations' parameters.
    fn try_swap_activation_on<B: Activation>(self, device: &D) -> Result<Self::Swapped<B>, Error>;

    /// As [`try_swap_activation_on`](Self::try_swap_activation_on), on the default device.
    fn try_swap_activation<B: Activation>(self) -> Result<Self::Swapped<B>, Error> {
        self.try_swap_activation_on(&D::default())
    }

    /// As [`try_swap_activation`](Self::try_swap_activation), panicking on an error.
    fn swap_activation<B: Activation>(self) -> Self::Swapped<B> {
        self.try_swap_activation().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<A: Activation, const C: usize, E: Dtype, D: Device<E>> SwapActivation<E, D> for Act<A, C, E, D> {
    type Swapped<B: Activation> = Act<B, C, E, D>;

    fn try_swap_activation_on<B: Activation>(self, device: &D) -> Result<Act<B, C, E, D>, Error> {
        Act::try_swapped_on(device)
    }
}

/// Tuples: every module in them is swapped. Of other containers [`container!`](crate::container) writes it.
macro_rules! swap_fields {
    ($($module:ident $field:tt),+) => {
        impl<E: Dtype, D: Device<E>, $($module: SwapActivation<E, D>),+> SwapActivation<E, D> for ($($module,)+) {
            type Swapped<Other: Activation> = ($($module::Swapped<Other>,)+);

            fn try_swap_activation_on<Other: Activation>(self, device: &D) -> Result<Self::Swapped<Other>, Error> {
                Ok(($(self.$field.try_swap_activation_on::<Other>(device)?,)+))
            }
        }
    };
}
swap_fields!(M0 0);
swap_fields!(M0 0, M1 1);
swap_fields!(M0 0, M1 1, M2 2);
swap_fields!(M0 0, M1 1, M2 2, M3 3);
swap_fields!(M0 0, M1 1, M2 2, M3 3, M4 4);
swap_fields!(M0 0, M1 1, M2 2, M3 3, M4 4, M5 5);

impl<E: Dtype, D: Device<E>, M: SwapActivation<E, D>, const N: usize> SwapActivation<E, D> for Repeated<M, N> {
    type Swapped<Other: Activation> = Repeated<M::Swapped<Other>, N>;

    fn try_swap_activation_on<Other: Activation>(self, device: &D) -> Result<Self::Swapped<Other>, Error> {
        // A loop is a third of the code that `collect` is made into, once for each block of each network.
        let mut modules = Vec::with_capacity(N);
        for module in self.modules {
            modules.push(module.try_swap_activation_on::<Other>(device)?);
        }
        Ok(Repeated { modules })
    }
}
