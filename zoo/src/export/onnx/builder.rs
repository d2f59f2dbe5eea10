//! The nodes, tensors and names of an ONNX graph that is being made.

use std::collections::{BTreeMap, HashSet};

use dfdx::tensor::Cpu;
use pvlu::layer::{Visit, named_parameters};

use super::protobuf::Message;
use crate::export::ExportError;

/// A tensor of the graph, by the number of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(usize);

/// A constant of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A single 32-bit float.
    Float(f32),
    /// A single 64-bit integer.
    Integer(i64),
    /// A list of integers.
    Integers(Vec<i64>),
    /// A word of those that the operation knows.
    Word(&'static str),
}

/// An operation on tensors, with one output.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Name of the operation in ONNX.
    pub name: &'static str,
    inputs: Vec<Option<Value>>,
    output: Value,
    attributes: Vec<(&'static str, Attribute)>,
}

/// Elements of a tensor that the file holds.
#[derive(Clone, Debug)]
pub enum Elements {
    /// Numbers that were computed for the file.
    Floats(Vec<f32>),
    /// Integers: sizes, axes, places.
    Integers(Vec<i64>),
    /// Those of a tensor of the network, by its path; each of its rows (the outputs of a convolution) multiplied by a
    /// factor if there are any.
    Network(String, Option<Vec<f64>>),
}

/// A tensor that the file holds.
#[derive(Clone, Debug)]
pub struct Initializer {
    value: Value,
    /// Sizes of the dimensions; none of a single number.
    pub dims: Vec<usize>,
    /// Elements in row-major order.
    pub elements: Elements,
}

/// A graph that is being made.
#[derive(Debug, Default)]
pub struct Builder {
    names: Vec<String>,
    taken: HashSet<String>,
    operations: Vec<Operation>,
    initializers: Vec<Initializer>,
    /// Sizes of the network's tensors by path.
    shapes: BTreeMap<String, Vec<usize>>,
    /// Tensors of the network that the file holds already, by path.
    tensors: BTreeMap<String, Value>,
    /// Single numbers that the file holds already, by their bits.
    scalars: BTreeMap<u32, Value>,
}

impl Builder {
    /// A graph without operations, for the tensors of a network.
    pub fn new(net: &dyn Visit<f32, Cpu>) -> Self {
        let shapes = named_parameters(net).into_iter().map(|tensor| (tensor.path, tensor.shape)).collect();
        Self { shapes, ..Self::default() }
    }

    /// A tensor of this name, or of this name and a number if another one has it.
    pub fn named(&mut self, name: &str) -> Value {
        let mut free = name.to_owned();
        let mut number = 1_usize;
        while !self.taken.insert(free.clone()) {
            number += 1;
            free = format!("{name}_{number}");
        }
        self.names.push(free);
        Value(self.names.len() - 1)
    }

    /// Name of a tensor.
    pub fn name(&self, value: Value) -> &str {
        &self.names[value.0]
    }

    /// Adds an operation whose output is named after the layer that it is of.
    pub fn operation(
        &mut self,
        layer: &str,
        name: &'static str,
        inputs: &[Value],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Value {
        let inputs: Vec<Option<Value>> = inputs.iter().copied().map(Some).collect();
        self.operation_of(layer, name, inputs, attributes)
    }

    /// As [`operation`](Self::operation), with inputs that are left out.
    pub fn operation_of(
        &mut self,
        layer: &str,
        name: &'static str,
        inputs: Vec<Option<Value>>,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Value {
        let output = self.named(&format!("/{}/{name}", layer.replace('.', "/")));
        self.operations.push(Operation { name, inputs, output, attributes });
        output
    }

    /// Adds a tensor of numbers.
    pub fn floats(&mut self, name: &str, dims: Vec<usize>, elements: Vec<f32>) -> Value {
        self.initializer(name, dims, Elements::Floats(elements))
    }

    /// Adds a list of integers.
    pub fn integers(&mut self, layer: &str, name: &str, elements: Vec<i64>) -> Value {
        let name = format!("/{}/{name}", layer.replace('.', "/"));
        self.initializer(&name, vec![elements.len()], Elements::Integers(elements))
    }

    /// A single number, the same tensor wherever it is needed.
    pub fn scalar(&mut self, number: f64) -> Value {
        let number = number as f32;
        if let Some(&value) = self.scalars.get(&number.to_bits()) {
            return value;
        }
        let value = self.initializer(&format!("/{number}"), Vec::new(), Elements::Floats(vec![number]));
        self.scalars.insert(number.to_bits(), value);
        value
    }

    /// A tensor of the network by its path, with its own sizes.
    pub fn tensor(&mut self, path: &str) -> Result<Value, ExportError> {
        let dims = self.shape(path)?.to_vec();
        Ok(self.of_network(path, dims, None))
    }

    /// As [`tensor`](Self::tensor), with each of its rows multiplied by a factor.
    pub fn scaled(&mut self, path: &str, factors: Vec<f64>) -> Result<Value, ExportError> {
        let dims = self.shape(path)?.to_vec();
        Ok(self.of_network(path, dims, Some(factors)))
    }

    /// As [`tensor`](Self::tensor), with other sizes before its own, of 1, and behind it, so that it spreads over a
    /// batch of maps of `rank` dimensions.
    pub fn spread(&mut self, path: &str, rank: usize) -> Result<Value, ExportError> {
        let mut dims = vec![1];
        dims.extend_from_slice(self.shape(path)?);
        dims.resize(rank.max(dims.len()), 1);
        Ok(self.of_network(path, dims, None))
    }

    fn shape(&self, path: &str) -> Result<&[usize], ExportError> {
        let shape = self.shapes.get(path).map(Vec::as_slice);
        shape.ok_or_else(|| ExportError::NoTensor { path: path.to_owned() })
    }

    fn initializer(&mut self, name: &str, dims: Vec<usize>, elements: Elements) -> Value {
        let value = self.named(name);
        self.initializers.push(Initializer { value, dims, elements });
        value
    }

    /// Adds a tensor of any kind.
    #[cfg(test)]
    pub fn add(&mut self, dims: Vec<usize>, elements: Elements) {
        self.initializer("added", dims, elements);
    }

    /// A tensor of the network, the same wherever it is needed: the file holds it once.
    fn of_network(&mut self, path: &str, dims: Vec<usize>, factors: Option<Vec<f64>>) -> Value {
        if let Some(&value) = self.tensors.get(path) {
            return value;
        }
        let value = self.initializer(path, dims, Elements::Network(path.to_owned(), factors));
        self.tensors.insert(path.to_owned(), value);
        value
    }

    /// Gives a tensor the name of `output`, which no operation gives yet; one that no operation gives either is handed
    /// on. Returns the tensor that has the name then.
    pub fn give(&mut self, value: Value, output: Value) -> Value {
        if self.operations.iter().any(|operation| operation.output == value) {
            self.names.swap(value.0, output.0);
            return value;
        }
        let inputs = vec![Some(value)];
        self.operations.push(Operation { name: "Identity", inputs, output, attributes: Vec::new() });
        output
    }

    /// The operations so far.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The tensors that the file holds.
    pub fn initializers(&self) -> &[Initializer] {
        &self.initializers
    }

    /// An operation as a `NodeProto`.
    pub fn node(&self, operation: &Operation) -> Message {
        // An input that is left out has an empty name.
        let name = |input: &Option<Value>| input.map_or("", |value| self.name(value)).to_owned();
        let inputs = operation.inputs.iter().map(name);
        let output = self.name(operation.output);
        let message = inputs.fold(Message::default(), |message, input| message.text(1, &input));
        let message = message.text(2, output).text(3, output).text(4, operation.name);
        operation
            .attributes
            .iter()
            .fold(message, |message, (name, attribute)| message.message(5, &attribute.message().text(1, name)))
    }
}

impl Operation {
    /// The tensors that it takes, without those that are left out.
    #[cfg(test)]
    pub fn inputs(&self) -> impl Iterator<Item = Value> + '_ {
        self.inputs.iter().flatten().copied()
    }

    /// The tensor that it gives.
    #[cfg(test)]
    pub fn output(&self) -> Value {
        self.output
    }
}

impl Attribute {
    /// An `AttributeProto` without its name.
    fn message(&self) -> Message {
        let message = Message::default();
        match self {
            Attribute::Float(value) => message.float(2, *value).number(20, 1),
            Attribute::Integer(value) => message.integer(3, *value).number(20, 2),
            Attribute::Word(word) => message.text(4, word).number(20, 3),
            Attribute::Integers(values) => {
                values.iter().fold(message, |message, &value| message.integer(8, value)).number(20, 7)
            }
        }
    }
}

impl Initializer {
    /// The tensor as operations name it.
    #[cfg(test)]
    pub fn value(&self) -> Value {
        self.value
    }

    /// Number of bytes of the elements.
    pub fn bytes(&self) -> u64 {
        let width = if matches!(self.elements, Elements::Integers(_)) { 8 } else { 4 };
        self.dims.iter().map(|&size| size as u64).product::<u64>() * width
    }

    /// A `TensorProto` up to its last field, the elements, which follow it.
    pub fn head(&self, builder: &Builder) -> Message {
        let kind = if matches!(self.elements, Elements::Integers(_)) { 7 } else { 1 };
        let dims = self.dims.iter().fold(Message::default(), |message, &size| message.number(1, size as u64));
        dims.number(2, kind).text(8, builder.name(self.value)).begin(9, self.bytes())
    }
}
