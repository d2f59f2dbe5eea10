//! The graph of a Keras model, from its JSON.
//!
//! A model is `{"class_name": ..., "config": {"layers": [...], ...}}`. A `Sequential` applies its layers one after the
//! other; in a `Functional` (Keras 2 also says `Model`) each layer tells in `inbound_nodes` what it is applied to, once
//! for each time that it is: Keras 2 as `["conv1", 0, 0, {}]`, Keras 3 as arguments that hold
//! `"keras_history": ["conv1", 0, 0]`. A layer may itself be a model.

mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use self::values::{Call, activation, around, image, name, node_arguments, pair, references, relu, shown_pair, text};
use super::graph::{Graph, Kind, Node, Value};

/// Classes of layers that pass their input on unchanged, except in training.
const NOTHING: [&str; 17] = [
    "Dropout",
    "SpatialDropout2D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomShear",
    "RandomContrast",
    "RandomBrightness",
    "RandomErasing",
    "RandomColorJitter",
    "RandomGrayscale",
];

/// Maximum depth of models within models.
const MAX_DEPTH: usize = 8;

/// The names of all layers, and [`LAYER`] for each, may have twice as many bytes as the JSON and this many more. A
/// model within a model is written once and followed wherever it is applied, so that a short text can mean more layers
/// than there is memory for.
const BUDGET: usize = 4096;

/// Bytes that a layer counts for beside its name; see [`BUDGET`].
const LAYER: usize = 32;

/// The graph of a model, and the height and width of its images where they are fixed.
pub(super) fn parse(json: &str) -> Result<(Graph, Option<(usize, usize)>), String> {
    let length = json.len();
    let json: Json = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let mut build = Build { graph: Graph::default(), image: None, left: BUDGET + 2 * length };
    let outputs = build.model(&json, None, "", 0)?;
    let [output] = outputs[..] else { return Err(format!("a model of {} outputs", outputs.len())) };
    build.graph.output = Some(output);
    Ok((build.graph, build.image))
}

struct Build {
    graph: Graph,
    image: Option<(usize, usize)>,
    /// Bytes that are left for layers to come; see [`BUDGET`].
    left: usize,
}

impl Build {
    /// Adds the nodes of a model and returns its outputs. A model within a model is applied to `inputs`; the whole one
    /// has inputs of its own. The names of its layers begin with `prefix`.
    fn model(
        &mut self,
        json: &Json,
        inputs: Option<&[usize]>,
        prefix: &str,
        depth: usize,
    ) -> Result<Vec<usize>, String> {
        if depth == MAX_DEPTH {
            return Err(format!("models within models to a depth of more than {MAX_DEPTH}"));
        }
        let (class, config) = (text(json, "class_name")?, &json["config"]);
        let layers = if config.is_array() { config } else { &config["layers"] };
        let layers = layers.as_array().ok_or_else(|| format!("no layers in the model of class {class}"))?;
        match class {
            "Sequential" => {
                let mut current = inputs.and_then(|inputs| inputs.first().copied());
                for layer in layers {
                    current = self
                        .layer(layer, current.into_iter().collect(), inputs, &Json::Null, (prefix, depth))?
                        .first()
                        .copied();
                }
                Ok(current.into_iter().collect())
            }
            "Functional" | "Model" => self.functional(config, layers, inputs, (prefix, depth)),
            other => Err(format!("a model of class {other}, which says nothing of its layers")),
        }
    }

    fn functional(
        &mut self,
        config: &Json,
        layers: &[Json],
        inputs: Option<&[usize]>,
        at: (&str, usize),
    ) -> Result<Vec<usize>, String> {
        let mut calls: BTreeMap<Call<'_>, (&Json, &Json)> = BTreeMap::new();
        for layer in layers {
            let name = name(layer)?;
            match layer["inbound_nodes"].as_array().map_or(&[][..], Vec::as_slice) {
                [] => drop(calls.insert((name, 0), (layer, &Json::Null))),
                nodes => calls.extend(nodes.iter().enumerate().map(|(index, node)| ((name, index), (layer, node)))),
            }
        }
        // The order of the list is nearly always one in which each follows what it is applied to, but need not be.
        let mut done: BTreeMap<Call<'_>, Vec<usize>> = BTreeMap::new();
        let mut begun: BTreeSet<Call<'_>> = BTreeSet::new();
        let mut given = Vec::new();
        references(&config["input_layers"], &mut given);
        for &start in calls.keys() {
            let mut open = vec![start];
            while let Some(call) = open.pop() {
                if done.contains_key(&call) {
                    continue;
                }
                let &(layer, node) = calls.get(&call).ok_or_else(|| format!("{} is applied to nothing", call.0))?;
                let mut from = Vec::new();
                references(node, &mut from);
                let missing: Vec<Call<'_>> =
                    from.iter().map(|(call, _)| *call).filter(|call| !done.contains_key(call)).collect();
                if missing.is_empty() {
                    let of = |(call, tensor): &(Call<'_>, usize)| {
                        let outputs = &done[call];
                        outputs.get(*tensor).or(outputs.first()).copied()
                    };
                    let from: Vec<usize> = from.iter().filter_map(of).collect();
                    let place = given.iter().position(|(given, _)| *given == call);
                    let own = place.and_then(|place| inputs.and_then(|inputs| inputs.get(place..=place)));
                    let nodes = self.layer(layer, from, own, &node_arguments(node), at)?;
                    done.insert(call, nodes);
                } else if begun.insert(call) {
                    open.push(call);
                    open.extend(missing);
                } else {
                    return Err(format!("{} is applied to what it gives", call.0));
                }
            }
        }
        let mut outputs = Vec::new();
        references(&config["output_layers"], &mut outputs);
        let of = |(call, tensor): &(Call<'_>, usize)| {
            let nodes = done.get(call)?;
            nodes.get(*tensor).or(nodes.first()).copied()
        };
        outputs.iter().map(|output| of(output).ok_or_else(|| format!("no output {}", output.0.0))).collect()
    }

    /// Adds the nodes of a layer applied to `inputs` and returns its outputs. `given` stands for an `InputLayer` of a
    /// model within a model.
    fn layer(
        &mut self,
        layer: &Json,
        inputs: Vec<usize>,
        given: Option<&[usize]>,
        arguments: &Json,
        (prefix, depth): (&str, usize),
    ) -> Result<Vec<usize>, String> {
        let (class, config) = (text(layer, "class_name")?, &layer["config"]);
        let own = config["name"].as_str().or(layer["name"].as_str()).unwrap_or(class);
        let takes = LAYER + prefix.len() + own.len();
        self.left =
            self.left.checked_sub(takes).ok_or("models within models that are applied too often to be followed")?;
        let label = format!("{prefix}{own}");
        if matches!(class, "Functional" | "Model" | "Sequential") {
            if arguments["training"] == Json::Bool(true) {
                return Err(format!("the model {label} within it is applied with training=True"));
            }
            return self.model(layer, Some(&inputs), &format!("{label}/"), depth + 1);
        }
        if self.image.is_none() {
            self.image = image(config);
        }
        if class == "InputLayer" {
            return Ok(match given {
                Some(given) => given.to_vec(),
                None => vec![self.graph.add(Node::new(label, Kind::Input, Vec::new()))],
            });
        }
        // The first layer of a Sequential may say itself what it is given.
        let inputs = match (inputs.is_empty(), given) {
            (false, _) => inputs,
            (true, Some(given)) => given.to_vec(),
            (true, None) => vec![self.graph.add(Node::new("the input", Kind::Input, Vec::new()))],
        };
        let training = arguments["training"] == Json::Bool(true);
        if NOTHING.contains(&class) && !training {
            return Ok(inputs);
        }
        let mut node = self.node(class, config, label, inputs);
        if training && (NOTHING.contains(&class) || node.kind == Kind::BatchNormalization) {
            node.properties.push(("training", Value::text("true")));
        }
        let fused = activation(&config["activation"]).filter(|_| node.has_weights());
        let (layer, linear) = (node.layer.clone(), is_linear(&node));
        if linear {
            return Ok(node.inputs);
        }
        let mut current = self.graph.add(node);
        if let Some(name) = fused {
            let node = Node::new(layer, Kind::Activation, vec![current]);
            current = self.graph.add(node.with([("activation", Value::text(name))]));
        }
        Ok(vec![current])
    }

    fn node(&mut self, class: &str, config: &Json, label: String, inputs: Vec<usize>) -> Node {
        let data_format = || {
            let format = config["data_format"].as_str().unwrap_or("channels_last");
            ("data_format", Value::text(format))
        };
        let activated = |name: String, inputs: Vec<usize>| {
            Node::new(label.clone(), Kind::Activation, inputs).with([("activation", Value::text(name))])
        };
        match class {
            "Conv2D" => {
                let (kernel, strides) = (pair(&config["kernel_size"]), pair(&config["strides"]));
                let (padding, inputs) = self.padding(config, inputs, kernel, strides);
                Node::new(label, Kind::Conv2D, inputs).with([
                    ("kernel_size", shown_pair(kernel)),
                    ("strides", shown_pair(strides.or(Some([1, 1])))),
                    ("padding", padding),
                    ("dilation_rate", shown_pair(pair(&config["dilation_rate"]).or(Some([1, 1])))),
                    ("groups", Value::Number(config["groups"].as_f64().unwrap_or(1.0))),
                    data_format(),
                ])
            }
            "Dense" => Node::new(label, Kind::Dense, inputs),
            "BatchNormalization" => {
                let number = |key: &str, usual| Value::Number(config[key].as_f64().unwrap_or(usual));
                let axis = config["axis"].get(0).unwrap_or(&config["axis"]);
                let axis = match axis.as_i64() {
                    Some(-1 | 3) | None => Value::text("the last"),
                    Some(axis) => Value::Number(axis as f64),
                };
                let node = Node::new(label, Kind::BatchNormalization, inputs);
                node.with([
                    ("epsilon", number("epsilon", 1e-3)),
                    ("momentum", number("momentum", 0.99)),
                    ("axis", axis),
                ])
            }
            "MaxPooling2D" | "MaxPool2D" => {
                let size = pair(&config["pool_size"]).or(Some([2, 2]));
                let strides = pair(&config["strides"]).or(size);
                let padded = self.padded(&inputs);
                let (padding, inputs) = match (config["padding"].as_str().unwrap_or("valid"), padded) {
                    ("valid", Some((around, inner))) => (Value::text(around), inner),
                    (padding, Some((around, inner))) => (Value::text(format!("{around} and {padding}")), inner),
                    (padding, None) => (Value::text(padding), inputs),
                };
                Node::new(label, Kind::MaxPooling2D, inputs).with([
                    ("pool_size", shown_pair(size)),
                    ("strides", shown_pair(strides)),
                    ("padding", padding),
                    data_format(),
                ])
            }
            "GlobalAveragePooling2D" => Node::new(label, Kind::GlobalAveragePooling2D, inputs).with([data_format()]),
            "Flatten" => Node::new(label, Kind::Flatten, inputs),
            "Add" => Node::new(label, Kind::Add, inputs),
            "Activation" => activated(activation(&config["activation"]).unwrap_or_else(|| "linear".to_owned()), inputs),
            "Softmax" if matches!(config["axis"].as_i64(), Some(-1) | None) => activated("softmax".to_owned(), inputs),
            "ReLU" => activated(relu(config), inputs),
            "ZeroPadding2D" => {
                let around = around(&config["padding"]);
                Node::new(label, Kind::Other(class.to_owned()), inputs).with([(PADDING, Value::text(around))])
            }
            other => Node::new(label, Kind::Other(other.to_owned()), inputs),
        }
    }

    /// The zeros that a `ZeroPadding2D` adds, and its inputs; `None` if `inputs` is anything else.
    fn padded(&self, inputs: &[usize]) -> Option<(String, Vec<usize>)> {
        let [input] = inputs else { return None };
        let node = &self.graph.nodes[*input];
        let Value::Text(around) = node.property(PADDING)? else { return None };
        Some((around.clone(), node.inputs.clone()))
    }

    /// The zeros around the input of a convolution, including those of a `ZeroPadding2D` before it, and the inputs
    /// without that layer.
    fn padding(
        &self,
        config: &Json,
        inputs: Vec<usize>,
        kernel: Option<[u64; 2]>,
        strides: Option<[u64; 2]>,
    ) -> (Value, Vec<usize>) {
        let before = self.padded(&inputs);
        match (config["padding"].as_str().unwrap_or("valid"), before, kernel) {
            ("valid", Some((around, inputs)), _) => (Value::text(around), inputs),
            ("valid", None, _) => (Value::around(0), inputs),
            // The zeros are as many on all sides if the window has a middle and a stride of 1; else that depends on the
            // image.
            ("same", None, Some([1, 1])) => (Value::around(0), inputs),
            ("same", None, Some([rows, columns]))
                if rows % 2 == 1 && columns % 2 == 1 && matches!(strides, Some([1, 1]) | None) =>
            {
                let [rows, columns] = [rows / 2, columns / 2];
                (Value::text(format!("[[{rows}, {rows}], [{columns}, {columns}]]")), inputs)
            }
            (padding, Some((around, inputs)), _) => (Value::text(format!("{around} and {padding}")), inputs),
            (padding, None, _) => (Value::text(padding), inputs),
        }
    }
}

/// Property of a `ZeroPadding2D`, until the convolution or pooling behind it takes it over.
const PADDING: &str = "zeros";

/// Returns `true` for an activation `linear`, which passes its input on unchanged.
fn is_linear(node: &Node) -> bool {
    let linear = Value::text("linear");
    node.kind == Kind::Activation && node.property("activation") == Some(&linear)
}
