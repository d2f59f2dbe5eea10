//! Runs that go on: after SIGKILL at any moment, in another command, on several machines.

use std::fs;
use std::path::Path;

use crate::support::{Csv, Place};
use crate::zoo::weights;

/// Trained from scratch: dropout, two arms, a batch that is no divisor.
const SCRATCH: &str = "table1 --limit-train 150 --limit-test 50 --epochs 7 --seeds 0 --activations relu,pvlu \
                       --batch-size 32 --save-weights --checkpoint-every 0";
/// Tuned: a first phase that the arms share, batch norm, augmentation.
const TUNED: &str = "table5 --limit-train 150 --limit-test 50 --first-epochs 2 --epochs 2 --batch-size 40 \
                     --arms relu,pvlu --models cifar_resnet20 --weights . --save-weights --checkpoint-every 0";

/// Rows of a CSV file, but for times.
type Rows = Vec<Vec<String>>;

/// The files that a table leaves: its CSV files, and its weights by name.
fn left(place: &Place, table: &str) -> (Vec<Rows>, Vec<(String, Vec<u8>)>) {
    let csv = ["", "_epochs", "_parameters", "_units"].map(|end| lasting(&place.csv(&format!("{table}{end}.csv"))));
    let mut weights: Vec<(String, Vec<u8>)> = fs::read_dir(place.path("results/weights"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    weights.sort();
    (csv.to_vec(), weights)
}

/// Files of the folder of runs whose names `wanted` accepts.
fn runs(place: &Place, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place.path("results/runs")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| wanted(name)).collect()
}

fn folder() -> Place {
    let place = Place::new();
    weights(&place.path("cifar10_resnet20.safetensors"), "cifar_resnet20", "relu", 10);
    place
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_it_ends_as_if_it_was_not() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    for (table, arguments) in [("table1", SCRATCH), ("table5", TUNED)] {
        let whole = folder();
        whole.run(&format!("{arguments} --threads 2 --quiet")).succeeded();
        let expected = left(&whole, table);
        assert!(expected.1.len() == 2 && expected.0[1].len() > 4);

        let (mut kills, mut skipped, mut torn) = (0_u64, 0, 0);
        let mut random = 12345_u64;
        // Twenty of both together, and more on a machine so busy that they come before the first checkpoint; a folder
        // whose run came to its end gives way to a new one.
        while kills < 10 || (kills < 60 && (skipped < 5 || torn < 1)) {
            let most = 10 * (1 + kills / 10);
            let place = folder();
            loop {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let threads = 1 + (random >> 40) % 2;
                let mut command = place.command(&format!("{arguments} --resume --threads {threads}"));
                let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
                std::thread::sleep(Duration::from_millis(most / 10 * (100 + (random >> 33) % 900)));
                // Every third one falls into the writing of a checkpoint, as well as it can be hit.
                let begin = Instant::now();
                let is_torn = || !runs(&place, |name| name.ends_with(".tmp")).is_empty();
                while kills % 3 == 2 && !is_torn() && begin.elapsed() < Duration::from_secs(2) {
                    std::hint::spin_loop();
                }
                // The last time it may come to its end.
                let ended = running.try_wait().unwrap();
                if ended.is_none() && kills < most {
                    // SIGKILL.
                    running.kill().unwrap();
                    kills += 1;
                }
                let ran: crate::support::Ran = running.wait_with_output().unwrap().into();
                let went_on = |line: &str| line.contains("goes on after") && !line.contains(" 0 epochs and 0 of");
                skipped += usize::from(ran.stderr.lines().any(went_on));
                torn += usize::from(is_torn());
                assert!(!ran.stderr.contains("error") && !ran.stderr.contains("panicked"), "{ran:?}");
                if ran.code == Some(0) {
                    break;
                }
            }
            assert!(left(&place, table) == expected, "{table}: not the same after {kills} kills");
            assert!(runs(&place, |name| !name.ends_with(".json")).is_empty(), "no checkpoint is left");
        }
        assert!(skipped >= 5, "{table}: {skipped} of {kills} went on from a checkpoint");
        assert!(torn >= 1, "{table}: no kill fell into the writing of a checkpoint");
    }
}

const SMALL: &str =
    "table1 --limit-train 40 --limit-test 20 --epochs 2 --seeds 0 --batch-size 20 --activations relu,pvlu --quiet";

fn lasting(csv: &Csv) -> Rows {
    csv.lasting().iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn with_nothing_there_it_starts_and_with_all_there_it_prints_again() {
    let place = Place::new();
    let first = place.run(&format!("{SMALL} --resume")).succeeded();
    let files = || ["table1.csv", "table1_epochs.csv"].map(|name| fs::read(place.path("results").join(name)).unwrap());
    let before = files();
    let again = place.run(&format!("{SMALL} --resume --threads 1")).succeeded();
    assert_eq!(again.stdout, first.stdout);
    assert!(files() == before, "nothing was computed again, not even times");
    // Nor without it.
    let again = place.run(SMALL).succeeded();
    assert_eq!(again.stdout, first.stdout);
    assert!(files() == before);
    // A further seed beside those that are there.
    let more = place.run(&SMALL.replace("--quiet", "--resume").replace("--seeds 0", "--seeds 0,1")).succeeded();
    assert!(more.stderr.contains("2 of 4 runs were finished before"), "{more:?}");
    assert_eq!(place.csv("table1.csv").rows_with(&[("status", "summary")]).len(), 4);
}

#[test]
fn what_is_of_another_command_or_damaged_is_refused_by_name() {
    let place = Place::new();
    place.run(SMALL).succeeded();
    let table = place.csv("table1.csv").text;
    let other = SMALL.replace("--epochs 2", "--epochs 3");
    place
        .run(&format!("{other} --resume"))
        .failed_in_one_line(2, &["table1-sequential6conv-relu-0.json", "epochs is 2, here 3", "--out", "--resume"]);
    let record = place.path("results/runs/table1-sequential6conv-pvlu-0.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, &text[..text.len() / 2]).unwrap();
    place.run(&format!("{SMALL} --resume")).failed_in_one_line(1, &["table1-sequential6conv-pvlu-0.json"]);
    // A digit that is another one.
    fs::write(&record, text.replacen("\"epoch\": 1", "\"epoch\": 2", 1)).unwrap();
    place.run(&format!("{SMALL} --resume")).failed_in_one_line(1, &["pvlu-0.json", "checksum"]);
    fs::remove_file(&record).unwrap();
    let checkpoint = record.with_extension("safetensors");
    fs::write(&checkpoint, "no weights").unwrap();
    place.run(&format!("{SMALL} --resume")).failed_in_one_line(1, &["table1-sequential6conv-pvlu-0.safetensors"]);
    assert_eq!(place.csv("table1.csv").text, table, "earlier results are as they were");
}

#[test]
fn runs_done_apart_are_the_same_table() {
    let place = Place::new();
    let both = SMALL.replace("--seeds 0", "--seeds 0,1");
    place.run(&format!("{both} --out whole")).succeeded();
    let plan = place.run(&format!("plan {}", both.replace(" --quiet", ""))).succeeded();
    let ids: Vec<&str> = plan.stdout.lines().collect();
    assert_eq!(ids[1], "table1/sequential6conv/pvlu/0");
    assert_eq!(ids.len(), 4);
    let json = place.run(&format!("plan {} --json", both.replace(" --quiet", ""))).succeeded();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["runs"][1]["id"], ids[1]);
    assert_eq!(json["runs"][1]["steps"], 4);
    // One on a machine of its own, two in one folder, the last one after them in the same.
    place.run(&format!("{both} --only {} --out a", ids[1])).succeeded();
    place.run(&format!("{both} --only {},{} --out b", ids[2], ids[0])).succeeded();
    place.run("merge a b").failed_in_one_line(1, &["lacks", ids[3]]);
    place.run(&format!("{both} --only {} --out b", ids[3])).succeeded();
    let merged = place.run("merge b a").succeeded();
    assert!(merged.stdout.starts_with("Table 1"), "{merged:?}");
    for name in ["table1.csv", "table1_epochs.csv", "table1_parameters.csv", "table1_units.csv"] {
        let whole = Csv::read(&place.path("whole").join(name));
        assert_eq!(lasting(&place.csv(name)), lasting(&whole), "{name}");
    }
    // The merged folder is one like any other: a run done again there does not make the table smaller.
    place.run(&format!("{both} --only {}", ids[1])).succeeded();
    assert_eq!(lasting(&place.csv("table1.csv")), lasting(&Csv::read(&place.path("whole/table1.csv"))));
    // Folders that two commands made together, and one whose command has not come far.
    fs::create_dir(place.path("empty")).unwrap();
    place.run(&format!("{} --out other", SMALL.replace("--seeds 0", "--seeds 7"))).succeeded();
    let more = place.run("merge empty whole other --out more").succeeded();
    assert!(more.stdout.contains("3 seeds"), "{more:?}");
    // In b are all but one.
    assert_eq!(
        Csv::read(Path::new(&place.path("b/table1.csv"))).rows_with(&[("status", "finished")]).len()
            + Csv::read(&place.path("b/table1.csv")).rows_with(&[("status", "died")]).len(),
        3
    );
    place
        .run(&format!("{both} --only table1/vgg16/pvlu/0"))
        .failed_in_one_line(2, &["--only", "table1/vgg16/pvlu/0", ids[3]]);
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let place = folder();
    for (arguments, words) in [
        (SMALL, ["table1/sequential6conv/relu/0", "2 runs, about", "nothing was written"]),
        (TUNED, ["table5/cifar_resnet20/first/0", "table5/cifar_resnet20/pvlu/0", "2 runs, about"]),
    ] {
        let ran = place.run(&format!("{arguments} --dry-run")).succeeded();
        for word in words {
            assert!(ran.stdout.contains(word), "{word}: {ran:?}");
        }
        assert!(!place.path("results").exists());
    }
    place.run(&format!("{SMALL} --dry-run").replace("--batch-size 20", "--batch-size 9223372036854775807")).succeeded();
}

#[test]
fn weights_that_are_wanted_later_are_made_then() {
    let place = Place::new();
    place.run(SMALL).succeeded();
    place.run(&format!("{SMALL} --resume --save-weights")).succeeded();
    assert_eq!(fs::read_dir(place.path("results/weights")).unwrap().count(), 2);
}

#[test]
fn one_run_of_all_tables_is_done_alone() {
    let place = Place::new();
    let small = "all --preset quick --limit-train 40 --limit-test 20 --epochs 1 --quiet";
    let ran = place.run(&format!("{small} --only table2/sequential6conv/relu/0")).succeeded();
    assert!(ran.stdout.starts_with("Table 2"), "{ran:?}");
    assert!(place.results().contains(&"report.html".to_owned()));
    assert!(!place.results().contains(&"table1.csv".to_owned()));
    let nobody = "table2/sequential6conv/relu/9";
    place.run(&format!("{small} --only {nobody}")).failed_in_one_line(2, &[nobody]);
    let plan = place.run("plan table1 table2 --only table2/sequential6conv/relu/0").succeeded();
    assert_eq!(plan.stdout, "table2/sequential6conv/relu/0\n");
    let usual = place.run("plan table1 --activations relu").succeeded();
    let seeds = [0, 1, 2].map(|seed| format!("table1/sequential6conv/relu/{seed}\n"));
    assert_eq!(usual.stdout, seeds.concat(), "the quick preset has three seeds");
}

/// The lines between ```` ```sh ```` and ```` ``` ```` after a heading of the page on many machines.
fn documented(heading: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/many-machines.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(heading).unwrap();
    section.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0.to_owned()
}

/// Runs a script with `reproduce` in the path.
fn shell(place: &Place, script: &str, variables: &[(&str, &str)]) -> crate::support::Ran {
    let programs = Path::new(env!("CARGO_BIN_EXE_reproduce")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(place.path("")).env_remove("PVLU_ZOO_DATA");
    command.env("PATH", format!("{}:{path}", programs.display())).envs(variables.iter().copied());
    crate::support::Ran::of(command)
}

const TINY: &str = "--preset quick --limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --activations relu,pvlu";

#[test]
#[cfg(unix)]
fn the_line_for_parallel_is_as_documented() {
    let place = Place::new();
    if shell(&place, "command -v parallel", &[]).code != Some(0) {
        println!("skipped: GNU parallel is not installed");
        return;
    }
    let script = documented("## GNU parallel");
    assert!(script.contains("parallel --jobs 2 reproduce table1"), "{script}");
    let ran = shell(&place, &script.replace("--preset quick", TINY), &[]).succeeded();
    assert!(ran.stdout.contains("Table 1"), "{ran:?}");
    assert_eq!(fs::read_dir(place.path("parts")).unwrap().count(), 2);
    let rows = place.csv("table1.csv");
    assert_eq!(rows.rows.iter().filter(|row| row["status"] != "summary").count(), 2);
}

#[test]
#[cfg(unix)]
fn the_script_for_slurm_is_as_documented() {
    let place = Place::new();
    let script = documented("## Slurm").replace("table5", "table1");
    let options = TINY;
    for task in ["0", "1"] {
        let variables = [("SLURM_ARRAY_TASK_ID", task), ("SLURM_CPUS_PER_TASK", "1"), ("OPTIONS", options)];
        shell(&place, &script, &variables).succeeded();
        // Requeued after its end.
        shell(&place, &script, &variables).succeeded();
    }
    let part = Csv::read(&place.path("parts/1/table1.csv"));
    assert_eq!(part.rows[0]["run_id"], "table1/sequential6conv/pvlu/0");
    shell(&place, "reproduce merge parts/* --out results", &[]).succeeded();
    assert_eq!(place.csv("table1.csv").rows.iter().filter(|row| row["status"] != "summary").count(), 2);
}
