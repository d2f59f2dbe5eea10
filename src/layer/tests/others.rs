use dfdx::nn::{Module, ModuleMut, ZeroSizedModule};
use dfdx::shapes::{Const, Rank2, Rank4};
use dfdx::tensor::AsArray;

use super::*;
use crate::loss::{Targets, try_cross_entropy, try_cross_entropy_mixed, try_cross_entropy_smoothed};

#[test]
fn flatten_keeps_the_order_and_hands_gradients_back() {
    let x = random::<Rank4<2, 3, 2, 2>, f64>(Default::default(), 1);
    let y = Flatten2D::<3, 2, 2, 12>.forward(x.clone());
    assert_eq!(y.as_vec(), x.as_vec());
    check_gradients(&mut Flatten2D::<3, 2, 2, 12>, x, |layer, x| layer.forward(x));
    check_gradients(&mut Flatten2D::<3, 2, 2, 12>, permuted::<2, 3, 2, 2>(2), |layer, x| layer.forward(x));
    let wrong = zeros((1, Const::<3>, 2, 3));
    assert_eq!(Flatten2D::<3, 2, 2, 12>.try_forward(wrong).unwrap_err(), Error::Shape { expected: 2, found: 3 });
}

#[test]
fn dropout_drops_in_training_alone_whatever_the_tape() {
    let x = random::<Rank2<50, 40>, f64>(Default::default(), 3);
    let mut layer = Dropout::<25>::default();
    Switch::<f64, Cpu>::seed_dropout(&mut layer, 7);
    assert_eq!(layer.forward(x.clone().track_input()).as_vec(), x.as_vec(), "eval, with a tape");

    Switch::<f64, Cpu>::set_mode(&mut layer, Mode::Train);
    let first = layer.forward(x.clone()).as_vec();
    let dropped = first.iter().filter(|&&y| y == 0.0).count();
    assert!((400..600).contains(&dropped), "{dropped} of 2000 dropped");
    for (y, x) in first.iter().zip(x.as_vec()) {
        assert!(*y == 0.0 || (y - x / 0.75).abs() < 1e-15);
    }
    assert_eq!(layer.forward(x.clone()).as_vec(), first, "forward repeats the mask");
    assert_eq!(layer.forward_mut(x.clone()).as_vec(), first);
    let second = layer.forward_mut(x.clone()).as_vec();
    assert_ne!(second, first, "each training pass draws a mask");
    assert_eq!(layer.state.passes, 2);

    Switch::<f64, Cpu>::seed_dropout(&mut layer, 7);
    assert_eq!(layer.forward_mut(x.clone()).as_vec(), first, "the seed decides");
    Switch::<f64, Cpu>::seed_dropout(&mut layer, 8);
    assert_ne!(layer.forward_mut(x).as_vec(), first);
}

#[test]
fn the_gradient_of_dropout_passes_the_same_mask() {
    let mut layer = Dropout::<50>::default();
    Switch::<f64, Cpu>::set_mode(&mut layer, Mode::Train);
    check_gradients(&mut layer, random::<Rank2<7, 5>, f64>(Default::default(), 4), |layer, x| layer.forward(x));
}

#[test]
fn two_dropouts_of_a_network_draw_different_masks() {
    let mut net = (Dropout::<50>::default(), Dropout::<50>::default());
    Switch::<f64, Cpu>::seed_dropout(&mut net, 1);
    Switch::<f64, Cpu>::set_mode(&mut net, Mode::Train);
    let x = random::<Rank2<20, 20>, f64>(Default::default(), 5);
    assert_ne!(net.0.forward(x.clone()).as_vec(), net.1.forward(x).as_vec());
}

#[test]
fn cross_entropy_is_the_mean_of_the_log_likelihoods() {
    let logits = random::<Rank2<4, 3>, f64>(Default::default(), 6);
    let labels = [2, 0, 1, 1];
    let expected = logits
        .as_vec()
        .chunks(3)
        .zip(labels)
        .map(|(row, label)| row.iter().map(|v| v.exp()).sum::<f64>().ln() - row[label])
        .sum::<f64>()
        / 4.0;
    let loss = try_cross_entropy(logits.clone(), &labels).unwrap();
    assert!((loss.array() - expected).abs() < 1e-14);

    #[derive(Default)]
    struct Nothing;
    impl ZeroSizedModule for Nothing {}
    crate::layer::visit::nothing_to_visit!([] Nothing, |input: Extent| (LayerKind::Flatten, Ok(input)));
    check_gradients(&mut Nothing, logits.clone(), |_, x| try_cross_entropy(x, &labels).unwrap());
    use dfdx::prelude::PermuteTo;
    let transposed = random::<Rank2<3, 4>, f64>(Default::default(), 7).permute::<Rank2<4, 3>, _>();
    check_gradients(&mut Nothing, transposed, |_, x| try_cross_entropy(x, &labels).unwrap());

    for smoothing in [0.2, 1.0] {
        let smoothed = |x| try_cross_entropy_smoothed(x, &labels, smoothing).unwrap();
        check_gradients(&mut Nothing, logits.clone(), |_, x| smoothed(x));
    }
    let plain = try_cross_entropy_smoothed(logits.clone(), &labels, 0.0).unwrap();
    assert_eq!(plain.array().to_bits(), loss.array().to_bits());
    for smoothing in [-0.1, 1.5, f64::NAN] {
        let refused = try_cross_entropy_smoothed(logits.clone(), &labels, smoothing).unwrap_err();
        assert_eq!(refused, Error::Smoothing { found: smoothing.to_string() });
    }

    let others = [1, 1, 0, 2];
    for (smoothing, share) in [(0.0, 0.3), (0.2, 0.75), (0.0, 1.0)] {
        let targets = Targets { labels: &labels, smoothing, mixed: Some((&others, share)) };
        let [first, second] =
            [&labels, &others].map(|of| try_cross_entropy_smoothed(logits.clone(), of, smoothing).unwrap().array());
        let mixed = try_cross_entropy_mixed(logits.clone(), &targets).unwrap().array();
        assert!((mixed - (share * first + (1.0 - share) * second)).abs() < 1e-14);
        check_gradients(&mut Nothing, logits.clone(), |_, x| try_cross_entropy_mixed(x, &targets).unwrap());
    }
    let mixed = |others: &[usize], share: f64| {
        let targets = Targets { mixed: Some((others, share)), ..Targets::of(&labels) };
        try_cross_entropy_mixed(logits.clone(), &targets).unwrap_err()
    };
    assert_eq!(mixed(&others, 1.5), Error::MixedShare { found: "1.5".to_owned() });
    assert_eq!(mixed(&others[..3], 0.5), Error::LabelCount { rows: 4, labels: 3 });
    assert_eq!(mixed(&[0, 0, 3, 0], 0.5), Error::Label { index: 2, label: 3, classes: 3 });

    assert_eq!(try_cross_entropy(logits.clone(), &[0]).unwrap_err(), Error::LabelCount { rows: 4, labels: 1 });
    assert_eq!(try_cross_entropy(logits, &[0, 1, 3, 0]).unwrap_err(), Error::Label { index: 2, label: 3, classes: 3 });
    let empty = try_cross_entropy(zeros((0, Const::<3>)), &[]).unwrap();
    assert_eq!(empty.array(), 0.0);
}
