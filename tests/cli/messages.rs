//! Messages of both programs about names, numbers, images and data sets that are not as they should be, and text that
//! others wrote as the programs print it.

use std::fs;

use pvlu_zoo::checkpoint::{Notes, save_model};
use pvlu_zoo::registry::{Options, Start, find, models};
use pvlu_zoo::weights::Source;
use serde_json::Value;

use crate::support::{Place, Ran, with_data};
use crate::zoo::{command, grey, weights, zoo};

/// A file of weights for 10 classes of these names and images of this side.
fn labeled(place: &Place, name: &str, side: usize, labels: Option<&[String]>) {
    let entry = find("cifar_resnet20").unwrap();
    let options = Options { activation: "relu", classes: 10, image: Some((side, side)), weights: Start::Seed(3) };
    let model = entry.build(&options).unwrap();
    let notes = Notes { labels, ..Notes::default() };
    save_model(model.as_ref(), entry, place.path(name), Source::Native, &notes).unwrap();
}

/// A class folder with an image, and what else is said.
fn classes(place: &Place, folder: &str) {
    for class in pvlu_zoo::data::labels::CIFAR10 {
        fs::create_dir_all(place.path(folder).join(class)).unwrap();
        fs::write(place.path(folder).join(class).join("0.png"), grey(90)).unwrap();
    }
}

#[test]
fn an_image_that_cannot_be_read_does_not_end_the_others() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("good.png"), grey(20)).unwrap();
    fs::write(place.path("bad.png"), &grey(9)[..40]).unwrap();
    let list = "predict --weights w.safetensors good.png bad.png none.png https://example.org/a.png good.png";
    let alone = zoo(&place, "predict --weights w.safetensors good.png").succeeded().stdout;
    let ran = zoo(&place, list);
    assert_eq!((ran.code, ran.stdout.clone()), (Some(1), alone.repeat(2)), "{ran:?}");
    let errors: Vec<&str> = ran.stderr.lines().collect();
    let expected = [
        "error: bad.png: ",
        "error: none.png: expected an image file, found nothing",
        "error: https://example.org/a.png: expected an image file, found an address in the web: download the image",
        "error: 3 of 5 images could not be read or gave no answer",
    ];
    assert!(errors.len() == 4 && errors.iter().zip(expected).all(|(line, begin)| line.starts_with(begin)), "{ran:?}");

    let ran = zoo(&place, &format!("{list} --json"));
    assert_eq!(ran.code, Some(1));
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let named: Vec<bool> = found.as_array().unwrap().iter().map(|image| image["top"].is_array()).collect();
    assert_eq!(named, [true, false, false, false, true]);
    assert_eq!(found[0], found[4]);
    assert!(found[1]["image"] == "bad.png" && found[1]["error"].as_str().unwrap().starts_with("bad.png: "), "{found}");
    assert_eq!(ran.stderr.lines().count(), 4, "{ran:?}");
}

#[test]
fn what_is_no_image_by_its_name_is_passed_over_and_other_formats_are_not() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    classes(&place, "d");
    fs::write(place.path("d/cat/Thumbs.db"), "x").unwrap();
    fs::write(place.path("d/dog/desktop.ini"), "x").unwrap();
    let evaluate = "eval --weights w.safetensors --dataset folder --data d";
    let ran = zoo(&place, evaluate).succeeded();
    assert!(ran.stdout.contains("images 10 "), "{ran:?}");
    assert_eq!(ran.stderr, "warning: d: passed over 2 files that are no images (Thumbs.db, desktop.ini)\n");
    let tune = "finetune --weights w.safetensors --dataset folder --data d --train none --quiet";
    zoo(&place, &tune.replace(" --quiet", "")).failed(1, &["too few images"]);

    fs::write(place.path("d/cat/1.gif"), "x").unwrap();
    fs::write(place.path("d/dog/2.tif"), "x").unwrap();
    for command in [evaluate, tune] {
        zoo(&place, command)
            .failed_in_one_line(1, &["d: expected PNG", "cat/1.gif (GIF), dog/2.tif (TIFF)", "convert them"]);
    }
}

#[test]
fn parts_of_a_folder_go_by_their_usual_names() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for (first, second) in [("train", "valid"), ("Training", "Testing"), ("TRAIN", "dev")] {
        classes(&place, &format!("d/{first}"));
        classes(&place, &format!("d/{second}"));
        fs::write(place.path(format!("d/{second}/cat/1.png")), grey(7)).unwrap();
        let ran = zoo(&place, "eval --weights w.safetensors --dataset folder --data d").succeeded();
        assert!(ran.stdout.contains("images 11 ") && ran.stderr.is_empty(), "{ran:?}");
        fs::remove_dir_all(place.path("d")).unwrap();
    }
    classes(&place, "d/train");
    classes(&place, "d/other");
    zoo(&place, "eval --weights w.safetensors --dataset folder --data d")
        .failed_in_one_line(1, &["d/other/airplane: does not belong here", "valid, validation, dev, testing"]);
}

#[test]
fn a_form_of_cifar_that_is_not_read_is_named_with_those_that_are() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::create_dir_all(place.path("data")).unwrap();
    fs::write(place.path("data/cifar-100.mat"), "MATLAB 5.0 MAT-file").unwrap();
    let words = [
        "data/cifar-100.mat: this is the Matlab version; the binary and the Python version (cifar-100-binary.tar.gz, \
         cifar-100-python.tar.gz) are read here, unpacked or not",
    ];
    for data in ["data", "data/cifar-100.mat"] {
        zoo(&place, &format!("eval --weights w.safetensors --dataset cifar100 --data {data}"))
            .failed_in_one_line(1, &words);
        Ran::of(with_data(place.command("table1 --epochs 1"), data)).failed_in_one_line(1, &words);
    }
    // Not asked for, so that other images are used; but not without a word.
    let ran = place.run("table1 --epochs 1 --seeds 0 --activations relu --limit-train 40 --limit-test 10").succeeded();
    assert!(ran.stderr.contains("procedural images") && ran.stderr.contains(words[0]), "{ran:?}");
    fs::write(place.path("cifar-10-binary.tar.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    zoo(&place, "eval --weights w.safetensors --dataset cifar10 --data cifar-10-binary.tar.gz")
        .failed_in_one_line(1, &["cifar-10-binary.tar.gz: archive: expected a whole one: download it again"]);
}

#[test]
fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for (arguments, meant) in [
        ("lst", "list"),
        ("list --jsn", "--json"),
        ("info resnet20", "cifar_resnet20"),
        ("info VGG-16", "vgg16"),
        ("info vgg16 --activation pvul", "pvlu"),
        ("bench --model resnet52", "resnet50"),
        ("predict --weights w.safetensors --model cifar-resnet20 a.png", "cifar_resnet20"),
        ("predict --weights w.safetensors --activation rleu a.png", "relu"),
        ("eval --weights w.safetensors --dataset cifar01 --data d", "cifar10"),
        ("finetune --weights w.safetensors --dataset folder --data d --train batch_norm", "batch-norm"),
        ("convert w.safetensors o.safetensors --to nativ", "native"),
    ] {
        zoo(&place, arguments).failed_in_one_line(2, &[&format!("did you mean {meant}?")]);
    }
    for (arguments, meant) in [
        ("tabel1", "table1"),
        ("table1 --epoch 3", "--epochs"),
        ("table1 --activations relu,pvul", "pvlu"),
        ("table3 --models vgg61", "vgg16"),
        ("table3 --arms relu_afine", "relu_affine"),
        ("table5 --models resnet20", "cifar_resnet20"),
        ("plan tabel3", "table3"),
    ] {
        place.run(arguments).failed_in_one_line(2, &["did you mean ", meant]);
    }
    // A wrong name without a right one near it is a wrong name all the same.
    zoo(&place, "info alexnet").failed_in_one_line(2, &["unknown model \"alexnet\"; known are"]);
    // What a file says is an error of the file.
    zoo(&place, "convert none.safetensors o.safetensors").failed_in_one_line(1, &["none.safetensors"]);
}

#[test]
fn numbers_that_are_none_are_answered_with_what_was_expected() {
    let place = Place::new();
    let whole = "expected a whole number";
    for (arguments, words) in [
        ("info vgg16 --classes ten", ["'ten'", "--classes", whole]),
        ("info vgg16 --classes=-1", ["'-1'", "--classes", whole]),
        ("bench --model vgg16 --batch x", ["'x'", "--batch", whole]),
        ("eval --weights w --dataset cifar10 --data d --mean a,b,c", ["'a'", "--mean", "expected a number"]),
        (
            "eval --weights w --dataset cifar10 --data d --limit 0",
            ["'0'", "--limit", "expected a whole number from 1 on"],
        ),
    ] {
        let ran = zoo(&place, arguments).failed_in_one_line(2, &words);
        assert!(
            ["invalid digit", "invalid float", "would be zero"].iter().all(|std| !ran.stderr.contains(std)),
            "{ran:?}"
        );
    }
    let long = "18446744073709551616";
    place.run(&format!("table1 --seeds {long}")).failed_in_one_line(2, &[long, "expected a smaller whole number"]);
    place.run("table1 --seeds 0,,1").failed_in_one_line(2, &["''", "found nothing"]);
}

#[test]
fn what_the_system_says_is_said_without_its_number() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for (arguments, words) in [
        ("predict --weights none none.png", "none: there is no such file or folder"),
        ("predict --weights w.safetensors none.png", "none.png: expected an image file, found nothing"),
        ("eval --weights w.safetensors --dataset folder --data none", "none: no such folder"),
        ("eval --weights w.safetensors --dataset cifar10 --data https://a.b/c", "found an address in the web"),
        ("convert w.safetensors w.safetensors/x", "cannot write: "),
    ] {
        let ran = zoo(&place, arguments).failed_in_one_line(1, &[words]);
        assert!(!ran.stderr.contains("os error"), "{ran:?}");
    }
}

#[test]
fn models_are_listed_in_columns() {
    let listed = zoo(&Place::new(), "list").succeeded().stdout;
    let table: Vec<&str> = listed.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(table.len(), 1 + models().len());
    let begins = |line: &str| -> Vec<usize> {
        let first_of_word = |at: &usize| line[..*at].ends_with("  ") && !line[*at..].starts_with(' ');
        std::iter::once(0).chain((1..line.len()).filter(first_of_word)).collect()
    };
    let columns = begins(table[0]);
    assert_eq!(columns.len(), 3);
    for (line, entry) in table[1..].iter().zip(models()) {
        assert_eq!(begins(line), columns, "{line}");
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        assert_eq!(words[0], entry.name);
        assert!(words[1].starts_with(|c: char| c.is_ascii_digit()), "{line}");
    }
}

#[test]
fn labels_out_of_a_file_are_escaped_and_cut_and_whole_in_json() {
    let place = Place::new();
    fs::write(place.path("a.png"), grey(20)).unwrap();
    let label = |class: usize| format!("\x1b]0;owned\x07\u{9b}2J\u{202e}{class}{}", "x".repeat(9_000));
    let labels: Vec<String> = (0..10).map(label).collect();
    labeled(&place, "w.safetensors", 32, Some(&labels));
    let ran = zoo(&place, "predict --weights w.safetensors a.png").succeeded();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines.len() == 6 && ran.stdout.len() < 3_000, "{ran:?}");
    for line in &lines[1..] {
        assert!(line.contains("\\u{1b}]0;owned\\u{7}\\u{9b}2J\\u{202e}") && line.ends_with("xxx..."), "{line}");
    }
    let ran = zoo(&place, "predict --weights w.safetensors a.png --json").succeeded();
    assert!(!ran.stdout.contains(|c| c != '\n' && pvlu_zoo::text::is_acted_on(c)), "{:.300}", ran.stdout);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let class = found[0]["top"][0]["class"].as_u64().unwrap() as usize;
    assert_eq!(found[0]["top"][0]["label"], labels[class].as_str());

    // Quoted in errors and warnings.
    classes(&place, "d");
    let ran = zoo(&place, "eval --weights w.safetensors --dataset folder --data d").succeeded();
    let warnings: Vec<&str> = ran.stderr.lines().collect();
    assert!(warnings.iter().any(|line| line.starts_with("warning: d: ")) && ran.stderr.len() < 3_000, "{warnings:?}");
    // And that nothing is known of the images that it was tuned on.
    assert_eq!(warnings.len(), 2);
    assert!(!warnings.concat().contains(pvlu_zoo::text::is_acted_on));
}

#[test]
#[cfg(unix)]
fn names_of_files_cannot_write_lines_of_their_own() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let name = "a\nerror: \x1b[2Jb.png";
    let shown = "a\\nerror: \\u{1b}[2Jb.png";
    let predict = || {
        let mut command = command(&place, "predict --weights w.safetensors");
        command.arg(name);
        Ran::of(command)
    };
    predict().failed_in_one_line(1, &[shown]);
    fs::write(place.path(name), grey(1)).unwrap();
    assert!(predict().succeeded().stdout.starts_with(&format!("{shown}\n  ")));
    // Of weights and of a folder as well.
    let mut command = command(&place, "convert");
    command.args([name, "out.safetensors"]);
    Ran::of(command).failed_in_one_line(1, &[shown]);
    classes(&place, "d");
    fs::write(place.path("d/cat").join(name), "x").unwrap();
    zoo(&place, "eval --weights w.safetensors --dataset folder --data d").failed_in_one_line(1, &[shown]);
}

#[test]
fn a_file_that_says_large_images_needs_a_person_who_wants_them() {
    let place = Place::new();
    labeled(&place, "w.safetensors", 4096, None);
    fs::write(place.path("a.png"), grey(20)).unwrap();
    zoo(&place, "predict --weights w.safetensors a.png").failed_in_one_line(
        1,
        &["w.safetensors: metadata pvlu_zoo.image", "4096x4096", "2148 MB", "536 MB", "--image"],
    );
    let ran = zoo(&place, "predict --weights w.safetensors a.png --image 40").succeeded();
    assert_eq!(ran.stdout.lines().count(), 6);
    // Of a set whose images have a size of their own as well.
    crate::tuning::cifar10(&place);
    zoo(&place, "eval --weights w.safetensors --dataset cifar10 --data . --limit 1")
        .failed_in_one_line(1, &["w.safetensors: metadata pvlu_zoo.image", "4096x4096"]);
}
