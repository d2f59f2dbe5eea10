//! A convolution and its batch norm as one layer, against the two one after the other.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Rank4};

use super::*;
use crate::dim::Window;
use crate::layer::builder;

type Normed<const K: usize, const S: usize, const P: usize, const BIAS: bool> =
    builder::NormedConv2D<builder::Conv2D<2, 3, K, S, P, BIAS>, builder::BatchNorm2D<3, KerasResNet>>;
type Images = Rank4<4, 2, 6, 5>;

/// The same layers as a tuple of dfdx, which cannot fold them.
fn apart<C: Clone, N: Clone>(net: &NormedConv2D<C, N>) -> (C, N) {
    (net.conv.clone(), net.norm.clone())
}

#[test]
fn without_a_gradient_the_two_are_one_convolution() {
    fn check<const K: usize, const S: usize, const P: usize, const BIAS: bool>()
    where
        Const<6>: Window<K, S, P>,
        Const<5>: Window<K, S, P>,
    {
        let mut net = shaken::<Normed<K, S, P, BIAS>>(K as u64);
        net.set_mode(Mode::Eval);
        let x = random::<Images, f64>(Default::default(), 2);
        let expected = apart(&net).forward(x.clone()).as_vec();
        let y = net.forward(x.clone()).as_vec();
        assert!(net.folds(y.len() / 3, false, false).unwrap());
        assert!(distance(&y, &expected) < 1e-13);
        assert_eq!(net.forward_mut(x).as_vec(), y);
    }
    check::<1, 1, 0, true>();
    check::<1, 2, 0, false>();
    check::<3, 1, 1, true>();
    check::<3, 2, 1, false>();
}

#[test]
fn they_are_two_where_anything_is_learnt_or_the_image_is_small() {
    let mut net = shaken::<Normed<3, 1, 1, true>>(4);
    let folds = |net: &<Normed<3, 1, 1, true> as dfdx::nn::BuildOnDevice<Cpu, f64>>::Built, recorded| {
        net.folds(100, recorded, false).unwrap()
    };
    net.set_mode(Mode::Eval);
    assert!(folds(&net, false) && !folds(&net, true));
    assert!(net.folds(18, false, false).unwrap() && !net.folds(17, false, false).unwrap());
    net.freeze_weights(true);
    assert!(!folds(&net, true));
    net.freeze_batch_norm(true, false);
    assert!(folds(&net, true));
    net.conv.bias_trained = true;
    assert!(!folds(&net, true) && folds(&net, false));
    net.conv.bias_trained = false;
    net.set_mode(Mode::Train);
    assert!(!folds(&net, true) && !folds(&net, false));
    net.freeze_batch_norm(true, true);
    assert!(folds(&net, true) && folds(&net, false));
}

#[test]
fn training_is_that_of_the_two() {
    let mut net = shaken::<Normed<3, 1, 1, true>>(5);
    net.set_mode(Mode::Train);
    let x = random::<Images, f64>(Default::default(), 6);
    let mut pair = apart(&net);
    assert_eq!(net.forward_mut(x.clone()).as_vec(), pair.forward_mut(x.clone()).as_vec());
    assert_eq!(net.norm.running_mean.as_vec(), pair.1.running_mean.as_vec());
    assert_eq!(net.norm.running_var.as_vec(), pair.1.running_var.as_vec());
    check_gradients(&mut net, x, |net, x| net.forward(x));
}

#[test]
fn a_frozen_pair_hands_the_gradient_through() {
    let mut net = shaken::<Normed<3, 2, 1, false>>(7);
    net.set_mode(Mode::Train);
    net.freeze_weights(true);
    net.freeze_batch_norm(true, true);
    let x = random::<Images, f64>(Default::default(), 8);
    assert!(net.folds(4 * 3 * 3, true, false).unwrap());
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));

    let gradient = |y: Tracked<Rank4<4, 3, 3, 3>>| {
        let mut gradients = try_backward(weigh(y, &noise::<f64>(4 * 27, 9))).unwrap();
        assert!(gradients_of(&net, &mut gradients).is_empty());
        gradients.into_gradients().get(&x).as_vec()
    };
    let folded = gradient(net.forward(x.clone().track_input()));
    assert!(distance(&folded, &gradient(apart(&net).forward(x.clone().track_input()))) < 1e-13);
}

#[test]
fn their_tensors_have_paths_of_their_own_and_what_a_layer_refuses_is_refused() {
    use dfdx::prelude::{Axes4, PermuteTo};
    let mut net = shaken::<Normed<3, 1, 1, true>>(10);
    struct Paths(Vec<String>);
    impl Visitor<f64, Cpu> for Paths {
        fn tensor(&mut self, slot: NamedTensor<'_>, _: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0.push(slot.path.to_owned());
            Ok(())
        }
    }
    let mut paths = Paths(Vec::new());
    net.visit(&mut Path::root(), &mut paths).unwrap();
    let expected = ["conv.weight", "conv.bias", "norm.scale", "norm.shift", "norm.running_mean", "norm.running_var"];
    assert_eq!(paths.0, expected);

    net.set_mode(Mode::Eval);
    net.conv.weight = random::<Rank4<3, 3, 2, 3>, f64>(Default::default(), 11).permute::<_, Axes4<3, 2, 0, 1>>();
    let x = random::<Images, f64>(Default::default(), 12);
    assert_eq!(net.try_forward(x).unwrap_err(), Error::ParameterLayout { name: "weight" });
}

#[test]
fn an_empty_batch_and_a_nan_pass() {
    let mut net = shaken::<Normed<1, 1, 0, true>>(13);
    net.set_mode(Mode::Eval);
    let empty = random::<(usize, Const<2>, usize, usize), f64>((0, Const, 4, 4), 14);
    assert_eq!(net.forward(empty).shape().num_elements(), 0);
    let mut x = random::<Images, f64>(Default::default(), 15);
    view::with_mut(&mut x, |values| values[0] = f64::NAN).unwrap();
    let y = net.forward(x).as_vec();
    let image = 3 * 6 * 5;
    assert_eq!(y.iter().enumerate().filter(|(_, y)| y.is_nan()).map(|(i, _)| i / image).collect::<Vec<_>>(), [0; 3]);
}
