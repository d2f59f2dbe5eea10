//! The tensors of an original, as its framework names and shapes them, and files of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hdf5_writer::{AttributeBuilder, ByteOrder, DatasetBuilder, H5WriteElement, Hdf5Builder, WriteOptions};
use pvlu_zoo::weights::{Declared, Dtype, Source, Writer};

use crate::formula::{self, Kind};

/// A folder of the repository's tests.
pub fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(path)
}

/// Format that a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Safetensors,
    /// HDF5 as Keras 2 wrote it.
    KerasLegacy,
    /// HDF5 as Keras 3 writes it.
    Keras3,
}

/// A tensor of an original.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    /// Name in a `.weights.h5`.
    counted: Option<String>,
    pub shape: Vec<usize>,
    kind: Kind,
}

impl Tensor {
    /// The values, in the order of the original.
    fn values(&self) -> Vec<f32> {
        formula::tensor(&self.name, self.kind, self.shape.iter().product())
    }
}

/// The tensors of an original in its order, from `tests/fixtures/names`, with another number of classes.
pub fn tensors(original: &str, classes: usize) -> Vec<Tensor> {
    let path = tests("fixtures/names").join(format!("{original}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" scalar"));
    let mut listed: Vec<(String, Option<String>, Vec<usize>)> = lines
        .map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [name, shape] => (name.to_owned(), None, sizes(shape)),
            [name, counted, shape] => (name.to_owned(), Some(counted.to_owned()), sizes(shape)),
            _ => panic!("{}: {line}", path.display()),
        })
        .collect();
    let head = listed.last().map(|(name, _, _)| layer(name).to_owned()).unwrap();
    for (_, _, shape) in listed.iter_mut().filter(|(name, _, _)| layer(name) == head) {
        shape.iter_mut().filter(|size| **size == 1000).for_each(|size| *size = classes);
    }
    let norms: BTreeSet<String> = listed
        .iter()
        .filter(|(name, _, _)| ["running_mean", "moving_mean"].contains(&leaf(name)))
        .map(|(name, _, _)| layer(name).to_owned())
        .collect();
    let tensor = |(name, counted, shape): (String, Option<String>, Vec<usize>)| {
        let kind = match leaf(&name) {
            "gamma" => Kind::GAMMA,
            "beta" | "running_mean" | "moving_mean" => Kind::SHIFT,
            "running_var" | "moving_variance" => Kind::VARIANCE,
            "weight" if norms.contains(layer(&name)) => Kind::GAMMA,
            "bias" if norms.contains(layer(&name)) => Kind::SHIFT,
            "bias" => Kind::BIAS,
            weight => {
                // torch has outputs first, Keras last.
                let inputs = if weight == "kernel" { &shape[..shape.len() - 1] } else { &shape[1..] };
                let fan_in = inputs.iter().product();
                if layer(&name) == head { Kind::head(fan_in) } else { Kind::weight(fan_in) }
            }
        };
        Tensor { name, counted, shape, kind }
    };
    listed.into_iter().map(tensor).collect()
}

fn sizes(shape: &str) -> Vec<usize> {
    shape.split(',').map(|size| size.parse().unwrap()).collect()
}

/// Last part of a tensor's name: `weight` of `layer1.0.conv1.weight`, `kernel` of `fc1/kernel`.
fn leaf(name: &str) -> &str {
    name.rsplit(['.', '/']).next().unwrap()
}

/// The layer of a tensor.
fn layer(name: &str) -> &str {
    name.rsplit_once(['.', '/']).unwrap().0
}

/// Names, shapes and kinds of PVLU's parameters, by the channels of each site.
pub fn activations(sites: &[usize]) -> Vec<Tensor> {
    let site = |(site, &channels): (usize, &usize)| {
        [("alpha", Kind::ALPHA), ("beta", Kind::BETA)].map(|(leaf, kind)| Tensor {
            name: format!("act{site}.{leaf}"),
            counted: None,
            shape: vec![channels],
            kind,
        })
    };
    sites.iter().enumerate().flat_map(site).collect()
}

/// Writes a file of the tensors.
pub fn write(path: &Path, container: Container, tensors: &[Tensor]) {
    match container {
        Container::Safetensors => write_safetensors(path, tensors),
        Container::KerasLegacy | Container::Keras3 => {
            let plan = hdf5(container, tensors).into_plan().unwrap();
            fs::write(path, plan.encode(WriteOptions::default()).unwrap()).unwrap();
        }
    }
}

/// Writes a file of a whole model of Keras 2: the tensors, and the configuration beside them.
pub fn write_whole(path: &Path, tensors: &[Tensor], configuration: &str) {
    let file =
        hdf5(Container::KerasLegacy, tensors).attribute(AttributeBuilder::fixed_string("model_config", configuration));
    fs::write(path, file.into_plan().unwrap().encode(WriteOptions::default()).unwrap()).unwrap();
}

/// Source whose names a file of the original has.
pub fn source(original: &str) -> Source {
    if original.starts_with("keras") { Source::Keras } else { Source::Torchvision }
}

fn write_safetensors(path: &Path, tensors: &[Tensor]) {
    let declare =
        |tensor: &Tensor| Declared { name: tensor.name.clone(), dtype: Dtype::F32, shape: tensor.shape.clone() };
    let mut writer = Writer::create(path, tensors.iter().map(declare).collect(), &BTreeMap::new()).unwrap();
    for tensor in tensors {
        writer.write(&tensor.name, &tensor.values()).unwrap();
    }
    writer.finish().unwrap();
}

/// An HDF5 file of the tensors, as `conv1/conv1/kernel:0`, with attributes that list the layers' names, or as
/// `layers/conv2d/vars/0`.
fn hdf5(container: Container, tensors: &[Tensor]) -> Hdf5Builder {
    let mut layers: Vec<(&str, Vec<String>)> = Vec::new();
    let mut file = Hdf5Builder::new();
    for tensor in tensors {
        let (layer, leaf) = (layer(&tensor.name), leaf(&tensor.name));
        let name = if container == Container::Keras3 {
            tensor.counted.clone().unwrap()
        } else {
            let weight = format!("{layer}/{leaf}:0");
            let path = format!("{layer}/{weight}");
            match layers.last_mut().filter(|(last, _)| *last == layer) {
                Some((_, weights)) => weights.push(weight),
                None => layers.push((layer, vec![weight])),
            }
            path
        };
        let shape: Vec<u64> = tensor.shape.iter().map(|&size| size as u64).collect();
        let mut bytes = vec![0; 4 * tensor.shape.iter().product::<usize>()];
        for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(tensor.values()) {
            *bytes = value.to_le_bytes();
        }
        let dtype = f32::hdf5_type_with_order(ByteOrder::LittleEndian);
        file = file.dataset(DatasetBuilder::new(name, dtype, shape).raw_data(bytes));
    }
    if container == Container::KerasLegacy {
        let strings = |name, values: &[String]| AttributeBuilder::fixed_string_vector(name, values).unwrap();
        let names: Vec<String> = layers.iter().map(|(layer, _)| (*layer).to_owned()).collect();
        file = file.attribute(strings("layer_names", &names));
        file = file.attribute(AttributeBuilder::fixed_string("backend", "tensorflow"));
        for (layer, weights) in &layers {
            file = file.group_attribute(*layer, strings("weight_names", weights));
        }
    }
    file
}
