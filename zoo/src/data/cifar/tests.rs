use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::data::{IMAGE_LEN, MAX_RECORDS, PLANE, labels};

mod forms;

/// Records with pixels `7 * record + 13 * channel + column`, modulo 256.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let pixel = |record: usize, at: usize| (7 * record + 13 * (at / PLANE) + at % 32) as u8;
    let record =
        |(i, label): (usize, &&[u8])| [label.to_vec(), (0..IMAGE_LEN).map(|at| pixel(i, at)).collect()].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn write_cifar10(folder: &Path) {
    let train = records(&[&[3], &[9]]);
    write(folder, &[("data_batch_1.bin", &train), ("test_batch.bin", &records(&[&[0]]))]);
}

fn write_cifar100(folder: &Path) {
    let train = records(&[&[19, 99], &[4, 0], &[0, 57]]);
    write(folder, &[("train.bin", &train), ("test.bin", &records(&[&[1, 2]]))]);
}

fn temp() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, path)
}

#[test]
fn reads_cifar10() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    let set = Dataset::open_cifar10(&dir).unwrap();
    assert_eq!((set.name, set.classes, set.train.classes()), ("cifar10", 10, 10));
    assert_eq!(set.train.labels(), [3, 9]);
    assert_eq!(set.test.labels(), [0]);
    assert!(set.train.coarse_labels().is_none());
    assert_eq!(set.train.image(1)[0], 7);
    assert_eq!(set.train.image(1)[2 * PLANE + 33], 7 + 26 + 1);
    assert_eq!(set.class_name(3).unwrap(), "cat");
    assert_eq!(
        set.warnings,
        ["cifar10 train: 2 images, the official set has 50000", "cifar10 test: 1 images, the official set has 10000"]
    );
}

#[test]
fn training_batches_are_joined_in_order() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    write(&dir, &[("data_batch_4.bin", &records(&[&[4], &[5]])), ("data_batch_3.bin", &records(&[&[6]]))]);
    let set = Dataset::open_cifar10(&dir).unwrap();
    assert_eq!(set.train.labels(), [3, 9, 6, 4, 5]);
    let read = ["data_batch_1.bin", "data_batch_3.bin", "data_batch_4.bin", "test_batch.bin"];
    assert_eq!(set.files, read.map(|name| dir.join(name)));
    assert_eq!(set.train.image(4)[0], 7);
}

#[test]
fn cifar100_trains_on_the_second_label_byte() {
    let (_guard, dir) = temp();
    write_cifar100(&dir);
    let set = Dataset::open_cifar100(&dir).unwrap();
    assert_eq!((set.name, set.classes), ("cifar100", 100));
    assert_eq!(set.train.labels(), [99, 0, 57]);
    assert_eq!(set.train.coarse_labels().unwrap(), [19, 4, 0]);
    assert_eq!(set.test.labels(), [2]);
    // Pixels begin after both.
    assert_eq!(set.train.image(2)[..3], [14, 15, 16]);
    assert_eq!(set.class_name(99).unwrap(), "worm");
}

#[test]
fn a_folder_of_the_official_size_has_no_warning() {
    let (_guard, dir) = temp();
    let batch = vec![0; 10_000 * 3073];
    for name in layout::CIFAR10.files(Version::Binary) {
        write(&dir, &[(name, &batch)]);
    }
    let set = Dataset::open_cifar10(&dir).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (50_000, 10_000));
    assert!(set.warnings.is_empty(), "{:?}", set.warnings);
}

#[test]
fn the_parent_folder_will_do() {
    let (_guard, dir) = temp();
    write_cifar10(&dir.join("cifar-10-batches-bin"));
    write_cifar100(&dir.join("some name"));
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("notes.txt"), "").unwrap();
    assert_eq!(Dataset::open_cifar10(&dir).unwrap().train.len(), 2);
    assert_eq!(Dataset::open_cifar100(&dir).unwrap().train.len(), 3);
    write_cifar10(&dir.join("a copy"));
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    let DataError::Ambiguous { candidates, .. } = &error else { panic!("{error}") };
    assert_eq!(candidates, &["a copy", "cifar-10-batches-bin"]);
    assert!(error.to_string().contains("CIFAR-10, give one of them: a copy, cifar-10-batches-bin"), "{error}");
}

#[test]
fn missing_folders_and_files_are_named() {
    let (_guard, dir) = temp();
    let error = Dataset::open_cifar10(dir.join("absent")).unwrap_err();
    assert!(matches!(&error, DataError::MissingFolder { path } if path.ends_with("absent")), "{error}");

    fs::write(dir.join("file"), "").unwrap();
    let error = Dataset::open_cifar10(dir.join("file")).unwrap_err();
    assert!(matches!(error, DataError::NotAFolder { found: "a file", .. }), "{error}");

    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(error.to_string().ends_with("missing data_batch_1.bin, test_batch.bin, found file"), "{error}");

    // Complete but for one file: only that one is missing.
    write_cifar10(&dir);
    fs::remove_file(dir.join("data_batch_1.bin")).unwrap();
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(error.to_string().ends_with("missing data_batch_1.bin, found file, test_batch.bin"), "{error}");
    write_cifar100(&dir);
    fs::remove_file(dir.join("test.bin")).unwrap();
    let error = Dataset::open_cifar100(&dir).unwrap_err();
    assert!(matches!(&error, DataError::MissingFile { looked_for, .. } if looked_for == &["test.bin"]), "{error}");
}

#[test]
fn a_long_listing_is_cut() {
    let (_guard, dir) = temp();
    for i in 0..100 {
        fs::write(dir.join(format!("{i:03}")), "").unwrap();
    }
    let DataError::MissingFile { found, .. } = Dataset::open_cifar10(&dir).unwrap_err() else { panic!() };
    assert_eq!((found.len(), found[18].as_str(), found[19].as_str()), (20, "018", "..."));
}

#[test]
fn the_other_set_is_recognized() {
    let (_guard, dir) = temp();
    let [ten, hundred] = ["ten", "hundred"].map(|name| dir.join("sets").join(name));
    write_cifar10(&ten);
    let text = Dataset::open_cifar100(&ten).unwrap_err().to_string();
    assert!(text.ends_with("expected CIFAR-100, found CIFAR-10: it holds data_batch_1.bin, test_batch.bin"), "{text}");
    // By its parent too.
    assert_eq!(Dataset::open_cifar100(dir.join("sets")).unwrap_err().to_string(), text);
    write_cifar100(&hundred);
    let text = Dataset::open_cifar10(&hundred).unwrap_err().to_string();
    assert!(text.ends_with("expected CIFAR-10, found CIFAR-100: it holds train.bin, test.bin"), "{text}");

    // Renamed files are recognized by their length.
    fs::copy(ten.join("data_batch_1.bin"), hundred.join("train.bin")).unwrap();
    let error = Dataset::open_cifar100(&hundred).unwrap_err();
    assert!(matches!(&error, DataError::WrongSet { path, .. } if path.ends_with("train.bin")), "{error}");
    assert!(error.to_string().ends_with("6146 bytes are 2 records of 3073 bytes, and no whole number of 3074 bytes"));
}

/// The message about a folder with these files, with `DIR` substituted for its path.
fn message(files: &[(&str, &[u8])], open: fn(PathBuf) -> Result<Dataset, DataError>, given: &str) -> String {
    let (_guard, dir) = temp();
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let text = open(if given.is_empty() { dir.clone() } else { dir.join(given) }).unwrap_err().to_string();
    text.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn forms_that_are_not_read_are_named_with_what_to_do() {
    let (ten, hundred) = (|dir| Dataset::open_cifar10(dir), |dir| Dataset::open_cifar100(dir));
    let read_here = "the binary and the Python version (cifar-10-binary.tar.gz, cifar-10-python.tar.gz) are read here, \
                     unpacked or not";
    let gzip: &[u8] = &[0x1f, 0x8b, 8, 0];
    let unpack = "unpack it, and give the folder that comes out";
    // Each as the file that is given, and as one in the folder that is.
    for (name, first, expected) in [
        ("cifar-10-python.tar.xz", &b"\xfd7zXZ\0"[..], format!("this is an xz archive: {unpack}")),
        ("cifar10.zip", b"PK\x03\x04", format!("this is a zip archive: {unpack}")),
        ("data_batch_1.bin.gz", gzip, "this is compressed by gzip: unpack it (gunzip), and give its folder".to_owned()),
        (
            "train-00000-of-00001.parquet",
            b"PAR1",
            "Parquet file: expected what Hugging Face writes, found its end too early".to_owned(),
        ),
        ("data_batch_1.mat", b"MATLAB 5.0 MAT-file", format!("this is the Matlab version; {read_here}")),
        ("cifar.h5", b"\x89HDF", format!("this is an HDF5 file; {read_here}")),
    ] {
        let file = format!("DIR/{name}: {expected}");
        assert_eq!(message(&[(name, first)], ten, name), file);
        assert_eq!(message(&[(name, first)], ten, ""), file);
    }
    for (name, first) in [("data_batch_1.bin", &b"x"[..]), ("test_batch", b"\x80\x02}."), ("train", b"\x80\x02}.")] {
        let text = message(&[(name, first)], ten, name);
        assert!(text.ends_with("give the folder that it is in"), "{text}");
    }
    let text = message(&[("x_train.npy", b"\x93NUMPY")], hundred, "x_train.npy");
    assert!(text.ends_with("save all in one file (numpy.savez) as x_train, y_train, x_test and y_test"), "{text}");
    // An archive under a name of its own is taken if it is given, and not found in a folder.
    let text = message(&[("my cifar.tgz", gzip)], ten, "");
    assert_eq!(text, "DIR/my cifar.tgz: this is an archive: give its own path if the set is in it");
    // What has nothing to do with CIFAR is no form of it.
    let text = message(&[("photos.zip", b"PK\x03\x04"), ("train.csv", b"a,b")], ten, "");
    assert_eq!(text, "DIR: missing data_batch_1.bin, test_batch.bin, found photos.zip, train.csv");
    let text = Dataset::open_cifar10("https://example.org/cifar").unwrap_err().to_string();
    assert!(text.ends_with("found an address in the web: download the data first"), "{text}");
}

#[test]
fn cut_files_say_where() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    for (len, cut) in [(1, 0), (3072, 0), (3074 + 3072 - 1, 3073), (2 * 3073 + 5, 2 * 3073)] {
        fs::write(dir.join("test_batch.bin"), vec![0; len]).unwrap();
        let error = Dataset::open_cifar10(&dir).unwrap_err();
        let DataError::PartialRecord { path, len: found, record: 3073, cut: at } = &error else { panic!("{error}") };
        assert!(path.ends_with("test_batch.bin"));
        assert_eq!((*found, *at), (len as u64, cut));
    }
    let text = Dataset::open_cifar10(&dir).unwrap_err().to_string();
    let expected = "expected a whole number of records of 3073 bytes, found 6151 bytes: record 2 is cut, it starts at \
                    byte 6146 and has 5 bytes";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn empty_files_are_refused() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    fs::write(dir.join("data_batch_5.bin"), "").unwrap();
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(
        matches!(&error, DataError::EmptyFile { path, record: 3073 } if path.ends_with("data_batch_5.bin")),
        "{error}"
    );
}

#[test]
fn labels_out_of_range_are_located() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    fs::write(dir.join("data_batch_2.bin"), records(&[&[9], &[0], &[10]])).unwrap();
    let text = Dataset::open_cifar10(&dir).unwrap_err().to_string();
    assert!(text.ends_with("data_batch_2.bin: record 2: expected a label below 10, found 10"), "{text}");

    write_cifar100(&dir);
    for (label, expected) in [
        ([19, 100], "record 1: expected a fine label below 100, found 100"),
        ([20, 99], "record 1: expected a coarse label below 20, found 20"),
    ] {
        fs::write(dir.join("test.bin"), records(&[&[0, 0], &label])).unwrap();
        let text = Dataset::open_cifar100(&dir).unwrap_err().to_string();
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_refused() {
    for name in ["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"] {
        let (_guard, dir) = temp();
        write_cifar10(&dir);
        let _ = fs::remove_file(dir.join(name));
        fs::create_dir(dir.join(name)).unwrap();
        let error = Dataset::open_cifar10(&dir).unwrap_err();
        assert!(matches!(&error, DataError::NotAFile { path, found: "a folder" } if path.ends_with(name)), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_device_is_refused_without_a_read() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    fs::remove_file(dir.join("test_batch.bin")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", dir.join("test_batch.bin")).unwrap();
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(matches!(&error, DataError::NotAFile { path, .. } if path.ends_with("test_batch.bin")), "{error}");
}

#[test]
fn a_huge_file_is_refused_before_any_allocation() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    // Sparse: a terabyte and more on paper.
    let file = fs::File::create(dir.join("test_batch.bin")).unwrap();
    if file.set_len(3073 * 400_000_000).is_err() {
        eprintln!("skipped: the file system has no file of that length");
        return;
    }
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(matches!(error, DataError::TooMany { images: 400_000_000, limit: MAX_RECORDS, .. }), "{error}");
}

#[test]
fn a_large_hostile_file_is_left_at_its_first_bad_label() {
    let (_guard, dir) = temp();
    write_cifar10(&dir);
    let mut file = fs::File::create(dir.join("test_batch.bin")).unwrap();
    file.write_all(&[200]).unwrap();
    file.set_len(3073 * 5_000).unwrap();
    let error = Dataset::open_cifar10(&dir).unwrap_err();
    assert!(matches!(error, DataError::LabelInFile { record: 0, label: 200, .. }), "{error}");
}

#[test]
fn label_names_are_complete() {
    for names in [&labels::CIFAR10[..], &labels::CIFAR100_FINE, &labels::CIFAR100_COARSE] {
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
    assert!(labels::CIFAR100_FINE.is_sorted());
    assert_eq!(labels::CIFAR10[8], "ship");
}

/// The real files, where `PVLU_CIFAR_DIR` names their folder. `PVLU_CIFAR_FORMS` names other forms of the same images,
/// separated by colons.
#[test]
fn real_files() {
    let Some(dir) = std::env::var_os("PVLU_CIFAR_DIR") else {
        eprintln!("skipped: PVLU_CIFAR_DIR is not set");
        return;
    };
    for path in std::env::split_paths(&std::env::var_os("PVLU_CIFAR_FORMS").unwrap_or_default()) {
        let opened = [Dataset::open_cifar10(&path), Dataset::open_cifar100(&path)];
        let [ten, hundred] = opened.each_ref().map(Result::is_ok);
        assert!(ten || hundred, "{opened:?}");
        for (opened, set) in opened.into_iter().zip([Dataset::open_cifar10(&dir), Dataset::open_cifar100(&dir)]) {
            let (Ok(opened), Ok(set)) = (opened, set) else { continue };
            assert!(opened.train == set.train && opened.test == set.test, "{}", path.display());
            eprintln!("{} is {}, {}: equal", path.display(), opened.name, opened.form);
        }
    }
    let ten = Dataset::open_cifar10(&dir).unwrap();
    assert_eq!(ten.test.len(), 10_000);
    let hundred = Dataset::open_cifar100(&dir).unwrap();
    let coarse = hundred.test.coarse_labels().unwrap();
    let mut superclass = [None; 100];
    for (&fine, &coarse) in hundred.test.labels().iter().zip(coarse) {
        // A fine class lies in one superclass: true only if the two bytes are told apart.
        assert_eq!(*superclass[usize::from(fine)].get_or_insert(coarse), coarse);
    }
    for (split, classes) in [(&ten.test, 10), (&hundred.test, 100)] {
        let mut counts = vec![0; classes];
        split.labels().iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert!(counts.iter().all(|&count| count == 10_000 / classes));
    }
    for part in [&ten.train, &hundred.train] {
        let (train, held) = part.split_validation(0.1).unwrap();
        assert_eq!(train.len() + held.len(), part.len());
    }
}
