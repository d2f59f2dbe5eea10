//! Batch norms folded into the convolutions before them.

use std::collections::{BTreeMap, HashMap, HashSet};

use pvlu::layer::{Graph, LayerKind, ParamKind};

use crate::export::ExportError;
use crate::model::Model;

/// A convolution that does a batch norm's work too: each output channel is `factor` times what it was, plus `bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Factor of each row of the weight: gamma / sqrt(variance + epsilon).
    pub factors: Vec<f64>,
    /// Bias of each output channel: beta + factor (bias - mean).
    pub bias: Vec<f32>,
}

/// The layers of a graph that are folded.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    convolutions: HashMap<usize, Fold>,
    norms: HashSet<usize>,
}

impl Folded {
    /// The convolution of this number, if it does a batch norm's work too.
    pub fn convolution(&self, node: usize) -> Option<&Fold> {
        self.convolutions.get(&node)
    }

    /// True if the layer of this number is a batch norm that a convolution does.
    pub fn is_norm(&self, node: usize) -> bool {
        self.norms.contains(&node)
    }

    /// Every batch norm that alone takes the output of a convolution.
    pub fn of(graph: &Graph, model: &dyn Model) -> Result<Self, ExportError> {
        let values = vectors(model)?;
        let vector = |layer: &str, name: &str| -> Result<&Vec<f32>, ExportError> {
            let path = format!("{layer}.{name}");
            values.get(&path).ok_or(ExportError::NoTensor { path })
        };
        let mut uses = vec![0_usize; graph.nodes.len()];
        let all = graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs);
        all.filter_map(|wire| wire.node()).for_each(|node| uses[node] += 1);

        let mut folded = Self::default();
        for (number, norm) in graph.nodes.iter().enumerate() {
            let (LayerKind::BatchNorm2D, Some(epsilon), [wire]) = (norm.kind, norm.epsilon, &norm.inputs[..]) else {
                continue;
            };
            let Some(before) = wire.node().filter(|&before| uses[before] == 1) else { continue };
            let convolution = &graph.nodes[before];
            let LayerKind::Conv2D { bias, .. } = convolution.kind else { continue };
            let [scale, shift, mean, variance] = ["scale", "shift", "running_mean", "running_var"];
            let [scale, shift] = [vector(&norm.path, scale)?, vector(&norm.path, shift)?];
            let [mean, variance] = [vector(&norm.path, mean)?, vector(&norm.path, variance)?];
            let biases = if bias { Some(vector(&convolution.path, "bias")?) } else { None };
            let wide = |value: f32| f64::from(value);
            let factor = |(&scale, &variance)| wide(scale) / (wide(variance) + epsilon).sqrt();
            let factors: Vec<f64> = scale.iter().zip(variance).map(factor).collect();
            let bias = |(channel, factor): (usize, &f64)| {
                let own = biases.map_or(0.0, |biases| wide(biases[channel]));
                (wide(shift[channel]) + factor * (own - wide(mean[channel]))) as f32
            };
            let bias = factors.iter().enumerate().map(bias).collect();
            folded.convolutions.insert(before, Fold { factors, bias });
            folded.norms.insert(number);
        }
        Ok(folded)
    }
}

/// The tensors of batch norms, and the biases, by path.
fn vectors(model: &dyn Model) -> Result<BTreeMap<String, Vec<f32>>, ExportError> {
    let mut values = BTreeMap::new();
    model.tensors(&mut |tensor| {
        let statistics = [ParamKind::RunningMean, ParamKind::RunningVariance];
        if [ParamKind::Bias, ParamKind::Scale, ParamKind::Shift].contains(&tensor.slot.kind)
            || statistics.contains(&tensor.slot.kind)
        {
            values.insert(tensor.slot.path.to_owned(), tensor.values.to_vec());
        }
    })?;
    Ok(values)
}
