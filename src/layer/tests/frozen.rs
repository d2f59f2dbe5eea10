use dfdx::nn::{BuildOnDevice, Module};
use dfdx::shapes::Rank4;
use dfdx::tensor::Gradients;

use super::*;
use crate::activation::{Pvlu, Relu};
use crate::layer::builder;

type Net = (
    builder::Conv2D<2, 3, 3, 1, 1>,
    builder::BatchNorm2D<3>,
    builder::Act<Pvlu, 3>,
    builder::Conv2D<3, 2, 3, 1, 1>,
    builder::Act<Pvlu, 2>,
);
type Built = <Net as BuildOnDevice<Cpu, f64>>::Built;

fn run(net: &Built) -> (Vec<(String, Vec<f64>)>, Vec<f64>) {
    let x = random::<Rank4<2, 2, 4, 4>, f64>(Default::default(), 1);
    let y = net.forward(x.clone().track());
    let grad_output: Vec<f64> = noise(y.shape().num_elements(), 2);
    let mut gradients = try_backward(weigh(y, &grad_output)).unwrap();
    let by_parameter = gradients_of(net, &mut gradients);
    // A gradient that was never written is allocated as zeros here.
    let grad_x = gradients.into_gradients().get_or_alloc_mut(&x).unwrap().to_vec();
    (by_parameter, grad_x)
}

#[test]
fn frozen_parameters_get_no_gradient_and_the_others_the_same() {
    frozen_parameters(Mode::Eval);
    frozen_parameters(Mode::Train);
}

fn frozen_parameters(mode: Mode) {
    let mut net = shaken::<Net>(3);
    net.set_mode(mode);
    let (all, grad_x) = run(&net);
    let paths = |found: &[(String, Vec<f64>)]| found.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(
        paths(&all),
        ["0.weight", "0.bias", "1.scale", "1.shift", "2.alpha", "2.beta", "3.weight", "3.bias", "4.alpha", "4.beta"]
    );
    assert!(grad_x.iter().all(|&g| g == 0.0), "nobody asked for the gradient of the images");

    net.freeze_weights(true);
    let (some, _) = run(&net);
    assert_eq!(paths(&some), ["1.scale", "1.shift", "2.alpha", "2.beta", "4.alpha", "4.beta"]);
    assert!(some.iter().all(|entry| all.contains(entry)));

    net.0.bias_trained = true;
    net.3.bias_trained = true;
    let (biased, _) = run(&net);
    assert_eq!(biased.len(), some.len() + 2);
    assert!(paths(&biased).contains(&"0.bias".to_owned()) && paths(&biased).contains(&"3.bias".to_owned()));
    assert!(biased.iter().all(|entry| all.contains(entry)));
    net.0.bias_trained = false;
    net.3.bias_trained = false;

    net.freeze_batch_norm(true, false);
    let (some, _) = run(&net);
    assert_eq!(paths(&some), ["2.alpha", "2.beta", "4.alpha", "4.beta"]);
    assert!(some.iter().all(|entry| all.contains(entry)));

    // Batch norm alone, with nothing trained below it: its gradients do not need that of its input.
    net.freeze_activations(true);
    net.freeze_batch_norm(false, false);
    let (some, _) = run(&net);
    assert_eq!(paths(&some), ["1.scale", "1.shift"]);
    assert!(some.iter().all(|entry| all.contains(entry)));
}

#[test]
fn nothing_is_recorded_below_the_lowest_trained_parameter() {
    let mut net = shaken::<Net>(4);
    net.freeze_weights(true);
    net.freeze_batch_norm(true, true);
    net.freeze_activations(true);
    let x = random::<Rank4<2, 2, 4, 4>, f64>(Default::default(), 5);
    let (_, tape) = net.forward(x.clone().track()).split_tape();
    assert!(!tape.requires_grad());
    assert!(format!("{tape:?}").contains("operations: 0"), "{tape:?}");

    net.4.frozen = false;
    let (_, tape) = net.forward(x.clone().track()).split_tape();
    assert!(format!("{tape:?}").contains("operations: 1"), "{tape:?}");

    let (_, tape) = net.forward(x.track_input()).split_tape();
    assert!(format!("{tape:?}").contains("operations: 5"), "{tape:?}");
}

#[test]
fn a_frozen_convolution_keeps_no_input() {
    let mut layer = shaken::<builder::Conv2D<2, 2, 3, 1, 1>>(6);
    layer.frozen = true;
    let x = random::<Rank4<1, 2, 3, 3>, f64>(Default::default(), 7);
    let held = |frozen| {
        let mut layer = layer.clone();
        layer.frozen = frozen;
        let mut x = x.clone();
        // A buffer of its own, then a write: it moves to a new buffer exactly if the tape shares the old one.
        view::with_mut(&mut x, |_| ()).unwrap();
        let before = std::ptr::from_ref(&x[[0, 0, 0, 0]]);
        let y = layer.forward(x.clone().track_input());
        view::with_mut(&mut x, |values| values[0] += 1.0).unwrap();
        let moved = before != std::ptr::from_ref(&x[[0, 0, 0, 0]]);
        drop(y);
        moved
    };
    assert!(held(false));
    assert!(!held(true));
}

#[test]
fn dfdx_tapes_work_too() {
    use dfdx::prelude::{Backward, Trace};
    let net = shaken::<Net>(8);
    let x = random::<Rank4<2, 2, 4, 4>, f64>(Default::default(), 9);
    let ours = {
        let y = net.forward(x.clone().track_input());
        let grad_output = vec![1.0; y.shape().num_elements()];
        let mut gradients = try_backward(weigh(y, &grad_output)).unwrap();
        (gradients_of(&net, &mut gradients), gradients.into_gradients().get(&x).as_vec())
    };
    use dfdx::prelude::SumTo;
    let theirs: Gradients<f64, Cpu> = net.forward(x.leaky_trace()).sum::<dfdx::shapes::Rank0, _>().backward();
    assert_eq!(theirs.get(&x).as_vec(), ours.1);
    assert_eq!(theirs.get(&net.0.weight).as_vec(), ours.0[0].1);
    assert_eq!(theirs.get(net.4.beta()).as_vec(), ours.0[9].1);
}

#[test]
fn a_relu_network_has_no_activation_parameters() {
    let layer = shaken::<builder::Act<Relu, 3>>(10);
    let y = layer.forward(random::<Rank4<1, 3, 2, 2>, f64>(Default::default(), 11).track());
    assert!(!y.split_tape().1.requires_grad());
}

#[test]
fn a_batch_norm_may_come_first() {
    for mode in [Mode::Eval, Mode::Train] {
        let mut layer = shaken::<builder::BatchNorm2D<2>>(12);
        layer.set_mode(mode);
        let x = random::<Rank4<3, 2, 2, 2>, f64>(Default::default(), 13);
        let gradients = |y: Tracked<Rank4<3, 2, 2, 2>>| {
            let mut gradients = try_backward(weigh(y, &noise::<f64>(24, 14))).unwrap();
            gradients_of(&layer, &mut gradients)
        };
        let alone = gradients(layer.forward(x.clone().track()));
        assert_eq!(alone, gradients(layer.forward(x.track_input())));
    }
}

#[test]
fn parameters_that_share_storage_are_refused() {
    use dfdx::prelude::{Axes2, Axes4, BroadcastTo, PermuteTo};
    use dfdx::shapes::{Rank1, Rank2};
    let refused = |name| Error::ParameterLayout { name };
    let x = random::<Rank4<1, 2, 4, 4>, f64>(Default::default(), 15);
    let mut conv = shaken::<builder::Conv2D<2, 3, 3, 1, 1>>(16);
    conv.weight = random::<Rank4<3, 3, 2, 3>, f64>(Default::default(), 17).permute::<_, Axes4<3, 2, 0, 1>>();
    assert_eq!(conv.try_forward(x.clone()).unwrap_err(), refused("weight"));
    let mut act = shaken::<builder::Act<Pvlu, 2>>(18);
    let one = random::<(), f64>((), 19);
    *act.param_mut("alpha").unwrap() = one.clone().broadcast::<Rank1<2>, _>();
    assert_eq!(act.try_forward(x.clone()).unwrap_err(), refused("alpha"));
    let mut norm = shaken::<builder::BatchNorm2D<2>>(20);
    norm.shift = one.broadcast::<Rank1<2>, _>();
    assert_eq!(norm.try_forward(x).unwrap_err(), refused("shift"));
    let mut linear = shaken::<builder::Linear<4, 3>>(21);
    linear.weight = random::<Rank2<4, 3>, f64>(Default::default(), 22).permute::<_, Axes2<1, 0>>();
    assert_eq!(linear.try_forward(random::<Rank2<1, 4>, f64>(Default::default(), 23)).unwrap_err(), refused("weight"));
}
