use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn of(bytes: &[u8], dims: &[usize]) -> Result<(usize, Vec<u8>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, bytes).unwrap();
    read(&path, dims).map_err(|error| error.to_string().rsplit("/f: ").next().unwrap().to_owned())
}

const LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4];

#[test]
fn elements_are_read_packed_or_not() {
    assert_eq!(of(&LABELS, &[0]), Ok((3, vec![5, 0, 4])));
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&LABELS).unwrap();
    let packed = packer.finish().unwrap();
    assert_eq!(of(&packed, &[0]), Ok((3, vec![5, 0, 4])));
    assert!(of(&packed[..packed.len() - 3], &[0]).unwrap_err().contains("download it again"));
    assert_eq!(of(&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 8, 9], &[0, 1]), Ok((2, vec![8, 9])));
}

#[test]
fn what_does_not_fit_is_refused() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = LABELS;
        bytes[at] = byte;
        of(&bytes, &[0]).unwrap_err()
    };
    let signature = "signature: expected [00, 00, 08, 01], that of an IDX file, found the bytes ";
    assert_eq!(changed(2, 9), format!("{signature}[00, 00, 09, 01]"));
    assert_eq!(changed(3, 3), format!("{signature}[00, 00, 08, 03]"));
    assert_eq!(changed(7, 4), "length: expected 4 bytes after the header, found 3");
    assert_eq!(changed(7, 2), "length: expected 2 bytes after the header, found more");
    assert_eq!(changed(7, 0), "shape: expected at least one label, found [0]");
    assert!(changed(4, 0xff).contains("expected at most 1000000 images, found 4278190083"));
    assert!(of(&LABELS[..6], &[0]).is_err());
    let text = of(&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 8, 9], &[0, 28]).unwrap_err();
    assert_eq!(text, "shape: expected images of [28], at least one, found [2, 1]");
}
