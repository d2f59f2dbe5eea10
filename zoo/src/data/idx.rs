//! IDX files, in which MNIST is published (LeCun et al. 1998): two bytes of zeros, the type of the elements, the number
//! of axes, the length of each as four bytes with the most significant one first, and the elements.

use std::io::Read;
use std::path::Path;

use super::archive::{damaged, decompressed};
use super::{DataError, MAX_RECORDS};
use crate::text;

/// Code of unsigned bytes, the only type that MNIST has.
const UNSIGNED_BYTE: u8 = 8;

/// Reads a file of unsigned bytes with as many axes as `dims`, of which all but the first have these lengths,
/// compressed by gzip or not. Returns the length of the first axis, and the elements.
pub(super) fn read(path: &Path, dims: &[usize]) -> Result<(usize, Vec<u8>), DataError> {
    let (mut reader, is_compressed) = decompressed(path)?;
    let failed = |source| match is_compressed {
        true => damaged(path, &source),
        false => DataError::Io { path: path.to_owned(), source },
    };
    let mut begin = [0; 4];
    reader.read_exact(&mut begin).map_err(failed)?;
    let expected = [0, 0, UNSIGNED_BYTE, dims.len() as u8];
    if begin != expected {
        let found = format!("the bytes {begin:02x?}");
        return Err(DataError::contents(path, "signature", format!("{expected:02x?}, that of an IDX file"), found));
    }
    let mut found = Vec::new();
    for _ in dims {
        let mut dim = [0; 4];
        reader.read_exact(&mut dim).map_err(failed)?;
        found.push(u32::from_be_bytes(dim) as usize);
    }
    let count = found[0];
    if found[1..] != dims[1..] || count == 0 {
        let expected = match &dims[1..] {
            [] => "at least one label".to_owned(),
            image => format!("images of {image:?}, at least one"),
        };
        return Err(DataError::contents(path, "shape", expected, format!("{found:?}")));
    }
    if count as u64 > MAX_RECORDS {
        let what = text::path(path).to_string();
        return Err(DataError::TooMany { what, images: count as u64, limit: MAX_RECORDS });
    }
    // At most 784 MB, of images of 28x28; room is made as bytes arrive. One more than there should be tells a file that
    // goes on.
    let len = dims[1..].iter().fold(count, |len, dim| len * dim);
    let mut elements = Vec::new();
    reader.take(len as u64 + 1).read_to_end(&mut elements).map_err(failed)?;
    if elements.len() != len {
        let found = if elements.len() > len { "more".to_owned() } else { elements.len().to_string() };
        return Err(DataError::contents(path, "length", format!("{len} bytes after the header"), found));
    }
    Ok((count, elements))
}

#[cfg(test)]
mod tests;
