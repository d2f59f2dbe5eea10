//! Every model of the registry.

// Tests compare with the system's functions.
#![allow(clippy::disallowed_methods)]

mod choice;
mod counts;
mod freezing;
mod numerics;
mod parity;
mod threads;

use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{ModelEntry, Options, Start};

/// A model for 32x32 images and 10 classes.
fn small(entry: &'static ModelEntry, activation: &str, weights: Start) -> Box<dyn Model> {
    entry.build(&Options { activation, classes: 10, image: Some((32, 32)), weights }).unwrap()
}

/// Values between -1 and 1 that depend on their position alone.
fn images(count: usize) -> Vec<f32> {
    (0..count * 3 * 32 * 32).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0).sin()).collect()
}

/// Every tensor by path, as bits.
fn bits(model: &dyn Model) -> Vec<(String, Vec<u32>)> {
    let mut all = Vec::new();
    let mut show = |tensor: pvlu_zoo::model::TensorView<'_>| {
        all.push((tensor.slot.path.to_owned(), tensor.values.iter().map(|value| value.to_bits()).collect()));
    };
    model.tensors(&mut show).unwrap();
    all
}
