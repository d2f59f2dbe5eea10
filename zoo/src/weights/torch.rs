//! Files of `torch.save`: a pickle that describes tensors, beside the storages that hold their values.
//!
//! | container | storages |
//! |---|---|
//! | zip, since torch 1.6 | one stored entry each, `ARCHIVE/data/KEY`, beside `ARCHIVE/data.pkl` |
//! | stream, before | behind five pickles, each with its length |
//! | tar, before 0.1.11 | in the entry `storages`, the tensors in `tensors` |
//!
//! The pickles are read by [`crate::pickle`], which runs nothing, and values by position. What a pickle describes
//! beside tensors is passed over: states of optimizers, arguments, numbers. None of the containers has a checksum that
//! is looked at.

mod archive;
mod error;
mod find;
mod legacy;
mod storage;
mod strided;
mod tar;
mod tensor;
#[cfg(test)]
mod tests;
pub(super) mod zip;

use std::collections::BTreeMap;

use pvlu::kernel::Element;

pub(super) use self::error::Problem;
pub(super) use self::find::AVERAGE;
use self::tensor::{Place, Tensor};
use super::WeightsError;
use super::bytes::FileBytes;
use super::dtype::Endian;
use super::format::{Contents, TensorEntry};
use super::read::{self, Target};
use crate::pickle::Pickle;

/// An open file of torch whose tensors have been looked up.
#[derive(Debug)]
pub(super) struct TorchFile {
    source: FileBytes,
    container: Container,
    endian: Endian,
    tensors: BTreeMap<String, Tensor>,
}

/// Container of a file that torch wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Zip,
    Stream,
    Tar,
}

impl Container {
    /// The container by the first bytes of a file. A zip archive can be another program's.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        let is_tar =
            || begin.get(257..262) == Some(b"ustar") && tar::BEGINNINGS.iter().any(|name| begin.starts_with(name));
        match begin {
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            // A number that torch wrote first, as each protocol of pickles has it.
            [0x80, 2..=5, rest @ ..] => rest
                .get(..32.min(rest.len()))?
                .windows(legacy::MAGIC.len())
                .any(|part| part == legacy::MAGIC)
                .then_some(Self::Stream),
            _ => is_tar().then_some(Self::Tar),
        }
    }
}

impl TorchFile {
    /// Reads what the file describes: the weights themselves, or with `average` the average of those of several steps
    /// that some trainings keep beside them. `None` for a zip archive without a pickle of torch.
    pub(super) fn new(
        source: FileBytes,
        container: Container,
        average: bool,
    ) -> Result<Result<(Self, Contents), FileBytes>, WeightsError> {
        let read = match container {
            Container::Zip => zip::read(&source),
            Container::Stream => legacy::read(&source).map(Some),
            Container::Tar => tar::read(&source).map(Some),
        };
        let archive = match read {
            Ok(Some(archive)) => archive,
            Ok(None) => return Ok(Err(source)),
            Err(problem) => return Err(problem.of(source.path())),
        };
        let found = Pickle::read(&archive.pickle)
            .map_err(Problem::from)
            .and_then(|pickle| find::tensors(pickle.root(), &archive, average, source.len()));
        let (tensors, metadata) = found.map_err(|problem| problem.of(source.path()))?;
        let entry = |tensor: &Tensor| TensorEntry { dtype: tensor.dtype.clone(), shape: tensor.shape.clone() };
        let entries = tensors.iter().map(|(name, tensor)| (name.clone(), entry(tensor))).collect();
        Ok(Ok((Self { source, container, endian: archive.endian, tensors }, (entries, metadata))))
    }

    /// Container of the file, as people call it.
    pub(super) fn container(&self) -> &'static str {
        match self.container {
            Container::Zip => "torch's zip archive",
            Container::Stream => "torch's stream of before 1.6",
            Container::Tar => "torch's tar archive of before 0.1.11",
        }
    }

    /// Reads a tensor, in pieces of bounded size.
    pub(super) fn read<E: Element>(
        &self,
        name: &str,
        entry: &TensorEntry,
        target: Target<'_, E>,
    ) -> Result<(), WeightsError> {
        let path = self.source.path();
        let Some(tensor) = self.tensors.get(name) else { return Err(read::missing(path, name)) };
        let float = entry.dtype.float();
        match &tensor.place {
            Place::Run(range) => read::contiguous(&self.source, name, range.clone(), float, self.endian, target),
            Place::Strided { start, strides } => match float {
                Some(float) => {
                    let view =
                        strided::View { start: *start, shape: &tensor.shape, strides, float, endian: self.endian };
                    view.read(&self.source, name, target)
                }
                // No model takes it.
                None => Ok(()),
            },
            // Neither does one take this; its type says so.
            Place::Nowhere => Ok(()),
        }
    }
}
