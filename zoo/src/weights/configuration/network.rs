//! The graph of a network, from its summary and its switches.

use std::collections::BTreeMap;

use dfdx::shapes::Unit;
use dfdx::tensor::Cpu;
use pvlu::activation::{Activation, Relu};
use pvlu::layer::{Extent, LayerKind, LayerSummary, Path, Switch, Switches, Visit};

use super::graph::{Graph, Kind, Node, Value};
use crate::names::LayerNames;
use crate::source::Source;

/// Side of the images that `keras.applications` makes its models for.
const SIDE: usize = 224;

/// The graph of a network whose layers have these names, for images of the size `image` or of 224x224, whichever more
/// layers fit. It ends before the first layer that does not fit, e.g. a head for images of another size.
pub(super) fn graph<E: Unit>(
    net: &mut dyn Visit<E, Cpu>,
    names: &[LayerNames],
    image: Option<(usize, usize)>,
) -> Result<Graph, pvlu::Error> {
    let mut constants = Vec::new();
    net.each_switch(|switches| {
        if let Switches::BatchNorm(switches) = switches {
            constants.push((switches.epsilon, switches.momentum));
        }
    });
    let summary = |(height, width)| {
        let mut layers: Vec<(String, LayerKind)> = Vec::new();
        let mut show = |layer: LayerSummary<'_>| layers.push((layer.path.to_owned(), layer.kind));
        // An error only means that the image does not fit a layer, and those before it were shown.
        let _ = net.summarize(&mut Path::root(), Extent::image(3, height, width), &mut show);
        layers
    };
    let sizes = image.into_iter().chain([(SIDE, SIDE)]);
    let layers = sizes.map(summary).max_by_key(Vec::len).unwrap_or_default();

    let mut build = Build { graph: Graph::default(), current: 0, branches: BTreeMap::new() };
    build.current = build.graph.add(Node::new("the input", Kind::Input, Vec::new()));
    let (mut names, mut constants) = (names.iter(), constants.into_iter());
    for (path, kind) in layers {
        build.go_to(&path);
        build.layer(&path, kind, &mut names, &mut constants);
    }
    build.graph.output = Some(build.current);
    build.graph.is_cut = names.next().is_some();
    Ok(build.graph)
}

struct Build {
    graph: Graph,
    /// The node that the next layer is applied to.
    current: usize,
    /// Residual blocks that are not complete yet, by path.
    branches: BTreeMap<String, Branches>,
}

/// Input of a residual block and output of its main branch.
struct Branches {
    input: usize,
    /// Output of the main branch; `None` until the shortcut begins.
    main: Option<usize>,
}

impl Build {
    /// Notes where residual blocks and their shortcuts begin on the way to a layer.
    fn go_to(&mut self, path: &str) {
        let mut at = 0;
        for step in path.split('.') {
            let block = path[..at].trim_end_matches('.');
            let current = self.current;
            if step == "main" {
                self.branches.entry(block.to_owned()).or_insert(Branches { input: current, main: None });
            } else if step == "shortcut"
                && let Some(branches) = self.branches.get_mut(block)
                && branches.main.is_none()
            {
                branches.main = Some(current);
                self.current = branches.input;
            }
            at += step.len() + 1;
        }
    }

    fn layer<'a>(
        &mut self,
        path: &str,
        kind: LayerKind,
        names: &mut impl Iterator<Item = &'a LayerNames>,
        constants: &mut impl Iterator<Item = (f64, f64)>,
    ) {
        let inputs = vec![self.current];
        let mut named = |kind| {
            let names = names.next();
            let layer = names.and_then(|names| names.name_by(Source::Keras)).unwrap_or_default().to_owned();
            let aliases = names.map_or(&[][..], |names| names.aliases);
            Node { aliases, ..Node::new(layer, kind, inputs.clone()) }
        };
        let node = match kind {
            LayerKind::Conv2D { kernel, stride, padding, .. } => named(Kind::Conv2D).with([
                ("kernel_size", Value::square(kernel)),
                ("strides", Value::square(stride)),
                ("padding", Value::around(padding)),
                ("dilation_rate", Value::square(1)),
                ("groups", Value::Number(1.0)),
                ("data_format", Value::text("channels_last")),
            ]),
            LayerKind::Linear => named(Kind::Dense),
            LayerKind::BatchNorm2D => {
                let (epsilon, momentum) = constants.next().unwrap_or_default();
                // Keras' momentum is the share of the old running statistics.
                named(Kind::BatchNormalization).with([
                    ("epsilon", Value::Number(epsilon)),
                    ("momentum", Value::Number(1.0 - momentum)),
                    ("axis", Value::text("the last")),
                ])
            }
            // A file without parameters of activations is loaded with ReLU as every activation.
            LayerKind::Activation { .. } => {
                Node::new(path, Kind::Activation, inputs).with([("activation", Value::text(Relu::NAME))])
            }
            LayerKind::Pool2D { name, kernel, stride, padding } => {
                let (kind, padding) = match name {
                    "MaxPool2D" if padding == 0 => (Kind::MaxPooling2D, Value::text("valid")),
                    "ZeroPaddedMaxPool2D" => (Kind::MaxPooling2D, Value::around(padding)),
                    other => (Kind::Other(other.to_owned()), Value::around(padding)),
                };
                Node::new(path, kind, inputs).with([
                    ("pool_size", Value::square(kernel)),
                    ("strides", Value::square(stride)),
                    ("padding", padding),
                    ("data_format", Value::text("channels_last")),
                ])
            }
            LayerKind::GlobalPool2D => Node::new(path, Kind::GlobalAveragePooling2D, inputs)
                .with([("data_format", Value::text("channels_last"))]),
            LayerKind::Flatten => Node::new(path, Kind::Flatten, inputs),
            // Dropout has an effect only in training.
            LayerKind::Dropout { .. } => return,
            LayerKind::Add => {
                let inputs = match self.branches.remove(path) {
                    Some(Branches { main: Some(main), .. }) => vec![main, self.current],
                    Some(Branches { input, main: None }) => vec![self.current, input],
                    None => inputs,
                };
                Node::new(path, Kind::Add, inputs)
            }
            other => Node::new(path, Kind::Other(format!("{other:?}")), inputs),
        };
        self.current = self.graph.add(node);
    }
}
