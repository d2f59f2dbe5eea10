//! Small runs: what is printed and what is in the CSV files.

use std::fs;

use crate::support::{Place, Ran, Row, number, with_data, write_cifar100};

const FIRST_COLUMNS: &str = "run_id,table,model,arm,activation,seed,data,preset,pretrained,status,trained_parameters,\
                             before_top1,final_top1,val_selected_top1,peak_top1,paper_top1,rel_error_decrease,";

#[test]
fn procedural_images_are_the_default_and_said_to_be() {
    let place = Place::new();
    let arguments = "table1 --limit-train 100 --limit-test 40 --epochs 1 --seeds 0 --activations relu,pvlu";
    let ran = place.run(arguments).succeeded();
    assert!(ran.stderr.lines().next().unwrap().contains("procedural images"), "{ran:?}");
    assert!(ran.stdout.starts_with("Table 1"), "{ran:?}");
    for name in ["relu ", "pvlu ", "results/table1.csv", "results/table1_epochs.csv"] {
        assert!(ran.stdout.contains(name), "{name}: {ran:?}");
    }
    // No terminal, no bar: a bar returns to the start of its line.
    assert!(!ran.stderr.contains('\r') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
    let plots = |name: &str| name.ends_with(".svg") || name.ends_with(".png");
    let (plots, files): (Vec<_>, Vec<_>) = place.results().into_iter().partition(|name| plots(name));
    assert_eq!(
        files,
        ["runs", "table1.csv", "table1.json", "table1_epochs.csv", "table1_parameters.csv", "table1_units.csv"]
    );
    assert_eq!(plots.len(), 2 * 4);

    let epochs = place.csv("table1_epochs.csv");
    assert!(
        epochs.text.starts_with("run_id,table,model,arm,activation,seed,data,preset,pretrained,epoch,"),
        "{}",
        epochs.text
    );
    let names =
        |rows: &[Row]| rows.iter().map(|row| [row["activation"].clone(), row["seed"].clone()]).collect::<Vec<_>>();
    assert_eq!(names(&epochs.rows), [["relu", "0"], ["pvlu", "0"]]);

    let runs = place.csv("table1.csv");
    assert!(runs.text.starts_with(FIRST_COLUMNS), "{}", runs.text);
    let rows = [["relu", "0"], ["pvlu", "0"]].into_iter().chain(
        ["relu", "pvlu"].into_iter().flat_map(|activation| [[activation, "mean"], [activation, "standard_error"]]),
    );
    assert_eq!(names(&runs.rows), rows.collect::<Vec<_>>());
    for row in &runs.rows {
        let fields =
            ["table", "model", "data", "preset", "epochs", "classes", "batch_size", "overridden", "data_warnings"];
        assert_eq!(
            fields.map(|field| row[field].as_str()),
            [
                "table1",
                "sequential6conv",
                "procedural",
                "quick, 1 of 6 epochs, 100 of 2500 training images, 40 of 1000 test images",
                "1",
                "10",
                "32",
                "epochs=1 limit-train=100 limit-test=40",
                ""
            ]
        );
        // Ten of each class, of which the last is held out.
        assert_eq!(["train_images", "val_images", "test_images"].map(|field| number(row, field)), [90.0, 10.0, 40.0]);
    }
    // 1,259,008 weights and biases and 10 classes; 960 channels of activations with two parameters each.
    let trained = |row: &Row| number(row, "trained_parameters");
    assert_eq!(trained(&runs.rows[1]) - trained(&runs.rows[0]), 2.0 * 960.0);
    let parameters = place.csv("table1_parameters.csv");
    assert!(parameters.rows.iter().all(|row| row["arm"] == "pvlu" && number(row, "minimum") <= number(row, "median")));
    assert_eq!(parameters.rows.iter().map(|row| number(row, "channels")).sum::<f64>(), 2.0 * 960.0);
    let units = place.csv("table1_units.csv");
    assert_eq!(units.rows.iter().map(|row| number(row, "units")).sum::<f64>(), 2.0 * 960.0);
    for row in units.rows_with(&[("arm", "pvlu")]) {
        assert_eq!(number(row, "dead"), 0.0, "a sine is nowhere zero for long: {row:?}");
    }
    for row in &runs.rows[..2] {
        let (top1, epoch) = (number(row, "final_top1"), epochs.rows_with(&[("activation", &row["activation"])])[0]);
        assert_eq!(top1, number(epoch, "test_top1"));
        assert_eq!(top1, (top1 * 40.0).round() / 40.0, "a share of 40 images");
        assert_eq!(row["status"], if top1 < 0.2 { "died" } else { "finished" });
        assert!(number(row, "train_seconds") > 0.0);
    }
}

#[test]
fn what_an_earlier_command_learned_does_not_stay() {
    let place = Place::new();
    let small = "table1 --limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --quiet --activations";
    place.run(&format!("{small} relu,pvlu")).succeeded();
    let learned = |place: &Place| place.results().iter().filter(|name| name.starts_with("table1_parameters")).count();
    assert_eq!(learned(&place), 3);
    place.run(&format!("{small} relu")).succeeded();
    assert_eq!(learned(&place), 0);
}

/// The files may hold only what the same command gives again on another machine.
#[test]
fn the_files_hold_no_paths() {
    let place = Place::new();
    write_cifar100(&place.path("my-photos"), 80, 20);
    let command =
        place.command("table1 --epochs 1 --seeds 0 --activations relu --threads 2 --out my/new/folder --quiet");
    Ran::of(with_data(command, place.path("my-photos"))).succeeded();
    for name in ["table1.csv", "table1_epochs.csv"] {
        let text = fs::read_to_string(place.path("my/new/folder").join(name)).unwrap();
        for word in ["my/new", "\\", "my-photos", "threads"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn quiet_leaves_stderr_empty() {
    let ran = Place::new()
        .run("table1 --limit-train 40 --limit-test 10 --epochs 1 --seeds 0 --activations relu --quiet")
        .succeeded();
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.starts_with("Table 1"), "{ran:?}");
}

#[test]
fn summaries_are_those_of_the_runs() {
    let place = Place::new();
    write_cifar100(&place.path("data"), 48, 20);
    // The last activation comes after the one it is compared to, the first before it.
    let ran = place
        .run("table2 --preset quick --epochs 2 --batch-size 8 --seeds 4,0,2 --activations prelu,relu,pvlu")
        .succeeded();
    assert!(ran.stdout.starts_with("Table 2"), "{ran:?}");
    assert!(ran.stderr.contains("CIFAR-100 from data\n"), "{ran:?}");
    let runs = place.csv("table2.csv");
    assert_eq!(runs.rows.len(), 3 * 3 + 3 * 2);
    let of = |activation: &str, seed: &str| runs.rows_with(&[("activation", activation), ("seed", seed)])[0].clone();
    let seeds = ["4", "0", "2"];
    for activation in ["prelu", "relu", "pvlu"] {
        for seed in seeds {
            let (run, relu) = (of(activation, seed), of("relu", seed));
            assert_eq!(run["status"], "finished", "easy images: {run:?}");
            let epochs = place.csv("table2_epochs.csv");
            let epochs = epochs.rows_with(&[("activation", activation), ("seed", seed)]);
            assert_eq!(epochs.iter().map(|row| row["epoch"].as_str()).collect::<Vec<_>>(), ["1", "2"]);
            let best = if number(epochs[1], "val_top1") > number(epochs[0], "val_top1") { 1 } else { 0 };
            assert_eq!(number(&run, "val_selected_epoch"), best as f64 + 1.0);
            assert_eq!(run["val_selected_top1"], epochs[best]["test_top1"]);
            assert_eq!(run["final_top1"], epochs[1]["test_top1"]);
            assert_eq!(number(&run, "peak_top1"), number(epochs[0], "test_top1").max(number(epochs[1], "test_top1")));
            let (error, relu_error) =
                (1.0 - number(&run, "val_selected_top1"), 1.0 - number(&relu, "val_selected_top1"));
            if relu_error > 0.0 {
                assert!(
                    (number(&run, "rel_error_decrease") - (relu_error - error) / relu_error).abs() < 1e-6,
                    "{run:?}"
                );
            } else {
                assert_eq!(run["rel_error_decrease"], "", "{run:?}");
            }
        }
        let (mean, error) = (of(activation, "mean"), of(activation, "standard_error"));
        for row in [&mean, &error] {
            assert_eq!(["status", "runs", "died"].map(|field| row[field].as_str()), ["summary", "3", "0"]);
        }
        for column in ["final_top1", "val_selected_top1", "peak_top1"] {
            let values = seeds.map(|seed| number(&of(activation, seed), column));
            let expected = values.iter().sum::<f64>() / 3.0;
            let variance = values.iter().map(|value| (value - expected).powi(2)).sum::<f64>() / 2.0;
            assert!((number(&mean, column) - expected).abs() < 1e-6, "{activation} {column}: {values:?}");
            assert!(
                (number(&error, column) - (variance / 3.0).sqrt()).abs() < 1e-6,
                "{activation} {column}: {values:?}"
            );
        }
    }
    // As the paper prints them.
    assert_eq!(number(&of("relu", "mean"), "paper_top1"), 0.618);
    assert_eq!(number(&of("pvlu", "mean"), "paper_rel_error_decrease"), 0.113);
}

/// README's first command, with one of its three seeds: the network learns the procedural images, which a linear
/// classifier does not (see the tests of `table.rs`).
#[test]
fn the_quick_preset_learns_its_images() {
    let place = Place::new();
    place.run("table1 --activations relu,prelu,pvlu --seeds 0").succeeded();
    let runs = place.csv("table1.csv");
    for activation in ["relu", "prelu", "pvlu"] {
        let row = runs.rows_with(&[("activation", activation), ("seed", "0")])[0];
        assert_eq!(
            (row["data"].as_str(), row["classes"].as_str(), row["test_images"].as_str()),
            ("procedural", "10", "1000")
        );
        assert_eq!(row["paper_top1"], "", "the paper's numbers are of CIFAR-100");
        assert!(number(row, "final_top1") >= 0.6, "{activation}: {row:?}");
    }
}

/// A network that knows the training images and none of the classes of the test images has died by the paper's measure.
#[test]
fn a_dead_run_stays_in_the_file_and_out_of_the_mean() {
    let place = Place::new();
    write_cifar100(&place.path("data"), 80, 20);
    let test = place.path("data/test.bin");
    let mut bytes = fs::read(&test).unwrap();
    bytes.chunks_exact_mut(crate::support::RECORD).for_each(|record| record[1] += 1);
    fs::write(&test, bytes).unwrap();
    // Small batches: enough steps to tell the classes of training from the others.
    let ran = place.run("table1 --epochs 1 --seeds 0,1 --activations relu --batch-size 4").succeeded();
    let runs = place.csv("table1.csv");
    assert_eq!(runs.rows.len(), 4);
    for row in &runs.rows[..2] {
        assert_eq!([row["status"].as_str(), row["rel_error_decrease"].as_str()], ["died", ""], "{row:?}");
        assert!(number(row, "final_top1") < 0.02, "{row:?}");
    }
    for row in &runs.rows[2..] {
        let fields = ["runs", "died", "final_top1", "val_selected_top1", "peak_top1"];
        assert_eq!(fields.map(|field| row[field].as_str()), ["0", "2", "", "", ""], "{row:?}");
    }
    assert!(ran.stdout.contains("relu                0    2"), "{ran:?}");
}

#[test]
fn the_papers_preset_has_its_classes_and_batch_on_procedural_images() {
    let place = Place::new();
    // Two of each class: one to train on, one held out.
    place
        .run("table1 --preset paper --limit-train 200 --limit-test 20 --epochs 1 --seeds 7 --activations elu")
        .succeeded();
    let runs = place.csv("table1.csv");
    let fields = ["preset", "classes", "train_images", "val_images", "test_images", "batch_size", "paper_top1"];
    let preset = "paper, 1 of 100 epochs, 200 of 50000 training images, 20 of 10000 test images";
    assert_eq!(fields.map(|field| runs.rows[0][field].as_str()), [preset, "100", "100", "100", "20", "128", ""]);
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("results/table1.json")).unwrap()).unwrap();
    assert_eq!(json["configuration"]["preset"], preset);
    assert_eq!(json["configuration"]["numerics"], pvlu::NUMERICS_VERSION.to_string());
    assert!(json["configuration"]["simd"].is_null(), "it changes no digit");
    let figure = fs::read_to_string(place.path("results/figure2.svg")).unwrap();
    assert!(figure.contains("data: procedural; 1 epoch; 1 seed; preset: paper, 1 of 100 epochs"), "{figure:.2000}");
    place.run("report").succeeded();
    let report = fs::read_to_string(place.path("results/report.md")).unwrap();
    assert!(report.contains(&format!("budget: 1 epoch of 100 images; preset: {preset}")), "{report}");
}
