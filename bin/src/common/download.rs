//! Fetching published weights into the caches of their publishers' programs, where Python finds them too.
//!
//! A file is written beside its place under the name with `.incomplete` at its end, which a later attempt goes on with,
//! and gets its own name once its length and its hash are right. A lock makes programs that fetch one file wait for
//! each other.

mod broken;
mod client;
pub mod error;
mod hub;
mod lock;
mod proxy;
mod publishers;
mod roots;
mod transfer;

use std::fs;
use std::path::Path;
use std::time::Duration;

use self::client::{Client, PATIENCE};
use self::error::DownloadError;
use self::proxy::Proxies;
use self::publishers::Publishers;
use self::transfer::{Transfers, Wanted};
use crate::common::checksum;
use crate::common::error::CliError;
use pvlu_zoo::published::{Cached, Caches, Published, PublishedFile, Variables};

/// Fetches published weights from their publishers.
pub struct Downloader {
    transfers: Transfers,
    publishers: Publishers,
}

/// Time before the second attempt to reach a server.
const PAUSE: Duration = Duration::from_secs(1);

impl Downloader {
    /// A downloader by the settings that the environment gives.
    ///
    /// # Errors
    ///
    /// [`DownloadError::Setting`] and [`DownloadError::Certificates`] for a variable that is not understood.
    pub fn new(variables: Variables<'_>) -> Result<Self, DownloadError> {
        Self::patient(variables, PATIENCE)
    }

    /// As [`new`](Self::new), which waits so long for a server.
    fn patient(variables: Variables<'_>, patience: Duration) -> Result<Self, DownloadError> {
        let publishers = Publishers::of(variables)?;
        let (proxies, roots) = (Proxies::of(variables)?, roots::of(variables)?);
        let client = Client::new(publishers.token(variables), proxies, roots, patience);
        Ok(Self { transfers: Transfers { client, space: transfer::free_space, pause: PAUSE }, publishers })
    }

    /// Fetches published weights into the cache, unless they are there by the time that the lock is held, and returns
    /// the file with its hash checked.
    ///
    /// # Errors
    ///
    /// [`DownloadError`] and the errors of writing and of wrong hashes. Nothing is then at the place of the file.
    pub fn fetch(&self, published: &Published, caches: &Caches) -> Result<Cached, CliError> {
        match published {
            Published::File(file) => self.fetch_file(file, caches),
            Published::Hub(repository) => hub::fetch(&self.transfers, &self.publishers, repository, caches),
        }
    }

    fn fetch_file(&self, file: &PublishedFile, caches: &Caches) -> Result<Cached, CliError> {
        let (path, hash) = (file.path(caches)?, file.hash());
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|source| CliError::Write { path: folder.to_owned(), source })?;
        let _lock = lock::hold(&lock::beside(&path), true)?;
        let cached = Cached { path, hash };
        if cached.path.is_file() {
            // Another program has fetched it while this one waited.
            cached.hash.as_ref().map_or(Ok(()), |hash| checksum::check(&cached.path, hash))?;
            return Ok(cached);
        }
        let wanted = Wanted {
            url: self.publishers.url(file.weights.source, &file.place()),
            path: &cached.path,
            size: None,
            mebibytes: file.weights.mebibytes,
            hash: cached.hash.as_ref(),
        };
        self.transfers.transfer(&wanted)?;
        Ok(cached)
    }
}

#[cfg(test)]
mod tests;
