use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::reproduce::figure::sample;

const VALUES: &[Value<'_>] = &[("epochs", "100", "chosen"), ("optimizer | <b>", "Adam & more", "paper")];

fn written(folder: &Path) -> [String; 2] {
    write(folder, folder, &[], VALUES).unwrap().map(|path| fs::read_to_string(path).unwrap())
}

/// The page as XML: what is void or has no value in HTML is the declaration and the two `meta` alone.
fn as_xml(page: &str) -> String {
    let page = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    page.replace("<meta charset=\"utf-8\">", "")
        .replace("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">", "")
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    sample::all(folder.path());
    let [page, _] = written(folder.path());
    let xml = as_xml(&page);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let (mut ids, mut links) = (HashSet::new(), Vec::new());
    for node in document.descendants() {
        assert!(!["script", "link", "iframe", "object"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{attribute:?}");
            let link = attribute.value().strip_prefix('#').filter(|_| node.tag_name().name() == "a");
            if let Some(link) = link {
                links.push(link.to_owned());
            } else if ["href", "src"].contains(&attribute.name()) {
                assert!(attribute.value().starts_with("data:image/png;base64,"), "{attribute:?}");
            }
        }
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
    }
    // The columns, six tables, the figures and the values.
    assert!(links.len() == 9 && links.iter().all(|link| ids.contains(link)), "{links:?}");
    let roles = document.descendants().filter_map(|node| node.attribute("role")).collect::<HashSet<_>>();
    assert_eq!(roles, HashSet::from(["region", "img"]));
    let named = document.descendants().filter_map(|node| node.attribute("aria-labelledby"));
    assert!(named.flat_map(|names| names.split(' ')).all(|name| ids.contains(name)));
    assert_eq!(document.root_element().attribute("lang"), Some("en"));
    let count = |name: &str| document.descendants().filter(|node| node.tag_name().name() == name).count();
    assert_eq!(count("svg"), available(folder.path(), Figure::all()).len());
    // The summary, six tables and the values of the protocol.
    assert_eq!((count("table"), count("caption"), count("details")), (8, 8, 1));
    let cells = document.descendants().filter(|node| node.tag_name().name() == "th");
    assert!(cells.clone().count() > 100 && cells.clone().all(|cell| cell.attribute("scope").is_some()));
}

#[test]
fn rows_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    sample::all(folder.path());
    let [page, text] = written(folder.path());
    let row =
        "| PVLU | 61.50 ± 0.21 | 62.00 ± 0.21 | 63.50 ± 0.20 | -1.50 | 12.50 ± 0.21 | 16.30 | +5.50 (+4.60 to +6.40) |";
    assert!(text.contains(row), "{text}");
    let row = "<th scope=\"row\">PVLU</th><td>61.50 ± 0.21</td><td>62.00 ± 0.21</td><td>63.50 ± 0.20</td><td>-1.50</td>\
               <td>12.50 ± 0.21</td><td>16.30</td><td>+5.50 (+4.60 to +6.40)</td><td>0.0078</td>\
               <td>75</td><td>0.20 / 0.30</td><td>1234</td><td>10.0</td>\
               <td class=\"words\">better (planned)</td></tr>";
    assert!(page.contains(row), "{page}");
    // An exploratory arm: its p-value alone, and that of the four together.
    assert!(text.contains("| 0.0078 (0.0312) |"), "{text}");
    // Several models: their names in the rows.
    let row = "| vgg16 | PVLU | 60.40 ± 0.21 |";
    assert!(text.contains(row), "{text}");
    // Values that are the same in all rows appear once.
    let common = "In all rows: model: sequential6conv; runs: 8; died: 0; data: cifar10; \
                  budget: 100 epochs of 45,000 images; pretrained: no";
    assert!(text.contains(common) && page.contains(common), "{text}");
    // One seed: neither errors nor an interval.
    let row = "| PVLU | 61.50 | 62.00 | 63.50 ± 0.20 | -1.50 | 12.50 | 16.30 | +5.50 | 1.0000 | \
               75 | 0.20 / 0.30 | 1234 | 10.0 | 1 seed cannot decide: 6 could (planned) |";
    assert!(text.contains(row) && text.contains("budget: 100 epochs of 45,000 images; preset: quick"), "{text}");
    for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(link.ends_with(".svg") && folder.path().join(link).is_file(), "{link}");
    }
    assert_eq!(text.matches("![").count(), available(folder.path(), Figure::all()).len());
}

#[test]
fn what_is_missing_or_not_the_papers_is_said_before_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = sample::runs(2, &["m"], &["relu", "pvlu"], 1, "procedural", "quick");
    let died = rows[0].replace("finished", "died");
    rows[0] = died;
    rows.push(sample::runs(2, &["other"], &["vlu"], 1, "procedural", "quick").remove(0));
    sample::file(folder.path(), "table2.csv", sample::RUNS, &rows);
    sample::file(folder.path(), "table3.csv", sample::RUNS, &[]);
    for text in written(folder.path()) {
        let (top, _) = text.split_once("Accuracies are").unwrap();
        for notice in [
            "Missing, because not run: table 1, table 3, table 4, table 5, table 6.",
            "Table 2: rows of a quick preset",
            "Table 2: rows on procedural images",
            "Table 2: runs that died: 1;",
            "Table 2: runs without a summary, which are not shown: other VLU.",
        ] {
            assert!(top.contains(notice), "{notice}: {top}");
        }
    }
    let empty = tempfile::tempdir().unwrap();
    let [page, text] = written(empty.path());
    roxmltree::Document::parse(&as_xml(&page)).unwrap();
    assert!(text.contains("table 1, table 2, table 3, table 4, table 5, table 6."), "{text}");
}

#[test]
fn what_users_wrote_is_text_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "<script>alert('x')</script>|[a](b)";
    let rows = sample::runs(1, &[evil], &[evil], 2, evil, evil);
    sample::file(folder.path(), "table1.csv", sample::RUNS, &rows);
    let details = serde_json::json!({"configuration": {evil: evil}, "versions": [evil], "hidden": 1});
    fs::write(folder.path().join("table1.json"), details.to_string()).unwrap();
    let [page, text] = written(folder.path());
    for text in [&page, &text] {
        assert!(!text.contains("<script") && text.matches("&lt;script&gt;").count() > 5, "{text}");
        assert!(!text.contains("hidden"));
    }
    roxmltree::Document::parse(&as_xml(&page)).unwrap();
    assert!(text.contains(r"&lt;script&gt;alert('x')&lt;/script&gt;\|\[a\](b)"), "{text}");
    assert!(text.contains(r"| optimizer \| &lt;b&gt; | Adam &amp; more | paper |"), "{text}");
    let lines = text.lines().filter(|line| line.starts_with('|'));
    for line in lines {
        let cells = line.replace(r"\|", "").matches('|').count() - 1;
        assert!([14, 4, 3].contains(&cells), "{cells}: {line}");
    }
}

#[test]
fn the_same_files_give_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    sample::all(folder.path());
    let first = written(folder.path());
    assert_eq!(first, written(folder.path()));
    assert!(first[0].contains("<dt>machines, cores</dt><dd>2</dd>") && first[1].contains("- seconds: 12.5\n"));
    assert!(first[1].contains("- configuration, &lt;b&gt;: a \\| b\n"), "{}", first[1]);
}

#[test]
fn errors_name_the_file_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let failing = |name: &str, contents: &str| {
        fs::write(folder.path().join(name), contents).unwrap();
        let error = write(folder.path(), folder.path(), &[], VALUES).unwrap_err().to_string();
        assert!(!folder.path().join("report.html").exists());
        error
    };
    let rows = sample::runs(1, &["m"], &["relu"], 1, "cifar10", "paper");
    sample::file(folder.path(), "table1.csv", sample::RUNS, &rows);
    let error = failing("table1.json", "[1]");
    assert!(error.ends_with("table1.json: expected a JSON object, found another value"), "{error}");
    let error = failing("table1.json", "{\n\"a\": }");
    assert!(error.contains("table1.json: expected JSON, found: ") && error.contains("line 2"), "{error}");
    let bad = rows.join("\n").replace("0.565000", "0.5.6");
    let error = failing("table1.csv", &format!("{}\n{bad}\n", sample::RUNS));
    assert!(
        error.ends_with("table1.csv: line 3, column `peak_top1`: expected a number or nothing, found `0.5.6`"),
        "{error}"
    );
}

#[test]
fn a_line_for_each_table_says_what_was_asked_what_was_found_and_on_what() {
    let folder = tempfile::tempdir().unwrap();
    sample::all(folder.path());
    fs::remove_file(folder.path().join("table2.csv")).unwrap();
    for text in written(folder.path()) {
        let (summary, _) = text.split_once("How to read the columns").or_else(|| text.split_once("\n- ")).unwrap();
        for said in [
            "six-convolution network without augmentation",
            "PVLU +5.50 points (+4.60 to +6.40), better; highest mean: PVLU, 61.50 %",
            "cifar10; sequential6conv; 100 epochs of 45,000 images; 8 seeds",
            "six-convolution network with augmentation",
            "not run",
            "vgg16: PVLU +4.40 points, 3 seeds cannot decide: 6 could; highest mean: PVLU, 60.40 %. \
             resnet50: PVLU",
        ] {
            assert!(summary.contains(said), "no {said}: {summary}");
        }
    }
}

#[test]
fn columns_that_differ_stay_and_those_without_a_number_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let rows = ["cifar10", "procedural"].map(|data| sample::runs(1, &["m"], &["relu", "vlu"], 1, data, "paper"));
    let column = sample::RUNS.split(',').position(|column| column == "paper_top1").unwrap();
    let without = |row: &String| {
        let mut values: Vec<&str> = row.split(',').collect();
        values[column] = "";
        values.join(",")
    };
    sample::file(folder.path(), "table1.csv", sample::RUNS, &rows.concat().iter().map(without).collect::<Vec<_>>());
    let [page, text] = written(folder.path());
    for text in [&page, &text] {
        assert!(text.contains("There is no number for: paper, peak, %; ours - paper, peak, points"), "{text}");
    }
    assert!(text.contains("| 10.0 | 1 seed cannot decide: 6 could | procedural |"), "{text}");
    assert!(page.contains("<td class=\"words\">procedural</td></tr>"), "{page}");
    let rows = ["a_b.safetensors", "c.safetensors"].map(|weights| {
        let rows = sample::runs(5, &["m"], &["relu"], 1, "cifar10", "paper");
        rows.into_iter().map(|row| row.replace("paper,no,", &format!("paper,{weights},"))).collect::<Vec<_>>()
    });
    sample::file(folder.path(), "table5.csv", sample::RUNS, &rows.concat());
    let [page, text] = written(folder.path());
    assert!(page.contains("<td class=\"words\">a_<wbr/>b.<wbr/>safetensors</td></tr>"), "{page}");
    assert!(text.contains("| a_b.safetensors |"), "{text}");
}

#[test]
fn every_color_of_a_dark_page_is_one_that_figures_have() {
    let folder = tempfile::tempdir().unwrap();
    sample::all(folder.path());
    let [page, _] = written(folder.path());
    let (style, body) = page.split_once("</style>").unwrap();
    let replaced: Vec<&str> = style.split("svg [fill=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(replaced.len() > 4);
    for color in replaced {
        assert!(body.contains(&format!("=\"{color}\"")), "no {color} in any figure");
    }
}

#[test]
fn files_of_earlier_builds_have_neither_tests_nor_unmarked_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let rows = sample::runs(1, &["m"], &["relu", "pvlu"], 8, "cifar10", "paper");
    let later =
        ["comparison", "p_value", "p_adjusted", "verdict", "improvement", "spread", "expected_spread", "step_seconds"];
    let without = |row: &str| {
        let kept = sample::RUNS.split(',').zip(row.split(',')).filter(|(column, _)| !later.contains(column));
        kept.map(|(_, value)| value).collect::<Vec<_>>().join(",")
    };
    let rows: Vec<String> = rows.iter().map(|row| without(row)).collect();
    sample::file(folder.path(), "table1.csv", &without(sample::RUNS), &rows);
    for text in written(folder.path()) {
        assert!(text.contains("intervals are Student's") || text.contains("intervals are Student&#39;s"), "{text}");
        assert!(text.contains("There is no number for: p (adjusted)") && !text.contains("planned)"), "{text}");
    }
}
