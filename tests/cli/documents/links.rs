//! Relative links of the Markdown files, and the headings that they name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// All Markdown files of the repository, but for what was built, hidden folders and those of other programs.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && !["target", "results", "node_modules"].contains(&name.as_str()) && !name.starts_with('.') {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// A text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The targets of the links in a text: `](TARGET)`.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    let ends = text.split("](").skip(1).filter_map(|after| after.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).collect()
}

/// The anchor of a heading in a link: small letters, digits, hyphens and underscores, a hyphen for each space.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let text = prose(text);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The links of a page to files and headings that do not exist.
fn broken(page: &Path, text: &str) -> Vec<String> {
    let is_elsewhere = |target: &String| ["https://", "http://", "mailto:"].iter().any(|way| target.starts_with(way));
    let leads_nowhere = |target: &String| {
        let (path, heading) = target.split_once('#').map_or((target.as_str(), None), |(path, at)| (path, Some(at)));
        let file = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
        let Some(heading) = heading else { return !file.exists() };
        let text = if path.is_empty() { Ok(text.to_owned()) } else { fs::read_to_string(file) };
        text.is_ok_and(|text| !anchors(&text).contains(heading))
            || !path.is_empty() && !page.parent().unwrap().join(path).is_file()
    };
    targets(text).into_iter().filter(|target| !is_elsewhere(target) && leads_nowhere(target)).collect()
}

#[test]
fn relative_links_lead_to_files_and_headings() {
    let mut found = Vec::new();
    pages(&root(), &mut found);
    // That folder is passed over by name, for programs write `results` too.
    found.push(root().join("docs/results/README.md"));
    let mut links = 0;
    for page in found {
        let text = fs::read_to_string(&page).unwrap();
        let broken = broken(&page, &text);
        assert!(broken.is_empty(), "{}: {broken:?}", page.display());
        links += targets(&text).len();
    }
    assert!(links > 60, "{links} links");
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let page = root().join("README.md");
    let text = "# `A` title, with words\n[a](docs/guide.md) [b](#a-title-with-words) [c](docs/guide.md#layers)\n\
                [d](docs/gone.md) [e](#gone) [f](docs/guide.md#gone) [g](docs/gone.md#layers) [h](https://a.example)\n\
                ```text\n[i](in/code.md)\n```\n";
    assert_eq!(broken(&page, text), ["docs/gone.md", "#gone", "docs/guide.md#gone", "docs/gone.md#layers"]);
}
