//! What a tuning keeps when it does not come to its end, and what `eval` makes of what a tuned file says of its images.

use std::collections::BTreeMap;
use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};

use pvlu_zoo::weights::{Declared, TensorFile, Writer};
use serde_json::Value;

use crate::support::Place;
use crate::tuning::{TUNE, changed, cifar10, folder};
#[cfg(unix)]
use crate::zoo::command;
use crate::zoo::{grey, json, weights, zoo};

/// Starts a tuning that takes longer than the test, sends it a signal in its second epoch, and returns its exit code and what
/// it said last. `until` is done between the two.
#[cfg(unix)]
fn stopped(place: &Place, arguments: &str, signal: &str, until: impl FnOnce()) -> (Option<i32>, String) {
    let mut command = command(place, &format!("{TUNE} --epochs 1000000 {arguments}"));
    command.env("TMPDIR", place.path("temporary"));
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(running.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("epoch 2/") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the program ended by itself");
    }
    until();
    let sent = Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let last: Vec<&str> = rest.lines().filter(|line| !line.contains(": epoch ")).collect();
    assert_eq!(last.len(), 1, "{rest}");
    (running.wait().unwrap().code(), last[0].to_owned())
}

#[test]
#[cfg(unix)]
fn a_tuning_that_is_ended_keeps_its_best_network() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let kept = stopped(&place, "--train head --out new/t.safetensors", signal, || ());
        assert_eq!(kept.0, Some(code), "{kept:?}");
        let words = [
            "error: interrupted; the network after epoch ",
            "of 1000000 (training loss ",
            "was kept in new/t.safetensors",
        ];
        assert!(words.iter().all(|word| kept.1.contains(word)), "{kept:?}");
        // It is the model that it would have been, with all that a finished one says.
        assert_eq!(changed(&place, ["w.safetensors", "new/t.safetensors"]), ["linear.bias", "linear.weight"]);
        json(&place, "eval --weights new/t.safetensors --dataset folder --data images --json");
        assert_eq!(fs::read_dir(place.path("new")).unwrap().count(), 1);
        fs::remove_dir_all(place.path("new")).unwrap();
    }
    let lost = stopped(&place, "--train head", "-INT", || ());
    assert_eq!(lost, (Some(130), "error: interrupted; nothing was saved".to_owned()));
}

#[test]
#[cfg(unix)]
fn a_network_that_cannot_be_written_where_it_should_is_kept_elsewhere() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::create_dir(place.path("new")).unwrap();
    // No folder any more, as a disk may be full that was not at the beginning.
    let replace = || {
        fs::remove_dir(place.path("new")).unwrap();
        fs::write(place.path("new"), "").unwrap();
    };
    let (code, said) = stopped(&place, "--train head --out new/t.safetensors", "-INT", replace);
    assert_eq!(code, Some(130));
    let temporary = place.path("temporary");
    let kept: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(kept.len() == 1 && said.ends_with(&format!("was kept in {}", kept[0].display())), "{said} {kept:?}");
    let kept = format!("temporary/{}", kept[0].file_name().unwrap().to_str().unwrap());
    assert_eq!(changed(&place, ["w.safetensors", &kept]), ["linear.bias", "linear.weight"]);

    // Nor there.
    fs::remove_dir_all(&temporary).unwrap();
    fs::write(&temporary, "").unwrap();
    fs::remove_file(place.path("new")).unwrap();
    fs::create_dir(place.path("new")).unwrap();
    let (code, said) = stopped(&place, "--train head --out new/t.safetensors", "-INT", replace);
    assert_eq!(code, Some(130));
    assert!(said.contains("could not be kept: ") && said.contains("cannot write"), "{said}");
}

#[test]
fn a_loss_that_diverges_leaves_the_best_network_before() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    // A rate that a head survives, but not one convolution after the other. An epoch is one step.
    let head = "--train none --epochs 0 --head-epochs 2 --learning-rate 10 --out h.safetensors --quiet";
    zoo(&place, &format!("{TUNE} {head}")).succeeded();
    let both = "--train weights --epochs 4 --head-epochs 2 --learning-rate 10 --out t.safetensors --quiet";
    zoo(&place, &format!("{TUNE} {both}"))
        .failed_in_one_line(1, &["tune", "not finite", "the network after its 2 epochs was kept in t.safetensors"]);
    let differs = changed(&place, ["h.safetensors", "t.safetensors"]);
    assert_eq!(differs, [""; 0]);
}

#[test]
fn a_folder_that_a_model_was_tuned_on_is_measured_by_what_was_held_out() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    // A folder that is not divided: the last of four images of each class are held out.
    let whole = place.path("whole");
    fs::rename(place.path("images/train"), &whole).unwrap();
    let tune =
        "finetune --weights w.safetensors --dataset folder --train head --epochs 2 --quiet --out t.safetensors --json";
    let tuned = json(&place, &format!("{tune} --data whole"));
    assert_eq!((&tuned["train_images"], &tuned["test_images"]), (&Value::from(6), &Value::from(2)));
    let evaluated = |file: &str, data: &str| {
        let arguments = format!("eval --weights {file} --dataset folder --data {data} --json");
        let ran = zoo(&place, &arguments).succeeded();
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        (found["images"].as_u64().unwrap(), found["top1"].clone(), ran.stderr)
    };
    // The same folder, moved; and the file under other names.
    zoo(&place, "convert t.safetensors c.safetensors").succeeded();
    fs::rename(&whole, place.path("elsewhere")).unwrap();
    for file in ["t.safetensors", "c.safetensors"] {
        let (images, top1, said) = evaluated(file, "elsewhere");
        assert_eq!((images, &top1), (2, &tuned["top1"]), "{said}");
        assert!(said.contains("evaluated are the 2 of 8 images held out then") && said.lines().count() == 1, "{said}");
    }
    // Images of the same names.
    let (images, _, said) = evaluated("t.safetensors", "images");
    assert_eq!((images, said.as_str()), (8, ""));
    // One image more: it is another folder, and most of it was trained on.
    fs::write(place.path("elsewhere/dark/9.png"), grey(9)).unwrap();
    let (images, _, said) = evaluated("t.safetensors", "elsewhere");
    assert_eq!(images, 9);
    assert!(
        said.starts_with("warning: elsewhere: 6 of 6 images that t.safetensors was trained on are among"),
        "{said}"
    );
    // What a second tuning was trained on comes beside the first.
    let again = "finetune --weights t.safetensors --dataset folder --train head --epochs 1 --quiet --out u.safetensors";
    zoo(&place, &format!("{again} --data images/test")).succeeded();
    assert!(evaluated("u.safetensors", "elsewhere").2.contains("6 of 6 images that u.safetensors"));
    assert!(evaluated("u.safetensors", "images").2.contains("images held out then"));
}

#[test]
fn images_to_learn_from_are_not_measured_with_unawares() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    zoo(&place, &format!("{TUNE} --train head --epochs 1 --quiet --out t.safetensors")).succeeded();
    let said = |data: &str| {
        let arguments = format!("eval --weights t.safetensors --dataset folder --data {data}");
        zoo(&place, &arguments).succeeded().stderr
    };
    assert_eq!([said("images"), said("images/test")], ["", ""]);
    assert!(said("images/train").contains("warning: images/train: 8 of 8 images that t.safetensors was trained on"));
    fs::remove_dir_all(place.path("images/test")).unwrap();
    let only = said("images");
    assert!(only.contains("no folder of test images") && only.contains("8 of 8 images"), "{only}");
    // A file of an earlier version says nothing of it.
    let file = TensorFile::open(place.path("t.safetensors")).unwrap();
    let mut metadata = file.metadata().clone();
    metadata.remove("pvlu_zoo.trained_on").unwrap();
    rewrite(&file, &place.path("old.safetensors"), &metadata);
    let arguments = "eval --weights old.safetensors --dataset folder --data images";
    let unknown = zoo(&place, arguments).succeeded().stderr;
    assert!(unknown.contains("old.safetensors does not say which images it was tuned on"), "{unknown}");
    metadata.insert("pvlu_zoo.trained_on".to_owned(), "[{}]".to_owned());
    rewrite(&file, &place.path("odd.safetensors"), &metadata);
    zoo(&place, "eval --weights odd.safetensors --dataset folder --data images")
        .failed_in_one_line(1, &["odd.safetensors", "not what finetune writes"]);
}

/// A file with the same tensors and other metadata.
fn rewrite(file: &TensorFile, to: &Path, metadata: &BTreeMap<String, String>) {
    let shapes = file.entries().iter();
    let declared = shapes.map(|(name, entry)| Declared {
        name: name.clone(),
        dtype: entry.dtype.clone(),
        shape: entry.shape.clone(),
    });
    let mut writer = Writer::create(to, declared.collect(), metadata).unwrap();
    for (name, entry) in file.entries() {
        let mut values = vec![0.0_f32; entry.shape.iter().product()];
        file.read_into(name, &mut values).unwrap();
        writer.write(name, &values).unwrap();
    }
    writer.finish().unwrap();
}

/// CIFAR's files with another number of images than the official ones are used, with a warning.
#[test]
fn what_is_odd_about_a_set_is_said_when_it_is_measured_with() {
    let place = Place::new();
    cifar10(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let ran = zoo(&place, "eval --weights w.safetensors --dataset cifar10 --data . --json").succeeded();
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("60"), "{ran:?}");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(!found["notes"].as_array().unwrap().is_empty(), "{found}");
}
