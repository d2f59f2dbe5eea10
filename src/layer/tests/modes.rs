//! When layers behave as in training.

use dfdx::nn::modules::Repeated;
use dfdx::nn::{BuildOnDevice, Module, ModuleMut};
use dfdx::prelude::Trace;
use dfdx::shapes::Rank4;

use super::*;
use crate::layer::builder;

type Images = Rank4<3, 4, 2, 3>;
type Norm = builder::BatchNorm2D<4>;
type Convolution = builder::Conv2D<4, 4, 1>;
type Folding = builder::NormedConv2D<Convolution, Norm>;
/// Every container, with a batch norm and a dropout in it.
type Net = builder::TrunkAndHead<
    (
        Residual<(Norm, Repeated<(Folding, Dropout<50>), 2>)>,
        ProjectedResidual<(Norm, Dropout<25>), builder::TrunkAndHead<Convolution, Norm>>,
    ),
    (Norm, Dropout<25>),
>;
type Built = <Net as BuildOnDevice<Cpu, f64>>::Built;

/// A network, with the modes that it was left in or put into.
fn net(mode: Option<Mode>) -> Built {
    let mut net = shaken::<Net>(1);
    net.seed_dropout(2);
    if let Some(mode) = mode {
        net.set_mode(mode);
    }
    net
}

/// Running statistics, and how often dropouts drew.
fn moved(net: &mut Built) -> (Vec<Vec<f64>>, Vec<u64>) {
    struct Statistics(Vec<Vec<f64>>);
    impl Visitor<f64, Cpu> for Statistics {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            if slot.updated {
                self.0.push(tensor.read()?.into_owned());
            }
            Ok(())
        }
    }
    let (mut statistics, mut passes) = (Statistics(Vec::new()), Vec::new());
    net.visit(&mut Path::root(), &mut statistics).unwrap();
    net.each_switch(|switches| {
        if let Switches::Dropout(dropout) = switches {
            passes.push(dropout.passes);
        }
    });
    (statistics.0, passes)
}

#[test]
fn a_loop_of_dfdx_trains_and_evaluates() {
    let x = random::<Images, f64>(Default::default(), 3);
    let [mut automatic, mut trained, mut evaluated] = [None, Some(Mode::Train), Some(Mode::Eval)].map(net);
    let start = moved(&mut automatic);

    let expected = evaluated.forward_mut(x.clone()).as_vec();
    let trains = trained.forward_mut(x.clone()).as_vec();
    assert!(distance(&trains, &expected) > 0.1);
    // What dfdx compiles of its own layers, and what it refuses.
    assert_eq!(automatic.forward(x.clone()).as_vec(), expected);
    // With a tape a convolution and its batch norm are not folded into one, which rounds otherwise.
    assert!(distance(&automatic.forward(x.leaky_trace()).as_vec(), &expected) < 1e-12);
    assert!(distance(&automatic.forward(x.clone().track()).as_vec(), &expected) < 1e-12);
    assert_eq!(automatic.forward_mut(x.clone()).as_vec(), expected);
    assert_eq!(moved(&mut automatic), start, "evaluation learns nothing");

    assert_eq!(automatic.forward_mut(x.leaky_trace()).as_vec(), trains);
    assert_eq!(moved(&mut automatic), moved(&mut trained));
    assert_ne!(moved(&mut automatic), start);
    assert_eq!(automatic.forward_mut(x.clone().track()).as_vec(), trained.forward_mut(x.track()).as_vec());
    assert_eq!(moved(&mut automatic), moved(&mut trained));
}

#[test]
fn a_mode_that_was_set_by_hand_holds_until_it_is_taken_back() {
    let x = random::<Images, f64>(Default::default(), 4);
    let mut by_hand = net(Some(Mode::Eval));
    let start = moved(&mut by_hand);
    let evaluated = by_hand.forward(x.clone()).as_vec();
    assert!(distance(&by_hand.forward_mut(x.leaky_trace()).as_vec(), &evaluated) < 1e-12);
    assert_eq!(moved(&mut by_hand), start);
    by_hand.set_mode(Mode::Train);
    let trained = by_hand.forward(x.clone()).as_vec();
    assert!(distance(&trained, &evaluated) > 0.1);
    assert_eq!(moved(&mut by_hand), start, "forward changes nothing");
    by_hand.set_mode(Mode::Auto);
    assert_eq!(by_hand.forward(x.clone()).as_vec(), evaluated);
    assert_eq!(by_hand.forward_mut(x.leaky_trace()).as_vec(), trained);
}

#[test]
fn frozen_statistics_stay_in_training() {
    let x = random::<Images, f64>(Default::default(), 5);
    let mut frozen = net(None);
    frozen.freeze_batch_norm(false, true);
    let start = moved(&mut frozen);
    frozen.forward_mut(x.leaky_trace());
    frozen.freeze_batch_norm(false, false);
    let end = moved(&mut frozen);
    frozen.freeze_batch_norm(false, true);
    assert!(start.0.is_empty());
    let mut fresh = net(None);
    assert_eq!(end.0, moved(&mut fresh).0);
    assert_eq!(end.1, [1; 4]);
}

#[test]
fn the_gradients_of_training_are_those_of_the_mode_set_by_hand() {
    let x = random::<Images, f64>(Default::default(), 6);
    let grad_output = noise::<f64>(3 * 4 * 2 * 3, 7);
    let gradients = |mode| {
        let mut net = net(mode);
        let y = net.forward_mut(x.clone().track());
        gradients_of(&net, &mut try_backward(weigh(y, &grad_output)).unwrap())
    };
    assert_eq!(gradients(None), gradients(Some(Mode::Train)));
}
