//! Repositories of the Hugging Face Hub, and their layout in its cache.
//!
//! `models--OWNER--REPO` holds `refs/REVISION`, a file with the commit, and `snapshots/COMMIT`, whose files are
//! symbolic links to `blobs/HASH`, or the files themselves where a system has no links. A blob may itself be a link,
//! into a store that all repositories share; the name of the first link's target is the hash.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Cached, Caches, Hash, PublishedError};
use crate::source::Source;

/// Files of weights in a repository, of which the first that is there is taken, as timm does.
pub const FILES: [&str; 4] = ["model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"];

/// Extensions of the files of which the first is taken, in the order of their names, where none of [`FILES`] is there.
const EXTENSIONS: [&str; 4] = [".safetensors", ".pth", ".pth.tar", ".bin"];

/// Revision that is meant if none is given.
const MAIN: &str = "main";

/// Most characters of an owner and a repository, as the Hub allows, and of a revision.
const LONGEST: usize = 96;

/// Most bytes that are read of a file with a commit.
const COMMIT_FILE: u64 = 256;

/// A repository of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
    revision: Option<String>,
}

/// Returns `true` for the name of a commit: 40 lowercase hexadecimal digits.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl Repository {
    /// Reads `OWNER/REPO` or `OWNER/REPO@REVISION`. No part of the result leads out of the folder that it names.
    ///
    /// # Errors
    ///
    /// [`PublishedError::Repository`] for a text that the Hub does not allow as a name.
    pub fn parse(text: &str) -> Result<Self, PublishedError> {
        let wrong = |why| PublishedError::Repository { found: text.to_owned(), why };
        let (id, revision) = text.split_once('@').map_or((text, None), |(id, revision)| (id, Some(revision)));
        let (owner, name) = id.split_once('/').ok_or_else(|| wrong("found no `/`"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        for part in [owner, name] {
            let dotted = part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
            if part.is_empty() || dotted || part.contains("--") || part.contains("..") || !part.chars().all(plain) {
                return Err(wrong("of letters, digits, `-`, `_` and `.` between them"));
            }
        }
        if id.len() > LONGEST || revision.is_some_and(|revision| revision.len() > LONGEST) {
            return Err(wrong("of at most 96 characters each"));
        }
        let part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(|c| plain(c) || c == '+');
        if revision.is_some_and(|revision| !revision.split('/').all(part)) {
            return Err(wrong("with the name of a branch, a tag or a commit as the revision"));
        }
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// Owner and name: `timm/vgg16.tv_in1k`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Branch, tag or commit; `main` if none was given.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(MAIN)
    }

    /// Address of the repository at the Hub.
    #[must_use]
    pub fn url(&self) -> String {
        Source::Timm.url(&self.id())
    }

    /// Name of the repository's folder in the cache.
    #[must_use]
    pub fn folder_name(&self) -> String {
        format!("models--{}--{}", self.owner, self.name)
    }

    /// The repository's folder in the cache.
    ///
    /// # Errors
    ///
    /// [`PublishedError::NoHome`] if no variable says where the cache is.
    pub fn folder(&self, caches: &Caches) -> Result<PathBuf, PublishedError> {
        let missing = || PublishedError::NoHome {
            name: self.to_string(),
            publisher: "the Hugging Face Hub",
            variable: "HF_HOME",
        };
        Ok(caches.hub.as_deref().ok_or_else(missing)?.join(self.folder_name()))
    }

    /// Path of the file that holds the commit of the revision; `None` if the revision is a commit.
    #[must_use]
    pub fn reference(&self, folder: &Path) -> Option<PathBuf> {
        let parts = || self.revision().split('/');
        (!is_commit(self.revision())).then(|| parts().fold(folder.join("refs"), |path, part| path.join(part)))
    }

    /// The weights in the cache, as [`Published::find`](super::Published::find).
    pub(super) fn find(&self, caches: &Caches) -> Result<Cached, PublishedError> {
        let folder = self.folder(caches)?;
        let reference = self.reference(&folder);
        let commit = match &reference {
            Some(path) => commit(path),
            None => Some(self.revision().to_owned()),
        };
        let missing = |looked| PublishedError::NotThere { name: format!("hf:{self}"), looked, address: self.url() };
        let Some(commit) = commit else {
            return Err(missing(vec![reference.unwrap_or(folder)]));
        };
        let snapshot = folder.join("snapshots").join(commit);
        let path = weights(&snapshot).ok_or_else(|| missing(FILES.map(|file| snapshot.join(file)).to_vec()))?;
        let hash = blob(&path);
        Ok(Cached { path, hash })
    }
}

/// The commit that a file names; `None` if it names none.
fn commit(path: &Path) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(COMMIT_FILE).read_to_string(&mut text).ok()?;
    let commit = text.trim();
    is_commit(commit).then(|| commit.to_owned())
}

/// The file of weights in a folder, chosen as timm does.
fn weights(folder: &Path) -> Option<PathBuf> {
    let preferred = FILES.iter().map(|file| folder.join(file)).find(|path| path.is_file());
    preferred.or_else(|| {
        let mut names: Vec<PathBuf> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        names.sort();
        let ends = |path: &Path, end: &str| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end));
        EXTENSIONS.iter().find_map(|end| names.iter().find(|path| ends(path, end) && path.is_file()).cloned())
    })
}

/// The hash in the name of the blob that a snapshot's file leads to.
fn blob(path: &Path) -> Option<Hash> {
    Hash::of_blob(fs::read_link(path).ok()?.file_name()?.to_str()?)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}
