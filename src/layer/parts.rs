//! A network that tells its trunk from its head.

use dfdx::nn::{Module, ModuleMut};

use crate::container;

/// `y = head(trunk(x))`, as the tuple `(T, H)` is, with names for the two: paths begin with `trunk` and `head`.
///
/// A tuple does not say which of its modules answers the question that a network was trained for, and fine-tuning must
/// know: code that trains the head alone, or draws it anew for other classes, takes a network of this type.
///
/// Shapes: the input of the trunk, and the output of the head.
#[derive(Clone, Debug, Default)]
pub struct TrunkAndHead<T, H> {
    /// The layers from images to features.
    pub trunk: T,
    /// The layers from features to logits.
    pub head: H,
}

/// A part of a network, by the step that leads into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The layers from images to features.
    Trunk,
    /// The layers from features to logits.
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

container!(TrunkAndHead { trunk: T = Part::Trunk.name(), head: H = Part::Head.name() });

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
