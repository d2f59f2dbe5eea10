//! Hashes that publishers state of their files.

use std::fmt;

/// A hash of a file's contents, in lowercase hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256, or its first digits, at least eight of them.
    Sha256(String),
    /// SHA-1 of git's blob: of `blob LENGTH`, a zero byte and the contents.
    GitBlob(String),
    /// MD5, which tells damaged files from whole ones and not more.
    Md5(String),
}

/// Fewest digits of a SHA-256 in the name of a file, as `torch.hub` demands.
const FEWEST: usize = 8;

impl Hash {
    /// The hash by which the cache of the Hugging Face Hub names a blob, and which the Hub gives as its `ETag`; `None`
    /// for a name of another form.
    #[must_use]
    pub fn of_blob(name: &str) -> Option<Self> {
        match name.len() {
            64 if is_hexadecimal(name) => Some(Self::Sha256(name.to_owned())),
            40 if is_hexadecimal(name) => Some(Self::GitBlob(name.to_owned())),
            _ => None,
        }
    }

    /// The first digits of the SHA-256 in the name of a file, as `torch.hub` puts them there: `vgg16-397923af.pth`.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        let stem = name.split_once('.')?.0;
        let digits = stem.rsplit_once('-')?.1;
        ((FEWEST..=64).contains(&digits.len()) && is_hexadecimal(digits)).then(|| Self::Sha256(digits.to_owned()))
    }

    /// Name of the function.
    #[must_use]
    pub fn function(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::GitBlob(_) => "SHA-1 of git's blob",
            Self::Md5(_) => "MD5",
        }
    }

    /// The digits that are stated.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::GitBlob(digits) | Self::Md5(digits) => digits,
        }
    }

    /// Returns `true` if a whole digest, in lowercase hexadecimal, begins with the stated digits.
    #[must_use]
    pub fn is_of(&self, digest: &str) -> bool {
        digest.starts_with(self.digits())
    }
}

fn is_hexadecimal(digits: &str) -> bool {
    digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if matches!(self, Self::Sha256(digits) if digits.len() < 64) { "..." } else { "" };
        write!(f, "{} {}{rest}", self.function(), self.digits())
    }
}
