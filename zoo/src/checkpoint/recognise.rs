//! Which model a file is of, by the names of its tensors.

use std::collections::BTreeSet;

use pvlu::activation::{Activation, LeakyRelu, PRelu, Pvlu, SineRelu, Swish, Vlu};

use crate::names::{KINDS, LayerNames, Part, called};
use crate::registry::{Entry, MODELS};
use crate::weights::{TensorFile, is_state, layer_of};

/// Names of the models whose layers are exactly those of a file, but for the head: that may be any of the model's, a part of
/// one, or missing.
pub fn models_of(file: &TensorFile) -> Vec<&'static str> {
    let is_layer = |key: &&String| !is_state(file.format(), key) && !layer_of(key).starts_with("act");
    let layers: BTreeSet<&str> = file.entries().keys().filter(is_layer).map(|key| layer_of(key)).collect();
    let fits = |entry: &&Entry| {
        let heads = entry.sides().of_heads().into_iter().map(|side| entry.names((side, side)));
        let named: Vec<_> = heads.map(|names| (called(&names), names)).collect();
        (0..KINDS).any(|kind| {
            let (mut trunk, mut heads) = (BTreeSet::new(), BTreeSet::new());
            for (layer, name) in named.iter().flat_map(|(called, names)| names.iter().zip(&called[kind])) {
                match (layer.part, name.as_deref()) {
                    (Part::Trunk, Some(name)) => drop(trunk.insert(name)),
                    // Not a model of this kind of file.
                    (Part::Trunk, None) => return false,
                    (_, name) => heads.extend(layer.aliases.iter().copied().chain(name)),
                }
            }
            trunk.is_subset(&layers) && layers.iter().all(|layer| trunk.contains(layer) || heads.contains(layer))
        })
    };
    MODELS.iter().filter(fits).map(|entry| entry.name).collect()
}

/// The number of classes of the last layer in a file of a model with these names.
pub(super) fn classes_of(file: &TensorFile, names: &[LayerNames]) -> Option<usize> {
    let last = called(names).into_iter().filter_map(|mut names| names.pop().flatten());
    let aliases = names.last()?.aliases.iter().map(|alias| (*alias).to_owned());
    // Its bias: by that name, or as the second of the variables that Keras numbers.
    let biases = last.chain(aliases).flat_map(|layer| [".bias", "/bias", "/1"].map(|leaf| format!("{layer}{leaf}")));
    let entry = biases.into_iter().find_map(|key| file.entries().get(&key))?;
    match entry.shape[..] {
        [classes] => Some(classes),
        _ => None,
    }
}

/// The activation whose parameters a file has. An `alpha` alone is taken for PReLU's: that of ELU needs metadata.
pub(super) fn activation_of(file: &TensorFile) -> Option<&'static str> {
    let params: Vec<&str> = file.entries().keys().filter_map(|key| key.strip_prefix("act0.")).collect();
    match params[..] {
        ["alpha", "beta"] => Some(Pvlu::NAME),
        ["alpha"] => Some(PRelu::NAME),
        ["a", "b"] => Some(Vlu::NAME),
        ["beta"] => Some(Swish::NAME),
        ["slope"] => Some(LeakyRelu::NAME),
        ["epsilon"] => Some(SineRelu::NAME),
        _ => None,
    }
}
