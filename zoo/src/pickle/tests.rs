use super::*;

fn refusal(bytes: &[u8]) -> String {
    Pickle::read(bytes).expect_err("it was read").to_string()
}

/// A pickle of one value in `bytes`.
fn one(bytes: &[u8]) -> Vec<u8> {
    [bytes, b"."].concat()
}

#[test]
fn numbers_of_every_protocol_are_read() {
    for (bytes, expected) in [
        (&b"I12\n"[..], 12),
        (b"I-7\n", -7),
        (b"L99L\n", 99),
        (b"J\xff\xff\xff\xff", -1),
        (b"K\xff", 255),
        (b"M\x01\x02", 513),
        (b"\x8a\x00", 0),
        (b"\x8a\x01\xff", -1),
        (b"\x8a\x02\xff\x00", 255),
        (b"\x8b\x02\x00\x00\x00\x00\x80", -32768),
    ] {
        let bytes = one(bytes);
        assert_eq!(Pickle::read(&bytes).unwrap().root().int(), Some(expected), "{bytes:?}");
    }
    for (bytes, expected) in [(&b"F0.5\n"[..], 0.5), (b"G?\xe0\0\0\0\0\0\0", 0.5), (b"F-1e3\n", -1000.0)] {
        let bytes = one(bytes);
        assert_eq!(Pickle::read(&bytes).unwrap().root().float(), Some(expected));
    }
    for (bytes, expected) in [(&b"I01\n"[..], true), (b"I00\n", false), (b"\x88", true), (b"\x89", false)] {
        let bytes = one(bytes);
        assert_eq!(Pickle::read(&bytes).unwrap().root().bool(), Some(expected));
    }
    let long = Pickle::read(b"\x8a\x09\0\0\0\0\0\0\0\0\x01.").unwrap();
    assert_eq!((long.root().int(), long.root().kind()), (None, "an integer of more than 64 bits"));
    assert!(Pickle::read(b"N.").unwrap().root().is_none());
}

#[test]
fn strings_and_bytes_of_every_protocol_are_read() {
    for bytes in [
        &b"S'a\\n\\x62'\n"[..],
        b"U\x03a\nb",
        b"T\x03\0\0\0a\nb",
        b"X\x03\0\0\0a\nb",
        b"\x8c\x03a\nb",
        b"\x8d\x03\0\0\0\0\0\0\0a\nb",
        b"Va\\u000ab\n",
        b"B\x03\0\0\0a\nb",
        b"C\x03a\nb",
        b"\x8e\x03\0\0\0\0\0\0\0a\nb",
        b"\x96\x03\0\0\0\0\0\0\0a\nb",
    ] {
        let bytes = one(bytes);
        assert_eq!(Pickle::read(&bytes).unwrap().root().text(), Some("a\nb"), "{bytes:?}");
    }
    // What protocol 2 of Python 3 writes for `bytes`.
    let bytes = b"\x80\x02c_codecs\nencode\nX\x05\0\0\0\xc3\xbf\xc2\x80aX\x06\0\0\0latin1\x86R.";
    assert_eq!(Pickle::read(bytes).unwrap().root().bytes().as_deref(), Some(&b"\xff\x80a"[..]));
    assert_eq!(Pickle::read(b"c__builtin__\nbytes\n)R.").unwrap().root().bytes().as_deref(), Some(&b""[..]));
    assert_eq!(Pickle::read(b"U\x01\xff.").unwrap().root().text(), None);
}

#[test]
fn bytes_that_protocol_2_of_python_3_encodes_are_keys_and_texts_if_they_are_ascii() {
    let encoded = |text: &[u8], encoding: &[u8]| {
        let short = |text: &[u8]| [b"X", &(text.len() as u32).to_le_bytes()[..], text].concat();
        [&b"c_codecs\nencode\n"[..], &short(text), encoding, b"\x86R"].concat()
    };
    let latin = b"X\x06\0\0\0latin1";
    let bytes = [&b"}("[..], &encoded(b"a", latin), b"K\x01", &encoded(b"\xc3\xbf", latin), b"K\x02u."].concat();
    let pickle = Pickle::read(&bytes).unwrap();
    let root = pickle.root();
    assert_eq!((root.get("a").and_then(Value::int), root.get("\u{ff}").map(Value::kind)), (Some(1), None));
    let keys: Vec<_> = root.entries().unwrap().map(|(key, _)| key.text()).collect();
    assert_eq!(keys, [Some("a"), None]);
    // Another encoding, and one that is itself a call, however deep, are none that Python writes.
    for encoding in [b"X\x04\0\0\0utf8".to_vec(), encoded(b"latin1", latin)] {
        let bytes = [encoded(b"a", &encoding), b".".to_vec()].concat();
        assert_eq!(Pickle::read(&bytes).unwrap().root().text(), None);
    }
    let start = b"c_codecs\nencode\nq\0X\x06\0\0\0latin1q\x010h\x01";
    let deep = [&start[..], &b"q\x020h\0h\x01h\x02\x86R".repeat(200_000), b"."].concat();
    assert_eq!(Pickle::read(&deep).unwrap().root().text(), None);
}

#[test]
fn collections_are_read_with_what_is_added_to_them_later() {
    let pickle = Pickle::read(b"\x80\x02}(U\x01aK\x01U\x01b]q\x00(K\x02K\x03eU\x01a(NNtu.").unwrap();
    let root = pickle.root();
    // Of a key that is set twice, the last counts.
    assert_eq!(root.get("a").unwrap().array::<2>().unwrap().map(Value::is_none), [true, true]);
    assert_eq!(root.get("b").unwrap().items().unwrap().filter_map(Value::usize).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(root.entries().unwrap().len(), 3);
    for list in [&b"(K\x05l."[..], b"(K\x05t.", b"]K\x05a.", b"K\x05\x85.", b"\x8f(K\x05\x90.", b"(K\x05\x91."] {
        let pickle = Pickle::read(list).unwrap();
        assert_eq!(pickle.root().items().unwrap().filter_map(Value::int).collect::<Vec<_>>(), [5], "{list:?}");
    }
    let dict = Pickle::read(b"(U\x01aK\x05d.").unwrap();
    assert_eq!(dict.root().get("a").and_then(Value::int), Some(5));
}

#[test]
fn calls_are_kept_as_data_with_all_that_was_done_to_their_results() {
    let bytes = b"cos\nsystem\n(U\x04trueK\x01tR}U\x01aNsbK\x07aU\x01kK\x08s.";
    let pickle = Pickle::read(bytes).unwrap();
    let call = pickle.root().call().unwrap();
    assert_eq!(call.function().global(), Some(("os", "system")));
    let [text, number] = call.arguments().unwrap();
    assert_eq!((text.text(), number.int()), (Some("true"), Some(1)));
    assert!(call.state().get("a").unwrap().is_none());
    assert_eq!(pickle.root().get("k").and_then(Value::int), Some(8));
    for other in [
        &b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85\x81."[..],
        b"(cos\nsystem\nU\x04trueo.",
        b"(U\x04trueios\nsystem\n.",
        b"cos\nsystem\nU\x04true\x85}\x92.",
    ] {
        let pickle = Pickle::read(other).unwrap();
        let call = pickle.root().call().unwrap();
        assert_eq!(call.function().global(), Some(("os", "system")), "{other:?}");
        assert_eq!(call.arguments::<1>().unwrap()[0].text(), Some("true"));
    }
    for name in [&b"Pweights\n."[..], b"U\x07weightsQ."] {
        let pickle = Pickle::read(name).unwrap();
        assert_eq!(pickle.root().persistent().and_then(Value::text), Some("weights"));
        assert_eq!(pickle.persistent().count(), 1);
    }
}

#[test]
fn objects_that_are_shared_are_one_object_and_may_contain_themselves() {
    let pickle = Pickle::read(b"]q\x05h\x05ah\x05a.").unwrap();
    let root = pickle.root();
    assert!(root.items().unwrap().all(|inner| inner.items().unwrap().len() == 2));
    for memo in [&b"]p7\nK\x01ag7\n."[..], b"]r\x07\0\0\0K\x01aj\x07\0\0\0.", b"]\x94K\x01ah\0."] {
        assert_eq!(Pickle::read(memo).unwrap().root().items().unwrap().len(), 1, "{memo:?}");
    }
}

#[test]
fn what_follows_the_pickle_is_left_alone() {
    let pickle = Pickle::read(b"\x80\x04\x95\x02\0\0\0\0\0\0\0K\x05.and more").unwrap();
    assert_eq!((pickle.root().int(), pickle.consumed()), (Some(5), 14));
}

#[test]
fn a_fault_is_reported_with_its_position_its_operation_and_what_was_expected() {
    for (bytes, error) in [
        (
            &b"K\x01K\x02\xff."[..],
            "byte 4 of the pickle, no operation: expected an operation of pickle protocols 0 to 5, found 0xff",
        ),
        (b"(K\x01u.", "byte 3 of the pickle, SETITEMS: expected 1 on the stack, found 0"),
        (b"}(K\x01u.", "byte 4 of the pickle, SETITEMS: expected a value for every key, found a key alone"),
        (b"K\x01K\x02a.", "byte 4 of the pickle, APPEND: expected a list, found an integer"),
        (b"h\x00.", "byte 0 of the pickle, BINGET: expected a filled position of the memo, found 0"),
        (
            b"]r\xff\xff\xff\x7f.",
            "byte 1 of the pickle, LONG_BINPUT: expected a position of the memo below 259, found 2147483647",
        ),
        (b"\x80\x06.", "byte 0 of the pickle, PROTO: expected protocol 0 to 5, found 6"),
        (b"\x82\x01.", "byte 0 of the pickle, EXT1: expected a class by its name, found one by a private number"),
        (b"\x97.", "byte 0 of the pickle, NEXT_BUFFER: expected bytes in the pickle, found bytes beside it"),
        (b"K\x01)R.", "byte 3 of the pickle, REDUCE: expected a function or class, found an integer"),
        (b"ca\nb\nNR.", "byte 6 of the pickle, REDUCE: expected a tuple of arguments, found None"),
        (b"T\xff\xff\xff\xff.", "byte 0 of the pickle, BINSTRING: expected a length, found -1"),
        (b"X\x01\0\0\0\xff.", "byte 0 of the pickle, BINUNICODE: expected UTF-8, found byte 0xff"),
        (b"t.", "byte 0 of the pickle, TUPLE: expected a mark on the stack, found none"),
        (b"I99999999999999999999\n.", "byte 0 of the pickle, INT: expected an integer of 64 bits, found other text"),
    ] {
        assert_eq!(refusal(bytes), error);
    }
}

#[test]
fn a_pickle_that_is_cut_says_so() {
    let bytes = b"\x80\x02}(X\x01\0\0\0aG?\xe0\0\0\0\0\0\0X\x01\0\0\0b\x8a\x03abcI5\nsu.";
    for len in 0..bytes.len() - 2 {
        assert!(Pickle::read(&bytes[..len]).is_err_and(|error| error.is_cut()), "{len}");
    }
    assert!(!Pickle::read(b"\xff").unwrap_err().is_cut());
}

#[test]
fn lengths_and_nesting_without_end_are_refused() {
    for bytes in [
        &b"B\xff\xff\xff\xff."[..],
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x8d\0\0\0\0\0\0\0\x80.",
        b"\x8b\xff\xff\xff\x7f.",
    ] {
        assert!(refusal(bytes).contains("bytes, found 1 byte"), "{}", refusal(bytes));
    }
    assert!(refusal(&b"(".repeat(3000)).contains("at most 2000 open marks"));
    assert!(refusal(&b"]".repeat(3000)).contains("at most 1756 objects in so many bytes, found more"));
    // A value inside of itself many times over takes no room.
    let mut bomb = b"]q\0".to_vec();
    for _ in 0..60 {
        bomb.extend_from_slice(b"2\x86q\0h\0");
    }
    bomb.push(b'.');
    assert!(Pickle::read(&bomb).is_ok());
    // Tuples in each other take no stack of this program's, neither when they are read nor when they are dropped.
    let deep = [&b"N"[..], &b"\x85q\0".repeat(200_000), b"."].concat();
    assert!(Pickle::read(&deep).unwrap().root().items().is_some());
}

/// The bytes are those that Python 2.7 writes for `OrderedDict([("a", 1), ("b", 2)])`: the entries are the argument of
/// the class.
#[test]
fn an_ordered_dict_of_python_2_has_its_entries() {
    let entries = b"](]q\x01(U\x01aq\x02K\x01e]q\x03(U\x01bq\x04K\x02ee";
    let bytes = [&b"\x80\x02ccollections\nOrderedDict\nq\x00"[..], entries, b"\x85Rq\x05."].concat();
    let pickle = Pickle::read(&bytes).unwrap();
    let found: Vec<_> = pickle.root().entries().unwrap().map(|(key, value)| (key.text(), value.int())).collect();
    assert_eq!(found, [(Some("a"), Some(1)), (Some("b"), Some(2))]);
    // A list of anything else is no list of entries.
    assert!(refusal(b"ccollections\nOrderedDict\n](K\x01K\x02e\x85R.").contains("keys with values"));
}

#[test]
fn empty_tuples_are_one() {
    let bytes = [&b"]("[..], &b")".repeat(5000), b"e."].concat();
    assert_eq!(Pickle::read(&bytes).unwrap().root().items().unwrap().len(), 5000);
}
