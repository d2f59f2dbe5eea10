//! Unsafe code is where docs/unsafe.md says, with every feature, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All sources of the workspace, but for what was built and for what tests read.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// True if a line of code, its strings and its comment aside, opens unsafe code or declares it.
fn is_unsafe(line: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect();
    let code = code.split("//").next().unwrap_or_default();
    let words: Vec<&str> =
        code.split(|c: char| !(c.is_alphanumeric() || "_{\"".contains(c))).filter(|word| !word.is_empty()).collect();
    let begins =
        |word: &str| ["{", "fn", "impl", "extern", "trait"].iter().any(|begin| word == *begin || word.starts_with('{'));
    words.iter().enumerate().any(|(index, word)| {
        word.starts_with("unsafe{") || *word == "unsafe" && words.get(index + 1).is_none_or(|next| begins(next))
    })
}

/// The places that the page names, in the first column of its table: files, and folders that end in `/`.
fn listed() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/unsafe.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

#[test]
fn unsafe_code_is_where_the_page_says_and_nowhere_else() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 200, "{} sources", files.len());
    let has_unsafe = |path: &&PathBuf| fs::read_to_string(path).unwrap().lines().any(is_unsafe);
    let base = root();
    let name = |path: &PathBuf| path.strip_prefix(&base).unwrap().to_str().unwrap().replace('\\', "/");
    let found: BTreeSet<String> = files.iter().filter(has_unsafe).map(name).collect();
    let listed = listed();
    let covers = |place: &str, file: &str| if place.ends_with('/') { file.starts_with(place) } else { file == place };
    let strange: Vec<&String> = found.iter().filter(|file| !listed.iter().any(|place| covers(place, file))).collect();
    assert!(strange.is_empty(), "{strange:?} hold unsafe code, and the list of docs/unsafe.md does not name them");
    let past: Vec<&String> = listed.iter().filter(|place| !found.iter().any(|file| covers(place, file))).collect();
    assert!(past.is_empty(), "{past:?} are in the list of docs/unsafe.md, and hold no unsafe code");
}

/// A block says why it is sound, in the lines above it or above the statement that it is in; a declaration says what it
/// asks for.
#[test]
fn every_unsafe_block_states_why_it_is_sound() {
    let mut files = Vec::new();
    for folder in ["src", "zoo", "bin"] {
        sources(&root().join(folder), &mut files);
    }
    let mut blocks = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let states =
            |number: usize| lines[number.saturating_sub(12)..=number].join("\n").to_lowercase().contains("safety");
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| is_unsafe(line)) {
            blocks += 1;
            // What a function of a trait asks for stands at the trait.
            let name = line.split_once("unsafe fn ").map(|(_, name)| name.split('(').next().unwrap_or_default());
            let is_same = |other: &&str| name.is_some_and(|name| other.contains(&format!("unsafe fn {name}(")));
            let declared = lines.iter().position(is_same).is_some_and(states);
            assert!(states(number) || declared, "{}:{}: {line}", path.display(), number + 1);
        }
    }
    assert!(blocks > 40, "{blocks} places");
}

#[test]
fn unsafe_code_is_told_from_words() {
    let code = [
        "unsafe {",
        "let x = unsafe { f() };",
        "pub unsafe fn f()",
        "unsafe impl A for B {}",
        "unsafe extern \"C\" {",
        "return unsafe",
    ];
    assert!(code.iter().all(|line| is_unsafe(line)));
    let words = [
        "// unsafe { }",
        "/// no `unsafe` here",
        "#[allow(unsafe_code)]",
        "let unsafe_code = 1;",
        "a(\"unsafe code\")",
    ];
    assert!(!words.iter().any(|line| is_unsafe(line)));
}
