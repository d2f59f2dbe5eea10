//! Connections that fail, each with what a user can do about it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use ureq::{Error, Timeout};

/// Begin of the message of the standard library about a name without an address, which has no kind of its own.
const NO_ADDRESS: &str = "failed to lookup address information";

/// Code of the same error on Windows.
const NO_ADDRESS_ON_WINDOWS: i32 = 11001;

/// A connection that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The way in which it failed.
    pub cause: Cause,
    /// The proxy that was asked, with the variable that names it.
    pub proxy: Option<String>,
}

/// The ways in which a connection fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The name of the host has no address.
    Name,
    /// Nothing takes connections at the address.
    Refused,
    /// No way leads to the address.
    Unreachable,
    /// The host was not reached in time.
    NotReached(Duration),
    /// The host sent nothing for too long.
    Silent(Duration),
    /// The host did not show that it is the one that was asked for.
    Tls(String),
    /// The proxy does not make the connection.
    Proxy(String),
    /// The connection ended before all was received.
    Ended(String),
    /// The server is busy or fails, as this status says.
    Status(u16),
    /// Any failure of another kind.
    Other(String),
}

impl Broken {
    /// The failure that a client reports which waits so long. With a `proxy`, it is the proxy that was not reached.
    pub fn of(error: Error, patience: Duration, proxy: Option<&str>) -> Self {
        let cause = match error {
            Error::HostNotFound => Cause::Name,
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Cause::NotReached(patience),
            Error::Timeout(_) => Cause::Silent(patience),
            Error::Tls(reason) => Cause::Tls(reason.to_owned()),
            Error::Rustls(error) => Cause::Tls(error.to_string()),
            Error::ConnectProxyFailed(reason) => Cause::Proxy(reason),
            Error::Io(error) => Cause::of_system(&error, patience),
            error => Cause::Other(error.to_string()),
        };
        Self { cause, proxy: proxy.map(str::to_owned) }
    }

    /// A failure after the connection was made.
    pub fn later(cause: Cause) -> Self {
        Self { cause, proxy: None }
    }

    /// Returns true for a failure that another attempt would meet again.
    pub fn is_lasting(&self) -> bool {
        matches!(self.cause, Cause::Tls(_))
    }
}

impl Cause {
    fn of_system(error: &io::Error, patience: Duration) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Silent(patience),
            // The kind in which rustls wraps its errors; the sockets of a system do not have it.
            ErrorKind::InvalidData => Self::Tls(error.to_string()),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                Self::Ended(error.to_string())
            }
            _ if error.to_string().starts_with(NO_ADDRESS) => Self::Name,
            _ if cfg!(windows) && error.raw_os_error() == Some(NO_ADDRESS_ON_WINDOWS) => Self::Name,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = "check this machine's connection; behind a proxy set HTTPS_PROXY";
        match (&self.cause, &self.proxy) {
            (cause @ (Cause::Name | Cause::Refused | Cause::Unreachable | Cause::NotReached(_)), Some(proxy)) => {
                let what = match cause {
                    Cause::Name => "its name has no address",
                    Cause::Refused => "it refuses the connection",
                    Cause::Unreachable => "no network leads to it",
                    _ => "it does not answer in time",
                };
                write!(f, "the proxy {proxy} was not reached, {what}: correct the variable, or unset it")
            }
            (Cause::Name, None) => write!(f, "the name of the host has no address: check the address, or {network}"),
            (Cause::Refused, None) => {
                write!(f, "the connection was refused: nothing listens there, or a firewall forbids it; try later")
            }
            (Cause::Unreachable, None) => write!(f, "no network leads to the host: {network}"),
            (Cause::NotReached(patience), None) => {
                write!(f, "the host was not reached within {} s: {network}", patience.as_secs_f32())
            }
            (Cause::Silent(patience), _) => {
                write!(f, "the server sent nothing for {} s: try later", patience.as_secs_f32())
            }
            (Cause::Tls(reason), _) => write!(
                f,
                "the server did not show that it is the one that was asked for ({reason}): check this machine's date; \
                 behind a program that opens secure connections, or for a server with an authority of its own, set \
                 SSL_CERT_FILE to a file with the certificates to trust, in PEM"
            ),
            (Cause::Proxy(reason), proxy) => {
                let proxy = proxy.as_deref().unwrap_or_default();
                write!(f, "the proxy {proxy} made no connection ({reason}): it may forbid the host, or want a name ")?;
                write!(f, "and a password (http://NAME:PASSWORD@HOST:PORT); NO_PROXY lists hosts to ask without it")
            }
            (Cause::Ended(reason), _) => write!(f, "the connection ended early ({reason}): try again"),
            (Cause::Status(status), _) => write!(f, "the server answers {status}: try later"),
            (Cause::Other(reason), _) => write!(f, "the connection failed ({reason})"),
        }
    }
}
