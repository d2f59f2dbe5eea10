//! The layers that a whole-model file of Keras describes, compared with what a network computes.
//!
//! The tensors of two models can have the same names and shapes while one of them uses another activation, another
//! epsilon or a stride elsewhere. A whole-model file has the configuration of its model beside the weights:
//! `model_config` of a `.h5`, `config.json` in a `.keras`. Both sides become a [`Graph`] of what is computed,
//! independent of the layers that it is written with: the file's from its JSON ([`keras`]), the network's from its
//! [summary](pvlu::layer::Visit::summarize) and switches ([`network`]), so that no fact is stated twice. [`compare`]
//! names every difference.

mod compare;
mod difference;
mod graph;
mod keras;
mod network;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use dfdx::shapes::Unit;
use dfdx::tensor::Cpu;
use pvlu::layer::Visit;

pub use self::difference::{Difference, Differences};

use self::graph::Graph;
use super::keras::nested_name;
use crate::names::LayerNames;

/// Bytes accepted in the JSON of a configuration. That of a ResNet152V2 has half a million.
pub(super) const MAX_JSON: usize = 2 << 20;

/// The configuration of a Keras model: what its layers compute.
///
/// Memory: reading it takes at most 192 bytes for each byte of the JSON, which may have 2 MiB.
#[derive(Debug)]
#[doc(hidden)]
pub struct Configuration {
    graph: Graph,
    /// Height and width of the images, where they are fixed.
    image: Option<(usize, usize)>,
}

impl Configuration {
    /// Reads the JSON that `model.to_json()` gives, of Keras 2 or 3.
    ///
    /// # Errors
    ///
    /// A description of the problem, if the text is not such JSON.
    pub fn parse(json: &str) -> Result<Self, String> {
        if json.len() > MAX_JSON {
            return Err(format!("{} bytes, of at most {MAX_JSON}", json.len()));
        }
        let (graph, image) = keras::parse(json)?;
        Ok(Self { graph, image })
    }

    /// The same configuration with these names for its layers, each by its name in files: that of the layer, behind
    /// that of the outermost model that it is in.
    pub(super) fn renamed(mut self, names: &BTreeMap<String, String>) -> Self {
        for node in &mut self.graph.nodes {
            let name = nested_name(&node.layer);
            node.layer = names.get(&*name).cloned().unwrap_or_else(|| name.into_owned());
        }
        self
    }

    /// Every difference between what the model of the file computes and what the network computes with ReLU. ReLU is
    /// taken since a file of Keras has no parameters of activations. `loaded` are the layers, as Keras calls them, that
    /// the file gives weights to.
    ///
    /// # Errors
    ///
    /// The errors of a visit of the network.
    pub fn differences<E: Unit>(
        &self,
        net: &mut dyn Visit<E, Cpu>,
        names: &[LayerNames],
        loaded: &BTreeSet<&str>,
    ) -> Result<Differences, pvlu::Error> {
        let network = network::graph(net, names, self.image)?;
        Ok(Differences(compare::differences(&network, &self.graph, loaded)))
    }
}
