//! `zoo finetune`, and what `eval` and `predict` make of its files.

use std::fs;

use pvlu::kernel::cpu::cross_entropy::top_k_correct;
use pvlu_zoo::data::Dataset;
use pvlu_zoo::image::{Image, Preprocessing};
use pvlu_zoo::labels::{self, LabelSet};
use pvlu_zoo::registry::{Options, Start, find};
use pvlu_zoo::weights::TensorFile;
use serde_json::Value;

use crate::support::{Place, Ran};
use crate::zoo::{command, grey, json, png, weights, zoo};

/// The beginning of every tuning of a folder.
pub const TUNE: &str = "finetune --weights w.safetensors --dataset folder --data images";

/// Folders `dark` and `light` in `images/train` and `images/test`, each with four colorful images of its own size.
pub fn folder(place: &Place) {
    for (class, value) in [("dark", 20), ("light", 150)] {
        for (part, salt) in [("train", 0), ("test", 7)] {
            let folder = place.path(format!("images/{part}/{class}"));
            fs::create_dir_all(&folder).unwrap();
            for index in 0..4 {
                let pixel = |x, y| [x * 5, y * 3 + 11 * salt, x * y + 40 * index].map(|v: u32| (value + v % 90) as u8);
                fs::write(folder.join(format!("{index}.png")), png(40 + 9 * index, 50 - 3 * index, pixel)).unwrap();
            }
        }
    }
}

/// A value of the metadata of a file.
fn said(place: &Place, file: &str, key: &str) -> String {
    TensorFile::open(place.path(file)).unwrap().metadata()[&format!("pvlu_zoo.{key}")].clone()
}

/// Tensors that differ between two files.
pub fn changed(place: &Place, files: [&str; 2]) -> Vec<String> {
    let files = files.map(|name| TensorFile::open(place.path(name)).unwrap());
    let shapes = files[0].entries().iter();
    let differs = shapes.filter(|(key, entry)| {
        if files[1].entries()[*key].shape != entry.shape {
            return true;
        }
        let [before, after] = [0, 1].map(|of: usize| {
            let mut values = vec![0.0_f32; entry.shape.iter().product()];
            files[of].read_into(key, &mut values).unwrap();
            values
        });
        before != after
    });
    differs.map(|(key, _)| key.clone()).collect()
}

#[test]
fn a_model_is_tuned_on_a_folder_and_saved() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    zoo(&place, &format!("{TUNE} --activation pvlu --epochs 2 --batch-size 3 --out new/t.safetensors --quiet"))
        .succeeded();
    assert_eq!(changed(&place, ["w.safetensors", "new/t.safetensors"]), [""; 0], "all that the file had is frozen");
    let tuned = TensorFile::open(place.path("new/t.safetensors")).unwrap();
    let mut alpha = vec![0.0_f32; 16];
    tuned.read_into("act0.alpha", &mut alpha).unwrap();
    assert!(alpha.iter().any(|alpha| *alpha != 0.0), "alpha is trained");
    let evaluated = json(&place, "eval --weights new/t.safetensors --dataset folder --data images --json");
    assert_eq!((&evaluated["images"], &evaluated["activation"]), (&Value::from(8), &Value::from("pvlu")));
    zoo(&place, "finetune --weights w.safetensors --dataset folder --data nowhere --out t.safetensors")
        .failed_in_one_line(1, &["nowhere"]);
}

/// The images that a model is tuned on are those that it is measured with afterwards: another preprocessing would move
/// some of the logits of these images, none of which is near the size of the input.
#[test]
fn the_saved_model_sees_its_images_as_the_tuned_one_did() {
    let place = Place::new();
    folder(&place);
    let tuned = |model: &str, options: &str| {
        weights(&place.path("w.safetensors"), model, "relu", 10);
        let arguments = "--train all --epochs 2 --batch-size 3 --augment --out t.safetensors --force --json --quiet";
        let tuned = json(&place, &format!("{TUNE} {arguments} {options}"));
        let evaluated = json(&place, "eval --weights t.safetensors --dataset folder --data images --json");
        assert_eq!(evaluated["top1"], tuned["top1"], "{model}");
        assert_eq!((&tuned["train_images"], &tuned["test_images"]), (&Value::from(8), &Value::from(8)));
        said(&place, "t.safetensors", "preprocessing")
    };
    let keras = Preprocessing::KERAS_TF.with_input((32, 32)).unwrap();
    assert_eq!(tuned("resnet50v2", "--image 32 --activation pvlu"), keras.to_string());
    let text = tuned("cifar_resnet20", "--image 24 --mean 0.5,0.4,0.3");
    assert!(text.starts_with("input=24x24 fit=crop:24 ") && text.contains(" mean=0.5,0.4,0.3 "), "{text}");
    assert_eq!(said(&place, "t.safetensors", "image"), "24x24");
}

#[test]
fn a_model_of_imagenet_takes_folders_at_its_own_size() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "resnet50v2", "relu", 10);
    zoo(&place, &format!("{TUNE} --train none --limit-test 2 --out t.safetensors --quiet")).succeeded();
    assert_eq!(said(&place, "t.safetensors", "preprocessing"), Preprocessing::KERAS_TF.to_string());
}

#[test]
fn a_damaged_image_is_named() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    fs::write(place.path("images/train/dark/3.png"), &grey(9)[..40]).unwrap();
    zoo(&place, &format!("{TUNE} --out t.safetensors --quiet")).failed_in_one_line(1, &["train/dark/3.png"]);
    assert!(!place.path("t.safetensors").exists());
    fs::write(place.path("images/test/light/1.png"), "no image").unwrap();
    zoo(&place, "eval --weights w.safetensors --dataset folder --data images/test --json").failed(2, &["\"dark\""]);
    zoo(&place, &format!("{TUNE} --train none --quiet")).failed_in_one_line(1, &["test/light/1.png"]);
}

/// The two files of CIFAR-10 that are needed, with 60 images each.
pub fn cifar10(place: &Place) -> Dataset {
    let mut state = 1_u32;
    for file in ["data_batch_1.bin", "test_batch.bin"] {
        let mut bytes = Vec::new();
        for index in 0..60 {
            bytes.push(index % 10);
            bytes.extend((0..3072).map(|at: u32| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // A color of its own for each image, under noise.
                (u32::from(index) * 29 * (1 + at / 1024) % 200 + (state >> 27)) as u8
            }));
        }
        fs::write(place.path(file), bytes).unwrap();
    }
    Dataset::open_cifar10(place.path("")).unwrap()
}

#[test]
fn every_model_sees_cifar_as_it_wants_its_images() {
    let place = Place::new();
    let test = cifar10(&place).test;
    let pixels = |image: &[u8]| (0..1024).flat_map(|at| [0, 1, 2].map(|c| image[1024 * c + at])).collect();
    let images: Vec<Image> = (0..test.len()).map(|of| Image::new(32, 32, pixels(test.image(of))).unwrap()).collect();
    let labels: Vec<usize> = (0..test.len()).map(|of| test.label(of)).collect();
    // Random weights prefer one class for every image; the first five differ.
    let expected = |model: &str, side: usize, preprocessing: Preprocessing| {
        let options = Options { activation: "relu", classes: 10, image: Some((side, side)), weights: Start::Seed(3) };
        let model = find(model).unwrap().build(&options).unwrap();
        let logits = model.logits(preprocessing.apply(&images)).unwrap();
        [1, 5].map(|k| Some(top_k_correct(&logits, 10, &labels, k) as f64 / labels.len() as f64))
    };
    let evaluated = |model: &str, options: &str| {
        weights(&place.path("w.safetensors"), model, "relu", 10);
        let arguments = format!("eval --weights w.safetensors --dataset cifar10 --data . --json {options}");
        let evaluated = json(&place, &arguments);
        ["top1", "top5"].map(|top| evaluated[top].as_f64())
    };
    let whole = |preprocessing: Preprocessing, side| preprocessing.whole((side, side)).unwrap();
    let caffe = whole(Preprocessing::KERAS_CAFFE, 32);
    assert_eq!(evaluated("resnet50", "--image 32"), expected("resnet50", 32, caffe));
    let [mean, std] = [[0.9, 0.5, 0.1], [0.2, 0.3, 0.4]];
    let given = caffe.with_statistics(Some(mean), Some(std)).unwrap();
    assert_eq!((given.channels(), given.mean()), (caffe.channels(), [0.1, 0.5, 0.9]));
    let options = "--image 32 --mean 0.9,0.5,0.1 --std 0.2,0.3,0.4";
    assert_eq!(evaluated("resnet50", options), expected("resnet50", 32, given));

    let small = pvlu_zoo::registry::find("cifar_resnet20").unwrap().card().unwrap().preprocessing;
    assert_eq!(evaluated("cifar_resnet20", ""), expected("cifar_resnet20", 32, small));
    assert_eq!(evaluated("cifar_resnet20", "--image 48"), expected("cifar_resnet20", 48, whole(small, 48)));
    zoo(&place, "eval --weights w.safetensors --dataset cifar10 --data . --mean 0.5")
        .failed_in_one_line(2, &["--mean"]);
    // A file that says its size is evaluated at it.
    let tune = "finetune --weights w.safetensors --dataset cifar10 --data . --limit-train 8 --limit-test 30 --json";
    let tuned = json(&place, &format!("{tune} --image 40 --train batch-norm --epochs 1 --out t.safetensors --quiet"));
    let evaluated = json(&place, "eval --weights t.safetensors --dataset cifar10 --data . --limit 30 --json");
    assert_eq!(evaluated["top1"], tuned["top1"]);
    assert_eq!(said(&place, "t.safetensors", "preprocessing"), whole(small, 40).to_string());
}

#[test]
fn names_of_folders_are_kept_and_used() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let odd = "light \"é\\";
    for part in ["train", "test"] {
        fs::rename(place.path(format!("images/{part}/light")), place.path(format!("images/{part}/{odd}"))).unwrap();
    }
    zoo(&place, &format!("{TUNE} --train all --epochs 4 --learning-rate 0.01 --out t.safetensors")).succeeded();
    assert_eq!(
        serde_json::from_str::<Value>(&said(&place, "t.safetensors", "labels")).unwrap(),
        serde_json::json!(["dark", odd])
    );
    // Other names are kept when the file is rewritten.
    zoo(&place, "convert t.safetensors c.safetensors").succeeded();
    let named = json(&place, "predict --weights c.safetensors images/test/dark/0.png --json");
    let top = |class: u64| named[0]["top"].as_array().unwrap().iter().find(|top| top["class"] == class).cloned();
    let names: Vec<_> = (0..2).filter_map(top).map(|top| top["label"].as_str().unwrap().to_owned()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| name == "dark" || name == odd), "{named}");

    // A folder that lacks the first class: by the order of names its images would be of it.
    fs::create_dir_all(place.path("some")).unwrap();
    fs::rename(place.path(format!("images/test/{odd}")), place.path(format!("some/{odd}"))).unwrap();
    let ran = zoo(&place, "eval --weights t.safetensors --dataset folder --data some --json").succeeded();
    assert_eq!(ran.stderr, "");
    let right = (0..4).filter(|index| {
        let mut command = command(&place, "predict --weights t.safetensors --json");
        command.arg(format!("some/{odd}/{index}.png"));
        let named: Value = serde_json::from_str(&Ran::of(command).succeeded().stdout).unwrap();
        named[0]["top"][0]["label"] == odd
    });
    let evaluated: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(evaluated["top1"].as_f64(), Some(right.count() as f64 / 4.0));

    // As many other names go by their order, with a warning; other ones are refused.
    fs::rename(place.path("images/test/dark"), place.path("some/x")).unwrap();
    let ran = zoo(&place, "eval --weights t.safetensors --dataset folder --data some").succeeded();
    assert!(ran.stderr.starts_with("warning: some: ") && ran.stderr.contains("\"dark\""), "{ran:?}");
    fs::create_dir_all(place.path("some/y")).unwrap();
    fs::write(place.path("some/y/1.png"), grey(1)).unwrap();
    zoo(&place, "eval --weights t.safetensors --dataset folder --data some")
        .failed_in_one_line(2, &["expected 2 classes", "\"dark\"", "found 3", "\"y\""]);
}

#[test]
fn folders_called_as_the_classes_of_a_known_set_get_their_numbers() {
    let place = Place::new();
    fs::write(place.path("i.png"), grey(90)).unwrap();
    for (classes, sets) in [
        (10, vec![labels::of(LabelSet::Cifar10)]),
        (100, vec![labels::of(LabelSet::Cifar100)]),
        (1000, vec![labels::of(LabelSet::ImageNet), LabelSet::imagenet_ids()]),
    ] {
        weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", classes);
        let named = json(&place, "predict --weights w.safetensors i.png --json");
        let class = named[0]["top"][0]["class"].as_u64().unwrap() as usize;
        for names in sets {
            for (name, top1) in [(names[class], 1.0), (names[(class + 1) % classes], 0.0)] {
                let folder = place.path("set").join(name);
                fs::create_dir_all(&folder).unwrap();
                fs::copy(place.path("i.png"), folder.join("i.png")).unwrap();
                let evaluated = json(&place, "eval --weights w.safetensors --dataset folder --data set --json");
                assert_eq!(evaluated["top1"].as_f64(), Some(top1), "{name}");
                fs::remove_dir_all(place.path("set")).unwrap();
            }
        }
    }
}

#[test]
fn the_table_says_what_moves_and_statistics_alone_do() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let ran = zoo(&place, &format!("{TUNE} --train statistics --epochs 1 --out t.safetensors")).succeeded();
    let state = |ran: &Ran, kind: &str| {
        let line = ran.stderr.lines().find(|line| line.starts_with("trunk") && line.contains(kind)).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        ["running mean", "running variance", "scale"].map(|kind| state(&ran, kind)),
        ["updated", "updated", "frozen"]
    );
    assert!(ran.stdout.contains("trained 0 elements and updated 1376"), "{ran:?}");
    let changed = changed(&place, ["w.safetensors", "t.safetensors"]);
    assert!(changed.len() == 2 * 19 && changed.iter().all(|key| key.contains("running_")), "{changed:?}");
    let ran = zoo(&place, &format!("{TUNE} --train batch-norm --epochs 0")).succeeded();
    assert_eq!(["running mean", "scale"].map(|kind| state(&ran, kind)), ["frozen", "trained"]);
}

#[test]
fn nothing_to_train_is_an_error_unless_it_is_asked_for() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let message = ["--train", "cifar_resnet20 with relu has nothing", "none"];
    zoo(&place, TUNE).failed_in_one_line(2, &message);
    zoo(&place, &format!("{TUNE} --head-epochs 1")).failed_in_one_line(2, &message);
    zoo(&place, &format!("{TUNE} --activation swish --head-epochs 1")).failed_in_one_line(2, &["swish"]);
    weights(&place.path("p.safetensors"), "cifar_resnet20", "prelu", 10);
    zoo(&place, "finetune --weights p.safetensors --dataset folder --data images --activation pvlu --head-epochs 1")
        .failed_in_one_line(1, &["p.safetensors", "prelu"]);
    zoo(&place, &format!("{TUNE} --train none --out t.safetensors")).succeeded();
    assert_eq!(changed(&place, ["w.safetensors", "t.safetensors"]), [""; 0]);
}

#[test]
fn a_head_that_does_not_fit_is_drawn_anew_where_it_is_trained() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 100);
    zoo(&place, &format!("{TUNE} --activation pvlu"))
        .failed(1, &["--head-epochs", "head in --train", "w.safetensors", "nothing was loaded"]);
    for options in ["--train head", "--train all", "--train none --head-epochs 1"] {
        let tuned = json(&place, &format!("{TUNE} {options} --epochs 1 --out t.safetensors --force --json --quiet"));
        let evaluated = json(&place, "eval --weights t.safetensors --dataset folder --data images --json");
        assert_eq!(evaluated["top1"], tuned["top1"], "{options}");
        assert_eq!(said(&place, "t.safetensors", "classes"), "2");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_a_failure() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    zoo(&place, &format!("{TUNE} --train weights,head --learning-rate 1e30 --out t.safetensors --quiet"))
        .failed_in_one_line(1, &["cifar_resnet20 tune", "not finite", "--learning-rate"]);
    assert!(!place.path("t.safetensors").exists());
}

#[test]
fn a_class_without_images_to_hold_out_leaves_nothing_to_measure_with() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for class in ["a", "b"] {
        fs::create_dir_all(place.path("images").join(class)).unwrap();
        fs::write(place.path("images").join(class).join("1.png"), grey(7)).unwrap();
    }
    zoo(&place, &format!("{TUNE} --train head --quiet"))
        .failed_in_one_line(1, &["too few images", "to measure with", "2 training and 0 test"]);
}

#[test]
fn a_head_has_a_rate_of_its_own_beside_other_parts() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tuned = |options: &str, name: &str| {
        zoo(&place, &format!("{TUNE} --epochs 1 --batch-size 8 {options} --out {name} --quiet")).succeeded();
    };
    let both = "--train head,batch-norm --learning-rate 1e-3";
    tuned(both, "a.safetensors");
    tuned(&format!("{both} --head-rate 10"), "b.safetensors");
    // One step of Adam, which moves a parameter by the rate: that of the head by ten times as much.
    let moved = |name: &str, tensor: &str| {
        let values = |name: &str| {
            let file = TensorFile::open(place.path(name)).unwrap();
            let mut values = vec![0.0_f32; file.entries()[tensor].shape.iter().product()];
            file.read_into(tensor, &mut values).unwrap();
            values
        };
        let (before, after) = (values("a0.safetensors"), values(name));
        before.iter().zip(&after).map(|(before, after)| (before - after).abs()).fold(0.0, f32::max)
    };
    zoo(&place, &format!("{TUNE} --train head,batch-norm --epochs 0 --out a0.safetensors --quiet")).succeeded();
    for (tensor, times) in [("linear.bias", 10.0), ("bn1.bias", 1.0)] {
        let ratio = moved("b.safetensors", tensor) / moved("a.safetensors", tensor);
        assert!((ratio / times - 1.0).abs() < 1e-3, "{tensor}: {ratio}");
    }
    let said = zoo(&place, "info b.safetensors").succeeded().stdout;
    assert!(said.contains("10 times that for the head"), "{said}");
    // A head that is trained alone has the learning rate.
    tuned("--train head", "c.safetensors");
    tuned("--train head --head-rate 10", "d.safetensors");
    assert_eq!(changed(&place, ["c.safetensors", "d.safetensors"]), [""; 0]);
}
