//! Comparison of the graphs of a network and of a file.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::difference::Difference;
use super::graph::{Graph, Kind, Node, Value};

/// Every difference between what a network computes and what a file says, layer by layer in the order of the network.
///
/// Layers with weights are found by name; between them only the computations count, not their names. `loaded` are the
/// layers that the file gives weights to. The outputs are compared if the last layer with weights is among them, else
/// the inputs of the heads if that layer is missing on either side. A softmax at the end is no difference, since a
/// network gives the logits before it.
pub(super) fn differences(network: &Graph, file: &Graph, loaded: &BTreeSet<&str>) -> Vec<Difference> {
    let named = file.nodes.iter().enumerate().filter(|(_, node)| node.has_weights());
    let named: BTreeMap<&str, usize> = named.map(|(index, node)| (node.layer.as_str(), index)).collect();
    let mut compare = Compare { network, file, seen: HashSet::new(), differences: Vec::new() };
    let of_file = |node: &Node| {
        let names = std::iter::once(node.layer.as_str()).chain(node.aliases.iter().copied());
        names.filter_map(|name| named.get_key_value(name)).next()
    };
    let mut last = None;
    for (index, node) in network.nodes.iter().enumerate().filter(|(_, node)| node.has_weights()) {
        last = Some(index);
        let Some((name, &found)) = of_file(node) else { continue };
        if loaded.contains(name) {
            compare.properties(node, &file.nodes[found]);
        }
        compare.inputs(index, found);
    }
    if let (Some(ours), Some(theirs), Some(last)) = (network.output, file.output, last) {
        match of_file(&network.nodes[last]) {
            Some((name, _)) if !network.is_cut && loaded.contains(name) => {
                compare.nodes(ours, without_softmax(file, theirs), "the output")
            }
            Some(_) if !network.is_cut => {}
            // A file without a head, or with one of other layers: the inputs of both heads are compared.
            _ => {
                let ours = head_input(network, |node| of_file(node).is_none()).unwrap_or(ours);
                let is_unknown = |found: &Node| !network.nodes.iter().any(|node| node.is_called(&found.layer));
                let theirs = head_input(file, is_unknown).unwrap_or(theirs);
                compare.nodes(feature_map(network, ours), feature_map(file, theirs), "the output");
            }
        }
    }
    compare.differences
}

/// The input of the first layer with weights that belongs to the head alone.
fn head_input(graph: &Graph, is_head: impl Fn(&Node) -> bool) -> Option<usize> {
    let head = graph.nodes.iter().find(|node| node.has_weights() && is_head(node))?;
    head.inputs.first().copied()
}

struct Compare<'a> {
    network: &'a Graph,
    file: &'a Graph,
    /// Pairs of nodes that were compared.
    seen: HashSet<(usize, usize)>,
    differences: Vec<Difference>,
}

impl Compare<'_> {
    /// Compares two nodes and those that they are computed from, back to layers with weights. `by` is the layer that
    /// the two nodes are inputs of.
    fn nodes(&mut self, ours: usize, theirs: usize, by: &str) {
        if !self.seen.insert((ours, theirs)) {
            return;
        }
        let (network, file) = (self.network, self.file);
        let (expected, found) = (&network.nodes[ours], &file.nodes[theirs]);
        if expected.kind != found.kind || (expected.has_weights() && !expected.is_called(&found.layer)) {
            // One layer for another, or one too many or too few.
            let instead = !expected.has_weights() && !found.has_weights() && !expected.inputs.is_empty();
            if instead && self.alike(ours, theirs) && !self.is_missing(expected, found) {
                self.differ(&found.layer, "class", expected.described(), found.described());
                self.inputs(ours, theirs);
            } else {
                self.differ(by, "input", expected.described(), found.described());
            }
            return;
        }
        if !expected.has_weights() {
            self.properties(expected, found);
            self.inputs(ours, theirs);
        }
    }

    /// Returns `true` if an input of one node is of the other node's kind, so that a layer was left out or put in.
    fn is_missing(&self, expected: &Node, found: &Node) -> bool {
        let follows =
            |graph: &Graph, node: &Node, kind: &Kind| node.inputs.iter().any(|input| graph.nodes[*input].kind == *kind);
        follows(self.network, expected, &found.kind) || follows(self.file, found, &expected.kind)
    }

    fn inputs(&mut self, ours: usize, theirs: usize) {
        let (network, file) = (self.network, self.file);
        let (expected, found) = (&network.nodes[ours], &file.nodes[theirs]);
        let by = &found.layer;
        match (&expected.inputs[..], &found.inputs[..]) {
            // A sum, in either order.
            (&[a, b], &[c, d]) => {
                let (a, b) = if self.alike(a, c) || self.alike(b, d) { (a, b) } else { (b, a) };
                self.nodes(a, c, by);
                self.nodes(b, d, by);
            }
            (ours, theirs) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).for_each(|(ours, theirs)| self.nodes(*ours, *theirs, by));
            }
            (ours, theirs) => {
                self.differ(by, "inputs", ours.len().to_string(), theirs.len().to_string());
            }
        }
    }

    /// Returns `true` if two nodes are computed from the same nearest layers with weights.
    fn alike(&self, ours: usize, theirs: usize) -> bool {
        let theirs = weights_before(self.file, theirs);
        let ours = weights_before(self.network, ours);
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| ours.is_called(&theirs.layer))
    }

    fn properties(&mut self, expected: &Node, found: &Node) {
        for (name, value) in &found.properties {
            let known = expected.property(name);
            if known != Some(value) {
                let known = known.map_or_else(|| "none".to_owned(), Value::to_string);
                self.differ(&found.layer, name, known, value.to_string());
            }
        }
    }

    fn differ(&mut self, layer: &str, property: &'static str, expected: String, found: String) {
        self.differences.push(Difference { layer: layer.to_owned(), property, expected, found });
    }
}

/// The nearest layers with weights that a node is computed from, sorted by name.
fn weights_before(graph: &Graph, node: usize) -> Vec<&Node> {
    let (mut open, mut seen, mut found) = (vec![node], HashSet::new(), Vec::new());
    while let Some(index) = open.pop() {
        let node = &graph.nodes[index];
        if !seen.insert(index) {
            continue;
        }
        if node.has_weights() {
            found.push(node);
        } else {
            open.extend(&node.inputs);
        }
    }
    found.sort_by(|a, b| a.layer.cmp(&b.layer));
    found
}

/// The input of a softmax at the end, or `output` itself if it is no softmax.
fn without_softmax(graph: &Graph, output: usize) -> usize {
    let node = &graph.nodes[output];
    match (node.property("activation"), &node.inputs[..]) {
        (Some(Value::Text(name)), [input]) if name == "softmax" => *input,
        _ => output,
    }
}

/// The feature map before any pooling over the whole image and any change of layout at the end of a model.
fn feature_map(graph: &Graph, mut node: usize) -> usize {
    loop {
        let Node { kind, inputs, .. } = &graph.nodes[node];
        let pooled = match kind {
            Kind::GlobalAveragePooling2D | Kind::Flatten => true,
            Kind::Other(class) => class == "GlobalMaxPooling2D",
            _ => false,
        };
        match inputs[..] {
            [input] if pooled => node = input,
            _ => return node,
        }
    }
}
