//! Output that cannot be written: to a folder, to a full disk, to a pipe without a reader.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Place, Ran};

const TINY: &str = "table1 --epochs 1 --seeds 0 --activations relu --limit-train 40 --limit-test 10";

/// Files that the run leaves, without any of parameters: ReLU has none.
const FILES: [&str; 11] = [
    "figure2.png",
    "figure2.svg",
    "runs",
    "table1.csv",
    "table1.json",
    "table1.png",
    "table1.svg",
    "table1_epochs.csv",
    "table1_units.csv",
    "table1_units.png",
    "table1_units.svg",
];

/// A device on which every write fails, as on a full disk; where there is none, the test says so.
#[cfg(unix)]
fn full_device() -> Option<&'static Path> {
    let device = Path::new("/dev/full");
    if !device.exists() {
        println!("skipped: no {} on this system", device.display());
        return None;
    }
    Some(device)
}

#[test]
fn a_new_folder_in_a_new_folder_is_made() {
    let place = Place::new();
    place.run(&format!("{TINY} --out a/b/c")).succeeded();
    assert_eq!(fs::read_dir(place.path("a/b/c")).unwrap().count(), FILES.len());
    assert!(!place.path("results").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    fs::write(place.path("results"), "mine").unwrap();
    place.run(TINY).failed_in_one_line(1, &["results", "cannot write"]);
    place.run(&format!("{TINY} --out results/below")).failed_in_one_line(1, &["results/below", "cannot write"]);
    assert_eq!(fs::read_to_string(place.path("results")).unwrap(), "mine");
}

#[test]
fn a_folder_in_the_place_of_a_file_is_found_before_anything_is_trained() {
    for name in ["table1.csv", "table1_epochs.csv"] {
        let place = Place::new();
        fs::create_dir_all(place.path("results").join(name)).unwrap();
        place.run(TINY).failed(1, &[name, "cannot write", "directory"]);
        assert_eq!(place.results(), [name]);
    }
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_old_files() {
    let Some(device) = full_device() else { return };
    let place = Place::new();
    place.run(TINY).succeeded();
    let names = ["table1.csv", "table1_epochs.csv", "table1_units.csv", "table1.json", "table1.svg", "table1.png"];
    let at = |name: &str| place.path("results").join(name);
    let read = || names.map(|name| fs::read(at(name)).unwrap());
    let old = read();
    // Each file in turn is a link to the full device, so that writing it fails, and the others are not replaced.
    for (index, name) in names.into_iter().enumerate() {
        let kept = place.path("kept");
        fs::rename(at(name), &kept).unwrap();
        std::os::unix::fs::symlink(device, at(name)).unwrap();
        let arguments = if index < 4 { format!("{TINY} --batch-size 7") } else { TINY.to_owned() };
        place.run(&arguments).failed(1, &[&format!("results/{name}"), "cannot write", "No space left"]);
        assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink(), "{name}");
        fs::remove_file(at(name)).unwrap();
        fs::rename(kept, at(name)).unwrap();
        let found = place.results();
        assert_eq!(found.iter().filter(|name| *name != "aside").collect::<Vec<_>>(), FILES.iter().collect::<Vec<_>>());
        if index < 4 {
            assert!(read() == old, "{name}: all or none are new");
        }
    }
}

/// A limit on the length of files is met as the end of a disk is: in the middle of one.
#[test]
#[cfg(unix)]
fn a_run_that_cannot_be_kept_leaves_the_table_and_no_part_of_a_file() {
    let place = Place::new();
    place.run(TINY).succeeded();
    let old = fs::read(place.path("results/table1.csv")).unwrap();
    let (reproduce, arguments) = (env!("CARGO_BIN_EXE_reproduce"), format!("{TINY} --batch-size 7"));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f 100; exec {reproduce} {arguments}")]);
    command.current_dir(place.path("")).env_remove("PVLU_ZOO_DATA");
    Ran::of(command).failed(1, &["runs/table1-sequential6conv-relu-0.safetensors", "File too large"]);
    assert!(fs::read(place.path("results/table1.csv")).unwrap() == old);
    assert_eq!(fs::read_dir(place.path("results/runs")).unwrap().count(), 0);
    // Of other settings, and so not lost.
    assert!(place.path("results/aside/1/runs/table1-sequential6conv-relu-0.json").exists());
}

#[test]
#[cfg(unix)]
fn results_that_cannot_be_printed_are_a_failure() {
    let Some(device) = full_device() else { return };
    let place = Place::new();
    let mut command = place.command(TINY);
    command.stdout(fs::File::create(device).unwrap());
    Ran::of(command).failed(1, &["standard output", "No space left"]);
    // They are in the files all the same.
    assert_eq!(place.csv("table1.csv").rows.len(), 3);
}

/// Starts the command with a pipe without a reader for standard output or error, as `closed` says.
fn run_with_closed_pipes(mut command: Command, closed: [bool; 2]) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if closed[0] {
        drop(child.stdout.take());
    }
    if closed[1] {
        drop(child.stderr.take());
    }
    child.wait_with_output().unwrap().into()
}

/// The pipe of `reproduce table1 | head -0`, and those like it.
#[test]
fn readers_that_have_gone_do_not_matter() {
    let place = Place::new();
    for closed in [[true, false], [false, true], [true, true]] {
        let ran = run_with_closed_pipes(place.command(TINY), closed).succeeded();
        assert_eq!([ran.stdout.is_empty(), ran.stderr.is_empty()], closed, "{ran:?}");
        assert_eq!(place.results(), FILES);
        fs::remove_dir_all(place.path("results")).unwrap();
    }
    // An error that no reader sees has its code.
    let ran = run_with_closed_pipes(place.command("table1 --seeds 1,1"), [true, true]);
    assert_eq!(ran.code, Some(2));
    let ran = run_with_closed_pipes(place.command("table1 --data absent"), [true, true]);
    assert_eq!(ran.code, Some(1));
    let ran = run_with_closed_pipes(place.command("--help"), [true, false]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}
