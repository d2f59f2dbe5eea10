//! The text of the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::activation::EACH;
use super::classes::Classes;
use super::library::Library;
use crate::checkpoint::key;
use crate::export::python::{inner, string};

/// Facts about the model that its program states.
#[derive(Debug)]
pub struct Script<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// Channels, height and width of an image.
    pub sizes: [usize; 3],
    /// Number of classes, which is that of the logits.
    pub outputs: usize,
    /// Classes of its activations.
    pub classes: &'a Classes,
    /// Metadata of the file of weights.
    pub metadata: &'a BTreeMap<String, String>,
}

impl Script<'_> {
    /// The whole program, with the text that defines `network()`.
    pub fn text(&self, library: Option<Library>, network: &str) -> String {
        let Self { name, sizes: [channels, height, width], outputs, classes, metadata } = self;
        let fact = |key: &str| metadata.get(key).map(String::as_str);
        let with =
            fact(key::ACTIVATION).map(|text| format!(" with the activation {}", inner(text))).unwrap_or_default();
        let needs = library.map_or(String::new(), |library| format!(", {}", library.module()));
        let mut code = String::new();
        if classes.have_parameters() {
            code.push_str(EACH);
        }
        for class in classes.texts() {
            let _ = write!(code, "\n{class}");
        }
        let _ = write!(code, "\n{network}");

        let mut text = format!(
            "\"\"\"{}{with}, written by pvlu_zoo {} for torch.\n\n\
             build() returns the network with its weights, which lie beside this file. As a program it computes the\n\
             logits of an image and compares them with those of pvlu_zoo; it exits with 1 if they differ.\n\n\
             Needs torch, safetensors{needs}.\n\"\"\"\n\n",
            inner(name),
            env!("CARGO_PKG_VERSION")
        );
        let labels = fact(key::LABELS).is_some();
        if labels {
            text.push_str("import json\n");
        }
        text.push_str("import math\nimport sys\nfrom pathlib import Path\n\n");
        if let Some(library) = library.filter(|library| library.module() < "torch") {
            let _ = writeln!(text, "import {}", library.module());
        }
        text.push_str("import torch\n");
        if let Some(library) = library.filter(|library| library.module() > "torch") {
            let _ = writeln!(text, "import {}", library.module());
        }
        text.push_str("from safetensors import safe_open\nfrom safetensors.torch import load_file, save_file\n");
        if code.contains("nn.") {
            text.push_str("from torch import nn\n");
        }
        if code.contains("F.") {
            text.push_str("from torch.nn import functional as F\n");
        }
        let _ = write!(
            text,
            "\nWEIGHTS = Path(__file__).with_suffix(\".safetensors\")\n\n\
             # Channels, height and width of an image; number of classes.\n\
             IMAGE = ({channels}, {height}, {width})\n\
             CLASSES = {outputs}\n"
        );
        if let Some(preprocessing) = fact(key::PREPROCESSING) {
            let _ = write!(
                text,
                "\n# How an image becomes the input: \
                 resized or cropped as `fit` says, then (value / divisor - mean) / std in each channel.\n\
                 PREPROCESSING = {}\n",
                string(preprocessing)
            );
        }
        text.push('\n');
        text.push_str(&code);
        text.push_str(FUNCTIONS);
        if labels {
            text.push_str(LABELS);
        }
        text.push_str(MAIN);
        text
    }
}

const FUNCTIONS: &str = r#"

def build(weights=WEIGHTS):
    """The network in evaluation, with the weights of a file that has every one of its tensors and no other."""
    model = network()
    model.load_state_dict(load_file(weights), strict=True)
    return model.eval()


def metadata(weights=WEIGHTS):
    """What the file of weights says of the model, by keys that begin with `pvlu_zoo.`."""
    with safe_open(weights, framework="pt") as file:
        return file.metadata()


def save(model, path):
    """Writes the weights of the network, which may have been tuned, to a file that pvlu_zoo reads."""
    gone = ["pvlu_zoo.logits", "pvlu_zoo.tuning", "pvlu_zoo.frozen"]
    facts = {key: text for key, text in metadata().items() if key not in gone}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, path, metadata=facts)
"#;

const LABELS: &str = r#"

def labels():
    """The names of the classes, in the order of the logits."""
    return json.loads(metadata()["pvlu_zoo.labels"])
"#;

const MAIN: &str = r#"

def check_input():
    """An image of numbers between -1 and 1 that every machine computes alike."""
    numbers = torch.arange(math.prod(IMAGE)) * 7919 % 2003
    return (numbers / 1001 - 1).reshape(1, *IMAGE)


def main():
    """Compares the logits of an image with those that pvlu_zoo computed. Returns 1 if they differ, else 0.

    They differ if they are more than 1e-5 of the largest apart and pvlu_zoo's are more than four times as far as those
    here from the logits in double precision: deep networks round by more than 1e-5, wherever they are computed.
    """
    logits = metadata().get("pvlu_zoo.logits")
    if logits is None:
        sys.exit(f"{WEIGHTS}: was saved here, not by pvlu_zoo, and has no logits to compare with")
    expected = torch.tensor([float(logit) for logit in logits.split()])
    model, image = build(), check_input()
    with torch.inference_mode():
        found = model(image)[0]
    largest = expected.abs().max().item()
    difference = (found - expected).abs().max().item()
    print(f"largest difference of a logit: {difference:.1e}; largest logit: {largest:.3g}")
    if difference <= 1e-5 * largest:
        return 0
    with torch.inference_mode():
        exact = model.double()(image.double())[0]
    here, there = ((logits - exact).abs().max().item() for logits in (found, expected))
    print(f"from the logits in double precision: {here:.1e} here, {there:.1e} in pvlu_zoo")
    return 0 if there <= 4 * here else 1


if __name__ == "__main__":
    sys.exit(main())
"#;
