use dfdx::nn::{BuildOnDevice, Module, ModuleMut, NumParams, ResetParams, ToDtype};
use dfdx::prelude::{Backward, MeanTo, SumTo, Trace};
use dfdx::shapes::{Rank0, Rank2, Rank4};

use super::*;
use crate::activation::{PRelu, Pvlu};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};
use crate::loss::cross_entropy;

type Images = Rank4<3, 2, 4, 4>;
type Trunk<A> = (Conv2D<2, 3, 3, 1, 1>, BatchNorm2D<3>, Act<A, 3>);
type First<A> = (GlobalAvgPool2D, Linear<3, 4>, Act<A, 4>);
type Second = (Flatten2D<3, 4, 4, 48>, Linear<48, 2>);
type Net<A> = builder::TwoHeads<Trunk<A>, First<A>, Second>;
type Built<A> = <Net<A> as BuildOnDevice<Cpu, f64>>::Built;

/// A function of both outputs, on one tape.
fn both(net: &Built<Pvlu>, x: Tracked<Images>) -> Tracked<Rank0> {
    let (first, second) = net.forward(x);
    weigh(first, &noise(12, 1)) + weigh(second, &noise(6, 2))
}

fn paths(net: &Built<Pvlu>) -> Vec<String> {
    struct Paths(Vec<String>);
    impl Visitor<f64, Cpu> for Paths {
        fn tensor(&mut self, slot: NamedTensor<'_>, _: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0.push(slot.path.to_owned());
            Ok(())
        }
    }
    let mut paths = Paths(Vec::new());
    net.visit(&mut Path::root(), &mut paths).unwrap();
    paths.0
}

#[test]
fn both_heads_have_right_gradients_and_so_has_what_they_share() {
    let mut net = shaken::<Net<Pvlu>>(1);
    let x = random::<Images, f64>(Default::default(), 2);
    check_gradients(&mut net, x.clone(), both);
    net.set_mode(Mode::Train);
    check_gradients(&mut net, x.clone(), both);
    net.freeze_weights(true);
    check_gradients(&mut net, x.clone(), both);
    // As in fine-tuning: one head and the trunk frozen, the other trained.
    net.each_switch_at(|path, switches| {
        if let (false, Switches::Activation { frozen, .. }) = (path.starts_with("head.first"), switches) {
            *frozen = true;
        }
    });
    check_gradients(&mut net, x, both);
}

#[test]
fn the_outputs_are_those_of_each_head_on_the_trunk() {
    let mut net = shaken::<Net<Pvlu>>(3);
    let x = random::<Images, f64>(Default::default(), 4);
    let features = net.trunk.forward(x.clone());
    let (first, second) = net.forward(x.clone());
    assert_eq!(first.as_vec(), net.first.forward(features.clone()).as_vec());
    assert_eq!(second.as_vec(), net.second.forward(features).as_vec());

    // In training the trunk runs once: its statistics move as by one pass.
    let mut alone = net.trunk.clone();
    alone.forward_mut(x.clone().track());
    let (trained, _) = net.forward_mut(x.track());
    assert_eq!(net.trunk.1.running_mean.as_vec(), alone.1.running_mean.as_vec());
    assert_ne!(trained.as_vec(), first.as_vec());
}

#[test]
fn the_trunk_is_on_the_tape_of_the_first_output() {
    let net = shaken::<Net<Pvlu>>(5);
    let x = random::<Images, f64>(Default::default(), 6);
    let reached = |loss: Tracked<Rank0>| {
        let gradients = try_backward(loss).unwrap();
        [
            gradients.reached(&net.trunk.0.weight),
            gradients.reached(&net.first.1.weight),
            gradients.reached(&net.second.1.weight),
        ]
    };
    let (first, second) = net.forward(x.clone().track());
    drop(second);
    assert_eq!(reached(cross_entropy(first, &[0, 1, 2])), [true, true, false]);
    let (first, second) = net.forward(x.track());
    drop(first);
    assert_eq!(reached(cross_entropy(second, &[0, 1, 1])), [false, false, true]);
}

#[test]
fn the_tape_of_dfdx_gives_the_same_gradients() {
    let net = shaken::<Net<Pvlu>>(7);
    let x = random::<Images, f64>(Default::default(), 8);
    let (first, second) = net.forward(x.leaky_trace());
    let theirs = (first.mean::<Rank0, _>() + second.sum::<Rank0, _>()).backward();
    let (first, second) = net.forward(x.clone().track_input());
    let ours = try_backward(first.mean::<Rank0, _>() + second.sum::<Rank0, _>()).unwrap().into_gradients();
    let pick = |gradients: &dfdx::tensor::Gradients<f64, Cpu>| {
        let parameters = [&net.trunk.0.weight].map(|weight| gradients.get(weight).as_vec());
        [parameters.concat(), gradients.get(&net.second.1.weight).as_vec(), gradients.get(&x).as_vec()]
    };
    for (theirs, ours) in pick(&theirs).iter().zip(&pick(&ours)) {
        assert!(distance(ours, theirs) < 1e-13);
    }
}

#[test]
fn its_parts_have_names_in_visits_in_summaries_and_in_dfdx() {
    let mut net = shaken::<Net<Pvlu>>(9);
    let paths = paths(&net);
    let expected = [
        "trunk.0.weight",
        "trunk.0.bias",
        "trunk.1.scale",
        "trunk.1.shift",
        "trunk.1.running_mean",
        "trunk.1.running_var",
        "trunk.2.alpha",
        "trunk.2.beta",
        "head.first.1.weight",
        "head.first.1.bias",
        "head.first.2.alpha",
        "head.first.2.beta",
        "head.second.1.weight",
        "head.second.1.bias",
    ];
    assert_eq!(paths, expected);
    assert!(paths.iter().all(|path| Part::of(path).map(Part::name) == path.split('.').next()));
    let mut layers = Vec::new();
    let last = net
        .summarize(&mut Path::root(), Extent::image(2, 4, 4), &mut |layer| layers.push(layer.path.to_owned()))
        .unwrap();
    assert_eq!(last, Extent::several(&[Extent::features(4), Extent::features(2)]).unwrap());
    assert_eq!(layers[3..], ["head.first.0", "head.first.1", "head.first.2", "head.second.0", "head.second.1"]);

    assert_eq!(net.num_trainable_params(), 57 + 6 + 6 + 16 + 8 + 98);
    assert_eq!(net.to_dtype::<f32>().second.1.bias.as_vec().len(), 2);
    let mut switches = Vec::new();
    net.each_switch_at(|path, _| switches.push(path.to_owned()));
    assert_eq!(switches, ["trunk.0", "trunk.1", "trunk.2", "head.first.1", "head.first.2", "head.second.1"]);
    net.reset_params();
    assert_eq!(net.second.1.bias.as_vec(), [0.0; 2]);
}

#[test]
fn the_activation_of_every_part_is_swapped() {
    let net = shaken::<Net<Pvlu>>(10);
    let weight = net.second.1.weight.as_vec();
    let swapped: Built<PRelu> = net.swap_activation::<PRelu>();
    assert_eq!(swapped.trunk.2.param("alpha").unwrap().as_vec(), [0.0; 3]);
    assert_eq!(swapped.first.2.param("alpha").unwrap().as_vec(), [0.0; 4]);
    assert_eq!(swapped.second.1.weight.as_vec(), weight);
    let x = random::<Rank2<1, 32>, f64>(Default::default(), 11);
    let x = Cpu::default().try_tensor_from_vec::<Rank4<1, 2, 4, 4>>(x.as_vec(), Default::default()).unwrap();
    assert_eq!(swapped.forward(x).1.as_vec().len(), 2);
}
