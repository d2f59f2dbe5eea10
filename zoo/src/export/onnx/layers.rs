//! Layers as operations of ONNX.

use pvlu::layer::{Extent, Graph, LayerKind, Node};

use super::activation::activation;
use super::builder::{Attribute, Builder, Value};
use super::fold::Folded;
use crate::export::ExportError;

/// The name of the network's input.
pub const INPUT: &str = "input";

/// The name of the network's output.
pub const OUTPUT: &str = "logits";

/// Adds the operations of all layers, with batch norms folded into the convolutions before them where `folded` says so,
/// and returns input and output.
pub fn network(builder: &mut Builder, graph: &Graph, folded: &Folded) -> Result<(Value, Value), ExportError> {
    let [last] = graph.outputs[..] else { return Err(ExportError::Outputs { found: graph.outputs.len() }) };
    let (input, output) = (builder.named(INPUT), builder.named(OUTPUT));
    // The input, and the output of each layer.
    let mut values = vec![input];
    for (number, node) in graph.nodes.iter().enumerate() {
        let of = |wire: &pvlu::layer::Wire| values[wire.node().map_or(0, |node| node + 1)];
        let taken: Vec<Value> = node.inputs.iter().map(of).collect();
        let sizes: Vec<Extent> = node.inputs.iter().map(|&wire| graph.extent(wire)).collect();
        let value = match (node.kind, folded.convolution(number)) {
            (LayerKind::Conv2D { .. }, Some(fold)) => {
                let weight = builder.scaled(&below(&node.path, "weight"), fold.factors.clone())?;
                let bias = builder.floats(&below(&node.path, "bias"), vec![fold.bias.len()], fold.bias.clone());
                convolution(builder, node, &[taken[0], weight, bias])
            }
            _ if folded.is_norm(number) => taken[0],
            _ => layer(builder, node, &taken, &sizes)?,
        };
        values.push(value);
    }
    let last = values[last.node().map_or(0, |node| node + 1)];
    Ok((input, builder.give(last, output)))
}

/// The operations of one layer, on tensors of these sizes.
fn layer(builder: &mut Builder, node: &Node, taken: &[Value], sizes: &[Extent]) -> Result<Value, ExportError> {
    let (path, x) = (node.path.as_str(), taken[0]);
    let none = || ExportError::Layer { path: path.to_owned(), layer: node.kind.to_string(), format: "ONNX" };
    let tensor = |builder: &mut Builder, name: &str| builder.tensor(&below(path, name));
    Ok(match node.kind {
        LayerKind::Conv2D { bias, .. } => {
            let mut inputs = vec![x, tensor(builder, "weight")?];
            if bias {
                inputs.push(tensor(builder, "bias")?);
            }
            convolution(builder, node, &inputs)
        }
        LayerKind::Linear => {
            let inputs = [x, tensor(builder, "weight")?, tensor(builder, "bias")?];
            builder.operation(path, "Gemm", &inputs, vec![("transB", Attribute::Integer(1))])
        }
        LayerKind::BatchNorm2D => {
            let mut inputs = vec![x];
            for name in ["scale", "shift", "running_mean", "running_var"] {
                inputs.push(tensor(builder, name)?);
            }
            let epsilon = node.epsilon.ok_or_else(none)? as f32;
            builder.operation(path, "BatchNormalization", &inputs, vec![("epsilon", Attribute::Float(epsilon))])
        }
        LayerKind::Activation { activation: definition } => {
            let rank = rank(sizes[0]);
            let mut params = Vec::new();
            for param in definition.params().iter() {
                params.push(builder.spread(&below(path, param.name), rank)?);
            }
            let missing = || ExportError::Activation { path: path.to_owned(), activation: definition.text() };
            activation(builder, path, definition, x, &params).ok_or_else(missing)?
        }
        LayerKind::Pool2D { name, kernel, stride, padding } => {
            let window = Window { kernel, stride, padding };
            match name {
                "MaxPool2D" => builder.operation(path, "MaxPool", &[x], window.attributes()),
                "ZeroPaddedMaxPool2D" => {
                    let padded = pad(builder, path, x, [0, padding, padding]);
                    builder.operation(path, "MaxPool", &[padded], Window { padding: 0, ..window }.attributes())
                }
                "AvgPool2D" => {
                    let mut attributes = window.attributes();
                    attributes.push(("count_include_pad", Attribute::Integer(1)));
                    builder.operation(path, "AveragePool", &[x], attributes)
                }
                _ => return Err(none()),
            }
        }
        LayerKind::GlobalPool2D => {
            let mean = builder.operation(path, "GlobalAveragePool", &[x], Vec::new());
            builder.operation(path, "Flatten", &[mean], Vec::new())
        }
        LayerKind::Flatten => builder.operation(path, "Flatten", &[x], Vec::new()),
        LayerKind::Dropout { .. } | LayerKind::Identity => x,
        LayerKind::Add => {
            taken[1..].iter().fold(x, |sum, &next| builder.operation(path, "Add", &[sum, next], Vec::new()))
        }
        LayerKind::Multiply => {
            let mut product = x;
            for (&factor, &size) in taken.iter().zip(sizes).skip(1) {
                let factor = if rank(size) < rank(sizes[0]) { to_map(builder, path, factor) } else { factor };
                product = builder.operation(path, "Mul", &[product, factor], Vec::new());
            }
            product
        }
        LayerKind::Concat => builder.operation(path, "Concat", taken, vec![("axis", Attribute::Integer(1))]),
        LayerKind::Upsample2D { factor } => upsample(builder, path, x, factor),
        LayerKind::Subsample { stride } => {
            let taken = if stride == 1 { x } else { every(builder, path, x, stride) };
            // Half of the new channels come before the given ones.
            let half = node.output.channels().saturating_sub(sizes[0].channels()) / 2;
            if half == 0 { taken } else { pad(builder, path, taken, [half, 0, 0]) }
        }
        // `Other`, `Dfdx`, and a kind of layer that is not known here yet.
        _ => return Err(none()),
    })
}

/// The path of a layer's tensor.
fn below(layer: &str, name: &str) -> String {
    if layer.is_empty() { name.to_owned() } else { format!("{layer}.{name}") }
}

/// Number of dimensions of a batch of tensors of this size.
fn rank(extent: Extent) -> usize {
    if matches!(extent, Extent::Image { .. }) { 4 } else { 2 }
}

/// A window that slides over rows and columns.
#[derive(Clone, Copy)]
struct Window {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Window {
    fn attributes(self) -> Vec<(&'static str, Attribute)> {
        let both = |size: usize, times: usize| Attribute::Integers(vec![size as i64; times]);
        vec![("kernel_shape", both(self.kernel, 2)), ("strides", both(self.stride, 2)), ("pads", both(self.padding, 4))]
    }
}

/// A convolution of an input with a weight, and a bias if there is one.
fn convolution(builder: &mut Builder, node: &Node, inputs: &[Value]) -> Value {
    let LayerKind::Conv2D { kernel, stride, padding, .. } = node.kind else { return inputs[0] };
    builder.operation(&node.path, "Conv", inputs, Window { kernel, stride, padding }.attributes())
}

/// As many zeros before as after the channels, rows and columns of a map.
fn pad(builder: &mut Builder, layer: &str, x: Value, around: [usize; 3]) -> Value {
    let side = [0, around[0], around[1], around[2]];
    let all = [side, side].concat().into_iter().map(|count| count as i64).collect();
    let (pads, zero) = (builder.integers(layer, "pads", all), builder.scalar(0.0));
    builder.operation(layer, "Pad", &[x, pads, zero], Vec::new())
}

/// Every `stride`-th row and column of a map.
fn every(builder: &mut Builder, layer: &str, x: Value, stride: usize) -> Value {
    let mut both = |name, number| builder.integers(layer, name, vec![number; 2]);
    let (starts, ends, steps) = (both("starts", 0), both("ends", i64::MAX), both("steps", stride as i64));
    let axes = builder.integers(layer, "axes", vec![2, 3]);
    builder.operation(layer, "Slice", &[x, starts, ends, axes, steps], Vec::new())
}

/// Features `[batch, channels]` as maps of one pixel.
fn to_map(builder: &mut Builder, layer: &str, x: Value) -> Value {
    let axes = builder.integers(layer, "axes", vec![2, 3]);
    builder.operation(layer, "Unsqueeze", &[x, axes], Vec::new())
}

/// Each row and column repeated.
fn upsample(builder: &mut Builder, layer: &str, x: Value, factor: usize) -> Value {
    let factor = factor as f32;
    let scales =
        builder.floats(&format!("/{}/scales", layer.replace('.', "/")), vec![4], vec![1.0, 1.0, factor, factor]);
    let attributes = vec![
        ("mode", Attribute::Word("nearest")),
        ("coordinate_transformation_mode", Attribute::Word("asymmetric")),
        ("nearest_mode", Attribute::Word("floor")),
    ];
    builder.operation_of(layer, "Resize", vec![Some(x), None, Some(scales)], attributes)
}
