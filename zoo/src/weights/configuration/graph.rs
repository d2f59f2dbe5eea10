//! Graph of what a model computes, independent of how it is written down.

/// Computations of a model, with the inputs of each.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// Index of the node that is the output of the model.
    pub(super) output: Option<usize>,
    /// Set if the graph ends before a head that does not fit images of the size that it was made for.
    pub(super) is_cut: bool,
}

/// One computation of a model, e.g. a convolution or a sum.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Name of the layer that the node is a part of.
    pub(super) layer: String,
    /// Other names that the layer may have.
    pub(super) aliases: &'static [&'static str],
    pub(super) kind: Kind,
    /// Properties of the computation, by the names of Keras.
    pub(super) properties: Vec<(&'static str, Value)>,
    /// Indices of the nodes that it is applied to, each before it in the graph.
    pub(super) inputs: Vec<usize>,
}

/// Kind of a computation, by the name of its class in Keras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Input,
    Conv2D,
    Dense,
    BatchNormalization,
    Activation,
    MaxPooling2D,
    GlobalAveragePooling2D,
    Flatten,
    Add,
    /// A class of Keras that no network here has.
    Other(String),
}

/// Value of a property of a node.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Text(String),
}

impl Graph {
    pub(super) fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

impl Node {
    pub(super) fn new(layer: impl Into<String>, kind: Kind, inputs: Vec<usize>) -> Self {
        Self { layer: layer.into(), aliases: &[], kind, properties: Vec::new(), inputs }
    }

    pub(super) fn with(mut self, properties: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        self.properties.extend(properties);
        self
    }

    /// Returns `true` if a file has tensors of the node's layer, which is then found by name.
    pub(super) fn has_weights(&self) -> bool {
        matches!(self.kind, Kind::Conv2D | Kind::Dense | Kind::BatchNormalization)
    }

    /// Returns `true` if `layer` is the name of the node's layer or an alias of it.
    pub(super) fn is_called(&self, layer: &str) -> bool {
        self.layer == layer || self.aliases.contains(&layer)
    }

    pub(super) fn property(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Description of the node for messages: `Activation relu`, or `Conv2D conv1` for a layer with weights.
    pub(super) fn described(&self) -> String {
        let kind = match &self.kind {
            Kind::Other(class) => class.clone(),
            kind => format!("{kind:?}"),
        };
        match self.property("activation") {
            _ if self.has_weights() => format!("{kind} {}", self.layer),
            Some(activation) => format!("{kind} {activation}"),
            None => kind,
        }
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A size of `size` rows and as many columns, as Keras writes it.
    pub(super) fn square(size: usize) -> Self {
        Self::Text(format!("[{size}, {size}]"))
    }

    /// Padding that is the same on all sides.
    pub(super) fn around(padding: usize) -> Self {
        Self::Text(format!("[[{padding}, {padding}], [{padding}, {padding}]]"))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // A number may have been stored in single precision.
            (Self::Number(a), Self::Number(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) if number.abs() < 0.01 => write!(f, "{number:e}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
