//! `--shards`, in the arguments and in the files of what was trained with it.

use std::fs;

use pvlu_zoo::weights::TensorFile;
use serde_json::Value;

use crate::kept::{epochs, files};
use crate::precision::SMALL;
use crate::support::{Csv, Place};
use crate::sweeps::{TUNED, tuned};
use crate::training::place;
use crate::tuning::{TUNE, folder};
use crate::zoo::{json, weights, zoo};

/// Batch norm, mixed images and a last batch that three shards do not divide.
const TRAIN: &str = "train --model cifar_resnet20 --activation pvlu --dataset cifar100 --data cifar --epochs 2 \
                     --batch-size 20 --learning-rate 0.05 --flip --mixup 0.3 --checkpoint-every 0 --out run --quiet";

#[test]
fn the_number_of_shards_determines_the_bytes_and_that_of_threads_does_not() {
    let trained = |options: &str| {
        let place = place();
        zoo(&place, &format!("{TRAIN} {options}")).succeeded();
        (files(&place.path("run/seed-0")), epochs(&place, "run"))
    };
    let whole = trained("");
    assert!(trained("--shards 1") == whole);
    let three = trained("--shards 3 --threads 1");
    assert!(trained("--shards 3 --threads 2") == three);
    assert!(trained("--shards 2") != three && three != whole);
}

#[test]
#[cfg(unix)]
fn shards_go_on_to_the_same_bytes_and_refuse_a_training_of_other_shards() {
    use crate::kept::Ends;

    let whole = place();
    let train = format!("{TRAIN} --shards 3 --resume");
    zoo(&whole, &train).succeeded();
    let expected = (files(&whole.path("run/seed-0")), epochs(&whole, "run"));
    let place = place();
    Ends { count: 0, most: 3, latest: 1000, random: 99 }.until_done(&place, &train);
    assert!((files(&place.path("run/seed-0")), epochs(&place, "run")) == expected);
    let other = format!("{TRAIN} --shards 4 --resume");
    zoo(&place, &other).failed_in_one_line(2, &["batch size is 20 in 3 shards, here 20 in 4 shards"]);
}

#[test]
fn commands_that_train_take_shards_and_the_gpu_does_not() {
    let place = Place::new();
    for (command, is_zoo) in [("train", true), ("finetune", true), ("table1", false), ("table6", false), ("run", false)]
    {
        let run = |words: &str| {
            let words = format!("{command} {words}");
            if is_zoo { zoo(&place, &words) } else { place.run(&words) }
        };
        let help = run("--help").succeeded().stdout;
        assert!(help.contains("--shards <N>"), "{command}: {help}");
    }
    for wrong in ["0", "1025", "two"] {
        place.run(&format!("table1 --shards {wrong}")).failed_in_one_line(2, &["--shards", wrong]);
    }
    let refused = ["--shards 2 with --device cuda", "on the CPU alone"];
    place.run("table1 --shards 2 --device cuda").failed_in_one_line(2, &refused);
    let train = "train --model cifar_resnet20 --dataset cifar100 --data none --out run --shards 2 --device cuda";
    zoo(&place, train).failed_in_one_line(2, &refused);
    let tune = "finetune --weights none --dataset folder --data none --shards 2 --device cuda";
    zoo(&place, tune).failed_in_one_line(2, &refused);
}

/// A frozen trunk, whose features are kept, then the activations behind it.
#[test]
fn a_tuned_file_tells_its_shards() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tuned = |options: &str| {
        let tune = format!("{TUNE} --activation pvlu --head-epochs 2 --epochs 1 --quiet --force --out t.safetensors");
        zoo(&place, &format!("{tune} {options}")).succeeded();
        fs::read(place.path("t.safetensors")).unwrap()
    };
    let plain = tuned("");
    assert!(!String::from_utf8_lossy(&plain).contains("shards"));
    let expected = tuned("--shards 4 --threads 1");
    assert!(tuned("--shards 4 --threads 2") == expected && expected != plain);
    assert_eq!(json(&place, "info t.safetensors --json")["tuning"]["shards"], 4);
    let said = zoo(&place, "info t.safetensors").succeeded().stdout;
    assert!(said.contains(" a step in 4 shards"), "{said}");
}

#[test]
fn runs_of_other_shards_are_other_runs() {
    let place = Place::new();
    let hash = |options: &str| place.planned_hash(&format!("{SMALL} {options}"));
    let hashes = ["--shards 1", "--shards 2", "--shards 3"].map(hash);
    assert_eq!(hash(""), hashes[0]);
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2], "{hashes:?}");

    place.run(&format!("{SMALL} --shards 2 --quiet")).succeeded();
    let path = place.path("results/runs/table1-sequential6conv-relu-0.json");
    let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((&record["hash"], &record["config"]["shards"]), (&hashes[1].as_str().into(), &"2".into()));
    let rows = place.csv("table1.csv").rows;
    assert!(rows.iter().all(|row| row["overridden"].ends_with(" shards=2")), "{rows:?}");
    assert!(rows.iter().all(|row| row["preset"].ends_with(", shards 2 not 1")), "{rows:?}");
    place.run(&format!("{SMALL} --shards 2 --resume --quiet")).succeeded();
    let other = place.run(&format!("{SMALL} --shards 3 --resume --quiet"));
    other.failed_in_one_line(2, &["table1-sequential6conv-relu-0.json", "shards is 2, here 3"]);
    let whole = place.run(&format!("{SMALL} --resume --quiet"));
    whole.failed_in_one_line(2, &["table1-sequential6conv-relu-0.json", "shards is 2, here 1"]);
    // Those of other shards are no single table.
    place.run(&format!("{} --out other --quiet", SMALL.replace("--seeds 0", "--seeds 1"))).succeeded();
    let said = "table1/sequential6conv/relu/1: shards is 1, table1/sequential6conv/relu/0: 2";
    place.run("merge results other --partial --out both").failed_in_one_line(2, &[said]);
}

#[test]
fn a_first_phase_and_its_arms_are_computed_in_shards() {
    let place = Place::new();
    tuned(&place);
    let written = |options: &str, out: &str| {
        place.run(&format!("run plain.toml {TUNED} --seeds 0 --arms relu,pvlu {options} --out {out}")).succeeded();
        let rows = Csv::read(&place.path(out).join("mine_epochs.csv")).rows;
        let before =
            Csv::read(&place.path(out).join("mine.csv")).rows_with(&[("arm", "pvlu")])[0]["before_top1"].clone();
        (before, rows.into_iter().map(|row| (row["arm"].clone(), row["train_loss"].clone())).collect::<Vec<_>>())
    };
    let [whole, one, two] =
        [("", "a"), ("--shards 3 --threads 1", "b"), ("--shards 3 --threads 2", "c")].map(|(o, out)| written(o, out));
    assert_eq!(one, two);
    // Losses are printed with more digits than shards leave alone.
    assert!(whole.1.len() == one.1.len() && whole.1.iter().zip(&one.1).all(|(a, b)| a != b), "{whole:?} {one:?}");
}

/// The network that stands in for weights that are not given is trained before the first phase, which trains the head
/// alone: so the trunk tells in what it was trained.
#[test]
fn networks_are_trained_on_built_in_images_in_shards() {
    let place = Place::new();
    let shown = place.run("show table3").succeeded().stdout;
    let protocol = shown
        .replace("\"table3\"", "\"mine\"")
        .replace("[\"vgg16_bn\"]", "[\"cifar_resnet20\"]")
        .replace("images = 1500\nepochs = 6", "images = 60\nepochs = 1");
    fs::write(place.path("mine.toml"), protocol).unwrap();
    let trunk = |options: &str, out: &str| {
        let run = "run mine.toml --preset quick --limit-train 40 --limit-test 20 --first-epochs 1 --epochs 1 --seeds 0 \
                   --arms pvlu --save-weights --quiet";
        place.run(&format!("{run} {options} --out {out}")).succeeded();
        let files = fs::read_dir(place.path(out).join("weights")).unwrap().map(|entry| entry.unwrap().path());
        let file = TensorFile::open(files.into_iter().next().unwrap()).unwrap();
        let entries = file.entries();
        let (name, entry) = entries.iter().find(|(_, entry)| entry.shape == [16, 16, 3, 3]).unwrap();
        let mut values = vec![0.0_f32; entry.shape.iter().product()];
        file.read_into(name, &mut values).unwrap();
        values
    };
    let [whole, one, two] =
        [("", "a"), ("--shards 3 --threads 1", "b"), ("--shards 3 --threads 2", "c")].map(|(o, out)| trunk(o, out));
    assert!(one == two && one != whole);
}
