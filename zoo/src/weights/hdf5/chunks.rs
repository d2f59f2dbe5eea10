//! Datasets in chunks, read one chunk at a time.

use std::ops::Range;
use std::path::Path;

use hdf5_reader::Hdf5File as Decoder;
use pvlu::kernel::Element;

use super::error::tensor;
use crate::weights::WeightsError;
use crate::weights::dtype::{Endian, Float, Overflow};
use crate::weights::name::shape;
use crate::weights::read::{Target, length, overflow};

/// Bytes accepted in a chunk, decoded. h5py makes chunks of at most 1 MiB unless asked for others.
pub const MAX_CHUNK: usize = 16 << 20;

/// A dataset in chunks, as it was when the file was opened.
pub(super) struct Chunked<'a> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    pub(super) shape: &'a [usize],
    pub(super) float: Option<Float>,
    pub(super) endian: Endian,
    /// Number of chunks that cover the dataset.
    pub(super) count: u64,
}

impl Chunked<'_> {
    /// Reads the dataset at `place`. Every chunk has to be there once; the decoder alone would fill gaps with zeros.
    pub(super) fn read<E: Element>(
        &self,
        decoder: &Decoder,
        place: &str,
        mut target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let decoded = |error| tensor(self.path, self.name, &error);
        let dataset = decoder.dataset(place).map_err(decoded)?;
        let grid = Grid::new(self.shape, &dataset.chunks().unwrap_or_default());
        let grid = grid.filter(|grid| grid.count as u64 == self.count).ok_or_else(|| self.wrong("other chunks"))?;
        let mut seen = vec![false; grid.count];
        let mut workspace = Vec::new();
        for chunk in dataset.iter_chunks().map_err(decoded)? {
            let chunk = chunk.map_err(decoded)?;
            match grid.position(chunk.offsets()).and_then(|position| seen.get_mut(position)) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err(self.wrong(&format!("two at {}", shape(chunk.offsets())))),
                None => return Err(self.wrong(&format!("one at {}", shape(chunk.offsets())))),
            }
            let Some(float) = self.float else { continue };
            for row in grid.rows(chunk.offsets()) {
                let count = row.elements.len();
                let values = match &mut target {
                    Target::Slice(values) => values.get_mut(row.elements.clone()),
                    Target::Check(_) => {
                        workspace.resize(count, E::default());
                        Some(workspace.as_mut_slice())
                    }
                };
                let values = values.ok_or_else(|| length(self.path, self.name, row.elements.end))?;
                let start = row.within * float.size();
                let bytes = chunk.bytes().get(start..start + count * float.size());
                let bytes = bytes.ok_or_else(|| self.wrong(&format!("a short one at {}", shape(chunk.offsets()))))?;
                float.decode(self.endian, bytes, values).map_err(|lost| {
                    let lost = Overflow { index: row.elements.start + lost.index, ..lost };
                    overflow::<E>(self.path, self.name, lost)
                })?;
                if let Target::Check(found) = &mut target {
                    found.note(row.elements.start, &workspace[..count]);
                }
            }
        }
        match seen.iter().filter(|seen| **seen).count() {
            count if count == grid.count => Ok(()),
            count => {
                let all = grid.count;
                let found = format!("{count} of {all}: the others were never written, which stands for the fill value");
                Err(self.wrong(&found))
            }
        }
    }

    fn wrong(&self, found: &str) -> WeightsError {
        WeightsError::Tensor {
            path: self.path.to_owned(),
            key: self.name.to_owned(),
            expected: "every chunk once".into(),
            found: found.to_owned(),
        }
    }
}

/// The chunks that cover a dataset, those at its far edges in part.
struct Grid<'a> {
    shape: &'a [usize],
    chunk: Vec<usize>,
    /// Chunks along each dimension.
    along: Vec<usize>,
    count: usize,
}

/// Elements of a chunk that are adjacent in the dataset.
struct Row {
    /// Indices of the elements in the dataset, row-major.
    elements: Range<usize>,
    /// Index of the first element within the chunk.
    within: usize,
}

impl<'a> Grid<'a> {
    /// Chunks of the size `chunk` that cover a dataset of this shape; `None` if they do not fit it.
    fn new(shape: &'a [usize], chunk: &[u32]) -> Option<Self> {
        let chunk: Vec<usize> = chunk.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<_>>()?;
        if shape.is_empty() || chunk.len() != shape.len() || chunk.contains(&0) {
            return None;
        }
        let along: Vec<usize> = shape.iter().zip(&chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        let count = along.iter().try_fold(1_usize, |count, along| count.checked_mul(*along))?;
        Some(Self { shape, chunk, along, count })
    }

    /// Index of the chunk whose first element is at `offsets`, row-major.
    fn position(&self, offsets: &[u64]) -> Option<usize> {
        if offsets.len() != self.shape.len() {
            return None;
        }
        let mut position = 0;
        for ((offset, chunk), along) in offsets.iter().zip(&self.chunk).zip(&self.along) {
            let offset = usize::try_from(*offset).ok()?;
            if !offset.is_multiple_of(*chunk) || offset / chunk >= *along {
                return None;
            }
            position = position * along + offset / chunk;
        }
        Some(position)
    }

    /// The rows of the chunk at `offsets`, which is one of the grid.
    fn rows(&self, offsets: &[u64]) -> impl Iterator<Item = Row> + use<'_, 'a> {
        // Within the shape, hence no more than `usize::MAX`.
        let starts: Vec<usize> = offsets.iter().map(|offset| *offset as usize).collect();
        let extent: Vec<usize> = starts
            .iter()
            .zip(&self.chunk)
            .zip(self.shape)
            .map(|((start, chunk), dim)| *chunk.min(&(dim - start)))
            .collect();
        let last = self.shape.len() - 1;
        let rows: usize = extent[..last].iter().product();
        (0..rows).map(move |row| {
            let mut rest = row;
            let (mut element, mut within) = (starts[last], 0);
            let (mut stride, mut chunk_stride) = (self.shape[last], self.chunk[last]);
            for axis in (0..last).rev() {
                let index = rest % extent[axis];
                rest /= extent[axis];
                element += (starts[axis] + index) * stride;
                within += index * chunk_stride;
                stride *= self.shape[axis];
                chunk_stride *= self.chunk[axis];
            }
            Row { elements: element..element + extent[last], within }
        })
    }
}
