//! A walk over the tensors and switches of a network, in forward order.
//!
//! dfdx's `TensorCollection` walks tensors; training also needs to know what each tensor is, whether it is trained, and
//! to reach the switches (frozen or not, batch or running statistics, dropout on or off). Layers and containers
//! implement [`Walk`]; optimisers, freezing, saving and counting are walkers.

use dfdx::nn::modules::Repeated;
use dfdx::shapes::{Shape, Unit};
use dfdx::tensor::{Storage, Tensor};

use super::{BatchNormSwitches, DropoutState};
use crate::error::Error;

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Weight of a convolution or a linear layer.
    Weight,
    /// Bias of a convolution or a linear layer.
    Bias,
    /// Scale (gamma) of a batch norm.
    Scale,
    /// Shift (beta) of a batch norm.
    Shift,
    /// Running mean of a batch norm.
    RunningMean,
    /// Running variance of a batch norm.
    RunningVariance,
    /// Trained parameter of an activation.
    Activation,
    /// Fixed hyperparameter of an activation.
    Hyperparameter,
}

impl Role {
    /// Whether an optimiser may ever change the tensor.
    pub fn is_parameter(self) -> bool {
        !matches!(self, Role::RunningMean | Role::RunningVariance | Role::Hyperparameter)
    }

    /// Whether weight decay applies: to the weights only, not to biases, batch norm or activations.
    pub fn decays(self) -> bool {
        self == Role::Weight
    }
}

/// One tensor on the walk.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Path from the root, with dots: `0.3.alpha`.
    pub path: &'a str,
    /// What it is.
    pub role: Role,
    /// Whether it is trained: a parameter that is not frozen.
    pub trained: bool,
}

/// The switches of one layer on the walk.
#[derive(Debug)]
#[non_exhaustive]
pub enum Switches<'a> {
    /// A convolution or linear layer: whether its weight and bias are frozen.
    Weights {
        /// Frozen: no gradient is computed, and no optimiser changes it.
        frozen: &'a mut bool,
    },
    /// An activation: whether its parameters are frozen.
    Activation {
        /// Name of the activation.
        name: &'static str,
        /// Channels.
        channels: usize,
        /// Frozen: no gradient is computed, and no optimiser changes it.
        frozen: &'a mut bool,
    },
    /// A batch norm.
    BatchNorm(&'a mut BatchNormSwitches),
    /// A dropout.
    Dropout(&'a mut DropoutState),
}

/// Sees every tensor of a network.
pub trait Walker<E, D: Storage<E>> {
    /// One tensor.
    fn tensor<S: Shape>(&mut self, slot: Slot<'_>, tensor: &Tensor<S, E, D>) -> Result<(), Error>;
}

/// Changes tensors and switches of a network.
pub trait WalkerMut<E, D: Storage<E>> {
    /// One tensor. Does nothing unless overridden.
    fn tensor<S: Shape>(&mut self, slot: Slot<'_>, tensor: &mut Tensor<S, E, D>) -> Result<(), Error> {
        let _ = (slot, tensor);
        Ok(())
    }
    /// The switches of one layer, before its tensors. Does nothing unless overridden.
    fn switches(&mut self, path: &str, switches: Switches<'_>) -> Result<(), Error> {
        let _ = (path, switches);
        Ok(())
    }
}

/// Where a walk is.
#[derive(Clone, Debug, Default)]
pub struct Path(String);

impl Path {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Goes one step down, to the child of this name, and comes back.
    pub fn step<R>(&mut self, name: impl std::fmt::Display, inside: impl FnOnce(&mut Self) -> R) -> R {
        use std::fmt::Write;
        let length = self.0.len();
        if length > 0 {
            self.0.push('.');
        }
        write!(self.0, "{name}").expect("writing to a string does not fail");
        let result = inside(self);
        self.0.truncate(length);
        result
    }
}

/// A module whose tensors and switches can be walked in forward order.
pub trait Walk<E, D: Storage<E>> {
    /// Shows every tensor.
    fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error>;
    /// Hands out every tensor and switch for changing.
    fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error>;
}

/// Shows one tensor of a layer: the body that every [`Walk::walk`] of a layer is made of.
pub(crate) fn show<S: Shape, E: Unit, D: Storage<E>, V: Walker<E, D>>(
    path: &mut Path,
    walker: &mut V,
    (name, role, frozen): (&str, Role, bool),
    tensor: &Tensor<S, E, D>,
) -> Result<(), Error> {
    let trained = role.is_parameter() && !frozen;
    path.step(name, |path| walker.tensor(Slot { path: path.as_str(), role, trained }, tensor))
}

/// As [`show`], for changing.
pub(crate) fn hand_out<S: Shape, E: Unit, D: Storage<E>, V: WalkerMut<E, D>>(
    path: &mut Path,
    walker: &mut V,
    (name, role, frozen): (&str, Role, bool),
    tensor: &mut Tensor<S, E, D>,
) -> Result<(), Error> {
    let trained = role.is_parameter() && !frozen;
    path.step(name, |path| walker.tensor(Slot { path: path.as_str(), role, trained }, tensor))
}

/// Layers without tensors or switches.
macro_rules! nothing_to_walk {
    ($([$($generics:tt)*] $layer:ty),* $(,)?) => {$(
        impl<E, D: ::dfdx::tensor::Storage<E>, $($generics)*> $crate::layer::Walk<E, D> for $layer {
            fn walk<V: $crate::layer::Walker<E, D>>(
                &self,
                _: &mut $crate::layer::Path,
                _: &mut V,
            ) -> Result<(), $crate::error::Error> {
                Ok(())
            }
            fn walk_mut<V: $crate::layer::WalkerMut<E, D>>(
                &mut self,
                _: &mut $crate::layer::Path,
                _: &mut V,
            ) -> Result<(), $crate::error::Error> {
                Ok(())
            }
        }
    )*};
}
pub(crate) use nothing_to_walk;

nothing_to_walk!([]());

macro_rules! walk_fields {
    ([$($generics:tt)*] $container:ty, $($field:tt: $module:ident),+) => {
        impl<E, D: Storage<E>, $($generics)*> Walk<E, D> for $container {
            fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
                $(path.step(stringify!($field), |path| self.$field.walk(path, walker))?;)+
                Ok(())
            }
            fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
                $(path.step(stringify!($field), |path| self.$field.walk_mut(path, walker))?;)+
                Ok(())
            }
        }
    };
}
walk_fields!([A: Walk<E, D>] (A,), 0: A);
walk_fields!([A: Walk<E, D>, B: Walk<E, D>] (A, B), 0: A, 1: B);
walk_fields!([A: Walk<E, D>, B: Walk<E, D>, C: Walk<E, D>] (A, B, C), 0: A, 1: B, 2: C);
walk_fields!(
    [A: Walk<E, D>, B: Walk<E, D>, C: Walk<E, D>, F: Walk<E, D>] (A, B, C, F), 0: A, 1: B, 2: C, 3: F
);
walk_fields!(
    [A: Walk<E, D>, B: Walk<E, D>, C: Walk<E, D>, F: Walk<E, D>, G: Walk<E, D>]
    (A, B, C, F, G), 0: A, 1: B, 2: C, 3: F, 4: G
);
walk_fields!(
    [A: Walk<E, D>, B: Walk<E, D>, C: Walk<E, D>, F: Walk<E, D>, G: Walk<E, D>, H: Walk<E, D>]
    (A, B, C, F, G, H), 0: A, 1: B, 2: C, 3: F, 4: G, 5: H
);

impl<E, D: Storage<E>, A: Walk<E, D>, const N: usize> Walk<E, D> for Repeated<A, N> {
    fn walk<V: Walker<E, D>>(&self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        self.modules.iter().enumerate().try_for_each(|(i, module)| path.step(i, |path| module.walk(path, walker)))
    }
    fn walk_mut<V: WalkerMut<E, D>>(&mut self, path: &mut Path, walker: &mut V) -> Result<(), Error> {
        self.modules
            .iter_mut()
            .enumerate()
            .try_for_each(|(i, module)| path.step(i, |path| module.walk_mut(path, walker)))
    }
}
