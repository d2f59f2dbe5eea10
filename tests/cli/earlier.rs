//! Files of an earlier command in the output folder: used, moved aside, or left to a process that is still at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pvlu_zoo_cli::common::digest;

use crate::support::{Csv, Place};

const SMALL: &str =
    "table1 --limit-train 40 --limit-test 20 --epochs 2 --seeds 0 --batch-size 20 --activations relu,pvlu --quiet";
const RELU: &str = "table1-sequential6conv-relu-0.json";

/// All files of a folder and those within, by their paths from it.
fn all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            found.extend(all(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// Changes the configuration in a record, whose checksum then fits again.
fn change(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("sha256").unwrap();
    change(&mut record["config"]);
    record["sha256"] = digest::of_bytes(record.to_string()).into();
    fs::write(path, record.to_string()).unwrap();
}

#[test]
fn the_same_command_twice_is_one() {
    let place = Place::new();
    let first = place.run(SMALL).succeeded();
    let files = all(&place.path("results"));
    let again = place.run(SMALL).succeeded();
    assert_eq!((again.stdout, again.stderr), (first.stdout, String::new()));
    assert!(all(&place.path("results")) == files, "not even times are others");
}

#[test]
fn runs_of_other_settings_are_moved_aside_and_none_is_lost() {
    let place = Place::new();
    let (results, runs) = (place.path("results"), place.path("results/runs"));
    place.run(&format!("{SMALL} --save-weights")).succeeded();
    let table = place.csv("table1.csv").text;
    let (records, weights) = (all(&runs), all(&results.join("weights")));
    assert_eq!((records.len(), weights.len()), (2, 2));
    // The weights belong to the run: without it they would be taken for those of the next.
    let other = place.run(&SMALL.replace("--epochs 2", "--epochs 3")).succeeded();
    let words = ["moved aside to results/aside/1: ", RELU, " and 3 more: there epochs is 2, here 3"];
    assert!(other.stderr.lines().count() == 1 && words.iter().all(|word| other.stderr.contains(word)), "{other:?}");
    assert!(all(&results.join("aside/1/runs")) == records && all(&results.join("aside/1/weights")) == weights);
    assert!(all(&results.join("weights")).is_empty());
    let second = all(&runs);
    // Back again: nothing of before is replaced.
    let again = place.run(SMALL).succeeded();
    assert!(again.stderr.contains("results/aside/2") && again.stderr.contains("epochs is 3, here 2"), "{again:?}");
    assert!(all(&results.join("aside/2/runs")) == second && all(&results.join("aside/1/runs")) == records);
    // What is there is an output folder like any other.
    place.run("merge results/aside/1 --out merged").succeeded();
    assert_eq!(Csv::read(&place.path("merged/table1.csv")).text, table);
    // Another table has runs of its own.
    let table2 = SMALL.replace("table1", "table2");
    assert_eq!(place.run(&table2).succeeded().stderr, "");
    assert_eq!(fs::read_dir(results.join("aside")).unwrap().count(), 2);
}

#[test]
fn all_runs_of_a_command_are_done_anew_if_it_is_asked_for() {
    let place = Place::new();
    let (results, runs) = (place.path("results"), place.path("results/runs"));
    place.run(SMALL).succeeded();
    place.run(&SMALL.replace("table1", "table2")).succeeded();
    let (records, table) = (all(&runs), place.csv("table1.csv"));
    let fresh = place.run(&format!("{SMALL} --fresh")).succeeded();
    assert!(fresh.stderr.contains("moved aside to results/aside/1") && fresh.stderr.contains("--fresh"), "{fresh:?}");
    let aside = all(&results.join("aside/1/runs"));
    assert!(aside.len() == 2 && aside.iter().all(|(name, bytes)| records[name] == *bytes));
    let now = all(&runs);
    assert_eq!(now.len(), 4);
    assert!(now[RELU] != records[RELU], "times of another run");
    assert_eq!(place.csv("table1.csv").lasting(), table.lasting());
    // Also where weights are wanted that were not before.
    place.run(&format!("{SMALL} --fresh --save-weights")).succeeded();
    assert!(all(&results.join("aside/2/runs")).iter().all(|(name, bytes)| now[name] == *bytes));
    assert_eq!((all(&results.join("aside/2/runs")).len(), all(&results.join("weights")).len()), (2, 2));
    place.run(&format!("{SMALL} --fresh --resume")).failed_in_one_line(2, &["--fresh", "--resume"]);
}

#[test]
fn what_is_damaged_is_moved_aside_too_and_done_again() {
    let place = Place::new();
    place.run(SMALL).succeeded();
    let table = place.csv("table1.csv");
    let record = place.path("results/runs").join(RELU);
    let text = fs::read_to_string(&record).unwrap();
    let checkpoint = place.path("results/runs/table1-sequential6conv-pvlu-0.safetensors");
    for (damaged, why) in [(&text[..text.len() / 2], "EOF"), (&text.replace("0.", "1."), "checksum")] {
        fs::write(&record, damaged).unwrap();
        let ran = place.run(SMALL).succeeded();
        assert!(ran.stderr.contains("moved aside") && ran.stderr.contains(why), "{ran:?}");
        assert_eq!(place.csv("table1.csv").lasting(), table.lasting());
    }
    fs::remove_file(checkpoint.with_extension("json")).unwrap();
    fs::write(&checkpoint, "no weights").unwrap();
    let ran = place.run(SMALL).succeeded();
    assert!(
        ran.stderr.contains("moved aside to results/aside/3: table1-sequential6conv-pvlu-0.safetensors"),
        "{ran:?}"
    );
    assert_eq!(
        fs::read(place.path("results/aside/3/runs/table1-sequential6conv-pvlu-0.safetensors")).unwrap(),
        b"no weights"
    );
    assert_eq!(place.csv("table1.csv").lasting(), table.lasting());
}

/// A program before numerics version 2 wrote the instruction set instead of the version.
#[test]
fn results_of_another_arithmetic_are_neither_used_nor_mixed() {
    let place = Place::new();
    place.run(&format!("{SMALL} --out old")).succeeded();
    place.run(&SMALL.replace("--activations relu,pvlu", "--activations relu --out new")).succeeded();
    for entry in fs::read_dir(place.path("old/runs")).unwrap() {
        change(&entry.unwrap().path(), |config| {
            let config = config.as_object_mut().unwrap();
            config.remove("numerics").unwrap();
            config.insert("simd".to_owned(), "avx512".into());
        });
    }
    let said = format!("before numerics version {}", pvlu::NUMERICS_VERSION);
    place.run(&format!("{SMALL} --out old --resume")).failed_in_one_line(2, &["old/runs", RELU, &said]);
    fs::remove_file(place.path("old/runs").join(RELU)).unwrap();
    place.run("merge old new --partial").failed_in_one_line(2, &["merge", "numerics is", "nothing"]);
    let ran = place.run(&format!("{SMALL} --out old")).succeeded();
    assert!(ran.stderr.contains("moved aside to old/aside/1") && ran.stderr.contains(&said), "{ran:?}");
    place.run("merge old new").succeeded();
}

#[test]
fn a_merge_moves_aside_what_it_would_replace() {
    let place = Place::new();
    place.run(&format!("{SMALL} --out part")).succeeded();
    place.run(&SMALL.replace("--epochs 2", "--epochs 1")).succeeded();
    let records = all(&place.path("results/runs"));
    let ran = place.run("merge part").succeeded();
    assert!(ran.stderr.contains("moved aside to results/aside/1") && ran.stderr.contains("epochs is 1"), "{ran:?}");
    assert!(all(&place.path("results/aside/1/runs")) == records);
    assert_eq!(place.run("merge part").succeeded().stderr, "", "the same again is no other");
}

/// Records are input: their names are parts of paths.
#[test]
fn a_record_that_leads_outside_is_refused_and_nothing_is_written_there() {
    let place = Place::new();
    place.run(&format!("{SMALL} --out deep/part")).succeeded();
    let record = place.path("deep/part/runs").join(RELU);
    let good = fs::read(&record).unwrap();
    let before = all(&place.path("deep"));
    for (key, value) in
        [("table", "../outside"), ("arm", "../../x"), ("seed", "0/../../x"), ("model", "/tmp/x"), ("data", "x")]
    {
        change(&record, |config| config[key] = value.into());
        let evil = fs::read(&record).unwrap();
        place.run("merge deep/part --out deep/results --partial").failed_in_one_line(1, &[RELU, "expected"]);
        assert!(!place.path("deep/results").exists());
        fs::write(&record, &good).unwrap();
        assert!(evil != good && all(&place.path("deep")) == before, "{key}");
    }
}

#[cfg(unix)]
#[test]
fn something_else_in_the_place_of_a_record_is_neither_waited_for_nor_read_without_end() {
    let place = Place::new();
    place.run(SMALL).succeeded();
    let record = place.path("results/runs").join(RELU);
    fs::rename(&record, place.path("kept")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&record).status().unwrap().success());
    place.run("merge results").failed_in_one_line(1, &[RELU, "expected a file"]);
    place.run(SMALL).succeeded();
    fs::remove_file(place.path("results/table1_epochs.csv")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.path("results/table1_epochs.csv")).unwrap();
    place.run("figure2").failed_in_one_line(1, &["table1_epochs.csv", "expected a file"]);
}
