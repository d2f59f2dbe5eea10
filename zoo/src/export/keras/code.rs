//! The Python file: classes of layers, the network, its weights, and a comparison of its logits.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::network::{Layer, Network};
use crate::export::python::{inner, list, number, string};

/// Facts that the file states.
#[derive(Debug)]
pub struct About<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// Name of the file without its extension.
    pub stem: &'a str,
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// Number of logits for each image.
    pub classes: usize,
    /// Texts about the model, by key.
    pub metadata: &'a BTreeMap<String, String>,
    /// Names of the classes.
    pub labels: Option<&'a [String]>,
    /// Logits of the image that [`check_image`](super::check_image) gives.
    pub logits: &'a [f32],
    /// Largest distance from them, in terms of the largest of them.
    pub tolerance: f64,
}

/// The text of the file.
pub fn text(network: &Network, about: &About<'_>) -> String {
    let [height, width, channels] = about.image;
    let (name, stem) = (inner(about.name), inner(about.stem));
    let fact = |key: &str| about.metadata.get(&format!("pvlu_zoo.{key}")).map(String::as_str);
    let activation = fact("activation").map_or_else(String::new, |text| format!(" with {}", inner(text)));
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        r#""""{name}{activation} in Keras 3.

Images of {height}x{width} pixels to logits of {classes} classes. Written by pvlu_zoo {version}; the weights are in the
file beside this one, {stem}.weights.h5.

Run as a program, it compares its logits with those of pvlu_zoo. As a module:

    model = load()
    logits = model(images)  # [batch, {height}, {width}, {channels}], prepared as PREPROCESSING says
"""

import sys
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers, ops

IMAGE = ({height}, {width}, {channels})
CLASSES = {classes}
"#,
        classes = about.classes
    );
    if let Some(preprocessing) = fact("preprocessing") {
        let _ =
            write!(text, "\n# From pixels of 0 to 255 to what the network takes: scaled, divided, mean off, by std.\n");
        let _ = writeln!(text, "PREPROCESSING = {}", string(preprocessing));
    }
    if let Some(labels) = about.labels {
        text.push_str("\n# Names of the classes, in the order of the logits.\n");
        let _ = writeln!(text, "LABELS = {}", list(labels.iter().map(|label| string(label))));
    }
    text.push_str("\nWEIGHTS = Path(__file__).with_suffix(\".weights.h5\")\n");
    for class in &network.classes {
        let _ = write!(text, "\n\n{}", class.text);
    }
    text.push_str(&build(network, about));
    text.push_str(LOAD);
    let logits = list(about.logits.iter().map(|&logit| number_of_f32(logit)));
    let _ = write!(text, "\n\n# Logits that pvlu_zoo computes for check_image().\nLOGITS = {logits}\n");
    let _ = writeln!(text, "\n# Largest distance from them, in terms of the largest of them.");
    let _ = writeln!(text, "TOLERANCE = {}", number(about.tolerance));
    text.push_str(CHECK);
    text
}

/// The shortest text of the same 32-bit number.
fn number_of_f32(value: f32) -> String {
    if value.is_finite() { format!("{value:?}") } else { number(f64::from(value)) }
}

const LOAD: &str = r#"

def load():
    """The network with the weights of the file, each of which has to be there, and no others."""
    with h5py.File(WEIGHTS, "r") as file:
        stored = {}
        for group in file["layers"].values():
            variables = group.get("vars", {})
            if len(variables) > 0:
                name = variables.attrs["name"]
                name = name.decode() if isinstance(name, bytes) else str(name)
                stored[name] = {key: value[()] for key, value in variables.items()}
    model = build()
    for layer in model.layers:
        if layer.weights:
            if layer.name not in stored:
                raise ValueError(f"{WEIGHTS}: no weights of the layer {layer.name}")
            layer.load_own_variables(stored.pop(layer.name))
    if stored:
        raise ValueError(f"{WEIGHTS}: weights of other layers: {', '.join(sorted(stored))}")
    return model
"#;

const CHECK: &str = r#"

def check_image():
    """A batch of one image whose values run over those from -1 to 1."""
    count = int(np.prod(IMAGE))
    values = np.arange(count) * 7919 % 2003 / 1001.0 - 1.0
    return values.astype(np.float32).reshape(1, *IMAGE)


def in_double():
    """The logits of check_image() in double precision, by the same weights."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    jax = __import__("jax") if keras.backend.backend() == "jax" else None
    had_double = jax and jax.config.jax_enable_x64
    if jax:
        jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        return ops.convert_to_numpy(load()(check_image().astype("float64"), training=False))[0]
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
        if jax:
            jax.config.update("jax_enable_x64", had_double)


def main():
    """Compares the logits with those of pvlu_zoo, and returns 0 if they agree, else 1.

    They agree unless they are more than TOLERANCE of the largest apart and pvlu_zoo's are more than four times as far
    as those here from the logits in double precision: deep networks round by more, wherever they are computed.
    """
    found = ops.convert_to_numpy(load()(check_image(), training=False))[0]
    expected = np.array(LOGITS, dtype=np.float32)
    largest = float(np.abs(expected).max())
    difference = float(np.abs(found - expected).max()) / largest
    agrees = difference <= TOLERANCE
    said = f"{difference:.1e} of the largest logit, at most {TOLERANCE:.0e}"
    if not agrees:
        exact = in_double()
        here, there = (float(np.abs(logits - exact).max()) / largest for logits in (found, expected))
        agrees = there <= 4 * here
        said += f"; from those in double precision {here:.1e} here, {there:.1e} in pvlu_zoo"
    print(f"{'agrees with' if agrees else 'DIFFERS from'} pvlu_zoo: {said}")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
"#;

/// The function that builds the network.
fn build(network: &Network, about: &About<'_>) -> String {
    let mut text = String::from(
        "\n\ndef build():\n    \"\"\"The network without its weights: images to logits.\"\"\"\n    \
         if keras.config.image_data_format() != \"channels_last\":\n        \
         raise ValueError('expected keras.config.set_image_data_format(\"channels_last\")')\n    \
         inputs = layers.Input(IMAGE)\n",
    );
    let names = variables(network);
    for (number, layer) in network.layers.iter().enumerate() {
        let _ = writeln!(text, "    {} = {}", names[number + 1], call(layer, &names));
    }
    let name: String =
        about.name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' }).collect();
    let _ = writeln!(text, "    return keras.Model(inputs, {}, name={})", names[network.output], string(&name));
    text
}

/// A layer, and the call of it.
fn call(layer: &Layer, names: &[String]) -> String {
    let module = if layer.is_of_keras { "layers." } else { "" };
    let mut arguments = layer.arguments.clone();
    if let Some(name) = &layer.name {
        let separator = if arguments.is_empty() { "" } else { ", " };
        let _ = write!(arguments, "{separator}name={}", string(name));
    }
    let inputs: Vec<&str> = layer.inputs.iter().map(|&input| names[input].as_str()).collect();
    let takes_list = ["Add", "Multiply", "Concatenate"].contains(&layer.class.as_str());
    let inputs = if takes_list { format!("[{}]", inputs.join(", ")) } else { inputs.join(", ") };
    format!("{module}{}({arguments})({inputs})", layer.class)
}

/// Variables of a function that hold tensors, the most used first. Others are numbered.
const VARIABLES: [&str; 4] = ["x", "y", "z", "w"];

/// The variable that holds each tensor. One is used again when what it held is not needed any more.
fn variables(network: &Network) -> Vec<String> {
    let layers = &network.layers;
    // The last layer that takes each tensor; the output is needed behind all.
    let mut last = vec![0_usize; layers.len() + 1];
    for (number, layer) in layers.iter().enumerate() {
        layer.inputs.iter().for_each(|&input| last[input] = number);
    }
    last[network.output] = layers.len();
    let mut names = vec!["inputs".to_owned()];
    // The tensor that each variable holds.
    let mut held: Vec<usize> = Vec::new();
    for number in 0..layers.len() {
        let is_free = |tensor: &usize| *tensor == usize::MAX || last[*tensor] <= number;
        let variable = held.iter().position(is_free).unwrap_or_else(|| {
            held.push(usize::MAX);
            held.len() - 1
        });
        held[variable] = number + 1;
        let name = VARIABLES.get(variable).map_or_else(|| format!("x{}", variable + 1), |name| (*name).to_owned());
        names.push(name);
    }
    names
}
