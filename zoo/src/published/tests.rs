use std::ffi::OsString;
use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::*;
use crate::cards::Weights;
use crate::image::Preprocessing;
use crate::source::Source;

/// Caches below a home folder, with nothing else set.
fn home(folder: &Path) -> Caches {
    Caches::of(&|name| (name == "HOME").then(|| folder.into()))
}

fn caches(variables: &[(&str, &str)]) -> [String; 3] {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    let Caches { torch, hub, keras } = Caches::of(&value);
    [torch, hub, keras].map(|folder| folder.map_or("none".to_owned(), |path| path.display().to_string()))
}

fn resolved(text: &str, model: Option<&str>, classes: Option<usize>) -> Result<Published, PublishedError> {
    Name::parse(text)?.unwrap().resolve(model, classes)
}

fn shown(text: &str, model: &str, classes: Option<usize>) -> String {
    resolved(text, Some(model), classes).map_or_else(|error| error.to_string(), |published| published.to_string())
}

#[test]
#[cfg(unix)]
fn the_first_variable_that_is_set_decides_where_a_cache_is() {
    let usual = ["/h/.cache/torch/hub/checkpoints", "/h/.cache/huggingface/hub", "/h/.keras/models"];
    assert_eq!(caches(&[("HOME", "/h")]), usual);
    assert_eq!(caches(&[("HOME", "/h"), ("TORCH_HOME", ""), ("HF_HOME", "")]), usual);
    let xdg = ["/x/torch/hub/checkpoints", "/x/huggingface/hub", "/h/.keras/models"];
    assert_eq!(caches(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), xdg);
    let all = [
        ("HOME", "/h"),
        ("XDG_CACHE_HOME", "/x"),
        ("TORCH_HOME", "~/t"),
        ("HF_HOME", "/hf"),
        ("HUGGINGFACE_HUB_CACHE", "/old"),
        ("HF_HUB_CACHE", "/new"),
        ("KERAS_HOME", "/k"),
    ];
    assert_eq!(caches(&all), ["/h/t/hub/checkpoints", "/new", "/k/models"]);
    assert_eq!(caches(&all[..5])[1], "/old");
    assert_eq!(caches(&all[..4])[1], "/hf/hub");
    assert_eq!(caches(&[]), ["none"; 3]);
    let error = resolved("vgg16-397923af.pth", None, None).unwrap().find(&Caches::default()).unwrap_err();
    assert!(error.to_string().contains("TORCH_HOME"), "{error}");
}

#[test]
fn a_publisher_means_its_default_weights_of_the_model() {
    assert_eq!(shown("torchvision", "vgg16", None), "vgg16-397923af.pth");
    assert_eq!(shown("torchvision", "resnet50_v1_5", None), "resnet50-11ad3fa6.pth");
    assert_eq!(shown("timm", "resnet50_v1_5", None), "hf:timm/resnet50.a1_in1k");
    assert_eq!(shown("keras", "vgg16", None), "vgg16_weights_tf_dim_ordering_tf_kernels.h5");
    assert_eq!(shown("chen", "cifar_resnet20_b", Some(100)), "cifar100_resnet20-23dac2f1.pt");
    assert!(shown("chen", "cifar_resnet20_b", None).contains("cifar10_resnet20-4118986f.pt, cifar100_resnet20"));
    let none = shown("torchvision", "resnet50", None);
    assert_eq!(none, "torchvision has no weights for resnet50, but for resnet50_v1_5; resnet50 has those of keras");
    assert!(resolved("torchvision", None, None).unwrap_err().to_string().contains("--model"));
}

#[test]
fn only_names_that_publishers_gave_are_names() {
    let is_name = |text: &str| Name::parse(text).unwrap().is_some();
    for name in ["torchvision", "hf:timm/vgg16.tv_in1k@main", "resnet20.th", "vgg16-397923af.pth"] {
        assert!(is_name(name), "{name}");
    }
    for path in ["native", "./torchvision", "x/vgg16-397923af.pth", "vgg16-397923ae.pth", "model.safetensors", ""] {
        assert!(!is_name(path), "{path}");
    }
    for wrong in
        ["hf:", "hf:a", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:a/b@", "hf:a/b@..", "hf:a/b@x/../../y", "hf:a/b c"]
    {
        assert!(Name::parse(wrong).is_err(), "{wrong}");
    }
    let long = format!("hf:a/{}", "b".repeat(100));
    assert!(Name::parse(&long).is_err());
    assert!(is_name("hf:a/b@refs/pr/1"));
}

#[test]
fn every_file_of_the_cards_is_found_by_its_name_and_in_one_cache() {
    let folder = tempdir().unwrap();
    let caches = home(folder.path());
    let mut files = 0;
    for (entry, published) in all() {
        let Published::File(file) = published else { continue };
        assert_eq!(PublishedFile::named(&file.name()), Some(file), "{}", entry.name);
        let path = file.path(&caches).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        assert_eq!(file.find(&caches).unwrap(), Cached { path, hash: file.hash() });
        assert_eq!(file.hash().is_none(), file.weights.source == Source::Idelbayev, "{}", file.name());
        files += 1;
    }
    assert!(files > 30, "{files}");
    let notop = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5";
    let hash = PublishedFile::named(notop).unwrap().hash().unwrap();
    assert_eq!(hash.to_string(), "MD5 6d6bbae143d832006294945121d1f1fc");
}

#[test]
#[cfg(unix)]
fn a_file_in_a_cache_may_be_a_link_and_a_folder_is_none() {
    let folder = tempdir().unwrap();
    let caches = home(folder.path());
    let published = resolved("vgg16-397923af.pth", None, None).unwrap();
    let path = folder.path().join(".cache/torch/hub/checkpoints/vgg16-397923af.pth");
    fs::create_dir_all(&path).unwrap();
    assert!(matches!(published.find(&caches), Err(PublishedError::NotThere { .. })));
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    assert!(matches!(published.find(&caches), Err(PublishedError::NotThere { .. })), "a link that leads nowhere");
    fs::write(path.with_file_name("elsewhere"), "x").unwrap();
    assert_eq!(published.find(&caches).unwrap().hash, Some(Hash::Sha256("397923af".to_owned())));
}

/// Writes a repository as `huggingface_hub` lays it out, with a blob that is a link itself as in its version 2.
#[cfg(unix)]
fn repository(hub: &Path, commit: &str, files: &[(&str, &str)]) {
    use std::os::unix::fs::symlink;
    let folder = hub.join("models--timm--vgg16.tv_in1k");
    let snapshot = folder.join("snapshots").join(commit);
    for made in [folder.join("refs"), folder.join("blobs"), hub.join("blobs/ab"), snapshot.clone()] {
        fs::create_dir_all(made).unwrap();
    }
    fs::write(folder.join("refs/main"), commit).unwrap();
    for (file, blob) in files {
        fs::write(hub.join("blobs/ab").join(blob), file).unwrap();
        symlink(format!("../../blobs/ab/{blob}"), folder.join("blobs").join(blob)).unwrap();
        symlink(format!("../../blobs/{blob}"), snapshot.join(file)).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn a_repository_is_found_through_its_reference_and_its_links() {
    let folder = tempdir().unwrap();
    let caches = home(folder.path());
    let hub = caches.hub.clone().unwrap();
    let [commit, blob, small] = ["c".repeat(40), "a".repeat(64), "b".repeat(40)];
    repository(&hub, &commit, &[("pytorch_model.bin", &small), ("model.safetensors", &blob), ("config.json", "x")]);
    let snapshot = hub.join("models--timm--vgg16.tv_in1k/snapshots").join(&commit);
    for name in ["hf:timm/vgg16.tv_in1k".to_owned(), format!("hf:timm/vgg16.tv_in1k@{commit}")] {
        let cached = resolved(&name, None, None).unwrap().find(&caches).unwrap();
        assert_eq!(cached, Cached { path: snapshot.join("model.safetensors"), hash: Some(Hash::Sha256(blob.clone())) });
        assert_eq!(fs::read_to_string(cached.path).unwrap(), "model.safetensors");
    }
    fs::remove_file(snapshot.join("model.safetensors")).unwrap();
    let cached = resolved("timm", Some("vgg16"), None).unwrap().find(&caches).unwrap();
    assert_eq!(cached.hash, Some(Hash::GitBlob(small)));
    // Files without a preferred name, in timm's order of extensions.
    fs::remove_file(&cached.path).unwrap();
    fs::write(snapshot.join("z.safetensors"), "x").unwrap();
    fs::write(snapshot.join("a.bin"), "x").unwrap();
    let cached = resolved("timm", Some("vgg16"), None).unwrap().find(&caches).unwrap();
    assert_eq!(cached, Cached { path: snapshot.join("z.safetensors"), hash: None });
}

#[test]
#[cfg(unix)]
fn a_reference_that_names_no_commit_leads_nowhere() {
    let folder = tempdir().unwrap();
    let caches = home(folder.path());
    let hub = caches.hub.clone().unwrap();
    let commit = "c".repeat(40);
    repository(&hub, &commit, &[("model.safetensors", &"a".repeat(64))]);
    let reference = hub.join("models--timm--vgg16.tv_in1k/refs/main");
    for wrong in ["", "../../../../elsewhere", &"C".repeat(40), &"c".repeat(100_000)] {
        fs::write(&reference, wrong).unwrap();
        let error = resolved("hf:timm/vgg16.tv_in1k", None, None).unwrap().find(&caches).unwrap_err().to_string();
        assert!(error.contains("refs/main") && error.contains("https://huggingface.co/timm/vgg16.tv_in1k"), "{error}");
    }
    fs::write(&reference, format!("{commit}\n")).unwrap();
    resolved("hf:timm/vgg16.tv_in1k", None, None).unwrap().find(&caches).unwrap();
}

fn place(found: Option<(&crate::registry::ModelEntry, &'static Weights)>) -> &'static str {
    found.map_or("none", |(_, weights)| weights.place)
}

#[test]
fn a_path_a_digest_and_a_name_say_which_published_weights_a_file_is() {
    let of_path = |path: &str| place(of_path(Path::new(path)));
    assert_eq!(of_path("a/resnet50-11ad3fa6.pth"), "resnet50-11ad3fa6.pth");
    assert_eq!(of_path("resnet50-11ad3fa6.safetensors"), "resnet50-11ad3fa6.pth");
    let snapshot = "h/models--timm--resnet50.a1_in1k/snapshots/c/model.safetensors";
    assert_eq!(of_path(snapshot), "timm/resnet50.a1_in1k");
    assert_eq!(of_path("resnet50.safetensors"), "none");
    assert_eq!(of_path("model.safetensors"), "none");
    let keras = "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5";
    assert_eq!(of_path("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"), keras);
    let digest = format!("11ad3fa6{}", "0".repeat(56));
    assert_eq!(place(of_digest(&digest)), "resnet50-11ad3fa6.pth");
    assert_eq!(place(of_digest(&"0".repeat(64))), "none");
    assert_eq!(place(of_place("timm/vgg16.tv_in1k")), "timm/vgg16.tv_in1k");
    assert_eq!(place(of_place("cifar10_resnet20-4118986f.pt")), "resnet/cifar10_resnet20-4118986f.pt");
    assert!(places(None).iter().all(|name| place(of_place(name)) == *name));
    assert!(stated_size_fits(102_540_417) && !stated_size_fits(102_540_417 + 20_000) && !stated_size_fits(0));
}

#[test]
fn timms_configuration_says_how_images_are_prepared() {
    let config = |settings: &str| {
        let text = format!("{{\"architecture\": \"resnet50\", \"pretrained_cfg\": {{{settings}}}}}");
        timm_preprocessing(&text, &["resnet50", "resnet50_v1_5"])
    };
    let a1 = config(
        r#""input_size": [3, 224, 224], "test_input_size": [3, 288, 288], "crop_pct": 0.95, "test_crop_pct": 1.0,
           "interpolation": "bicubic", "crop_mode": "center", "mean": [0.485, 0.456, 0.406],
           "std": [0.229, 0.224, 0.225]"#,
    );
    assert_eq!(a1, Ok(of_place("timm/resnet50.a1_in1k").map(|(_, weights)| weights.preprocessing)));
    let v2 = config(r#""input_size": [3, 224, 224], "crop_pct": 0.965, "interpolation": "bilinear""#);
    assert_eq!(v2, Ok(Some(Preprocessing::TORCHVISION_V2)));
    for wrong in [
        r#""input_size": [1, 224, 224]"#,
        r#""input_size": [3, 1e300, 224]"#,
        r#""input_size": [3, 224, 224], "crop_pct": 0"#,
        r#""input_size": [3, 224, 224], "crop_mode": "border""#,
        r#""input_size": [3, 224, 224], "interpolation": "random""#,
        r#""input_size": [3, 224, 224], "mean": [0.5]"#,
        r#""input_size": [3, 224, 224], "std": [0, 1, 1]"#,
    ] {
        assert!(config(wrong).is_err(), "{wrong}");
    }
    assert_eq!(config(r#""num_classes": 10"#), Ok(None));
    let foreign = ["", "[]", "{\"architecture\": 3}", "{\"architecture\": \"vgg16\", \"input_size\": [3, 1, 1]}"];
    assert!(foreign.iter().all(|text| timm_preprocessing(text, &["resnet50"]) == Ok(None)));
}
