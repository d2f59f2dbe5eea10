//! Archives with descriptions beside their images, and with links.

use tar::EntryType;

use super::*;

/// An archive of files, of hard links (`=`) and of symbolic links (`>`) to the name behind these.
fn linked(entries: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.tar");
    let mut out = tar::Builder::new(fs::File::create(&path).unwrap());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        let kind = match bytes.first() {
            Some(b'=') => EntryType::Link,
            Some(b'>') => EntryType::Symlink,
            _ => EntryType::Regular,
        };
        header.set_entry_type(kind);
        if kind == EntryType::Regular {
            header.set_size(bytes.len() as u64);
            out.append_data(&mut header, name, *bytes).unwrap();
        } else {
            header.set_size(0);
            out.append_link(&mut header, name, str::from_utf8(&bytes[1..]).unwrap()).unwrap();
        }
    }
    out.finish().unwrap();
    (dir, path)
}

fn whole(path: &Path) -> ImageFolder {
    match FolderParts::open(path).unwrap() {
        FolderParts::Whole(folder) => folder,
        other => panic!("{other:?}"),
    }
}

fn png(name: &str) -> Vec<u8> {
    fs::read(fixture("images").join(name)).unwrap()
}

#[test]
fn labels_in_descriptions_count_in_folders_as_at_the_top() {
    let (one, two) = (&png("bits.png")[..], &png("grey.png")[..]);
    for folder in ["", "dog/", "part-0/images/"] {
        let name = |file: &str| format!("{folder}{file}");
        let names = ["1.png", "1.json", "2.png", "2.json"].map(name);
        let bytes = [one, &b"{\"label\": 1, \"boxes\": []}"[..], two, b"{\"label\": 0}"];
        let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(bytes).collect();
        let (_guard, path) = packed(&files);
        let read = whole(&path);
        assert_eq!((labels(&read), read.form()), (vec![1, 0], SAMPLES), "{folder}");
        // Once a description tells, all have to.
        let (_guard, path) = packed(&files[..3]);
        assert_eq!(
            refusal(&path),
            format!("HERE/{folder}2.png: sample: expected a file .cls of the same name, found none")
        );
        let (_guard, path) = packed(&[files[0], files[1], files[2], (&names[3], b"{\"label\": -1}")]);
        let expected = "label: expected the number of a class, from 0 to 65535, found -1";
        assert_eq!(refusal(&path), format!("HERE/{folder}2.json: {expected}"));
    }
}

#[test]
fn descriptions_without_labels_leave_class_folders_what_they_are() {
    let one = &png("bits.png")[..];
    for description in ["{}", "{\"label\": \"cat\"}", "{\"label\": 1.5}", "[1]", "{\"label\": 1"] {
        let (_guard, path) = packed(&[("cat/1.png", one), ("cat/1.json", description.as_bytes()), ("dog/1.png", one)]);
        let read = whole(&path);
        assert_eq!((read.classes(), read.form()), (&["cat", "dog"].map(str::to_owned)[..], PACKED), "{description}");
    }
}

#[test]
fn a_hard_link_is_the_file_that_it_is_another_name_of() {
    let (one, two) = (&png("bits.png")[..], &png("grey.png")[..]);
    let (_guard, path) = linked(&[
        ("cat/1.png", one),
        ("./dog/1.png", two),
        ("dog/2.png", b"=cat/1.png"),
        ("dog/3.png", b"=./dog/2.png"),
        // Names that begin with a dot are no images of the set, and can be linked to.
        (".store/1.png", two),
        ("cat/2.png", b"=.store/1.png"),
    ]);
    let read = whole(&path);
    let [one, two] = ["bits.png", "grey.png"].map(image);
    assert_eq!(labels(&read), [0, 0, 1, 1, 1]);
    assert_eq!(images(&read), [one.clone(), two.clone(), two, one.clone(), one]);
    // Compressed, and of WebDataset.
    let (_guard, path) = linked(&[
        ("1.png", &png("bits.png")),
        ("1.cls", b"3"),
        ("2.png", b"=1.png"),
        ("2.cls", b"=1.cls"),
        ("3.png", b"=2.png"),
        ("3.json", b"{\"label\": 1}"),
    ]);
    let packed = path.with_extension("tar.gz");
    let mut out = flate2::write::GzEncoder::new(fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut fs::File::open(&path).unwrap(), &mut out).unwrap();
    out.finish().unwrap();
    for path in [path, packed] {
        assert_eq!((labels(&whole(&path)), images(&whole(&path))), (vec![3, 3, 1], vec![image("bits.png"); 3]));
    }
}

#[test]
fn links_that_lead_to_no_file_before_them_are_refused_by_name() {
    let one = &png("bits.png")[..];
    let not_read = "a link or a file with holes, which are not read in an archive";
    for link in ["=cat/3.png", "=../cat/1.png", "=cat", ">1.png", "=cat/2.png"] {
        let (_guard, path) = linked(&[("cat/1.png", one), ("cat/2.png", link.as_bytes()), ("cat/3.png", one)]);
        let text = refusal(&path);
        assert!(text.contains(&format!("found 1 that is not read here: cat/2.png ({not_read})")), "{link}: {text}");
        let (_guard, path) = linked(&[("1.png", one), ("1.json", b"{\"label\": 1}"), ("2.png", link.as_bytes())]);
        assert_eq!(refusal(&path), format!("HERE/2.png: expected a file, found {not_read}"), "{link}");
        // An archive of such links alone is one of images, too.
        let (_guard, path) = linked(&[("cat/2.png", link.as_bytes())]);
        assert!(refusal(&path).contains("cat/2.png"), "{}", refusal(&path));
    }
}
