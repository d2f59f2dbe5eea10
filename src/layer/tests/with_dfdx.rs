//! Layers of dfdx's beside these.

use dfdx::nn::modules::{AddInto, LogSoftmax, Repeated, Sigmoid, SplitInto, Tanh};
use dfdx::nn::{DeviceBuildExt, Module, ModuleMut, NumParams};
use dfdx::shapes::{Rank2, Rank4};

use super::*;
use crate::activation::{PRelu, Pvlu};
use crate::layer::builder::{Act, Conv2D, Linear};

type Net = (
    Conv2D<2, 3, 3, 1, 1>,
    FromDfdx<Tanh>,
    Repeated<(Conv2D<3, 3, 1>, FromDfdx<Sigmoid>, Act<Pvlu, 3>), 2>,
    (GlobalAvgPool2D, Linear<3, 4>),
    FromDfdx<LogSoftmax>,
);

#[test]
fn modules_of_dfdx_compute_and_pass_gradients_in_a_tuple_with_these() {
    let mut net = shaken::<Net>(1);
    let x = random::<Rank4<2, 2, 4, 3>, f64>(Default::default(), 2);
    let y = net.0.forward(x.clone());
    let bent = net.1.forward(y.clone());
    assert_eq!(bent.as_vec(), y.as_vec().iter().map(|y| y.tanh()).collect::<Vec<_>>());
    let probabilities: f64 = net.forward(x.clone()).as_vec()[..4].iter().map(|y| y.exp()).sum();
    assert!((probabilities - 1.0).abs() < 1e-12);
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));

    net.freeze_weights(true);
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));
    assert_eq!(net.forward_mut(x.clone()).as_vec(), net.forward(x).as_vec());
}

#[test]
fn they_have_no_tensors_and_a_line_in_the_summary() {
    let net = shaken::<Net>(3);
    assert_eq!(net.num_trainable_params(), 57 + 2 * (12 + 6) + 16);
    let summary = summary(&net, Extent::image(2, 4, 3)).unwrap();
    let line = &summary.layers[1];
    assert_eq!((line.path.as_str(), line.kind.to_string().as_str()), ("1", "Tanh of dfdx"));
    assert_eq!((line.output, line.counts), (Extent::image(3, 4, 3), Counts::default()));
    let swapped = net.swap_activation::<PRelu>();
    let FromDfdx(Tanh) = swapped.1;
    assert_eq!(swapped.2.modules[1].2.param("alpha").unwrap().as_vec(), [0.0; 3]);
}

/// `SplitInto` and `AddInto` run, though they are no `Visit`.
#[test]
fn dfdx_splits_and_adds_what_these_layers_give() {
    let dev = Cpu::seed_from_u64(4);
    let net = dev.build_module::<(Linear<3, 4>, SplitInto<(Linear<4, 2>, Linear<4, 5>)>), f64>();
    let (first, second) = net.forward(random::<Rank2<2, 3>, f64>(Default::default(), 5));
    assert_eq!((first.as_vec().len(), second.as_vec().len()), (4, 10));
    let added = dev.build_module::<AddInto<(Linear<3, 2>, Linear<4, 2>)>, f64>();
    let (x, y) = (random::<Rank2<2, 3>, f64>(Default::default(), 6), random::<Rank2<2, 4>, f64>(Default::default(), 7));
    let expected = added.0.0.forward(x.clone()) + added.0.1.forward(y.clone());
    assert_eq!(added.forward((x, y)).as_vec(), expected.as_vec());
}
