//! The places of Keras' tensors in a file, and their names in this crate.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use hdf5_reader::error::{Error, Result};
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Hdf5File as Decoder, RawAttribute};
use pvlu::activation::BUILT_IN;

use super::attribute::{begin_with, short, strings};
use super::error::structure;
use crate::weights::WeightsError;
use crate::weights::format::Format;
use crate::weights::name::{ACTIVATION_KEY, shown};

/// Maximum depth of groups within groups. Keras takes five for a model within a model.
const MAX_DEPTH: usize = 16;

/// Prefix of the attributes of the root that describe a model, in a file that was written here.
const OWN: &str = "pvlu_zoo.";

/// Name that Keras gives to the class of a formula.
const FORMULA: &str = "formula";

/// Bytes accepted in the name of an activation.
const MAX_ACTIVATION: usize = 16;

/// A dataset and its path in the file.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) dataset: Dataset,
}

/// All datasets of a file that hold weights.
pub(super) struct Weights {
    pub(super) format: Format,
    pub(super) datasets: BTreeMap<String, Found>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Configuration of the layers as JSON, in a file of a whole model.
    pub(super) configuration: Option<String>,
}

/// Finds the weights in either layout. A file has the legacy layout if it lists the names of its layers, in its root or
/// in the group `model_weights` of a whole model.
pub(super) fn find(decoder: &Decoder, path: &Path) -> std::result::Result<Weights, WeightsError> {
    let root = decoder.root_group().map_err(|error| structure(path, "root group", &error))?;
    let finder = Finder { path, seen: HashSet::new(), datasets: BTreeMap::new() };
    let (attributes, layers) = finder.layers(&root)?;
    let configuration = finder.fine("model_config", strings(&root, &attributes, "model_config"))?;
    let configuration = configuration.map(|parts| parts.concat());
    if let Some(layers) = layers {
        return Ok(Weights { configuration, ..finder.legacy(&root, "", &attributes, &layers)? });
    }
    if finder.is_group(&root, "model_weights")? {
        let inner = finder.fine("model_weights", root.group("model_weights"))?;
        let (attributes, layers) = finder.layers(&inner)?;
        if let Some(layers) = layers {
            return Ok(Weights { configuration, ..finder.legacy(&inner, "model_weights/", &attributes, &layers)? });
        }
    }
    Ok(Weights { configuration, ..finder.keras3(root, &attributes)? })
}

struct Finder<'a> {
    path: &'a Path,
    /// Addresses of the objects met. Each belongs to one name: a second way to one is a cycle or a shared tensor.
    seen: HashSet<u64>,
    datasets: BTreeMap<String, Found>,
}

impl Finder<'_> {
    fn fine<T>(&self, what: &str, result: Result<T>) -> std::result::Result<T, WeightsError> {
        result.map_err(|error| structure(self.path, &shown(what).to_string(), &error))
    }

    fn wrong(&self, what: &str, expected: &str, found: &str) -> WeightsError {
        WeightsError::Structure {
            path: self.path.to_owned(),
            what: shown(what).to_string(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    fn visit(&mut self, what: &str, address: u64) -> std::result::Result<(), WeightsError> {
        if self.seen.insert(address) {
            return Ok(());
        }
        Err(self.wrong(what, "an object of its own", "another name for one met before"))
    }

    fn is_group(&self, group: &Group, name: &str) -> std::result::Result<bool, WeightsError> {
        let (groups, _) = self.fine(name, group.member_names())?;
        Ok(groups.iter().any(|group| group == name))
    }

    fn layers(&self, group: &Group) -> std::result::Result<(Vec<RawAttribute>, Option<Vec<String>>), WeightsError> {
        let attributes = self.fine("attributes", group.raw_attributes())?;
        let layers = self.fine("layer_names", strings(group, &attributes, "layer_names"))?;
        Ok((attributes, layers))
    }

    /// The layout of Keras 1 and 2: a group for each layer in `layer_names`, in which `weight_names` are paths.
    fn legacy(
        mut self,
        root: &Group,
        prefix: &str,
        attributes: &[RawAttribute],
        layers: &[String],
    ) -> std::result::Result<Weights, WeightsError> {
        let mut metadata = BTreeMap::new();
        for key in ["backend", "keras_version"] {
            let value = self.fine(key, strings(root, attributes, key))?;
            if let Some([value]) = value.as_deref() {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        for layer in layers {
            let group = self.fine(layer, descend(root, layer))?;
            self.visit(layer, group.address())?;
            let attributes = self.fine(layer, group.raw_attributes())?;
            let weights = self.fine(layer, strings(&group, &attributes, "weight_names"))?;
            let weights = weights.ok_or_else(|| self.wrong(layer, "the attribute weight_names", "none"))?;
            let nested = is_model(&weights);
            for weight in weights {
                let path = format!("{prefix}{layer}/{weight}");
                let (parent, leaf) = weight.rsplit_once('/').unwrap_or(("", &weight));
                let parent = self.fine(&path, descend(&group, parent))?;
                let dataset = self.fine(&path, parent.dataset(leaf))?;
                let inner = parent_of(&weight).filter(|_| nested);
                let key = match inner {
                    Some(inner) => format!("{layer}/{}", canonical(inner, &weight)),
                    None => canonical(layer, &weight),
                };
                self.add(key, path, dataset)?;
            }
        }
        Ok(Weights { format: Format::KerasLegacy, datasets: self.datasets, metadata, configuration: None })
    }

    /// The layout of Keras 3, and any other: every dataset by its path. The `layers` of a model were called
    /// `_layer_checkpoint_dependencies` by TensorFlow 2.13. Parameters of an activation go by the name of their layer,
    /// which Keras counts by classes that only the program that wrote the file has.
    fn keras3(mut self, root: Group, attributes: &[RawAttribute]) -> std::result::Result<Weights, WeightsError> {
        self.visit("/", root.address())?;
        let mut metadata = self.fine("attributes", begin_with(&root, attributes, OWN))?;
        let mut activations = BTreeSet::new();
        let mut open = vec![(root, String::new(), 0)];
        while let Some((group, prefix, depth)) = open.pop() {
            let (groups, datasets) = self.fine(&prefix, group.member_names())?;
            if prefix == "layers/" {
                activations.extend(groups.iter().filter_map(|group| activation_of(group)));
            }
            let activation = self.activation(&group, &prefix, &datasets)?;
            for name in datasets {
                let path = format!("{prefix}{name}");
                let dataset = self.fine(&path, group.dataset(&name))?;
                let key = match &activation {
                    Some(activation) => format!("{activation}.{name}"),
                    None => path.replace("_layer_checkpoint_dependencies/", "layers/"),
                };
                self.add(key, path, dataset)?;
            }
            for name in groups {
                let path = format!("{prefix}{name}");
                if depth == MAX_DEPTH {
                    return Err(self.wrong(&path, "groups within groups to a depth of 16", "more"));
                }
                let inner = self.fine(&path, group.group(&name))?;
                self.visit(&path, inner.address())?;
                open.push((inner, format!("{path}/"), depth + 1));
            }
        }
        if !activations.is_empty() {
            let listed = || activations.into_iter().collect::<Vec<_>>().join(", ");
            metadata.entry(ACTIVATION_KEY.to_owned()).or_insert_with(listed);
        }
        Ok(Weights { format: Format::Keras3, datasets: self.datasets, metadata, configuration: None })
    }

    /// Name of the activation, `act0`, whose parameters the datasets of a group are. They have names; the variables of
    /// Keras' own layers have numbers.
    fn activation(
        &self,
        group: &Group,
        prefix: &str,
        datasets: &[String],
    ) -> std::result::Result<Option<String>, WeightsError> {
        let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
        if datasets.is_empty() || datasets.iter().any(is_number) || !prefix.ends_with("/vars/") {
            return Ok(None);
        }
        let attributes = self.fine(prefix, group.raw_attributes())?;
        let name = short(group, &attributes, "name", MAX_ACTIVATION);
        let is_site = |name: &String| {
            let number = name.strip_prefix("act").unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        Ok(name.filter(is_site))
    }

    fn add(&mut self, key: String, path: String, dataset: Dataset) -> std::result::Result<(), WeightsError> {
        self.visit(&path, dataset.address())?;
        if self.datasets.contains_key(&key) {
            return Err(self.wrong(&path, "one tensor of a name", &format!("a second {}", shown(&key))));
        }
        self.datasets.insert(key, Found { path, dataset });
        Ok(())
    }
}

/// The activation whose class a group of layers is counted by, in a model that a program written here built: `pvlu` for
/// `pvlu_3`. Keras keeps no more of it than that, of a formula nothing but [`FORMULA`], which is no activation's name.
fn activation_of(group: &str) -> Option<&'static str> {
    // Of several formulas, and of an activation with several start values, all but the first have a number.
    let class = without_number(group, '_').trim_end_matches(|c: char| c.is_ascii_digit());
    let mut known = BUILT_IN.iter().map(|built_in| built_in.name()).chain([FORMULA]);
    known.find(|known| *known == class || *known == group)
}

/// The group at a path whose steps are separated by `/`.
fn descend(group: &Group, path: &str) -> Result<Group> {
    let mut steps = path.split('/').filter(|step| !step.is_empty()).peekable();
    if steps.peek().is_none() {
        return Ok(group.clone());
    }
    let mut inner = group.clone();
    for (depth, step) in steps.enumerate() {
        if depth == MAX_DEPTH {
            return Err(Error::InvalidData("a path of too many steps".into()));
        }
        inner = inner.group(step)?;
    }
    Ok(inner)
}

/// Returns `true` if a layer with these weights is a model of its own, since they belong to several layers.
fn is_model(weights: &[String]) -> bool {
    let mut parents = weights.iter().map(|weight| parent_of(weight));
    let first = parents.next();
    parents.any(|parent| Some(parent) != first)
}

/// The layer that a weight belongs to, by its path.
fn parent_of(weight: &str) -> Option<&str> {
    let (parent, _) = weight.rsplit_once('/')?;
    Some(parent.rsplit_once('/').map_or(parent, |(_, last)| last))
}

/// Leaves of the names of Keras 2 and 3, and what Keras 1 called them. Its `running_std` held a variance.
const LEAVES: [(&str, &str); 6] = [
    ("kernel", "W"),
    ("bias", "b"),
    ("gamma", "gamma"),
    ("beta", "beta"),
    ("moving_mean", "running_mean"),
    ("moving_variance", "running_std"),
];

/// Name of a weight of a legacy file in this crate: its layer and its leaf. `conv1_conv/conv1_conv/kernel:0` of Keras
/// 2, `conv1_conv/model/conv1_conv/kernel` of Keras 3 and `conv1_conv/conv1_conv_W_1:0` of Keras 1 are all
/// `conv1_conv/kernel`. A leaf that is none of the known ones keeps its name.
fn canonical(layer: &str, weight: &str) -> String {
    let leaf = weight.rsplit_once('/').map_or(weight, |(_, leaf)| leaf);
    let leaf = without_number(leaf, ':');
    let keras1 = leaf.strip_prefix(layer).and_then(|leaf| leaf.strip_prefix('_')).map(|leaf| without_number(leaf, '_'));
    let known = LEAVES.iter().find(|(name, old)| leaf == *name || keras1 == Some(*old));
    format!("{layer}/{}", known.map_or(leaf, |(name, _)| name))
}

/// Strips a number behind the separator: `kernel` for `kernel:0`.
fn without_number(name: &str, separator: char) -> &str {
    match name.rsplit_once(separator) {
        Some((rest, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, is_model};

    #[test]
    fn a_layer_whose_weights_are_of_several_layers_is_a_model() {
        let is = |weights: &[&str]| is_model(&weights.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(is(&["block1_conv1/kernel:0", "block1_conv1/bias:0", "block1_conv2/kernel:0"]));
        assert!(!is(&["resnet50/conv1_bn/gamma", "resnet50/conv1_bn/moving_mean"]));
        assert!(!is(&["fc1_W_1:0", "fc1_b_1:0"]) && !is(&[]));
    }

    #[test]
    fn names_of_every_version_of_keras_become_layer_and_leaf() {
        for (layer, weight, key) in [
            ("conv1_conv", "conv1_conv/kernel:0", "conv1_conv/kernel"),
            ("conv1_conv", "conv1_conv_1/kernel:0", "conv1_conv/kernel"),
            ("conv1_bn", "resnet50/conv1_bn/moving_variance", "conv1_bn/moving_variance"),
            ("block1_conv1", "block1_conv1_W_1:0", "block1_conv1/kernel"),
            ("fc1", "fc1_b_1:0", "fc1/bias"),
            ("bn_1", "bn_1_running_std:0", "bn_1/moving_variance"),
            ("act", "act/alpha:0", "act/alpha"),
            ("beta", "beta/beta:0", "beta/beta"),
        ] {
            assert_eq!(canonical(layer, weight), key, "{weight}");
        }
    }
}
