//! Headers of safetensors files that are long or deep.

use std::fmt::Write;

use super::{readers, refusal, seed, turn};

/// A file of this header and no values.
fn file(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// `{...}` of `count` parts.
fn map(count: usize, part: impl Fn(usize) -> String) -> String {
    let mut text = String::from("{");
    for index in 0..count {
        write!(text, "{}{}", if index == 0 { "" } else { "," }, part(index)).unwrap();
    }
    text + "}"
}

#[test]
fn every_flipped_bit_of_a_header_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    for name in ["safetensors/one_file", "safetensors/types_file"] {
        let mut bytes = seed(name);
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            readers::read(&bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_header_without_end_is_refused_in_no_more_memory_than_it_takes_itself() {
    let _turn = turn();
    let many = 200_000;
    let deep = format!("{}{}", "[".repeat(many), "]".repeat(many));
    let deep_map = format!("{}1{}", r#"{"a":"#.repeat(many), "}".repeat(many));
    let empty = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    let dims = format!(r#"{{"a":{{"dtype":"F32","shape":[1{}],"data_offsets":[0,0]}}}}"#, ",1".repeat(many));
    for (header, expected) in [
        (format!(r#"{{"a":{deep}}}"#), "a: "),
        (format!(r#"{{"a":{{"x":{deep},"dtype":"F32"}}}}"#), "a: missing field"),
        (format!(r#"{{"a":{{"shape":{deep}}}}}"#), "a: invalid type: sequence"),
        (format!(r#"{{"a":{{"data_offsets":{deep}}}}}"#), "a: invalid type: sequence"),
        (format!(r#"{{"__metadata__":{deep}}}"#), "invalid type: sequence"),
        (deep_map, "a: missing field"),
        (format!("{{{deep}}}"), "key must be a string"),
        (dims, "expected 4 bytes for F32 of shape [1, 1, 1, 1, 1, 1, 1, 1] and 199993 dimensions more, found 0"),
        (map(many, |_| format!(r#""a":{empty}"#)), "a occurs twice"),
        (format!("{}x", map(many / 10, |i| format!(r#""{i}":{empty}"#))), "trailing characters"),
        (format!(r#"{{"__metadata__":{}"#, map(many, |i| format!(r#""{i}":"""#))), "EOF while parsing"),
        (format!(r#"{{"a":{{"shape":[{}]}}}}"#, "9".repeat(many)), "number out of range"),
        (format!(r#"{{"a":{{"dtype":"{}"}}}}"#, "F".repeat(many)), "a: unknown variant `FFF"),
        (format!(r#"{{"a":{{"{}":1}}}}"#, "x".repeat(many)), "a: missing field"),
        (format!(r#"{{"{}":1}}"#, r"\u0000".repeat(many)), r#""\0\0"#),
        (format!("{{{}", " ".repeat(many)), "EOF while parsing"),
    ] {
        let error = refusal(&file(&header));
        assert!(error.contains(expected), "{header:.60}: {error:.1000}");
    }
}

#[test]
fn many_tensors_without_elements_are_read_in_memory_that_their_names_justify() {
    let _turn = turn();
    let empty = r#"{"dtype":"F64","shape":[0],"data_offsets":[0,0]}"#;
    readers::read(&file(&map(20_000, |i| format!(r#""{i}":{empty}"#))));
    readers::read(&file(&format!(r#"{{"__metadata__":{}}}"#, map(20_000, |i| format!(r#""{i}":"""#)))));
}

#[test]
fn a_list_of_activations_that_does_not_fit_the_tensors_is_refused_in_no_more_memory_than_it_takes_itself() {
    let _turn = turn();
    let empty = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let names: Vec<String> = (0..20_000).map(|i| format!("{i}")).collect();
    let many = serde_json::json!(names).to_string();
    for (sites, expected) in [
        ("{}", "invalid type"),
        ("[1]", "invalid type"),
        (r#"["x""#, "EOF"),
        (&deep, "invalid type"),
        (&many, "20000 names, more than tensors"),
        (r#"["x","x"]"#, "x twice"),
        // Both would be the first activation's.
        (r#"["x"]"#, "two tensors act0.a"),
    ] {
        let metadata = serde_json::json!({ "pvlu_zoo.sites": sites });
        let error = refusal(&file(&format!(r#"{{"__metadata__":{metadata},"x.a":{empty},"act0.a":{empty}}}"#)));
        assert!(error.contains("metadata pvlu_zoo.sites") && error.contains(expected), "{sites:.60}: {error:.1000}");
    }
    let sites = format!(r#"[{}""]"#, r#""","#.repeat(200_000));
    readers::read(&file(&format!(
        r#"{{"__metadata__":{},"x.a":{empty}}}"#,
        serde_json::json!({ "pvlu_zoo.sites": sites })
    )));
}
