use dfdx::nn::Module;
use dfdx::shapes::{Const, Rank2, Rank4};

use super::*;
use crate::activation::*;
use crate::layer::builder;

/// Keeps elements away from zero, where the activations have kinks that a difference would straddle.
fn off_the_kink<S: Shape>(mut x: Tensor<S, f64, Cpu>) -> Tensor<S, f64, Cpu> {
    view::with_mut(&mut x, |values| values.iter_mut().for_each(|v| *v += 0.1 * v.signum())).unwrap();
    x
}

fn check<A: Activation>(formula: impl Fn(f64, &[f64]) -> f64) {
    fn shapes<A: Activation, const B: usize, const C: usize, const H: usize, const W: usize>(
        formula: &impl Fn(f64, &[f64]) -> f64,
    ) {
        let mut layer = shaken::<builder::Act<A, C>>(1);
        let names: Vec<_> = crate::layer::Act::<A, C, f64, Cpu>::specs().iter().map(|param| param.name).collect();
        let params: Vec<Vec<f64>> = names.iter().map(|name| layer.param(name).unwrap().as_vec()).collect();
        let at = |c: usize| params.iter().map(|values| values[c]).collect::<Vec<_>>();

        let images = off_the_kink(random::<Rank4<B, C, H, W>, f64>(Default::default(), 2));
        let expected: Vec<f64> =
            images.as_vec().iter().enumerate().map(|(i, &x)| formula(x, &at(i / (H * W) % C))).collect();
        assert!(distance(&layer.forward(images.clone()).as_vec(), &expected) < 1e-13, "{}", A::NAME);
        check_gradients(&mut layer, images, |layer, x| layer.forward(x));
        check_gradients(&mut layer, off_the_kink(permuted::<B, C, H, W>(3)), |layer, x| layer.forward(x));

        let features = off_the_kink(random::<Rank2<B, C>, f64>(Default::default(), 4));
        let expected: Vec<f64> = features.as_vec().iter().enumerate().map(|(i, &x)| formula(x, &at(i % C))).collect();
        assert!(distance(&layer.forward(features.clone()).as_vec(), &expected) < 1e-13, "{}", A::NAME);
        check_gradients(&mut layer, features, |layer, x| layer.forward(x));
    }
    shapes::<A, 2, 3, 4, 5>(&formula);
    shapes::<A, 1, 1, 7, 5>(&formula);
    shapes::<A, 3, 5, 1, 1>(&formula);
}

#[test]
fn relu() {
    check::<Relu>(|x, _| x.max(0.0));
}
#[test]
fn leaky_relu() {
    check::<LeakyRelu>(|x, p| if x > 0.0 { x } else { p[0] * x });
}
#[test]
fn elu() {
    check::<Elu>(|x, p| if x > 0.0 { x } else { p[0] * (x.exp() - 1.0) });
}
#[test]
fn prelu() {
    check::<PRelu>(|x, p| if x > 0.0 { x } else { p[0] * x });
}
#[test]
fn sine_relu() {
    check::<SineRelu>(|x, p| if x > 0.0 { x } else { p[0] * (x.sin() - x.cos()) });
}
#[test]
fn swish() {
    check::<Swish>(|x, p| x / (1.0 + (-p[0] * x).exp()));
}
#[test]
fn vlu() {
    check::<Vlu>(|x, p| x.max(0.0) + p[0] * (p[1] * x).sin());
}
#[test]
fn pvlu() {
    check::<Pvlu>(|x, p| x.max(0.0) + p[0] * (p[1] * x).sin());
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[test]
fn gelu() {
    check::<Gelu>(|x, _| 0.5 * x * (1.0 + libm::erf(x / 2.0_f64.sqrt())));
}
#[test]
fn gelu_tanh() {
    check::<GeluTanh>(|x, _| {
        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
    });
}
#[test]
fn mish() {
    check::<Mish>(|x, _| x * (1.0 + x.exp()).ln().tanh());
}
#[test]
fn softplus() {
    check::<Softplus>(|x, _| (1.0 + x.exp()).ln());
}
#[test]
fn tanh() {
    check::<Tanh>(|x, _| x.tanh());
}
#[test]
fn snake() {
    check::<Snake>(|x, p| x + (p[0] * x).sin().powi(2) / p[0]);
}
#[test]
fn sinlu() {
    check::<SinLu>(|x, p| (x + p[0] * (p[1] * x).sin()) * logistic(x));
}
#[test]
fn swish_beta() {
    check::<SwishBeta>(|x, p| x * logistic(p[0] * x));
}
#[test]
fn acon_c() {
    check::<AconC>(|x, p| (p[0] - p[1]) * x * logistic(p[2] * (p[0] - p[1]) * x) + p[1] * x);
}

#[test]
fn parameters_start_where_the_papers_say_and_only_trained_ones_train() {
    use dfdx::nn::{BuildOnDevice, NumParams};
    fn built<A: Activation>() -> (Vec<(&'static str, f64, bool)>, usize) {
        let layer = <builder::Act<A, 4> as BuildOnDevice<Cpu, f32>>::build_on_device(&Cpu::default());
        let found = crate::layer::Act::<A, 4, f32, Cpu>::specs()
            .iter()
            .map(|param| {
                let values = layer.param(param.name).unwrap().as_vec();
                assert!(values.iter().all(|&v| v == param.start as f32) && values.len() == 4);
                (param.name, param.start, param.trained)
            })
            .collect();
        (found, layer.num_trainable_params())
    }
    assert_eq!(built::<Relu>(), (vec![], 0));
    assert_eq!(built::<LeakyRelu>(), (vec![("slope", 0.01, false)], 0));
    assert_eq!(built::<Elu>(), (vec![("alpha", 1.0, false)], 0));
    assert_eq!(built::<PRelu>(), (vec![("alpha", 0.25, true)], 4));
    assert_eq!(built::<SineRelu>(), (vec![("epsilon", 0.0025, false)], 0));
    assert_eq!(built::<Swish>(), (vec![("beta", 1.0, false)], 0));
    assert_eq!(built::<Vlu>(), (vec![("a", 0.5, false), ("b", 1.0, false)], 0));
    assert_eq!(built::<Gelu>(), (vec![], 0));
    assert_eq!(built::<GeluTanh>(), (vec![], 0));
    assert_eq!(built::<Mish>(), (vec![], 0));
    assert_eq!(built::<Softplus>(), (vec![], 0));
    assert_eq!(built::<Tanh>(), (vec![], 0));
    assert_eq!(built::<Snake>(), (vec![("a", 1.0, true)], 4));
    assert_eq!(built::<SinLu>(), (vec![("a", 1.0, true), ("b", 1.0, true)], 8));
    assert_eq!(built::<SwishBeta>(), (vec![("beta", 1.0, true)], 4));
    assert_eq!(built::<AconC>(), (vec![("p1", 1.0, true), ("p2", 0.0, true), ("beta", 1.0, true)], 12));
    assert_eq!(built::<Pvlu>(), (vec![("alpha", 0.5, true), ("beta", 1.0, true)], 8));
}

#[test]
fn the_fused_layer_equals_the_formula_composed_of_dfdx_operations() {
    use dfdx::prelude::*;
    let dev = Cpu::default();
    let layer = shaken::<builder::Act<Pvlu, 3>>(5);
    let x = random::<Rank4<2, 3, 3, 3>, f64>(Default::default(), 6);
    let grad_output = random::<Rank4<2, 3, 3, 3>, f64>(Default::default(), 7);

    let fused = layer.forward(x.leaky_trace());
    let composed = {
        let alpha = layer.alpha().retaped::<OwnedTape<f64, Cpu>>().broadcast::<Rank4<2, 3, 3, 3>, Axes3<0, 2, 3>>();
        let beta = layer.beta().retaped::<OwnedTape<f64, Cpu>>().broadcast::<Rank4<2, 3, 3, 3>, Axes3<0, 2, 3>>();
        x.leaky_trace().relu() + alpha * (beta * x.leaky_trace()).sin()
    };
    assert!(distance(&fused.as_vec(), &composed.as_vec()) < 1e-14);
    let fused = (fused * grad_output.clone()).sum::<Rank0, _>().backward();
    let composed = (composed * grad_output).sum::<Rank0, _>().backward();
    assert!(distance(&fused.get(&x).as_vec(), &composed.get(&x).as_vec()) < 1e-13);
    assert!(distance(&fused.get(layer.alpha()).as_vec(), &composed.get(layer.alpha()).as_vec()) < 1e-13);
    assert!(distance(&fused.get(layer.beta()).as_vec(), &composed.get(layer.beta()).as_vec()) < 1e-13);
    let _ = dev;
}

#[test]
fn a_broadcast_input_adds_its_gradients_up() {
    use dfdx::prelude::*;
    let layer = shaken::<builder::Act<Pvlu, 3>>(8);
    let row = random::<Rank1<3>, f64>(Default::default(), 9);
    let x = row.clone().broadcast::<Rank2<5, 3>, _>();
    let y = layer.forward(x.clone().track_input());
    let gradients = try_backward(weigh(y, &[1.0; 15])).unwrap().into_gradients();
    // dfdx lays the gradient of a broadcast tensor out like its storage: one element for five uses.
    let (alpha, beta) = (layer.alpha().as_vec(), layer.beta().as_vec());
    let expected: Vec<f64> = row
        .as_vec()
        .iter()
        .enumerate()
        .map(|(c, &x)| 5.0 * (f64::from(u8::from(x > 0.0)) + alpha[c] * beta[c] * (beta[c] * x).cos()))
        .collect();
    let mut grads = gradients;
    let found = grads.get_or_alloc_mut(&x).unwrap().to_vec();
    assert!(distance(&found, &expected) < 1e-13, "{found:?} {expected:?}");
}

#[test]
fn empty_batches_pass() {
    let layer = shaken::<builder::Act<Pvlu, 3>>(10);
    assert_eq!(layer.forward(zeros((0, Const::<3>, 2, 2))).shape().concrete(), [0, 3, 2, 2]);
    assert_eq!(layer.forward(zeros((0, Const::<3>))).shape().concrete(), [0, 3]);
}
