use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Names and lengths of the files in an archive.
fn files(bytes: &[u8]) -> Result<Vec<(String, u64)>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, bytes).unwrap();
    let mut files = Vec::new();
    let end = each_file(&path, |entry| {
        files.push((entry.name.to_owned(), entry.len));
        Ok(())
    });
    end.map(|()| files).map_err(|error| error.to_string())
}

fn header(name: &str, kind: tar::EntryType, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    // Not by its method, which refuses `..`.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(tar).unwrap();
    packer.finish().unwrap()
}

#[test]
fn files_are_given_and_the_rest_is_passed_over() {
    let kinds = [tar::EntryType::Directory, tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Fifo];
    let mut tar: Vec<u8> = kinds.into_iter().flat_map(|kind| header("x", kind, 0)).collect();
    tar.extend(header("a/b/file", tar::EntryType::Regular, 3));
    tar.extend([b"abc".to_vec(), vec![0; 509]].concat());
    tar.extend(header("../../up", tar::EntryType::Regular, 0));
    tar.extend([0; 1024]);
    let expected = vec![("file".to_owned(), 3), ("up".to_owned(), 0)];
    assert_eq!(files(&tar), Ok(expected.clone()));
    assert_eq!(files(&packed(&tar)), Ok(expected.clone()));
    // Two members of gzip are one file.
    let (first, second) = tar.split_at(700);
    assert_eq!(files(&[packed(first), packed(second)].concat()), Ok(expected));
}

/// The extended header of a long name says how long it is, and its bytes can be packed to nearly nothing.
#[test]
fn the_header_of_a_long_name_takes_no_memory() {
    let mut tar = header("x", tar::EntryType::GNULongName, 1 << 40);
    tar.extend([b'x'; 4096]);
    let text = files(&packed(&tar)).unwrap_err();
    assert!(text.contains("archive: expected a whole one: download it again"), "{text}");
}

#[test]
fn an_archive_that_unpacks_to_very_much_is_refused() {
    let mut tar = header("x", tar::EntryType::Regular, UNPACKED + 1);
    tar.resize(UNPACKED as usize + 1024, 0);
    let bomb = packed(&tar);
    assert!(bomb.len() < 4 << 20);
    let text = files(&bomb).unwrap_err();
    assert!(text.ends_with("found one that unpacks to more than 536870912 bytes"), "{text}");
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b"x"[..], &[0x1f, 0x8b], &[7; 2000]] {
        assert!(files(bytes).unwrap_err().contains("download it again"));
    }
}
