//! Modules that all take the same tensor.

use dfdx::nn::{BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Dtype, Shape, Unit};
use dfdx::tensor::{Storage, Tensor};

use super::graph_builder::{GraphBuilder, Wires};
use super::visit::{Path, Visit, Visitor, VisitorMut};
use super::{BuildUnfilled, SwapActivation, children};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::Error;
use crate::tape::Track;

/// `(f1(x), f2(x), ...)`: modules that all take the same tensor, and whose outputs an operation makes one of:
/// [`Add`](super::Add), [`Multiply`](super::Multiply) or [`Concat`](super::Concat). [`Identity`](super::Identity) is
/// the branch that hands the input on.
///
/// Shapes: what each of the branches takes; a tuple of what they give. There are two to six branches. They run in their
/// order, and their parts have the paths that they have in a tuple, `0` and on.
///
/// The gradient of the input is the sum of what the branches give it, the last branch first. What is recorded before
/// the branches is on the tape of the first output: a loss must depend on it for what lies below to be trained. An
/// operation on all outputs sees to that.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// // A layer of a DenseNet: three new channels beside the given ones.
/// type Dense = (nn::Branches<(nn::Identity, (nn::Act<Relu, 4>, nn::Conv2D<4, 3, 3, 1, 1>))>, nn::Concat<7>);
///
/// let dev = Cpu::seed_from_u64(0);
/// let net = dev.build_module::<Dense, f32>();
/// let images: Tensor<Rank4<2, 4, 8, 8>, f32, _> = dev.sample_normal();
/// let more: Tensor<Rank4<2, 7, 8, 8>, f32, _> = net.forward(images);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Branches<T>(pub T);

impl<T: BuildOnDevice<D, E>, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for Branches<T>
where
    Branches<T::Built>: dfdx::nn::BuildModule<D, E>,
{
    type Built = Branches<T::Built>;
}

impl<T: BuildUnfilled<E, D>, E: Dtype, D: Device<E>> BuildUnfilled<E, D> for Branches<T> {
    fn try_unfilled(device: &D) -> Result<Self, Error> {
        Ok(Branches(T::try_unfilled(device)?))
    }
}

impl<T: SwapActivation<E, D>, E: Dtype, D: Device<E>> SwapActivation<E, D> for Branches<T> {
    type Swapped<Other: Activation> = Branches<T::Swapped<Other>>;

    fn try_swap_activation_on<Other: Activation>(self, device: &D) -> Result<Self::Swapped<Other>, Error> {
        Ok(Branches(self.0.try_swap_activation_on::<Other>(device)?))
    }
}

/// Implements as many branches as the lists are long. The last takes the input itself, each other one a fork of it.
macro_rules! branches_of {
    ($($module:ident $field:tt),+; $last:ident $end:tt) => {
        impl<$($module: TensorCollection<E, D>,)+ $last: TensorCollection<E, D>, E: Dtype, D: Device<E>>
            TensorCollection<E, D> for Branches<($($module,)+ $last)>
        {
            type To<E2: Dtype, D2: Device<E2>> = Branches<($($module::To<E2, D2>,)+ $last::To<E2, D2>)>;

            fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    (
                        $(Self::module(stringify!($field), |s| &s.0.$field, |s| &mut s.0.$field),)+
                        Self::module(stringify!($end), |s| &s.0.$end, |s| &mut s.0.$end),
                    ),
                    Branches,
                )
            }
        }

        impl<$($module: Visit<E, D>,)+ $last: Visit<E, D>, E: Unit, D: Storage<E>> Visit<E, D>
            for Branches<($($module,)+ $last)>
        {
            fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
                self.0.visit(path, visitor)
            }
            fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
                self.0.visit_mut(path, visitor)
            }
            fn describe(
                &self,
                path: &mut Path,
                input: Wires,
                graph: &mut GraphBuilder<'_>,
            ) -> Result<Wires, Error> {
                let branches: &[(&str, &dyn Visit<E, D>)] =
                    &[$((stringify!($field), &self.0.$field),)+ (stringify!($end), &self.0.$end)];
                children::describe_branches(path, input, graph, branches)
            }
        }

        impl<$($module,)+ $last, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>> Module<Tensor<S, E, D, T>>
            for Branches<($($module,)+ $last)>
        where
            $($module: Module<Tensor<S, E, D, T>, Error = Error>,)+
            $last: Module<Tensor<S, E, D, T>, Error = Error>,
        {
            type Output = ($($module::Output,)+ $last::Output);
            type Error = Error;

            #[allow(non_snake_case)]
            fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
                $(
                    let (now, x) = fork(x);
                    let $module = self.0.$field.try_forward(now)?;
                )+
                Ok(($($module,)+ self.0.$end.try_forward(x)?))
            }
        }

        impl<$($module,)+ $last, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>> ModuleMut<Tensor<S, E, D, T>>
            for Branches<($($module,)+ $last)>
        where
            $($module: ModuleMut<Tensor<S, E, D, T>, Error = Error>,)+
            $last: ModuleMut<Tensor<S, E, D, T>, Error = Error>,
        {
            type Output = ($($module::Output,)+ $last::Output);
            type Error = Error;

            #[allow(non_snake_case)]
            fn try_forward_mut(&mut self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
                $(
                    let (now, x) = fork(x);
                    let $module = self.0.$field.try_forward_mut(now)?;
                )+
                Ok(($($module,)+ self.0.$end.try_forward_mut(x)?))
            }
        }
    };
}
branches_of!(A 0; B 1);
branches_of!(A 0, B 1; C 2);
branches_of!(A 0, B 1, C 2; F 3);
branches_of!(A 0, B 1, C 2, F 3; G 4);
branches_of!(A 0, B 1, C 2, F 3, G 4; H 5);

/// The tensor twice, the second with an empty tape of its own. Both stand for the same gradient.
#[allow(clippy::type_complexity)]
pub(super) fn fork<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
) -> (Tensor<S, E, D, T>, Tensor<S, E, D, T>) {
    let (x, tape) = x.split_tape();
    D::note_shared(&x);
    let fork = tape.fork();
    (x.clone().put_tape(tape), x.put_tape(fork))
}
