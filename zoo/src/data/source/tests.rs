use std::fs;
use std::path::PathBuf;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

/// Name, form and numbers of images of the sets.
fn recognized(path: impl AsRef<Path>) -> Vec<(String, String, usize, usize)> {
    let describe = |found: Recognized| match found {
        Recognized::Set(set) => (set.name.to_owned(), set.form, set.train.len(), set.test.len()),
        Recognized::Folder(parts) => {
            let (train, test, _) = parts.to_train(0.5).unwrap();
            ("folder".to_owned(), String::new(), train.len(), test.len())
        }
    };
    Recognized::all(path).unwrap().into_iter().map(describe).collect()
}

#[test]
fn every_set_of_a_path_is_found() {
    let row = |name: &str, form: &str, train, test| (name.to_owned(), form.to_owned(), train, test);
    let python = "Python version";
    assert_eq!(recognized(fixture("data/python2")), [row("cifar10", python, 3, 1), row("cifar100", python, 3, 1)]);
    assert_eq!(recognized(fixture("data/python2/cifar-100-python")), [row("cifar100", python, 3, 1)]);
    assert_eq!(
        recognized(fixture("data/cifar-10-python.tar.gz")),
        [row("cifar10", "Python version, in an archive", 3, 1)]
    );
    assert_eq!(recognized(fixture("data/mnist.npz")), [row("npz", "file of NumPy", 3, 1)]);
    // The archive and both files of NumPy, by their names.
    assert_eq!(
        recognized(fixture("data")),
        [row("cifar10", "Python version, in an archive", 3, 1), row("mnist", "file of NumPy", 3, 1)]
    );
    let dir = tempfile::tempdir().unwrap();
    for class in ["cat", "dog"] {
        fs::create_dir(dir.path().join(class)).unwrap();
        for name in ["a.png", "b.png"] {
            fs::copy(fixture("images/square32.png"), dir.path().join(class).join(name)).unwrap();
        }
    }
    assert_eq!(recognized(dir.path()), [row("folder", "", 2, 2)]);
}

#[test]
fn a_path_without_a_set_is_told_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let message = |path: &Path| Recognized::all(path).unwrap_err().to_string();
    assert!(message(dir.path()).contains("no data set that is read here: expected CIFAR-10 or CIFAR-100"));
    assert!(message(&dir.path().join("absent")).ends_with("no such folder"));
    fs::write(dir.path().join("notes.txt"), "x").unwrap();
    assert!(message(&dir.path().join("notes.txt")).contains("no data set that is read here"));
    fs::write(dir.path().join("cifar.mat"), "MATLAB 5.0").unwrap();
    assert!(message(dir.path()).contains("cifar.mat: this is the Matlab version"));
    fs::remove_file(dir.path().join("cifar.mat")).unwrap();
    // A set of which a file is missing or damaged is not passed over.
    fs::write(dir.path().join("train.bin"), [0; 3074]).unwrap();
    assert!(message(dir.path()).contains("missing test.bin"));
    fs::write(dir.path().join("test.bin"), [0; 3]).unwrap();
    assert!(message(dir.path()).contains("test.bin: expected a whole number of records"));
}
