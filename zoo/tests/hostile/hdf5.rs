//! HDF5 files in which one field was changed.

use super::{refusal, seed, turn};

/// The seed `name` with the only occurrence of the bytes `old` replaced.
fn changed(name: &str, old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = seed(&format!("hdf5/{name}"));
    let places: Vec<usize> =
        bytes.windows(old.len()).enumerate().filter(|(_, part)| *part == old).map(|x| x.0).collect();
    let [place] = places.as_slice() else { panic!("{name}: {old:?} at {places:?}") };
    bytes[*place..place + new.len()].copy_from_slice(new);
    bytes
}

/// Numbers as HDF5 stores them.
fn words<const N: usize>(words: [u64; N]) -> Vec<u8> {
    words.map(u64::to_le_bytes).concat()
}

#[test]
fn a_contiguous_dataset_of_other_bytes_than_its_shape_takes_is_refused() {
    let _turn = turn();
    let shape = words([6, 5, 6, 5]);
    for (dims, expected) in [
        ([u64::MAX, 5], "fits into memory"),
        ([1 << 61, 1 << 61], "fits into memory"),
        ([1 << 61, 1], "fits into memory"),
        ([1 << 40, 5], "expected as many bytes as type and shape take, found 120 for 21990232555520"),
        ([6, 6], "expected as many bytes as type and shape take, found 120 for 144"),
        ([6, 4], "expected as many bytes as type and shape take, found 120 for 96"),
    ] {
        let error = refusal(&changed("earliest_contiguous", &shape, &words([dims[0], dims[1], dims[0], dims[1]])));
        assert!(error.contains(expected), "{dims:?}: {error}");
    }
}

#[test]
fn values_outside_the_file_or_shared_by_datasets_are_refused() {
    let _turn = turn();
    let run = words([0x1190, 120]);
    for (place, expected) in [
        ([u64::MAX, 120], "expected values, found a dataset never written"),
        ([u64::MAX - 100, 120], "expected values within the file"),
        ([1 << 63, 120], "expected values within the file"),
        ([0x1191, 120], "expected values within the file, found 120 bytes at 0x1191"),
        ([0x1190, u64::MAX], "expected as many bytes as type and shape take, found 18446744073709551615 for 120"),
        ([0x1190, 0], "expected values, found a dataset never written"),
    ] {
        let error = refusal(&changed("earliest_contiguous", &run, &words(place)));
        assert!(error.contains(expected), "{place:?}: {error}");
    }
    // The three 8-byte values of a/bias, moved by one into those of a/kernel.
    let error = refusal(&changed("earliest_legacy", &words([0x2018, 24]), &words([0x2017, 24])));
    assert!(error.contains("a/bias: expected values behind those of a/kernel, found an overlap"), "{error}");
}

#[test]
fn an_object_header_longer_than_the_file_is_refused() {
    let _turn = turn();
    // Version 1, 5 messages, 1 reference, 256 bytes.
    let header = [1, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0, 0];
    for (field, expected) in [
        ([1, 0, 5, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "header"),
        ([1, 0, 5, 0, 1, 0, 0, 0, 0, 1, 1, 0], "unexpected end"),
        ([2, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0, 0], "version"),
    ] {
        let error = refusal(&changed("earliest_contiguous", &header, &field));
        assert!(error.contains(expected), "{field:?}: {error}");
    }
}

#[test]
fn a_superblock_that_does_not_fit_the_file_is_refused() {
    let _turn = turn();
    let bytes = seed("hdf5/earliest_contiguous");
    for (at, value, expected) in [
        // Version, sizes of offsets and lengths, end of the file, address of the root group.
        (8, 200, "superblock"),
        (13, 3, "superblock"),
        (14, 0, "unsupported size of lengths: 0"),
        (40, 9, "length of the file: expected 4617 bytes, as its superblock says, found 4616: it was cut short"),
        (47, 0x7f, "length of the file"),
        (64, 0xff, "attributes"),
        (71, 0xff, "attributes"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        let error = refusal(&bytes);
        assert!(error.contains(expected), "byte {at}: {error}");
    }
}

#[test]
fn chunks_that_do_not_cover_the_dataset_are_refused() {
    let _turn = turn();
    // Rows and columns of a chunk, bytes of an element.
    let chunk = [4_u32, 2, 4].map(u32::to_le_bytes).concat();
    for (field, expected) in [
        ([0, 2, 4], "chunk"),
        ([4, 0, 4], "chunk"),
        ([u32::MAX, u32::MAX, 4], "chunk"),
        ([u32::MAX, 2, 4], "chunk"),
        ([4, 1, 4], "chunk"),
        ([8, 2, 4], "chunk"),
    ] {
        let error = refusal(&changed("earliest_chunked", &chunk, &field.map(u32::to_le_bytes).concat()));
        assert!(error.contains(expected), "{field:?}: {error}");
    }
}

#[test]
fn a_float_of_another_make_is_refused() {
    let _turn = turn();
    // Class 1 version 1; little-endian, implied bit, sign at 31; 4 bytes; 0 + 32 bits, exponent 8 at 23, mantissa 23 at
    // 0; bias.
    let float = [0x11, 0x20, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];
    for (at, value) in [(1, 0), (1, 0x60), (2, 30), (8, 1), (10, 31), (12, 22), (13, 9), (15, 24), (16, 126)] {
        let mut other = float;
        other[at] = value;
        let bytes = changed("earliest_contiguous", &float, &other);
        let file = pvlu_zoo::weights::TensorFile::from_bytes("test", bytes).unwrap();
        let error = file.read_into("layers/dense/vars/0", &mut [0_f32; 30]).unwrap_err().to_string();
        assert!(error.contains("found a float of 4 bytes of its own kind"), "byte {at}: {error}");
    }
}
