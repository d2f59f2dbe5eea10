//! Requests: https alone but for this machine itself, redirects that are followed one by one, and the token for one
//! host.

use std::fmt;
use std::time::Duration;

use ureq::http::{HeaderValue, Response, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::broken::Broken;
use super::error::DownloadError;
use super::proxy::Proxies;

/// Most redirects that are followed.
const REDIRECTS: usize = 10;

/// Time within which a server has to be reached, and to send its next bytes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of the head of an answer.
const HEAD: usize = 1 << 16;

/// A token and the host that may have it.
#[derive(Clone)]
pub struct Secret {
    origin: Origin,
    /// Variable that holds the token.
    variable: &'static str,
    /// The value of the header with the token; the number of the first character that none can hold, from 1 on.
    value: Result<HeaderValue, usize>,
}

/// Scheme, host and port of an address.
type Origin = (String, String, u16);

/// The token is not shown.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Secret {
    /// A token from a variable, for the host of an address; `None` if the address has no host.
    pub fn new(url: &str, variable: &'static str, token: &str) -> Option<Self> {
        let origin = origin(&url.parse().ok()?)?;
        let unfit = token.chars().position(|c| !c.is_ascii_graphic());
        let value = match HeaderValue::try_from(format!("Bearer {token}")) {
            Ok(value) if unfit.is_none() => Ok(value),
            _ => Err(unfit.unwrap_or(0) + 1),
        };
        // So that no message shows it.
        let hidden = value.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Some(Self { origin, variable, value: hidden })
    }

    /// The value of the header for a request.
    fn value(&self) -> Result<HeaderValue, DownloadError> {
        self.value.clone().map_err(|at| DownloadError::Token { variable: self.variable, at })
    }
}

fn origin(uri: &Uri) -> Option<Origin> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// True if the host of an address is this machine by its loopback interface.
fn is_loopback(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Returns true for an address of https, and for one of http on this machine. A name or a password in it is refused.
pub fn is_allowed(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        let named = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let scheme = uri.scheme_str().unwrap_or_default();
        !named && uri.host().is_some() && (scheme == "https" || scheme == "http" && is_loopback(&uri))
    })
}

/// An answer and the address that gave it.
pub struct Answer {
    /// Head and body of the answer.
    pub response: Response<Body>,
}

impl Answer {
    /// Value of a header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Value of a header that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// Number of the status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }
}

/// Methods of the requests that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The head alone. Redirects are followed within the host alone.
    Head,
    /// The file from a byte on, if it is still the one with this mark.
    Get {
        /// The first byte that is wanted.
        from: u64,
    },
}

/// Sends requests to publishers.
pub struct Client {
    agent: Agent,
    /// For this machine itself, and for hosts that no proxy is to be asked for.
    direct: Agent,
    proxies: Proxies,
    patience: Duration,
    secret: Option<Secret>,
}

/// An error of a request: of the connection, after which another attempt may succeed, or any other.
pub enum Failure {
    /// The way in which the connection failed.
    Broken(Broken),
    /// Any other error, which another attempt would give again.
    Other(DownloadError),
}

impl Client {
    /// A client that waits so long for a server to be reached, and for its next bytes.
    pub fn new(secret: Option<Secret>, proxies: Proxies, roots: RootCerts, patience: Duration) -> Self {
        let tls = TlsConfig::builder().root_certs(roots).build();
        let agent = |proxy| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .user_agent(concat!("pvlu_zoo/", env!("CARGO_PKG_VERSION")))
                .max_response_header_size(HEAD)
                .timeout_resolve(Some(patience))
                .timeout_connect(Some(patience))
                .timeout_recv_response(Some(patience))
                .timeout_per_read(Some(patience))
                .tls_config(tls.clone())
                .proxy(proxy);
            config.build().new_agent()
        };
        Self { agent: agent(proxies.proxy()), direct: agent(None), proxies, patience, secret }
    }

    /// The failure of a connection that was made, while an answer is received.
    pub fn broken(&self, error: std::io::Error) -> Broken {
        Broken::of(error.into(), self.patience, None)
    }

    /// Sends a request, and follows where the server leads to. `mark` is the `ETag` that the file has to have still for
    /// a part of it to be sent.
    pub fn send(&self, url: &str, method: Method, mark: Option<&str>) -> Result<Answer, Failure> {
        let mut at = url.to_owned();
        for _ in 0..=REDIRECTS {
            let answer = self.send_once(&at, method, mark)?;
            let leads = matches!(answer.status(), 301 | 302 | 303 | 307 | 308);
            let Some(next) = answer.header(header::LOCATION.as_str()).filter(|_| leads) else { return Ok(answer) };
            let next = joined(&at, next).ok_or_else(|| {
                let (expected, found) = ("an address to go on with", next.to_owned());
                Failure::Other(DownloadError::Answer { url: at.clone(), expected, found })
            })?;
            // The Hub leads to another host with a head that says what the file is.
            let same =
                |a: &str, b: &str| a.parse().ok().and_then(|a| origin(&a)) == b.parse().ok().and_then(|b| origin(&b));
            if method == Method::Head && !same(&at, &next) {
                return Ok(answer);
            }
            at = next;
        }
        Err(Failure::Other(DownloadError::Redirects { url: url.to_owned(), most: REDIRECTS }))
    }

    fn send_once(&self, url: &str, method: Method, mark: Option<&str>) -> Result<Answer, Failure> {
        let not_https = || Failure::Other(DownloadError::NotHttps { url: url.to_owned() });
        let uri: Uri = url.parse().map_err(|_| not_https())?;
        if !is_allowed(url) {
            return Err(not_https());
        }
        let proxy = self.proxies.name_for(&uri).filter(|_| !is_loopback(&uri));
        let agent = if proxy.is_some() { &self.agent } else { &self.direct };
        let mut request = match method {
            Method::Head => agent.head(url),
            Method::Get { .. } => agent.get(url),
        };
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if let Method::Get { from: from @ 1.. } = method {
            request = request.header(header::RANGE, format!("bytes={from}-"));
            request = mark.into_iter().fold(request, |request, mark| request.header(header::IF_RANGE, mark));
        }
        let secret = self.secret.as_ref().filter(|secret| origin(&uri).as_ref() == Some(&secret.origin));
        if let Some(secret) = secret {
            request = request.header(header::AUTHORIZATION, secret.value().map_err(Failure::Other)?);
        }
        match request.call() {
            Ok(response) => Ok(Answer { response }),
            Err(error) => Err(Failure::Broken(Broken::of(error, self.patience, proxy))),
        }
    }
}

/// The address that a `Location` means, seen from another address; `None` for one that is relative to a folder.
fn joined(from: &str, location: &str) -> Option<String> {
    let from: Uri = from.parse().ok()?;
    let to: Uri = location.parse().ok()?;
    if to.scheme().is_some() {
        return Some(location.to_owned());
    }
    let is_path = location.starts_with('/') && !location.starts_with("//");
    is_path.then(|| {
        format!("{}://{}{location}", from.scheme_str().unwrap_or("https"), from.authority().map_or("", |a| a.as_str()))
    })
}
