//! Traits that all layers without an activation have alike.

/// Implements [`BuildUnfilled`](super::BuildUnfilled) and [`SwapActivation`](super::SwapActivation), which moves it as
/// it is, for a layer without an activation. `E` and `D` are its element type and device.
macro_rules! no_activation {
    ([$($generics:tt)*] $layer:ty) => {
        impl<E: ::dfdx::shapes::Dtype, D: ::dfdx::prelude::Device<E>, $($generics)*>
            $crate::layer::BuildUnfilled<E, D> for $layer
        {
            fn try_unfilled(device: &D) -> Result<Self, $crate::error::Error> {
                $crate::layer::try_unfilled(device)
            }
        }
        $crate::layer::no_activation::moved!([$($generics)*] $layer);
    };
}
pub(crate) use no_activation;

/// Implements [`SwapActivation`](super::SwapActivation) alone, for a container of layers without an activation.
macro_rules! moved {
    ([$($generics:tt)*] $layer:ty) => {
        impl<E: ::dfdx::shapes::Dtype, D: ::dfdx::prelude::Device<E>, $($generics)*>
            $crate::layer::SwapActivation<E, D> for $layer
        {
            type Swapped<Other: $crate::activation::Activation> = Self;

            fn try_swap_activation_on<Other: $crate::activation::Activation>(
                self,
                _: &D,
            ) -> Result<Self, $crate::error::Error> {
                Ok(self)
            }
        }
    };
}
pub(crate) use moved;

no_activation!([]());
