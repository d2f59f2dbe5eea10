//! The weights in what was saved: a dict of tensors, a module, or a checkpoint of a training around one.

use std::collections::BTreeMap;

use super::archive::Archive;
use super::error::Problem;
use super::tensor::{Storages, Tensor, is_tensor, tensor};
use crate::pickle::Value;
use crate::text::listed;
use crate::weights::shown;

/// Keys under which checkpoints of trainings have the weights.
const WEIGHTS: [&str; 9] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module"];
/// Keys under which they have the average of those of several steps.
const AVERAGES: [&str; 8] = [
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema_model",
    "params_ema",
    "ema",
    "averaged_model",
];
/// Checkpoints inside of checkpoints.
const MAX_WRAPPED: usize = 3;
/// Modules inside of modules.
const MAX_MODULES: usize = 64;
/// Attributes of a module among which those of torch are. It sets about twenty.
const ATTRIBUTES: usize = 64;
/// Buffers of a module that are not saved with it, and entries of a checkpoint, that are looked at.
const LOOKED_AT: usize = 256;
/// Keys and names that a message or the metadata lists.
const LISTED: usize = 12;

/// Metadata of a file of torch: keys that lead to the weights.
const UNDER: &str = "torch.under";
/// Metadata: key of the average of the weights that the file has beside those that were read.
pub(in crate::weights) const AVERAGE: &str = "torch.average";
/// Metadata: numbers and texts beside the weights, such as the epoch.
const BESIDE: &str = "torch.beside";
/// Metadata: entries among the tensors that are none.
const DROPPED: &str = "torch.dropped";

/// Tensors by name, and metadata.
type Found = (BTreeMap<String, Tensor>, BTreeMap<String, String>);

/// Finds the tensors in a file of `len` bytes.
pub(super) fn tensors(root: Value<'_>, archive: &Archive, average: bool, len: u64) -> Result<Found, Problem> {
    let storages = &archive.storages;
    let place = place_of(root, storages, average)?;
    let mut walk = Walk {
        storages,
        found: BTreeMap::new(),
        dropped: Vec::new(),
        // Of tensors that are views of the same storages there may be several, but not any number.
        bytes: len.saturating_mul(8).saturating_add(1 << 20),
        names: archive.pickle.len().saturating_mul(4),
        steps: archive.pickle.len(),
    };
    if is_module(place.value) {
        walk.module(place.value, String::new(), MAX_MODULES)?;
    } else {
        walk.dict(place.value, place.average)?;
    }
    let mut metadata = BTreeMap::new();
    if !place.under.is_empty() {
        metadata.insert(UNDER.to_owned(), place.under.join("."));
    }
    if let Some(key) = place.other.filter(|_| !place.average) {
        metadata.insert(AVERAGE.to_owned(), key.to_owned());
    }
    if !place.beside.is_empty() {
        metadata.insert(BESIDE.to_owned(), listed(&place.beside, LISTED).to_string());
    }
    if !walk.dropped.is_empty() {
        metadata.insert(DROPPED.to_owned(), listed(&walk.dropped, LISTED).to_string());
    }
    Ok((walk.found, metadata))
}

/// A dict of tensors or a module, and the keys that lead to it.
struct Place<'p> {
    value: Value<'p>,
    under: Vec<&'p str>,
    /// Key of the average beside it.
    other: Option<&'static str>,
    average: bool,
    /// Numbers and texts on the way.
    beside: Vec<String>,
}

/// A number or text of a checkpoint, with its key.
fn said(key: Value<'_>, value: Value<'_>) -> Option<String> {
    let (bool, int, float) = (value.bool(), value.int(), value.float());
    let number = bool.map(|x| x.to_string()).or(int.map(|x| x.to_string())).or(float.map(|x| x.to_string()));
    let text = number.or_else(|| value.text().map(|text| shown(text).to_string()));
    Some(format!("{} = {}", shown(key.text()?), text?))
}

fn place_of<'p>(root: Value<'p>, storages: &Storages, average: bool) -> Result<Place<'p>, Problem> {
    let mut place = Place { value: root, under: Vec::new(), other: None, average: false, beside: Vec::new() };
    for _ in 0..=MAX_WRAPPED {
        if is_module(place.value) {
            break;
        }
        let holds = |value: &Value<'p>| holds_tensors(*value, storages, MAX_WRAPPED);
        let under = |key: &&'static str| is_wrapper(place.value) && place.value.get(key).filter(holds).is_some();
        let weights = WEIGHTS.into_iter().find(under);
        let averages = AVERAGES.into_iter().find(under);
        place.other = place.other.or(averages);
        let next = match (weights, averages) {
            (_, Some(key)) if average => {
                place.average = true;
                Some(key)
            }
            (Some(key), _) => Some(key),
            (None, _) if has_tensors(place.value, storages) => break,
            (None, Some(key)) => {
                let expected = "weights, or that the average of weights was asked for";
                return Err(Problem::new("the checkpoint", expected, format!("only an average, {key}")));
            }
            (None, None) => None,
        };
        let inner = match next {
            Some(key) => place.value.get(key).map(|value| (key, value)),
            None => only(place.value, storages),
        };
        match inner {
            Some((key, value)) => {
                let beside = place.value.entries().into_iter().flatten().take(LOOKED_AT);
                place.beside.extend(beside.filter_map(|(key, value)| said(key, value)));
                place.under.push(key);
                place.value = value;
            }
            None => break,
        }
    }
    if average && !place.average {
        return Err(Problem::new("the checkpoint", "an average of weights", "none"));
    }
    if is_module(place.value) || has_tensors(place.value, storages) {
        return Ok(place);
    }
    let expected = "names with tensors, by themselves or under state_dict, model or net";
    let keys: Vec<String> = place
        .value
        .entries()
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.text())
        .take(LISTED + 1)
        .map(|key| shown(key).to_string())
        .collect();
    let found = if keys.is_empty() {
        place.value.kind().to_owned()
    } else {
        format!("{} with {}", place.value.kind(), listed(&keys, LISTED))
    };
    Err(Problem::new("what was saved", expected, found))
}

/// The only entry with tensors in it, beside those of an optimizer.
fn only<'p>(value: Value<'p>, storages: &Storages) -> Option<(&'p str, Value<'p>)> {
    let of_training = |key: &str| ["optim", "sched", "scaler"].iter().any(|part| key.contains(part));
    let mut inner = value.entries()?.take(LOOKED_AT).filter_map(|(key, value)| {
        let key = key.text().filter(|key| !of_training(key))?;
        (is_module(value) || has_tensors(value, storages)).then_some((key, value))
    });
    inner.next().filter(|_| inner.next().is_none())
}

/// Returns `true` if a value is a module, a dict of tensors, or has one under a known key.
fn holds_tensors(value: Value<'_>, storages: &Storages, depth: usize) -> bool {
    is_module(value)
        || has_tensors(value, storages)
        || depth > 0
            && is_wrapper(value)
            && WEIGHTS.iter().filter_map(|key| value.get(key)).any(|inner| holds_tensors(inner, storages, depth - 1))
}

/// Most entries of a dict that is searched for another one with the weights in it.
const WRAPPER: usize = 4096;

/// Returns `true` for a dict that may hold the weights beside other things.
fn is_wrapper(value: Value<'_>) -> bool {
    value.entries().is_some_and(|entries| entries.len() <= WRAPPER)
}

/// Returns `true` for a dict with a tensor in it.
fn has_tensors(value: Value<'_>, storages: &Storages) -> bool {
    value.entries().is_some_and(|mut entries| entries.any(|(_, value)| is_tensor(value, storages)))
}

/// Returns `true` for a module of torch: an object with parameters and modules in it.
fn is_module(value: Value<'_>) -> bool {
    attribute(value, "_parameters").is_some() && attribute(value, "_modules").is_some()
}

/// An attribute of a module, if it is one of those that torch itself sets, before all others.
fn attribute<'p>(module: Value<'p>, name: &str) -> Option<Value<'p>> {
    let mut entries = module.call()?.state().entries()?.take(ATTRIBUTES);
    entries.find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
}

/// Collects tensors within the bounds of what the file justifies.
struct Walk<'a> {
    storages: &'a Storages,
    found: BTreeMap<String, Tensor>,
    dropped: Vec<String>,
    /// Bytes of tensors that there may still be.
    bytes: u64,
    /// Bytes of names that there may still be.
    names: usize,
    /// Modules, and entries in them, that may still be visited: a module can be in several places.
    steps: usize,
}

impl Walk<'_> {
    fn dict(&mut self, dict: Value<'_>, average: bool) -> Result<(), Problem> {
        for (key, value) in dict.entries().into_iter().flatten() {
            // Number of steps that torch's own average counts.
            if average && key.text() == Some("n_averaged") {
                continue;
            }
            match key.text() {
                Some(name) if is_tensor(value, self.storages) => self.add(name.to_owned(), value)?,
                name if self.dropped.len() <= LISTED => {
                    self.dropped.push(name.map_or_else(|| key.kind().to_owned(), |name| shown(name).to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The tensors of a module as its `state_dict()` has them: parameters, then buffers that are not marked as passing,
    /// then those of the modules in it.
    fn module(&mut self, module: Value<'_>, prefix: String, depth: usize) -> Result<(), Problem> {
        self.step()?;
        let long = || Problem::new("the module", "names that the size of the file justifies", "longer ones");
        self.names = self.names.checked_sub(prefix.len()).ok_or_else(long)?;
        let depth = depth.checked_sub(1).ok_or_else(|| {
            Problem::new("the module", format!("at most {MAX_MODULES} modules in each other"), "more")
        })?;
        let passing: Vec<&str> = attribute(module, "_non_persistent_buffers_set").map(names).unwrap_or_default();
        for (part, skipped) in [("_parameters", &[][..]), ("_buffers", &passing[..])] {
            for (key, value) in attribute(module, part).and_then(Value::entries).into_iter().flatten() {
                self.step()?;
                let name = key.text().filter(|name| !skipped.contains(name));
                if let Some(name) = name.filter(|_| is_tensor(value, self.storages)) {
                    self.add(format!("{prefix}{name}"), value)?;
                }
            }
        }
        for (key, value) in attribute(module, "_modules").and_then(Value::entries).into_iter().flatten() {
            self.step()?;
            if let Some(name) = key.text().filter(|_| is_module(value)) {
                self.module(value, format!("{prefix}{name}."), depth)?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Problem> {
        let many = || Problem::new("the module", "modules that the size of the file justifies", "more");
        self.steps = self.steps.checked_sub(1).ok_or_else(many)?;
        Ok(())
    }

    fn add(&mut self, name: String, value: Value<'_>) -> Result<(), Problem> {
        let named = |problem| match problem {
            Problem::Structure { what, expected, found } => {
                Problem::Structure { what: format!("{}, {what}", shown(&name)), expected, found }
            }
            other => other,
        };
        let tensor = tensor(value, self.storages).map_err(named)?;
        let many = || Problem::new(shown(&name).to_string(), "tensors that the size of the file justifies", "more");
        self.bytes = self.bytes.checked_sub(tensor.bytes()).ok_or_else(many)?;
        self.names = self.names.checked_sub(name.len()).ok_or_else(many)?;
        self.found.insert(name, tensor);
        Ok(())
    }
}

/// The strings of a set, which older protocols write as the call of `set` on a list.
fn names(value: Value<'_>) -> Vec<&str> {
    let list = match value.call() {
        Some(call) => call.arguments::<1>().map(|[list]| list),
        None => Some(value),
    };
    list.and_then(Value::items).into_iter().flatten().take(LOOKED_AT).filter_map(Value::text).collect()
}
