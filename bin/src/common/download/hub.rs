//! The protocol of the Hugging Face Hub: the head of a file's address says the commit, the hash and the length.

use std::fs;
use std::path::{Path, PathBuf};

use pvlu_zoo::published::{Cached, Caches, FILES, Hash, Repository, is_commit};
use pvlu_zoo::source::Source;

use super::broken::{Broken, Cause};
use super::client::{Answer, Failure, Method};
use super::error::DownloadError;
use super::lock;
use super::publishers::Publishers;
use super::transfer::{Transfers, Wanted, refused};
use crate::common::error::CliError;
use crate::common::output::{note, write_atomically};

/// Attempts to reach the Hub.
const ATTEMPTS: u32 = 5;

/// File that says how images are prepared for the weights.
const CONFIG: &str = "config.json";

/// Most bytes of a configuration that is fetched.
const MAX_CONFIG: u64 = 1 << 20;

/// Properties of a file at the Hub.
struct Head {
    commit: String,
    /// Hash as the Hub writes it, the name of the blob.
    blob: String,
    hash: Hash,
    size: u64,
}

/// Fetches the weights of a repository, and its `config.json` if there is one, into the Hub's cache.
pub fn fetch(
    transfers: &Transfers,
    publishers: &Publishers,
    repository: &Repository,
    caches: &Caches,
) -> Result<Cached, CliError> {
    let folder = repository.folder(caches)?;
    let url = |revision: &str, file: &str| {
        let place = format!("{}/resolve/{}/{file}", repository.id(), revision.replace('/', "%2F"));
        publishers.url(Source::Timm, &place)
    };
    note(&format!("fetching hf:{repository} from {}", publishers.url(Source::Timm, "")));
    for file in FILES {
        let Some(head) = head(transfers, &url(repository.revision(), file))? else { continue };
        // The commit counts from here on, whatever the revision is by then.
        let path = place(transfers, &folder, &head, &url(&head.commit, file), file)?;
        let from = url(&head.commit, CONFIG);
        let config = self::head(transfers, &from)?;
        if let Some(config) = config.filter(|config| config.size <= MAX_CONFIG && config.commit == head.commit) {
            place(transfers, &folder, &config, &from, CONFIG)?;
        }
        // The last step: a revision is known once its files are there.
        if let Some(reference) = repository.reference(&folder) {
            make_folder(reference.parent().unwrap_or(&folder))?;
            write_atomically(&reference, head.commit.as_bytes())?;
        }
        return Ok(Cached { path, hash: Some(head.hash) });
    }
    let (expected, found) = ("one of the files model.safetensors, pytorch_model.bin, model.pth", "none".to_owned());
    Err(DownloadError::Answer { url: repository.url(), expected, found }.into())
}

/// The head of a file's address; `None` if the repository does not have the file.
fn head(transfers: &Transfers, url: &str) -> Result<Option<Head>, CliError> {
    let mut failures = 0;
    let answer = loop {
        let reason = match transfers.client.send(url, Method::Head, None) {
            Ok(answer) if !matches!(answer.status(), 408 | 429 | 500..) => break answer,
            Ok(answer) => Broken::later(Cause::Status(answer.status())),
            Err(Failure::Broken(reason)) => reason,
            Err(Failure::Other(error)) => return Err(error.into()),
        };
        failures += 1;
        if failures >= ATTEMPTS || reason.is_lasting() {
            return Err(DownloadError::Connection { url: url.to_owned(), reason, partial: None }.into());
        }
        transfers.wait(failures)?;
    };
    match answer.status() {
        404 if answer.header("x-error-code") == Some("EntryNotFound") => Ok(None),
        200 | 300..400 => Ok(Some(read(&answer, url)?)),
        status => Err(refused(url.to_owned(), status, &answer).into()),
    }
}

fn read(answer: &Answer, url: &str) -> Result<Head, DownloadError> {
    let wrong = |expected, found: Option<&str>| DownloadError::Answer {
        url: url.to_owned(),
        expected,
        found: found.unwrap_or("none").to_owned(),
    };
    let commit = answer.header("x-repo-commit");
    let Some(of_file) = commit.filter(|commit| is_commit(commit)) else {
        return Err(wrong("X-Repo-Commit with a commit", commit));
    };
    let mark = answer.header("x-linked-etag").or_else(|| answer.header("etag"));
    let blob = mark.map(|mark| mark.trim_start_matches("W/").trim_matches('"'));
    let Some((blob, hash)) = blob.and_then(|blob| Some((blob, Hash::of_blob(blob)?))) else {
        return Err(wrong("an ETag that is a SHA-256 or a git hash", mark));
    };
    let length = answer.number("content-length").filter(|_| answer.status() == 200);
    let size = answer.number("x-linked-size").or(length).ok_or_else(|| wrong("a length of the file", None))?;
    Ok(Head { commit: of_file.to_owned(), blob: blob.to_owned(), hash, size })
}

/// Makes sure that a file is in the snapshot of its commit, and returns its path there.
fn place(transfers: &Transfers, folder: &Path, head: &Head, url: &str, file: &str) -> Result<PathBuf, CliError> {
    let (blobs, snapshot) = (folder.join("blobs"), folder.join("snapshots").join(&head.commit));
    make_folder(&blobs)?;
    make_folder(&snapshot)?;
    let (blob, path) = (blobs.join(&head.blob), snapshot.join(file));
    let locks = folder.with_file_name(".locks").join(folder.file_name().unwrap_or_default());
    let _lock = lock::hold(&locks.join(format!("{}.lock", head.blob)), false)?;
    if path.is_file() {
        crate::common::checksum::check(&path, &head.hash)?;
        return Ok(path);
    }
    if blob.is_file() {
        // Of another commit, which may have left it damaged.
        crate::common::checksum::check(&blob, &head.hash)?;
    } else {
        let wanted =
            Wanted { url: url.to_owned(), path: &blob, size: Some(head.size), mebibytes: None, hash: Some(&head.hash) };
        transfers.transfer(&wanted)?;
    }
    let failed = |source| CliError::Write { path: path.clone(), source };
    // A link that leads nowhere would be in the way.
    if fs::symlink_metadata(&path).is_ok() {
        fs::remove_file(&path).map_err(failed)?;
    }
    // As `huggingface_hub` does where there are no links, the file itself is put there.
    link(&Path::new("../../blobs").join(&head.blob), &path).or_else(|_| fs::rename(&blob, &path)).map_err(failed)?;
    Ok(path)
}

#[cfg(unix)]
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn make_folder(folder: &Path) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|source| CliError::Write { path: folder.to_owned(), source })
}
