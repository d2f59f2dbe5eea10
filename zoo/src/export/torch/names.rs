//! Names of a network's layers and activations in torch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dfdx::tensor::Cpu;
use pvlu::layer::{Graph, LayerKind, Node, Visit};

use crate::export::ExportError;
use crate::names::LayerNames;
use crate::source::Source;
use crate::weights::{Excuse, Format, expected, layer_of};

/// The names of the modules of a network in torch, and the sizes of their tensors.
#[derive(Debug)]
pub struct Names {
    /// Names of the layers with weights and of the activations, by their path.
    modules: BTreeMap<String, String>,
    /// Sizes of the tensors in the file, by their path.
    shapes: BTreeMap<String, Vec<usize>>,
    /// Names of the activations that have parameters, in the order of a visit.
    sites: Vec<String>,
}

impl Names {
    /// The names by the conventions of a source, with this one for the activation of a ResNet's stem. The path of the
    /// file is for messages.
    pub fn of(
        net: &dyn Visit<f32, Cpu>,
        graph: &Graph,
        layers: &[LayerNames],
        (source, stem): (Source, &str),
        path: &Path,
    ) -> Result<Self, ExportError> {
        let tensors = expected(net, layers, source, (path, Format::Safetensors))?;
        let is_of_layer = |excuse: Excuse| excuse != Excuse::ActivationParameter;
        let layer = |path: &str| path.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
        let with_weights = tensors.iter().filter(|tensor| is_of_layer(tensor.excuse));
        let mut modules: BTreeMap<String, String> =
            with_weights.map(|tensor| (layer(&tensor.path), layer_of(&tensor.key).to_owned())).collect();

        let mut taken: BTreeSet<String> = modules.values().cloned().collect();
        for node in graph.nodes.iter().filter(|node| matches!(node.kind, LayerKind::Activation { .. })) {
            let name = before(graph, node, &modules).map_or("act".to_owned(), |before| behind(before, stem));
            let mut free = name.clone();
            let mut number = 1_usize;
            while !taken.insert(free.clone()) {
                number += 1;
                free = format!("{name}_{number}");
            }
            modules.insert(node.path.clone(), free);
        }

        let mut sites: Vec<String> = Vec::new();
        for tensor in tensors.iter().filter(|tensor| !is_of_layer(tensor.excuse)) {
            let path = layer(&tensor.path);
            let site = modules.get(&path).ok_or(ExportError::NoTensor { path })?;
            if sites.last() != Some(site) {
                sites.push(site.clone());
            }
        }
        let shapes = tensors.into_iter().map(|tensor| (tensor.path, tensor.shape)).collect();
        Ok(Self { modules, shapes, sites })
    }

    /// The name of the module of a layer.
    pub fn module(&self, path: &str) -> Result<&str, ExportError> {
        let name = self.modules.get(path).map(String::as_str);
        name.ok_or_else(|| ExportError::NoTensor { path: path.to_owned() })
    }

    /// The sizes of a layer's tensor.
    pub fn shape(&self, layer: &str, tensor: &str) -> Result<&[usize], ExportError> {
        let path = if layer.is_empty() { tensor.to_owned() } else { format!("{layer}.{tensor}") };
        self.shapes.get(&path).map(Vec::as_slice).ok_or(ExportError::NoTensor { path })
    }

    /// The names of all modules.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.modules.values().map(String::as_str)
    }

    /// The names of the modules of activations that have parameters, in the order of a visit.
    pub fn sites(&self) -> &[String] {
        &self.sites
    }
}

/// The name of the last module before a layer: of a sum the last of its first branch.
fn before<'a>(graph: &Graph, node: &Node, modules: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let mut wire = *node.inputs.first()?;
    loop {
        let node = &graph.nodes[wire.node()?];
        if let Some(name) = modules.get(&node.path) {
            return Some(name);
        }
        wire = *node.inputs.first()?;
    }
}

/// The name of an activation behind a layer: that which torchvision or timm gives it, or one that is made alike.
fn behind(layer: &str, stem: &str) -> String {
    let (within, name) =
        layer.rsplit_once('.').map_or(("", layer), |(_, name)| (&layer[..layer.len() - name.len()], name));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = |kind: &str| name.strip_prefix(kind).filter(|number| is_number(number));
    let name = match name.parse::<u32>() {
        Ok(number) => (u64::from(number) + 1).to_string(),
        _ if layer == "bn1" => stem.to_owned(),
        _ => match (numbered("bn").or_else(|| numbered("fc")), name.strip_suffix("_bn")) {
            (Some(number), _) => format!("act{number}"),
            (_, Some(before)) => format!("{before}_act"),
            _ => format!("{name}_act"),
        },
    };
    format!("{within}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_is_called_after_the_layer_before_it() {
        for (layer, of_torchvision, of_timm) in [
            ("bn1", "relu", "act1"),
            ("layer1.0.bn2", "layer1.0.act2", "layer1.0.act2"),
            ("features.7", "features.8", "features.8"),
            ("pre_logits.fc1", "pre_logits.act1", "pre_logits.act1"),
            ("conv2_block1_1_bn", "conv2_block1_1_act", "conv2_block1_1_act"),
            ("conv1", "conv1_act", "conv1_act"),
            ("fc", "fc_act", "fc_act"),
        ] {
            assert_eq!(behind(layer, "relu"), of_torchvision);
            assert_eq!(behind(layer, "act1"), of_timm);
        }
    }
}
