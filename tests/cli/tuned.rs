//! Files that an interrupted tuning keeps, and `eval` of a tuned file, with the images treated as the file says.

use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader, Read};
#[cfg(unix)]
use std::process::{Command, Stdio};

use pvlu_zoo::weights::TensorFile;
use serde_json::Value;

use crate::support::Place;
use crate::tuning::{TUNE, changed, cifar10, folder};
#[cfg(unix)]
use crate::zoo::{command, grey, json, rewrite, weights, zoo};

/// Starts a tuning that takes longer than the test, sends it a signal in its second epoch, and returns its exit code
/// and what it said last. `until` is done between the two.
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
    let (temporary, kept) = (place.path("temporary"), "temporary/zoo-kept-1/t.safetensors");
    assert!(said.ends_with(&format!("was kept in {}", place.path(kept).display())), "{said}");
    assert_eq!(changed(&place, ["w.safetensors", kept]), ["linear.bias", "linear.weight"]);

    // Nor there.
    fs::remove_dir_all(&temporary).unwrap();
    fs::write(&temporary, "").unwrap();
    fs::remove_file(place.path("new")).unwrap();
    fs::create_dir(place.path("new")).unwrap();
    let (code, said) = stopped(&place, "--train head --out new/t.safetensors", "-INT", replace);
    assert_eq!(code, Some(130));
    assert!(said.contains("could not be kept: ") && said.contains("cannot write"), "{said}");
}

/// Two commands of one `--out`, of which the other one is the first to write.
#[test]
#[cfg(unix)]
fn a_network_does_not_take_the_place_of_a_file_that_came_to_be_there_meanwhile() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let other = || fs::write(place.path("t.safetensors"), "another network").unwrap();
    let (code, said) = stopped(&place, "--train head --out t.safetensors", "-INT", other);
    assert!(code == Some(130) && said.ends_with("was kept in t-1.safetensors"), "{said}");
    fs::remove_file(place.path("t.safetensors")).unwrap();

    // To its end.
    let mut command = command(&place, &format!("{TUNE} --train head --epochs 3 --out t.safetensors"));
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(running.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("epoch 1/") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the program ended by itself");
    }
    other();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(1), "{rest}");
    let words = ["error: t.safetensors: ", "--force", "the network after its 3 epochs was kept in t-2.safetensors"];
    assert!(words.iter().all(|word| rest.lines().last().unwrap().contains(word)), "{rest}");
    assert_eq!(fs::read_to_string(place.path("t.safetensors")).unwrap(), "another network");
    for kept in ["t-1.safetensors", "t-2.safetensors"] {
        assert_eq!(changed(&place, ["w.safetensors", kept]), ["linear.bias", "linear.weight"]);
    }
}

#[test]
fn an_image_that_is_read_is_not_written_over() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::hard_link(place.path("images/test/light/3.png"), place.path("same.png")).unwrap();
    cifar10(&place);
    let files = ["images/train/dark/0.png", "same.png", "data_batch_1.bin", "test_batch.bin"];
    let before = files.map(|name| fs::read(place.path(name)).unwrap());
    for (name, data) in files.into_iter().zip(["folder", "folder", "cifar10", "cifar10"]) {
        let folder = if data == "folder" { "images" } else { "." };
        let tune = format!("finetune --weights w.safetensors --dataset {data} --data {folder} --train head --quiet");
        zoo(&place, &format!("{tune} --force --out {name}")).failed_in_one_line(2, &[name, "which is read"]);
    }
    assert!(files.map(|name| fs::read(place.path(name)).unwrap()) == before);
}

#[test]
fn a_last_update_that_ruins_the_network_leaves_the_best_before() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    // A rate that one linear layer survives. An epoch is one step, before which the loss is finite.
    let head = "--head-epochs 2 --learning-rate 1e8 --quiet";
    zoo(&place, &format!("{TUNE} {head} --train none --epochs 0 --out h.safetensors")).succeeded();
    zoo(&place, &format!("{TUNE} {head} --train weights --epochs 1 --out t.safetensors")).failed_in_one_line(
        1,
        &["cifar_resnet20", "logit", "the network after its 2 epochs was kept in t.safetensors"],
    );
    assert_eq!(changed(&place, ["h.safetensors", "t.safetensors"]), [""; 0]);
    // None is worth keeping.
    let ran =
        zoo(&place, &format!("{TUNE} --learning-rate 1e8 --quiet --train weights --epochs 1 --out n.safetensors"));
    assert!(!ran.failed_in_one_line(1, &["cifar_resnet20", "logit"]).stderr.contains("kept"));
    assert!(!place.path("n.safetensors").exists());
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
    // A third one is measured with images that were held out before, or with some that were not.
    fs::create_dir(place.path("set")).unwrap();
    fs::rename(place.path("elsewhere"), place.path("set/train")).unwrap();
    fs::rename(place.path("images/test"), place.path("set/test")).unwrap();
    let third = "finetune --weights u.safetensors --dataset folder --train none";
    let said = |data: &str| zoo(&place, &format!("{third} --data {data}")).succeeded().stderr;
    let (same, divided) = (said("set/test"), said("set"));
    assert!(!same.contains("was trained on"), "{same}");
    let known = "warning: set/test: 6 of 6 images that u.safetensors was trained on are among those evaluated";
    assert!(divided.contains(known), "{divided}");
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
    // Nor is an epoch picked by them unawares.
    let again = "finetune --weights t.safetensors --dataset folder --data images --train head --epochs 1";
    let held_out = zoo(&place, &format!("{again} --held-out 0.3")).succeeded().stderr;
    assert!(
        held_out.contains("2 of 8 images that t.safetensors was trained on are among those held out"),
        "{held_out}"
    );
    assert!(!held_out.contains("among those evaluated"), "{held_out}");
    fs::remove_dir_all(place.path("images/test")).unwrap();
    let only = said("images");
    assert!(only.contains("no folder of test images") && only.contains("8 of 8 images"), "{only}");
    // A file of an earlier version says nothing of it.
    let file = TensorFile::open(place.path("t.safetensors")).unwrap();
    let mut metadata = file.metadata().clone();
    metadata.remove("pvlu_zoo.trained_on").unwrap();
    rewrite(&file, &place.path("old.safetensors"), &metadata, |_, _| ());
    let arguments = "eval --weights old.safetensors --dataset folder --data images";
    let unknown = zoo(&place, arguments).succeeded().stderr;
    assert!(unknown.contains("old.safetensors does not say which images it was tuned on"), "{unknown}");
    metadata.insert("pvlu_zoo.trained_on".to_owned(), "[{}]".to_owned());
    rewrite(&file, &place.path("odd.safetensors"), &metadata, |_, _| ());
    zoo(&place, "eval --weights odd.safetensors --dataset folder --data images")
        .failed_in_one_line(1, &["odd.safetensors", "not what finetune writes"]);
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
