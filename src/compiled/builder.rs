//! The steps of a network, from its graph: which layers become one, and the weights as kernels read them.

use super::activate::Activate;
use super::step::{MapId, Operation, Step};
use super::tensors::Tensors;
use crate::activation::Definition;
use crate::error::Error;
use crate::kernel::cpu::blocked::conv2d::{BlockedConv, pack_weight};
use crate::kernel::cpu::blocked::convert::Taps;
use crate::kernel::cpu::blocked::rows::Reduction;
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, reduced};
use crate::kernel::cpu::conv2d::crop::Crop;
use crate::kernel::precision::Precision;
use crate::kernel::shape::ConvShape;
use crate::layer::{Extent, Graph, LayerKind, Node, Wire};

/// Most channels of images whose windows are unfolded: more fill a block well enough.
const FEW: usize = 4;

/// Most channels that all taps of a window make: of larger windows the rows alone are unfolded.
const TAPS: usize = 2 * BLOCK;

/// The map of one image of this size.
fn map(extent: Extent) -> BlockedMap {
    match extent {
        Extent::Image { channels, height, width } => BlockedMap { batch: 1, channels, height, width, halo: 0 },
        other => BlockedMap { batch: 1, channels: other.elements(), height: 1, width: 1, halo: 0 },
    }
}

/// The steps of a network.
pub struct Built {
    /// The steps, in the order in which they run.
    pub steps: Vec<Step>,
    /// The output of each, for one image.
    pub maps: Vec<BlockedMap>,
    /// The outputs of the network.
    pub results: Vec<MapId>,
}

/// The steps that there are so far.
pub struct Builder<'g> {
    graph: &'g Graph,
    tensors: &'g Tensors<'g>,
    /// Images of the batches that methods are chosen for.
    batch: usize,
    /// For each wire the nodes that take it, and the number of nodes of the graph for an output of the network.
    uses: Vec<Vec<usize>>,
    /// For each wire the map that holds it, once there is one.
    maps_of: Vec<Option<MapId>>,
    /// True of the nodes whose output nothing but the node that took them over takes.
    is_inner: Vec<bool>,
    steps: Vec<Step>,
    maps: Vec<BlockedMap>,
}

/// The index of a wire: zero for the input of the network, and one more than its node for any other.
fn index(wire: Wire) -> usize {
    wire.node().map_or(0, |node| node + 1)
}

impl<'g> Builder<'g> {
    /// The steps of a graph with these tensors, by the methods that are fastest for batches of `batch` images.
    pub fn run(graph: &'g Graph, tensors: &'g Tensors<'g>, batch: usize) -> Result<Built, Error> {
        let mut builder = Self::new(graph, tensors, batch);
        for node in 0..graph.nodes.len() {
            // Of a node that an earlier one took over there is a map already.
            if builder.maps_of[node + 1].is_none() && !builder.is_inner[node] {
                builder.add(node)?;
            }
        }
        let results = graph.outputs.iter().map(|&wire| builder.map_of(wire)).collect::<Result<_, _>>()?;
        let Self { steps, maps, .. } = builder;
        Ok(Built { steps, maps, results })
    }

    fn new(graph: &'g Graph, tensors: &'g Tensors<'g>, batch: usize) -> Self {
        let wires = graph.nodes.len() + 1;
        let mut uses = vec![Vec::new(); wires];
        for (number, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&wire| uses[index(wire)].push(number));
        }
        graph.outputs.iter().for_each(|&wire| uses[index(wire)].push(graph.nodes.len()));
        let (steps, maps) = (Vec::new(), Vec::new());
        let (maps_of, is_inner) = (vec![None; wires], vec![false; wires]);
        Self { graph, tensors, batch, uses, maps_of, is_inner, steps, maps }
    }

    /// The node that alone takes the output of a node.
    fn next(&self, node: usize) -> Option<(usize, &'g Node)> {
        let &[next] = &self.uses[node + 1][..] else { return None };
        Some((next, self.graph.nodes.get(next)?))
    }

    /// Adds a step whose output is that of a node, and of the activation behind it if that alone takes it.
    fn push(&mut self, operation: Operation, inputs: Vec<MapId>, node: usize) -> Result<MapId, Error> {
        let mut last = node;
        let mut applied = None;
        if let Some((next, after @ Node { kind: LayerKind::Activation { activation }, .. })) = self.next(node)
            && !matches!(operation, Operation::Flatten)
        {
            applied = Some(self.applied(activation, after)?);
            self.is_inner[node] = true;
            last = next;
        }
        let map = map(self.graph.nodes[last].output);
        let id = self.push_step(operation, inputs, map, applied);
        self.maps_of[last + 1] = Some(id);
        Ok(id)
    }

    fn push_step(
        &mut self,
        operation: Operation,
        inputs: Vec<MapId>,
        map: BlockedMap,
        activation: Option<Activate>,
    ) -> MapId {
        self.steps.push(Step { operation, inputs, activation });
        self.maps.push(map);
        self.steps.len() - 1
    }

    /// An activation with its parameters. One with a parameter for each element is not compiled: its tensors do not say
    /// the size of the map that they are for.
    fn applied(&self, definition: &'static Definition, node: &Node) -> Result<Activate, Error> {
        if definition.is_per_element() {
            return Err(not_compiled(node));
        }
        let map = map(node.output);
        let parameter = |name: &str| self.tensors.take(&node.path, name, map.channels);
        let parameters = definition.params().iter().map(|param| parameter(param.name)).collect::<Result<_, Error>>()?;
        Ok(Activate::new(definition, map, parameters))
    }

    /// The map of a wire whose step there is, or of the images that come in.
    fn map_of(&mut self, wire: Wire) -> Result<MapId, Error> {
        if let Some(map) = self.maps_of[index(wire)] {
            return Ok(map);
        }
        // Every node comes after those whose outputs it takes.
        if let Some(node) = wire.node() {
            return Err(not_compiled(&self.graph.nodes[node]));
        }
        let to = map(self.graph.input);
        let taps = Taps::pixels(to.channels, to.height, to.width);
        let id = self.push_step(Operation::Unfold(taps), Vec::new(), to, None);
        self.maps_of[index(wire)] = Some(id);
        Ok(id)
    }

    fn add(&mut self, number: usize) -> Result<(), Error> {
        let node = &self.graph.nodes[number];
        self.check(node)?;
        if let LayerKind::Conv2D { kernel, stride, padding, bias } = node.kind {
            return self.convolution(number, Convolution { kernel, stride, padding, bias });
        }
        let inputs = node.inputs.iter().map(|&wire| self.map_of(wire)).collect::<Result<Vec<MapId>, _>>()?;
        let operation = match node.kind {
            LayerKind::Dropout { .. } | LayerKind::Identity => {
                self.maps_of[number + 1] = inputs.first().copied();
                return Ok(());
            }
            LayerKind::Activation { activation } => {
                let applied = self.applied(activation, node)?;
                let id = self.push_step(Operation::Sum, inputs, map(node.output), Some(applied));
                self.maps_of[number + 1] = Some(id);
                return Ok(());
            }
            LayerKind::Linear => self.linear(node)?,
            LayerKind::BatchNorm2D => {
                let norm = self.norm(node)?;
                let blocks = map(node.output).blocks() * BLOCK;
                let padded = |values: Vec<f64>| {
                    let mut values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                    values.resize(blocks, 0.0);
                    values
                };
                let shift = norm.factors.iter().zip(&norm.means).zip(&norm.shifts);
                let shift = shift.map(|((factor, mean), shift)| shift - factor * mean).collect();
                Operation::Scale { shift: padded(shift), scale: padded(norm.factors) }
            }
            LayerKind::Pool2D { name, kernel, stride, padding } => {
                let reduction = match name {
                    "MaxPool2D" => Reduction::Max,
                    "ZeroPaddedMaxPool2D" => Reduction::MaxWithZeros,
                    "AvgPool2D" => Reduction::Mean,
                    _ => return Err(not_compiled(node)),
                };
                Operation::Pool { reduction, kernel, stride, padding }
            }
            LayerKind::GlobalPool2D => Operation::GlobalMean,
            LayerKind::Flatten => Operation::Flatten,
            LayerKind::Add => Operation::Sum,
            LayerKind::Multiply => Operation::Product,
            LayerKind::Concat => Operation::Join { before: 0, stride: 1 },
            LayerKind::Upsample2D { factor } => Operation::Repeat { factor },
            LayerKind::Subsample { stride } => {
                let given = self.graph.extent(node.inputs[0]).channels();
                Operation::Join { before: node.output.channels().saturating_sub(given) / 2, stride }
            }
            // A layer that does not say what it computes, or one that is not known here yet.
            _ => return Err(not_compiled(node)),
        };
        self.push(operation, inputs, number).map(drop)
    }

    /// Refuses what a layer describes and does not compute: tensors of another number or kind than it takes, and
    /// windows that could lie in their padding.
    fn check(&self, node: &Node) -> Result<(), Error> {
        let takes_several = matches!(node.kind, LayerKind::Add | LayerKind::Multiply | LayerKind::Concat);
        let sizes = || node.inputs.iter().map(|&wire| self.graph.extent(wire));
        let is_one = sizes().all(|size| !matches!(size, Extent::Several(_)));
        let count = if takes_several { node.inputs.len() >= 2 } else { node.inputs.len() == 1 };
        let fits = match node.kind {
            LayerKind::Linear if node.output.channels() == 0 => return Err(Error::NoOutputs),
            LayerKind::Linear => sizes().all(|size| matches!(size, Extent::Features { width: 1.. })),
            LayerKind::Conv2D { .. } | LayerKind::GlobalPool2D | LayerKind::Upsample2D { .. } => {
                sizes().all(|size| matches!(size, Extent::Image { channels: 1.., .. }))
            }
            LayerKind::Pool2D { kernel, padding, .. } => {
                2 * padding <= kernel && sizes().all(|size| matches!(size, Extent::Image { .. }))
            }
            _ => true,
        };
        if is_one && count && fits { Ok(()) } else { Err(not_compiled(node)) }
    }

    fn linear(&self, node: &Node) -> Result<Operation, Error> {
        let (from, to) = (map(self.graph.extent(node.inputs[0])), map(node.output));
        let weight = self.tensors.take(&node.path, "weight", from.channels * to.channels)?;
        let (kernel, stride, padding) = ([1; 2], [1; 2], [0; 2]);
        let conv = BlockedConv { input: from, output: to, kernel, stride, padding, tile: None };
        let mut bias = self.tensors.take(&node.path, "bias", to.channels)?;
        bias.resize(to.blocks() * BLOCK, 0.0);
        Ok(match packed(node.precision, conv, &weight, bias) {
            Operation::Convolution { weight, bias, .. } => Operation::Linear { weight, bias },
            other => other,
        })
    }

    /// The factors, means and shifts of a batch norm in evaluation.
    fn norm(&self, node: &Node) -> Result<Norm, Error> {
        let values = |name: &str| -> Result<Vec<f64>, Error> {
            let values = self.tensors.take(&node.path, name, node.output.channels())?;
            Ok(values.iter().map(|&value| f64::from(value)).collect())
        };
        let epsilon = node.epsilon.unwrap_or_default();
        let factors = values("scale")?.into_iter().zip(values("running_var")?);
        let factors = factors.map(|(scale, variance)| scale / (variance + epsilon).sqrt()).collect();
        Ok(Norm { factors, means: values("running_mean")?, shifts: values("shift")? })
    }

    /// A convolution with what follows it: the batch norm, the sum with another map, and the activation.
    fn convolution(&mut self, number: usize, conv: Convolution) -> Result<(), Error> {
        let node = &self.graph.nodes[number];
        let (inputs, outputs) = (self.graph.extent(node.inputs[0]).channels(), node.output.channels());
        let fan_in = inputs * conv.kernel * conv.kernel;
        let mut weight = self.tensors.take(&node.path, "weight", outputs * fan_in)?;
        let mut bias = match conv.bias {
            true => self.tensors.take(&node.path, "bias", outputs)?.into_iter().map(f64::from).collect(),
            false => vec![0.0; outputs],
        };
        let mut last = number;
        if let Some((next, norm @ Node { kind: LayerKind::BatchNorm2D, .. })) = self.next(last) {
            let Norm { factors, means, shifts } = self.norm(norm)?;
            for (weight, factor) in weight.chunks_exact_mut(fan_in.max(1)).zip(&factors) {
                weight.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            }
            for (channel, bias) in bias.iter_mut().enumerate() {
                *bias = shifts[channel] + factors[channel] * (*bias - means[channel]);
            }
            self.is_inner[last] = true;
            last = next;
        }
        let (operation, source) = self.window(node, conv, &weight, bias)?;
        let mut sources = vec![source];
        // Of two maps that are added the later one takes the sum over.
        if let Some((next, Node { kind: LayerKind::Add, inputs, .. })) = self.next(last)
            && let &[a, b] = &inputs[..]
            && let other = if a.node() == Some(last) { b } else { a }
            && (other == Wire::INPUT || self.maps_of[index(other)].is_some())
        {
            sources.push(self.map_of(other)?);
            self.is_inner[last] = true;
            last = next;
        }
        self.push(operation, sources, last).map(drop)
    }

    /// A convolution with this weight and bias, and the map that it reads.
    fn window(
        &mut self,
        node: &Node,
        conv: Convolution,
        weight: &[f32],
        bias: Vec<f64>,
    ) -> Result<(Operation, MapId), Error> {
        let Convolution { kernel, stride, padding, .. } = conv;
        let wire = node.inputs[0];
        let (from, to) = (map(self.graph.extent(wire)), map(node.output));
        let mut bias: Vec<f32> = bias.into_iter().map(|value| value as f32).collect();
        bias.resize(to.blocks() * BLOCK, 0.0);
        if wire == Wire::INPUT && from.channels <= FEW && kernel > 1 && !node.precision.is_reduced() {
            let (source, blocked) = self.unfolded(from, to, conv);
            let rows = blocked.kernel[0];
            // `[outputs, channels, K, K]` to `[outputs, taps and channels, rows that are left, 1]`.
            let channels = from.channels;
            let at = |index: usize| {
                let (output, rest) = (index / (channels * kernel * kernel), index % (channels * kernel * kernel));
                let (unfolded, u) = (rest / rows, rest % rows);
                let (tap, channel) = (unfolded / channels, unfolded % channels);
                ((output * channels + channel) * kernel + u + tap / kernel) * kernel + tap % kernel
            };
            let turned: Vec<f32> = (0..weight.len()).map(|index| weight[at(index)]).collect();
            return Ok((packed(Precision::F32, blocked, &turned, bias), source));
        }
        let source = self.map_of(wire)?;
        // Of a small image a part of the window sees nothing but padding.
        let shape = ConvShape {
            batch: 1,
            in_channels: from.channels,
            in_height: from.height,
            in_width: from.width,
            out_channels: to.channels,
            kernel,
            stride,
            padding,
        };
        let mut part = Vec::new();
        let (shape, weight) = match Crop::of(&shape) {
            // Of a reduced precision all taps are terms of the sum.
            Some(crop) if !node.precision.is_reduced() => {
                part.resize(crop.shape.weight_len(), 0.0);
                crop.take(weight, &mut part);
                (crop.shape, &part[..])
            }
            _ => (shape, weight),
        };
        self.maps[source].halo = self.maps[source].halo.max(shape.padding);
        let (kernel, stride, padding) = ([shape.kernel; 2], [shape.stride; 2], [shape.padding; 2]);
        let conv = BlockedConv { input: from, output: to, kernel, stride, padding, tile: None };
        Ok((packed(node.precision, conv.fastest(self.batch), weight, bias), source))
    }

    /// A step that makes channels of the taps of windows of images with few channels, which fill a block badly: of
    /// whole windows, or of the rows of larger ones. Returns its map, and the convolution that is left.
    fn unfolded(&mut self, from: BlockedMap, to: BlockedMap, conv: Convolution) -> (MapId, BlockedConv) {
        let Convolution { kernel, stride, padding, .. } = conv;
        let pixels = Taps::pixels(from.channels, from.height, from.width);
        let (taps, input, rest) = if from.channels * kernel * kernel <= TAPS {
            let taps = Taps { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], ..pixels };
            let channels = from.channels * kernel * kernel;
            (taps, BlockedMap { channels, height: to.height, width: to.width, ..from }, [1, 1, 0])
        } else {
            let taps = Taps { kernel: [1, kernel], stride: [1, stride], padding: [0, padding], ..pixels };
            let input = BlockedMap { channels: from.channels * kernel, width: to.width, halo: padding, ..from };
            (taps, input, [kernel, stride, padding])
        };
        let source = self.push_step(Operation::Unfold(taps), Vec::new(), input, None);
        let [rows, down, zeros] = rest;
        let (kernel, stride, padding) = ([rows, 1], [down, 1], [zeros, 0]);
        (source, BlockedConv { input, output: to, kernel, stride, padding, tile: None })
    }
}

/// The operation of a convolution, with its weight `[outputs, inputs, rows, columns]`.
fn packed(precision: Precision, conv: BlockedConv, weight: &[f32], bias: Vec<f32>) -> Operation {
    if precision.is_reduced() {
        let BlockedConv { kernel, stride, padding, .. } = conv;
        let weight = reduced::pack_weight(precision, &conv, weight);
        return Operation::Reduced { precision, kernel, stride, padding, weight, bias };
    }
    let mut packed = vec![0.0; conv.weight_len()];
    pack_weight(&conv, weight, &mut packed);
    let BlockedConv { kernel, stride, padding, tile, .. } = conv;
    Operation::Convolution { kernel, stride, padding, tile, weight: packed, bias }
}

/// The hyperparameters of a convolution.
#[derive(Clone, Copy)]
struct Convolution {
    kernel: usize,
    stride: usize,
    padding: usize,
    bias: bool,
}

/// A batch norm in evaluation: `(x - mean) factor + shift`.
struct Norm {
    factors: Vec<f64>,
    means: Vec<f64>,
    shifts: Vec<f64>,
}

fn not_compiled(node: &Node) -> Error {
    Error::NotCompiled { layer: format!("{} ({})", node.path, node.kind) }
}
