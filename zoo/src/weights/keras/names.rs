//! The names of layers in a `.keras`, whose HDF5 counts them.
//!
//! Keras 3 names a layer of a model by its class and the number of those before it, and its variables by their
//! position: `layers/conv2d_1/vars/0`. A model within it is `layers/functional`, with `layers` of its own. The
//! configuration lists the layers in the same order, with their names.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::nested_name;

/// Maximum depth of models within models.
const MAX_DEPTH: usize = 8;

/// All names together may have twice as many bytes as the configuration and this many more.
const BUDGET: usize = 4096;

const TOO_LONG: &str = "layers whose names, again for each variable and model, are longer than the configuration";

/// A layer as the configuration names it.
struct Layer {
    /// Path of the models that it is in and itself.
    name: String,
    /// Names of its variables, by position. Others keep the position.
    variables: Vec<&'static str>,
}

/// The names `conv1_conv/kernel` of these tensors of the HDF5, each with the tensor's own, by the configuration of
/// the model. Tensors of other layers than it lists are left out, such as the state of an optimizer.
///
/// Returns an error that describes the problem if the configuration is no JSON, and if two tensors have one name.
pub(in crate::weights) fn names<'a>(
    json: &str,
    tensors: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, String> {
    let model: Json = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut found = Found { layers: BTreeMap::new(), left: BUDGET + 2 * json.len() };
    found.model(&model, "", "", 0)?;
    let mut names = BTreeMap::new();
    for tensor in tensors {
        let Some((path, position)) = tensor.rsplit_once("/vars/") else { continue };
        let Some(layer) = found.layers.get(path) else { continue };
        let position = position.parse().ok().and_then(|at: usize| layer.variables.get(at)).copied().unwrap_or(position);
        let takes = layer.name.len() + position.len();
        found.left = found.left.checked_sub(takes).ok_or(TOO_LONG)?;
        let name = format!("{}/{position}", nested_name(&layer.name));
        if let Some(other) = names.insert(name.clone(), tensor.to_owned()) {
            return Err(format!("{other} and {tensor} are both {name}: models within models have layers of one name"));
        }
    }
    Ok(names)
}

struct Found {
    /// The layers by their path in the HDF5, without `/vars`.
    layers: BTreeMap<String, Layer>,
    /// Bytes that are left for names; see [`BUDGET`].
    left: usize,
}

impl Found {
    /// Adds the layers of a model whose own path in the HDF5 and name begin as given.
    fn model(&mut self, model: &Json, path: &str, prefix: &str, depth: usize) -> Result<(), String> {
        if depth == MAX_DEPTH {
            return Err(format!("models within models to a depth of more than {MAX_DEPTH}"));
        }
        let config = &model["config"];
        let layers = if config.is_array() { config } else { &config["layers"] };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for layer in layers.as_array().map_or(&[][..], Vec::as_slice) {
            let class = layer["class_name"].as_str().ok_or("a layer without class_name")?;
            let group = snake(class);
            let count = counts.entry(group.clone()).or_default();
            let group = if *count == 0 { group } else { format!("{group}_{count}") };
            *count += 1;
            let name = layer["config"]["name"].as_str().or(layer["name"].as_str()).unwrap_or(&group);
            let takes = path.len() + "layers/".len() + group.len() + prefix.len() + name.len();
            self.left = self.left.checked_sub(takes).ok_or(TOO_LONG)?;
            let (path, name) = (format!("{path}layers/{group}"), format!("{prefix}{name}"));
            if matches!(class, "Functional" | "Model" | "Sequential") {
                self.model(layer, &format!("{path}/"), &format!("{name}/"), depth + 1)?;
            } else {
                let variables = variables(class, &layer["config"]);
                self.layers.insert(path, Layer { name, variables });
            }
        }
        Ok(())
    }
}

/// The variables of a layer of this class, in the order in which Keras stores them.
fn variables(class: &str, config: &Json) -> Vec<&'static str> {
    let known: &[(&str, &str)] = match class {
        "Conv2D" | "Dense" => &[("kernel", ""), ("bias", "use_bias")],
        "BatchNormalization" => &[("gamma", "scale"), ("beta", "center"), ("moving_mean", ""), ("moving_variance", "")],
        _ => &[],
    };
    known.iter().filter(|(_, unless)| config[*unless] != Json::Bool(false)).map(|(name, _)| *name).collect()
}

/// Name of a class in Keras' HDF5: `batch_normalization` for `BatchNormalization`. An underscore goes before a capital
/// letter that begins a word, by a small letter behind it or before it.
pub(crate) fn snake(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut name = String::with_capacity(class.len() + 8);
    for (at, letter) in letters.iter().enumerate() {
        let begins_word = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let ends_word = at > 0 && letters[at - 1].is_ascii_lowercase();
        if letter.is_ascii_uppercase() && at > 0 && (begins_word || ends_word) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::snake;

    #[test]
    fn classes_have_the_names_that_keras_gives_their_groups() {
        for (class, name) in [
            ("Conv2D", "conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("ZeroPadding2D", "zero_padding2d"),
            ("ReLU", "re_lu"),
            ("PReLU", "p_re_lu"),
            ("InputLayer", "input_layer"),
            ("LSTM", "lstm"),
        ] {
            assert_eq!(snake(class), name);
        }
    }
}
