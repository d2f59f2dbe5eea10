mod archives;
mod refused;

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::data::{Dataset, Recognized};
use crate::image::Image;

/// A file or folder of `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures")).join(name)
}

fn image(name: &str) -> Image {
    Image::open(fixture("images").join(name)).unwrap()
}

fn images(folder: &ImageFolder) -> Vec<Image> {
    (0..folder.len()).map(|index| folder.open_image(index).unwrap()).collect()
}

fn labels(folder: &ImageFolder) -> Vec<usize> {
    folder.files().map(|(_, label)| label).collect()
}

fn divided(path: &Path) -> [ImageFolder; 2] {
    match FolderParts::open(path).unwrap() {
        FolderParts::Divided { train, test } => [train, test],
        other => panic!("{other:?}"),
    }
}

/// The message about a path, with `HERE` substituted for it.
fn refusal(path: &Path) -> String {
    let message = FolderParts::open(path).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message.replace(&path.display().to_string(), "HERE")
}

/// An archive of these files.
fn packed(files: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.tar");
    let mut out = tar::Builder::new(fs::File::create(&path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        out.append(&header, *bytes).unwrap();
    }
    out.finish().unwrap();
    (dir, path)
}

#[test]
fn a_packed_folder_has_the_classes_order_and_images_of_the_folder() {
    let dir = TempDir::new().unwrap();
    tar::Archive::new(fs::File::open(fixture("shards/packed/pax.tar")).unwrap()).unpack(dir.path()).unwrap();
    let folder = dir.path().join("photos");
    let unpacked = divided(&folder);
    assert_eq!([unpacked[0].len(), unpacked[1].len()], [4, 3]);
    assert_eq!(unpacked[0].classes(), ["cat", "dog", "k\u{e4}se"]);
    for name in ["pax.tar", "gnu.tar", "packed.tar.gz"] {
        let path = fixture("shards/packed").join(name);
        for (packed, unpacked) in divided(&path).iter().zip(&unpacked) {
            assert_eq!((packed.classes(), labels(packed)), (unpacked.classes(), labels(unpacked)), "{name}");
            let within = |folder: &ImageFolder, top: PathBuf| -> Vec<PathBuf> {
                folder.files().map(|(path, _)| path.strip_prefix(&top).unwrap().to_owned()).collect()
            };
            assert_eq!(within(packed, path.join("photos")), within(unpacked, folder.clone()), "{name}");
            assert_eq!(images(packed), images(unpacked), "{name}");
            assert_eq!(packed.split().unwrap(), unpacked.split().unwrap(), "{name}");
            let [(kept, held), (kept_there, held_there)] =
                [packed, unpacked].map(|it| it.split_validation(0.5).unwrap());
            assert_eq!([labels(&kept), labels(&held)], [labels(&kept_there), labels(&held_there)], "{name}");
            assert_eq!(packed.form(), PACKED);
        }
        let set = Dataset::open_folder(&path, 0.1).unwrap();
        assert_eq!(set.files, [path.clone(), path]);
    }
}

#[test]
fn shards_of_web_dataset_are_joined_in_the_order_of_their_samples() {
    let [train, test] = divided(&fixture("shards/samples"));
    assert_eq!(train.classes(), ["0", "1", "2"]);
    assert_eq!((labels(&train), labels(&test)), (vec![2, 0, 1], vec![2]));
    assert_eq!(images(&train), ["wide.png", "lossy.jpg", "tall.png"].map(image));
    assert_eq!(images(&test), [image("lossy.webp")]);
    let Ok(FolderParts::Train(alone)) = FolderParts::open(fixture("shards/samples/train-000000.tar")) else { panic!() };
    assert_eq!((alone.len(), alone.form()), (2, SAMPLES));
}

#[test]
fn samples_that_are_not_whole_are_named() {
    let png = &fs::read(fixture("images/bits.png")).unwrap()[..];
    for (files, expected) in [
        (
            vec![("1.png", png), ("1.cls", &b"3"[..]), ("2.png", png)],
            "HERE/2.png: sample: expected a file .cls of the same name, found none",
        ),
        (
            vec![("1.png", png), ("1.cls", b"x\n")],
            "HERE/1.cls: label: expected the number of a class, from 0 to 65535, found x",
        ),
        (
            vec![("1.png", png), ("1.cls", b"70000")],
            "HERE/1.cls: label: expected the number of a class, from 0 to 65535, found 70000",
        ),
        (
            vec![("1.png", png), ("1.json", b"{\"label\": -1}")],
            "HERE/1.json: label: expected the number of a class, from 0 to 65535, found -1",
        ),
        (
            vec![("1.png", png), ("1.json", b"{}")],
            "HERE/1.json: label: expected the number of a class, from 0 to 65535, found no `label`",
        ),
        (
            vec![("1.cls", b"1")],
            "HERE/1.cls: sample: expected an image of the same name (.jpg, .png or .webp), found none",
        ),
        (
            vec![("1.jpg", png), ("1.png", png), ("1.cls", b"1")],
            "HERE/1.png: sample: expected one image of each name, found 1.jpg beside it",
        ),
        (
            vec![("1.heic", png), ("1.cls", b"1")],
            "HERE/1.heic: expected PNG, JPEG, WebP, BMP or Netpbm images, found one that is not read here: HEIF",
        ),
    ] {
        let (_guard, path) = packed(&files);
        assert_eq!(refusal(&path), expected);
    }
}

#[test]
fn names_in_an_archive_that_lead_elsewhere_or_come_twice_are_refused() {
    let png = &fs::read(fixture("images/bits.png")).unwrap()[..];
    let deep = "a/".repeat(20) + "1.png";
    for (name, expected) in [
        ("cat/../../1.png", "name in the archive: expected one that stays in its folder"),
        ("dog/1.png", "name in the archive: expected one entry of each name, found another one"),
        ("dog/1.png/2.png", "name in the archive: expected a folder above it"),
        (&deep, "name in the archive: expected at most 4096 bytes, and 16 folders above a file"),
    ] {
        let (_guard, path) = packed(&[("dog/1.png", png), (name, png)]);
        let message = refusal(&path);
        assert!(message.starts_with(&format!("HERE: {expected}, found {name}")), "{message}");
    }
    let (_guard, path) = packed(&[("/dog/1.png", png), ("./cat//1.png", png)]);
    let FolderParts::Whole(folder) = FolderParts::open(&path).unwrap() else { panic!() };
    assert_eq!(folder.classes(), ["cat", "dog"]);
}

#[test]
fn an_archive_that_is_cut_anywhere_is_refused() {
    let whole = fs::read(fixture("shards/samples/train-000000.tar")).unwrap();
    let zeros = whole.iter().rev().take_while(|byte| **byte == 0).count();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.tar");
    for len in (0..whole.len() - zeros).step_by(7) {
        fs::write(&path, &whole[..len]).unwrap();
        assert!(FolderParts::open(&path).is_err(), "{len} of {} bytes", whole.len());
    }
    // Whole files, and no end.
    let png = &fs::read(fixture("images/bits.png")).unwrap()[..];
    let (_guard, path) = packed(&[("dog/1.png", png)]);
    fs::write(&path, &fs::read(&path).unwrap()[..1024]).unwrap();
    assert_eq!(refusal(&path), "HERE: archive: expected a whole one: download it again, found no mark at its end");
}

/// Bytes of the images that the fixtures draw; see their `gen.py`.
fn drawn(count: usize, [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let image = |i| {
        let plane = move |c| (0..height).flat_map(move |y| (0..width).map(move |x| (7 * i + 13 * c + y + x) as u8));
        (0..channels).flat_map(plane)
    };
    (0..count).flat_map(image).collect()
}

#[test]
fn cifar_and_mnist_as_hugging_face_keeps_them_are_the_sets() {
    let (color, gray) = ([3, 32, 32], [1, 28, 28]);
    let label: [fn(usize) -> u16; 3] = [|i| (i * 3 % 10) as u16, |i| 99 - i as u16, |i| 9 - i as u16];
    let sets = [
        ("cifar10", Dataset::open_cifar10(fixture("shards/cifar10")), color, [12, 8], label[0]),
        ("cifar100", Dataset::open_cifar100(fixture("shards/cifar100")), color, [4, 3], label[1]),
        ("mnist", Dataset::open_mnist(fixture("shards/mnist")), gray, [5, 4], label[2]),
    ];
    for (name, set, shape, [train, test], label) in sets {
        let set = set.unwrap();
        assert_eq!((set.name, &set.form[..], set.files.len(), set.warnings.len()), (name, PARQUET, 2, 2));
        for (split, count) in [(&set.train, train), (&set.test, test)] {
            assert_eq!((split.shape(), split.pixels()), (shape, &drawn(count, shape)[..]), "{name}");
            assert_eq!(split.labels(), (0..count).map(label).collect::<Vec<_>>(), "{name}");
        }
        let Recognized::Set(again) = Recognized::all(fixture("shards").join(name)).unwrap().remove(0) else { panic!() };
        assert_eq!((again.name, again.train), (name, set.train));
    }
    let message = |error: DataError| error.to_string().rsplit("shards/").next().unwrap().to_owned();
    let text = message(Dataset::open_cifar10(fixture("shards/cifar100")).unwrap_err());
    assert_eq!(text, "cifar100: expected CIFAR-10, found CIFAR-100: its classes are apple, aquarium_fish, baby, ...");
    let text = message(Dataset::open_cifar10(fixture("shards/pets")).unwrap_err());
    assert!(text.starts_with("pets: other classes than expected: missing airplane, automobile, bird, deer"), "{text}");
    let one = fixture("shards/cifar10/plain_text/train-00000-of-00001.parquet");
    let text = Dataset::open_cifar10(&one).unwrap_err().to_string();
    assert!(text.ends_with("missing test-00000-of-00001.parquet, found nothing"), "{text}");
}

#[test]
fn files_of_a_part_are_joined_and_parts_are_those_of_their_names() {
    let [train, test] = divided(&fixture("shards/pets"));
    assert_eq!((train.classes(), test.classes()), (&["dog", "cat"].map(str::to_owned)[..], train.classes()));
    assert_eq!((labels(&train), labels(&test)), (vec![0, 1, 1], vec![1, 0]));
    assert_eq!(images(&train), ["wide.png", "lossy.jpg", "lossy.webp"].map(image));
    assert_eq!(images(&test), ["tall.png", "grey.jpg"].map(image));
    let first = train.file(1).0.strip_prefix(fixture("shards/pets/data")).unwrap();
    assert_eq!(first, Path::new("train-00000-of-00002.parquet/row 1"));
    // Not compressed, so that each is read where it lies.
    assert!(train.files.iter().all(|(file, _)| file.part.as_ref().is_some_and(|part| part.of.unpacked.is_none())));
    let dir = TempDir::new().unwrap();
    for name in ["train-0.parquet", "other.parquet"] {
        fs::copy(fixture("shards/codecs/none.parquet"), dir.path().join(name)).unwrap();
    }
    assert_eq!(refusal(dir.path()), format!("HERE: {}", find::UNNAMED));
}

#[test]
fn folders_of_parts_are_looked_into_and_hidden_or_several_other_ones_are_not() {
    let dir = TempDir::new().unwrap();
    let put = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixture("shards/codecs/none.parquet"), path).unwrap();
    };
    let names = ["train/0000.parquet", "train/0001.parquet", "validation/0000.parquet", ".cache/x.parquet"];
    names.into_iter().for_each(put);
    let [train, test] = divided(dir.path());
    assert_eq!((train.len(), test.len()), (10, 5));
    assert_eq!(train.on_disk().count(), 2);
    put("english/train-0.parquet");
    let text = refusal(dir.path());
    assert!(text.starts_with("HERE: several folders hold a data set") && text.ends_with("english, train, validation"));
    // Class folders beside a file are class folders.
    fs::create_dir(dir.path().join("cat")).unwrap();
    fs::copy(fixture("images/bits.png"), dir.path().join("cat/1.png")).unwrap();
    assert!(refusal(dir.path()).starts_with("HERE/english: expected images"), "{}", refusal(dir.path()));
    // Neither a file that is compressed alone, nor an archive without images.
    fs::write(dir.path().join("a.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    assert_eq!(refusal(&dir.path().join("a.gz")), "HERE: expected a folder, found a file");
    assert_eq!(refusal(&fixture("data/cifar-10-python.tar.gz")), "HERE: expected a folder, found a file");
}

#[test]
fn every_way_of_writing_a_table_gives_the_same_rows() {
    let expected = ["bits.png", "grey.png", "bits.png", "one_row.png", "palette.png"].map(image);
    for name in ["none", "snappy", "gzip", "version2", "plain", "bytes"] {
        let FolderParts::Whole(folder) = FolderParts::open(fixture(&format!("shards/codecs/{name}.parquet"))).unwrap()
        else {
            panic!()
        };
        assert_eq!(labels(&folder), [2, 0, 1, 1, 0], "{name}");
        assert_eq!(folder.classes(), ["0", "1", "2"], "{name}");
        assert_eq!(images(&folder), expected, "{name}");
    }
}

#[test]
fn what_is_not_read_of_a_table_is_named() {
    let save = "expected no compression, snappy or gzip: save the file again (in pyarrow: compression=\"snappy\")";
    for (name, expected) in [
        ("codecs/zstd", format!("column image: {save}, found zstd")),
        ("codecs/lz4", format!("column image: {save}, found LZ4")),
        ("codecs/brotli", format!("column image: {save}, found brotli")),
        (
            "codecs/delta",
            "column label: expected what Hugging Face writes, found values in the encoding \
             DELTA_BINARY_PACKED: save the file with PLAIN or a dictionary"
                .to_owned(),
        ),
        (
            "refused/no_bytes",
            "row 1, column image: expected the bytes of an image, which a path does not replace: save the set with \
             its images in it, found none"
                .to_owned(),
        ),
        ("refused/no_label", "row 1, column label: expected a label, found none".to_owned()),
        (
            "refused/unlabeled",
            "row 1, column label: expected the number of a class, found -1, as Hugging Face has it in parts without \
             published labels: give the files of a labeled part alone (train or validation)"
                .to_owned(),
        ),
        (
            "refused/text",
            "columns: expected one of bytes, or of bytes and path, called image, img or images, and one of integers, \
             called label, fine_label or labels, found text, label"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(&fixture(&format!("shards/{name}.parquet"))), format!("HERE: {expected}"));
    }
    assert!(refusal(&fixture("shards/refused/lists.parquet")).starts_with("HERE: columns: expected"));
}

#[test]
fn a_damaged_image_is_named_by_its_row() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    let mut bytes = fs::read(fixture("shards/codecs/plain.parquet")).unwrap();
    let grey = fs::read(fixture("images/grey.png")).unwrap();
    let at = bytes.windows(grey.len()).position(|window| window == grey).unwrap();
    bytes[at] = b'x';
    fs::write(&path, bytes).unwrap();
    let FolderParts::Whole(folder) = FolderParts::open(&path).unwrap() else { panic!() };
    let message = folder.normalization().unwrap_err().to_string();
    assert!(
        message.ends_with(
            "a.parquet/row 1: expected a PNG, JPEG, WebP, BMP or Netpbm image, found none of their signatures"
        ),
        "{message}"
    );
}
