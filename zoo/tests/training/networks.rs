//! The six-convolution network: sizes, and a gradient for every parameter.

use std::collections::BTreeMap;

use pvlu::layer::{Mode, ParamKind, Switches};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{RegistryError, activation_names, build, models};

use crate::support::{config, go_on, images, in_order};

fn sequential(activation: &str, classes: usize) -> Box<dyn Model> {
    build("sequential6conv", activation, classes, 3).unwrap()
}

/// Channels of the activations, in forward order.
fn activation_sites(model: &mut dyn Model) -> Vec<usize> {
    let mut sites = Vec::new();
    model.switches(&mut |switches| {
        if let Switches::Activation { channels, .. } = switches {
            sites.push(channels);
        }
    });
    sites
}

/// Counted by hand from the paper's layers: convolutions of 32, 32, 64, 64, 128 and 128 channels, dense layers of 512
/// and 100.
#[test]
fn the_network_has_the_size_of_its_layers() {
    let convolution = |i: usize, o: usize| 9 * i * o + o;
    let convolutions = convolution(3, 32)
        + convolution(32, 32)
        + convolution(32, 64)
        + convolution(64, 64)
        + convolution(64, 128)
        + convolution(128, 128);
    let by_hand = convolutions + (2048 * 512 + 512) + (512 * 100 + 100);
    assert_eq!(by_hand, 1_387_396);
    let mut relu = sequential("relu", 100);
    assert_eq!(relu.trained_parameters().unwrap(), by_hand);
    assert_eq!(activation_sites(relu.as_mut()), [32, 32, 64, 64, 128, 128, 512]);
    assert_eq!(activation_sites(relu.as_mut()).iter().sum::<usize>(), 960);
    assert_eq!(sequential("relu", 10).trained_parameters().unwrap(), by_hand - 90 * 513);
}

#[test]
fn each_activation_adds_its_parameters_for_each_channel() {
    let relu = sequential("relu", 10).trained_parameters().unwrap();
    for (activation, for_each_channel) in [("leaky_relu", 0), ("elu", 0), ("prelu", 1), ("swish", 0), ("pvlu", 2)] {
        let model = sequential(activation, 10);
        assert_eq!(model.trained_parameters().unwrap(), relu + for_each_channel * 960, "{activation}");
    }
}

#[test]
fn every_parameter_gets_a_gradient() {
    let batch = in_order(&images(12), 12).epoch(0).next().unwrap();
    for activation in activation_names() {
        let mut model = sequential(activation, 10);
        model.set_mode(Mode::Train);
        let mut trained = BTreeMap::new();
        model
            .tensors(&mut |tensor| {
                if tensor.slot.trained {
                    trained.insert(tensor.slot.path.to_owned(), tensor.values.len());
                }
            })
            .unwrap();
        assert!(trained.len() >= 2 * 8, "six convolutions and two dense layers: {trained:?}");

        let mut step = model.step(batch.images.clone(), &batch.labels).unwrap();
        let mut reached = BTreeMap::new();
        model
            .update(&mut step.gradients, &mut |slot, values, gradient| {
                assert_eq!(values.len(), gradient.len());
                assert!(gradient.iter().all(|g| g.is_finite()), "{activation}: {}", slot.path);
                assert!(gradient.iter().any(|&g| g != 0.0), "{activation}: {} has a gradient of zeros", slot.path);
                reached.insert(slot.path.to_owned(), values.len());
                Ok(())
            })
            .unwrap();
        assert_eq!(reached, trained, "{activation}");
    }
}

/// The comparison of activations rests on this: one seed, one network.
#[test]
fn equal_seeds_give_equal_weights_up_to_a_factor() {
    let weights = |activation: &str, seed: u64| {
        let mut all = Vec::new();
        let model = build("sequential6conv", activation, 10, seed).unwrap();
        model
            .tensors(&mut |tensor| {
                if tensor.slot.kind == ParamKind::Weight {
                    all.extend_from_slice(tensor.values);
                }
            })
            .unwrap();
        all
    };
    let relu = weights("relu", 1);
    for activation in activation_names() {
        let other = weights(activation, 1);
        let factor = other[0] / relu[0];
        assert_eq!(other.len(), relu.len());
        let apart = |(a, b): (&f32, &f32)| (a - factor * b).abs() / b.abs().max(1e-6);
        assert!(other.iter().zip(&relu).map(apart).all(|apart| apart < 1e-5), "{activation}");
    }
    assert_ne!(weights("relu", 2), relu);
}

#[test]
fn unknown_names_are_errors_that_list_the_known_ones() {
    let error = |model, activation, classes| build(model, activation, classes, 0).err().unwrap();
    let unknown = error("alexnet", "relu", 10);
    assert!(
        matches!(unknown, RegistryError::Model { .. }) && unknown.to_string().contains(models()[0].name),
        "{unknown}"
    );
    let unknown = error("sequential6conv", "geglu", 10);
    assert!(activation_names().iter().all(|name| unknown.to_string().contains(name)), "{unknown}");
    for classes in [0, 1, 65_537, usize::MAX] {
        let unknown = error("sequential6conv", "relu", classes).to_string();
        assert_eq!(unknown, format!("sequential6conv does not take {classes} classes; it takes 2 to 65536"));
    }
}

/// Images of one channel, 28x28 as those of MNIST: lines across are class 0, lines down class 1, each elsewhere.
#[test]
fn a_network_for_images_of_one_channel_learns_and_is_swapped() {
    use std::sync::Arc;

    use dfdx::nn::DeviceBuildExt;
    use dfdx::shapes::Const;
    use dfdx::tensor::Cpu;
    use pvlu::activation::{Pvlu, Relu};
    use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear, MaxPool2D};
    use pvlu_zoo::data::{Augmentation, Loader, LoaderConfig, Normalization, Split};
    use pvlu_zoo::image::{Channels, Fit, Interpolation, Preprocessing};
    use pvlu_zoo::model::{Classifier, Model};
    use pvlu_zoo::train::{OptimizerConfig, Splits, fit};

    type Net = (Conv2D<1, 8, 3, 1, 1>, Act<Relu, 8>, MaxPool2D<2, 2>, Conv2D<8, 8, 3, 1, 1>, Act<Relu, 8>);
    type Whole = (Net, GlobalAvgPool2D, Linear<8, 2>);

    const SIDE: usize = 28;
    let image = |index: usize| {
        (0..SIDE * SIDE).map(move |at| {
            let place = if index.is_multiple_of(2) { at / SIDE } else { at % SIDE };
            if place % 7 == index / 2 % 7 { 255_u8 } else { 0 }
        })
    };
    let labels = (0..42).map(|index| index % 2).collect();
    let pixels: Vec<u8> = (0..42).flat_map(image).collect();
    let split = Arc::new(Split::with_shape([1, SIDE, SIDE], pixels, labels, None, 2).unwrap());
    let Normalization { mean, std } = Normalization::measured(&split).unwrap();
    let (fit_to, resize) = (Fit::Squash, Interpolation::Bilinear);
    let plain = Preprocessing::new((SIDE, SIDE), fit_to, resize, Channels::Rgb, 255.0, mean, std).unwrap();
    let load = |config| Loader::new(Arc::clone(&split), config).unwrap();
    let splits = Splits {
        train: load(LoaderConfig::training(14, 1, plain, Augmentation::NONE)),
        validation: load(LoaderConfig::evaluation(42, plain)),
        test: load(LoaderConfig::evaluation(42, plain)),
    };

    let dev = Cpu::seed_from_u64(0);
    let mut net = dev.build_module::<Whole, f32>();
    pvlu_zoo::init::he::<Relu>(&mut net, 3).unwrap();
    let mut model = Classifier::new(net, Const::<SIDE>, Const::<SIDE>);
    assert_eq!((model.channels(), model.image_len()), (1, SIDE * SIDE));
    let history = fit(&mut model, &splits, &config(12, OptimizerConfig::adam(), 1e-2), &mut go_on).unwrap();
    assert_eq!(history.peak_top1(), Some(1.0), "{:?}", history.epochs.last());

    // With PVLU at alpha = 0 it is the same function.
    let one: Vec<f32> = image(0).map(f32::from).collect();
    let before = model.logits(one.clone()).unwrap();
    assert_eq!(model.try_swap_activation::<Pvlu>().unwrap().logits(one).unwrap(), before);
    // A third of an image of three channels, and a piece of one, are no images.
    let other = Classifier::new(dev.build_module::<Whole, f32>(), SIDE, SIDE);
    let error = other.logits(vec![0.0; SIDE * SIDE + 1]).unwrap_err();
    assert_eq!(error, pvlu::Error::Shape { expected: SIDE * SIDE, found: SIDE * SIDE + 1 });
}
