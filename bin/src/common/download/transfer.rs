//! The transfer of one file, in as many pieces as it takes.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pvlu_zoo::atomic::folder_of;
use pvlu_zoo::published::Hash;

use super::broken::{Broken, Cause};
use super::client::{Answer, Client, Failure, Method};
use super::error::DownloadError;
use crate::common::checksum;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::output::note;

/// Attempts without a new byte after which a transfer is given up.
const ATTEMPTS: u32 = 5;

/// Bytes that are received at once.
const PIECE: usize = 1 << 16;

/// Transfers files from servers to the disk.
pub struct Transfers {
    /// Sends the requests to servers.
    pub client: Client,
    /// Free bytes of the disk of a folder; `None` if the system does not say.
    pub space: fn(&Path) -> Option<u64>,
    /// Time before the first of the repeated attempts; each of the next ones waits twice as long.
    pub pause: Duration,
}

/// A file to be fetched.
pub struct Wanted<'a> {
    /// Address of the file.
    pub url: String,
    /// Path that it gets.
    pub path: &'a Path,
    /// Length in bytes, if it is known.
    pub size: Option<u64>,
    /// Length in mebibytes to three decimals, if it is known.
    pub mebibytes: Option<f32>,
    /// Hash of the contents, if it is known.
    pub hash: Option<&'a Hash>,
}

/// A file that is being received.
struct Receiving<'a> {
    wanted: &'a Wanted<'a>,
    file: File,
    /// Bytes that the file holds.
    received: u64,
    /// Length of the whole file, once a server has said it.
    total: Option<u64>,
    /// The server's mark of this version of the file.
    mark: Option<String>,
    bar: ProgressBar,
}

impl Transfers {
    /// Fetches a file, and gives it its name once its length and its hash are right. The folder has to be there.
    pub fn transfer(&self, wanted: &Wanted<'_>) -> Result<(), CliError> {
        note(&format!("fetching {} into {}", wanted.url, wanted.path.display()));
        let partial = partial(wanted.path);
        let failed = |source| CliError::Write { path: partial.clone(), source };
        if fs::symlink_metadata(&partial).is_ok_and(|found| !found.is_file()) {
            let what = "expected the rest of an earlier transfer, found no file".to_owned();
            return Err(CliError::Damaged { path: partial, what });
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial);
        let file = file.map_err(failed)?;
        // Without a hash nothing tells that an earlier part is of the same file.
        let earlier = if wanted.hash.is_some() { file.metadata().map_err(failed)?.len() } else { 0 };
        let bar = bar();
        let mut receiving = Receiving { wanted, file, received: 0, total: None, mark: None, bar };
        receiving.go_to(earlier).map_err(failed)?;
        if let Err(error) = self.receive(&mut receiving, &partial) {
            // A later attempt would not go on with it. An error of the removal would hide this one.
            if receiving.received == 0 || wanted.hash.is_none() {
                let _ = fs::remove_file(&partial);
            }
            return Err(error);
        }
        let mut checked = check(wanted, &partial);
        if earlier > 0 && matches!(checked, Err(CliError::Download(DownloadError::Hash { .. }))) {
            // The earlier part may have been of another version.
            receiving.go_to(0).map_err(failed)?;
            (receiving.total, receiving.mark) = (None, None);
            self.receive(&mut receiving, &partial)?;
            checked = check(wanted, &partial);
        }
        receiving.bar.finish_and_clear();
        if let Err(error) = checked {
            // An error of the removal would hide this one.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        fs::rename(&partial, wanted.path).map_err(|source| CliError::Write { path: wanted.path.to_owned(), source })
    }

    /// Receives the rest of a file, in several attempts if the connection breaks.
    fn receive(&self, receiving: &mut Receiving<'_>, partial: &Path) -> Result<(), CliError> {
        let mut failures = 0;
        loop {
            let before = receiving.received;
            let reason = match self.attempt(receiving, partial) {
                Ok(None) => {
                    return receiving
                        .file
                        .sync_all()
                        .map_err(|source| CliError::Write { path: partial.to_owned(), source });
                }
                Ok(Some(reason)) => reason,
                Err(error) => return Err(error),
            };
            failures = if receiving.received > before { 1 } else { failures + 1 };
            if failures >= ATTEMPTS || reason.is_lasting() {
                let partial = (receiving.received > 0 && receiving.wanted.hash.is_some()).then(|| partial.to_owned());
                return Err(DownloadError::Connection { url: receiving.wanted.url.clone(), reason, partial }.into());
            }
            self.wait(failures)?;
        }
    }

    /// Waits before the next attempt.
    pub fn wait(&self, failures: u32) -> Result<(), CliError> {
        let end = Instant::now() + self.pause * 2_u32.pow(failures.saturating_sub(1));
        loop {
            if interrupt::interrupted() {
                return Err(CliError::Stopped);
            }
            match end.checked_duration_since(Instant::now()) {
                None | Some(Duration::ZERO) => return Ok(()),
                Some(left) => std::thread::sleep(left.min(Duration::from_millis(100))),
            }
        }
    }

    /// One attempt to receive the rest of a file. Returns the way in which the connection failed; without one the file
    /// is whole.
    fn attempt(&self, receiving: &mut Receiving<'_>, partial: &Path) -> Result<Option<Broken>, CliError> {
        let failed = |source| CliError::Write { path: partial.to_owned(), source };
        // Without a hash and a mark of the version, the rest could be that of another file.
        if receiving.wanted.hash.is_none() && receiving.mark.is_none() && receiving.received > 0 {
            receiving.go_to(0).map_err(failed)?;
        }
        let url = receiving.wanted.url.clone();
        let method = Method::Get { from: receiving.received };
        let answer = match self.client.send(&url, method, receiving.mark.as_deref()) {
            Ok(answer) => answer,
            Err(Failure::Broken(reason)) => return Ok(Some(reason)),
            Err(Failure::Other(error)) => return Err(error.into()),
        };
        let total = match answer.status() {
            200 => {
                // The server sends the whole file, whatever was asked for.
                receiving.go_to(0).map_err(failed)?;
                answer.number("content-length")
            }
            206 => match range(&answer) {
                Some((from, total)) if from == receiving.received => Some(total),
                found => {
                    let (expected, found) = ("the part of the file that was asked for", format!("{found:?}"));
                    return Err(DownloadError::Answer { url, expected, found }.into());
                }
            },
            416 if receiving.received > 0 => {
                // What is there is longer than the file, or of another one.
                receiving.go_to(0).map_err(failed)?;
                let reason = "the server has no such part of the file".to_owned();
                return Ok(Some(Broken::later(Cause::Other(reason))));
            }
            status @ (408 | 429 | 500..) => return Ok(Some(Broken::later(Cause::Status(status)))),
            status => return Err(refused(url, status, &answer).into()),
        };
        let total = receiving.agreed(total)?;
        let (folder, needed) = (folder_of(partial), total - receiving.received);
        if let Some(free) = (self.space)(folder).filter(|free| *free < needed) {
            return Err(DownloadError::Space { folder: folder.to_owned(), needed, free }.into());
        }
        receiving.mark = answer.header("etag").filter(|mark| !mark.starts_with("W/")).map(str::to_owned);
        // One byte more tells that there are more than announced.
        let mut body = answer.response.into_body().into_reader().take(needed.saturating_add(1));
        let mut piece = vec![0; PIECE];
        loop {
            if interrupt::interrupted() {
                return Err(CliError::Stopped);
            }
            let read = match body.read(&mut piece) {
                Ok(read) => read,
                Err(error) => return Ok((receiving.received < total).then(|| self.client.broken(error))),
            };
            if read == 0 {
                let received = receiving.received;
                let ended = || Broken::later(Cause::Ended(format!("after {received} of {total} bytes")));
                return Ok((received < total).then(ended));
            }
            if receiving.received + read as u64 > total {
                let _ = fs::remove_file(partial);
                let (expected, found) = ("no more bytes than were announced", format!("more than {total}"));
                return Err(DownloadError::Answer { url, expected, found }.into());
            }
            receiving.file.write_all(&piece[..read]).map_err(failed)?;
            receiving.received += read as u64;
            receiving.bar.set_position(receiving.received);
        }
    }
}

impl Receiving<'_> {
    /// Keeps the first bytes of what was received.
    fn go_to(&mut self, received: u64) -> std::io::Result<()> {
        self.file.set_len(received)?;
        self.file.seek(SeekFrom::Start(received))?;
        self.received = received;
        Ok(())
    }

    /// The length of the file that a server announces, which has to be the one that is known.
    fn agreed(&mut self, announced: Option<u64>) -> Result<u64, DownloadError> {
        let wrong = |expected, found: String| DownloadError::Answer { url: self.wanted.url.clone(), expected, found };
        let total = announced.ok_or_else(|| wrong("a length of the file", "none".to_owned()))?;
        let mebibytes = total as f64 / f64::from(1 << 20);
        let fits = self.wanted.size.is_none_or(|size| size == total)
            && self.wanted.mebibytes.is_none_or(|size| (mebibytes - f64::from(size)).abs() < 1e-3)
            && self.total.is_none_or(|before| before == total);
        if !fits || total < self.received {
            return Err(wrong("the length that the publisher states", format!("{total} bytes")));
        }
        self.total = Some(total);
        self.bar.set_length(total);
        Ok(total)
    }
}

/// The error for a status other than success.
pub fn refused(url: String, status: u16, answer: &Answer) -> DownloadError {
    let said = answer.header("x-error-message").unwrap_or_default();
    let hint = match (status, said) {
        (401 | 403, "") => ": it wants a right that this program does not have; for the Hugging Face Hub set HF_TOKEN",
        (404, "") => ": it is not there",
        (_, said) => return DownloadError::Status { url, status, hint: format!(": {said}") },
    };
    DownloadError::Status { url, status, hint: hint.to_owned() }
}

/// The first byte and the length of the whole file from a `Content-Range`.
fn range(answer: &Answer) -> Option<(u64, u64)> {
    let (bytes, total) = answer.header("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = bytes.split_once('-')?;
    Some((from.parse().ok()?, total.parse().ok()?))
}

fn check(wanted: &Wanted<'_>, partial: &Path) -> Result<(), CliError> {
    let Some(expected) = wanted.hash else { return Ok(()) };
    let found = checksum::digest(partial, expected)?;
    if expected.is_of(&found) {
        return Ok(());
    }
    Err(DownloadError::Hash { url: wanted.url.clone(), expected: expected.clone(), found }.into())
}

/// Path of what was received of a file.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".incomplete");
    path.with_file_name(name)
}

/// A bar on stderr, if that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} (eta {eta})") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Bytes that this user may still write on the disk of a folder.
#[cfg(unix)]
#[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
pub fn free_space(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    (disk.blocks_available() as u64).checked_mul(disk.fragment_size() as u64)
}

/// The disk is not asked: writing fails when it is full.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}
