//! Writer of a safetensors file, tensor by tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ::safetensors::Dtype as FileDtype;
use ::safetensors::tensor::TensorInfo;
use pvlu::kernel::Element;

use super::header::{MAX_HEADER, METADATA};
use crate::atomic::AtomicFile;
use crate::weights::name::{elements, shape, shown};
use crate::weights::read::PIECE;
use crate::weights::{Dtype, WeightsError};

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Declared {
    /// Name of the tensor in the file.
    pub name: String,
    /// Type of the elements in the file, a float.
    pub dtype: Dtype,
    /// Dimensions of the tensor, row-major.
    pub shape: Vec<usize>,
}

/// A safetensors file in the making: the header first, then one tensor after the other, each converted piece by piece,
/// so that no second copy of a model is ever in memory.
///
/// It is an [`AtomicFile`], which gets its name in [`finish`](Self::finish) when all of it is on disk. Until then a
/// file that was there before stays as it is; dropped before, the new one is removed. Or it is bytes: see
/// [`in_memory`](Writer::in_memory).
#[derive(Debug)]
pub struct Writer<F = AtomicFile> {
    path: PathBuf,
    file: F,
    declared: std::vec::IntoIter<Declared>,
    buffer: Vec<u8>,
    /// Set while every tensor so far is in the file.
    whole: bool,
}

impl Writer {
    /// Begins a file of `tensors`, in the order in which they will be given, and `metadata`.
    ///
    /// # Errors
    ///
    /// A name that occurs twice or means metadata, a type that is no float, a header above [`MAX_HEADER`], a failed
    /// write.
    pub fn create(
        path: impl AsRef<Path>,
        tensors: Vec<Declared>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, WeightsError> {
        Self::begin(path.as_ref(), AtomicFile::create, tensors, metadata)
    }

    /// Gives the file its name, once it is on disk.
    ///
    /// # Errors
    ///
    /// A tensor that was declared and not written, an error before, a failed write or renaming. The file is then
    /// removed.
    pub fn finish(self) -> Result<(), WeightsError> {
        self.end(AtomicFile::commit)
    }

    /// As [`finish`](Self::finish), but an existing file of this name, however late it appeared, is an error and stays.
    ///
    /// # Errors
    ///
    /// As for [`finish`](Self::finish), and [`AlreadyExists`](std::io::ErrorKind::AlreadyExists) in a
    /// [`WeightsError::Io`].
    pub fn finish_new(self) -> Result<(), WeightsError> {
        self.end(AtomicFile::commit_new)
    }

    /// The whole file, which has yet to get its name.
    pub(crate) fn into_file(self) -> Result<AtomicFile, WeightsError> {
        self.end(Ok)
    }
}

impl Writer<Vec<u8>> {
    /// As [`create`](Writer::create), in memory. `name` stands for the path in messages.
    ///
    /// # Errors
    ///
    /// As for [`create`](Writer::create), but for the writes.
    pub fn in_memory(
        name: impl AsRef<Path>,
        tensors: Vec<Declared>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, WeightsError> {
        Self::begin(name.as_ref(), |_| Ok(Vec::new()), tensors, metadata)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// A tensor that was declared and not written, an error before.
    pub fn into_bytes(self) -> Result<Vec<u8>, WeightsError> {
        self.end(Ok)
    }
}

impl<F: Write> Writer<F> {
    fn begin(
        path: &Path,
        create: impl FnOnce(&Path) -> io::Result<F>,
        tensors: Vec<Declared>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, WeightsError> {
        let path = path.to_owned();
        let header = header(&path, &tensors, metadata)?;
        let io = |source| WeightsError::Io { path: path.clone(), source };
        let mut file = create(&path).map_err(io)?;
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
        file.write_all(&header).map_err(io)?;
        Ok(Self { path, file, declared: tensors.into_iter(), buffer: Vec::new(), whole: true })
    }

    /// Writes the next tensor: the one declared next, row-major.
    ///
    /// # Errors
    ///
    /// Another name or number of elements than declared, a finite number that is infinite in the type declared, a
    /// failed write. The file can then not be finished.
    pub fn write<E: Element>(&mut self, name: &str, values: &[E]) -> Result<(), WeightsError> {
        let whole = std::mem::replace(&mut self.whole, false);
        let wrong = |expected: String| WeightsError::Order {
            path: self.path.clone(),
            expected,
            found: format!("{} of {} elements", shown(name), values.len()),
        };
        let Some(tensor) = self.declared.next() else { return Err(wrong("none".into())) };
        let fits = tensor.name == name && elements(&tensor.shape) == Some(values.len());
        let Some(float) = tensor.dtype.float().filter(|_| fits) else {
            return Err(wrong(format!("{} of {}", shown(&tensor.name), shape(&tensor.shape))));
        };
        let step = PIECE / float.size();
        for (index, piece) in values.chunks(step).enumerate() {
            self.buffer.clear();
            float.encode(piece, &mut self.buffer).map_err(|lost| WeightsError::Range {
                path: self.path.clone(),
                key: name.to_owned(),
                index: index * step + lost.index,
                value: lost.value,
                dtype: float.name(),
            })?;
            self.file.write_all(&self.buffer).map_err(|source| WeightsError::Io { path: self.path.clone(), source })?;
        }
        self.whole = whole;
        Ok(())
    }

    fn end<R>(mut self, commit: impl FnOnce(F) -> io::Result<R>) -> Result<R, WeightsError> {
        if let Some(tensor) = self.declared.next() {
            let expected = shown(&tensor.name).to_string();
            return Err(WeightsError::Order { path: self.path, expected, found: "the end".into() });
        }
        if !self.whole {
            let expected = "each written whole".into();
            return Err(WeightsError::Order { path: self.path, expected, found: "one that failed".into() });
        }
        let Self { path, file, .. } = self;
        commit(file).map_err(|source| WeightsError::Io { path, source })
    }
}

/// The header with its padding: values begin at a multiple of 8.
fn header(path: &Path, tensors: &[Declared], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, WeightsError> {
    let wrong = |what: &str, expected: &str, found: &str| WeightsError::Structure {
        path: path.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    let json = |result: serde_json::Result<Vec<u8>>| {
        result.map_err(|error| wrong("header", "what JSON can hold", &error.to_string()))
    };
    let mut header = b"{".to_vec();
    if !metadata.is_empty() {
        header.extend_from_slice(format!("\"{METADATA}\":").as_bytes());
        header.extend(json(serde_json::to_vec(metadata))?);
    }
    let mut names = BTreeSet::new();
    let mut end = 0_usize;
    for tensor in tensors {
        let what = shown(&tensor.name).to_string();
        if tensor.name == METADATA || !names.insert(&tensor.name) {
            return Err(wrong(&what, "a name of its own", "one that is taken"));
        }
        let dtype = match tensor.dtype {
            Dtype::F16 => FileDtype::F16,
            Dtype::BF16 => FileDtype::BF16,
            Dtype::F32 => FileDtype::F32,
            Dtype::F64 => FileDtype::F64,
            Dtype::I64 | Dtype::Other(_) => return Err(wrong(&what, Dtype::FLOATS, &tensor.dtype.to_string())),
        };
        let start = end;
        let bytes = elements(&tensor.shape).and_then(|count| count.checked_mul(dtype.bitsize() / 8));
        let Some(next) = bytes.and_then(|bytes| start.checked_add(bytes)) else {
            return Err(wrong(&what, "a size that fits into memory", &shape(&tensor.shape).to_string()));
        };
        end = next;
        if header.len() > 1 {
            header.push(b',');
        }
        header.extend(json(serde_json::to_vec(&tensor.name))?);
        header.push(b':');
        let info = TensorInfo { dtype, shape: tensor.shape.clone(), data_offsets: (start, end) };
        header.extend(json(serde_json::to_vec(&info))?);
    }
    header.push(b'}');
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() as u64 > MAX_HEADER {
        return Err(wrong("header", &format!("at most {MAX_HEADER} bytes"), &header.len().to_string()));
    }
    Ok(header)
}
