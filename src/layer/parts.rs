//! A network that says what of it is the trunk and what the head.

use dfdx::nn::{BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection};
use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, Unit};
use dfdx::tensor::Storage;

use super::children;
use super::layer_summary::{Extent, LayerSummary};
use super::visit::{Path, Visit, Visitor, VisitorMut};
use crate::error::Error;

/// `y = head(trunk(x))`, as the tuple `(T, H)` is, with names for the two: paths begin with `trunk` and `head`.
///
/// A tuple does not say which of its modules answers the question that a network was trained for, and fine-tuning must
/// know: what trains the head alone, or draws it anew for other classes, takes a network of this type.
///
/// Shapes: what the trunk takes and the head gives.
#[derive(Clone, Debug, Default)]
pub struct TrunkAndHead<T, H> {
    /// From images to features.
    pub trunk: T,
    /// From features to logits.
    pub head: H,
}

/// A part of a network, by the step that leads into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// From images to features.
    Trunk,
    /// From features to logits.
    Head,
}

impl Part {
    /// The step into it.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Trunk => "trunk",
            Part::Head => "head",
        }
    }

    /// The part that a path leads into; of a network within a part of another one the outer part. `None` outside of
    /// both.
    pub fn of(path: &str) -> Option<Self> {
        let part = |step| [Part::Trunk, Part::Head].into_iter().find(|part| part.name() == step);
        path.split('.').find_map(part)
    }
}

impl<T: BuildOnDevice<D, E>, H: BuildOnDevice<D, E>, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for TrunkAndHead<T, H>
where
    TrunkAndHead<T::Built, H::Built>: dfdx::nn::BuildModule<D, E>,
{
    type Built = TrunkAndHead<T::Built, H::Built>;
}

impl<T: TensorCollection<E, D>, H: TensorCollection<E, D>, E: Dtype, D: Device<E>> TensorCollection<E, D>
    for TrunkAndHead<T, H>
{
    type To<E2: Dtype, D2: Device<E2>> = TrunkAndHead<T::To<E2, D2>, H::To<E2, D2>>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::module(Part::Trunk.name(), |s| &s.trunk, |s| &mut s.trunk),
                Self::module(Part::Head.name(), |s| &s.head, |s| &mut s.head),
            ),
            |(trunk, head)| TrunkAndHead { trunk, head },
        )
    }
}

impl<T: Visit<E, D>, H: Visit<E, D>, E: Unit, D: Storage<E>> Visit<E, D> for TrunkAndHead<T, H> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        children::visit(path, visitor, &[(Part::Trunk.name(), &self.trunk), (Part::Head.name(), &self.head)])
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        children::visit_mut(
            path,
            visitor,
            &mut [(Part::Trunk.name(), &mut self.trunk), (Part::Head.name(), &mut self.head)],
        )
    }
    fn summarize(
        &self,
        path: &mut Path,
        input: Extent,
        show: &mut dyn FnMut(LayerSummary<'_>),
    ) -> Result<Extent, Error> {
        children::summarize(path, input, show, &[(Part::Trunk.name(), &self.trunk), (Part::Head.name(), &self.head)])
    }
}

impl<X, T: Module<X>, H: Module<T::Output, Error = T::Error>> Module<X> for TrunkAndHead<T, H> {
    type Output = H::Output;
    type Error = T::Error;

    fn try_forward(&self, x: X) -> Result<Self::Output, Self::Error> {
        self.head.try_forward(self.trunk.try_forward(x)?)
    }
}

impl<X, T: ModuleMut<X>, H: ModuleMut<T::Output, Error = T::Error>> ModuleMut<X> for TrunkAndHead<T, H> {
    type Output = H::Output;
    type Error = T::Error;

    fn try_forward_mut(&mut self, x: X) -> Result<Self::Output, Self::Error> {
        self.head.try_forward_mut(self.trunk.try_forward_mut(x)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_part_counts() {
        assert_eq!(Part::of("head.1.weight"), Some(Part::Head));
        assert_eq!(Part::of("trunk.head.weight"), Some(Part::Trunk));
        assert_eq!(Part::of("2.head.weight"), Some(Part::Head));
        assert_eq!(Part::of("1.1.weight"), None);
        assert_eq!(Part::of("headless.weight"), None);
    }
}
