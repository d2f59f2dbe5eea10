//! Which format a file is in, by its first bytes.

use super::WeightsError;
use super::bytes::FileBytes;

const HDF5: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Whether the signature of HDF5 is where the format allows it: at byte 0, 512, 1024 and so on, each twice the last.
pub(super) fn is_hdf5(source: &FileBytes) -> Result<bool, WeightsError> {
    // A file that begins like safetensors is that, whatever its values contain.
    if begins(source)?.get(8) == Some(&b'{') {
        return Ok(false);
    }
    let mut position = 0_u64;
    while position + 8 <= source.len() {
        let mut bytes = [0; 8];
        source.read_at(position, &mut bytes).map_err(|error| io(source, error))?;
        if bytes == HDF5 {
            return Ok(true);
        }
        position = if position == 0 { 512 } else { position * 2 };
    }
    Ok(false)
}

/// Says what a file is that cannot be safetensors. A safetensors file has `{` behind the length of its header.
pub(super) fn expect_safetensors(source: &FileBytes) -> Result<(), WeightsError> {
    let begin = begins(source)?;
    let found = match begin.as_slice() {
        [] => "an empty file",
        [_, _, _, _, _, _, _, _, b'{'] => return Ok(()),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            "a zip archive, as torch (.pth) and Keras (.keras) write: store its weights as one of these"
        }
        [0x80, 2..=5, ..] => "a Python pickle, as old torch (.pth) writes: store its weights as safetensors",
        [0x1f, 0x8b, ..] => "a gzip archive: unpack it",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', b'h'] => "a Git LFS pointer: fetch the file itself",
        [b'<', ..] => "text in angle brackets, perhaps the page of a failed download",
        // Cut before the header, or of no tensors at all: for the parser of headers to say.
        short if short.len() < 9 => return Ok(()),
        _ => "neither",
    };
    Err(WeightsError::Format { path: source.path().to_owned(), found })
}

/// The first nine bytes, or all of a shorter file.
fn begins(source: &FileBytes) -> Result<Vec<u8>, WeightsError> {
    // At most 9.
    let mut bytes = vec![0; source.len().min(9) as usize];
    source.read_at(0, &mut bytes).map_err(|error| io(source, error))?;
    Ok(bytes)
}

fn io(source: &FileBytes, error: std::io::Error) -> WeightsError {
    WeightsError::Io { path: source.path().to_owned(), source: error }
}
