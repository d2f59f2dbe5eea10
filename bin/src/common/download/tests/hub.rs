//! Fetching from a server that stands for the Hugging Face Hub.

use std::collections::BTreeMap;

use super::*;
use pvlu_zoo::published::{Name, Published};

const WEIGHTS: &[u8] = b"weights of a network";
const CONFIG: &[u8] = b"{\"architecture\": \"vgg16\"}";
const REPOSITORY: &str = "hf:timm/vgg16.tv_in1k";

fn commit() -> String {
    "c0ffee00".repeat(5)
}

/// SHA-1 of git's blob of [`CONFIG`], by `git hash-object`.
const CONFIG_BLOB: &str = "2e76f776013edd08afea0b581dca39af34ccd076";

/// Answers as the Hub does for a repository with these files: large ones, with a SHA-256, at another address.
fn answer(request: &Request, files: &BTreeMap<&str, &[u8]>, elsewhere: &str) -> Reply {
    let name = request.path.rsplit('/').next().unwrap_or_default();
    let Some(file) = files.get(name) else { return Reply::status(404).with("x-error-code", "EntryNotFound") };
    if name == "config.json" {
        let reply = Reply::part(request, file).with("etag", &format!("W/\"{CONFIG_BLOB}\""));
        return reply.with("x-repo-commit", &commit());
    }
    Reply::redirect(&format!("{elsewhere}/{name}"))
        .with("x-repo-commit", &commit())
        .with("x-linked-etag", &format!("\"{}\"", digest::of_bytes(file)))
        .with("x-linked-size", &file.len().to_string())
}

struct Hub {
    server: Server,
    store: Server,
    folder: TempDir,
}

impl Hub {
    /// A hub and, as another host, a store of large files.
    fn new(files: &[(&'static str, &'static [u8])]) -> Self {
        let files: BTreeMap<&str, &[u8]> = files.iter().copied().collect();
        let stored = files.clone();
        let store = Server::start(move |request, _| Reply::part(request, stored[&request.path[1..]]));
        let elsewhere = store.url();
        let server = Server::start(move |request, _| answer(request, &files, &elsewhere));
        Self { server, store, folder: tempdir().unwrap() }
    }

    fn caches(&self) -> Caches {
        Caches { hub: Some(self.folder.path().join("hub")), ..Caches::default() }
    }

    fn fetch(&self, name: &str, variables: &[(&str, &str)]) -> Result<Cached, CliError> {
        let url = self.server.url();
        let endpoint = [("HF_ENDPOINT", url.as_str())];
        let all: Vec<(&str, &str)> = endpoint.iter().chain(variables).copied().collect();
        downloader(&all)?.fetch(&published(name), &self.caches())
    }
}

fn published(name: &str) -> Published {
    Name::parse(name).unwrap().unwrap().resolve(None, None).unwrap()
}

#[test]
fn a_repository_is_laid_out_so_that_python_finds_it() {
    let hub = Hub::new(&[("model.safetensors", WEIGHTS), ("config.json", CONFIG)]);
    let cached = hub.fetch(REPOSITORY, &[]).unwrap();
    let folder = hub.folder.path().join("hub/models--timm--vgg16.tv_in1k");
    let snapshot = folder.join("snapshots").join(commit());
    assert_eq!(cached.path, snapshot.join("model.safetensors"));
    assert_eq!(fs::read_to_string(folder.join("refs/main")).unwrap(), commit());
    let blobs = [digest::of_bytes(WEIGHTS), CONFIG_BLOB.to_owned()];
    for ((name, contents), blob) in [("model.safetensors", WEIGHTS), ("config.json", CONFIG)].iter().zip(&blobs) {
        assert_eq!(fs::read(folder.join("blobs").join(blob)).unwrap(), *contents);
        assert_eq!(fs::read(snapshot.join(name)).unwrap(), *contents);
        #[cfg(unix)]
        assert_eq!(fs::read_link(snapshot.join(name)).unwrap(), PathBuf::from(format!("../../blobs/{blob}")));
    }
    assert_eq!(fs::read_dir(folder.join("blobs")).unwrap().count(), 2);
    assert_eq!(published(REPOSITORY).find(&hub.caches()).unwrap(), cached);
    // The revision is asked for by name once; the commit that it is then counts.
    let paths: Vec<String> = hub.server.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths[0], "/timm/vgg16.tv_in1k/resolve/main/model.safetensors");
    assert!(paths.contains(&format!("/timm/vgg16.tv_in1k/resolve/{}/config.json", commit())), "{paths:?}");
    // Fetched again, its blobs are there.
    let before = hub.store.requests().len();
    hub.fetch(REPOSITORY, &[]).unwrap();
    assert_eq!(hub.store.requests().len(), before);
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_host() {
    let hub = Hub::new(&[("model.safetensors", WEIGHTS), ("config.json", CONFIG)]);
    hub.fetch(REPOSITORY, &[("HF_TOKEN", "secret")]).unwrap();
    let asked = hub.server.requests();
    assert!(asked.iter().all(|request| request.header("authorization") == Some("Bearer secret")), "{asked:?}");
    let stored = hub.store.requests();
    assert!(!stored.is_empty() && stored.iter().all(|request| request.header("authorization").is_none()), "{stored:?}");
    let secret = super::client::Secret::new("https://huggingface.co/", "HF_TOKEN", "secret");
    assert!(!format!("{secret:?}").contains("secret\""), "{secret:?}");
}

#[test]
fn a_token_that_no_request_can_hold_is_an_error_that_does_not_show_it() {
    for (token, at) in
        [("hf_se\u{e9}cret", 6), ("hf_secret hf_secret", 10), ("hf\nsecret", 3), ("\u{201c}hf_secret", 1)]
    {
        let hub = Hub::new(&[("model.safetensors", WEIGHTS), ("config.json", CONFIG)]);
        let error = hub.fetch(REPOSITORY, &[("HF_TOKEN", token)]).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CliError::Download(DownloadError::Token { at: found, .. }) if found == at), "{text}");
        assert!(text.starts_with("HF_TOKEN: expected a token") && !text.contains("secret"), "{text}");
        assert!(hub.server.requests().is_empty());
    }
    // Another publisher does not get it, and does not need it.
    let published = super::Published::new();
    let contents = published.contents.clone();
    let server = Server::start(move |request, _| Reply::part(request, &contents));
    let publishers = format!("torchvision={}", server.url());
    let variables = [("PVLU_ZOO_PUBLISHERS", &*publishers), ("HF_TOKEN", "hf se")];
    published.fetch_by(&downloader(&variables).unwrap()).unwrap();
    assert!(published.is_fetched());
}

#[test]
fn the_first_of_timms_files_that_is_there_is_taken() {
    let hub = Hub::new(&[("pytorch_model.bin", WEIGHTS)]);
    let cached = hub.fetch("hf:timm/vgg16.tv_in1k@refs/pr/1", &[]).unwrap();
    assert!(cached.path.ends_with("pytorch_model.bin"));
    let folder = hub.folder.path().join("hub/models--timm--vgg16.tv_in1k");
    assert_eq!(fs::read_to_string(folder.join("refs/refs/pr/1")).unwrap(), commit());
    assert!(hub.server.requests()[0].path.contains("/resolve/refs%2Fpr%2F1/"));
    // A commit needs no reference.
    let hub = Hub::new(&[("pytorch_model.bin", WEIGHTS)]);
    hub.fetch(&format!("{REPOSITORY}@{}", commit()), &[]).unwrap();
    assert!(!hub.folder.path().join("hub/models--timm--vgg16.tv_in1k/refs").exists());
    let none = Hub::new(&[("README.md", WEIGHTS)]).fetch(REPOSITORY, &[]).unwrap_err().to_string();
    assert!(none.contains("model.safetensors"), "{none}");
}

#[test]
fn heads_that_the_hub_would_not_give_are_refused_and_nothing_is_referred_to() {
    for (name, value) in [
        ("x-repo-commit", "../../elsewhere"),
        ("x-repo-commit", "main"),
        ("x-linked-etag", "\"../../../elsewhere\""),
        ("x-linked-etag", "\"0123\""),
        ("x-linked-size", "many"),
        ("x-linked-size", "19"),
        ("x-linked-size", "21"),
    ] {
        let store = Server::start(|request, _| Reply::part(request, WEIGHTS));
        let files = BTreeMap::from([("model.safetensors", WEIGHTS)]);
        let elsewhere = store.url();
        let server = Server::start(move |request, _| answer(request, &files, &elsewhere).with(name, value));
        let hub = Hub { server, store, folder: tempdir().unwrap() };
        let error = hub.fetch(REPOSITORY, &[]).unwrap_err();
        assert!(matches!(error, CliError::Download(DownloadError::Answer { .. })), "{name}: {value}: {error}");
        assert!(published(REPOSITORY).find(&hub.caches()).is_err());
    }
}

#[test]
fn a_repository_that_is_not_open_is_an_error_that_names_the_token() {
    for status in [401, 403, 404] {
        let server = Server::start(move |_, _| Reply::status(status).with("x-error-code", "RepoNotFound"));
        let store = Server::start(|_, _| Reply::status(404));
        let hub = Hub { server, store, folder: tempdir().unwrap() };
        let error = hub.fetch(REPOSITORY, &[]).unwrap_err().to_string();
        assert!(error.contains(&status.to_string()) && (status == 404 || error.contains("HF_TOKEN")), "{error}");
        assert_eq!(hub.server.requests().len(), 1);
    }
}

#[test]
fn a_blob_of_another_commit_is_checked_before_it_is_used() {
    let hub = Hub::new(&[("model.safetensors", WEIGHTS), ("config.json", CONFIG)]);
    let folder = hub.folder.path().join("hub/models--timm--vgg16.tv_in1k");
    fs::create_dir_all(folder.join("blobs")).unwrap();
    let blob = folder.join("blobs").join(digest::of_bytes(WEIGHTS));
    fs::write(&blob, "damaged").unwrap();
    let error = hub.fetch(REPOSITORY, &[]).unwrap_err().to_string();
    assert!(error.contains(&digest::of_bytes(WEIGHTS)), "{error}");
    assert!(fs::symlink_metadata(folder.join("snapshots").join(commit()).join("model.safetensors")).is_err());
}
