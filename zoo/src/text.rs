//! Foreign text in messages: names, labels and messages out of files and of the file system, on one line, of bounded
//! length and without anything that a terminal acts on; and suggestions for names that are not known.
//!
//! Output for programs (JSON, metadata) holds such text whole.

use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Most characters of a label or a name that are shown.
pub const SHOWN: usize = 200;

/// Most characters of a message that are shown.
pub const MESSAGE: usize = 500;

/// Returns true if a terminal, a pager or an editor acts on this character instead of showing it: controls (among them
/// the beginnings of escape sequences), separators of lines and paragraphs, controls of the direction of writing, and
/// invisible marks.
///
/// The joiners U+200C and U+200D are none of these: Persian, the scripts of India and emoji need them.
#[must_use]
pub fn is_acted_on(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text of which at most a number of characters is shown, each that [`is_acted_on`] as its escape in Rust: `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    text: &'a str,
    limit: usize,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for c in chars.by_ref().take(self.limit) {
            if is_acted_on(c) { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        if chars.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// Shows a label or a name, at most [`SHOWN`] characters of it.
#[must_use]
pub fn shown(text: &str) -> Shown<'_> {
    Shown { text, limit: SHOWN }
}

/// Shows a message, at most [`MESSAGE`] characters of it.
#[must_use]
pub fn message(text: &str) -> Shown<'_> {
    Shown { text, limit: MESSAGE }
}

/// Shows a label or a name as [`shown`], in quotation marks.
pub fn quoted(text: &str) -> impl fmt::Display {
    struct Quoted<'a>(&'a str);
    impl fmt::Display for Quoted<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let end = self.0.char_indices().nth(SHOWN).map_or(self.0.len(), |(end, _)| end);
            // `Debug` escapes more than what is acted on: quotation marks, too.
            write!(f, "{:?}{}", &self.0[..end], if end < self.0.len() { "..." } else { "" })
        }
    }
    Quoted(text)
}

/// The first `limit` of some names, with commas between them, and `...` if there are more.
pub fn listed(names: impl IntoIterator<Item = impl fmt::Display>, limit: usize) -> String {
    let mut names = names.into_iter();
    let mut listed: Vec<String> = names.by_ref().take(limit).map(|name| name.to_string()).collect();
    listed.extend(names.next().map(|_| "...".to_owned()));
    listed.join(", ")
}

/// Shows a path: as [`shown`], but whole, since the system bounds its length.
pub fn path(path: &Path) -> impl fmt::Display {
    struct Whole<'a>(&'a Path);
    impl fmt::Display for Whole<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            Shown { text: &self.0.to_string_lossy(), limit: usize::MAX }.fmt(f)
        }
    }
    Whole(path)
}

/// Message of a system error, without its number.
#[must_use]
pub fn system(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            let end = text.find(" (os error ").unwrap_or(text.len());
            message(&text[..end]).to_string()
        }
    }
}

/// Returns true for a path that is written as an address: `https://host/file`, or `hf://`, `s3://` and the like.
#[must_use]
pub fn is_url(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The one of the names that a person may have meant: it has the same letters and digits, contains them, or takes the
/// fewest edits of them, if fewer than a third.
pub fn similar<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let letters = |text: &str| -> String {
        let alphanumeric = text.chars().filter(|c| c.is_alphanumeric());
        alphanumeric.take(SHOWN).flat_map(char::to_lowercase).collect()
    };
    let wanted = letters(name);
    let known = known.iter().map(|name| (*name, letters(name)));
    if let Some((same, _)) = known.clone().find(|(_, letters)| *letters == wanted) {
        return Some(same);
    }
    let containing = known.clone().filter(|(_, letters)| wanted.len() >= 3 && letters.contains(&wanted));
    if let Some((shortest, _)) = containing.min_by_key(|(_, letters)| letters.len()) {
        return Some(shortest);
    }
    let edits = known.map(|(name, letters)| (strsim::osa_distance(&wanted, &letters), name));
    let (edits, nearest) = edits.min_by_key(|(edits, _)| *edits)?;
    (edits * 3 < wanted.chars().count()).then_some(nearest)
}

/// ` (did you mean NAME?)` if one of the names is [`similar`], else nothing.
#[must_use]
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    similar(name, known).map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped_and_the_rest_is_not() {
        for (text, expected) in [
            ("cat", "cat"),
            ("Katze, süß 🐈‍⬛ گربه‌ها \\n \"", "Katze, süß 🐈‍⬛ گربه‌ها \\n \""),
            ("\x1b[2Ja\x07", "\\u{1b}[2Ja\\u{7}"),
            ("a\u{9b}2J\x7f", "a\\u{9b}2J\\u{7f}"),
            ("a\r\nerror: b\t", "a\\r\\nerror: b\\t"),
            ("a\u{202e}gpj.exe\u{2066}", "a\\u{202e}gpj.exe\\u{2066}"),
            ("\u{2028}\u{feff}\u{200b}\u{e0041}", "\\u{2028}\\u{feff}\\u{200b}\\u{e0041}"),
        ] {
            assert_eq!(shown(text).to_string(), expected);
            assert_eq!(path(Path::new(text)).to_string(), expected);
            assert!(!quoted(text).to_string().contains(is_acted_on));
        }
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        let long = "ä".repeat(SHOWN);
        assert_eq!(shown(&long).to_string(), long);
        assert_eq!(shown(&format!("{long}b")).to_string(), format!("{long}..."));
        assert_eq!(quoted(&format!("{long}b")).to_string(), format!("\"{long}\"..."));
        assert_eq!(message(&"x".repeat(9_000)).to_string().len(), MESSAGE + 3);
        assert_eq!(path(Path::new(&"x".repeat(9_000))).to_string().len(), 9_000);
    }

    #[test]
    fn the_first_names_are_listed() {
        assert_eq!(listed(["a", "b"], 2), "a, b");
        assert_eq!(listed(["a", "b", "c", "d"], 2), "a, b, ...");
        assert_eq!(listed([""; 0], 2), "");
    }

    #[test]
    fn the_number_of_a_system_error_is_left_out() {
        assert_eq!(system(&io::Error::from_raw_os_error(28)), "No space left on device");
        assert_eq!(system(&ErrorKind::NotFound.into()), "there is no such file or folder");
    }

    #[test]
    fn addresses_are_told_from_paths() {
        for url in ["https://example.org/x.png", "ftp://example.org", "hf://timm/vgg16", "s3://a/b"] {
            assert!(is_url(Path::new(url)), "{url}");
        }
        for path in ["", "x.png", "://x", "C:/x", "a/b://c", "https:x", "./https://x"] {
            assert!(!is_url(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn the_name_that_was_meant_is_found() {
        let known =
            ["vgg16", "vgg16_bn", "resnet50", "resnet50v2", "cifar_resnet20", "cifar_resnet20_b", "relu", "elu"];
        for (name, meant) in [
            ("VGG-16", Some("vgg16")),
            ("vgg16bn", Some("vgg16_bn")),
            ("resnet20", Some("cifar_resnet20")),
            ("resnet52", Some("resnet50")),
            ("ResNet50V2", Some("resnet50v2")),
            ("cifar_resent20", Some("cifar_resnet20")),
            ("rleu", Some("relu")),
            ("alexnet", None),
            ("", None),
        ] {
            assert_eq!(similar(name, &known), meant, "{name}");
        }
        assert_eq!(did_you_mean("rellu", &known), " (did you mean relu?)");
        assert_eq!(did_you_mean("gelu", &[]), "");
    }
}
