//! Errors of fetching published files.

use std::path::PathBuf;

use pvlu_zoo::published::Hash;
use pvlu_zoo::text;

use super::broken::Broken;

/// A file that could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// A variable has a value that is not understood.
    #[error("{variable}: {}: expected {expected}", text::shown(found))]
    Setting {
        /// Name of the variable.
        variable: &'static str,
        /// Description of the values that it takes.
        expected: &'static str,
        /// Value that it has.
        found: String,
    },
    /// A token has a character that no request can hold. The token is not shown.
    #[error(
        "{variable}: expected a token of letters, digits and signs, found another character as number {at}: set it \
         again, without spaces, line ends and quotes"
    )]
    Token {
        /// Name of the variable.
        variable: &'static str,
        /// Number of the character, from 1 on.
        at: usize,
    },
    /// A variable names no certificates that can be read.
    #[error(
        "{variable}: {}: expected certificates in PEM (-----BEGIN CERTIFICATE-----), {}",
        text::path(path),
        text::message(reason)
    )]
    Certificates {
        /// Name of the variable.
        variable: &'static str,
        /// File or folder that it names.
        path: PathBuf,
        /// Description of what was found.
        reason: String,
    },
    /// An address is not of https, and not of this machine.
    #[error("{}: only https is used, and http on this machine itself", text::shown(url))]
    NotHttps {
        /// Address that was given, or that a server led to.
        url: String,
    },
    /// A server leads from one address to the next without an end.
    #[error("{}: leads to more than {most} other addresses", text::shown(url))]
    Redirects {
        /// Address that was asked first.
        url: String,
        /// Most addresses that are followed.
        most: usize,
    },
    /// A server did not give the file.
    #[error("{}: the server answers {status}{}", text::shown(url), text::shown(hint))]
    Status {
        /// Address of the file.
        url: String,
        /// Status of the answer.
        status: u16,
        /// Explanation of the status, after a colon and a space, or nothing.
        hint: String,
    },
    /// A server could not be reached, or the connection broke and no attempt to go on succeeded.
    #[error("{}: {}{}", text::shown(url), text::message(&reason.to_string()), kept(partial.as_ref()))]
    Connection {
        /// Address of the file.
        url: String,
        /// The way in which the last attempt failed.
        reason: Broken,
        /// File that holds what was received, and with which another attempt goes on.
        partial: Option<PathBuf>,
    },
    /// An answer is not as the protocol says.
    #[error("{}: expected {expected}, found {}", text::shown(url), text::shown(found))]
    Answer {
        /// Address of the file.
        url: String,
        /// Description of the answer that was expected.
        expected: &'static str,
        /// The part of the answer that is otherwise.
        found: String,
    },
    /// The bytes that were received have another hash than the publisher states, and were removed.
    #[error("{}: expected {expected}, received {found}: it was not kept", text::shown(url))]
    Hash {
        /// Address of the file.
        url: String,
        /// Hash that the publisher states.
        expected: Hash,
        /// Hash of what was received.
        found: String,
    },
    /// The disk does not have the space that the file takes.
    #[error("{}: the file takes {needed} bytes more, and the disk has {free} left", text::path(folder))]
    Space {
        /// Folder of the file.
        folder: PathBuf,
        /// Bytes that are still to be received.
        needed: u64,
        /// Bytes that the disk has.
        free: u64,
    },
}

fn kept(partial: Option<&PathBuf>) -> String {
    partial.map_or(String::new(), |path| format!("; the next attempt goes on with {}", text::path(path)))
}
