//! The order in which Keras counts the layers of a model, by which its files name them.

use std::collections::BTreeMap;

use super::network::Network;
use crate::weights::keras_class;

/// The group of each layer in a `.weights.h5`: `layers/conv2d_1`, by its class and, from the second of a class on, the
/// number of those before it. `None` for layers that the output does not depend on, which Keras leaves out.
///
/// Keras orders the layers by the length of the longest way from each to the output, the longest first. Layers of the
/// same length are in the order in which a search from the output meets them, which follows the inputs of a layer one
/// after the other, each as far as it goes.
pub fn groups(network: &Network) -> Vec<Option<String>> {
    let layers = &network.layers;
    // By tensor: 0 is the input.
    let mut found: Vec<Option<usize>> = vec![None; layers.len() + 1];
    let mut open = vec![network.output];
    let mut count = 0;
    while let Some(tensor) = open.pop() {
        if found[tensor].is_some() {
            continue;
        }
        found[tensor] = Some(count);
        count += 1;
        if let Some(layer) = tensor.checked_sub(1) {
            open.extend(layers[layer].inputs.iter().rev());
        }
    }
    let mut depths = vec![0_usize; layers.len() + 1];
    for (number, layer) in layers.iter().enumerate().rev().filter(|(number, _)| found[number + 1].is_some()) {
        for &input in &layer.inputs {
            depths[input] = depths[input].max(depths[number + 1] + 1);
        }
    }
    let reached =
        (0..layers.len()).filter_map(|layer| Some((std::cmp::Reverse(depths[layer + 1]), found[layer + 1]?, layer)));
    let mut order: Vec<_> = reached.collect();
    order.sort_unstable();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups = vec![None; layers.len()];
    for (_, _, layer) in order {
        let class = keras_class(&layers[layer].class);
        let count = counts.entry(class.clone()).or_default();
        groups[layer] = Some(if *count == 0 { format!("layers/{class}") } else { format!("layers/{class}_{count}") });
        *count += 1;
    }
    groups
}
