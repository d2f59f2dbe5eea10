//! The proxy that the environment names, as `curl` reads it for https.

use pvlu_zoo::published::Variables;
use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::error::DownloadError;

/// Variables with the address of a proxy, of which the first that is set counts.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Variables with the hosts that no proxy is asked for, of which the first that is set counts.
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy for all hosts but some.
#[derive(Clone, Default)]
pub struct Proxies {
    /// The proxy, and its name in messages, which has no password.
    proxy: Option<(Proxy, String)>,
    /// Hosts that are asked without it, each with a port if it has one.
    direct: Vec<(String, Option<u16>)>,
    /// True if all hosts are asked without it.
    all_direct: bool,
}

impl Proxies {
    /// The proxy that these variables name.
    ///
    /// # Errors
    ///
    /// [`DownloadError::Setting`] for an address that is none, and for a kind of proxies that is not built in.
    pub fn of(variables: Variables<'_>) -> Result<Self, DownloadError> {
        let set = |name: &'static str| {
            let value = variables(name)?.to_string_lossy().trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        };
        let named = VARIABLES.into_iter().find_map(set).map(|(variable, address)| {
            // Only what is behind a name and a password is shown.
            let shown = address.rsplit_once('@').map_or(&*address, |(_, host)| host).to_owned();
            let proxy = Proxy::new(&address).ok();
            let is_read = |proxy: &Proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
            match proxy.filter(is_read) {
                Some(proxy) => Ok((proxy, format!("{shown} ({variable})"))),
                None => {
                    let expected = "http://HOST:PORT or https://HOST:PORT of a proxy";
                    Err(DownloadError::Setting { variable, expected, found: shown })
                }
            }
        });
        let list = NO_PROXY.into_iter().find_map(set).map_or_else(String::new, |(_, list)| list.to_lowercase());
        let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        let entry = |entry: &str| {
            let entry = entry.trim_start_matches('*').trim_start_matches('.');
            let with_port = entry.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            match with_port {
                // An address of version 6 has more than one colon.
                Some((host, port)) if !host.contains(':') || host.ends_with(']') => (bare(host).to_owned(), Some(port)),
                _ => (bare(entry).to_owned(), None),
            }
        };
        let all_direct = entries.clone().any(|entry| entry == "*");
        let direct = entries.filter(|entry| *entry != "*").map(entry).collect();
        Ok(Self { proxy: named.transpose()?, direct, all_direct })
    }

    /// The proxy that a variable names.
    pub fn proxy(&self) -> Option<Proxy> {
        self.proxy.as_ref().map(|(proxy, _)| proxy.clone())
    }

    /// Name of the proxy that is asked for an address; `None` for one that is asked itself.
    pub fn name_for(&self, uri: &Uri) -> Option<&str> {
        let (_, name) = self.proxy.as_ref()?;
        let host = bare(uri.host()?).to_lowercase();
        let port = uri.port_u16().unwrap_or(443);
        let is_listed = |(entry, of_port): &(String, Option<u16>)| {
            let is_within =
                host.strip_suffix(entry.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            is_within && of_port.is_none_or(|of_port| of_port == port)
        };
        (!self.all_direct && !self.direct.iter().any(is_listed)).then_some(name)
    }
}

/// A host without the brackets of an address of version 6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(set: &[(&str, &str)]) -> Result<Proxies, DownloadError> {
        Proxies::of(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    fn name(set: &[(&str, &str)], url: &str) -> Option<String> {
        proxies(set).unwrap().name_for(&url.parse().unwrap()).map(str::to_owned)
    }

    #[test]
    fn the_variable_for_https_counts_before_the_one_for_all() {
        let url = "https://a.example/x";
        let all = ("ALL_PROXY", "http://all.example:1");
        assert_eq!(name(&[all], url).unwrap(), "http://all.example:1 (ALL_PROXY)");
        assert_eq!(name(&[all, ("HTTPS_PROXY", "one.example:2")], url).unwrap(), "one.example:2 (HTTPS_PROXY)");
        assert_eq!(name(&[all, ("HTTPS_PROXY", " ")], url).unwrap(), "http://all.example:1 (ALL_PROXY)");
        // Not for https, and not read by curl either.
        assert_eq!(name(&[("HTTP_PROXY", "http://a.example")], url), None);
        let named = [("https_proxy", "http://me:secret@one.example:2")];
        assert_eq!(name(&named, url).unwrap(), "one.example:2 (https_proxy)");
        assert_eq!(proxies(&named).unwrap().proxy().unwrap().password(), Some("secret"));
    }

    #[test]
    fn what_is_no_proxy_is_an_error_without_the_password() {
        for wrong in ["socks5://me:secret@a.example:1", "http://me:secret@", "ftp://me:secret@a.example"] {
            let error = proxies(&[("HTTPS_PROXY", wrong)]).err().unwrap().to_string();
            assert!(error.starts_with("HTTPS_PROXY: ") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn listed_hosts_and_those_within_them_are_asked_without_the_proxy() {
        let asked = |list: &str, url: &str| {
            name(&[("ALL_PROXY", "http://p.example"), ("NO_PROXY", list)], &format!("https://{url}/x")).is_some()
        };
        for (list, url) in [
            ("a.example", "a.example"),
            ("b.example, A.example", "cdn.a.EXAMPLE"),
            (".a.example", "cdn.a.example"),
            ("*.a.example", "cdn.a.example:8443"),
            ("a.example:8443", "a.example:8443"),
            ("a.example:443", "a.example"),
            ("::1", "[::1]"),
            ("[::1]:8443", "[::1]:8443"),
            ("*", "a.example"),
        ] {
            assert!(!asked(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "a.example"),
            ("a.example", "aa.example"),
            ("a.example", "a.example.org"),
            ("a.example:8443", "a.example"),
            ("cdn.a.example", "a.example"),
        ] {
            assert!(asked(list, url), "{list} {url}");
        }
    }
}
