//! Images in CIFAR-100's format: where they are looked for, and what is said when they are not as they should be.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Place, RECORD, Ran, records, with_data, write_cifar100};

const TINY: &str = "table1 --epochs 1 --seeds 0 --activations relu --limit-train 40 --limit-test 10";

/// The program failed in one line that has the words, and left no file.
#[track_caller]
fn failed(place: &Place, command: Command, words: &[&str]) {
    Ran::of(command).failed_in_one_line(1, words);
    assert!(place.results().is_empty(), "{:?}", place.results());
}

/// The data that the run used, as its table says.
fn used(place: &Place) -> String {
    place.csv("table1.csv").rows[0]["data"].clone()
}

#[test]
fn images_are_read_from_the_folder_or_its_parent() {
    let place = Place::new();
    write_cifar100(&place.path("images/cifar-100-binary"), 200, 60);
    for folder in ["images", "images/cifar-100-binary"] {
        let command = place.command("table1 --epochs 1 --seeds 0 --activations relu --batch-size 16");
        let ran = Ran::of(with_data(command, folder)).succeeded();
        assert!(ran.stderr.contains("CIFAR-100 from images"), "{ran:?}");
        assert!(ran.stderr.contains("warning: cifar100 train: 200 images, the official set has 50000"), "{ran:?}");
        let runs = place.csv("table1.csv");
        let fields = ["data", "preset", "classes", "train_images", "val_images", "test_images", "status"];
        let row = &runs.rows[0];
        // Four classes of 50 images, a tenth held out.
        assert_eq!(
            fields.map(|field| row[field].as_str()),
            ["cifar100", "paper, 1 of 100 epochs, batch size 16 not 128", "100", "180", "20", "60", "finished"]
        );
        assert_eq!(row["paper_top1"], "0.007000", "seed 0 of the paper's ReLU");
        for count in ["200 images", "60 images"] {
            assert!(row["data_warnings"].contains(count), "{row:?}");
        }
    }
}

#[test]
fn the_variable_and_the_folder_here_are_looked_at_in_turn() {
    let place = Place::new();
    write_cifar100(&place.path("elsewhere"), 80, 20);
    let mut command = place.command(TINY);
    command.env("PVLU_ZOO_DATA", "elsewhere");
    let ran = Ran::of(command).succeeded();
    assert!(ran.stderr.contains("CIFAR-100 from elsewhere\n"), "{ran:?}");
    assert_eq!(used(&place), "cifar100");

    // The option comes before the variable, the variable before `./data`.
    write_cifar100(&place.path("data"), 80, 20);
    let mut command = place.command(TINY);
    command.env("PVLU_ZOO_DATA", "missing");
    let ran = Ran::of(with_data(command, "elsewhere")).succeeded();
    assert!(ran.stderr.contains("CIFAR-100 from elsewhere\n"), "{ran:?}");
    let mut command = place.command(TINY);
    command.env("PVLU_ZOO_DATA", "missing");
    Ran::of(command).failed_in_one_line(1, &["missing"]);
    let mut command = place.command(TINY);
    command.env("PVLU_ZOO_DATA", "");
    let ran = Ran::of(command).succeeded();
    assert!(ran.stderr.contains("CIFAR-100 from data\n"), "{ran:?}");
}

#[test]
fn a_folder_here_with_other_things_is_no_data() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/notes.txt"), "x").unwrap();
    place.run(TINY).succeeded();
    assert_eq!(used(&place), "procedural");

    // Another program's training file, without a test file.
    fs::write(place.path("data/train.bin"), "x").unwrap();
    place.run(TINY).succeeded();
    assert_eq!(used(&place), "procedural");
    fs::remove_dir_all(place.path("data")).unwrap();

    write_cifar10(&place.path("data"));
    place.run(TINY).succeeded();
    assert_eq!(used(&place), "procedural");
}

#[test]
fn damaged_files_here_are_not_passed_over() {
    let place = Place::new();
    write_cifar100(&place.path("data"), 80, 20);
    fs::write(place.path("data/train.bin"), &records(80, 0)[..50 * RECORD + 7]).unwrap();
    failed(&place, place.command(TINY), &["data/train.bin"]);
}

/// The two files that a CIFAR-10 folder needs, with one record each.
fn write_cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in ["data_batch_1.bin", "test_batch.bin"] {
        fs::write(folder.join(name), [0; 3073]).unwrap();
    }
}

#[test]
fn folders_without_the_files_are_named() {
    let place = Place::new();
    let with = |folder: &str| with_data(place.command(TINY), folder);
    failed(&place, with("absent"), &["absent", "no such folder"]);

    fs::create_dir(place.path("empty")).unwrap();
    failed(&place, with("empty"), &["empty", "train.bin", "test.bin", "nothing"]);

    fs::write(place.path("file"), "").unwrap();
    failed(&place, with("file"), &["file", "expected a folder"]);

    write_cifar10(&place.path("ten"));
    failed(&place, with("ten"), &["ten", "expected CIFAR-100, found CIFAR-10"]);

    write_cifar100(&place.path("half"), 4, 4);
    fs::remove_file(place.path("half/test.bin")).unwrap();
    failed(&place, with("half"), &["half", "missing test.bin"]);

    failed(&place, with_data(place.command(TINY), "no\u{fc} stra\u{df}e"), &["no\u{fc} stra\u{df}e"]);
}

/// A class gives an image to hold out from two on.
#[test]
fn too_few_images_are_an_error() {
    let place = Place::new();
    write_cifar100(&place.path("images"), 4, 4);
    let words = ["cifar100: too few images", "to hold out (4 training and 4 test images)"];
    failed(&place, with_data(place.command("table1 --epochs 1"), "images"), &words);
    // With five the first class has two.
    write_cifar100(&place.path("images"), 5, 1);
    Ran::of(with_data(place.command("table1 --epochs 1 --seeds 0 --activations relu"), "images")).succeeded();
    let row = &place.csv("table1.csv").rows[0];
    assert_eq!(["train_images", "val_images", "test_images"].map(|field| row[field].as_str()), ["4", "1", "1"]);
}

#[test]
fn damaged_files_are_named() {
    let place = Place::new();
    let images = place.path("images");
    let with = || with_data(place.command(TINY), "images");
    let damage = |name: &str, bytes: &[u8]| {
        write_cifar100(&images, 40, 12);
        fs::write(images.join(name), bytes).unwrap();
    };
    let whole = records(40, 0);

    damage("train.bin", &whole[..whole.len() - 1]);
    failed(&place, with(), &["images/train.bin", "record 39 is cut"]);

    damage("test.bin", &whole[..RECORD - 2]);
    failed(&place, with(), &["images/test.bin", "record 0 is cut"]);

    damage("test.bin", &[]);
    failed(&place, with(), &["images/test.bin", "empty file"]);

    let mut wrong = whole.clone();
    wrong[17 * RECORD + 1] = 100;
    damage("train.bin", &wrong);
    failed(&place, with(), &["images/train.bin", "record 17", "fine label below 100, found 100"]);

    wrong[17 * RECORD + 1] = 0;
    wrong[3 * RECORD] = 20;
    damage("train.bin", &wrong);
    failed(&place, with(), &["images/train.bin", "record 3", "coarse label below 20, found 20"]);

    damage("train.bin", &[0; 2 * 3073]);
    failed(&place, with(), &["images/train.bin", "expected CIFAR-100, found CIFAR-10"]);

    write_cifar100(&images, 40, 12);
    fs::remove_file(images.join("test.bin")).unwrap();
    fs::create_dir(images.join("test.bin")).unwrap();
    failed(&place, with(), &["images/test.bin", "expected a file, found a folder"]);
}
