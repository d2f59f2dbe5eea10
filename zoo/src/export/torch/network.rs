//! A network that the program defines itself, layer by layer.

use std::fmt::Write as _;

use pvlu::layer::{Extent, Graph, LayerKind, Node, Wire};

use super::classes::Classes;
use super::names::Names;
use super::tree::Tree;
use crate::export::ExportError;
use crate::export::python::number;

/// The epsilon that torch's batch norms have if they are not told another.
const EPSILON: f64 = 1e-5;

/// The class of the network, and the function that makes it.
pub fn network(graph: &Graph, names: &Names, classes: &Classes) -> Result<String, ExportError> {
    let [last] = graph.outputs[..] else { return Err(ExportError::Outputs { found: graph.outputs.len() }) };
    let mut tree = Tree::default();
    for node in &graph.nodes {
        if let Some(layer) = module(node, names, classes)? {
            let name = names.module(&node.path)?;
            if !tree.add(name, layer) {
                return Err(ExportError::Name {
                    path: node.path.clone(),
                    name: name.to_owned(),
                    expected: "letters, digits and _, no word of Python or of torch's modules, and one layer of a name",
                    language: "Python",
                });
            }
        }
    }
    let forward = forward(graph, names, &tree, last)?;
    Ok(format!(
        "\nclass Network(nn.Module):\n    \"\"\"The network, layer by layer.\"\"\"\n\n    \
         def __init__(self):\n        super().__init__()\n{}\n    \
         def forward(self, x):\n{forward}\n\n\n\
         def network():\n    \"\"\"The network with the weights that torch draws.\"\"\"\n    return Network()\n",
        tree.statements()
    ))
}

/// The module of a layer that has tensors, and of an activation.
fn module(node: &Node, names: &Names, classes: &Classes) -> Result<Option<String>, ExportError> {
    let shape = |tensor: &str| names.shape(&node.path, tensor);
    Ok(Some(match node.kind {
        LayerKind::Conv2D { kernel, stride, padding, bias } => {
            let (inputs, outputs) = (shape("weight")?[1], shape("weight")?[0]);
            let mut text = format!("nn.Conv2d({inputs}, {outputs}, {kernel}");
            if stride != 1 {
                let _ = write!(text, ", stride={stride}");
            }
            if padding != 0 {
                let _ = write!(text, ", padding={padding}");
            }
            text + if bias { ")" } else { ", bias=False)" }
        }
        LayerKind::Linear => format!("nn.Linear({}, {})", shape("weight")?[1], shape("weight")?[0]),
        LayerKind::BatchNorm2D => {
            let epsilon = node.epsilon.filter(|epsilon| *epsilon != EPSILON);
            let epsilon = epsilon.map(|epsilon| format!(", eps={}", number(epsilon))).unwrap_or_default();
            format!("nn.BatchNorm2d({}{epsilon})", node.output.channels())
        }
        LayerKind::Activation { activation } => {
            let first = activation.params().first().map(|param| shape(param.name)).transpose()?;
            classes.module(activation, first.unwrap_or_default())
        }
        _ => return Ok(None),
    }))
}

/// Names of values, of which a network that is no chain needs several at once.
fn variable(number: usize) -> String {
    ["x", "y", "z"].get(number).map_or_else(|| format!("x{number}"), |name| (*name).to_owned())
}

/// The statements that run the layers, each a value that takes the first name that is free.
fn forward(graph: &Graph, names: &Names, tree: &Tree, last: Wire) -> Result<String, ExportError> {
    // A layer that hands its input on has no value of its own.
    let origin = |mut wire: Wire| loop {
        match wire.node().map(|node| &graph.nodes[node]) {
            Some(node) if node.kind == LayerKind::Identity => wire = node.inputs[0],
            _ => return wire.node().map_or(0, |node| node + 1),
        }
    };
    let mut uses = vec![0_usize; graph.nodes.len() + 1];
    let runs = |node: &&Node| node.kind != LayerKind::Identity;
    graph.nodes.iter().filter(runs).flat_map(|node| &node.inputs).for_each(|&wire| uses[origin(wire)] += 1);
    uses[origin(last)] += 1;

    let mut variables = vec![0_usize; graph.nodes.len() + 1];
    let mut busy = vec![uses[0] > 0];
    let mut statements: Vec<Statement> = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| runs(node)) {
        let taken: Vec<usize> = node.inputs.iter().map(|&wire| origin(wire)).collect();
        let mut operands: Vec<String> = taken.iter().map(|&value| variable(variables[value])).collect();
        for &value in &taken {
            uses[value] -= 1;
            busy[variables[value]] = uses[value] > 0;
        }
        let free = busy.iter().position(|busy| !busy).unwrap_or_else(|| {
            busy.push(false);
            busy.len() - 1
        });
        busy[free] = uses[index + 1] > 0;
        variables[index + 1] = free;
        let mut value = expression(node, graph, &operands, names, tree)?;
        // A convolution, its batch norm and its activation stand in one line, and so do a sum and its activation.
        let before = statements.last().filter(|before| before.goes_on && [before.output] == taken[..]);
        if let Some(before) = before.filter(|before| is_module(node) && uses[before.output] == 0) {
            operands[0].clone_from(&before.value);
            let both = expression(node, graph, &operands, names, tree)?;
            if both.len() <= WIDTH {
                statements.pop();
                value = both;
            }
        }
        let goes_on =
            is_module(node) && !matches!(node.kind, LayerKind::Activation { .. }) || node.kind == LayerKind::Add;
        statements.push(Statement { output: index + 1, value, goes_on });
    }
    let mut text = String::new();
    for Statement { output, value, .. } in &statements {
        let _ = writeln!(text, "        {} = {value}", variable(variables[*output]));
    }
    let _ = write!(text, "        return {}", variable(variables[origin(last)]));
    Ok(text)
}

/// Most characters of a value that several layers make.
const WIDTH: usize = 84;

/// A statement that runs layers one after the other.
struct Statement {
    /// Number of the value that it gives.
    output: usize,
    /// Expression of the value.
    value: String,
    /// True if the layer that takes the value may stand in the same line.
    goes_on: bool,
}

/// True for a layer that is a module, and takes one value.
fn is_module(node: &Node) -> bool {
    use LayerKind::{Activation, BatchNorm2D, Conv2D, Linear};
    matches!(node.kind, Conv2D { .. } | Linear | BatchNorm2D | Activation { .. })
}

/// The expression of a layer's output, given those of its inputs.
fn expression(
    node: &Node,
    graph: &Graph,
    operands: &[String],
    names: &Names,
    tree: &Tree,
) -> Result<String, ExportError> {
    let none = || ExportError::Layer { path: node.path.clone(), layer: node.kind.to_string(), format: "torch" };
    let is_map = |extent: Extent| matches!(extent, Extent::Image { .. });
    let x = operands.first().ok_or_else(none)?;
    Ok(match node.kind {
        _ if is_module(node) => {
            format!("{}({x})", tree.module(names.module(&node.path)?))
        }
        LayerKind::Pool2D { name, kernel, stride, padding } => {
            let around = if padding == 0 { String::new() } else { format!(", {padding}") };
            match name {
                "MaxPool2D" => format!("F.max_pool2d({x}, {kernel}, {stride}{around})"),
                "ZeroPaddedMaxPool2D" => {
                    let pad = vec![padding.to_string(); 4].join(", ");
                    format!("F.max_pool2d(F.pad({x}, ({pad})), {kernel}, {stride})")
                }
                "AvgPool2D" => format!("F.avg_pool2d({x}, {kernel}, {stride}{around})"),
                _ => return Err(none()),
            }
        }
        LayerKind::GlobalPool2D => format!("{x}.mean((2, 3))"),
        LayerKind::Flatten => format!("{x}.flatten(1)"),
        LayerKind::Dropout { percent } => {
            format!("F.dropout({x}, {}, self.training)", number(percent as f64 / 100.0))
        }
        LayerKind::Add => operands.join(" + "),
        LayerKind::Multiply => {
            let map = is_map(graph.extent(node.inputs[0]));
            let factor = |(operand, &wire): (&String, &Wire)| {
                let spreads = map && !is_map(graph.extent(wire));
                if spreads { format!("{operand}[:, :, None, None]") } else { operand.clone() }
            };
            operands.iter().zip(&node.inputs).map(factor).collect::<Vec<_>>().join(" * ")
        }
        LayerKind::Concat => format!("torch.cat(({}), 1)", operands.join(", ")),
        LayerKind::Upsample2D { factor } => format!("F.interpolate({x}, scale_factor={factor}, mode=\"nearest\")"),
        LayerKind::Subsample { stride } => {
            let taken = if stride == 1 { x.clone() } else { format!("{x}[:, :, ::{stride}, ::{stride}]") };
            // Half of the new channels come before the given ones.
            let half = node.output.channels().saturating_sub(graph.extent(node.inputs[0]).channels()) / 2;
            if half == 0 { taken } else { format!("F.pad({taken}, (0, 0, 0, 0, {half}, {half}))") }
        }
        // `Other`, `Dfdx`, and a kind of layer that is not known here yet.
        _ => return Err(none()),
    })
}
