//! Files that `zoo` writes: where a link leads, and nothing beside them, however the program ended.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Stdio};

use pvlu_zoo::weights::TensorFile;

use crate::support::{Place, Ran};
use crate::zoo::{command, tensor, weights, zoo};

/// Names in the folder of a test that begin with a dot.
fn hidden(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn what_killed_conversions_leave_goes_with_the_next_one() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    weights(&place.path("in.safetensors"), "cifar_resnet20", "relu", 10);
    // The system kills it in the middle of the file, which is longer than it may be.
    let mut killed = Command::new("sh");
    killed.args(["-c", "ulimit -c 0; ulimit -f 100; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_zoo")]);
    killed.args(["convert", "in.safetensors", "out.safetensors"]).current_dir(place.path(""));
    let status = killed.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), Some(nix::sys::signal::Signal::SIGXFSZ as i32), "{status}");
    let left = hidden(&place);
    assert!(left.len() == 1 && fs::metadata(place.path(&left[0])).unwrap().len() > 0, "{left:?}");
    assert!(!place.path("out.safetensors").exists());
    zoo(&place, "convert in.safetensors out.safetensors").succeeded();
    assert_eq!(hidden(&place), [] as [String; 0]);
}

#[test]
fn a_link_leads_to_the_file_that_is_written() {
    let place = Place::new();
    weights(&place.path("in.safetensors"), "cifar_resnet20", "relu", 10);
    fs::create_dir(place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere/out.safetensors", place.path("link.safetensors")).unwrap();
    zoo(&place, "convert in.safetensors link.safetensors").succeeded();
    assert!(fs::symlink_metadata(place.path("link.safetensors")).unwrap().is_symlink());
    zoo(&place, "convert in.safetensors out.safetensors").succeeded();
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    assert!(read("elsewhere/out.safetensors") == read("out.safetensors"));
}

#[test]
#[cfg(target_os = "linux")]
fn logits_that_cannot_be_written_where_they_should_are_kept_elsewhere() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    tensor(&place.path("x.safetensors"), "input", &[2, 3, 32, 32], &[0.5; 2 * 3 * 32 * 32]);
    // A device on which every write fails, as on a disk that is full by then.
    std::os::unix::fs::symlink("/dev/full", place.path("y.safetensors")).unwrap();
    let mut logits =
        command(&place, "logits --weights w.safetensors --input x.safetensors --out y.safetensors --force");
    logits.env("TMPDIR", place.path("temporary"));
    let words = ["y.safetensors: ", "the tensor of logits was kept in ", "temporary/zoo-kept-1/y.safetensors"];
    Ran::of(logits).failed_in_one_line(1, &words);
    let kept = TensorFile::open(place.path("temporary/zoo-kept-1/y.safetensors")).unwrap();
    assert_eq!(kept.entries()["logits"].shape, [2, 10]);
}
