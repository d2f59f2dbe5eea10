//! Reading of values from consecutive bytes of a file, piece by piece.

use std::ops::Range;
use std::path::Path;

use pvlu::kernel::Element;

use super::WeightsError;
use super::bytes::FileBytes;
use super::dtype::{Endian, Float, Overflow};

/// Bytes read at a time.
pub(super) const PIECE: usize = 1 << 18;

/// Destination of the values that are read.
pub(super) enum Target<'a, E> {
    /// A slice of exactly as many elements.
    Slice(&'a mut [E]),
    /// No destination: values are read and converted to check that they can be, and to find those that are not finite.
    Check(&'a mut NotFinite),
}

/// Elements of a tensor that are infinities or NaNs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct NotFinite {
    /// Position of the first that was met, row-major, and its value.
    pub(super) first: Option<(usize, f64)>,
    /// Number of elements that are not finite.
    pub(super) count: usize,
}

impl NotFinite {
    /// Looks at values, of which the first is element `start` of the tensor.
    pub(super) fn note<E: Element>(&mut self, start: usize, values: &[E]) {
        // Nearly always all values are finite: then this is one pass without branches.
        let count = values.iter().filter(|value| !value.is_finite()).count();
        if count > 0 && self.first.is_none() {
            let found = values.iter().position(|value| !value.is_finite());
            self.first = found.map(|index| (start + index, values[index].wide()));
        }
        self.count += count;
    }
}

/// Reads the bytes of a tensor that lie in `range`. Without a float type they are read and not converted.
pub(super) fn contiguous<E: Element>(
    source: &FileBytes,
    name: &str,
    range: Range<u64>,
    float: Option<Float>,
    endian: Endian,
    mut target: Target<'_, E>,
) -> Result<(), WeightsError> {
    let len = range.end - range.start;
    // A multiple of every size of a number.
    let piece = PIECE.min(usize::try_from(len).unwrap_or(PIECE));
    let mut bytes = vec![0; piece];
    let mut workspace = match (&target, float) {
        (Target::Check(_), Some(float)) => vec![E::default(); piece / float.size()],
        _ => Vec::new(),
    };
    let mut position = range.start;
    let mut done = 0;
    while position < range.end {
        let count = piece.min(usize::try_from(range.end - position).unwrap_or(piece));
        let bytes = &mut bytes[..count];
        source
            .read_at(position, bytes)
            .map_err(|error| WeightsError::Io { path: source.path().to_owned(), source: error })?;
        if let Some(float) = float {
            let elements = count / float.size();
            let values = match &mut target {
                Target::Slice(values) => values.get_mut(done..done + elements),
                Target::Check(_) => workspace.get_mut(..elements),
            };
            let Some(values) = values else { return Err(length(source.path(), name, done + elements)) };
            float.decode(endian, bytes, values).map_err(|lost| {
                let lost = Overflow { index: done + lost.index, ..lost };
                overflow::<E>(source.path(), name, lost)
            })?;
            if let Target::Check(found) = &mut target {
                found.note(done, &workspace[..elements]);
            }
            done += elements;
        }
        position += count as u64;
    }
    Ok(())
}

/// Error of a name that the file does not have.
pub(super) fn missing(path: &Path, name: &str) -> WeightsError {
    WeightsError::Tensor {
        path: path.to_owned(),
        key: name.to_owned(),
        expected: "a tensor of this name".into(),
        found: "none".into(),
    }
}

/// Error of a slice that the values do not fit into.
pub(super) fn length(path: &Path, name: &str, elements: usize) -> WeightsError {
    WeightsError::Tensor {
        path: path.to_owned(),
        key: name.to_owned(),
        expected: format!("room for {elements} elements"),
        found: "less".into(),
    }
}

/// Error of a number that the model's type cannot hold.
pub(super) fn overflow<E: Element>(path: &Path, name: &str, lost: Overflow) -> WeightsError {
    let dtype = if size_of::<E>() == size_of::<f32>() { "F32" } else { "F64" };
    WeightsError::Range { path: path.to_owned(), key: name.to_owned(), index: lost.index, value: lost.value, dtype }
}
