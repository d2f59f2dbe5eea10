//! A network and an activation of one's own, which the programs `zoo` and `reproduce` then know by name.

use pvlu::activation::{Activation, Param, Real, Relu};
use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, LinearTo, MaxPool2D, TrunkAndHead};
use pvlu_zoo::names::LayerNames;
use pvlu_zoo::registry::{ModelEntry, Registry, Sides};

/// `max(0, x) + a tanh(x)` with a trained a, which is 0, and so ReLU, where it takes the place of another activation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mine;

impl Activation for Mine {
    const NAME: &'static str = "mine";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 0.5).swapped(0.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        a.mul_add(x.tanh(), x.relu())
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        let tanh = x.tanh();
        (a.mul_add(R::of(1.0) - tanh * tanh, x.step()), [tanh])
    }
}

type Trunk<A> = (Conv2D<3, 16, 3, 1, 1>, Act<A, 16>, MaxPool2D<2, 2>, Conv2D<16, 32, 3, 1, 1>, Act<A, 32>);

/// Two convolutions, for images of any size from 2x2 and any number of classes.
pub type OwnNetwork<A> = TrunkAndHead<Trunk<A>, (GlobalAvgPool2D, LinearTo<32>)>;

/// The network with what its files call its layers.
pub fn entry() -> ModelEntry {
    let names = |_| {
        let [conv1, conv2, fc] = ["conv1", "conv2", "fc"].map(LayerNames::torch);
        vec![conv1, conv2, fc.as_classifier()]
    };
    ModelEntry::in_parts::<OwnNetwork<Relu>>("own_network", Sides::Any { least: 2, default: 32 }, 10, names)
}

/// The example of the README of `pvlu_zoo_cli`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../bin/README.md")]
pub struct ProgramsReadme;

/// The models of the zoo, this one, and the activation.
pub fn registry() -> Registry {
    Registry::standard().with(entry()).with_activation::<Mine>()
}
