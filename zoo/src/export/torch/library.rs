//! Networks that torchvision or timm has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pvlu::layer::{Graph, LayerKind};

use super::classes::Classes;
use super::names::Names;
use crate::export::ExportError;
use crate::registry::ModelEntry;
use crate::source::Source;

/// The module of the activation behind the first batch norm, in timm and in networks that programs define.
pub const STEM: &str = "act1";

/// A library that has a network, under this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// A function in `torchvision.models`.
    Torchvision(&'static str),
    /// A model of `timm.create_model`.
    Timm(&'static str),
}

impl Library {
    /// The library that has a model for images of this size: timm for weights that have its names, else torchvision.
    pub fn of(entry: &ModelEntry, image: (usize, usize), source: Source) -> Option<Self> {
        // A head of its own for other images is in no library.
        if entry.names(image) != entry.names(entry.image()) {
            return None;
        }
        // The names of published files and repositories begin with that of the model.
        let weights = entry.card().map_or(&[][..], |card| card.weights);
        let place = |source| weights.iter().find(|weights| weights.source == source).map(|weights| weights.place);
        let torchvision =
            place(Source::Torchvision).and_then(|place| Some(Self::Torchvision(place.split_once('-')?.0)));
        let timm = place(Source::Timm).and_then(|place| Some(Self::Timm(place.rsplit('/').next()?.split('.').next()?)));
        let timm_first = source.naming() == Some(Source::Timm);
        let names = entry.names(image);
        let has_names = |library: &Self| names.iter().all(|layer| layer.name_by(library.source()).is_some());
        let known = if timm_first { [timm, torchvision] } else { [torchvision, timm] };
        known.into_iter().flatten().find(has_names)
    }

    /// The source whose names the library's networks have.
    pub fn source(self) -> Source {
        match self {
            Self::Torchvision(_) => Source::Torchvision,
            Self::Timm(_) => Source::Timm,
        }
    }

    /// The module of the activation behind the first batch norm of a ResNet.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Torchvision(_) => "relu",
            Self::Timm(_) => STEM,
        }
    }

    /// The library as Python imports it.
    pub fn module(self) -> &'static str {
        match self {
            Self::Torchvision(_) => "torchvision",
            Self::Timm(_) => "timm",
        }
    }

    /// The function that makes the network, and what it needs.
    pub fn network(self, graph: &Graph, names: &Names, classes: &Classes) -> Result<String, ExportError> {
        let doc = "    \"\"\"The network with the weights that torch draws.\"\"\"\n";
        let library = match self {
            Self::Torchvision(name) => format!("torchvision.models.{name}(weights=None, num_classes=CLASSES)"),
            Self::Timm(name) => format!("timm.create_model(\"{name}\", num_classes=CLASSES)"),
        };
        let Some(class) = classes.first() else {
            return Ok(format!("\ndef network():\n{doc}    return {library}\n"));
        };
        if let (Self::Torchvision(_), Some(blocks)) = (self, Blocks::of(names)) {
            return Ok(blocks.network(class, classes, doc));
        }
        let mut sites = String::new();
        for node in &graph.nodes {
            if let LayerKind::Activation { .. } = node.kind {
                let _ = writeln!(sites, "    \"{}\": {},", names.module(&node.path)?, node.output.channels());
            }
        }
        let module = if classes.have_parameters() { format!("{class}(channels)") } else { format!("{class}()") };
        Ok(format!(
            "\n# The modules that apply the activation, and their channels.\nSITES = {{\n{sites}}}\n\n\n\
             def network():\n{doc}    \
             model = {library}\n    \
             for name, channels in SITES.items():\n        \
             within, _, last = name.rpartition(\".\")\n        \
             setattr(model.get_submodule(within), last, {module})\n    \
             return model\n"
        ))
    }
}

/// The blocks of a ResNet of torchvision, each of which uses one module for all of its activations.
struct Blocks {
    /// Number of blocks in each stage.
    stages: Vec<usize>,
    /// Number of convolutions in a block.
    convolutions: usize,
}

impl Blocks {
    /// The blocks, by the names of their layers; `None` of any other network.
    fn of(names: &Names) -> Option<Self> {
        let mut stages: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut convolutions = 0;
        for name in names.all() {
            let Some((stage, rest)) = name.strip_prefix("layer").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let (block, layer) = rest.split_once('.')?;
            stages.entry(stage.parse().ok()?).or_default().insert(block.parse().ok()?);
            if let Some(number) = layer.strip_prefix("conv") {
                convolutions = convolutions.max(number.parse().ok()?);
            }
        }
        let stages: Vec<usize> = stages.into_values().map(|blocks| blocks.len()).collect();
        (stages.len() == 4 && (2..=3).contains(&convolutions)).then_some(Self { stages, convolutions })
    }

    fn network(&self, class: &str, classes: &Classes, doc: &str) -> String {
        let Self { stages, convolutions } = self;
        let block = if *convolutions == 2 { "BasicBlock" } else { "Bottleneck" };
        let module = |norm: &str| {
            let channels = if classes.have_parameters() { format!("{norm}.num_features") } else { String::new() };
            format!("{class}({channels})")
        };
        let numbers = 1..=*convolutions;
        let made: String = numbers
            .map(|number| format!("        self.act{number} = {}\n", module(&format!("self.bn{number}"))))
            .collect();
        let run: String = (1..*convolutions)
            .map(|number| format!("        x = self.act{number}(self.bn{number}(self.conv{number}(x)))\n"))
            .collect();
        format!(
            "\nclass Block(torchvision.models.resnet.{block}):\n    \
             \"\"\"torchvision's block with a module for each activation, where that has one.\"\"\"\n\n    \
             def __init__(self, *arguments, **named):\n        \
             super().__init__(*arguments, **named)\n        \
             del self.relu\n{made}\n    \
             def forward(self, x):\n        \
             shortcut = x if self.downsample is None else self.downsample(x)\n{run}        \
             x = self.bn{convolutions}(self.conv{convolutions}(x))\n        \
             return self.act{convolutions}(x + shortcut)\n\n\n\
             def network():\n{doc}    \
             model = torchvision.models.ResNet(Block, {stages:?}, num_classes=CLASSES)\n    \
             model.relu = {}\n    \
             return model\n",
            module("model.bn1")
        )
    }
}
