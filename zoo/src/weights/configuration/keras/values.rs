//! The values that the JSON of a Keras model writes in several notations.

use serde_json::Value as Json;

use crate::weights::configuration::graph::Value;

/// One application of a layer: its name and the index among its applications.
pub(super) type Call<'a> = (&'a str, usize);

pub(super) fn text<'a>(json: &'a Json, key: &str) -> Result<&'a str, String> {
    json[key].as_str().ok_or_else(|| format!("a layer or model without {key}"))
}

pub(super) fn name(layer: &Json) -> Result<&str, String> {
    layer["name"].as_str().or(layer["config"]["name"].as_str()).ok_or_else(|| "a layer without a name".to_owned())
}

/// Collects every reference to an output of a layer in `json`, with the number of the output.
pub(super) fn references<'a>(json: &'a Json, found: &mut Vec<(Call<'a>, usize)>) {
    let number = |json: &Json| json.as_u64().and_then(|number| usize::try_from(number).ok());
    match json {
        Json::Array(parts) => {
            if let [Json::String(name), node, tensor, ..] = parts.as_slice()
                && let (Some(node), Some(tensor)) = (number(node), number(tensor))
            {
                found.push(((name, node), tensor));
            } else {
                parts.iter().for_each(|part| references(part, found));
            }
        }
        Json::Object(parts) => parts.values().for_each(|part| references(part, found)),
        _ => {}
    }
}

/// The named arguments of a call.
pub(super) fn node_arguments(node: &Json) -> Json {
    // Keras 3 has them beside the others, Keras 2 as the last part of what the layer is applied to.
    let of_keras2 = || node.get(0).map_or(node, |first| if first.is_array() { first } else { node }).get(3);
    node.get("kwargs").or_else(of_keras2).cloned().unwrap_or_default()
}

/// Reads two numbers `[2, 2]`, or 2 for both.
pub(super) fn pair(json: &Json) -> Option<[u64; 2]> {
    if let Some(size) = json.as_u64() {
        return Some([size, size]);
    }
    let [rows, columns] = json.as_array()?.as_slice() else { return None };
    Some([rows.as_u64()?, columns.as_u64()?])
}

pub(super) fn shown_pair(pair: Option<[u64; 2]>) -> Value {
    Value::text(pair.map_or_else(|| "none".to_owned(), |[rows, columns]| format!("[{rows}, {columns}]")))
}

/// The padding of a `ZeroPadding2D`: `[[top, bottom], [left, right]]`, or one number for two or four of them.
pub(super) fn around(json: &Json) -> String {
    let sides = match json.as_array().map(Vec::as_slice) {
        Some([rows, columns]) => pair(rows).zip(pair(columns)),
        _ => pair(json).map(|both| (both, both)),
    };
    sides.map_or_else(|| json.to_string(), |([a, b], [c, d])| format!("[[{a}, {b}], [{c}, {d}]]"))
}

/// The name of an activation in any of its notations; `None` for no activation and for `linear`.
pub(super) fn activation(json: &Json) -> Option<String> {
    let name = match json {
        Json::Null => return None,
        Json::String(name) => name.clone(),
        // A layer, or a function as Keras 3 writes one of a user's.
        Json::Object(_) => match (json["class_name"].as_str(), &json["config"]) {
            (Some("function"), Json::String(name)) => name.clone(),
            (Some("ReLU"), config) => relu(config),
            (Some(class), _) => class.to_owned(),
            (None, _) => json.to_string(),
        },
        other => other.to_string(),
    };
    (name != "linear").then_some(name)
}

/// Name of a layer `ReLU`: `relu`, the function, if it has no limit, slope or threshold.
pub(super) fn relu(config: &Json) -> String {
    let set = |key: &str| config[key].as_f64().filter(|value| *value != 0.0 || key == "max_value");
    let set = |key: &'static str| set(key).map(|value| format!("{key} {value}"));
    let set: Vec<String> = ["max_value", "negative_slope", "threshold"].into_iter().filter_map(set).collect();
    if set.is_empty() { "relu".to_owned() } else { format!("relu with {}", set.join(", ")) }
}

/// Height and width of the images that a layer states as its input; `None` if it states none.
pub(super) fn image(config: &Json) -> Option<(usize, usize)> {
    let shape = config["batch_shape"].as_array().or(config["batch_input_shape"].as_array())?;
    let [_, height, width, _] = shape.as_slice() else { return None };
    let side =
        |json: &Json| usize::try_from(json.as_u64()?).ok().filter(|side| (1..=crate::image::MAX_INPUT).contains(side));
    side(height).zip(side(width))
}
