//! SHA-256 in hexadecimal, which identifies images, weights and settings.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::common::error::CliError;

/// The digest of some bytes.
pub fn of_bytes(bytes: impl AsRef<[u8]>) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The digest of parts that follow each other. The boundaries between the parts do not change it.
pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hexadecimal(&hasher.finalize())
}

/// The digest of a file, which is read in pieces of 64 KiB.
pub fn of_file(path: &Path) -> Result<String, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            read => hasher.update(&piece[..read]),
        }
    }
}

/// The digest of the digests of some files, one after another.
pub fn of_files(paths: &[PathBuf]) -> Result<String, CliError> {
    let all: Vec<String> = paths.iter().map(|path| of_file(path)).collect::<Result<_, _>>()?;
    Ok(of_bytes(all.concat()))
}

/// Two lowercase hexadecimal digits for each byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_parts_and_files_have_the_digest_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let twice = of_files(&[file.path().to_owned(), file.path().to_owned()]).unwrap();
        assert_eq!(twice, of_bytes([abc, abc].concat()));
        assert_eq!([of_bytes("abc"), of_parts([&b"a"[..], b"bc"]), of_file(file.path()).unwrap()], [abc; 3]);
    }
}
