//! The forms that data sets are read in, and what `zoo data info` says of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Place, Ran};
use crate::zoo::{command, json, weights, weights_for, zoo};

/// A folder or file that `tests/fixtures/data/gen.py` made.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data").join(name)
}

/// The accuracy that a command prints, without the time.
fn accuracy(ran: &Ran) -> &str {
    ran.stdout.split("  seconds").next().unwrap()
}

#[test]
fn a_set_is_evaluated_in_every_form_by_the_option_and_by_the_variable() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let evaluate = "eval --weights w.safetensors --dataset cifar10";
    let mut said = Vec::new();
    for form in ["python2", "python3/cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar10.npz"] {
        let ran = zoo(&place, &format!("{evaluate} --data {}", fixture(form).display())).succeeded();
        assert!(ran.stderr.contains("warning: cifar10 test: 1 images, the official set has 10000"), "{ran:?}");
        said.push(accuracy(&ran).to_owned());
        let mut by_variable = command(&place, evaluate);
        by_variable.env("PVLU_ZOO_DATA", fixture(form));
        assert_eq!(accuracy(&Ran::of(by_variable).succeeded()), said[0]);
    }
    assert!(said[0].ends_with("images 1") && said.iter().all(|form| *form == said[0]), "{said:?}");
    // The option comes before the variable; an empty one is none.
    let mut both = command(&place, &format!("{evaluate} --data {}", fixture("python2").display()));
    both.env("PVLU_ZOO_DATA", "missing");
    Ran::of(both).succeeded();
    let mut none = command(&place, evaluate);
    none.env("PVLU_ZOO_DATA", "");
    Ran::of(none).failed_in_one_line(2, &["the path of the images is missing: give --data or set PVLU_ZOO_DATA"]);
}

/// Gray images are given to networks that take color.
#[test]
fn mnist_is_evaluated_and_tuned_on_as_cifar_is() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let data = format!("--dataset mnist --data {}", fixture("mnist.npz").display());
    let evaluated = zoo(&place, &format!("eval --weights w.safetensors {data}")).succeeded();
    assert!(evaluated.stderr.contains("warning: mnist test: "), "{evaluated:?}");
    let tune = format!("finetune --weights w.safetensors {data} --train head --epochs 1 --out t.safetensors");
    zoo(&place, &tune).succeeded();
    assert_eq!(json(&place, "info t.safetensors --json")["image"], serde_json::json!([28, 28]));
    zoo(&place, "eval --weights w.safetensors --dataset svhn --data .")
        .failed_in_one_line(2, &["invalid value 'svhn'", "cifar10, cifar100, mnist, fashion_mnist, folder"]);
}

#[test]
fn info_says_what_was_recognized() {
    let place = Place::new();
    let info = |path: &Path| zoo(&place, &format!("data info {}", path.display())).succeeded().stdout;
    let said = info(&fixture("cifar-10-python.tar.gz"));
    for line in [
        "cifar10: Python version, in an archive\n",
        "train    3 images, 0 to 1 of a class\n",
        "test     1 images, 0 to 1 of a class\n",
        "shape    3 x 32 x 32\n",
        "classes  10: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck\n",
        // Columns 0 to 31, 13 more a channel, and for the second image of the first batch 7 more.
        "mean     0.0699, 0.1209, 0.1719 of train, by channel\n",
        "warning: cifar10 train: 3 images, the official set has 50000\n",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let said = info(&fixture("mnist.npz"));
    assert!(said.starts_with("npz: file of NumPy\n") && said.contains("shape    1 x 28 x 28\n"), "{said}");

    let sets = json(&place, &format!("data info --json {}", fixture("python2").display()));
    let names: Vec<_> = sets.as_array().unwrap().iter().map(|set| set["set"].as_str().unwrap()).collect();
    assert_eq!(names, ["cifar10", "cifar100"]);
    assert_eq!(sets[1]["parts"][0]["images"], 3);
    assert_eq!(sets[1]["class_names"][99], "worm");
    assert_eq!(sets[0]["mean"].as_array().unwrap().len(), 3);

    // Files of any size.
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images/wide.png");
    for class in ["train/cat", "train/dog", "test/cat", "test/dog"] {
        fs::create_dir_all(place.path("photos").join(class)).unwrap();
        fs::copy(&image, place.path("photos").join(class).join("1.png")).unwrap();
    }
    let said = info(&place.path("photos"));
    for line in ["folder: folder of images\n", "train    2 images, 1 of a class\n", "classes  2: cat, dog\n"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn info_of_a_path_without_a_set_says_what_is_read() {
    let place = Place::new();
    fs::write(place.path("notes.txt"), "x").unwrap();
    for path in ["notes.txt", "."] {
        zoo(&place, &format!("data info {path}")).failed_in_one_line(1, &["no data set that is read here", "MNIST"]);
    }
    zoo(&place, "data info missing").failed_in_one_line(1, &["missing: no such folder"]);
    zoo(&place, "data info").failed_in_one_line(2, &["give PATH or set PVLU_ZOO_DATA"]);
}

/// A folder or file that `tests/fixtures/shards/gen.py` made.
fn shards(name: &str) -> PathBuf {
    fixture("../shards").join(name)
}

#[test]
fn images_in_archives_and_parquet_files_are_recognized_and_evaluated() {
    let place = Place::new();
    let info = |name: &str| zoo(&place, &format!("data info {}", shards(name).display())).succeeded().stdout;
    let said = info("cifar10");
    assert!(
        said.starts_with("cifar10: Parquet files of Hugging Face\ntrain    12 images, 1 to 2 of a class\n"),
        "{said}"
    );
    let said = info("pets");
    assert!(
        said.starts_with("folder: Parquet files of Hugging Face\ntrain    3 images, 1 to 2 of a class\n"),
        "{said}"
    );
    assert!(said.contains("classes  2: dog, cat\n") && said.contains(" of train, by channel\n"), "{said}");
    assert!(info("samples").starts_with("folder: tar archives of WebDataset\ntrain    3 images, 1 of a class\n"));
    let said = info("packed/packed.tar.gz");
    assert!(said.starts_with("folder: tar archive of class folders\ntrain    4 images, 1 to 2 of a class\n"), "{said}");

    weights(&place.path("10.safetensors"), "cifar_resnet20", "relu", 10);
    weights_for(&place.path("3.safetensors"), "cifar_resnet20", &["cat", "dog", "käse"]);
    let evaluate = |classes: usize, set: &str, data: &str| {
        let data = shards(data);
        let command = format!("eval --weights {classes}.safetensors --dataset {set} --data {}", data.display());
        zoo(&place, &command).succeeded()
    };
    assert!(evaluate(10, "cifar10", "cifar10").stdout.contains("images 8 "));
    let said = ["pax.tar", "gnu.tar", "packed.tar.gz"].map(|name| evaluate(3, "folder", &format!("packed/{name}")));
    assert!(said.iter().all(|ran| accuracy(ran) == accuracy(&said[0])), "{said:?}");
    assert!(evaluate(10, "folder", "pets").stdout.contains("images 2 "));
    // Archives are no place for what a command writes.
    fs::copy(shards("packed/packed.tar.gz"), place.path("photos.tar.gz")).unwrap();
    let tune = "finetune --weights 3.safetensors --dataset folder --data photos.tar.gz --train head --epochs 1";
    zoo(&place, &format!("{tune} --force --out photos.tar.gz"))
        .failed(2, &["photos.tar.gz: is the same file, which is read"]);
}
