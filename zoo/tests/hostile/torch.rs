//! Files of torch: damaged ones, and pickles that would take more than they are worth.

use super::{Random, files, mutation, readers, refusal, turn};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    files("tests/fixtures/torch", &[".pt", ".th", ".pkl"])
}

#[test]
fn a_flipped_bit_of_a_file_of_torch_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    for (name, bytes) in fixtures() {
        let mut random = Random::new(&name);
        let mut damaged = bytes.clone();
        for _ in 0..600 {
            let (byte, bit) = (random.below(bytes.len()), random.below(8));
            damaged[byte] ^= 1 << bit;
            readers::read(&damaged);
            damaged[byte] = bytes[byte];
        }
    }
}

#[test]
fn every_changed_byte_of_the_pickles_of_a_stream_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    for (name, mut bytes) in files("tests/fixtures/torch", &["wrapped.th", "protocol4_stream.th", "module_stream.th"]) {
        let mut random = Random::new(&name);
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for new in [0, 0xff, byte ^ 1, byte ^ 0x80, random.next() as u8] {
                bytes[at] = new;
                readers::read(&bytes);
            }
            bytes[at] = byte;
        }
    }
}

#[test]
fn damage_of_every_kind_to_a_file_of_torch_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    let seeds = [fixtures(), files("fuzz/corpus/torch", &[""])].concat();
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..200 {
            let damaged = mutation::of(bytes, &seeds, &mut random);
            readers::read(&damaged);
            readers::torch(&damaged);
        }
    }
}

/// A stream of this pickle of what was saved, and of this pickle of the keys of its storages.
fn stream(pickle: &[u8], keys: &[u8], storages: &[u8]) -> Vec<u8> {
    [readers::STREAM, pickle, keys, storages].concat()
}

/// A dict of `entries`.
fn dict(entries: &[u8]) -> Vec<u8> {
    [&b"\x80\x02}("[..], entries, b"u."].concat()
}

/// A tensor of these dimensions and strides at the beginning of storage 0, which has eight floats.
fn tensor(shape: &str, strides: &str) -> Vec<u8> {
    let storage = "(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x08tQ";
    format!("ctorch._utils\n_rebuild_tensor\n({storage}K\x00({shape}t({strides}ttR").into_bytes()
}

#[test]
fn a_pickle_takes_no_more_memory_than_its_length_justifies() {
    let _turn = turn();
    let many = 100_000;
    for part in [
        &b"N"[..],
        b"]",
        b"}",
        b")",
        b"N\x94",
        b"]\x94",
        b"]\x940",
        b"(",
        b"(t",
        b"K\x01",
        b"U\x00",
        b"V\n",
        b"2",
        b"N\x85",
        b"ca\nb\n",
        b"c\n\n",
        b")\x81",
        b"2)R",
        b"ca\nb\n)R",
        b"NQ",
        b"\x8a\x09\0\0\0\0\0\0\0\0\x01",
        b"NNs",
        b"(NNu",
        b"Na",
        b"(NNe",
        b"S'\\\\'\n",
        b"]q\x00",
        b"h\x00",
    ] {
        let begin = b"\x80\x04ca\nb\n)Rq\x00";
        readers::read(&stream(&[&begin[..], &part.repeat(many / part.len()), b"."].concat(), b"].", b""));
        // Collected into one object at the end.
        for end in [&b"t."[..], b"e.", b"u."] {
            let pickle = [&begin[..], b"}(", &part.repeat(many / part.len()), end].concat();
            readers::read(&stream(&pickle, b"].", b""));
        }
    }
}

#[test]
fn one_tensor_under_many_names_is_read_in_memory_that_the_names_justify() {
    let _turn = turn();
    let mut entries = [&b"U\x01x"[..], &tensor("K\x08", "K\x01"), b"q\x00"].concat();
    for index in 0..20_000 {
        entries.extend(format!("U\x05{index:05}h\x00").bytes());
    }
    let keys = b"]U\x010a.";
    let storage = [&8_u64.to_le_bytes()[..], &[0; 32]].concat();
    readers::read(&stream(&dict(&entries), keys, &storage));
}

#[test]
fn tensors_that_their_storage_does_not_hold_are_refused() {
    let _turn = turn();
    let keys = b"]U\x010a.";
    let storage = [&8_u64.to_le_bytes()[..], &[0; 32]].concat();
    let most = "J\u{7f}\u{7f}\u{7f}\u{7f}";
    for (shape, strides, said) in [
        ("K\x09", "K\x01", "expected a tensor within the 8 elements of its storage"),
        ("K\x02", "K\x08", "expected a tensor within the 8 elements of its storage"),
        (most, most, "expected a tensor within the 8 elements of its storage"),
        (&most.repeat(4), &most.repeat(4), "expected a tensor within the 8 elements of its storage"),
        ("K\x02K\x02", "K\x01", "expected 2 strides, found 1"),
        ("N", "K\x01", "expected its dimensions, found a tuple"),
    ] {
        let file = stream(&dict(&[&b"U\x01x"[..], &tensor(shape, strides)].concat()), keys, &storage);
        let error = refusal(&file);
        assert!(error.contains(said), "{error}");
    }
    // A stride of 0 makes any number of elements of one.
    let huge = tensor(&most.repeat(2), "K\x00K\x00");
    readers::read(&stream(&dict(&[&b"U\x01x"[..], &huge].concat()), keys, &storage));
    // The same storage again and again.
    let again: Vec<u8> =
        (0..30_000).flat_map(|i| [format!("U\x05{i:05}").into_bytes(), b"h\x00".to_vec()].concat()).collect();
    let first = [&b"U\x01x"[..], &tensor("K\x08", "K\x01"), b"q\x00"].concat();
    readers::read(&stream(&dict(&[first, again].concat()), keys, &storage));
}

#[test]
fn modules_in_each_other_many_times_over_are_refused() {
    let _turn = turn();
    let module = |inner: &[u8]| {
        let begin = b"ca\nb\n)\x81}(U\x0b_parameters}U\x01ph\x01sU\x08_modules}";
        [&begin[..], inner, b"ub"].concat()
    };
    let mut pickle = [&b"\x80\x02"[..], &tensor("K\x08", "K\x01"), b"q\x010"].concat();
    let mut outer = module(b"");
    for _ in 0..40 {
        pickle.extend([&outer[..], b"q\x020"].concat());
        outer = module(b"(U\x01ah\x02U\x01bh\x02u");
    }
    pickle.extend([&outer[..], b"."].concat());
    let storage = [&8_u64.to_le_bytes()[..], &[0; 32]].concat();
    let file = stream(&pickle, b"]U\x010a.", &storage);
    let error = refusal(&file);
    assert!(error.contains("that the size of the file justifies, found"), "{error}");
}

/// A zip archive whose directory names these entries, which all are at its beginning and of this length.
fn zip(names: impl Iterator<Item = String>, len: u32) -> Vec<u8> {
    let header = |name: &str| {
        let sizes = [len.to_le_bytes(), len.to_le_bytes()].concat();
        // Version, flags, method, time, checksum; then the lengths of the name and of extra fields.
        [&[10, 0, 0, 0, 0, 0][..], &[0; 8], &sizes, &(name.len() as u16).to_le_bytes(), &[0; 2]].concat()
    };
    let mut bytes = [b"PK\x03\x04", &header("x/data.pkl")[..], b"x/data.pkl\x80\x02}."].concat();
    let start = bytes.len() as u32;
    let mut count = 0_u16;
    for name in names {
        bytes.extend([&b"PK\x01\x02\x0a\0"[..], &header(&name), &[0; 14], name.as_bytes()].concat());
        count += 1;
    }
    let size = bytes.len() as u32 - start;
    let count = [count.to_le_bytes(), count.to_le_bytes()].concat();
    bytes.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &size.to_le_bytes(), &start.to_le_bytes(), &[0; 2]].concat());
    bytes
}

#[test]
fn a_directory_of_entries_without_end_is_read_in_memory_that_it_justifies() {
    let _turn = turn();
    let names =
        |count: u16| (0..count).map(|index| if index == 0 { "x/data.pkl".into() } else { format!("x/data/{index}") });
    let error = refusal(&zip(names(60_000), 0));
    assert!(error.contains("byte 0 of its pickle, operation"), "{error}");
    // The same bytes as the values of many storages.
    let error = refusal(&zip(names(60_000), 4));
    assert!(error.contains("expected bytes of its own, found those of another entry"), "{error}");
    let error = refusal(&zip(names(1), 4));
    assert!(error.contains("expected names with tensors"), "{error}");
    let error = refusal(&zip(names(1), u32::MAX - 1));
    assert!(error.contains("expected bytes within the file, found others"), "{error}");
    // A count of entries that are not there.
    let mut cut = zip(names(2), 4);
    let end = cut.len() - 22;
    cut[end + 8..end + 12].fill(0xff);
    readers::read(&cut);
}
