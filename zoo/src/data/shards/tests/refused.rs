//! Files that do not fit together, and damaged ones.

use super::*;
use crate::data::{FASHION_MNIST, MNIST};

/// The bytes of a fixture with the only occurrence of some replaced by as many.
fn replaced(name: &str, old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(fixture("shards").join(name)).unwrap();
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 1, "{name}");
    bytes[places[0]..][..new.len()].copy_from_slice(new);
    bytes
}

/// A folder of files with these bytes.
fn folder_of(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(dir.path().join(name), bytes).unwrap());
    dir
}

const PETS: &str = "pets/data/train-00000-of-00002.parquet";

#[test]
fn files_of_which_only_some_name_their_classes_are_refused() {
    let named = fs::read(fixture("shards").join(PETS)).unwrap();
    let nameless = fs::read(fixture("shards/codecs/none.parquet")).unwrap();
    for names in [["train-0.parquet", "train-1.parquet"], ["a-train.parquet", "b-test.parquet"]] {
        let dir = folder_of(&[(names[0], named.clone()), (names[1], nameless.clone())]);
        let expected =
            format!("HERE/{}: names of the classes: expected those that HERE/{} has, found none", names[1], names[0]);
        assert_eq!(refusal(dir.path()), expected);
    }
}

#[test]
fn names_of_classes_that_differ_come_twice_or_are_no_text_are_refused() {
    let pair = br#"["dog", "cat"]"#;
    for (new, expected) in [
        (
            br#"["cat", "dog"]"#,
            "names of the classes: expected those that HERE/train-0.parquet has, in their order, found another order",
        ),
        (br#"["dog", "cow"]"#, "other classes than expected: missing cat; unexpected cow"),
        (
            br#"["dog", "dog"]"#,
            "Parquet file: expected what Hugging Face writes, \
             found names of the classes of the column label of which two are dog",
        ),
        (
            br#"["dog", 12345]"#,
            "Parquet file: expected what Hugging Face writes, \
             found names of the classes of the column label that are not all text",
        ),
        (
            br#"{"dog": "cat"}"#,
            "Parquet file: expected what Hugging Face writes, \
             found names of the classes of the column label that are no list",
        ),
    ] {
        let whole = fs::read(fixture("shards").join(PETS)).unwrap();
        let dir = folder_of(&[("train-0.parquet", whole), ("train-1.parquet", replaced(PETS, pair, new))]);
        assert_eq!(refusal(dir.path()), format!("HERE/train-1.parquet: {expected}"));
    }
    let dir = folder_of(&[("train.parquet", replaced(PETS, pair, br#"["dog", "cat"["#))]);
    let text = refusal(dir.path());
    assert!(text.contains("found metadata of Hugging Face that are no JSON"), "{text}");
}

#[test]
fn classes_with_numbers_for_names_are_those_of_mnist_alone() {
    let path = fixture("shards/mnist");
    let text = Dataset::open_fashion_mnist(&path).unwrap_err().to_string();
    assert!(text.ends_with("expected Fashion-MNIST, found MNIST: its classes are 0, 1, 2, ..."), "{text}");
    // Without names, the caller alone knows which set it is.
    let nameless = |part: &str| {
        let name = format!("mnist/{part}-00000-of-00001.parquet");
        replaced(&name, b"huggingface", b"huggingfacX")
    };
    let dir = folder_of(&[("train.parquet", nameless("train")), ("test.parquet", nameless("test"))]);
    assert_eq!(Dataset::open_fashion_mnist(dir.path()).unwrap().train.len(), 5);
    assert_eq!(MNIST.open(dir.path()).unwrap().name, "mnist");
    assert!(matches!(Recognized::all(dir.path()).unwrap()[..], [Recognized::Folder(FolderParts::Divided { .. })]));
    let text = Dataset::open_cifar10(dir.path()).unwrap_err().to_string();
    assert!(text.ends_with("image: expected an image of 32x32, as CIFAR-10 has, found one of 28x28"), "{text}");
}

#[test]
fn images_of_colors_are_not_those_of_a_gray_set() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("0")).unwrap();
    let mut bytes = b"P6 28 28 255\n".to_vec();
    bytes.extend([7; 3 * 28 * 28]);
    let path = dir.path().join("0/1.ppm");
    fs::write(&path, &bytes).unwrap();
    let FolderParts::Whole(folder) = FolderParts::open(dir.path()).unwrap() else { panic!() };
    assert_eq!(known::split(&MNIST, &folder).unwrap().pixels(), [7; 28 * 28]);
    *bytes.last_mut().unwrap() = 8;
    fs::write(&path, &bytes).unwrap();
    let text = known::split(&FASHION_MNIST, &folder).unwrap_err().to_string();
    assert!(text.ends_with("1.ppm: image: expected a gray image, as Fashion-MNIST has, found one of colors"), "{text}");
}

#[test]
fn a_damaged_set_is_not_replaced_by_parquet_files_beside_it() {
    let dir = TempDir::new().unwrap();
    for part in ["train", "test"] {
        let name = format!("{part}-00000-of-00001.parquet");
        fs::copy(fixture("shards/mnist").join(&name), dir.path().join(&name)).unwrap();
    }
    assert_eq!(Dataset::open_mnist(dir.path()).unwrap().form, PARQUET);
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        fs::write(dir.path().join(name), [0]).unwrap();
        let text = Dataset::open_mnist(dir.path()).unwrap_err().to_string();
        assert!(text.contains("missing ") && text.contains("t10k-images-idx3-ubyte"), "{text}");
    }
    let dir = folder_of(&[("train.tar", Vec::new()), ("train.parquet", Vec::new())]);
    let text = Dataset::open_mnist(dir.path()).unwrap_err().to_string();
    assert!(text.ends_with("tar archives beside Parquet files: give the path of one of them"), "{text}");
}

#[test]
fn a_dictionary_has_no_more_values_than_rows_and_comes_once() {
    // The header of a dictionary of `count` values in `len` bytes.
    let header =
        |len: u8, count: u8| [0x15, 4, 0x15, 2 * len, 0x15, 2 * len, 0x4c, 0x15, 2 * count, 0x15, 0, 0x12, 0, 0];
    let whole = fs::read(fixture("shards/codecs/none.parquet")).unwrap();
    let at = whole.windows(14).position(|window| window == header(16, 2)).unwrap();
    for (new, expected) in [
        (header(16, 3).to_vec(), "a dictionary of 3 values for 2 rows"),
        ([header(0, 0), header(2, 0)].concat(), "a second dictionary"),
    ] {
        let mut bytes = whole.clone();
        bytes[at..][..new.len()].copy_from_slice(&new);
        let dir = folder_of(&[("a.parquet", bytes)]);
        let expected = format!("HERE: column label: expected what Hugging Face writes, found {expected}");
        assert_eq!(refusal(&dir.path().join("a.parquet")), expected);
    }
}

#[test]
fn joined_archives_and_names_in_other_alphabets_are_refused() {
    let png = &fs::read(fixture("images/bits.png")).unwrap()[..];
    let (_guard, path) = packed(&[("dog/1.png", png)]);
    let one = fs::read(&path).unwrap();
    fs::write(&path, [&one[..], &[0; 4096]].concat()).unwrap();
    assert!(FolderParts::open(&path).is_ok());
    fs::write(&path, [&one[..], &one[..]].concat()).unwrap();
    let expected = "HERE: archive: expected nothing behind the mark at its end: unpack joined archives (tar \
                    --ignore-zeros), found more";
    assert_eq!(refusal(&path), expected);
    let mut other = one;
    other[4] = 0xff;
    // The sum of a header is that of its bytes.
    let sum: u32 = other[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    other[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(&path, other).unwrap();
    let text = refusal(&path);
    assert!(text.starts_with("HERE: name in the archive: expected UTF-8: pack the files again"), "{text}");
}

#[test]
fn an_archive_of_more_folders_than_there_is_memory_for_is_refused() {
    let names: Vec<String> = (0..1 << 14).map(|folder| format!("{folder}{}1.png", "/a".repeat(15) + "/")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &[][..])).collect();
    let (_guard, path) = packed(&files);
    assert_eq!(refusal(&path), "HERE: archive: expected fewer than 262144 folders, found more");
    let (_guard, path) = packed(&files[..100]);
    assert!(!refusal(&path).contains("folders, found more"), "{}", refusal(&path));
}
