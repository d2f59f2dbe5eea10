//! An activation that is chosen when the program runs.

use super::{Activation, Definition, Param, Real, Relu};

/// Any activation: a layer with this type holds a [`Definition`] as a value, and is ReLU until another one is
/// [chosen](crate::layer::Act::choose).
///
/// dfdx asks the type of a layer, and not the layer, for its tensors. So a layer with this type has
/// [`MAX_PARAMS`](super::MAX_PARAMS) of them, for every choice. Those beyond the parameters of the activation are
/// neither shown by a [`Visit`](crate::layer::Visit), and so neither trained, counted nor saved here, nor read; a visit
/// by dfdx's `TensorCollection` meets them, and makes a layer anew with its type alone: after `to_device` or `to_dtype`
/// a layer is ReLU until it is told again, and `reset_params` makes parameters zero. Where an activation is known when
/// the program is compiled its own type has exactly its parameters. Those of an activation that has [one for each
/// element](Activation::PER_ELEMENT) dfdx does not see at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen;

impl Activation for Chosen {
    const NAME: &'static str = "chosen";
    type Params<T: Copy> = [T; super::MAX_PARAMS];
    const PARAMS: [Param; super::MAX_PARAMS] =
        [Param::fixed("0", 0.0), Param::fixed("1", 0.0), Param::fixed("2", 0.0), Param::fixed("3", 0.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, _: [R; super::MAX_PARAMS]) -> R {
        Relu::value(x, [])
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, _: [R; super::MAX_PARAMS]) -> (R, [R; super::MAX_PARAMS]) {
        let (dx, []) = Relu::derivatives(x, []);
        (dx, [R::of(0.0); super::MAX_PARAMS])
    }

    fn definition() -> &'static Definition {
        Definition::of::<Relu>()
    }
}
