use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// An IDX file of bytes.
fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let dims_bytes = dims.iter().flat_map(|dim| dim.to_be_bytes());
    [0, 0, 8, dims.len() as u8].into_iter().chain(dims_bytes).chain(bytes.iter().copied()).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Two images to train on with labels `first` and 9, and one to test on.
fn write(folder: &Path, first: u8, separator: &str, end: &str) {
    fs::create_dir_all(folder).unwrap();
    for (part, labels) in [("train", &[first, 9][..]), ("t10k", &[4])] {
        let count = labels.len() as u32;
        let pixels: Vec<u8> = (0..784 * count).map(|at| (at % 251) as u8).collect();
        for (kind, bytes) in [("images-idx3", idx(&[count, 28, 28], &pixels)), ("labels-idx1", idx(&[count], labels))] {
            let name = format!("{part}-{kind}-ubyte{end}").replace("-idx", &format!("{separator}idx"));
            fs::write(folder.join(name), if end.is_empty() { bytes } else { packed(&bytes) }).unwrap();
        }
    }
}

#[test]
fn idx_files_are_read_under_their_usual_names_in_the_usual_folders() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, separator, end) in [("", "-", ""), ("MNIST/raw", "-", ".gz"), ("mnist", ".", "")] {
        let place = dir.path().join(folder.replace('/', "-"));
        write(&place.join(folder), 0, separator, end);
        let set = Dataset::open_mnist(&place).unwrap();
        assert_eq!((set.name, set.classes, set.train.shape()), ("mnist", 10, [1, 28, 28]));
        assert_eq!((set.train.labels(), set.test.labels()), (&[0, 9][..], &[4][..]));
        assert_eq!(set.train.image(1)[..3], [31, 32, 33]);
        assert_eq!(set.class_name(4).unwrap(), "4");
        assert_eq!(set.warnings[1], "mnist test: 1 images, the official set has 10000");
        assert_eq!(set.files.len(), 4);
        fs::remove_dir_all(place).unwrap();
        fs::create_dir_all(dir.path()).unwrap();
    }
}

#[test]
fn mnist_and_fashion_mnist_are_told_by_their_folders() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, first) in [("MNIST/raw", 1), ("FashionMNIST/raw", 2), ("KMNIST/raw", 3)] {
        write(&dir.path().join(folder), first, "-", ".gz");
    }
    assert_eq!(Dataset::open_mnist(dir.path()).unwrap().train.label(0), 1);
    let fashion = Dataset::open_fashion_mnist(dir.path()).unwrap();
    assert_eq!((fashion.name, fashion.train.label(0)), ("fashion_mnist", 2));
    assert_eq!(fashion.class_name(9).unwrap(), "Ankle boot");
    // A folder that is named itself is what the user says.
    assert_eq!(Dataset::open_mnist(dir.path().join("KMNIST")).unwrap().train.label(0), 3);
    write(&dir.path().join("another"), 4, "-", "");
    let text = Dataset::open_mnist(dir.path()).unwrap_err().to_string();
    let expected =
        format!("several folders hold MNIST, give one of them: {}, another", Path::new("MNIST/raw").display());
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn the_file_that_keras_downloads_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data/mnist.npz");
    fs::copy(&fixture, dir.path().join("mnist.npz")).unwrap();
    // Keras' folder of data sets has both.
    write(&dir.path().join("fashion-mnist"), 8, "-", ".gz");
    for place in [dir.path(), &fixture] {
        let set = Dataset::open_mnist(place).unwrap();
        assert_eq!((set.train.labels(), set.test.labels()), (&[5, 0, 4][..], &[7][..]));
        assert_eq!(set.train.image(1)[28..31], [7, 8, 9]);
    }
    assert_eq!(Dataset::open_fashion_mnist(dir.path()).unwrap().train.label(0), 8);
}

#[test]
fn missing_and_unfit_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0, "-", "");
    let labels = dir.path().join("train-labels-idx1-ubyte");
    let message = || Dataset::open_mnist(dir.path()).unwrap_err().to_string();
    fs::write(&labels, idx(&[2], &[0, 10])).unwrap();
    assert!(message().ends_with("train-labels-idx1-ubyte: record 1: expected a label below 10, found 10"));
    fs::write(&labels, idx(&[3], &[0, 1, 2])).unwrap();
    let text = message();
    assert!(text.contains("train-labels-idx1-ubyte: shape: expected 2 labels, as many as"), "{text}");
    fs::remove_file(&labels).unwrap();
    let text = message();
    assert!(text.contains("missing train-labels-idx1-ubyte, found t10k-images-idx3-ubyte"), "{text}");
    let error = Dataset::open_mnist(dir.path().join("absent")).unwrap_err();
    assert!(matches!(error, DataError::MissingFolder { .. }), "{error}");
    let error = Dataset::open_mnist(dir.path().join("t10k-images-idx3-ubyte")).unwrap_err();
    assert!(matches!(error, DataError::NotAFolder { .. }), "{error}");
}

/// As many labels as the test images have, with a checksum: a subset of the first labels is chosen that gives it.
fn labels_of(checksum: u32) -> Vec<u8> {
    let sum = |labels: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(labels);
        sum.sum()
    };
    let zeros = vec![0; 10_000];
    let mut labels = zeros.clone();
    // For each label that is 1 in place of 0, the bits of the sum that change: a basis, each with the labels in it.
    let mut basis: Vec<(u32, u64)> = Vec::new();
    let reduced = |(bits, of): (u32, u64), basis: &[(u32, u64)]| {
        basis.iter().fold((bits, of), |(bits, of), (other, others)| match bits ^ other {
            less if less < bits => (less, of ^ others),
            _ => (bits, of),
        })
    };
    for at in 0..64 {
        let mut one = zeros.clone();
        one[at] = 1;
        let new = reduced((sum(&one) ^ sum(&zeros), 1 << at), &basis);
        if new.0 != 0 {
            basis.push(new);
            basis.sort_by_key(|(bits, _)| std::cmp::Reverse(*bits));
        }
    }
    let (rest, of) = reduced((checksum ^ sum(&zeros), 0), &basis);
    assert_eq!((rest, basis.len()), (0, 32));
    (0..64).for_each(|at| labels[at] = (of >> at & 1) as u8);
    assert_eq!(sum(&labels), checksum);
    labels
}

#[test]
fn the_labels_of_the_test_images_tell_the_sets_apart_whatever_their_folders_are_called() {
    use crate::data::Recognized;

    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    for (checksum, name, set, end) in [
        (recognize::CHECKSUMS[0].0, "FashionMNIST", "mnist", ".gz"),
        (recognize::CHECKSUMS[1].0, "MNIST/raw", "fashion_mnist", ""),
    ] {
        write(&place(name), 3, "-", end);
        let labels = idx(&[10_000], &labels_of(checksum));
        let images = idx(&[10_000, 28, 28], &vec![0; 10_000 * 784]);
        for (kind, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            let bytes = if end.is_empty() { bytes } else { packed(&bytes) };
            fs::write(place(name).join(format!("t10k-{kind}-ubyte{end}")), bytes).unwrap();
        }
        let Recognized::Set(found) = Recognized::all(place(name)).unwrap().remove(0) else { panic!() };
        assert_eq!(found.name, set);
    }
    assert_eq!(Dataset::open_mnist(dir.path()).unwrap().files[0].parent(), Some(&*place("FashionMNIST")));
    assert_eq!(Dataset::open_fashion_mnist(dir.path()).unwrap().files[0].parent(), Some(&*place("MNIST/raw")));
    let text = Dataset::open_mnist(place("MNIST")).unwrap_err().to_string();
    assert!(text.contains("expected MNIST, found Fashion-MNIST") && text.ends_with("has its labels"), "{text}");
    // Other labels, in folders whose names say the set, another or none.
    write(&place("a/mnist-28"), 3, "-", "");
    let Recognized::Set(found) = Recognized::all(place("a/mnist-28")).unwrap().remove(0) else { panic!() };
    assert_eq!(found.name, "mnist");
    for name in ["b/KMNIST/raw", "b/KMNIST", "b/digits", "c"] {
        write(&place(name), 3, "-", "");
        let text = Recognized::all(place(name)).unwrap_err().to_string();
        assert!(text.contains("neither the labels nor") && text.contains("--dataset mnist or fashion_mnist"), "{text}");
        assert_eq!(Dataset::open_mnist(place(name)).unwrap().train.label(0), 3);
    }
}
