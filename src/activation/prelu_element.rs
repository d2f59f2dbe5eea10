//! PReLU with a slope for every element, as the layer of Keras is unless it is told to share them.
//!
//! ```text
//! f(x)      = x                for x > 0, else alpha x
//! df/dx     = 1                for x > 0, else alpha
//! df/dalpha = 0                for x > 0, else x
//! ```
//!
//! alpha is trained, one for each channel, row and column of a map, from 0, at which it is ReLU. So a network with it
//! takes images of one size alone. Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015, whose slopes are
//! shared within a channel or within a layer; `keras.layers.PReLU` with `shared_axes=None`.
//!
//! At minus infinity alpha = 0 gives NaN.

use super::{Activation, LeakyRelu, Param, Real, compiled_here};

/// x for x > 0, else alpha x, with a trained alpha for each element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PReluElement;

impl Activation for PReluElement {
    const NAME: &'static str = "prelu_element";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("alpha", 0.0)];
    const PER_ELEMENT: bool = true;

    #[inline(always)]
    fn value<R: Real>(x: R, [alpha]: [R; 1]) -> R {
        LeakyRelu::value(x, [alpha])
    }

    #[inline(always)]
    fn derivatives<R: Real>(x: R, [alpha]: [R; 1]) -> (R, [R; 1]) {
        LeakyRelu::derivatives(x, [alpha])
    }

    compiled_here!(cpu);
}
