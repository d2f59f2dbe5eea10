//! Digests of results in a file of text, by the version of the arithmetic that gave them.
//!
//! A line is a version, a digest, and the name of what was computed. Lines are added, and never changed or taken away,
//! so that no version stands for two arithmetics: where results change, `NUMERICS_VERSION` rises, and lines of the new
//! version join those of the old ones. Whether a line was changed is read from the history of the file that git keeps;
//! sources without it are held against their lines alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Holds digests that were computed, each with its name, against the lines of a version.
///
/// # Panics
///
/// If a name has no line or another digest, if the version has two lines of one name, if a line is of a later version,
/// or if a line that was committed is no longer there. Says which, what to do, and the lines to add.
pub fn check(file: &Path, version: u32, found: &[(String, String)]) {
    let table = fs::read_to_string(file).unwrap();
    let faults = faults(&table, &committed(file), version, found);
    assert!(faults.is_empty(), "{}: {}.\n{}", file.display(), faults.join("; "), advice(&table, version, found));
}

/// A line: version, name, digest.
fn parse(line: &str) -> Option<(u32, &str, &str)> {
    let (version, rest) = line.split_once(' ')?;
    let (digest, name) = rest.split_once(' ')?;
    Some((version.parse().ok()?, name, digest))
}

/// All lines that were ever committed; none where there is no history.
fn committed(file: &Path) -> Vec<String> {
    let mut git = Command::new("git");
    let (folder, name) = (file.parent().unwrap(), file.file_name().unwrap());
    git.current_dir(folder).args(["log", "-m", "--format=", "--no-ext-diff", "--no-color", "--unified=0", "--patch"]);
    let Some(output) = git.arg("--").arg(name).output().ok().filter(|output| output.status.success()) else {
        println!("skipped: the history of {}: git does not know it", file.display());
        return Vec::new();
    };
    let changes = String::from_utf8_lossy(&output.stdout);
    let added = changes.lines().filter_map(|line| line.strip_prefix('+'));
    added.filter(|line| parse(line).is_some()).map(str::to_owned).collect()
}

/// Faults of the digests or the table, a sentence each.
fn faults(table: &str, committed: &[String], version: u32, found: &[(String, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut digests = BTreeMap::new();
    for line in table.lines() {
        let Some((of, name, digest)) = parse(line) else {
            faults.push(format!("`{line}` is not a version, a digest and a name"));
            continue;
        };
        if of > version {
            faults.push(format!("`{line}` is of a later version than NUMERICS_VERSION, {version}"));
        }
        if digests.insert((of, name), digest).is_some() {
            faults.push(format!("version {of} has two lines of `{name}`"));
        }
    }
    for line in committed.iter().filter(|line| !table.lines().any(|kept| kept == *line)) {
        faults.push(format!("`{line}` was committed, and is no longer there: take it back"));
    }
    for (name, digest) in found {
        match digests.get(&(version, name.as_str())) {
            None => faults.push(format!("version {version} has no line of `{name}`")),
            Some(kept) if kept != digest => {
                faults.push(format!("`{name}` gives other bits than those of version {version}"))
            }
            Some(_) => {}
        }
    }
    faults
}

/// Advice on how to mend the faults, with the lines to add: those of this version, or of the next one if this one has
/// another digest already.
fn advice(table: &str, version: u32, found: &[(String, String)]) -> String {
    let differs = |(of, kept, digest): (u32, &str, &str)| {
        of == version && found.iter().any(|(name, found)| name == kept && found != digest)
    };
    let version = version + u32::from(table.lines().filter_map(parse).any(differs));
    let lines: String = found.iter().map(|(name, digest)| format!("{version} {digest} {name}\n")).collect();
    format!(
        "Lines of this file are added and never changed. Where results are to change, raise NUMERICS_VERSION \
         (src/kernel/numerics.rs) and add a line for each; what is computed for the first time needs a line and no new \
         version. Lines of version {version}:\n{lines}"
    )
}

#[test]
fn a_version_has_one_digest_of_a_name_forever() {
    let found = |digest: &str| vec![("relu".to_owned(), digest.to_owned())];
    let faults_of = |table: &str, committed: &[&str], version, digest| {
        let committed: Vec<String> = committed.iter().map(|&line| line.into()).collect();
        faults(table, &committed, version, &found(digest))
    };
    let (old, new) = ("2 0a relu\n2 0b elu\n", "2 0a relu\n2 0b elu\n3 0c relu\n");
    let committed = ["2 0a relu", "2 0b elu"];
    assert!(faults_of(old, &committed, 2, "0a").is_empty());
    assert!(faults_of(new, &committed, 3, "0c").is_empty());
    // Other bits, the version risen or not.
    assert_eq!(faults_of(old, &committed, 2, "0c"), ["`relu` gives other bits than those of version 2"]);
    assert!(advice(old, 2, &found("0c")).ends_with("Lines of version 3:\n3 0c relu\n"));
    assert_eq!(faults_of(old, &committed, 3, "0c"), ["version 3 has no line of `relu`"]);
    assert!(advice(old, 3, &found("0c")).ends_with("Lines of version 3:\n3 0c relu\n"));
    // Attempts to have the old version's digest changed.
    assert_eq!(faults_of("2 0a relu\n2 0c relu\n", &[], 2, "0c"), ["version 2 has two lines of `relu`"]);
    let gone = ["`2 0a relu` was committed, and is no longer there: take it back"];
    assert_eq!(faults_of("2 0c relu\n2 0b elu\n", &committed, 2, "0c"), gone);
    assert_eq!(faults_of(new, &committed, 2, "0a").len(), 1, "a line of version 3");
    assert_eq!(faults_of("0a relu\n", &[], 2, "0a").len(), 2, "not a line, and so none of relu");
}
