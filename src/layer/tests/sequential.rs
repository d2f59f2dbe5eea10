//! Networks of any number of layers.

use dfdx::nn::{Module, ModuleMut, NumParams};
use dfdx::shapes::{Rank2, Rank4};

use super::*;
use crate::activation::Pvlu;
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};
use crate::sequential;

/// Paths and values of all tensors, and paths of all layers of the summary.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    tensors: Vec<(String, Vec<f64>)>,
    layers: Vec<String>,
}

impl Visitor<f64, Cpu> for Seen {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        self.tensors.push((slot.path.to_owned(), tensor.read()?.into_owned()));
        Ok(())
    }
}

fn see(net: &impl Visit<f64, Cpu>, input: Extent) -> Seen {
    let mut seen = Seen::default();
    net.visit(&mut Path::root(), &mut seen).unwrap();
    let mut layers = Vec::new();
    net.summarize(&mut Path::root(), input, &mut |layer| layers.push(layer.path.to_owned())).unwrap();
    Seen { layers, ..seen }
}

#[test]
fn one_and_six_layers_are_a_tuple() {
    let one = shaken::<sequential![Linear<3, 2>]>(1);
    let x = random::<Rank2<4, 3>, f64>(Default::default(), 2);
    assert_eq!(one.forward(x.clone()).as_vec(), one.0.forward(x.clone()).as_vec());
    assert_eq!(see(&one, Extent::features(3)).layers, ["0"]);

    type Six = sequential![Linear<3, 4>, Act<Pvlu, 4>, Linear<4, 4>, Act<Pvlu, 4>, Dropout<25>, Linear<4, 2>];
    type Tuple = (Linear<3, 4>, Act<Pvlu, 4>, Linear<4, 4>, Act<Pvlu, 4>, Dropout<25>, Linear<4, 2>);
    let (mut six, tuple) = (shaken::<Six>(3), shaken::<Tuple>(3));
    assert_eq!(see(&six, Extent::features(3)), see(&tuple, Extent::features(3)));
    assert_eq!(see(&six, Extent::features(3)).layers, ["0", "1", "2", "3", "4", "5"]);
    six.set_mode(Mode::Train);
    check_gradients(&mut six, x, |net, x| net.forward(x));
}

#[test]
fn seven_layers_compute_what_they_compute_one_after_the_other() {
    type Seven = sequential![
        Conv2D<2, 3, 3, 1, 1>,
        BatchNorm2D<3>,
        Act<Pvlu, 3>,
        MaxPool2D<2, 2>,
        Residual<Conv2D<3, 3, 1>>,
        GlobalAvgPool2D,
        Linear<3, 2>,
    ];
    let mut net = shaken::<Seven>(5);
    let x = random::<Rank4<3, 2, 4, 4>, f64>(Default::default(), 6);
    let y = net.0.0.forward(x.clone());
    let y = net.0.4.forward(net.0.3.forward(net.0.2.forward(net.0.1.forward(y))));
    let y = net.1.0.forward(net.0.5.forward(y));
    assert_eq!(net.forward(x.clone()).as_vec(), y.as_vec());

    let seen = see(&net, Extent::image(2, 4, 4));
    assert_eq!(seen.layers, ["0.0", "0.1", "0.2", "0.3", "0.4.main", "0.4", "0.5", "1.0"]);
    assert_eq!(seen.tensors[0].0, "0.0.weight");
    assert_eq!(seen.tensors.last().unwrap().0, "1.0.bias");
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));

    // `forward_mut` on a tape reaches every layer: the batch norm moves its statistics.
    let before = net.0.1.running_mean.as_vec();
    let gradients = &mut try_backward(weigh(net.forward_mut(x.track()), &noise(6, 7))).unwrap();
    assert_ne!(net.0.1.running_mean.as_vec(), before);
    let trained = seen.tensors.iter().filter(|(path, _)| !path.contains("running"));
    let reached: Vec<_> = gradients_of(&net, gradients).into_iter().map(|(path, _)| path).collect();
    assert_eq!(reached, trained.map(|(path, _)| path.clone()).collect::<Vec<_>>());
}

#[test]
fn thirteen_layers_are_built_walked_swapped_and_trained() {
    type Layer = Linear<2, 2>;
    type Activation<A> = Act<A, 2>;
    type Thirteen<A> = sequential![
        Layer,
        Activation<A>,
        Layer,
        Activation<A>,
        Layer,
        Activation<A>,
        Layer,
        Activation<A>,
        Layer,
        Activation<A>,
        Layer,
        Activation<A>,
        Linear<2, 3>
    ];
    let mut net = shaken::<Thirteen<Pvlu>>(8);
    let x = random::<Rank2<5, 2>, f64>(Default::default(), 9);
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));
    assert_eq!(net.num_trainable_params(), 6 * (6 + 4) + 9);

    let seen = see(&net, Extent::features(2));
    let expected: Vec<String> = (0..13).map(|i| format!("{}.{}", i / 6, i % 6)).collect();
    assert_eq!(seen.layers, expected);
    assert_eq!(seen.tensors[2].0, "0.1.alpha");
    assert_eq!(seen.tensors.last().unwrap(), &("2.0.bias".to_owned(), net.2.0.bias.as_vec()));

    let weight = net.1.2.weight.as_vec();
    let swapped = net.swap_activation::<crate::activation::PRelu>();
    assert_eq!(swapped.1.2.weight.as_vec(), weight);
    assert_eq!(swapped.1.1.param("alpha").unwrap().as_vec(), [0.0; 2]);
}
