//! Recognition of a file's format by its first bytes, with descriptions of formats that are not read here.

use std::path::Path;

use super::WeightsError;
use super::bytes::FileBytes;
use super::name::shown;
use super::torch::Container;
use crate::signature::archive;

const HDF5: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Maximum number of bytes of a superblock that are read for its addresses.
const SUPERBLOCK: u64 = 128;

/// Returns `true` if the signature of HDF5 is in a place that the format allows.
pub(super) fn is_hdf5(source: &FileBytes) -> Result<bool, WeightsError> {
    // A file that begins like safetensors is taken for that, even if its values contain the signature.
    if begins_as_safetensors(source)? {
        return Ok(false);
    }
    Ok(signature(source)?.is_some())
}

/// Returns `true` if a file begins as safetensors does. It is taken for that, whatever its values are the bytes of.
pub(super) fn begins_as_safetensors(source: &FileBytes) -> Result<bool, WeightsError> {
    Ok(is_header(&beginning(source, 9)?))
}

/// The container of a file that torch may have written.
pub(super) fn torch(source: &FileBytes) -> Result<Option<Container>, WeightsError> {
    let begin = beginning(source, LOOKED_AT)?;
    Ok(if is_header(&begin) { None } else { Container::of(&begin) })
}

/// Returns `true` if a file begins as the archive does that `model.save` of Keras writes.
pub(super) fn begins_as_keras(source: &FileBytes) -> Result<bool, WeightsError> {
    let begin = beginning(source, LOOKED_AT)?;
    let has = |part: &[u8]| begin.windows(part.len()).any(|window| window == part);
    Ok(begin.starts_with(b"PK\x03\x04") && (has(b"metadata.json") || has(b"config.json")))
}

/// Returns `true` if a file begins as JSON does, of an object.
pub(super) fn is_json(source: &FileBytes) -> Result<bool, WeightsError> {
    let begin = beginning(source, LOOKED_AT)?;
    Ok(is_text(&begin) && begin.trim_ascii_start().starts_with(b"{"))
}

/// Position of the superblock of an HDF5 file, and its first bytes.
pub(super) fn superblock(source: &FileBytes) -> Result<(u64, Vec<u8>), WeightsError> {
    let place = signature(source)?.unwrap_or(0);
    let mut bytes = vec![0; SUPERBLOCK.min(source.len() - place) as usize];
    source.read_at(place, &mut bytes).map_err(|error| io(source, error))?;
    Ok((place, bytes))
}

/// The position of the signature of HDF5: byte 0, 512, 1024 and so on, each twice the last. The bytes before it are
/// free for a user's data.
fn signature(source: &FileBytes) -> Result<Option<u64>, WeightsError> {
    let mut position = 0_u64;
    while position + 8 <= source.len() {
        let mut bytes = [0; 8];
        source.read_at(position, &mut bytes).map_err(|error| io(source, error))?;
        if bytes == HDF5 {
            return Ok(Some(position));
        }
        position = if position == 0 { 512 } else { position * 2 };
    }
    Ok(None)
}

/// Number of first bytes by which a file is recognized.
const LOOKED_AT: u64 = 512;

/// Refuses a file that cannot be safetensors, with its description. A safetensors file has `{` behind the length of its
/// header.
pub(super) fn expect_safetensors(source: &FileBytes) -> Result<(), WeightsError> {
    let begin = beginning(source, LOOKED_AT)?;
    let kind = known(&begin).or_else(|| text(&begin));
    // A file that is cut before the header, or has no tensors at all, is left to the parser of headers.
    let cut = (1..9).contains(&begin.len()) && kind.is_none() && !is_text(&begin);
    if is_header(&begin) || cut {
        return Ok(());
    }
    let found = match kind.or_else(|| by_name(source.path())) {
        Some((what, advice)) => format!("{what}: {advice}"),
        None if is_text(&begin) => format!("text that begins with {}", shown(first_line(&begin))),
        None => "neither".to_owned(),
    };
    Err(WeightsError::Format { path: source.path().to_owned(), found })
}

/// Returns `true` if bytes begin as safetensors does: with a length, which is no text, and JSON.
fn is_header(begin: &[u8]) -> bool {
    begin.get(8) == Some(&b'{') && !is_text(&begin[..8])
}

/// Description of a file, and advice on what to do with it.
type Kind = (&'static str, &'static str);

const PICKLE: &str = "store its weights by torch.save(STATE_DICT, OUT) or safetensors.torch.save_file in Python";
const NUMPY: &str = "store its arrays by safetensors.numpy.save_file(dict(numpy.load(FILE)), OUT) in Python";
const KERAS: &str = "load it with Keras and store its weights by model.save_weights(\"NAME.weights.h5\")";
const UNPACK: &str = "unpack it and give the file in it";
const IMAGE: &str = "weights come first, by --weights or as the file to convert";

/// Recognizes a file whose first bytes are a mark of its kind.
fn known(begin: &[u8]) -> Option<Kind> {
    let has = |part: &[u8]| begin.windows(part.len()).any(|window| window == part);
    Some(match begin {
        [] => ("an empty file", "fetch or write it again"),
        [b'P', b'K', 3, 4, ..] if has(b".npy") => ("an archive of NumPy (.npz)", NUMPY),
        [0x80, 2..=5, ..] => ("a Python pickle that torch did not write", PICKLE),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => ("one array of NumPy (.npy)", "a model has many, with names"),
        [b'G', b'G', b'U', b'F', ..] => {
            ("a GGUF file", "that is a format of language models, of which there are none here")
        }
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => ("an image", IMAGE),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => ("an image", IMAGE),
        // Protocol buffers: field 1 is the number of the format, field 2 the first graph or the name of the producer.
        [0x08, 1, 0x12, ..] => ("what looks like a SavedModel of TensorFlow", KERAS),
        [0x08, 2..=20, 0x12, ..] => {
            ("what looks like an ONNX model", "store the weights of the model that it was made of")
        }
        _ => return archive(begin).map(|archive| (archive, UNPACK)),
    })
}

/// Recognizes a text that is found instead of weights, such as a Git LFS pointer or a web page.
fn text(begin: &[u8]) -> Option<Kind> {
    if !is_text(begin) {
        return None;
    }
    let begin = begin.trim_ascii_start();
    let is = |start: &str| begin.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()));
    Some(if is("version https://git-lfs") {
        ("a Git LFS pointer", "fetch the file that it stands for, by git lfs pull or from its page")
    } else if is("<!doctype html") || is("<html") {
        ("a page in HTML", "the address that it came from is one of a page: download the file itself")
    } else if is("<") {
        ("XML", "perhaps a server's answer that was saved as the file: download it again")
    } else if is("{") || is("[") {
        ("JSON", "it may describe weights, but those are in other files")
    } else {
        return None;
    })
}

/// Recognizes a file that only its name tells apart.
fn by_name(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let checkpoint = name.contains(".data-0") || name.ends_with(".index") || name.ends_with(".ckpt");
    Some(match name.rsplit_once('.')?.1 {
        _ if checkpoint => ("a checkpoint of TensorFlow, as it is called", KERAS),
        "pb" => ("a graph of TensorFlow, as it is called", KERAS),
        "onnx" => ("an ONNX model, as it is called", "store the weights of the model that it was made of"),
        "pth" | "pt" | "th" => ("no pickle of torch either, as it is called", "fetch it again"),
        _ => return None,
    })
}

/// Returns `true` if bytes are text. They may be cut anywhere, so that the last character may be incomplete.
fn is_text(begin: &[u8]) -> bool {
    let text = match str::from_utf8(begin) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&begin[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
}

fn first_line(begin: &[u8]) -> &str {
    let line = begin.trim_ascii_start().split(|byte| byte.is_ascii_control()).next().unwrap_or_default();
    let line = &line[..line.len().min(40)];
    str::from_utf8(line).unwrap_or_else(|error| str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default())
}

/// The first bytes, or all of a shorter file.
fn beginning(source: &FileBytes, count: u64) -> Result<Vec<u8>, WeightsError> {
    // At most `count`.
    let mut bytes = vec![0; source.len().min(count) as usize];
    source.read_at(0, &mut bytes).map_err(|error| io(source, error))?;
    Ok(bytes)
}

fn io(source: &FileBytes, error: std::io::Error) -> WeightsError {
    WeightsError::Io { path: source.path().to_owned(), source: error }
}

#[cfg(test)]
mod tests {
    use crate::weights::testing::refusal;

    #[test]
    fn what_is_no_file_of_weights_is_called_what_it_is() {
        let zip = |name: &str| [b"PK\x03\x04", &[0; 26][..], name.as_bytes(), &[0; 40]].concat();
        let mut tar = vec![0; 512];
        tar[..4].copy_from_slice(b"file");
        tar[257..262].copy_from_slice(b"ustar");
        let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132863336\n".to_vec();
        for (bytes, what, advice) in [
            (zip("conv1.npy"), "an archive of NumPy (.npz)", "safetensors.numpy.save_file"),
            (zip("weights.bin"), "a zip archive", "unpack it"),
            (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}".to_vec(), "a Python pickle that torch did not write", "save_file"),
            (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], "a gzip archive", "unpack it"),
            (tar, "a tar archive", "unpack it"),
            (lfs, "a Git LFS pointer", "git lfs pull"),
            (b"  <!DOCTYPE html><html><body>404".to_vec(), "a page in HTML", "download the file itself"),
            (b"<HTML>".to_vec(), "a page in HTML", "download"),
            (b"<?xml version='1.0'?><Error>".to_vec(), "XML", "download it again"),
            (b"{\n  \"weight_map\": {}}".to_vec(), "JSON", "in other files"),
            (b"Access denied.\nAsk".to_vec(), "text that begins with \"Access denied.\"", ""),
            (b"no".to_vec(), "text that begins with no", ""),
            ([&b"\x89PNG\r\n\x1a\n"[..], &[0; 9]].concat(), "an image", "--weights"),
            (b"\x08\x07\x12\x07pytorch".to_vec(), "what looks like an ONNX model", "weights"),
            (b"\x08\x01\x12\xc5\x10\x0a\x0a".to_vec(), "what looks like a SavedModel of TensorFlow", "save_weights"),
            (Vec::new(), "an empty file", "again"),
            (vec![7; 100], "neither", ""),
        ] {
            let error = refusal(bytes);
            let begin = format!("test: expected a file of safetensors, torch or HDF5, found {what}");
            assert!(error.starts_with(&begin), "{error}");
            assert!(error.contains(advice) && !error.contains(char::is_control), "{error}");
        }
    }
}
