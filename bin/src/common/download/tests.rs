//! Tests against a server on this machine: nothing reaches out.

mod hub;
mod network;
mod secure;
mod server;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use pvlu_zoo::cards::Weights;
use pvlu_zoo::registry::find;
use tempfile::{TempDir, tempdir};

use self::server::{Reply, Request, Server};
use super::*;
use crate::common::digest;

/// A downloader with these variables, which waits no longer than a test may.
fn downloader(variables: &[(&str, &str)]) -> Result<Downloader, DownloadError> {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    let Downloader { transfers, publishers } = Downloader::new(&value)?;
    let transfers = Transfers { space: |_| None, pause: Duration::from_millis(1), ..transfers };
    Ok(Downloader { transfers, publishers })
}

/// A file that torchvision's server has, with its hash in the name, and the folder of a cache.
struct Published {
    file: PublishedFile,
    folder: TempDir,
    caches: Caches,
    contents: Vec<u8>,
}

impl Published {
    fn new() -> Self {
        let contents: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let name = format!("tiny-{}.pth", &digest::of_bytes(&contents)[..8]);
        let card = find("vgg16").unwrap().card().unwrap();
        // Cards live as long as the program.
        let place = Box::leak(format!("models/{name}").into_boxed_str());
        let weights = Box::leak(Box::new(Weights { place, mebibytes: None, ..card.weights[0] }));
        let folder = tempdir().unwrap();
        let caches = Caches { torch: Some(folder.path().join("hub/checkpoints")), ..Caches::default() };
        Self { file: PublishedFile { weights, without_classifier: false }, folder, caches, contents }
    }

    fn path(&self) -> PathBuf {
        self.file.path(&self.caches).unwrap()
    }

    fn fetch_by(&self, downloader: &Downloader) -> Result<Cached, CliError> {
        downloader.fetch(&pvlu_zoo::published::Published::File(self.file), &self.caches)
    }

    fn fetch(&self, server: &Server) -> Result<Cached, CliError> {
        self.fetch_by(&from(server))
    }

    /// Names in the folder of the cache, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().parent().unwrap()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Puts what an earlier transfer received into the cache.
    fn leave(&self, received: &[u8]) {
        let partial = transfer::partial(&self.path());
        fs::create_dir_all(partial.parent().unwrap()).unwrap();
        fs::write(partial, received).unwrap();
    }

    fn is_fetched(&self) -> bool {
        fs::read(self.path()).is_ok_and(|found| found == self.contents) && self.names() == [self.file.name()]
    }
}

/// A downloader from a server that stands for torchvision's.
fn from(server: &Server) -> Downloader {
    downloader(&[("PVLU_ZOO_PUBLISHERS", &format!("torchvision={}", server.url()))]).unwrap()
}

/// As [`from`], to a disk with 199,999 free bytes.
fn from_small(server: &Server) -> Downloader {
    let Downloader { transfers, publishers } = from(server);
    Downloader { transfers: Transfers { space: |_| Some(199_999), ..transfers }, publishers }
}

fn ranges(server: &Server) -> Vec<usize> {
    server.requests().iter().map(Request::from).collect()
}

#[test]
fn a_file_is_fetched_into_the_cache_and_nothing_else_stays_there() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let cached = published.fetch(&server).unwrap();
    assert!(published.is_fetched());
    assert_eq!(cached, Cached { path: published.path(), hash: published.file.hash() });
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("GET", format!("/{}", published.file.place()).as_str())
    );
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("authorization"), None);
    // It is there now.
    published.fetch(&server).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn redirects_are_followed_a_few_times_and_never_to_http_on_another_machine() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, before| match before {
        0 => Reply::redirect("/elsewhere"),
        _ => Reply::part(request, &contents),
    });
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
    assert_eq!(server.requests()[1].path, "/elsewhere");
    let endless = Server::start(|_, _| Reply::redirect("/again"));
    let error = Published::new().fetch(&endless).unwrap_err();
    assert!(matches!(error, CliError::Download(DownloadError::Redirects { .. })), "{error}");
    // An address for documentation, which no machine has.
    for away in
        ["http://192.0.2.1/file", "ftp://127.0.0.1/file", "//192.0.2.1/file", "http://user@127.0.0.1/file", "file"]
    {
        let server = Server::start(move |_, _| Reply::redirect(away));
        let error = Published::new().fetch(&server).unwrap_err();
        let refused =
            matches!(error, CliError::Download(DownloadError::NotHttps { .. } | DownloadError::Answer { .. }));
        assert!(refused, "{away}: {error}");
    }
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_ended() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, before| {
        let reply = Reply::part(request, &contents).with("etag", "\"one\"");
        if before < 2 { reply.cut(70_000) } else { reply }
    });
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
    assert_eq!(ranges(&server), [0, 70_000, 140_000]);
    let marks: Vec<_> = server.requests().iter().map(|request| request.header("if-range").map(str::to_owned)).collect();
    assert_eq!(marks, [None, Some("\"one\"".to_owned()), Some("\"one\"".to_owned())]);
}

#[test]
fn a_transfer_that_breaks_for_good_keeps_what_came_for_the_next_one() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server =
        Server::start(
            move |request, before| {
                if before == 0 { Reply::part(request, &contents).cut(1000) } else { Reply::status(503) }
            },
        );
    let error = published.fetch(&server).unwrap_err();
    assert!(matches!(error, CliError::Download(DownloadError::Connection { partial: Some(_), .. })), "{error}");
    assert!(error.to_string().contains("503") && error.to_string().contains(".incomplete"), "{error}");
    assert_eq!(published.names(), [format!("{}.incomplete", published.file.name())]);
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
    assert_eq!(ranges(&server), [1000]);
}

#[test]
fn what_came_earlier_of_another_version_is_received_anew() {
    let published = Published::new();
    published.leave(&[7; 5000]);
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
    assert_eq!(ranges(&server), [5000, 0]);
    // One that is as long as the file, or longer.
    for length in [200_000, 200_001] {
        let published = Published::new();
        published.leave(&vec![7; length]);
        published.fetch(&server).unwrap();
        assert!(published.is_fetched());
    }
}

#[test]
fn a_server_that_sends_no_parts_is_asked_for_the_whole_file_again() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |_, before| {
        let reply = Reply::whole(&contents);
        if before == 0 { reply.cut(70_000) } else { reply }
    });
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
}

#[test]
fn a_file_with_another_hash_is_not_kept() {
    let published = Published::new();
    let mut contents = published.contents.clone();
    contents[100_000] ^= 1;
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let error = published.fetch(&server).unwrap_err();
    assert!(matches!(error, CliError::Download(DownloadError::Hash { .. })), "{error}");
    assert_eq!(published.names(), [""; 0]);
    // Nor is one that another program left in the cache taken as it is.
    fs::write(published.path(), "other").unwrap();
    assert!(matches!(published.fetch(&server), Err(CliError::OtherHash { .. })));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_refusal_is_an_error_at_once_and_a_server_that_is_busy_is_asked_again() {
    for status in [401, 403, 404, 410, 304] {
        let published = Published::new();
        let server = Server::start(move |_, _| Reply::status(status));
        let error = published.fetch(&server).unwrap_err();
        assert!(matches!(error, CliError::Download(DownloadError::Status { .. })), "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(published.names(), [""; 0]);
    }
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, before| match before {
        0 => Reply::status(429),
        1 => Reply::status(500),
        _ => Reply::part(request, &contents),
    });
    published.fetch(&server).unwrap();
    assert!(published.is_fetched());
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let published = Published::new();
    let server = Server::start(|_, _| Reply::status(200));
    let (nowhere, url) = (from(&server), server.url());
    drop(server);
    let error = published.fetch_by(&nowhere).unwrap_err();
    assert!(matches!(error, CliError::Download(DownloadError::Connection { partial: None, .. })), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
}

#[test]
fn no_more_bytes_are_taken_than_were_announced() {
    // The second part says that the file has 200,000 bytes, and holds more.
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, before| {
        let reply = Reply::part(request, &contents);
        if before == 0 { reply.cut(70_000) } else { reply.and(&[0; 9000]).with("content-length", "139000") }
    });
    let error = published.fetch(&server).unwrap_err();
    assert!(error.to_string().contains("no more bytes than were announced"), "{error}");
    assert_eq!(published.names(), [""; 0]);
    // The length that the second answer says is another than that of the first.
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, before| {
        let reply = Reply::part(request, &contents);
        if before == 0 { reply.cut(70_000) } else { reply.with("content-range", "bytes 70000-299999/300000") }
    });
    let error = published.fetch(&server).unwrap_err();
    assert!(error.to_string().contains("300000 bytes"), "{error}");
    // Without a length nothing is announced.
    let contents = published.contents.clone();
    let endless = Server::start(move |request, _| Reply::part(request, &contents).without("content-length"));
    let error = Published::new().fetch(&endless).unwrap_err();
    assert!(error.to_string().contains("a length of the file"), "{error}");
}

#[test]
fn a_length_other_than_the_publisher_states_is_refused_before_any_byte() {
    let mut published = Published::new();
    let weights = Weights { mebibytes: Some(527.796), ..*published.file.weights };
    published.file.weights = Box::leak(Box::new(weights));
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let error = published.fetch(&server).unwrap_err();
    assert!(error.to_string().contains("the length that the publisher states"), "{error}");
}

#[test]
fn a_file_that_the_disk_cannot_hold_is_not_begun() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let error = published.fetch_by(&from_small(&server)).unwrap_err();
    assert!(matches!(error, CliError::Download(DownloadError::Space { needed: 200_000, .. })), "{error}");
    // The part that is there does not have to fit again.
    published.leave(&published.contents[..1]);
    published.fetch_by(&from_small(&server)).unwrap();
    assert!(published.is_fetched());
    assert!(transfer::free_space(published.folder.path()).is_none_or(|free| free > 0));
}

#[test]
fn two_programs_that_want_one_file_fetch_it_once() {
    let published = Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| {
        std::thread::sleep(Duration::from_millis(200));
        Reply::part(request, &contents)
    });
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| published.fetch(&server).unwrap()));
        assert!(both.map(|fetched| fetched.join().unwrap().path).iter().all(|path| *path == published.path()));
    });
    assert_eq!(server.requests().len(), 1);
    assert!(published.is_fetched());
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_an_earlier_part_is_not_written_through() {
    let published = Published::new();
    let aim = published.folder.path().join("aim");
    fs::create_dir_all(published.path().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&aim, transfer::partial(&published.path())).unwrap();
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let error = published.fetch(&server).unwrap_err();
    assert!(matches!(error, CliError::Damaged { .. }), "{error}");
    assert!(!aim.exists() && server.requests().is_empty());
}

#[test]
fn addresses_of_publishers_are_of_https_but_for_this_machine() {
    for wrong in [
        ("PVLU_ZOO_PUBLISHERS", "torchvision"),
        ("PVLU_ZOO_PUBLISHERS", "torch=https://a.example/"),
        ("PVLU_ZOO_PUBLISHERS", "torchvision=http://a.example/"),
        ("PVLU_ZOO_PUBLISHERS", "keras=https://a.example/,timm=http://127.0.0.1.a.example/"),
        ("PVLU_ZOO_PUBLISHERS", "keras=https://name:word@a.example/"),
        ("HF_ENDPOINT", "http://huggingface.example"),
        ("HF_ENDPOINT", "huggingface.co"),
    ] {
        let error = downloader(&[wrong]).err().unwrap().to_string();
        assert!(error.starts_with(wrong.0), "{error}");
    }
    let mirrors =
        [("PVLU_ZOO_PUBLISHERS", "torchvision=https://a.example/m, keras=http://[::1]:80"), ("HF_ENDPOINT", "")];
    let publishers = downloader(&mirrors).unwrap().publishers;
    use pvlu_zoo::source::Source::{Chen, Keras, Timm, Torchvision};
    assert_eq!(publishers.url(Torchvision, "x"), "https://a.example/m/x");
    assert_eq!(publishers.url(Keras, "x"), "http://[::1]:80/x");
    assert_eq!(publishers.url(Timm, "x"), Timm.url("x"));
    assert_eq!(publishers.url(Chen, "x"), Chen.url("x"));
}
