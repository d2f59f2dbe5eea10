//! Recognition of a file's model by the names of its tensors.

use std::collections::BTreeSet;
use std::fmt;

use pvlu::activation::{AconC, Activation, LeakyRelu, PRelu, PReluElement, Pvlu, SineRelu, Snake, Swish, Vlu};

use crate::names::{LayerNames, Part, called};
use crate::registry::{ModelEntry, models};
use crate::text::listed;
use crate::weights::{Format, TensorFile, is_state, layer_of, shown};

/// Names of the models whose layers are exactly those of a file, but for the head: that may be any of the model's, a
/// part of one, or missing.
#[doc(hidden)]
pub fn models_of(file: &TensorFile) -> Vec<&'static str> {
    models_with(&layers_of(file))
}

/// The layers of a file beside the trunk of a model with these names, as it calls them.
pub(super) fn beside_trunk(file: &TensorFile, names: &[LayerNames]) -> BTreeSet<String> {
    let trunk = |called: Vec<Option<String>>| {
        let of_trunk = names.iter().zip(called).filter(|(layer, _)| layer.part == Part::Trunk);
        of_trunk.map(|(_, name)| name).collect::<Option<BTreeSet<String>>>()
    };
    let layers = layers_of(file);
    let is_there = |trunk: &BTreeSet<String>| trunk.iter().all(|layer| layers.contains(layer.as_str()));
    let trunk = called(names).into_iter().filter_map(trunk).find(is_there);
    trunk.map_or_else(BTreeSet::new, |trunk| {
        layers.iter().filter(|layer| !trunk.contains(**layer)).map(|layer| (*layer).to_owned()).collect()
    })
}

/// The layers of a file, as it calls them: no states, and no parameters of activations.
fn layers_of(file: &TensorFile) -> BTreeSet<&str> {
    let is_layer = |key: &&String| !is_state(file.format(), key) && !is_activation(layer_of(key));
    file.entries().keys().filter(is_layer).map(|key| layer_of(key)).collect()
}

/// Returns true for an activation in a file saved here, `act{site}`, which does not count as a layer of the model.
fn is_activation(layer: &str) -> bool {
    layer.starts_with("act")
}

/// Names of the models of which these are the layers, but for the head.
fn models_with(layers: &BTreeSet<&str>) -> Vec<&'static str> {
    let fits = |entry: &&ModelEntry| {
        ways_of(entry).any(|way| {
            way.trunk.iter().all(|layer| layers.contains(layer.as_str()))
                && layers.iter().all(|layer| way.trunk.contains(*layer) || way.head.contains(*layer))
        })
    };
    models().iter().filter(fits).map(|entry| entry.name).collect()
}

/// Names of a model's layers in one kind of file.
struct Way {
    trunk: BTreeSet<String>,
    /// Layers of all heads that the model has.
    head: BTreeSet<String>,
}

/// The layers of a model in every kind of files that there are of it.
fn ways_of(entry: &ModelEntry) -> impl Iterator<Item = Way> + use<> {
    let heads = entry.sides().of_heads().into_iter().map(|side| entry.names((side, side)));
    let named: Vec<_> = heads.map(|names| (called(&names), names)).collect();
    let kinds = named.iter().map(|(called, _)| called.len()).min().unwrap_or(0);
    (0..kinds).filter_map(move |kind| {
        let mut way = Way { trunk: BTreeSet::new(), head: BTreeSet::new() };
        for (layer, name) in named.iter().flat_map(|(called, names)| names.iter().zip(&called[kind])) {
            match (layer.part, name) {
                (Part::Trunk, Some(name)) => drop(way.trunk.insert(name.clone())),
                // Not a model of this kind of file.
                (Part::Trunk, None) => return None,
                (_, name) => {
                    way.head.extend(layer.aliases.iter().map(|alias| (*alias).to_owned()));
                    way.head.extend(name.clone());
                }
            }
        }
        Some(way)
    })
}

/// The prefix that all names of a file share, if the rest of each is a name of a known model and the whole names are of
/// none.
pub(super) fn common_prefix(file: &TensorFile) -> Option<String> {
    let mut names = file.entries().keys();
    let first = names.next().filter(|_| !file.format().is_of_keras())?;
    // Names are in order: what the first and the last have in common, all have.
    let last = names.next_back()?;
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let mut ends =
        first.bytes().enumerate().take(common).filter(|(_, byte)| *byte == b'.').map(|(at, _)| at + 1).peekable();
    ends.peek()?;
    let layers = layers_of(file);
    if !models_with(&layers).is_empty() {
        return None;
    }
    let fits = |end: &usize| {
        let inner: Option<BTreeSet<&str>> = layers.iter().map(|layer| layer.get(*end..)).collect();
        let inner = inner.unwrap_or_default();
        !models_with(&inner.into_iter().filter(|layer| !is_activation(layer)).collect()).is_empty()
    };
    ends.take(MAX_PARTS).find(fits).map(|end| first[..end].to_owned())
}

/// Most parts of a name, and most different prefixes of names, that are tried.
const MAX_PARTS: usize = 8;

/// A model that is a layer of another one, which adds a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nested {
    /// Prefix of the names of its layers.
    pub prefix: String,
    /// Names of the models whose layer names follow the prefix.
    pub models: Vec<&'static str>,
    /// Names of the layers outside of it.
    pub rest: Vec<String>,
    /// True if Keras wrote the file.
    keras: bool,
}

/// Finds a nested model in a file whose names as they are fit no known model.
pub(super) fn nested(file: &TensorFile) -> Option<Nested> {
    let layers = layers_of(file);
    let ends = |layer: &str| -> Vec<usize> {
        match file.format() {
            Format::Safetensors | Format::Torch => layer.find('.').map(|at| at + 1).into_iter().collect(),
            Format::KerasLegacy => layer.find('/').map(|at| at + 1).into_iter().collect(),
            // `layers/functional/layers/conv2d`: the name of the model is the second part, or behind that of another.
            _ => layer.match_indices("/layers/").take(MAX_PARTS).map(|(at, _)| at + 1).collect(),
        }
    };
    let beginnings: BTreeSet<&str> =
        layers.iter().flat_map(|layer| ends(layer).into_iter().map(|end| &layer[..end])).collect();
    beginnings.into_iter().take(MAX_PARTS).find_map(|prefix| {
        let inside: BTreeSet<&str> = layers.iter().filter_map(|layer| layer.strip_prefix(prefix)).collect();
        let models = models_with(&inside);
        let rest = layers.iter().filter(|layer| !layer.starts_with(prefix)).map(|layer| plain(layer)).collect();
        let (prefix, keras) = (prefix.to_owned(), file.format().is_of_keras());
        (!models.is_empty()).then_some(Nested { prefix, models, rest, keras })
    })
}

/// The trunk of a model, with a head whose layers have other names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OtherHead {
    /// Names of the models that have this trunk.
    pub models: Vec<&'static str>,
    /// Names of the layers that the file has beside the trunk.
    pub found: Vec<String>,
    /// Names that the layers of a head may have in such a file.
    pub expected: Vec<String>,
    /// True if Keras wrote the file under the names of its layers, in its legacy format.
    keras: bool,
}

/// Most layers that a head may have.
pub(super) const MAX_HEAD: usize = 8;

/// Finds the trunk of a model in a file whose names as they are fit no known model: the largest trunk, since that of a
/// deep model contains those of others.
pub(super) fn other_head(file: &TensorFile) -> Option<OtherHead> {
    let layers = layers_of(file);
    let fits = |way: &Way| way.trunk.iter().all(|layer| layers.contains(layer.as_str()));
    let ways = models().iter().flat_map(|entry| ways_of(entry).filter(fits).map(move |way| (entry.name, way)));
    let mut found: Vec<(&'static str, Way)> = ways.collect();
    let largest = found.iter().map(|(_, way)| way.trunk.len()).max()?;
    found.retain(|(_, way)| way.trunk.len() == largest);
    let mut models: Vec<&'static str> = found.iter().map(|(model, _)| *model).collect();
    models.dedup();
    let (_, way) = found.into_iter().next()?;
    let rest: Vec<String> =
        layers.iter().filter(|layer| !way.trunk.contains(**layer)).map(|layer| plain(layer)).collect();
    let expected = way.head.iter().map(|layer| plain(layer)).collect();
    let keras = file.format() == Format::KerasLegacy;
    (1..=MAX_HEAD).contains(&rest.len()).then_some(OtherHead { models, found: rest, expected, keras })
}

/// The name of a layer without the parts that Keras' format adds: `conv2d_1` for `layers/conv2d_1/vars`.
pub(super) fn plain(layer: &str) -> String {
    let inner = layer.strip_prefix("layers/").and_then(|layer| layer.strip_suffix("/vars"));
    inner.unwrap_or(layer).to_owned()
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, models, rest, keras } = self;
        let (base, models) = (plain(prefix.trim_end_matches(['/', '.'])), models.join(", "));
        let base = base.strip_prefix("layers/").unwrap_or(&base);
        let rest = list(rest);
        if *keras {
            write!(
                f,
                "{} is a nested model, with the layers of {models}; outside of it are {rest}. Nested models are not \
                 read: build it flat, by flat = keras.Model(base.input, head(base.output)), give it the weights, by \
                 flat.set_weights(model.get_weights()), and store them, by flat.save_weights(\"NAME.weights.h5\")",
                shown(base)
            )
        } else {
            write!(
                f,
                "its names that begin with {prefix} are those of {models}; outside of it are {rest}. Take {prefix} \
                 from the names, and call the head as the model does",
                prefix = shown(prefix)
            )
        }
    }
}

impl fmt::Display for OtherHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { models, found, expected, keras } = self;
        write!(f, "its trunk is that of {}, with the head {}: expected ", models.join(", "), list(found))?;
        write!(f, "one of {}", list(expected))?;
        if *keras {
            let store = "; store its weights by model.save_weights(\"NAME.weights.h5\")";
            write!(f, "{store}, whose names do not depend on those of layers")
        } else {
            f.write_str("; rename it")
        }
    }
}

/// Names of layers as one text, for messages.
fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { listed(names.iter().map(|name| shown(name)), MAX_HEAD) }
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

/// The built-in activation whose parameters a file without metadata has, by the names of those of the first site. An
/// `alpha` alone is taken for PReLU's, with one value for each channel or each element by its shape, `beta` for
/// Swish's, `a` and `b` for VLU's.
pub(super) fn activation_of(file: &TensorFile) -> Option<&'static str> {
    let params: Vec<&str> = file.entries().keys().filter_map(|key| key.strip_prefix("act0.")).collect();
    let is_per_element = || file.entries().get("act0.alpha").is_some_and(|entry| entry.shape.len() > 1);
    match params[..] {
        ["alpha"] if is_per_element() => Some(PReluElement::NAME),
        ["alpha", "beta"] => Some(Pvlu::NAME),
        ["alpha"] => Some(PRelu::NAME),
        ["a", "b"] => Some(Vlu::NAME),
        ["beta"] => Some(Swish::NAME),
        ["slope"] => Some(LeakyRelu::NAME),
        ["epsilon"] => Some(SineRelu::NAME),
        ["a"] => Some(Snake::NAME),
        ["beta", "p1", "p2"] => Some(AconC::NAME),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
