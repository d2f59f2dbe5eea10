use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::names::Part;
use crate::registry::{self, Options, Start};
use crate::source::Source;

/// A file of `tests/fixtures/configurations`.
fn fixture(name: &str) -> Json {
    let path = format!("{}/../tests/fixtures/configurations/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// The layer of this name, in a model that has no models as layers.
fn layer<'a>(json: &'a mut Json, name: &str) -> &'a mut Json {
    let layers = json["config"]["layers"].as_array_mut().unwrap();
    layers.iter_mut().find(|layer| layer["config"]["name"] == name).unwrap()
}

/// The differences to a model of the registry for images of this side, all of whose layers are loaded but for the head,
/// if there is none.
fn of(json: &Json, model: &str, side: usize, head: bool) -> Vec<Difference> {
    let entry = registry::find(model).unwrap();
    let options = Options { activation: "relu", classes: 10, image: Some((side, side)), weights: Start::Unfilled };
    let mut model = entry.build(&options).unwrap();
    let names = entry.names((side, side));
    let loaded = names.iter().filter(|layer| head || layer.part == Part::Trunk);
    let loaded: BTreeSet<&str> = loaded.filter_map(|layer| layer.name_by(Source::Keras)).collect();
    Configuration::parse(&json.to_string()).unwrap().differences(model.net_mut(), &names, &loaded).unwrap().0
}

/// A difference as `layer: property: expected -> found`.
fn shown(differences: &[Difference]) -> Vec<String> {
    let line = |d: &Difference| format!("{}: {}: {} -> {}", d.layer, d.property, d.expected, d.found);
    differences.iter().map(line).collect()
}

#[test]
fn the_originals_are_what_the_networks_compute() {
    for (name, model, side, head) in [
        ("keras_resnet50v2", "resnet50v2", 64, true),
        ("tf_keras_resnet50v2", "resnet50v2", 64, true),
        ("tf_keras_resnet50v2_notop", "resnet50v2", 64, false),
        ("keras_resnet50", "resnet50", 64, true),
        ("keras_vgg16", "vgg16", 224, true),
        ("tf_keras_vgg16", "vgg16", 224, true),
        // The trunk, under a head for other images.
        ("keras_vgg16", "vgg16", 32, false),
    ] {
        assert_eq!(shown(&of(&fixture(name), model, side, head)), [""; 0], "{name}");
    }
}

#[test]
fn every_property_that_changes_what_is_computed_is_a_difference() {
    for name in ["keras_resnet50v2", "tf_keras_resnet50v2"] {
        let config = |at: &str, key: &str, value: Json| {
            let mut json = fixture(name);
            layer(&mut json, at)["config"][key] = value;
            shown(&of(&json, "resnet50v2", 64, true))
        };
        for (at, key, value, expected) in [
            ("conv1_conv", "strides", json!([1, 1]), "conv1_conv: strides: [2, 2] -> [1, 1]"),
            (
                "conv1_conv",
                "padding",
                json!("same"),
                "conv1_conv: padding: [[3, 3], [3, 3]] -> [[3, 3], [3, 3]] and same",
            ),
            ("conv1_conv", "dilation_rate", json!([2, 2]), "conv1_conv: dilation_rate: [1, 1] -> [2, 2]"),
            ("conv1_conv", "groups", json!(2), "conv1_conv: groups: 1 -> 2"),
            (
                "conv1_conv",
                "data_format",
                json!("channels_first"),
                "conv1_conv: data_format: channels_last -> channels_first",
            ),
            ("conv1_conv", "activation", json!("relu"), "pool1_pool: input: Conv2D conv1_conv -> Activation relu"),
            (
                "conv1_pad",
                "padding",
                json!([[2, 3], [3, 3]]),
                "conv1_conv: padding: [[3, 3], [3, 3]] -> [[2, 3], [3, 3]]",
            ),
            (
                "pool1_pad",
                "padding",
                json!([[0, 1], [0, 1]]),
                "pool1_pool: padding: [[1, 1], [1, 1]] -> [[0, 1], [0, 1]]",
            ),
            ("pool1_pool", "pool_size", json!([2, 2]), "pool1_pool: pool_size: [3, 3] -> [2, 2]"),
            ("conv2_block1_1_bn", "epsilon", json!(1e-3), "conv2_block1_1_bn: epsilon: 1.001e-5 -> 1e-3"),
            ("conv2_block1_1_bn", "momentum", json!(0.9), "conv2_block1_1_bn: momentum: 0.99 -> 0.9"),
            ("conv2_block1_1_bn", "axis", json!(1), "conv2_block1_1_bn: axis: the last -> 1"),
            ("conv2_block1_1_relu", "activation", json!("gelu"), "conv2_block1_1_relu: activation: relu -> gelu"),
            (
                "conv2_block1_1_relu",
                "activation",
                json!("linear"),
                "conv2_block1_2_conv: input: Activation relu -> BatchNormalization conv2_block1_1_bn",
            ),
            // A function of a user's, as each version writes it.
            (
                "post_relu",
                "activation",
                json!({"class_name": "function", "config": "mine", "registered_name": "function"}),
                "post_relu: activation: relu -> mine",
            ),
            (
                "predictions",
                "activation",
                json!("sigmoid"),
                "the output: input: Dense predictions -> Activation sigmoid",
            ),
        ] {
            assert_eq!(config(at, key, value), [expected], "{name}");
        }
    }
}

#[test]
fn other_layers_and_other_connections_are_differences() {
    let change = |at: &str, class: &str, config: Json| {
        let mut json = fixture("keras_resnet50v2");
        let layer = layer(&mut json, at);
        layer["class_name"] = json!(class);
        layer["config"].as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        shown(&of(&json, "resnet50v2", 64, true))
    };
    let none = json!({});
    for (at, class, config, expected) in [
        ("post_relu", "ReLU", json!({"max_value": 6.0}), "post_relu: activation: relu -> relu with max_value 6"),
        ("post_relu", "LeakyReLU", none.clone(), "post_relu: class: Activation relu -> LeakyReLU"),
        ("pool1_pool", "AveragePooling2D", none.clone(), "pool1_pool: class: MaxPooling2D -> AveragePooling2D"),
        (
            "avg_pool",
            "GlobalMaxPooling2D",
            none.clone(),
            "avg_pool: class: GlobalAveragePooling2D -> GlobalMaxPooling2D",
        ),
        ("conv2_block1_out", "Maximum", none.clone(), "conv2_block1_out: class: Add -> Maximum"),
        ("input_layer", "Rescaling", none, "conv1_conv: input: Input -> Rescaling"),
    ] {
        let found = change(at, class, config);
        assert!(found.contains(&expected.to_owned()), "{found:?}");
    }
    // The same activation as a layer of its own class is none.
    for config in [json!({}), json!({"max_value": null, "negative_slope": 0.0, "threshold": 0.0})] {
        assert_eq!(change("post_relu", "ReLU", config), [""; 0]);
    }
    // Of Keras 2: the projection reads what the identity does, and a sum takes its branches in the other order.
    let mut json = fixture("tf_keras_resnet50v2");
    layer(&mut json, "conv2_block1_0_conv")["inbound_nodes"] = json!([[["pool1_pool", 0, 0, {}]]]);
    let found = shown(&of(&json, "resnet50v2", 64, true));
    assert_eq!(found, ["conv2_block1_0_conv: input: Activation relu -> MaxPooling2D"]);
    let mut json = fixture("tf_keras_resnet50v2");
    let sum = &mut layer(&mut json, "conv2_block1_out")["inbound_nodes"][0];
    sum.as_array_mut().unwrap().reverse();
    assert_eq!(shown(&of(&json, "resnet50v2", 64, true)), [""; 0]);
    // A batch norm that is called to use its batch.
    let mut json = fixture("tf_keras_resnet50v2");
    layer(&mut json, "post_bn")["inbound_nodes"][0][0][3] = json!({"training": true});
    assert_eq!(shown(&of(&json, "resnet50v2", 64, true)), ["post_bn: training: none -> true"]);
    let mut json = fixture("keras_resnet50v2");
    layer(&mut json, "post_bn")["inbound_nodes"][0]["kwargs"] = json!({"training": true});
    assert_eq!(shown(&of(&json, "resnet50v2", 64, true)), ["post_bn: training: none -> true"]);
}

#[test]
fn the_end_of_a_trunk_is_compared_where_there_is_no_head() {
    let mut json = fixture("tf_keras_resnet50v2_notop");
    layer(&mut json, "post_relu")["config"]["activation"] = json!("gelu");
    assert_eq!(shown(&of(&json, "resnet50v2", 64, false)), ["post_relu: activation: relu -> gelu"]);
}

#[test]
fn layers_in_a_row_and_a_model_as_a_layer_are_followed() {
    let (graph, image) = keras::parse(&fixture("keras_sequential").to_string()).unwrap();
    assert_eq!(image, Some((32, 32)));
    let nodes: Vec<String> = graph.nodes.iter().map(graph::Node::described).collect();
    // Layers that augment images do nothing except in training.
    let expected = ["Input", "Conv2D block1_conv1", "Activation relu", "MaxPooling2D", "Flatten", "Dense predictions"];
    assert_eq!(nodes, expected);
    assert!(graph.nodes.iter().enumerate().skip(1).all(|(index, node)| node.inputs == [index - 1]));
    // As the second and the first version of Keras 2 wrote it: no InputLayer, and a list as the configuration.
    let bare = json!({"class_name": "Sequential", "config": [
        {"class_name": "Conv2D", "config": {"name": "c", "kernel_size": 3, "batch_input_shape": [null, 8, 9, 3]}},
        {"class_name": "Activation", "config": {"name": "a", "activation": "linear"}},
    ]});
    let (graph, image) = keras::parse(&bare.to_string()).unwrap();
    assert_eq!((graph.nodes.len(), image), (2, Some((8, 9))));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let functional =
        |layers: Json| json!({"class_name": "Functional", "config": {"layers": layers, "output_layers": ["a", 0, 0]}});
    let at = |name: &str, of: &str| {
        let inbound = json!([[[of, 0, 0, {}]]]);
        json!({"class_name": "Flatten", "name": name, "config": {}, "inbound_nodes": inbound})
    };
    let mut deep = json!({"class_name": "Sequential", "config": {"layers": []}});
    for _ in 0..20 {
        deep = json!({"class_name": "Sequential", "config": {"layers": [deep]}});
    }
    // A short text whose number of layers grows twentyfold at every depth.
    let given = json!({"class_name": "InputLayer", "name": "i", "config": {"name": "i"}, "inbound_nodes": []});
    let model = |layer: Json| {
        let ends = [json!([["i", 0, 0]]), json!([[layer["name"], 0, 0]])];
        let config = json!({"name": "m", "layers": [given, layer], "input_layers": ends[0], "output_layers": ends[1]});
        json!({"class_name": "Functional", "name": "m", "config": config})
    };
    let mut many = model(at("a", "i"));
    for _ in 0..6 {
        many["inbound_nodes"] = (0..20).map(|_| json!([["i", 0, 0, {}]])).collect();
        many = model(many);
    }
    for (json, expected) in [
        ("{".to_owned(), "EOF"),
        (many.to_string(), "applied too often to be followed"),
        ("[]".to_owned(), "without class_name"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "recursion limit"),
        (json!({"class_name": "Mine", "config": {"layers": []}}).to_string(), "a model of class Mine"),
        (json!({"class_name": "Functional", "config": {}}).to_string(), "no layers"),
        (functional(json!([at("a", "b"), at("b", "a")])).to_string(), "is applied to what it gives"),
        (functional(json!([at("a", "c")])).to_string(), "c is applied to nothing"),
        (functional(json!([])).to_string(), "no output a"),
        (deep.to_string(), "to a depth of more than 8"),
    ] {
        let error = Configuration::parse(&json).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn equal_differences_are_one_line_and_all_of_them_are_few() {
    let difference = |layer: String, found: &str| Difference {
        layer,
        property: "activation",
        expected: "relu".to_owned(),
        found: found.to_owned(),
    };
    let same = Differences((0..49).map(|i| difference(format!("relu{i}"), "gelu\n")).collect()).to_string();
    assert!(same.contains("\n  relu0 and 48 layers more: activation: expected relu, found gelu\\n\n"), "{same}");
    let many = Differences((0..90).map(|i| difference("a".to_owned(), &i.to_string())).collect()).to_string();
    assert!(many.lines().count() == 23 && many.contains("and 70 differences more"), "{many}");
}
