//! The Python version, archives and files of NumPy: those in `tests/fixtures/data`, made by Python 2 and 3, and small
//! ones made here.

use std::io::Cursor;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A folder or file that `tests/fixtures/data/gen.py` made.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data").join(name)
}

/// The images of the fixtures, in the binary version.
fn binary() -> (TempDir, Dataset, Dataset) {
    let (guard, dir) = temp();
    let (ten, hundred) = (dir.join("ten"), dir.join("hundred"));
    write_cifar10(&ten);
    write(&ten, &[("data_batch_3.bin", &records(&[&[6]]))]);
    write_cifar100(&hundred);
    let sets = (Dataset::open_cifar10(ten).unwrap(), Dataset::open_cifar100(hundred).unwrap());
    (guard, sets.0, sets.1)
}

/// A copy of a folder of fixtures.
fn copy(name: &str, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A tar archive with these files, compressed.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, Cursor::new(bytes)).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn pickles_of_python_2_and_3_hold_the_images_of_the_binary_version() {
    let (_guard, ten, hundred) = binary();
    for python in ["python2", "python3", "python3-bytes"] {
        let of_python = fixture(python);
        for (folder, wanted) in [("cifar-10-batches-py", &ten), ("cifar-100-python", &hundred)] {
            // The folder itself, and the one that it is in.
            for place in [of_python.clone(), of_python.join(folder)] {
                let open = if wanted.classes == 10 { Dataset::open_cifar10 } else { Dataset::open_cifar100 };
                let set: Dataset = open(&place).unwrap();
                assert!(set.train == wanted.train && set.test == wanted.test, "{}", place.display());
                assert_eq!((set.name, &set.warnings), (wanted.name, &wanted.warnings));
                assert_eq!(set.form, "Python version");
                assert!(set.files.iter().all(|file| file.starts_with(of_python.join(folder))));
            }
        }
    }
}

#[test]
fn an_archive_holds_what_its_files_do_in_whatever_order() {
    let (_guard, ten, hundred) = binary();
    let (_guard, dir) = temp();
    let set = Dataset::open_cifar10(fixture("cifar-10-python.tar.gz")).unwrap();
    assert!(set.train == ten.train && set.test == ten.test);
    assert_eq!(set.form, "Python version, in an archive");
    // By its name in a folder, and behind files that are no part of it.
    let (train, test) = (records(&[&[19, 99], &[4, 0], &[0, 57]]), records(&[&[1, 2]]));
    let packed = archive(&[("a/readme.html", b"<"), ("a/test.bin", &test), ("a/train.bin", &train)]);
    fs::write(dir.join("cifar-100-binary.tar.gz"), &packed).unwrap();
    fs::write(dir.join("under another name"), &packed).unwrap();
    for place in [dir.clone(), dir.join("under another name")] {
        let set = Dataset::open_cifar100(place).unwrap();
        assert!(set.train == hundred.train && set.test == hundred.test);
        assert_eq!(set.form, "binary version, in an archive");
    }
    let text = Dataset::open_cifar10(dir.join("under another name")).unwrap_err().to_string();
    assert!(text.ends_with("expected CIFAR-10, found CIFAR-100: it holds train.bin, test.bin"), "{text}");
}

#[test]
fn a_file_of_numpy_holds_images_with_their_channels_first_or_last() {
    let (_guard, ten, _) = binary();
    let (_guard, dir) = temp();
    fs::copy(fixture("cifar10.npz"), dir.join("cifar10.npz")).unwrap();
    for place in [dir.clone(), dir.join("cifar10.npz")] {
        let set = Dataset::open_cifar10(place).unwrap();
        // The fixture has no images of a third batch.
        assert_eq!(set.train, ten.train.limit(2));
        assert_eq!(set.test, ten.test);
        assert_eq!((set.name, set.form.as_str()), ("cifar10", "file of NumPy"));
    }
    let text = Dataset::open_cifar10(fixture("mnist.npz")).unwrap_err().to_string();
    let expected = "mnist.npz: train_images: expected uint8 images of 3 channels and 32x32, found uint8 [3, 28, 28]";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn the_folders_of_torchvision_and_keras_are_searched() {
    let (_guard, ten, hundred) = binary();
    let (_guard, dir) = temp();
    // Keras 3.
    copy("python2/cifar-10-batches-py", &dir.join("keras/cifar-10-batches-py-target/cifar-10-batches-py"));
    copy("python2/cifar-100-python", &dir.join("keras/cifar-100-python-target/cifar-100-python"));
    fs::write(dir.join("keras/cifar-10-batches-py-target_archive"), "left there, and not read").unwrap();
    assert_eq!(Dataset::open_cifar10(dir.join("keras")).unwrap().train, ten.train);
    assert_eq!(Dataset::open_cifar10(dir.join("keras/cifar-10-batches-py-target")).unwrap().train, ten.train);
    assert_eq!(Dataset::open_cifar100(dir.join("keras")).unwrap().train, hundred.train);
    // torchvision leaves the archive beside the folder.
    copy("python3/cifar-10-batches-py", &dir.join("torch/cifar-10-batches-py"));
    fs::write(dir.join("torch/cifar-10-python.tar.gz"), "left there, and not read").unwrap();
    assert_eq!(Dataset::open_cifar10(dir.join("torch")).unwrap().form, "Python version");
    // Where both versions are, the binary one is read.
    write_cifar10(&dir.join("torch/cifar-10-batches-bin"));
    assert_eq!(Dataset::open_cifar10(dir.join("torch")).unwrap().form, "binary version");
    // Folders of images have the names of CIFAR-100's pickles.
    fs::create_dir_all(dir.join("images/train/cat")).unwrap();
    let error = Dataset::open_cifar100(dir.join("images")).unwrap_err();
    assert!(matches!(error, DataError::MissingFile { .. }), "{error}");
    let error = Dataset::open_cifar10(dir.join("keras/cifar-100-python-target")).unwrap_err().to_string();
    assert!(error.ends_with("expected CIFAR-10, found CIFAR-100: it holds train, test"), "{error}");
}

#[test]
fn cifair_is_read_with_a_warning() {
    let (_guard, dir) = temp();
    copy("python2/cifar-10-batches-py", &dir.join("ciFAIR-10"));
    let set = Dataset::open_cifar10(&dir).unwrap();
    let warning = "cifar10: ciFAIR, whose test images are not those of the official set";
    assert_eq!(set.warnings.last().unwrap(), warning);
}

/// A pickle of protocol 2 with these entries, whose values are pickled.
fn pickle(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}(".to_vec();
    for (key, value) in entries {
        bytes.extend([b'U', key.len() as u8]);
        bytes.extend(key.as_bytes());
        bytes.extend(*value);
    }
    bytes.extend(b"u.");
    bytes
}

/// Bytes as a string of Python 2.
fn string(bytes: &[u8]) -> Vec<u8> {
    [b"T", &(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// The message about a folder of the Python version with this first batch.
fn refused(batch: &[u8]) -> String {
    let (_guard, dir) = temp();
    copy("python2/cifar-10-batches-py", &dir);
    fs::write(dir.join("data_batch_1"), batch).unwrap();
    let text = Dataset::open_cifar10(&dir).unwrap_err().to_string();
    text.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn a_pickle_with_other_contents_is_refused_by_its_key() {
    let image = string(&[7; 3072]);
    for (entries, expected) in [
        (
            &[("labels", &b"]K\x03a"[..])][..],
            "data: expected a NumPy array of uint8, [N, 3072], found none, but labels",
        ),
        (
            &[("labels", b"]K\x03a"), ("data", &string(&[7; 3071]))],
            "data: expected a NumPy array of uint8, [N, 3072], found 3071 bytes, no whole number of images of 3072",
        ),
        (
            &[("labels", b"]K\x03a"), ("data", b"K\x01")],
            "data: expected a NumPy array of uint8, [N, 3072], found an integer",
        ),
        (&[("data", &image)], "labels: expected a list of integers, one for each image, found none, but data"),
        (
            &[("labels", b"](K\x03Ne"), ("data", &image)],
            "labels: expected a list of integers, one for each image, found None at 1",
        ),
        (
            &[("labels", b"](K\x03K\x04e"), ("data", &image)],
            "labels: expected 1 labels, as many as there are images in data, found 2",
        ),
        (&[("labels", b"]K\x0aa"), ("data", &image)], "record 0: expected a label below 10, found 10"),
        (&[("labels", b"]J\xff\xff\xff\xffa"), ("data", &image)], "record 0: expected a label below 10, found -1"),
    ] {
        assert_eq!(refused(&pickle(entries)), format!("DIR/data_batch_1: {expected}"));
    }
    let text = refused(&pickle(&[("fine_labels", b"]K\x03a"), ("data", &image)]));
    let expected = "expected CIFAR-10, found CIFAR-100: it has the key fine_labels and not labels";
    assert_eq!(text, format!("DIR/data_batch_1: {expected}"));
    let damaged = "DIR/data_batch_1: pickle: expected that of a dict, whole: download it again, found ";
    assert_eq!(refused(b"\x80\x02]."), format!("{damaged}a list"));
    let whole = fs::read(fixture("python2/cifar-10-batches-py/data_batch_1")).unwrap();
    for len in [0, 1, 200, whole.len() - 1] {
        let text = refused(&whole[..len]);
        assert!(text.starts_with(damaged), "{text}");
    }
    // A function by another name is not called, and is no array.
    let called = [b"cposix\nsystem\nU\x04true\x85R".to_vec()].concat();
    let text = refused(&pickle(&[("labels", b"]K\x03a"), ("data", &called)]));
    assert!(text.ends_with("[N, 3072], found the result of a call"), "{text}");
    // Operations that take memory and hold no image.
    let text = refused(&[b"\x80\x02".to_vec(), vec![b']'; 100_000]].concat());
    assert!(text.contains("expected at most 5120 operations, found more"), "{text}");
}

#[test]
fn an_archive_that_is_damaged_or_holds_other_things_is_refused() {
    let (_guard, dir) = temp();
    let message = |bytes: &[u8]| {
        fs::write(dir.join("a.tar.gz"), bytes).unwrap();
        let text = Dataset::open_cifar10(dir.join("a.tar.gz")).unwrap_err().to_string();
        text.replace(&dir.display().to_string(), "DIR")
    };
    let (train, test) = (records(&[&[3]]), records(&[&[4]]));
    let whole = archive(&[("a/data_batch_1.bin", &train), ("a/test_batch.bin", &test)]);
    for len in [3, 30, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let text = message(&whole[..len]);
        assert!(text.starts_with("DIR/a.tar.gz: archive: expected a whole one: download it again, found "), "{text}");
    }
    let mut changed = whole.clone();
    // The checksum at the end.
    let at = whole.len() - 6;
    changed[at] ^= 1;
    assert!(message(&changed).contains("download it again"));

    let text = message(&archive(&[("a/test_batch.bin", &test), ("b.txt", b"")]));
    assert_eq!(text, "DIR/a.tar.gz: missing data_batch_1.bin, found b.txt");
    let text = message(&archive(&[("a/test_batch.bin", &test), ("b/test_batch.bin", &test)]));
    let expected = "expected one file of each name, in one version of the set, found another one in the archive";
    assert_eq!(text, format!("DIR/a.tar.gz/test_batch.bin: archive: {expected}"));
    let text = message(&archive(&[("a/test_batch.bin", &records(&[&[10]]))]));
    assert_eq!(text, "DIR/a.tar.gz/test_batch.bin: record 0: expected a label below 10, found 10");
}

#[test]
fn a_file_in_an_archive_is_no_larger_than_one_of_the_set() {
    let (_guard, dir) = temp();
    let bomb = archive(&[("a/data_batch_1.bin", &vec![0; 21_000 * 3073])]);
    assert!(bomb.len() < 1 << 19, "{}", bomb.len());
    fs::write(dir.join("cifar-10-binary.tar.gz"), bomb).unwrap();
    let text = Dataset::open_cifar10(&dir).unwrap_err().to_string();
    let expected = "data_batch_1.bin: size: expected at most 64000000 bytes, as CIFAR-10 has in a file, found 64533000";
    assert!(text.ends_with(expected), "{text}");
}
