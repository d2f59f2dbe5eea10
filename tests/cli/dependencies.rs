//! The packages of the programs: none with a known fault, no license but those allowed, and a notice of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use semver::{Version, VersionReq};
use serde_json::Value;

/// Advisories that were read and do not make us change anything, and why.
const ACCEPTED: [(&str, &str); 3] = [
    ("RUSTSEC-2024-0436", "`paste` is complete and no longer changed; it is a macro, of an option of dfdx that is off"),
    ("RUSTSEC-2025-0058", "`custom_derive` is complete: macros for `conv` of the crate mpi, of an option that is off"),
    (
        "RUSTSEC-2026-0253",
        "`LruCache::pop` with a key that panics: hdf5-reader has keys of numbers, and calls `pop_lru` alone",
    ),
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table(path: &str) -> Value {
    toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Names and versions of the packages of a Cargo.lock that are not ours.
fn locked(lock: &Value) -> Vec<(&str, Version)> {
    let packages = lock["package"].as_array().unwrap().iter().filter(|package| package.get("source").is_some());
    packages
        .map(|package| (package["name"].as_str().unwrap(), package["version"].as_str().unwrap().parse().unwrap()))
        .collect()
}

/// Advisories about the packages: those whose version is neither patched nor unaffected.
fn affected(lock: &Value, advisories: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, version) in locked(lock) {
        for advisory in advisories["advisory"].as_array().unwrap().iter().filter(|advisory| advisory["package"] == name)
        {
            let matches = |requirement: &&str| VersionReq::parse(requirement).unwrap().matches(&version);
            if !["patched", "unaffected"].iter().any(|key| strings(&advisory[*key]).iter().any(&matches)) {
                found.insert(advisory["id"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn no_package_has_an_advisory_that_was_not_read() {
    let (lock, advisories) = (table("Cargo.lock"), table(".ci/advisories.toml"));
    let asked: BTreeSet<&str> = strings(&advisories["packages"]).into_iter().collect();
    let strange: Vec<&str> =
        locked(&lock).into_iter().map(|(name, _)| name).filter(|name| !asked.contains(name)).collect();
    assert!(strange.is_empty(), "the advisories were not asked about {strange:?}: run .ci/advisories.py");
    let found = affected(&lock, &advisories);
    let accepted: BTreeSet<String> = ACCEPTED.iter().map(|(id, _)| (*id).to_owned()).collect();
    let unread: Vec<&String> = found.difference(&accepted).collect();
    assert!(unread.is_empty(), "{unread:?}: see .ci/advisories.toml");
    let past: Vec<&String> = accepted.difference(&found).collect();
    assert!(past.is_empty(), "{past:?} are about no package any more");
}

#[test]
fn an_advisory_is_about_the_versions_that_it_names() {
    let advisories: Value =
        toml::from_str("[[advisory]]\nid = 'A'\npackage = 'a'\npatched = ['^1.2.3', '>= 2.1']\nunaffected = ['< 1.1']")
            .unwrap();
    let is_affected = |version: &str| {
        let lock = format!(
            "[[package]]\nname = 'a'\nversion = '{version}'\nsource = 's'\n\
             [[package]]\nname = 'b'\nversion = '1.1.0'\nsource = 's'"
        );
        !affected(&toml::from_str(&lock).unwrap(), &advisories).is_empty()
    };
    assert_eq!(
        ["1.0.9", "1.1.0", "1.2.2", "1.2.3", "2.0.0", "2.1.0"].map(is_affected),
        [false, true, true, false, true, false]
    );
}

/// Packages of the programs on this machine: name and version, and license.
fn built() -> BTreeMap<String, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--locked",
        "--package",
        "pvlu_zoo_cli",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let parts = text.lines().filter_map(|line| line.split_once('|'));
    // `name v1.2.3 (proc-macro)|MIT (*)`
    let package = |text: &str| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ").replace(" v", " ");
    parts.map(|(name, license)| (package(name), license.trim_end_matches(" (*)").to_owned())).collect()
}

#[test]
fn licenses_are_allowed_ones() {
    let about = table(".ci/about.toml");
    let accepted: Vec<spdx::Licensee> =
        strings(&about["accepted"]).iter().map(|name| spdx::Licensee::parse(name).unwrap()).collect();
    let is_allowed = |license: &str| {
        let expression = spdx::Expression::parse_mode(license, spdx::ParseMode::LAX);
        expression.is_ok_and(|expression| {
            expression.evaluate(|wanted| accepted.iter().any(|license| license.satisfies(wanted)))
        })
    };
    let built = built();
    assert!(built.len() > 50, "{built:?}");
    let refused: Vec<_> = built.iter().filter(|(_, license)| !is_allowed(license)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(
        ["MIT/Apache-2.0", "GPL-3.0-only", "MIT AND GPL-2.0-only", "", "MIT"].map(is_allowed),
        [true, false, false, false, true]
    );
}

/// `.ci/notices` compares the whole file where cargo-about is installed.
#[test]
fn the_notices_name_every_package_of_the_programs() {
    let notices = read("THIRD-PARTY-NOTICES.txt");
    let named: BTreeSet<&str> = notices.lines().map(|line| line.trim_start_matches("  ")).collect();
    let missing: Vec<String> = built().into_keys().filter(|package| !named.contains(package.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?} are not in THIRD-PARTY-NOTICES.txt: run .ci/notices");
}
