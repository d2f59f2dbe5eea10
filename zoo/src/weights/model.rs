//! Loading of a file into a model, and saving.

use std::collections::{BTreeMap, BTreeSet};

use dfdx::shapes::Unit;
use dfdx::tensor::Cpu;
use pvlu::activation::{Activation, Param, Relu};
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path, Switch, Switches, Visit, Visitor, VisitorMut};

use super::binding::{expected, sources};
use super::configuration::Configuration;
use super::name::{ACTIVATION_KEY, layer_of};
use super::sites::attribute;
use super::{
    Declared, Dtype, Excuse, Expected, Format, LoadReport, MatchOptions, Source, TensorFile, WeightsError, Writer,
    match_tensors,
};
use crate::names::{LayerNames, Part, called, in_torch};
use crate::text::{message, shown};

/// Options for loading a file into a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Source whose names the file has; recognized from the names if not given.
    pub source: Option<Source>,
    /// Keeps the model's head where the file has none, or has one of `other_heads`, and the last layer of the head
    /// where that of the file is for another number of classes.
    pub fresh_head: bool,
    /// The layers of another head than the model's that the file may have in its place; all of them, or none. Of no use
    /// where both have the same names.
    pub other_heads: Vec<LayerNames>,
    /// Loads tensors that hold infinities or NaNs, which are an error otherwise.
    pub allow_non_finite: bool,
}

/// Loads a file into a model whose layers have these names.
///
/// All or nothing: every tensor of the file is matched, and those that are loaded are read and converted once, before
/// the first tensor of the model is changed. Memory: where the file has the layout of the model, a fixed piece (see
/// [`TensorFile`]); else the largest tensor.
///
/// The file of a ReLU network, which has no parameters of activations, also fits a network with another activation. Its
/// parameters then get the values of a [swap](pvlu::layer::SwapActivation), regardless of those that they had: PVLU
/// alpha = 0 and beta = 1, PReLU a slope of 0, at which both are ReLU. A file whose metadata says under
/// [`ACTIVATION_KEY`] that its activation is another one than ReLU is not such a file.
///
/// A whole-model `.h5` of Keras says what its layers compute. That has to be what the network computes with ReLU; see
/// [`Differences`](super::Differences).
///
/// Which tensors are frozen is no part of a file: apply a [`FreezePolicy`](crate::transfer::FreezePolicy) after
/// loading.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] with every tensor that does not fit, [`WeightsError::Names`] for a source that has no
/// names for the model, [`WeightsError::Configuration`] for a whole-model file whose layers compute something else,
/// [`WeightsError::NotFinite`], and the errors of a damaged file.
pub fn load<E: Element + Unit>(
    net: &mut dyn Visit<E, Cpu>,
    names: &[LayerNames],
    file: &TensorFile,
    options: &LoadOptions,
) -> Result<LoadReport, WeightsError> {
    let torch = as_in_torch(names, file, options.source);
    let names = torch.as_deref().unwrap_or(names);
    let source = match options.source {
        Some(source) => source,
        None => recognize(net, names, file)?,
    };
    let tensors = expected(net, names, source, (file.path(), file.format()))?;
    let match_options = MatchOptions {
        fresh_head: options.fresh_head,
        ignored: if options.fresh_head { other_head(names, &options.other_heads, file) } else { BTreeSet::new() },
        activations: file.metadata().get(ACTIVATION_KEY).is_some_and(|activation| activation != Relu::NAME),
    };
    let matched = match_tensors(file, &tensors, source, &match_options)?;
    let keys: Vec<&str> = matched.tensors.iter().map(|(_, key)| key.as_str()).collect();
    compare_activation(net, file)?;
    compare_configuration(net, names, file, &keys)?;
    check::<E>(file, &keys, options.allow_non_finite)?;
    let tensors = matched.tensors.iter().map(|(tensor, key)| (tensor.path.as_str(), (*tensor, key.as_str()))).collect();
    let fresh = matched.report.fresh.iter().map(String::as_str).collect();
    let mut read = Read { file, tensors, fresh, params: Vec::new(), buffer: Vec::new(), error: None };
    let visited = net.visit_mut(&mut Path::root(), &mut read);
    match read.error {
        Some(error) => Err(error),
        None => Ok(visited.map(|()| matched.report)?),
    }
}

/// Compares the activation that a file states with those of the network. Tensors do not tell them apart: several
/// activations have no parameters, or the same.
fn compare_activation<E: Element + Unit>(net: &mut dyn Visit<E, Cpu>, file: &TensorFile) -> Result<(), WeightsError> {
    let Some(said) = file.metadata().get(ACTIVATION_KEY).filter(|said| *said != Relu::NAME) else { return Ok(()) };
    let mut found: BTreeSet<&'static str> = BTreeSet::new();
    net.each_switch(|switches| {
        if let Switches::Activation { activation, .. } = switches {
            found.insert(activation.text());
        }
    });
    if found.is_empty() || found.contains(said.as_str()) {
        return Ok(());
    }
    Err(WeightsError::Structure {
        path: file.path().to_owned(),
        what: format!("metadata {ACTIVATION_KEY}"),
        expected: format!("{}, which the network has", found.into_iter().collect::<Vec<_>>().join(", ")),
        found: shown(said).to_string(),
    })
}

/// Compares the layers that a whole-model file describes with those of the network.
fn compare_configuration<E: Element + Unit>(
    net: &mut dyn Visit<E, Cpu>,
    names: &[LayerNames],
    file: &TensorFile,
    keys: &[&str],
) -> Result<(), WeightsError> {
    let Some(json) = file.configuration() else { return Ok(()) };
    let configuration = Configuration::parse(json).map_err(|found| WeightsError::Structure {
        path: file.path().to_owned(),
        what: "model_config".into(),
        expected: "the configuration of a Keras model".into(),
        found: message(&found).to_string(),
    })?;
    let configuration = configuration.renamed(file.renamed_layers());
    let loaded = keys.iter().map(|key| layer_of(key)).collect();
    let differences = configuration.differences(net, names, &loaded)?;
    if differences.0.is_empty() {
        return Ok(());
    }
    Err(WeightsError::Configuration { path: file.path().to_owned(), differences })
}

/// Reads and converts these tensors once, so that a read that would fail half-way is known before the model is changed.
fn check<E: Element>(file: &TensorFile, keys: &[&str], allow_non_finite: bool) -> Result<(), WeightsError> {
    let mut first = None;
    let mut tensors = 0;
    for key in keys {
        let found = file.check::<E>(key)?;
        if let Some((index, value)) = found.first.filter(|_| !allow_non_finite) {
            tensors += 1;
            first.get_or_insert((*key, index, value, found.count));
        }
    }
    let Some((key, index, value, count)) = first else { return Ok(()) };
    let (path, key) = (file.path().to_owned(), key.to_owned());
    Err(WeightsError::NotFinite { path, key, index, value, count, tensors })
}

/// The names of the layers of a file that was written for torch, whose conventions none of the model's sources has.
/// `None` of any other file.
fn as_in_torch(names: &[LayerNames], file: &TensorFile, source: Option<Source>) -> Option<Vec<LayerNames>> {
    let may_be = matches!(source, None | Some(Source::Torchvision)) && !file.format().is_of_keras();
    if !may_be || names.iter().all(|layer| layer.name_by(Source::Torchvision).is_some()) {
        return None;
    }
    let names = in_torch(names);
    let first = names.first()?.name_by(Source::Torchvision)?;
    file.entries().contains_key(&format!("{first}.weight")).then_some(names)
}

/// The layers of another head that the file has, as it calls them. A part of one is not a head.
fn other_head(names: &[LayerNames], other: &[LayerNames], file: &TensorFile) -> BTreeSet<String> {
    if other.is_empty() {
        return BTreeSet::new();
    }
    // With the trunk before it, so that counters begin where the trunk's end.
    let trunk = names.iter().filter(|layer| layer.part == Part::Trunk);
    let whole: Vec<LayerNames> = trunk.chain(other).cloned().collect();
    let trunk = whole.len() - other.len();
    let mut heads = called(&whole).into_iter().filter_map(|mut called| called.split_off(trunk).into_iter().collect());
    let layers: BTreeSet<&str> = file.entries().keys().map(|key| layer_of(key)).collect();
    let is_there = |head: &BTreeSet<String>| head.iter().all(|layer| layers.contains(layer.as_str()));
    heads.find(is_there).unwrap_or_default()
}

/// The source most of whose names the file has; the model's own where none is better.
fn recognize<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    file: &TensorFile,
) -> Result<Source, WeightsError> {
    if file.format().is_of_keras() {
        return Ok(Source::Keras);
    }
    let mut best = (0, Source::Native);
    for source in sources(names) {
        let keys = expected(net, names, source, (file.path(), Format::Safetensors))?;
        let hits = keys.iter().filter(|tensor| file.entries().contains_key(&tensor.key)).count();
        if hits > best.0 {
            best = (hits, source);
        }
    }
    Ok(best.1)
}

/// Visitor that reads every tensor into its place, and gives fresh parameters of activations the values of a swap.
struct Read<'a, E> {
    file: &'a TensorFile,
    tensors: BTreeMap<&'a str, (&'a Expected, &'a str)>,
    fresh: BTreeSet<&'a str>,
    /// Parameters of the last activation met.
    params: Vec<Param>,
    /// A tensor in the order of the file.
    buffer: Vec<E>,
    error: Option<WeightsError>,
}

impl<E: Element + Unit> VisitorMut<E, Cpu> for Read<'_, E> {
    fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), pvlu::Error> {
        if let Switches::Activation { activation, .. } = switches {
            self.params = activation.params().to_vec();
        }
        Ok(())
    }

    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<E, Cpu>) -> Result<(), pvlu::Error> {
        if matches!(slot.kind, ParamKind::Activation | ParamKind::Hyperparameter) && self.fresh.contains(slot.path) {
            let name = slot.path.rsplit('.').next();
            let swapped = self.params.iter().find(|param| Some(param.name) == name).map(|param| E::of(param.swapped));
            return swapped.map_or(Ok(()), |value| tensor.with_mut(&mut |values| values.fill(value)));
        }
        let Some(&(expected, key)) = self.tensors.get(slot.path) else { return Ok(()) };
        if self.error.is_some() {
            return Ok(());
        }
        let Self { file, buffer, error, .. } = self;
        tensor.with_mut(&mut |values| {
            let read = if expected.layout.is_same() {
                file.read_into(key, values)
            } else {
                buffer.resize(values.len(), E::default());
                let read = file.read_into(key, buffer);
                if read.is_ok() {
                    expected.layout.to_model(&expected.shape, buffer, values);
                }
                read
            };
            *error = read.err();
        })
    }
}

/// Saves a model under the names and in the layouts of a source, with activation parameters as `act{site}.{name}`. The
/// file is whole or not there.
///
/// # Errors
///
/// [`WeightsError::Names`] for a source that has no names for the model; a failed write.
pub fn save<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    path: impl AsRef<std::path::Path>,
    source: Source,
    metadata: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    write(net, names, path, source, metadata)?.finish()
}

/// As [`save`], up to the name of the file, which it gets by [`Writer::finish`] or [`Writer::finish_new`].
///
/// # Errors
///
/// As for [`save`].
pub fn write<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    path: impl AsRef<std::path::Path>,
    source: Source,
    metadata: &BTreeMap<String, String>,
) -> Result<Writer, WeightsError> {
    write_with_sites(net, names, path.as_ref(), source, metadata, &[])
}

/// As [`write`], with activations under these names, in the order of a visit; [`SITES_KEY`](super::SITES_KEY) of the
/// metadata has to list them. Those of which the list has none are called `act{site}`.
pub(crate) fn write_with_sites<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    path: &std::path::Path,
    source: Source,
    metadata: &BTreeMap<String, String>,
    sites: &[String],
) -> Result<Writer, WeightsError> {
    write_to(net, names, (path, source), sites, |declared| Writer::create(path, declared, metadata))
}

/// Name that messages give a file in memory as its path.
const IN_MEMORY: &str = "weights in memory";

/// As [`save`], into memory: the bytes of a safetensors file.
///
/// # Errors
///
/// [`WeightsError::Names`] for a source that has no names for the model.
pub fn to_bytes<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    source: Source,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let begin = |declared| Writer::in_memory(IN_MEMORY, declared, metadata);
    write_to(net, names, (IN_MEMORY.as_ref(), source), &[], begin)?.into_bytes()
}

/// As [`load`], from the bytes of a file, in any format that [`TensorFile`] knows.
///
/// # Errors
///
/// As for [`load`], and for [`TensorFile::open`].
pub fn from_bytes<E: Element + Unit>(
    net: &mut dyn Visit<E, Cpu>,
    names: &[LayerNames],
    bytes: impl Into<std::sync::Arc<[u8]>>,
    options: &LoadOptions,
) -> Result<LoadReport, WeightsError> {
    load(net, names, &TensorFile::from_bytes(IN_MEMORY, bytes)?, options)
}

fn write_to<E: Element + Unit, F: std::io::Write>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    (path, source): (&std::path::Path, Source),
    sites: &[String],
    begin: impl FnOnce(Vec<Declared>) -> Result<Writer<F>, WeightsError>,
) -> Result<Writer<F>, WeightsError> {
    let mut tensors = expected(net, names, source, (path, Format::Safetensors))?;
    for tensor in tensors.iter_mut().filter(|tensor| tensor.excuse == Excuse::ActivationParameter) {
        let number = tensor.key.strip_prefix("act").and_then(|key| key.split_once('.'));
        let named = number.and_then(|(number, leaf)| Some((sites.get(number.parse::<usize>().ok()?)?, leaf)));
        if let Some((site, leaf)) = named {
            tensor.key = format!("{site}.{}", attribute(leaf));
        }
    }
    let declared = tensors
        .iter()
        .map(|tensor| Declared { name: tensor.key.clone(), dtype: Dtype::of::<E>(), shape: tensor.shape.clone() })
        .collect();
    let writer = begin(declared)?;
    let mut write = Write { writer, tensors: tensors.iter(), buffer: Vec::new(), error: None };
    let visited = net.visit(&mut Path::root(), &mut write);
    match write.error {
        Some(error) => Err(error),
        None => {
            visited?;
            Ok(write.writer)
        }
    }
}

/// Writes every tensor in the order in which a visitor meets them.
struct Write<'a, E, F> {
    writer: Writer<F>,
    tensors: std::slice::Iter<'a, Expected>,
    /// A tensor in the order of the file.
    buffer: Vec<E>,
    error: Option<WeightsError>,
}

impl<E: Element + Unit, F: std::io::Write> Visitor<E, Cpu> for Write<'_, E, F> {
    fn tensor(&mut self, _: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), pvlu::Error> {
        let Some(expected) = self.tensors.next() else { return Ok(()) };
        if self.error.is_some() {
            return Ok(());
        }
        let values = tensor.read()?;
        let written = if expected.layout.is_same() {
            self.writer.write(&expected.key, &values)
        } else {
            self.buffer.resize(values.len(), E::default());
            expected.layout.to_file(&expected.shape, &values, &mut self.buffer);
            self.writer.write(&expected.key, &self.buffer)
        };
        self.error = written.err();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
