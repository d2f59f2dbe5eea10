use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

type Array<'a> = (&'a str, &'a str, Vec<u8>);

/// A file of arrays: a name, the header without the order, and the bytes.
fn write(arrays: &[Array<'_>], method: CompressionMethod) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npz");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, header, bytes) in arrays {
        let header = format!("{{'fortran_order': False, {header}}}");
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(b"\x93NUMPY\x01\0").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    (dir, path)
}

/// Two images of 2x2 with 3 channels, channels last, and one with channels first.
fn arrays() -> Vec<Array<'static>> {
    vec![
        ("x_train", "'descr': '|u1', 'shape': (2, 2, 2, 3)", (0..24).collect()),
        ("y_train", "'descr': '<i8', 'shape': (2, 1)", [[4, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]].concat()),
        ("x_test", "'descr': '|u1', 'shape': (1, 3, 2, 2)", (0..12).collect()),
        ("y_test", "'descr': '|u1', 'shape': (1,)", vec![6]),
    ]
}

fn refused(arrays: &[Array<'_>]) -> String {
    let (_guard, path) = write(arrays, CompressionMethod::Stored);
    let text = open(&path, None).unwrap_err().to_string();
    text.rsplit("a.npz: ").next().unwrap().to_owned()
}

#[test]
fn a_set_of_any_shape_is_read_stored_or_deflated() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let (_guard, path) = write(&arrays(), method);
        let set = open(&path, None).unwrap();
        assert_eq!((set.name, set.classes, set.train.shape()), ("npz", 7, [3, 2, 2]));
        assert_eq!((set.train.labels(), set.test.labels()), (&[4, 1][..], &[6][..]));
        assert_eq!(set.train.image(1), [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]);
        assert_eq!(set.test.image(0), (0..12).collect::<Vec<u8>>());
    }
}

#[test]
fn arrays_that_do_not_fit_are_refused_by_name() {
    let with = |at: usize, header: &'static str, bytes: Vec<u8>| {
        let mut arrays = arrays();
        (arrays[at].1, arrays[at].2) = (header, bytes);
        refused(&arrays)
    };
    for (at, header, len, expected) in [
        (
            0,
            "'descr': '<f4', 'shape': (2, 2, 2, 3)",
            96,
            "x_train: expected uint8, each image as a whole behind the one \
         before it, found <f4 [2, 2, 2, 3]",
        ),
        (
            0,
            "'descr': '|u1', 'shape': (3, 2, 2, 3)",
            36,
            "x_train: expected 2 images, as many as there are labels, \
         found uint8 [3, 2, 2, 3]",
        ),
        (
            0,
            "'descr': '|u1', 'shape': (2, 2, 2, 3)",
            23,
            "x_train: expected 12 bytes, by its shape, found 11 and the end",
        ),
        (
            0,
            "'descr': '|u1', 'shape': (2, 2, 2, 3)",
            25,
            "x_train: expected as many bytes as its shape says, found more",
        ),
        (
            0,
            "'descr': '|u1', 'shape': (2, 99999999, 99999999, 3)",
            24,
            "x_train: expected images of 1 to 67108864 bytes, \
         found uint8 [2, 99999999, 99999999, 3]",
        ),
        (
            0,
            "'descr': '|u1', 'shape': (2, 12)",
            24,
            "x_train: expected uint8, [N, height, width, 3], [N, 3, height, \
         width] or [N, height, width], found uint8 [2, 12]",
        ),
        (
            2,
            "'descr': '|u1', 'shape': (1, 2, 2)",
            4,
            "x_test: expected uint8 images of 3 channels and 2x2, found uint8 \
         [1, 2, 2]",
        ),
        (
            3,
            "'descr': '|u1', 'shape': (0,)",
            0,
            "y_test: expected integers, [N] or [N, 1], at least one, found uint8 [0]",
        ),
        (3, "'descr': '|O', 'shape': (1,)", 9, "y_test: expected integers, [N] or [N, 1], at least one, found |O [1]"),
    ] {
        assert_eq!(with(at, header, vec![0; len]), expected);
    }
    let text = with(3, "'descr': '<i4', 'shape': (1,)", vec![0xff; 4]);
    assert_eq!(text, "y_test: expected labels from 0 to 65535, found -1 at 0");
    let text = with(1, "'descr': '|u1', 'shape': (4000000000,)", vec![0; 9]);
    assert!(text.ends_with("expected at most 1000000 images, found 4000000000"), "{text}");
    let text = refused(&arrays()[..3]);
    assert!(text.ends_with("test_images and test_labels, found x_train.npy, y_train.npy, x_test.npy"), "{text}");

    let (_guard, path) = write(&arrays(), CompressionMethod::Stored);
    let text = open(&path, Some((6, [3, 2, 2]))).unwrap_err().to_string();
    assert!(text.ends_with("a.npz: y_test: expected labels below 6, found 6 at 0"), "{text}");
}

#[test]
fn a_cut_or_changed_file_is_refused() {
    let (_guard, path) = write(&arrays(), CompressionMethod::Stored);
    let whole = std::fs::read(&path).unwrap();
    for len in 0..whole.len() {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(open(&path, None).is_err(), "{len} of {} bytes", whole.len());
    }
    // A pixel, which the checksum covers.
    let at = whole.windows(4).position(|bytes| bytes == [4, 5, 6, 7]).unwrap();
    let mut changed = whole;
    changed[at] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let text = open(&path, None).unwrap_err().to_string();
    assert!(text.contains("x_train: expected an array that can be unpacked: download the file again"), "{text}");
}
