//! Reading of tensors whose elements do not lie one after another: transposed, sliced or expanded ones.

use pvlu::kernel::Element;

use super::super::WeightsError;
use super::super::bytes::FileBytes;
use super::super::dtype::{Endian, Float, Overflow};
use super::super::read::{self, NotFinite, PIECE, Target};

/// A tensor as a view of a storage.
pub(super) struct View<'a> {
    /// Byte of the file at which the first element is.
    pub(super) start: u64,
    pub(super) shape: &'a [usize],
    /// Distances along each dimension, in elements.
    pub(super) strides: &'a [usize],
    pub(super) float: Float,
    pub(super) endian: Endian,
}

/// A dimension of a view: its length, and the distances along it in the file and in the row-major tensor, in elements.
#[derive(Clone, Copy)]
struct Dim {
    len: usize,
    stride: usize,
    step: usize,
}

impl View<'_> {
    /// Reads the elements in the order of the file, so that each piece is read about once, and puts each where it
    /// belongs.
    pub(super) fn read<E: Element>(
        &self,
        source: &FileBytes,
        name: &str,
        mut target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let mut dims = self.dims();
        dims.sort_by_key(|dim| std::cmp::Reverse(dim.stride));
        let size = self.float.size();
        let last: usize = dims.iter().map(|dim| (dim.len - 1) * dim.stride).sum();
        let mut window = Window::new(source, self.start, self.start + ((last + 1) * size) as u64, size);
        let mut at = vec![0; dims.len()];
        let (mut offset, mut index) = (0_usize, 0_usize);
        loop {
            let raw = window.element(offset)?;
            let mut value = [E::default()];
            self.float
                .decode(self.endian, raw, &mut value)
                .map_err(|lost| read::overflow::<E>(source.path(), name, Overflow { index, ..lost }))?;
            match &mut target {
                Target::Slice(values) => {
                    let place = values.get_mut(index);
                    *place.ok_or_else(|| read::length(source.path(), name, index + 1))? = value[0];
                }
                Target::Check(found) => note(found, index, &value),
            }
            // The next element in the order of the file: the last dimension that is not at its end goes on.
            let mut dim = dims.len();
            loop {
                let Some(previous) = dim.checked_sub(1) else { return Ok(()) };
                dim = previous;
                let Dim { len, stride, step } = dims[dim];
                at[dim] += 1;
                if at[dim] < len {
                    offset += stride;
                    index += step;
                    break;
                }
                at[dim] = 0;
                offset -= (len - 1) * stride;
                index -= (len - 1) * step;
            }
        }
    }

    /// The dimensions in row-major order.
    fn dims(&self) -> Vec<Dim> {
        let mut step = 1;
        let mut dims: Vec<Dim> = self
            .shape
            .iter()
            .zip(self.strides)
            .rev()
            .map(|(len, stride)| {
                let dim = Dim { len: *len, stride: *stride, step };
                step *= len;
                dim
            })
            .collect();
        dims.reverse();
        dims
    }
}

/// Notes an element that is not finite; of several the first in the tensor, though elements come in another order.
fn note<E: Element>(found: &mut NotFinite, index: usize, value: &[E; 1]) {
    let mut this = NotFinite::default();
    this.note(index, value);
    found.count += this.count;
    if let Some((index, value)) = this.first
        && found.first.is_none_or(|(first, _)| index < first)
    {
        found.first = Some((index, value));
    }
}

/// A piece of the file that moves on to the elements that are asked for.
struct Window<'a> {
    source: &'a FileBytes,
    start: u64,
    end: u64,
    size: usize,
    bytes: Vec<u8>,
    /// Offset of the first byte of the piece behind `start`.
    at: usize,
}

impl<'a> Window<'a> {
    fn new(source: &'a FileBytes, start: u64, end: u64, size: usize) -> Self {
        Self { source, start, end, size, bytes: Vec::new(), at: 0 }
    }

    /// The bytes of an element, by its distance from the first.
    fn element(&mut self, offset: usize) -> Result<&[u8], WeightsError> {
        let from = offset * self.size;
        if from < self.at || from + self.size > self.at + self.bytes.len() {
            let position = self.start + from as u64;
            // At most a piece.
            let count = (self.end - position).min(PIECE as u64) as usize;
            self.bytes.resize(count, 0);
            self.at = from;
            self.source
                .read_at(position, &mut self.bytes)
                .map_err(|error| WeightsError::Io { path: self.source.path().to_owned(), source: error })?;
        }
        Ok(&self.bytes[from - self.at..][..self.size])
    }
}
