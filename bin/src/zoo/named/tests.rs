use std::fs;
use std::path::Path;

use clap::Parser;
use pvlu_zoo::image::{Interpolation, Preprocessing};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::common::named::is_offline;
use crate::zoo::Zoo;
use crate::zoo::args::Command;

/// A file of one tensor, with this preprocessing in its metadata.
fn file(path: &Path, preprocessing: Option<&str>) {
    let tensor = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
    let said = |text| format!("\"__metadata__\":{{\"pvlu_zoo.preprocessing\":\"{text}\"}},");
    let header = format!("{{{}{tensor}}}", preprocessing.map_or(String::new(), said));
    let length = (header.len() as u64).to_le_bytes();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, [&length[..], header.as_bytes(), &[0; 4]].concat()).unwrap();
}

/// `zoo predict` with these options, after its weights were located with these variables.
fn predict(options: &str, variables: &[(&str, &Path)]) -> Result<ModelFile, CliError> {
    let all = ["zoo", "predict", "a.png"].into_iter().chain(options.split_whitespace());
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
    match Zoo::parse_from(all).command {
        Command::Predict(args) => args.model.prepared(&value),
        other => panic!("{other:?}"),
    }
}

/// Text of the preprocessing that is found for a file in a folder, and whether it is the user's choice.
fn chosen(folder: &TempDir, name: &str, options: &str) -> Option<(Preprocessing, bool)> {
    let weights = format!("--weights {} {options}", folder.path().join(name).display());
    let chosen = predict(&weights, &[]).unwrap().recipe;
    chosen.map(|chosen| (chosen.preprocessing, chosen.by_user))
}

#[test]
fn a_name_is_looked_for_in_the_cache_and_what_is_there_is_checked() {
    let home = tempdir().unwrap();
    let checkpoints = home.path().join(".cache/torch/hub/checkpoints");
    let variables = [("HOME", home.path())];
    file(&checkpoints.join("resnet20.th"), None);
    let located = predict("--weights resnet20.th", &variables).unwrap();
    assert_eq!(located.path, checkpoints.join("resnet20.th"));
    assert_eq!(located.model.as_deref(), Some("cifar_resnet20"));
    let by_publisher = predict("--weights idelbayev --model cifar_resnet20", &variables).unwrap();
    assert_eq!(by_publisher.path, located.path);
    file(&checkpoints.join("vgg16-397923af.pth"), None);
    let error = predict("--weights torchvision --model vgg16", &variables).unwrap_err();
    assert!(matches!(error, CliError::OtherHash { .. }) && error.to_string().contains("397923af"), "{error}");
    // A path is one, whatever its name is.
    let path = checkpoints.join("vgg16-397923af.pth");
    assert_eq!(predict(&format!("--weights {}", path.display()), &[]).unwrap().path, path);
    let missing = predict("--weights x/vgg16-397923af.pth", &variables).unwrap();
    assert_eq!(missing.path, Path::new("x/vgg16-397923af.pth"));
}

#[test]
fn what_may_not_be_fetched_is_an_error_that_says_where_it_was_looked_for() {
    let home = tempdir().unwrap();
    let variables = [("HOME", home.path())];
    for (forbids, more) in [("--offline", None), ("", Some("HF_HUB_OFFLINE")), ("", Some("TRANSFORMERS_OFFLINE"))] {
        let more = more.map(|name| (name, Path::new("yes")));
        let all: Vec<(&str, &Path)> = variables.into_iter().chain(more).collect();
        for (name, looked) in [("vgg16-397923af.pth", "checkpoints"), ("hf:timm/vgg16.tv_in1k", "models--timm--vgg16")]
        {
            let error = predict(&format!("--weights {name} {forbids}"), &all).unwrap_err();
            let by = more.map_or(forbids, |(name, _)| name);
            let said = error.to_string();
            assert!(matches!(error, CliError::NotFetched { .. }), "{said}");
            assert!(said.contains(looked) && said.contains(by) && said.contains("https://"), "{said}");
        }
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert_eq!(is_offline(&|_| Some("0".into())), None);
}

#[test]
fn the_name_of_a_file_says_how_its_images_are_prepared() {
    let folder = tempdir().unwrap();
    for name in ["resnet50-11ad3fa6.safetensors", "resnet50-0676ba61.safetensors", "w.safetensors"] {
        file(&folder.path().join(name), None);
    }
    let of_name = |name| chosen(&folder, name, "");
    assert_eq!(of_name("resnet50-11ad3fa6.safetensors"), Some((Preprocessing::TORCHVISION_V2, false)));
    assert_eq!(of_name("resnet50-0676ba61.safetensors"), Some((Preprocessing::TORCHVISION, false)));
    assert_eq!(of_name("w.safetensors"), None);
    let own = Preprocessing::CIFAR10.to_string();
    file(&folder.path().join("resnet50-11ad3fa6.safetensors"), Some(&own));
    assert_eq!(of_name("resnet50-11ad3fa6.safetensors"), None, "the file says it");
    let (a1, by_user) = chosen(&folder, "resnet50-11ad3fa6.safetensors", "--recipe timm/resnet50.a1_in1k").unwrap();
    assert!(by_user && a1.input() == (288, 288) && a1.interpolation() == Interpolation::Bicubic);
    let error = predict(&format!("--weights {} --recipe none", folder.path().join("w.safetensors").display()), &[]);
    assert!(error.unwrap_err().to_string().contains("timm/resnet50.a1_in1k"));
}

#[test]
fn the_configuration_beside_a_file_counts_for_its_own_model() {
    let folder = tempdir().unwrap();
    let config = |text: &str| fs::write(folder.path().join("config.json"), text).unwrap();
    for name in ["model.safetensors", "other.safetensors"] {
        file(&folder.path().join(name), None);
    }
    let v2 = r#"{"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.965,
                 "interpolation": "bilinear"}}"#;
    config(v2);
    let v1_5 = "--model resnet50_v1_5";
    assert_eq!(chosen(&folder, "model.safetensors", v1_5), Some((Preprocessing::TORCHVISION_V2, false)));
    assert_eq!(chosen(&folder, "other.safetensors", v1_5), None);
    assert_eq!(chosen(&folder, "model.safetensors", "--model vgg16"), None);
    config("not JSON");
    assert_eq!(chosen(&folder, "model.safetensors", v1_5), None);
    config(&v2.replace("0.965", "\"all\""));
    let weights = folder.path().join("model.safetensors");
    let error = predict(&format!("--weights {} {v1_5}", weights.display()), &[]).unwrap_err().to_string();
    assert!(error.contains("config.json") && error.contains("crop_pct"), "{error}");
    // The user's choice needs no configuration.
    chosen(&folder, "model.safetensors", "--model resnet50_v1_5 --recipe resnet50-11ad3fa6.pth").unwrap();
}

#[test]
fn info_takes_the_same_names_and_a_model_and_a_file_that_is_there_come_first() {
    let home = tempdir().unwrap();
    let checkpoints = home.path().join(".cache/torch/hub/checkpoints");
    file(&checkpoints.join("resnet20.th"), None);
    let info = |options: &str| {
        let all = ["zoo", "info"].into_iter().chain(options.split_whitespace());
        let Command::Info(args) = Zoo::parse_from(all).command else { panic!("{options}") };
        let args = args.located(&|name| (name == "HOME").then(|| home.path().into()))?;
        Ok::<_, CliError>((args.subject, args.model))
    };
    let found = (checkpoints.join("resnet20.th"), Some("cifar_resnet20".to_owned()));
    for options in ["resnet20.th", "idelbayev --model cifar_resnet20", "idelbayev --model cifar_resnet20 --classes 10"]
    {
        assert_eq!(info(options).unwrap(), found, "{options}");
    }
    // A number of classes tells which file of a publisher is meant; beside a file it is refused later, by its name too.
    for (options, classes) in
        [("idelbayev --model cifar_resnet20 --classes 10", None), ("resnet20.th --classes 7", Some(7))]
    {
        let all = ["zoo", "info"].into_iter().chain(options.split_whitespace());
        let Command::Info(args) = Zoo::parse_from(all).command else { panic!("{options}") };
        let args = args.located(&|name| (name == "HOME").then(|| home.path().into())).unwrap();
        assert_eq!(args.classes, classes, "{options}");
    }
    assert_eq!(info("resnet50").unwrap(), ("resnet50".into(), None));
    assert_eq!(info("absent.safetensors").unwrap(), ("absent.safetensors".into(), None));
    let path = found.0.display().to_string();
    assert_eq!(info(&path).unwrap(), (found.0, None));
    assert!(info("torchvision").unwrap_err().to_string().contains("--model"));
    let error = info("hf:timm/vgg16.tv_in1k --offline").unwrap_err();
    assert!(matches!(error, CliError::NotFetched { .. }) && error.to_string().contains("--offline"), "{error}");
}
