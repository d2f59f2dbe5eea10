use super::*;

fn file(header: &str, version: u8) -> Vec<u8> {
    let len = header.len() as u32;
    let len = if version == 1 { (len as u16).to_le_bytes().to_vec() } else { len.to_le_bytes().to_vec() };
    [b"\x93NUMPY", &[version, 0][..], &len, header.as_bytes()].concat()
}

#[test]
fn headers_of_every_version_are_read() {
    for version in [1, 2, 3] {
        let bytes = file("{'descr': '<i8', 'fortran_order': False, 'shape': (3, 4), }   \n", version);
        let header = Header::read(&mut &bytes[..]).unwrap();
        let kind = Kind::Int { bytes: 8, signed: true, big: false };
        assert_eq!(header, Header { kind, fortran: false, shape: vec![3, 4] });
    }
    for (header, shape) in [
        ("{\"shape\":(),\"descr\":\"|u1\",\"fortran_order\":True}", vec![]),
        ("{'descr': '|u1', 'fortran_order': True, 'shape': (5,)}", vec![5]),
    ] {
        let header = Header::read(&mut &file(header, 1)[..]).unwrap();
        assert_eq!(header, Header { kind: Kind::U8, fortran: true, shape });
    }
    let fields = "{'descr': [('a', '<i4'), ('b', '<f4')], 'fortran_order': False, 'shape': (5,)}";
    let header = Header::read(&mut &file(fields, 1)[..]).unwrap();
    assert_eq!(header.kind.to_string(), "a type of several fields");
}

#[test]
fn what_is_no_header_is_shown() {
    for header in [
        "",
        "{",
        "{}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': 1, 'shape': (5,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-5,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (5,), 'more': 1}",
        "{'descr': [, 'fortran_order': False, 'shape': (5,)",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (5,)} x",
    ] {
        let found = Header::read(&mut &file(header, 1)[..]).unwrap_err();
        assert!(found.starts_with("the header \""), "{found}");
    }
    let read = |mut bytes: &[u8]| Header::read(&mut bytes).unwrap_err();
    assert_eq!(read(b"PK\x03\x04abcdefgh"), "no signature of NumPy");
    assert_eq!(read(&file("x", 9)), "version 9 of NumPy's format");
    assert_eq!(read(b"\x93NUMPY\x02\0\xff\xff\xff\xff"), "a header of 4294967295 bytes");
    assert!(!read(b"\x93NUMPY\x01\0\xff").is_empty());
}

#[test]
fn integers_of_every_width_and_order_keep_their_sign() {
    for (description, bytes, expected) in [
        ("|u1", &[0xff, 1][..], Some(vec![255, 1])),
        ("|i1", &[0xff], Some(vec![-1])),
        ("<i2", &[0xfe, 0xff, 1, 0], Some(vec![-2, 1])),
        (">i2", &[0xff, 0xfe, 0, 1], Some(vec![-2, 1])),
        ("<u4", &[0xff; 4], Some(vec![i64::from(u32::MAX)])),
        (">u4", &[0, 0, 1, 0], Some(vec![256])),
        ("i8", &[1, 0, 0, 0, 0, 0, 0, 0x80], Some(vec![i64::MIN + 1])),
        (">u8", &[0xff; 8], None),
        ("<i4", &[0; 5], None),
        ("<f4", &[0; 4], None),
        ("|O", &[0; 8], None),
    ] {
        assert_eq!(Kind::of(description).integers(bytes), expected, "{description}");
    }
    assert_eq!(
        ["|u1", "<i2", ">u8", "<f4", "|O"].map(|it| Kind::of(it).to_string()),
        ["uint8", "int16", "uint64", "<f4", "|O"]
    );
}
