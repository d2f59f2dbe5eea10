//! Transfers by TLS, from servers whose certificates an authority vouches for that no system trusts.

use std::path::Path;

use super::super::broken::Cause;
use super::*;

/// The certificate of the authority.
const AUTHORITY: &str = include_str!("certificates/authority.pem");

/// A folder with a file that holds the authority's certificate among other text.
fn authority() -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    fs::write(&path, format!("An authority of tests\n{AUTHORITY}")).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

/// A server of HTTPS with the file of a publisher.
fn with_file(published: &Published) -> (Server, String) {
    let contents = published.contents.clone();
    let server = Server::secure(move |request, _| Reply::part(request, &contents));
    let publishers = format!("torchvision={}", server.url());
    (server, publishers)
}

/// The reason and the message of the refusal of a server.
fn refusal(variables: &[(&str, &str)]) -> (String, String) {
    let published = Published::new();
    let error = published.fetch_by(&downloader(variables).unwrap()).unwrap_err();
    let text = error.to_string();
    let CliError::Download(DownloadError::Connection { reason, partial: None, .. }) = error else { panic!("{text}") };
    let Cause::Tls(reason) = reason.cause else { panic!("{text}") };
    assert!(published.names().is_empty(), "{:?}", published.names());
    (reason, text)
}

#[test]
fn a_file_is_transferred_by_tls_if_its_servers_authority_is_trusted() {
    let (folder, file) = authority();
    let path = folder.path().to_str().unwrap().to_owned();
    let others = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap().into_string().unwrap();
    for trusted in [
        vec![("SSL_CERT_FILE", file.as_str())],
        vec![("SSL_CERT_DIR", &path)],
        vec![("SSL_CERT_DIR", &others)],
        vec![("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", "/nowhere")],
    ] {
        let published = Published::new();
        let (server, publishers) = with_file(&published);
        let variables = [&trusted[..], &[("PVLU_ZOO_PUBLISHERS", &publishers)]].concat();
        published.fetch_by(&downloader(&variables).unwrap()).unwrap();
        assert!(published.is_fetched());
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert_eq!(request.path, format!("/{}", published.file.place()));
    }
}

#[test]
fn a_transfer_by_tls_that_breaks_goes_on_where_it_ended() {
    let (_folder, file) = authority();
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::secure(move |request, before| {
        let reply = Reply::part(request, &contents).with("etag", "\"one\"");
        if before < 1 { reply.cut(70_000) } else { reply }
    });
    let publishers = format!("torchvision={}", server.url());
    let variables = [("PVLU_ZOO_PUBLISHERS", publishers.as_str()), ("SSL_CERT_FILE", &file)];
    published.fetch_by(&downloader(&variables).unwrap()).unwrap();
    assert!(published.is_fetched());
    assert_eq!(ranges(&server), [0, 70_000]);
}

#[test]
fn a_server_whose_authority_is_not_trusted_is_refused_with_what_to_do() {
    let (server, publishers) = with_file(&Published::new());
    let (reason, text) = refusal(&[("PVLU_ZOO_PUBLISHERS", &publishers), ("SSL_CERT_DIR", "")]);
    assert!(reason.contains("UnknownIssuer"), "{text}");
    assert!(text.contains("set SSL_CERT_FILE to a file with the certificates to trust, in PEM"), "{text}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_certificate_of_another_host_is_refused() {
    let (_folder, file) = authority();
    let (server, publishers) = with_file(&Published::new());
    let publishers = publishers.replace("127.0.0.1", "localhost");
    let (reason, text) = refusal(&[("PVLU_ZOO_PUBLISHERS", &publishers), ("SSL_CERT_FILE", &file)]);
    assert!(reason.contains("not valid for name \"localhost\""), "{text}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_proxy_that_opens_secure_connections_is_passed_if_its_authority_is_trusted() {
    let (_folder, file) = authority();
    let published = Published::new();
    let contents = published.contents.clone();
    let proxy = Server::between(move |request, _| Reply::part(request, &contents));
    let url = proxy.url();
    let publishers = ("PVLU_ZOO_PUBLISHERS", "torchvision=https://publisher.example");
    let variables = [publishers, ("HTTPS_PROXY", &url)];
    let (reason, text) = refusal(&variables);
    assert!(reason.contains("UnknownIssuer") && text.contains("SSL_CERT_FILE"), "{text}");
    let before = proxy.requests().len();
    let trusting = [&variables[..], &[("SSL_CERT_FILE", &file)]].concat();
    published.fetch_by(&downloader(&trusting).unwrap()).unwrap();
    assert!(published.is_fetched());
    let asked = &proxy.requests()[before..];
    let paths: Vec<&str> = asked.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["publisher.example:443", &format!("/{}", published.file.place())]);
}

#[test]
fn a_variable_that_names_no_certificates_is_an_error_with_the_reason() {
    let (folder, _) = authority();
    let empty = tempdir().unwrap();
    let empty = empty.path().to_str().unwrap().to_owned();
    let other = folder.path().join("other");
    fs::write(&other, [0x30, 0x82, 1, 0]).unwrap();
    let other = other.to_str().unwrap();
    let cut = folder.path().join("cut");
    fs::write(&cut, &AUTHORITY[..100]).unwrap();
    let cut = cut.to_str().unwrap();
    let wrong = [
        (vec![("SSL_CERT_FILE", "/nowhere/a.pem")], "SSL_CERT_FILE: /nowhere/a.pem: expected certificates in PEM"),
        (vec![("SSL_CERT_FILE", "")], "found an empty text: unset it to trust the system's"),
        (vec![("SSL_CERT_FILE", other)], "found none"),
        (vec![("SSL_CERT_FILE", cut)], "failed to read PEM from file"),
        (vec![("SSL_CERT_DIR", &empty)], "found none"),
        (vec![("SSL_CERT_DIR", "/nowhere")], "SSL_CERT_DIR: /nowhere: expected certificates in PEM"),
    ];
    for (variables, part) in wrong {
        let error = downloader(&variables).err().unwrap();
        assert!(matches!(error, DownloadError::Certificates { .. }) && error.to_string().contains(part), "{error}");
    }
}
