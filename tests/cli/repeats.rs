//! The same command gives the same files, for every number of threads; a run does not depend on the others.

use crate::support::{Csv, Place};

/// The two files of a run on the procedural images. The activations are one without, one with trained parameters, and
/// the batch is no divisor of the number of images.
fn files(table: &str, options: &str) -> [Csv; 2] {
    let place = Place::new();
    let fixed = "--limit-train 40 --limit-test 20 --epochs 2 --batch-size 20 --quiet";
    let seeds = if options.contains("--seeds") { "" } else { "--seeds 0" };
    place.run(format!("{table} {fixed} {options} {seeds}").trim_end()).succeeded();
    [format!("{table}.csv"), format!("{table}_epochs.csv")].map(|name| place.csv(&name))
}

#[test]
fn two_runs_and_two_threads_give_the_same_files() {
    // The second table also augments.
    for table in ["table1", "table2"] {
        let both = "--activations relu,pvlu --threads";
        let one = files(table, &format!("{both} 1"));
        let two = files(table, &format!("{both} 2"));
        let again = files(table, &format!("{both} 2"));
        for i in 0..2 {
            assert_eq!(two[i].lasting(), one[i].lasting());
            assert_eq!(again[i].lasting(), two[i].lasting());
        }
        let [runs, epochs] = &one;
        assert_eq!((runs.rows.len(), epochs.rows.len()), (2 + 4, 4));
        // Times are in the last columns of each file, and in no other ones.
        for (csv, times) in one.iter().zip([&["step_seconds", "train_seconds"][..], &["epoch_seconds"]]) {
            assert_eq!(csv.lasting()[0].len() + times.len(), csv.columns.len());
            assert!(csv.columns.ends_with(&times.iter().map(|time| (*time).to_owned()).collect::<Vec<_>>()));
        }
    }
}

/// As of tables 3 to 6, in `pretrained.rs`.
#[test]
fn values_of_the_protocol_can_be_replaced() {
    let of = |table: &str, options: &str| files(table, &format!("--activations relu {options}"));
    let [_, usual] = of("table2", "");
    assert_eq!(usual.lasting(), of("table2", "--shift 3 --held-out 0.1")[1].lasting());
    for other in ["--shift 0", "--held-out 0.5"] {
        let [runs, epochs] = of("table2", other);
        assert_ne!(usual.lasting(), epochs.lasting(), "{other}");
        assert!(runs.rows[0]["overridden"].contains(&other[2..].replace(' ', "=")), "{other}");
    }
}

/// An option that a table does not use changes nothing and is not written down as changed, and the program says so.
#[test]
fn an_option_that_a_table_does_not_use_is_said_to_be_none() {
    let [plain, _] = files("table1", "--activations relu");
    assert_eq!(plain.lasting(), files("table1", "--activations relu --shift 5")[0].lasting());
    let place = Place::new();
    for (arguments, option) in [
        ("table1 --shift 5", "--shift"),
        ("table3 --filter-sigma 3", "--filter-sigma"),
        ("table5 --filter-radius 1", "--filter-radius"),
        ("table4 --cutout 4", "--cutout"),
    ] {
        let ran = place.run(&format!("{arguments} --limit-train 40 --limit-test 20 --dry-run")).succeeded();
        assert!(ran.stderr.contains(&format!("{option}: {} does not use it", &arguments[..6])), "{ran:?}");
    }
}

#[test]
fn a_run_does_not_depend_on_the_others() {
    let [runs, epochs] = files("table1", "--activations pvlu --seeds 1");
    let [all_runs, all_epochs] = files("table1", "--activations swish,pvlu --seeds 0,1");
    let same = |alone: &Csv, all: &Csv| {
        let wanted = [("seed", "1"), ("activation", "pvlu")];
        let of = |csv: &Csv| -> Vec<Vec<String>> {
            let lasting = csv.lasting();
            let is_wanted = |row: &&Vec<&str>| {
                wanted.iter().all(|(column, value)| lasting[0].iter().zip(*row).any(|(c, v)| c == column && v == value))
            };
            lasting.iter().filter(is_wanted).map(|row| row.iter().map(ToString::to_string).collect()).collect()
        };
        assert!(!of(alone).is_empty());
        assert_eq!(of(alone), of(all));
    };
    same(&runs, &all_runs);
    same(&epochs, &all_epochs);
    // Other seeds give other numbers, or the comparison would say nothing.
    let losses: Vec<&str> = all_epochs
        .rows_with(&[("activation", "pvlu"), ("epoch", "1")])
        .iter()
        .map(|row| row["train_loss"].as_str())
        .collect();
    assert_eq!(losses.len(), 2);
    assert_ne!(losses[0], losses[1]);
}
