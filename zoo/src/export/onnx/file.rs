//! The file: a `ModelProto`, whose tensors are written one by one as the network shows them.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use pvlu::layer::Extent;

use super::builder::{Builder, Elements, Initializer, Value};
use super::protobuf::Message;
use crate::atomic::AtomicFile;
use crate::export::ExportError;
use crate::model::{Model, TensorView};

/// Version of the format, and of the set of operations.
const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;

/// Most bytes of a file: readers of protocol buffers count them in 31 bits.
const MOST: u64 = (1 << 31) - 1;

/// Elements that are turned into bytes at once.
const AT_ONCE: usize = 1 << 14;

/// Input and output of a graph, and texts about it.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Name of the graph.
    pub name: &'a str,
    /// The input, and its sizes for one image.
    pub input: (Value, Extent),
    /// The output, and its sizes for one image.
    pub output: (Value, Extent),
    /// Texts that the file carries, by key.
    pub metadata: &'a BTreeMap<String, String>,
}

/// A file but for the elements of its tensors.
pub struct Parts<'a> {
    /// All up to the first tensor.
    head: Message,
    /// The tensors, each with the bytes that stand before its elements.
    tensors: Vec<(Message, &'a Initializer)>,
    /// Number of bytes of the file.
    bytes: u64,
}

impl<'a> Parts<'a> {
    /// The file of a graph.
    pub fn of(builder: &'a Builder, signature: &Signature<'_>) -> Self {
        let Signature { name, input, output, metadata } = *signature;
        let nodes = builder.operations().iter().map(|operation| builder.node(operation));
        let graph = nodes.fold(Message::default(), |graph, node| graph.message(1, &node)).text(2, name);
        let about = |(value, extent): (Value, Extent)| value_info(builder.name(value), extent);
        let graph = graph.message(11, &about(input)).message(12, &about(output));

        let tensor = |tensor: &'a Initializer| {
            let fields = tensor.head(builder);
            let begin = Message::default().begin(5, fields.as_bytes().len() as u64 + tensor.bytes());
            (begin.append(&fields), tensor)
        };
        let tensors: Vec<_> = builder.initializers().iter().map(tensor).collect();
        let of_tensors: u64 = tensors.iter().map(|(head, tensor)| head.as_bytes().len() as u64 + tensor.bytes()).sum();

        let opset = Message::default().text(1, "").number(2, OPSET);
        let head = Message::default().number(1, IR_VERSION).text(2, "pvlu_zoo").text(3, env!("CARGO_PKG_VERSION"));
        let head = metadata.iter().fold(head.message(8, &opset), |head, (key, text)| {
            head.message(14, &Message::default().text(1, key).text(2, text))
        });
        let head = head.begin(7, graph.as_bytes().len() as u64 + of_tensors).append(&graph);
        let bytes = head.as_bytes().len() as u64 + of_tensors;
        Self { head, tensors, bytes }
    }

    /// Writes the file, which gets its name when the caller commits it.
    pub fn write(&self, model: &dyn Model, path: &Path) -> Result<AtomicFile, ExportError> {
        let Self { bytes, .. } = *self;
        if bytes > MOST {
            return Err(ExportError::TooLarge { path: path.to_owned(), bytes, most: MOST, format: "ONNX" });
        }
        let failed = |source| ExportError::Io { path: path.to_owned(), source };
        let mut file = BufWriter::new(AtomicFile::create(path).map_err(failed)?);
        self.write_to(model, &mut file, &failed)?;
        file.into_inner().map_err(|error| failed(error.into_error()))
    }

    /// Writes what was computed for the file, then the tensors of the network in the order in which it shows them.
    fn write_to(
        &self,
        model: &dyn Model,
        file: &mut dyn Write,
        failed: &dyn Fn(io::Error) -> ExportError,
    ) -> Result<(), ExportError> {
        file.write_all(self.head.as_bytes()).map_err(failed)?;
        let mut waiting: HashMap<&str, (&Message, Option<&[f64]>)> = HashMap::new();
        for (head, tensor) in &self.tensors {
            match &tensor.elements {
                Elements::Network(path, factors) => {
                    waiting.insert(path, (head, factors.as_deref()));
                    continue;
                }
                Elements::Floats(values) => file.write_all(head.as_bytes()).and_then(|()| floats(file, values)),
                Elements::Integers(values) => {
                    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                    file.write_all(head.as_bytes()).and_then(|()| file.write_all(&bytes))
                }
            }
            .map_err(failed)?;
        }
        let mut written = Ok(());
        model.tensors(&mut |tensor: TensorView<'_>| {
            if let (Some((head, factors)), Ok(())) = (waiting.remove(tensor.slot.path), &written) {
                written = file.write_all(head.as_bytes()).and_then(|()| rows(file, tensor.values, factors));
            }
        })?;
        written.map_err(failed)?;
        match waiting.into_keys().next() {
            Some(path) => Err(ExportError::NoTensor { path: path.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Writes the elements of a tensor, each of as many rows as there are factors multiplied by its own.
fn rows(file: &mut dyn Write, values: &[f32], factors: Option<&[f64]>) -> io::Result<()> {
    let Some(factors) = factors else { return floats(file, values) };
    let row = (values.len() / factors.len().max(1)).max(1);
    values.chunks(row).zip(factors).try_for_each(|(row, factor)| {
        let scaled: Vec<f32> = row.iter().map(|&value| (f64::from(value) * factor) as f32).collect();
        floats(file, &scaled)
    })
}

fn floats(file: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    values.chunks(AT_ONCE).try_for_each(|values| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        file.write_all(&bytes)
    })
}

/// A `ValueInfoProto`: a batch of any number of tensors of this size.
fn value_info(name: &str, extent: Extent) -> Message {
    let sizes = match extent {
        Extent::Image { channels, height, width } => vec![channels, height, width],
        other => vec![other.elements()],
    };
    let batch = Message::default().message(1, &Message::default().text(2, "batch"));
    let shape = sizes.iter().fold(batch, |shape, &size| shape.message(1, &Message::default().number(1, size as u64)));
    let tensor = Message::default().number(1, 1).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
