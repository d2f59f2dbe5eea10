//! The six-convolution network: sizes, and a gradient for every parameter.

use std::collections::BTreeMap;

use pvlu::layer::{Mode, Role, Switches};
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{RegistryError, activation_names, build, models};

use crate::support::{images, in_order};

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
                if tensor.slot.role == Role::Weight {
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
