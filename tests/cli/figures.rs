//! Figures and the report, of a small table.

use std::fs;

use crate::support::{Place, write_cifar100};

const SMALL: &str = "table1 --preset quick --epochs 2 --batch-size 8 --activations relu,pvlu --seeds 0,1 --quiet";

#[test]
fn a_table_draws_its_figures_and_the_report_shows_them() {
    let place = Place::new();
    // Easy ones, on which no network dies.
    write_cifar100(&place.path("data"), 48, 20);
    let ran = place.run(SMALL).succeeded();
    for name in ["figure2", "table1", "table1_parameters", "table1_units"] {
        for ending in ["svg", "png"] {
            assert!(ran.stdout.contains(&format!("results/{name}.{ending}")), "{ran:?}");
            assert!(place.path(format!("results/{name}.{ending}")).exists(), "{name}.{ending}");
        }
    }
    // Drawn from the CSV files alone, the same again.
    let drawn = fs::read(place.path("results/figure2.svg")).unwrap();
    fs::create_dir(place.path("copy")).unwrap();
    fs::copy(place.path("results/table1_epochs.csv"), place.path("copy/table1_epochs.csv")).unwrap();
    place.run("figure2 --from copy").succeeded();
    assert!(fs::read(place.path("copy/figure2.svg")).unwrap() == drawn);

    place.run("figure1 --from results").succeeded();
    place.run("figure4 --from results").succeeded();
    assert!(!place.run("report").succeeded().stderr.contains("made of"));
    for command in ["report", "figure2"] {
        let ran = place.run(&format!("{command} --out elsewhere")).succeeded();
        assert!(ran.stderr.contains("made of the tables in results; --from names others"), "{ran:?}");
    }
    let page = fs::read_to_string(place.path("results/report.html")).unwrap();
    let text = fs::read_to_string(place.path("results/report.md")).unwrap();
    let mean = place.csv("table1.csv");
    let mean = mean.rows_with(&[("arm", "pvlu"), ("seed", "mean")])[0]["peak_top1"].parse::<f64>().unwrap();
    for (name, report) in [("html", &page), ("md", &text)] {
        for word in ["PVLU", "cifar100", "quick", "table 6", "learning rate", &format!("{:.1}", 100.0 * mean)] {
            assert!(report.contains(word), "{name}: no {word}");
        }
    }
    assert_eq!(page.matches("<svg").count(), 6);
    assert!(!page.contains("<script") && !page.contains("src=\"http"));
    assert_eq!(text.matches(".svg)").count(), 6);
}

#[test]
fn figure_1_is_the_formula() {
    let place = Place::new();
    place.run("figure1 --from made").succeeded();
    let mut reader = csv::Reader::from_path(place.path("made/figure1.csv")).unwrap();
    let rows: Vec<Vec<f64>> =
        reader.records().map(|row| row.unwrap().iter().map(|field| field.parse().unwrap()).collect()).collect();
    assert!(rows.len() > 1000);
    for row in rows {
        let [a, b, x, value, derivative] = row[..] else { panic!("{row:?}") };
        let step = if x > 0.0 { 1.0 } else { 0.0 };
        assert!((value - (x.max(0.0) + a * (b * x).sin())).abs() < 1e-6, "{row:?}");
        assert!((derivative - (step + a * b * (b * x).cos())).abs() < 1e-6, "{row:?}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said_in_a_line() {
    let place = Place::new();
    place.run("figure2").failed_in_one_line(1, &["results/table1_epochs.csv"]);
    place.run("report --from nowhere").failed_in_one_line(1, &["nowhere"]);
    fs::create_dir_all(place.path("results")).unwrap();
    fs::write(place.path("results/table1_epochs.csv"), "run_id,epoch\nx,one\n").unwrap();
    place.run("figure2").failed_in_one_line(1, &["table1_epochs.csv"]);
    place.run("figure4 --from new --data absent").failed_in_one_line(1, &["absent"]);
}
