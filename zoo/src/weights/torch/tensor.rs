//! Tensors, as the calls that torch pickles describe them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::Dtype;
use super::error::Problem;
use super::storage::{Kind, Ranges, Storage, key, storage};
use crate::pickle::Value;
use crate::weights::name::elements;
use crate::weights::shown;

/// Dimensions that a tensor may have. The weights of a convolution over time and space have five.
const MAX_RANK: usize = 8;
/// Elements that a tensor may have beyond those of its storage, by repeating some.
const REPEATED: usize = 4096;
/// Calls of calls that describe one tensor: a parameter of a subclass of a tensor.
const MAX_CALLS: usize = 4;

/// The storages of a file, and in the tar container the tensors too, by their keys.
#[derive(Debug, Default)]
pub(super) struct Storages {
    /// Bytes of the file that each storage takes.
    pub(super) ranges: Ranges,
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) place: Place,
}

/// Place of the elements of a tensor in the file.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// One after another, row-major.
    Run(Range<u64>),
    /// A view: element `[i, j]` is `i * strides[0] + j * strides[1]` elements behind byte `start`.
    Strided { start: u64, strides: Vec<usize> },
    /// Not read: the type of the tensor says why.
    Nowhere,
}

impl Tensor {
    /// A tensor that is named and not read.
    fn refused(why: impl Into<String>) -> Self {
        Self { dtype: Dtype::Other(why.into()), shape: Vec::new(), place: Place::Nowhere }
    }

    /// Bytes that its elements take.
    pub(super) fn bytes(&self) -> u64 {
        let size = self.dtype.float().map_or(8, |float| float.size() as u64);
        elements(&self.shape).map_or(u64::MAX, |count| (count as u64).saturating_mul(size))
    }

    /// A view of a storage: `first` and `strides` are counted in elements.
    pub(super) fn view(storage: &Storage, first: u64, shape: Vec<usize>, strides: Vec<usize>) -> Result<Self, Problem> {
        let wrong = |expected: String, found: String| Problem::new("a tensor", expected, found);
        if shape.len() != strides.len() {
            return Err(wrong(format!("{} strides", shape.len()), strides.len().to_string()));
        }
        if shape.len() > MAX_RANK {
            return Ok(Self::refused(format!("a tensor of {} dimensions", shape.len())));
        }
        let Kind { dtype, size } = storage.kind.clone();
        let available = (storage.range.end - storage.range.start) / size;
        let outside =
            || wrong(format!("a tensor within the {available} elements of its storage"), "a larger one".into());
        let count = elements(&shape).ok_or_else(outside)?;
        let mut run = 1_u64;
        let mut last = first;
        let mut is_run = true;
        for (dim, stride) in shape.iter().zip(&strides).rev() {
            let (dim, stride) = (*dim as u64, *stride as u64);
            is_run &= dim == 1 || stride == run;
            run = run.saturating_mul(dim);
            let steps = dim.saturating_sub(1).checked_mul(stride);
            last = steps.and_then(|steps| last.checked_add(steps)).ok_or_else(outside)?;
        }
        if count == 0 {
            return Ok(Self { dtype, shape, place: Place::Run(storage.range.start..storage.range.start) });
        }
        if last >= available {
            return Err(outside());
        }
        // Within the storage, so that neither product nor sum overflows.
        let start = storage.range.start + first * size;
        let place = if is_run {
            Place::Run(start..start + count as u64 * size)
        } else if overlaps(&shape, &strides) {
            return Ok(Self::refused("a tensor whose elements overlap"));
        } else if count as u64 > available + REPEATED as u64 {
            return Ok(Self::refused("a tensor that repeats its elements by a stride of 0"));
        } else {
            Place::Strided { start, strides }
        };
        Ok(Self { dtype, shape, place })
    }
}

/// Returns `true` if two elements may lie in one place without a stride of 0. The strides of a transposed, expanded or
/// cut tensor step over all that the smaller ones reach.
fn overlaps(shape: &[usize], strides: &[usize]) -> bool {
    let steps = strides.iter().zip(shape).filter(|(stride, dim)| **dim > 1 && **stride > 0);
    let mut steps: Vec<(u64, u64)> = steps.map(|(stride, dim)| (*stride as u64, *dim as u64)).collect();
    steps.sort_unstable();
    let mut reach = 0_u64;
    steps.into_iter().any(|(stride, dim)| {
        let within = stride <= reach;
        reach = reach.saturating_add(stride.saturating_mul(dim - 1));
        within
    })
}

/// Returns `true` if a value of the pickle is a tensor, of whatever kind.
pub(super) fn is_tensor(value: Value<'_>, storages: &Storages) -> bool {
    if let Some(name) = value.persistent() {
        return key(name).is_some_and(|key| storages.tensors.contains_key(&key));
    }
    value.call().and_then(|call| call.function().global()).is_some_and(|(module, name)| {
        let rebuilds = matches!(module, "torch._utils" | "torch._tensor") && name.starts_with("_rebuild_");
        // None of the others in these modules is a tensor.
        rebuilds || is_parameter(module, name)
    })
}

fn is_parameter(module: &str, name: &str) -> bool {
    matches!((module, name), ("torch.nn.parameter", "Parameter" | "Buffer") | ("torch.autograd.variable", "Variable"))
}

/// The tensor that a value stands for.
pub(super) fn tensor(value: Value<'_>, storages: &Storages) -> Result<Tensor, Problem> {
    described(value, storages, MAX_CALLS)
}

fn described(value: Value<'_>, storages: &Storages, calls: usize) -> Result<Tensor, Problem> {
    if let Some(name) = value.persistent() {
        let tensor = key(name).and_then(|key| storages.tensors.get(&key));
        return tensor.cloned().ok_or_else(|| Problem::new("a tensor", "one of the file", "another"));
    }
    let call = value.call().ok_or_else(|| Problem::new("a tensor", "a call that makes one", value.kind()))?;
    let first = call.all_arguments().items().and_then(|mut arguments| arguments.next());
    // A parameter of torch 0.3 is made of nothing, and its tensor is the first part of its state.
    let first = first.or_else(|| call.state().items().and_then(|mut parts| parts.next()));
    match call.function().global() {
        Some((module, name)) => made(module, name, first, call.all_arguments(), storages, calls),
        None => Err(Problem::new("a tensor", "a function that makes one", call.function().kind())),
    }
}

/// The tensor that a function of torch would make.
fn made(
    module: &str,
    name: &str,
    first: Option<Value<'_>>,
    arguments: Value<'_>,
    storages: &Storages,
    calls: usize,
) -> Result<Tensor, Problem> {
    let Some((first, calls)) = first.zip(calls.checked_sub(1)) else {
        return Err(Problem::new("a tensor", "its storage", "none"));
    };
    let arguments: Vec<Value<'_>> = arguments.items().into_iter().flatten().take(9).collect();
    match (name, &arguments[..]) {
        ("_rebuild_parameter" | "_rebuild_parameter_with_state", _) => described(first, storages, calls),
        _ if is_parameter(module, name) => described(first, storages, calls),
        ("_rebuild_from_type_v2", [function, _, inner, ..]) => match function.global() {
            Some((module, name)) => {
                let first = inner.items().and_then(|mut items| items.next());
                made(module, name, first, *inner, storages, calls)
            }
            None => Err(Problem::new("a tensor", "a function that makes one", function.kind())),
        },
        ("_rebuild_tensor", [_, offset, shape, strides]) => dense(first, [*offset, *shape, *strides], None, storages),
        ("_rebuild_tensor_v2", [_, offset, shape, strides, _, _, rest @ ..]) => match rest.first() {
            Some(flags) if is_lazy(*flags) => {
                Ok(Tensor::refused("a tensor whose values are to be negated or conjugated"))
            }
            _ => dense(first, [*offset, *shape, *strides], None, storages),
        },
        ("_rebuild_tensor_v3", [_, offset, shape, strides, _, _, dtype, ..]) => {
            dense(first, [*offset, *shape, *strides], Some(*dtype), storages)
        }
        ("_rebuild_qtensor", _) => Ok(Tensor::refused("a quantized tensor")),
        ("_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor", _) => Ok(Tensor::refused("a sparse tensor")),
        ("_rebuild_meta_tensor_no_storage", _) => Ok(Tensor::refused("a tensor without values, of the device meta")),
        ("_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" | "_rebuild_from_type_v2", _) => Err(
            Problem::new("a tensor", "its storage, offset, shape and strides", format!("{} parts", arguments.len())),
        ),
        _ => Ok(Tensor::refused(format!("a tensor by {}", shown(name)))),
    }
}

/// Flags of a tensor: a dict of those that are set.
fn is_lazy(flags: Value<'_>) -> bool {
    flags.entries().is_some_and(|mut flags| flags.any(|(_, set)| set.bool() == Some(true)))
}

/// A tensor over a storage. The storage has the type of its elements, unless the tensor comes with one.
fn dense(
    place: Value<'_>,
    [offset, shape, strides]: [Value<'_>; 3],
    dtype: Option<Value<'_>>,
    storages: &Storages,
) -> Result<Tensor, Problem> {
    let found = storage(place, &storages.ranges);
    let mut found = found.ok_or_else(|| Problem::new("a tensor", "a storage", place.kind()))??;
    if let Some(dtype) = dtype {
        let named = dtype.global().map(|(_, name)| name);
        match named.and_then(Kind::named) {
            Some(kind) => found.kind = kind,
            None => {
                let name = named.map_or(dtype.kind().to_owned(), |name| shown(name).to_string());
                return Ok(Tensor::refused(name));
            }
        }
    }
    let first = offset.usize().ok_or_else(|| Problem::new("a tensor", "its first element", offset.kind()))? as u64;
    match (numbers(shape), numbers(strides)) {
        (Some(shape), Some(strides)) => Tensor::view(&found, first, shape, strides),
        (None, _) => Err(Problem::new("a tensor", "its dimensions", shape.kind())),
        (_, None) => Err(Problem::new("a tensor", "its strides", strides.kind())),
    }
}

/// Numbers of a tuple, or of a `torch.Size` of one.
fn numbers(value: Value<'_>) -> Option<Vec<usize>> {
    let tuple = match value.call() {
        Some(call) if call.function().global() == Some(("torch", "Size")) => call.arguments::<1>()?[0],
        _ => value,
    };
    // One more than there may be is enough to see that there are too many.
    tuple.items()?.take(MAX_RANK + 1).map(Value::usize).collect()
}

#[cfg(test)]
mod tests {
    use super::overlaps;

    #[test]
    fn elements_overlap_where_a_stride_is_within_the_reach_of_smaller_ones() {
        // Transposed, cut out of larger rows, channels last, expanded.
        for (shape, strides) in [
            (&[3, 2][..], &[1, 3][..]),
            (&[4, 5], &[8, 1]),
            (&[2, 3, 4, 5], &[60, 1, 15, 3]),
            (&[7, 3], &[0, 1]),
            (&[1, 9], &[1, 1]),
        ] {
            assert!(!overlaps(shape, strides), "{shape:?} {strides:?}");
        }
        for (shape, strides) in [(&[4, 3][..], &[1, 1][..]), (&[512, 512, 3], &[65540, 65539, 65538])] {
            assert!(overlaps(shape, strides), "{shape:?} {strides:?}");
        }
    }
}
