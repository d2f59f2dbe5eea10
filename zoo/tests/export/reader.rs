//! A tiny reader of ONNX files: enough to take one apart again.

use std::collections::{BTreeMap, BTreeSet};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message, each with its number.
struct Message<'a>(Vec<(u64, Field<'a>)>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

impl<'a> Message<'a> {
    fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut bytes)),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Bytes(value)
                }
                5 => {
                    let (value, rest) = bytes.split_at(4);
                    bytes = rest;
                    Field::Fixed(u32::from_le_bytes(value.try_into().unwrap()))
                }
                kind => panic!("a field of kind {kind}"),
            };
            fields.push((tag >> 3, field));
        }
        Self(fields)
    }

    fn all(&self, number: u64) -> impl Iterator<Item = Field<'a>> + '_ {
        self.0.iter().filter(move |(field, _)| *field == number).map(|(_, value)| *value)
    }

    fn numbers(&self, number: u64) -> Vec<u64> {
        let value = |field| if let Field::Number(value) = field { value } else { panic!("{field:?} is no number") };
        self.all(number).map(value).collect()
    }

    fn bytes(&self, number: u64) -> Vec<&'a [u8]> {
        let value = |field| if let Field::Bytes(value) = field { value } else { panic!("{field:?} has no length") };
        self.all(number).map(value).collect()
    }

    fn texts(&self, number: u64) -> Vec<String> {
        self.bytes(number).into_iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
    }

    fn messages(&self, number: u64) -> Vec<Message<'a>> {
        self.bytes(number).into_iter().map(Message::read).collect()
    }

    fn text(&self, number: u64) -> String {
        let [text] = &self.texts(number)[..] else { panic!("field {number} is there once") };
        text.clone()
    }

    fn message(&self, number: u64) -> Message<'a> {
        Message::read(self.bytes(number)[0])
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Float(f32),
    Integer(i64),
    Text(String),
    Integers(Vec<i64>),
}

/// An operation of the graph.
#[derive(Clone, Debug)]
pub struct Node {
    pub operation: String,
    pub inputs: Vec<String>,
    pub output: String,
    pub attributes: BTreeMap<String, Attribute>,
}

/// A tensor in the file.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub dims: Vec<u64>,
    pub kind: u64,
    pub bytes: Vec<u8>,
}

impl Tensor {
    pub fn floats(&self) -> Vec<f32> {
        assert_eq!(self.kind, 1);
        self.bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }
}

/// An ONNX file, taken apart.
pub struct File {
    pub nodes: Vec<Node>,
    pub tensors: BTreeMap<String, Tensor>,
    pub metadata: BTreeMap<String, String>,
    /// Name and sizes of the input and of the output; a size that is open as its name.
    pub input: (String, Vec<String>),
    pub output: (String, Vec<String>),
}

impl File {
    /// Reads a file, and makes sure that its graph is sound: what an operation takes was given before, no name is given
    /// twice, no tensor is there for nothing, and every tensor has as many elements as its sizes say.
    pub fn read(bytes: &[u8]) -> Self {
        let model = Message::read(bytes);
        assert_eq!(model.numbers(1), [8]);
        assert_eq!((model.text(2), model.text(3)), ("pvlu_zoo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        let opset = model.message(8);
        assert_eq!((opset.text(1), opset.numbers(2)), (String::new(), vec![17]));
        let pair = |entry: Message<'_>| (entry.text(1), entry.text(2));
        let metadata = model.messages(14).into_iter().map(pair).collect();

        let graph = model.message(7);
        let nodes: Vec<Node> = graph.messages(1).iter().map(node).collect();
        let tensors: Vec<(String, Tensor)> = graph.messages(5).iter().map(tensor).collect();
        let (input, output) = (signature(&graph.message(11)), signature(&graph.message(12)));
        let names = tensors.iter().map(|(name, _)| name).chain([&input.0]);
        let mut given = BTreeSet::new();
        for name in names {
            assert!(given.insert(name.clone()), "{name} is given twice");
        }
        let mut used = BTreeSet::from([output.0.clone()]);
        for node in &nodes {
            for input in node.inputs.iter().filter(|input| !input.is_empty()) {
                assert!(given.contains(input), "{input} of {node:?} is not given before");
                used.insert(input.clone());
            }
            assert!(given.insert(node.output.clone()), "{} is given twice", node.output);
        }
        assert_eq!(given, used, "all that is given is used, and the output is given");
        Self { nodes, tensors: tensors.into_iter().collect(), metadata, input, output }
    }

    /// The operations in their order.
    pub fn operations(&self) -> Vec<&str> {
        self.nodes.iter().map(|node| node.operation.as_str()).collect()
    }
}

fn node(message: &Message<'_>) -> Node {
    let attribute = |attribute: Message<'_>| {
        let value = match attribute.numbers(20)[..] {
            [1] => match attribute.all(2).next() {
                Some(Field::Fixed(bits)) => Attribute::Float(f32::from_bits(bits)),
                other => panic!("{other:?} is no float"),
            },
            [2] => Attribute::Integer(attribute.numbers(3)[0].cast_signed()),
            [3] => Attribute::Text(attribute.text(4)),
            [7] => Attribute::Integers(attribute.numbers(8).into_iter().map(u64::cast_signed).collect()),
            ref kind => panic!("an attribute of kind {kind:?}"),
        };
        (attribute.text(1), value)
    };
    Node {
        operation: message.text(4),
        inputs: message.texts(1),
        output: message.text(2),
        attributes: message.messages(5).into_iter().map(attribute).collect(),
    }
}

fn tensor(message: &Message<'_>) -> (String, Tensor) {
    let (dims, kind, bytes) = (message.numbers(1), message.numbers(2)[0], message.bytes(9)[0].to_vec());
    let width = if kind == 7 { 8 } else { 4 };
    assert_eq!(bytes.len() as u64, dims.iter().product::<u64>() * width, "{}", message.text(8));
    (message.text(8), Tensor { dims, kind, bytes })
}

/// Name and sizes of a `ValueInfoProto`.
fn signature(message: &Message<'_>) -> (String, Vec<String>) {
    let tensor = message.message(2).message(1);
    assert_eq!(tensor.numbers(1), [1], "f32");
    let size = |size: Message<'_>| match size.numbers(1)[..] {
        [number] => number.to_string(),
        _ => size.text(2),
    };
    (message.text(1), tensor.message(2).messages(1).into_iter().map(size).collect())
}
