//! An activation is one short `impl`; the layer, its kernels and its gradients come with it.

use dfdx::prelude::*;
use pvlu::activation::{Activation, Param, Real};
use pvlu::layer::Act;
use pvlu::loss::cross_entropy;
use pvlu::tape::{TrackExt, try_backward};

/// x / (1 + a |x|).
#[derive(Clone, Copy, Debug, Default)]
struct Softsign;

impl Activation for Softsign {
    const NAME: &'static str = "softsign";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 1.0)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        let size = x.if_positive(x, -x);
        x / a.mul_add(size, R::of(1.0))
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        let size = x.if_positive(x, -x);
        let scale = R::of(1.0) / a.mul_add(size, R::of(1.0));
        (scale * scale, [-(x * size) * (scale * scale)])
    }
}

type Layer = Act<Softsign, 3, f64, Cpu>;

fn loss(layer: &Layer, x: Tensor<Rank2<2, 3>, f64, Cpu>) -> f64 {
    cross_entropy(layer.forward(x), &[0, 2]).array()
}

/// Central difference of `f` along each axis at `at`.
fn differences(mut f: impl FnMut(&[f64]) -> f64, at: &[f64]) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut shifted = |i: usize, by: f64| {
        let mut at = at.to_vec();
        at[i] += by;
        f(&at)
    };
    (0..at.len()).map(|i| (shifted(i, STEP) - shifted(i, -STEP)) / (2.0 * STEP)).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found} differs from {expected}");
    }
}

fn main() {
    let dev = Cpu::default();
    let (inputs, values) = ([-2.0, -0.5, 0.3, 0.8, 1.7, -1.1], [0.5, 1.0, 2.0]);
    let x: Tensor<Rank2<2, 3>, f64, _> = dev.tensor_from_vec(inputs.to_vec(), (Const, Const));
    let layer = |values: [f64; 3]| {
        let mut layer: Layer = BuildModule::build(&dev);
        *layer.param_mut("a").expect("softsign has a parameter a") = dev.tensor(values);
        layer
    };

    let trained = layer(values);
    let mut gradients = try_backward(cross_entropy(trained.forward(x.clone().track_input()), &[0, 2])).unwrap();
    let a = trained.param("a").expect("softsign has a parameter a");
    let by_a = differences(|a| loss(&layer(a.try_into().unwrap()), x.clone()), &values);
    assert_close(gradients.get_mut(a).unwrap().unwrap(), &by_a);
    let by_x = differences(|x| loss(&trained, dev.tensor_from_vec(x.to_vec(), (Const, Const))), &inputs);
    assert_close(&gradients.into_gradients().get(&x).as_vec(), &by_x);
}
