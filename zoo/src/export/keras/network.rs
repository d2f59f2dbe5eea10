//! A network as layers of Keras', whose maps are `[rows, columns, channels]`.

use std::collections::{BTreeMap, BTreeSet};

use dfdx::tensor::Cpu;
use pvlu::activation::{Activation, Definition, Relu};
use pvlu::layer::{Extent, Graph, LayerKind, Node, Visit, Wire, named_parameters};

use super::activation::{Class, Helper, class};
use crate::export::ExportError;
use crate::export::python;
use crate::weights::StoredLayout;

/// A tensor of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Path of the tensor in the network.
    pub path: String,
    /// Name among the variables of the layer.
    pub variable: String,
    /// Order of its elements in Keras.
    pub layout: StoredLayout,
    /// Shape in which [`layout`](Self::layout) has the elements.
    pub ordered: Vec<usize>,
    /// Shape of the variable.
    pub shape: Vec<usize>,
}

/// A layer of Keras'.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// Class of the layer.
    pub class: String,
    /// True if the class is one of Keras' own.
    pub is_of_keras: bool,
    /// Arguments of the constructor but for the name.
    pub arguments: String,
    /// Name of the layer, if it has weights.
    pub name: Option<String>,
    /// Tensors that it takes: 0 is the network's input, n + 1 the output of layer n.
    pub inputs: Vec<usize>,
    /// Its weights, in the order of its variables.
    pub weights: Vec<Weight>,
}

/// A network as Keras has it.
#[derive(Debug, Default)]
pub struct Network {
    /// The layers in forward order.
    pub layers: Vec<Layer>,
    /// The tensor that the network gives.
    pub output: usize,
    /// Classes of layers that Keras does not have.
    pub classes: Vec<Class>,
}

/// Names of layers and activations in the file, by their paths in the network.
pub type Names = BTreeMap<String, String>;

impl Network {
    /// The layers of a graph. Those that `names` does not name are called by their paths.
    pub fn of(graph: &Graph, net: &dyn Visit<f32, Cpu>, names: &Names) -> Result<Self, ExportError> {
        let [last] = graph.outputs[..] else { return Err(ExportError::Outputs { found: graph.outputs.len() }) };
        let shapes = named_parameters(net).into_iter().map(|tensor| (tensor.path, tensor.shape)).collect();
        let (taken, helpers) = (BTreeSet::new(), BTreeSet::new());
        let mut builder = Builder { graph, names, shapes, taken, helpers, activations: Vec::new(), layers: Vec::new() };
        // The tensor that Keras has for each of the graph's.
        let mut values = vec![0];
        for (number, node) in graph.nodes.iter().enumerate() {
            let inputs: Vec<usize> = node.inputs.iter().map(|&wire| values[position(wire)]).collect();
            values.push(builder.node(number, node, &inputs)?);
        }
        let Builder { layers, helpers, activations, .. } = builder;
        let mut classes: Vec<Class> = helpers.into_iter().map(Helper::class).collect();
        classes.extend(activations.into_iter().map(|(_, class)| class));
        Ok(Self { layers, output: values[position(last)], classes })
    }
}

/// Position of a tensor among the input and the outputs of all nodes.
fn position(wire: Wire) -> usize {
    wire.node().map_or(0, |node| node + 1)
}

struct Builder<'a> {
    graph: &'a Graph,
    names: &'a Names,
    /// Sizes of the network's tensors by path.
    shapes: BTreeMap<String, Vec<usize>>,
    /// Names that layers have.
    taken: BTreeSet<String>,
    helpers: BTreeSet<Helper>,
    activations: Vec<(&'static Definition, Class)>,
    layers: Vec<Layer>,
}

impl Builder<'_> {
    /// Adds the layers of a node, and returns the tensor that they give.
    fn node(&mut self, number: usize, node: &Node, inputs: &[usize]) -> Result<usize, ExportError> {
        let x = inputs[0];
        let size = self.graph.extent(node.inputs[0]);
        let none = || ExportError::Layer { path: node.path.clone(), layer: node.kind.to_string(), format: "Keras" };
        Ok(match node.kind {
            LayerKind::Conv2D { kernel, stride, padding, bias } => {
                let mut arguments = format!("{}, {kernel}", node.output.channels());
                if stride > 1 {
                    arguments += &format!(", strides={stride}");
                }
                let is_same = padding > 0 && stride == 1 && kernel == 2 * padding + 1;
                let x = if is_same { x } else { self.zeros(x, padding) };
                arguments += if is_same { ", padding=\"same\"" } else { "" };
                arguments += if bias { "" } else { ", use_bias=False" };
                let mut weights = vec![self.weight(node, "weight", "0", StoredLayout::Hwio)?];
                if bias {
                    weights.push(self.weight(node, "bias", "1", StoredLayout::Same)?);
                }
                self.weighted(node, "Conv2D", arguments, x, weights)
            }
            LayerKind::Linear => {
                let layout = match self.flattened(node.inputs[0]) {
                    Some((channels, pixels)) => StoredLayout::FlattenedInOut { channels, pixels },
                    None => StoredLayout::InOut,
                };
                let weights = vec![
                    self.weight(node, "weight", "0", layout)?,
                    self.weight(node, "bias", "1", StoredLayout::Same)?,
                ];
                self.weighted(node, "Dense", node.output.channels().to_string(), x, weights)
            }
            LayerKind::BatchNorm2D => {
                let arguments = format!("epsilon={}", python::number(node.epsilon.ok_or_else(none)?));
                let tensors = ["scale", "shift", "running_mean", "running_var"];
                let weight = |(at, name): (usize, &&str)| self.weight(node, name, &at.to_string(), StoredLayout::Same);
                let weights = tensors.iter().enumerate().map(weight).collect::<Result<Vec<_>, _>>()?;
                self.weighted(node, "BatchNormalization", arguments, x, weights)
            }
            LayerKind::Activation { activation } => self.activation(node, activation, x)?,
            LayerKind::Pool2D { name, kernel, stride, padding } => {
                let (class, x) = match name {
                    "MaxPool2D" if padding > 0 => {
                        self.helpers.insert(Helper::InfinityPadding2D);
                        ("MaxPooling2D", self.own("InfinityPadding2D", padding.to_string(), x))
                    }
                    "MaxPool2D" | "ZeroPaddedMaxPool2D" => ("MaxPooling2D", self.zeros(x, padding)),
                    "AvgPool2D" => ("AveragePooling2D", self.zeros(x, padding)),
                    _ => return Err(none()),
                };
                self.plain(class, format!("{kernel}, strides={stride}"), &[x])
            }
            LayerKind::GlobalPool2D => self.plain("GlobalAveragePooling2D", String::new(), &[x]),
            LayerKind::Flatten => {
                // Keras has the channels of a pixel one after the other. A linear layer takes them so, anything else in
                // the network's own order.
                let has_own_order = size.plane() == 1 || self.goes_to_linear(number);
                let x = if has_own_order { x } else { self.plain("Permute", "(3, 1, 2)".to_owned(), &[x]) };
                self.plain("Flatten", String::new(), &[x])
            }
            LayerKind::Dropout { percent } => self.plain("Dropout", fraction(percent), &[x]),
            LayerKind::Identity => x,
            // The shortcut before the main branch, as Keras' own networks have it: that decides about the order in
            // which Keras counts their layers.
            LayerKind::Add if inputs.len() == 2 => self.plain("Add", String::new(), &[inputs[1], inputs[0]]),
            LayerKind::Add => self.plain("Add", String::new(), inputs),
            LayerKind::Multiply => {
                let maps = matches!(size, Extent::Image { .. });
                let factor = |(&value, &wire): (&usize, &Wire)| match self.graph.extent(wire) {
                    Extent::Features { width } if maps => self.plain("Reshape", format!("(1, 1, {width})"), &[value]),
                    _ => value,
                };
                let factors: Vec<usize> = inputs.iter().zip(&node.inputs).map(factor).collect();
                self.plain("Multiply", String::new(), &factors)
            }
            LayerKind::Concat => self.plain("Concatenate", String::new(), inputs),
            LayerKind::Upsample2D { factor } => self.plain("UpSampling2D", factor.to_string(), &[x]),
            LayerKind::Subsample { stride } => {
                let x = if stride == 1 { x } else { self.plain("MaxPooling2D", format!("1, strides={stride}"), &[x]) };
                // Half of the new channels come before the given ones.
                let half = node.output.channels().saturating_sub(size.channels()) / 2;
                if half == 0 {
                    return Ok(x);
                }
                self.helpers.insert(Helper::ChannelPadding);
                self.own("ChannelPadding", half.to_string(), x)
            }
            // A module of another library, and a kind of layer that is not known here yet.
            _ => return Err(none()),
        })
    }

    /// An activation: Keras' own ReLU, or a class of the file.
    fn activation(&mut self, node: &Node, definition: &'static Definition, x: usize) -> Result<usize, ExportError> {
        if definition.is_of_the_type_of(Relu::definition()) {
            return Ok(self.plain("ReLU", String::new(), &[x]));
        }
        let known = self.activations.iter().find(|(known, _)| *known == definition);
        let class = match known.map(|(_, class)| class.name.clone()) {
            Some(class) => class,
            None => {
                let missing = || ExportError::Activation { path: node.path.clone(), activation: definition.text() };
                // Classes of one name are of one activation with other start values, or of several formulas.
                let mut new = class(definition, None).ok_or_else(missing)?;
                let mut number = 1;
                while self.activations.iter().any(|(_, known)| known.name == new.name) {
                    number += 1;
                    new = class(definition, Some(number)).ok_or_else(missing)?;
                }
                self.activations.push((definition, new.clone()));
                new.name
            }
        };
        let mut weights = Vec::new();
        for param in definition.params().iter() {
            let mut weight = self.weight(node, param.name, param.name, StoredLayout::Same)?;
            // One value for each element of a map.
            if let [channels, height, width] = weight.shape[..] {
                weight.layout = StoredLayout::InOut;
                weight.ordered = vec![height * width, channels];
                weight.shape = vec![height, width, channels];
            }
            weights.push(weight);
        }
        let name = (!weights.is_empty()).then(|| self.name(&node.path));
        let layer = Layer { class, name, inputs: vec![x], weights, ..Layer::default() };
        Ok(self.push(layer))
    }

    /// A tensor of a node.
    fn weight(&self, node: &Node, name: &str, variable: &str, layout: StoredLayout) -> Result<Weight, ExportError> {
        let path = if node.path.is_empty() { name.to_owned() } else { format!("{}.{name}", node.path) };
        let shape = self.shapes.get(&path).and_then(|shape| layout.file_shape(shape));
        let Some(shape) = shape else { return Err(ExportError::NoTensor { path }) };
        Ok(Weight { path, variable: variable.to_owned(), layout, ordered: shape.clone(), shape })
    }

    /// The channels and the pixels of the map that a tensor of features was, if those are in Keras' order.
    fn flattened(&self, wire: Wire) -> Option<(usize, usize)> {
        let number = wire.node()?;
        let node = &self.graph.nodes[number];
        let before = self.graph.extent(node.inputs[0]);
        match node.kind {
            LayerKind::Dropout { .. } | LayerKind::Identity => self.flattened(node.inputs[0]),
            LayerKind::Flatten if before.plane() > 1 && self.goes_to_linear(number) => {
                Some((before.channels(), before.plane()))
            }
            _ => None,
        }
    }

    /// True if linear layers alone take what a node gives, or dropouts before them.
    fn goes_to_linear(&self, number: usize) -> bool {
        let takes = |wire: &Wire| wire.node() == Some(number);
        let fits = |(at, node): (usize, &Node)| match node.kind {
            LayerKind::Linear => true,
            LayerKind::Dropout { .. } | LayerKind::Identity => self.goes_to_linear(at),
            _ => false,
        };
        let mut users = self.graph.nodes.iter().enumerate().filter(|(_, node)| node.inputs.iter().any(takes));
        !self.graph.outputs.iter().any(takes) && users.all(fits)
    }

    /// A layer of Keras' own without weights.
    fn plain(&mut self, class: &str, arguments: String, inputs: &[usize]) -> usize {
        let (class, inputs) = (class.to_owned(), inputs.to_vec());
        self.push(Layer { class, is_of_keras: true, arguments, inputs, ..Layer::default() })
    }

    /// A layer of the file's own without weights.
    fn own(&mut self, class: &str, arguments: String, x: usize) -> usize {
        self.push(Layer { class: class.to_owned(), arguments, inputs: vec![x], ..Layer::default() })
    }

    /// A layer of Keras' own with weights.
    fn weighted(&mut self, node: &Node, class: &str, arguments: String, x: usize, weights: Vec<Weight>) -> usize {
        let name = Some(self.name(&node.path));
        self.push(Layer { class: class.to_owned(), is_of_keras: true, arguments, name, inputs: vec![x], weights })
    }

    /// As many zeros on each side of a map.
    fn zeros(&mut self, x: usize, padding: usize) -> usize {
        if padding == 0 { x } else { self.plain("ZeroPadding2D", padding.to_string(), &[x]) }
    }

    /// A name that no other layer has. Keras allows no slash in it.
    fn name(&mut self, path: &str) -> String {
        let wanted = self.names.get(path).map_or(path, String::as_str);
        let wanted = if wanted.is_empty() { "layer".to_owned() } else { wanted.replace('/', ".") };
        let mut free = wanted.clone();
        let mut number = 1_usize;
        while !self.taken.insert(free.clone()) {
            number += 1;
            free = format!("{wanted}_{number}");
        }
        free
    }

    fn push(&mut self, layer: Layer) -> usize {
        self.layers.push(layer);
        self.layers.len()
    }
}

/// A share in percent as a fraction.
fn fraction(percent: usize) -> String {
    python::number(percent as f64 / 100.0)
}
