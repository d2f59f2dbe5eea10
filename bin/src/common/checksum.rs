//! Hashes of files, as publishers state them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use pvlu_zoo::published::Hash;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::common::digest::hexadecimal;
use crate::common::error::CliError;
use crate::common::interrupt;

/// Bytes that are read at once.
const PIECE: usize = 1 << 18;

/// The whole digest of a file by the function of a hash. Ctrl-C ends the reading.
pub fn digest(path: &Path, hash: &Hash) -> Result<String, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    match hash {
        Hash::Sha256(_) => of::<Sha256>(file, "", path),
        Hash::Md5(_) => of::<Md5>(file, "", path),
        Hash::GitBlob(_) => {
            let length = file.metadata().map_err(failed)?.len();
            of::<Sha1>(file, &format!("blob {length}\0"), path)
        }
    }
}

fn of<D: Digest>(mut file: File, header: &str, path: &Path) -> Result<String, CliError> {
    let (mut hasher, mut piece) = (D::new_with_prefix(header), vec![0; PIECE]);
    loop {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        match file.read(&mut piece).map_err(|source| CliError::Read { path: path.to_owned(), source })? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            read => hasher.update(&piece[..read]),
        }
    }
}

/// Makes sure that a file has a hash.
///
/// # Errors
///
/// [`CliError::OtherHash`] if it has another one, and a file that cannot be read.
pub fn check(path: &Path, hash: &Hash) -> Result<(), CliError> {
    let found = digest(path, hash)?;
    if hash.is_of(&found) {
        return Ok(());
    }
    Err(CliError::OtherHash { path: path.to_owned(), expected: hash.clone(), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_hashes_that_other_programs_give_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, RFC 1321, and `printf abc | git hash-object --stdin`.
        for hash in [
            Hash::Sha256("ba7816bf".to_owned()),
            Hash::Sha256("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()),
            Hash::Md5("900150983cd24fb0d6963f7d28e17f72".to_owned()),
            Hash::GitBlob("f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f".to_owned()),
        ] {
            check(file.path(), &hash).unwrap();
        }
        let error = check(file.path(), &Hash::Sha256("ba7816be".to_owned())).unwrap_err().to_string();
        assert!(error.contains("SHA-256 ba7816be...") && error.contains("ba7816bf8f01"), "{error}");
    }
}
