//! The measured numbers of README, docs and benches/README are those of committed files, and their links lead
//! somewhere.
//!
//! A table between marks ([`marks`]) is the one that its file gives, and so is a value; what is measured and stands
//! outside of them is found. With `PVLU_WRITE_DOCUMENTS=1` in the environment tables and values are written instead of
//! compared.

#[path = "documents/benchmarks.rs"]
mod benchmarks;
#[path = "documents/links.rs"]
mod links;
#[path = "documents/marks.rs"]
mod marks;
#[path = "documents/results.rs"]
mod results;

use std::fs;
use std::path::{Path, PathBuf};

use marks::Source;
use results::Rows;

/// Fewer marks than this mean that they have gone.
const ENOUGH: usize = 30;

/// Documents in which a measured number outside of marks needs a reason.
const STRICT: [&str; 9] = [
    "README.md",
    "docs/determinism.md",
    "docs/fine-tuning.md",
    "docs/guide.md",
    "docs/reproducing.md",
    "docs/reproduction.md",
    "docs/speed.md",
    "docs/unsafe.md",
    "docs/weights.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README, the pages of docs, and that of the benchmarks.
fn documents() -> Vec<PathBuf> {
    let mut paths = vec![root().join("README.md"), root().join("benches/README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths
}

/// The arms that the protocol of table 1 has.
fn arms_of_table1() -> usize {
    let protocol = fs::read_to_string(root().join("bin/src/reproduce/protocols/table1.toml")).unwrap();
    protocol.lines().filter(|line| *line == "[[arms]]").count()
}

/// The text that a mark should hold.
fn expected(source: &Source) -> String {
    let words: Vec<&str> = match source {
        Source::Table(file) => {
            let rows = Rows::read(&root().join(file));
            return if rows.has("val_selected_top1") { rows.table() } else { benchmarks::table(&rows) };
        }
        Source::Value(words) => words.iter().map(String::as_str).collect(),
    };
    let rows = |file: &str| Rows::read(&root().join(file));
    match words[..] {
        ["difference", arm, other, file] => rows(file).difference(rows(file).model(), arm, other),
        ["p", arm, file] => {
            rows(file).p(rows(file).model(), arm).unwrap_or_else(|| panic!("{file}: {arm} has no p value"))
        }
        ["top1", arm, file] => rows(file).top1("val_selected_top1", rows(file).model(), arm, false),
        ["before", arm, file] => rows(file).top1("before_top1", rows(file).model(), arm, false),
        ["hours-of-table1", file] => rows(file).hours_of_table1(arms_of_table1()),
        ["minutes-of-training", file] => {
            format!("{:.1}", rows(file).numbers("train_seconds").iter().sum::<f64>() / 60.0)
        }
        ["range", column, decimals, file] => benchmarks::range(&rows(file), column, decimals.parse().unwrap()),
        ["quotient", column, above, below, file] => {
            let numbers = rows(file).numbers(column);
            let at = |row: &str| numbers[row.parse::<usize>().unwrap() - 1];
            format!("{:.0}", at(above) / at(below))
        }
        _ => panic!("{words:?} is no formula"),
    }
}

/// The marks of a text that hold other texts than they should, and the number of all its marks.
fn wrong(text: &str) -> (Vec<String>, usize) {
    let marks = marks::all(text);
    let count = marks.len();
    let differs = marks.into_iter().filter_map(|mark| {
        let (found, right) = (&text[mark.content.clone()], expected(&mark.source));
        (found != right).then(|| format!("{:?} holds{found}\ninstead of{right}\n", mark.source))
    });
    (differs.collect(), count)
}

/// The text with what its marks should hold.
fn written(text: &str) -> String {
    let mut text = text.to_owned();
    for mark in marks::all(&text.clone()).into_iter().rev() {
        text.replace_range(mark.content, &expected(&mark.source));
    }
    text
}

#[test]
fn numbers_are_those_of_the_committed_files() {
    let mut found = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        if std::env::var_os("PVLU_WRITE_DOCUMENTS").is_some_and(|value| value == "1") {
            fs::write(&path, written(&text)).unwrap();
            continue;
        }
        let (wrong, count) = wrong(&text);
        assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("\n"));
        found += count;
    }
    assert!(found >= ENOUGH || std::env::var_os("PVLU_WRITE_DOCUMENTS").is_some(), "{found} marks");
}

/// A digit of what each mark holds, replaced by the next one, is seen, and the mark is named.
#[test]
fn another_digit_is_seen() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for mark in marks::all(&text) {
            let place = text[mark.content.clone()].find(|c: char| c.is_ascii_digit());
            let at = mark.content.start + place.unwrap_or_else(|| panic!("{:?} holds no number", mark.source));
            let digit = (text.as_bytes()[at] - b'0' + 1) % 10;
            let mut changed = text.clone();
            changed.replace_range(at..=at, &digit.to_string());
            let (wrong, _) = wrong(&changed);
            assert!(wrong.len() == 1 && wrong[0].starts_with(&format!("{:?}", mark.source)), "{wrong:?}");
        }
    }
}

#[test]
fn no_measured_number_stands_outside_of_marks_without_a_reason() {
    for name in STRICT {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let found: Vec<String> =
            marks::unmarked(&text).iter().flat_map(|paragraph| marks::measurements(paragraph)).collect();
        assert!(found.is_empty(), "{name}: {found:?} come from no file");
    }
    let text = "It takes 3.5 ms, or 20 % <!-- = range x 2 f -->7 %<!-- end -->.\n\n\
                And 12 points. <!-- unchecked: the paper's -->\n\n\
                A 5 points <!-- unchecked:  -->, by +0.3, 95 % interval";
    let found: Vec<String> =
        marks::unmarked(text).iter().flat_map(|paragraph| marks::measurements(paragraph)).collect();
    assert_eq!(found, ["3.5 ms", "20 %", "5 points", "+0.3"]);
}

#[test]
fn the_summaries_of_the_committed_tables_are_those_of_their_runs() {
    let mut checked = 0;
    for folder in fs::read_dir(root().join("docs/results")).unwrap() {
        let folder = folder.unwrap().path();
        for file in folder.read_dir().into_iter().flatten() {
            let path = file.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The other files of a table have one of these ends.
            let is_other =
                ["_epochs", "_parameters", "_units", "_sweep"].iter().any(|end| name.ends_with(&format!("{end}.csv")));
            if name.ends_with(".csv") && !is_other {
                checked += Rows::read(&path).check_summaries(&path.display().to_string());
            }
        }
    }
    assert!(checked > 100, "{checked} summaries");
}

#[test]
fn readme_fits_on_a_few_screens_and_names_every_activation() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() <= 150, "{} lines", text.lines().count());
    let (_, models) = text.split_once("\n## Models\n").unwrap();
    let models = models.split("\n## ").next().unwrap();
    for activation in pvlu::activation::BUILT_IN {
        assert!(models.contains(&format!("`{}`", activation.name())), "{} is not listed", activation.name());
    }
}

/// A row of a Markdown table without marks: the pages on CUDA hold what was printed, and say of it in words.
fn rows(page: &str, columns: usize) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let tables = text.lines().filter(|line| line.starts_with("| ")).map(cells).filter(|row| row.len() == columns);
    tables.skip(1).collect()
}

#[test]
fn the_pages_on_cuda_count_what_their_tables_hold() {
    let (kernels, page) =
        (rows("docs/cuda-kernels.md", 8), fs::read_to_string(root().join("docs/cuda-kernels.md")).unwrap());
    let most = |column: usize| kernels.iter().map(|row| row[column].parse::<u32>().unwrap()).max().unwrap();
    // Wherever its lines are broken.
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(&format!(": {} rows, at most {} registers.", kernels.len(), most(3))),
        "{} rows",
        kernels.len()
    );
    assert_eq!((most(4), most(5)), (0, 0), "none spills");
    let on_the_stack = kernels.iter().filter(|row| row[6] != "0");
    assert!(
        on_the_stack.into_iter().all(|row| row[1].ends_with("_f64")
            && ["vlu", "sine", "snake", "sinlu"].iter().any(|sine| row[1].starts_with(sine)))
    );
    let (mistakes, page) = (rows("docs/cuda.md", 3), fs::read_to_string(root().join("docs/cuda.md")).unwrap());
    assert!(mistakes.iter().all(|row| row[2].contains(" tests, ")) && !mistakes.is_empty());
    assert!(page.contains(&format!("\n{0} of {0} caught\n", mistakes.len())), "{} mistakes", mistakes.len());
}
