//! Files of Keras whose model is a base with a head of its own, as its guide to transfer learning builds them.
//!
//! The base may be a layer of the model, and the layers of the head have the names that Keras gave them: `dense`,
//! `dense_1`. Their tensors get the names of the network's, so that the file is read as if it had been saved flat.

use std::collections::{BTreeMap, BTreeSet};

use super::recognize::{self, MAX_HEAD, beside_trunk, nested, other_head};
use crate::names::{LayerNames, Part};
use crate::source::Source;
use crate::weights::{Format, TensorFile};

/// The models whose trunk a file has, with another head than theirs.
pub(super) fn models_of(file: &TensorFile) -> Vec<&'static str> {
    if !file.format().is_of_keras() {
        return Vec::new();
    }
    other_head(file).map_or_else(Vec::new, |head| head.models)
}

/// The file with the layers of a model within its model by their own names, if they are those of a known model and no
/// layer outside of it has the name of one of them.
pub(super) fn flattened(mut file: TensorFile) -> TensorFile {
    if !file.format().is_of_keras() || !recognize::models_of(&file).is_empty() {
        return file;
    }
    if let Some(nested) = nested(&file) {
        let inner = |key: &String| Some((key.strip_prefix(&nested.prefix)?.to_owned(), key.clone()));
        let names: BTreeMap<String, String> = file.entries().keys().filter_map(inner).collect();
        // What cannot be flattened is described when it is found to be of no known model.
        let _ = file.rename(names);
    }
    file
}

/// The file with the layers of its head by the names that the first of `heads` has for them which has as many. They
/// are told apart by their shapes: each takes what the one before it gives.
pub(super) fn with_head_of(mut file: TensorFile, heads: [&[LayerNames]; 2]) -> TensorFile {
    // Any other format of Keras counts them.
    if file.format() != Format::KerasLegacy || !recognize::models_of(&file).is_empty() {
        return file;
    }
    for names in heads {
        let head = names.iter().filter(|layer| layer.part != Part::Trunk);
        let known: Option<Vec<&str>> = head.map(|layer| layer.name_by(Source::Keras)).collect();
        let found = beside_trunk(&file, names);
        let Some(known) = known.filter(|known| !known.is_empty() && known.len() == found.len()) else { continue };
        let Some(chain) = chain(&file, &found) else { continue };
        let leaf = |(name, layer): (&str, &str), leaf| (format!("{name}/{leaf}"), format!("{layer}/{leaf}"));
        let pairs = known.into_iter().zip(chain);
        let names = pairs.flat_map(|pair| ["kernel", "bias"].map(|name| leaf(pair, name))).collect();
        // Names of other layers are left as they are, and then found to be of no known model.
        let _ = file.rename(names);
        break;
    }
    file
}

/// Linear layers in the only order in which each takes as many numbers as the one before it gives; `None` if they are
/// none, or in more than one order.
fn chain<'a>(file: &TensorFile, layers: &'a BTreeSet<String>) -> Option<Vec<&'a str>> {
    let sides = |layer: &'a String| {
        let shape = |leaf: &str| Some(file.entries().get(&format!("{layer}/{leaf}"))?.shape.as_slice());
        match (shape("kernel")?, shape("bias")?) {
            (&[input, output], &[bias]) if output == bias => Some((layer.as_str(), input, output)),
            _ => None,
        }
    };
    let mut left: Vec<(&str, usize, usize)> = layers.iter().map(sides).collect::<Option<_>>()?;
    if left.len() > MAX_HEAD || layers.len() * 2 != tensors_of(file, layers) {
        return None;
    }
    // From the end on, where no other layer takes as many numbers as there are classes.
    let mut chain = Vec::new();
    let is_last = |layer: &&(&str, usize, usize)| !left.iter().any(|other| other.0 != layer.0 && other.1 == layer.2);
    let mut last: Vec<_> = left.iter().filter(is_last).copied().collect();
    while let [layer] = last[..] {
        chain.push(layer.0);
        left.retain(|other| other.0 != layer.0);
        // Of two that give what this one takes, the square one is behind the other.
        last = left.iter().filter(|other| other.2 == layer.1).copied().collect();
        if last.len() > 1 {
            last.retain(|other| other.1 == other.2);
        }
    }
    chain.reverse();
    left.is_empty().then_some(chain)
}

/// Number of tensors that layers have.
fn tensors_of(file: &TensorFile, layers: &BTreeSet<String>) -> usize {
    file.entries().keys().filter(|key| layers.contains(crate::weights::layer_of(key))).count()
}

/// The layers of a head that a file has beside the trunk of a model with these names, none of which are the model's.
pub(super) fn head_of(file: &TensorFile, names: &[LayerNames]) -> Option<Vec<LayerNames>> {
    let layers = Some(beside_trunk(file, names)).filter(|layers| (1..=MAX_HEAD).contains(&layers.len()))?;
    let ranks = names.iter().map(|layer| layer.keras_rank).max().map_or(0, |rank| rank + 1)..;
    file.format().is_of_keras().then(|| {
        let plain = layers.iter().map(|layer| recognize::plain(layer));
        plain.zip(ranks).map(|(layer, rank)| LayerNames::keras(layer, rank).in_head()).collect()
    })
}

#[cfg(test)]
mod tests;
