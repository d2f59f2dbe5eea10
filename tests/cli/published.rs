//! Published weights by name: the caches, fetching from a server on this machine, and the preprocessing by recipe.

use std::fs;
use std::process::Command;

use pvlu_zoo::data::labels::CIFAR10;
use pvlu_zoo::weights::TensorFile;
use serde_json::Value;

use crate::support::{Place, Ran};
use crate::zoo::{command, grey, json, weights, zoo};

/// `zoo ARGUMENTS` with a home in the folder, and no settings of the developer.
fn at_home(place: &Place, arguments: &str) -> Command {
    let mut command = command(place, arguments);
    for variable in [
        "XDG_CACHE_HOME",
        "TORCH_HOME",
        "HF_HOME",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "KERAS_HOME",
        "HF_ENDPOINT",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "PVLU_ZOO_PUBLISHERS",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        command.env_remove(variable);
    }
    command.env("HOME", place.path("home"));
    command
}

fn run(place: &Place, arguments: &str) -> Ran {
    Ran::of(at_home(place, arguments))
}

#[test]
fn published_files_are_listed_with_what_is_known_of_them() {
    let place = Place::new();
    let listed: Value =
        serde_json::from_str(&run(&place, "weights list --model resnet50_v1_5 --json").succeeded().stdout).unwrap();
    let v2 = &listed.as_array().unwrap()[1];
    assert_eq!(v2["name"], "resnet50-11ad3fa6.pth");
    assert_eq!(v2["hash"], serde_json::json!({ "function": "SHA-256", "digits": "11ad3fa6" }));
    assert!(v2["path"].is_null() && v2["preprocessing"].as_str().unwrap().contains("crop:232"));
    let all = run(&place, "weights list").succeeded().stdout;
    for part in
        ["hf:timm/vgg16.tv_in1k", "97.79 MiB", "top1 80.858 %", "kernels_notop.h5", "license MIT", "resnet20.th"]
    {
        assert!(all.contains(part), "no {part} in {all}");
    }
    run(&place, "weights list --model vgg17").failed_in_one_line(2, &["vgg16"]);
    assert_eq!(run(&place, "weights verify").succeeded().stdout, "no published file is on this machine\n");
}

#[test]
fn weights_in_a_cache_are_used_by_name_and_a_path_comes_first() {
    let place = Place::new();
    let cache = place.path("home/.cache/torch/hub/checkpoints");
    fs::create_dir_all(&cache).unwrap();
    run(&place, "predict --offline --weights resnet20.th a.png").failed_in_one_line(
        1,
        &["checkpoints/resnet20.th", "--offline", "https://github.com/akamaster/pytorch_resnet_cifar10"],
    );
    run(&place, "predict --weights torchvision a.png").failed_in_one_line(2, &["--model"]);
    run(&place, "predict --weights torchvision --model cifar_resnet20 a.png")
        .failed_in_one_line(2, &["no weights for cifar_resnet20", "idelbayev"]);
    // The format is that of the contents, whatever the name says.
    weights(&cache.join("resnet20.th"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("a.png"), grey(90)).unwrap();
    let named = run(&place, "predict --offline --weights idelbayev --model cifar_resnet20 a.png").succeeded();
    assert!(named.stderr.contains("checkpoints/resnet20.th"), "{named:?}");
    assert_eq!(
        run(&place, "weights path resnet20.th").succeeded().stdout.trim(),
        cache.join("resnet20.th").to_str().unwrap()
    );
    let verified = run(&place, "weights verify").succeeded().stdout;
    assert!(verified.contains("no hash is stated; SHA-256 "), "{verified}");
    // A file of this name in the working folder is the one that is meant.
    weights(&place.path("idelbayev"), "cifar_resnet20", "pvlu", 10);
    let path = run(&place, "convert idelbayev out.safetensors").succeeded();
    assert!(!path.stderr.contains("checkpoints"), "{path:?}");
    fs::write(cache.join("vgg16-397923af.pth"), "cut").unwrap();
    let verified = run(&place, "weights verify");
    assert!(verified.code == Some(1) && verified.stderr.contains("1 of 2 files"), "{verified:?}");
    run(&place, "predict --weights vgg16-397923af.pth a.png").failed_in_one_line(1, &["expected SHA-256 397923af..."]);
}

#[test]
#[cfg(feature = "download")]
fn weights_that_are_not_there_are_fetched_once() {
    use std::io::{BufRead, BufReader, Write};

    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("a.png"), grey(90)).unwrap();
    let contents = fs::read(place.path("w.safetensors")).unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        assert!(lines.any(|line| line.is_empty()));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", contents.len()).unwrap();
        stream.write_all(&contents).unwrap();
        first
    });
    let predict = "predict --weights resnet20.th a.png";
    let publishers = format!("idelbayev={address}/pretrained");
    let fetched = Ran::of({
        let mut command = at_home(&place, predict);
        command.env("PVLU_ZOO_PUBLISHERS", &publishers);
        command
    })
    .succeeded();
    assert_eq!(serving.join().unwrap(), "GET /pretrained/resnet20.th HTTP/1.1");
    assert!(fetched.stderr.starts_with(&format!("fetching {address}/pretrained/resnet20.th into ")), "{fetched:?}");
    // The server has ended: what is in the cache is enough.
    assert_eq!(run(&place, predict).succeeded().stdout, fetched.stdout);
    let names: Vec<_> = fs::read_dir(place.path("home/.cache/torch/hub/checkpoints")).unwrap().collect();
    assert_eq!(names.len(), 1);
    let mut offline = at_home(&place, "predict --weights resnet32.th a.png");
    offline.env("PVLU_ZOO_PUBLISHERS", &publishers).env("HF_HUB_OFFLINE", "1");
    Ran::of(offline).failed_in_one_line(1, &["HF_HUB_OFFLINE"]);
    let mut trusting = at_home(&place, "predict --weights resnet32.th a.png");
    trusting.env("PVLU_ZOO_PUBLISHERS", &publishers).env("SSL_CERT_FILE", place.path("a.png"));
    Ran::of(trusting).failed_in_one_line(1, &["SSL_CERT_FILE", "a.png: expected certificates in PEM"]);
}

#[test]
fn a_recipe_is_the_same_to_all_commands() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20_b", "relu", 10);
    for (class, value) in CIFAR10.iter().zip((0..).step_by(20)) {
        let folder = place.path(format!("set/{class}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.png"), grey(value)).unwrap();
        fs::write(folder.join("b.png"), grey(value + 9)).unwrap();
    }
    let recipe = "--recipe cifar100_resnet20-23dac2f1.pt";
    zoo(&place, &format!("convert {recipe} w.safetensors recipe.safetensors")).succeeded();
    zoo(&place, "convert w.safetensors usual.safetensors").succeeded();
    let said = |name: &str| {
        let file = TensorFile::open(place.path(name)).unwrap();
        file.metadata()["pvlu_zoo.preprocessing"].clone()
    };
    assert!(said("recipe.safetensors").contains("mean=0.507"), "{}", said("recipe.safetensors"));
    assert_ne!(said("recipe.safetensors"), said("usual.safetensors"));
    let predict = |options: &str| json(&place, &format!("predict --json {options} set/cat/a.png set/dog/b.png"));
    let by_file = predict("--weights recipe.safetensors");
    assert_eq!(predict(&format!("--weights w.safetensors {recipe}")), by_file);
    assert_eq!(predict(&format!("--weights usual.safetensors {recipe}")), by_file);
    assert_ne!(predict("--weights usual.safetensors"), by_file);
    let tune = "finetune --dataset folder --data set --train none --quiet";
    for (name, options) in
        [("a", format!("--weights w.safetensors {recipe}")), ("b", "--weights recipe.safetensors".to_owned())]
    {
        zoo(&place, &format!("{tune} {options} --out {name}.safetensors")).succeeded();
        assert_eq!(said(&format!("{name}.safetensors")), said("recipe.safetensors"));
    }
    zoo(&place, "predict --weights w.safetensors --recipe none set/cat/a.png")
        .failed_in_one_line(2, &["--recipe \"none\"", "cifar100_resnet20-23dac2f1.pt"]);
}
