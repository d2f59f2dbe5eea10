//! Sweeps: each arm's runs have the setting that its trials chose, and the table says of what.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Csv, Place, number};
use crate::zoo::weights;

const SCRATCH: &str =
    "table1 --limit-train 150 --limit-test 50 --epochs 2 --batch-size 32 --activations relu,pvlu --quiet";
const SWEEP: &str = "--sweep learning_rate=1e-4,3e-3,1e-1 --sweep-seeds 7";

/// A pretrained comparison on built-in images, whose base is only measured.
pub fn tuned(place: &Place) -> String {
    weights(&place.path("cifar10_resnet20.safetensors"), "cifar_resnet20", "relu", 10);
    let shown = place.run("show table3").succeeded().stdout;
    let protocol = shown
        .replace("\"table3\"", "\"mine\"")
        .replace("[\"vgg16\", \"vgg19\"]", "[\"cifar_resnet20\"]")
        .replace("transfer = true", "transfer = true\nweights = \".\"");
    fs::write(place.path("plain.toml"), &protocol).unwrap();
    let of_sweep = "[sweep]\nseeds = [7, 8]\nlearning_rate = [1e-3, 0.1]\nbatch_size = [20, 40]\n\n[comparison]";
    let swept = protocol.replace("[comparison]", of_sweep);
    fs::write(place.path("mine.toml"), &swept).unwrap();
    swept
}

pub const TUNED: &str = "--preset paper --limit-train 120 --limit-test 40 --first-epochs 1 --epochs 1 --quiet";

/// The setting that is marked as chosen for each arm.
fn chosen(trials: &Csv) -> BTreeMap<String, String> {
    let rows = trials.rows_with(&[("chosen", "true")]);
    rows.into_iter().map(|row| (row["arm"].clone(), row["trial"].clone())).collect()
}

#[test]
fn the_runs_of_an_arm_are_those_of_the_rate_that_is_best_on_held_out_images() {
    let place = Place::new();
    let printed = place.run(&format!("{SCRATCH} --seeds 0,1 {SWEEP}")).succeeded().stdout;
    let (table, trials) = (place.csv("table1.csv"), place.csv("table1_sweep.csv"));
    assert_eq!(trials.rows.len(), 6);
    for arm in ["relu", "pvlu"] {
        // The best one by the file itself.
        let of_arm = trials.rows_with(&[("arm", arm)]);
        let key = |row: &&&BTreeMap<String, String>| (number(row, "held_out_top1"), -number(row, "held_out_loss"));
        let best = of_arm.iter().max_by(|a, b| key(a).partial_cmp(&key(b)).unwrap()).unwrap();
        assert_eq!(best["chosen"], "true");
        assert_eq!(trials.rows_with(&[("arm", arm), ("chosen", "true")]).len(), 1);
        let rate = best["trial"].strip_prefix("learning_rate=").unwrap();
        // Runs without a sweep at that rate have the same numbers, and so has the trial itself.
        let other = Place::new();
        other.run(&format!("{SCRATCH} --seeds 0,1,7 --learning-rate {rate}")).succeeded();
        let plain = other.csv("table1_epochs.csv");
        for row in table.rows_with(&[("arm", arm), ("status", "summary"), ("seed", "mean")]) {
            assert_eq!(row["chosen"], best["trial"]);
            assert_eq!(row["swept"], "learning_rate=1e-4|3e-3|1e-1, seed 7");
        }
        for seed in ["0", "1"] {
            let [ours, theirs] = [&place.csv("table1_epochs.csv"), &plain].map(|csv| {
                let rows = csv.rows_with(&[("arm", arm), ("seed", seed)]);
                rows.into_iter().map(|row| (row["train_loss"].clone(), row["test_top1"].clone())).collect::<Vec<_>>()
            });
            assert_eq!(ours.len(), 2);
            assert_eq!(ours, theirs, "{arm} {seed}");
        }
        let held_out = plain.rows_with(&[("arm", arm), ("seed", "7")]);
        let highest = held_out.iter().map(|row| number(row, "val_top1")).fold(0.0, f64::max);
        assert_eq!(number(best, "held_out_top1"), highest);
        assert!(printed.contains(&format!("{}: {:.2}*", best["trial"], 100.0 * highest)), "{printed}");
    }
    // The report says it, too.
    place.run("report").succeeded();
    let report = fs::read_to_string(place.path("results/report.md")).unwrap();
    assert!(report.contains("chosen, of what was tried") && report.contains("learning_rate=1e-4"), "{report}");
    // Without a sweep there are no trials, and a file of earlier ones would be another table's.
    place.run(&format!("{SCRATCH} --seeds 0")).succeeded();
    assert!(!place.path("results/table1_sweep.csv").exists());
}

#[test]
fn a_sweep_of_a_protocol_tries_all_combinations_and_leaves_the_first_phase_alone() {
    let place = Place::new();
    tuned(&place);
    place.run(&format!("run mine.toml {TUNED} --seeds 0 --arms relu,prelu,pvlu")).succeeded();
    let (trials, table) = (place.csv("mine_sweep.csv"), place.csv("mine.csv"));
    // ReLU trains nothing, so that there is nothing to try.
    assert_eq!(trials.rows_with(&[("arm", "relu")]).len(), 0);
    assert_eq!(trials.rows_with(&[("arm", "pvlu"), ("seed", "8")]).len(), 4);
    assert_eq!(trials.rows.len(), 2 * 4 * 2);
    assert_eq!(table.rows_with(&[("arm", "relu"), ("seed", "0")])[0]["chosen"], "");
    for (arm, setting) in chosen(&trials) {
        let mean = |setting: &str| {
            let rows = trials.rows_with(&[("arm", &arm), ("trial", setting)]);
            rows.iter().map(|row| number(row, "held_out_top1")).sum::<f64>() / rows.len() as f64
        };
        let settings = ["1e-3", "1e-1"].map(|rate| ["20", "40"].map(|size| (rate, size)));
        for (rate, size) in settings.into_iter().flatten() {
            assert!(mean(&format!("learning_rate={rate}+batch_size={size}")) <= mean(&setting), "{arm} {setting}");
        }
        let row = table.rows_with(&[("arm", &arm), ("seed", "0")])[0].clone();
        assert_eq!(row["chosen"], setting);
        let (rate, size) = setting.split_once("+batch_size=").unwrap();
        assert_eq!(row["learning_rate"], rate.strip_prefix("learning_rate=").unwrap());
        assert_eq!(row["batch_size"], size);
        // All arms start from one first phase.
        assert_eq!(row["before_top1"], table.rows_with(&[("arm", "relu"), ("seed", "0")])[0]["before_top1"]);
    }
    // Nothing is done twice, and another sweep is another table.
    let before = ["mine.csv", "mine_sweep.csv"].map(|name| place.csv(name).text);
    let arms = "--seeds 0 --arms relu,prelu,pvlu";
    place.run(&format!("run mine.toml {TUNED} {arms} --resume")).succeeded();
    assert_eq!(before, ["mine.csv", "mine_sweep.csv"].map(|name| place.csv(name).text), "not even times changed");
    let trials = || fs::read_dir(place.path("results/runs")).unwrap().count();
    let there = trials();
    let other = format!("run mine.toml {TUNED} {arms} --sweep learning_rate=1e-3,0.2 --resume");
    place.run(&other).failed(2, &["of another command", "swept", "--resume"]);
    assert_eq!(trials(), there, "refused before any trial");
    // Another first phase is another run of every arm, also of those whose setting has the value that changed.
    let text = fs::read_to_string(place.path("mine.toml")).unwrap();
    let first = text.lines().find(|line| line.starts_with("batch_size = 128")).unwrap();
    fs::write(place.path("mine.toml"), text.replacen(first, "batch_size = 30", 1)).unwrap();
    place.run(&format!("run mine.toml {TUNED} {arms} --resume")).failed(2, &["of another command"]);
    place.run(&format!("run mine.toml {TUNED} {arms}")).succeeded();
    let table = place.csv("mine.csv");
    let befores: Vec<&str> =
        table.rows.iter().map(|row| row["before_top1"].as_str()).filter(|of| !of.is_empty()).collect();
    assert!(befores.len() >= 6 && befores.iter().all(|of| *of == befores[0]), "{befores:?}");
    // Merged, it is the same table, though the base is only measured.
    place.run("merge results --out merged").succeeded();
    let merged = Csv::read(&place.path("merged/mine.csv"));
    assert_eq!(merged.lasting(), table.lasting());
}

#[test]
fn runs_and_trials_of_different_sweeps_are_not_mixed() {
    let place = Place::new();
    let small = SCRATCH.replace("--epochs 2", "--epochs 1");
    place.run(&format!("{small} --seeds 0")).succeeded();
    // A run without a sweep is no run of a table with one.
    let pvlu = "table1/sequential6conv/pvlu";
    let trials = ["1e-4", "3e-3"].map(|rate| format!("{pvlu}/7/learning_rate={rate}")).join(",");
    let swept = format!("{small} --seeds 0 --sweep learning_rate=1e-4,3e-3 --sweep-seeds 7");
    place.run(&format!("{swept} --only {trials},{pvlu}/0")).succeeded();
    assert_eq!(place.csv("table1.csv").rows_with(&[("arm", "relu")]).len(), 0);
    // Nothing is chosen by some of the trials.
    let other = Place::new();
    let one = other.run(&format!("{swept} --only {pvlu}/7/learning_rate=1e-4")).succeeded();
    assert!(one.stdout.contains("nothing is chosen before") && !one.stdout.contains("drawn"), "{one:?}");
    assert_eq!(other.csv("table1_sweep.csv").rows_with(&[("chosen", "true")]).len(), 0);
    // Trials that stay in the folder are none of a later table without a sweep.
    place.run(&swept).succeeded();
    let with_seven = small.replace("table1 ", "table1 --seeds 0,7 ");
    place.run(&with_seven).succeeded();
    let merged = place.run("merge results --out merged").succeeded();
    assert!(!merged.stdout.contains("tried before") && !place.path("merged/table1_sweep.csv").exists(), "{merged:?}");
    // Two sweeps from other recipes are two tables.
    let [one, two] = [Place::new(), Place::new()];
    let relu = swept.replace("relu,pvlu", "relu");
    one.run(&relu).succeeded();
    two.run(&swept.replace("relu,pvlu", "pvlu").replace("--batch-size 32", "--batch-size 16")).succeeded();
    let folders = [&one, &two].map(|place| place.path("results").display().to_string()).join(" ");
    one.run(&format!("merge {folders} --partial --out merged")).failed(2, &["merge: table1/", "batch-size=16"]);
}

/// Trials of the wider sweep are used, though their records say what that sweep had planned.
#[test]
fn a_narrower_sweep_in_the_same_folder_chooses_by_its_own_trials_alone() {
    let place = Place::new();
    place.run(&format!("{SCRATCH} --seeds 0 --sweep learning_rate=1e-4,3e-3,1e-1 --sweep-seeds 7,8")).succeeded();
    let narrow = format!("{SCRATCH} --seeds 0 --sweep learning_rate=1e-4,3e-3 --sweep-seeds 7");
    let printed = place.run(&narrow).succeeded().stdout;
    let (table, trials) = (place.csv("table1.csv"), place.csv("table1_sweep.csv"));
    assert_eq!((trials.rows.len(), chosen(&trials).len()), (4, 2));
    assert!(!printed.contains("nothing is chosen"), "{printed}");
    for (arm, setting) in chosen(&trials) {
        assert!(printed.contains(&format!("{setting}: ")) && printed.contains('*'), "{printed}");
        assert_eq!(table.rows_with(&[("arm", &arm), ("status", "summary"), ("seed", "mean")])[0]["chosen"], setting);
    }
    place.run("merge results --out merged").succeeded();
    for (name, ours) in [("table1.csv", &table), ("table1_sweep.csv", &trials)] {
        assert_eq!(Csv::read(&place.path("merged").join(name)).lasting(), ours.lasting());
    }
    // The table is of the sweep that its trials are of: a trial of another one moves it away.
    let one = "--only table1/sequential6conv/relu/7/learning_rate";
    let again = place.run(&format!("{narrow} {one}=3e-3")).succeeded();
    assert_eq!((again.stderr.as_str(), place.csv("table1.csv").lasting()), ("", table.lasting()));
    let other = narrow.replace("1e-4,3e-3", "3e-3,1e-1");
    place.run(&format!("{other} {one}=1e-1 --resume")).failed_in_one_line(2, &["relu-0.json", "swept"]);
    let ran = place.run(&format!("{other} {one}=1e-1")).succeeded();
    assert!(ran.stderr.contains("moved aside to results/aside/") && ran.stderr.contains("not of the runs"), "{ran:?}");
    for name in ["table1.csv", "table1_epochs.csv", "table1.json", "table1.svg", "figure2.png"] {
        assert!(!place.path("results").join(name).exists(), "{name}");
    }
    assert_eq!(place.csv("table1_sweep.csv").rows_with(&[("chosen", "true"), ("arm", "relu")]).len(), 1);
}

#[test]
fn kinds_of_optimizers_and_schedules_can_be_tried_though_their_keys_differ() {
    let place = Place::new();
    let shown = place.run("show he2016_resnet20").succeeded().stdout;
    fs::write(place.path("mine.toml"), shown.replace("\"he2016_resnet20\"", "\"mine\"")).unwrap();
    let plan = |options: &str| place.run(&format!("plan mine.toml --json --preset quick {options}"));
    for options in ["--sweep optimizer=sgd,adamw", "--sweep schedule=step,cosine,one-cycle --sweep factor=0.1,0.2"] {
        let plan = plan(options);
        if options.contains("factor") {
            // A key that one of the kinds would not use.
            plan.failed(2, &["unknown key \"factor\" in [schedule]"]);
        } else {
            assert_eq!(plan.succeeded().stdout.matches("optimizer=adamw").count(), 4);
        }
    }
    assert_eq!(plan("--sweep schedule=step,one-cycle").succeeded().stdout.matches("schedule=one-cycle").count(), 4);
}

#[test]
fn an_option_that_a_table_does_not_use_changes_no_trial() {
    let place = Place::new();
    let plan = |more: &str| {
        let arguments = format!("plan table1 --limit-train 60 --limit-test 20 --sweep flip=true,false {more} --json");
        place.run(&arguments).succeeded().stdout
    };
    assert_eq!(plan(""), plan("--shift 4"));
    let only = place.run("plan table1 --sweep learning_rate=1,2 --only table1/sequential6conv/relu/0 --json");
    let json: Value = serde_json::from_str(&only.succeeded().stdout).unwrap();
    assert!(json["runs"][0]["hash"].is_null(), "{json}");
}

#[test]
fn one_rate_for_all_gives_what_the_protocol_with_that_rate_gives() {
    // The two rates are one but for the last bit, so that the choice says nothing and the numbers are known.
    let [swept, plain] = [Place::new(), Place::new()];
    let text = tuned(&swept);
    tuned(&plain);
    let near = text.replace("[1e-3, 0.1]\nbatch_size = [20, 40]", "[0.02, 0.020000000000000004]");
    fs::write(swept.path("mine.toml"), near).unwrap();
    swept.run(&format!("run mine.toml {TUNED} --seeds 0 --arms relu,pvlu")).succeeded();
    let found = chosen(&swept.csv("mine_sweep.csv"));
    let rate = found["pvlu"].strip_prefix("learning_rate=").unwrap().to_owned();
    plain.run(&format!("run plain.toml {TUNED} --seeds 0 --arms relu,pvlu --learning-rate {rate}")).succeeded();
    let of = |place: &Place| {
        let csv = place.csv("mine_epochs.csv");
        csv.rows.iter().map(|row| (row["run_id"].clone(), row["train_loss"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(of(&swept), of(&plain));
    assert_eq!(of(&swept).len(), 1);
}

/// The CSV files of a swept table, but for times.
fn files(place: &Place) -> Vec<Vec<Vec<String>>> {
    let lasting = |name: &str| {
        let csv = place.csv(name);
        csv.lasting().into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect()
    };
    ["table1.csv", "table1_epochs.csv", "table1_sweep.csv"].map(lasting).to_vec()
}

#[test]
#[cfg(unix)]
fn a_sweep_that_is_killed_goes_on_to_the_same_files() {
    use std::process::Stdio;
    use std::time::Duration;

    let arguments = format!("{SCRATCH} --seeds 0 {SWEEP} --checkpoint-every 0");
    let whole = Place::new();
    whole.run(&arguments).succeeded();
    let place = Place::new();
    let mut kills = 0;
    for round in 1_u64.. {
        let mut command = place.command(&format!("{arguments} --resume"));
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + 190 * round % 700));
        let ended = running.try_wait().unwrap();
        if ended.is_none() && kills < 6 {
            running.kill().unwrap();
            kills += 1;
        }
        if running.wait().unwrap().success() {
            break;
        }
        assert!(kills > 0 && round < 20, "it failed by itself");
    }
    assert!(kills > 0);
    assert!(files(&place) == files(&whole), "not the same after {kills} kills");
}

#[test]
fn trials_and_runs_can_be_done_on_several_machines() {
    let arguments = format!("{SCRATCH} --seeds 0 {SWEEP}");
    let [whole, one, two, all] = [Place::new(), Place::new(), Place::new(), Place::new()];
    whole.run(&arguments).succeeded();
    let plan = place_plan(&one);
    let trials: Vec<&str> = plan.iter().map(String::as_str).filter(|id| id.contains('=')).collect();
    let (of_one, of_two): (Vec<&str>, Vec<&str>) = trials.iter().partition(|id| id.contains("/pvlu/"));
    assert_eq!((plan.len(), of_one.len(), of_two.len()), (8, 3, 3));
    let run = "table1/sequential6conv/pvlu/0";
    // No setting can be chosen for it as yet.
    one.run(&format!("{arguments} --only {run}")).failed_in_one_line(2, &[run, "/7/learning_rate=", "add it"]);
    let some = one.run(&format!("{arguments} --only {}", of_one.join(","))).succeeded().stdout;
    assert!(some.contains("tried before the runs") && !one.path("results/table1.csv").exists(), "{some}");
    // Its own trials are there now.
    one.run(&format!("{arguments} --only {run}")).succeeded();
    let rest = "table1/sequential6conv/relu/0";
    two.run(&format!("{arguments} --only {},{rest}", of_two.join(","))).succeeded();
    let folders = [one, two].map(|place| (place.path("results").display().to_string(), place));
    let merge = |folders: &str| all.run(&format!("merge {folders} --out results"));
    merge(&folders[0].0).failed(1, &["lacks", rest]);
    merge(&format!("{} {}", folders[0].0, folders[1].0)).succeeded();
    assert!(files(&all) == files(&whole), "merged, the files are others");
}

/// The addresses of the trials and runs of the table.
fn place_plan(place: &Place) -> Vec<String> {
    let arguments = SCRATCH.replacen("table1", "plan table1", 1).replace("--quiet", "");
    let text = place.run(&format!("{arguments} --seeds 0 {SWEEP} --json")).succeeded().stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    let runs = json["runs"].as_array().unwrap();
    for run in runs {
        // What is not chosen yet has no hash yet.
        assert_eq!(run["hash"].is_null(), run["trial"].is_null(), "{run}");
    }
    runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_sweep_that_cannot_be_is_refused_before_anything_is_done() {
    let place = Place::new();
    let small = "table1 --limit-train 60 --limit-test 20 --epochs 1 --seeds 0 --activations relu,pvlu";
    for (options, words) in [
        ("--sweep learning_rate=1e-3", "expected two values or more"),
        ("--sweep learning_rate", "expected a key and its values"),
        ("--sweep leaning_rate=1,2", "did you mean learning_rate?"),
        ("--sweep learning_rate=1e-3,1e-3", "each value once"),
        ("--sweep learning_rate=1e-3,0", "learning_rate=0: optimizer.learning_rate: expected a positive number"),
        ("--sweep schedule=constant,step", "schedule=step: the key `factor` is missing"),
        ("--sweep momentum=0.9,0.5", "unknown key \"momentum\" in [optimizer]"),
        ("--sweep batch_size=1.5,2", "batch_size=1.5e0: budget.quick.batch_size: expected a whole number"),
        ("--sweep learning_rate=1,2 --sweep learning_rate=1,2", "learning_rate twice"),
        ("--sweep learning_rate=1,2 --sweep-seeds 0", "seed 0 is one of the runs"),
        ("--sweep learning_rate=1,2 --learning-rate 3", "learning_rate is swept, and given by --learning-rate"),
        ("--activations leaky_relu_keras=max(x,0.9*x)", "leaky_relu_keras is the name of another arm"),
        ("--sweep-seeds 5", "expected with --sweep"),
    ] {
        place.run(&format!("{small} {options}")).failed(2, &[words]);
    }
    let text = tuned(&place);
    for (old, new, words) in [
        (
            "[1e-3, 0.1]",
            "[1e-3, -1]",
            "sweep.learning_rate: learning_rate=-1+batch_size=20: optimizer.learning_rate: expected a positive number",
        ),
        ("[1e-3, 0.1]", "[1e-3]", "sweep.learning_rate: learning_rate: expected two values or more"),
        ("[1e-3, 0.1]", "1e-3", "sweep.learning_rate: expected a list"),
        ("batch_size = [20", "batch_sice = [20", "did you mean batch_size?"),
        ("[7, 8]", "[7, 7]", "sweep.seeds: 7 is there twice"),
        ("[7, 8]", "[7, 1]", "sweep.seeds: expected other seeds than those of the runs"),
        ("[1e-3, 0.1]", "[1e-3, 0.1]\n\"x.seeds\" = [1, 2]", "\"x.seeds\" cannot be swept"),
    ] {
        let wrong = text.replacen(old, new, 1);
        assert_ne!(wrong, text, "{old}");
        let line = 1 + wrong.lines().zip(text.lines()).position(|(wrong, right)| wrong != right).unwrap();
        fs::write(place.path("mine.toml"), wrong).unwrap();
        place.run(&format!("run mine.toml {TUNED}")).failed_in_one_line(2, &[&format!("mine.toml:{line}:"), words]);
    }
    assert!(!place.path("results/runs").exists() || fs::read_dir(place.path("results/runs")).unwrap().count() == 0);
}
