//! Connections that fail, and proxies.

use std::net::{TcpListener, ToSocketAddrs};

use super::super::broken::Cause;
use super::*;

/// Time that a server has in these tests.
const PATIENCE: Duration = Duration::from_millis(150);

/// As [`downloader`], with less patience.
fn hasty(variables: &[(&str, &str)]) -> Result<Downloader, DownloadError> {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    let Downloader { transfers, publishers } = Downloader::patient(&value, PATIENCE)?;
    let transfers = Transfers { space: |_| None, pause: Duration::from_millis(1), ..transfers };
    Ok(Downloader { transfers, publishers })
}

/// Cause and message of the failure of a fetch.
fn failure(variables: &[(&str, &str)]) -> (Cause, String) {
    match Published::new().fetch_by(&hasty(variables).unwrap()).unwrap_err() {
        CliError::Download(error) => {
            let text = error.to_string();
            let DownloadError::Connection { reason, partial: None, .. } = error else { panic!("{text}") };
            assert!(!text.contains('\n') && text.contains(&reason.to_string()), "{text}");
            (reason.cause, text)
        }
        error => panic!("{error}"),
    }
}

/// The address of this machine as one that is no loopback address by its number.
fn outward(port: u16) -> String {
    format!("torchvision=https://0.0.0.0:{port}")
}

/// A port that nothing listens at.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that stands for a proxy, with its variable.
fn proxy(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> (Server, String) {
    let server = Server::start(answer);
    let url = server.url();
    (server, url)
}

#[test]
fn a_refused_connection_a_silent_server_and_one_that_hangs_up_are_told_apart() {
    let from = |server: &Server| format!("torchvision={}", server.url());
    let refused = format!("torchvision=http://127.0.0.1:{}", free_port());
    let (cause, text) = failure(&[("PVLU_ZOO_PUBLISHERS", &refused)]);
    assert_eq!(cause, Cause::Refused, "{text}");
    assert!(text.contains("nothing listens there"), "{text}");
    let silent = Server::start(|_, _| {
        std::thread::sleep(2 * PATIENCE);
        Reply::status(200)
    });
    let (cause, text) = failure(&[("PVLU_ZOO_PUBLISHERS", &from(&silent))]);
    assert_eq!(cause, Cause::Silent(PATIENCE), "{text}");
    assert!(text.contains("sent nothing for 0.15 s"), "{text}");
    let hangs_up = Server::start(|request, _| Reply::part(request, &[0; 1000]).cut(0));
    let (cause, text) = failure(&[("PVLU_ZOO_PUBLISHERS", &from(&hangs_up))]);
    assert!(matches!(cause, Cause::Ended(_)) && text.contains("the connection ended early"), "{text}");
    let busy = Server::start(|_, _| Reply::status(503));
    let (cause, text) = failure(&[("PVLU_ZOO_PUBLISHERS", &from(&busy))]);
    assert_eq!(cause, Cause::Status(503), "{text}");
}

#[test]
fn a_name_without_an_address_is_told_from_other_errors_of_the_system() {
    // Longer than a name may be, so that nobody is asked.
    let error = (format!("{}.example", "x".repeat(300)), 443).to_socket_addrs().unwrap_err();
    let broken = super::super::broken::Broken::of(ureq::Error::Io(error), PATIENCE, None);
    assert_eq!(broken.cause, Cause::Name);
    assert!(broken.to_string().contains("HTTPS_PROXY"), "{broken}");
}

#[test]
fn the_proxy_that_a_variable_names_is_asked_for_hosts_that_no_proxy_does_not_list() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (server, url) = proxy(|_, _| Reply::status(407));
        let address = url.replace("http://", "http://me:secret@");
        let publishers = ("PVLU_ZOO_PUBLISHERS", "torchvision=https://publisher.example:8443");
        let (cause, text) = failure(&[publishers, (variable, &address)]);
        assert!(matches!(&cause, Cause::Proxy(reason) if reason.contains("407")), "{text}");
        assert!(text.contains(&format!("({variable})")) && !text.contains("secret"), "{text}");
        let asked = &server.requests()[0];
        assert_eq!((&*asked.method, &*asked.path), ("CONNECT", "publisher.example:8443"));
        assert_eq!(asked.header("proxy-authorization"), Some("Basic bWU6c2VjcmV0"));
    }
    let (server, url) = proxy(|_, _| Reply::status(407));
    let publishers = outward(free_port());
    let asks = |no_proxy: &str| {
        let before = server.requests().len();
        let (cause, text) =
            failure(&[("PVLU_ZOO_PUBLISHERS", &publishers), ("HTTPS_PROXY", &url), ("NO_PROXY", no_proxy)]);
        let is_asked = server.requests().len() > before;
        assert_eq!(matches!(cause, Cause::Proxy(_)), is_asked, "{text}");
        is_asked
    };
    assert!(asks("a.example") && !asks("a.example,0.0.0.0") && !asks("*"));
    // Nor is it for this machine itself.
    let published = super::Published::new();
    let contents = published.contents.clone();
    let here = Server::start(move |request, _| Reply::part(request, &contents));
    let from_here = format!("torchvision={}", here.url());
    published.fetch_by(&hasty(&[("PVLU_ZOO_PUBLISHERS", &from_here), ("HTTPS_PROXY", &url)]).unwrap()).unwrap();
    assert!(published.is_fetched());
}

#[test]
fn a_proxy_that_is_not_there_is_told_from_a_server_that_is_not() {
    let address = format!("http://127.0.0.1:{}", free_port());
    let variables = [("PVLU_ZOO_PUBLISHERS", "torchvision=https://publisher.example"), ("ALL_PROXY", &address)];
    let (cause, text) = failure(&variables);
    assert_eq!(cause, Cause::Refused, "{text}");
    assert!(text.contains(&format!("the proxy {address} (ALL_PROXY) was not reached")), "{text}");
}

#[test]
fn a_server_that_does_not_show_who_it_is_is_asked_once() {
    let (server, url) = proxy(|_, _| Reply::whole(b"this is no TLS, whatever else it may be"));
    let variables = [("PVLU_ZOO_PUBLISHERS", "torchvision=https://publisher.example"), ("HTTPS_PROXY", &url)];
    let (cause, text) = failure(&variables);
    assert!(matches!(cause, Cause::Tls(_)), "{text}");
    assert!(text.contains("check this machine's date"), "{text}");
    assert_eq!(server.requests().len(), 1);
}
