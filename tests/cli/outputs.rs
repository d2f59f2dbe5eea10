//! Files that `zoo` writes: where a link leads, and nothing beside them, however the program ended.

use std::fs;
use std::process::Stdio;

use crate::support::Place;
use crate::zoo::{command, weights, zoo};

/// Names in the folder of a test that begin with a dot.
fn hidden(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn what_killed_conversions_leave_goes_with_the_next_one() {
    let place = Place::new();
    weights(&place.path("in.safetensors"), "cifar_resnet20", "relu", 10);
    for number in 0..5 {
        let mut command = command(&place, &format!("convert in.safetensors out{number}.safetensors"));
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // In the middle of the file, as well as it can be hit.
        while hidden(&place).is_empty() && running.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        running.kill().unwrap();
        running.wait().unwrap();
    }
    // If none was hit.
    fs::write(place.path(".pvlu-123456-7.tmp"), "half").unwrap();
    zoo(&place, "convert in.safetensors last.safetensors").succeeded();
    assert_eq!(hidden(&place), [] as [String; 0]);
}

#[test]
#[cfg(unix)]
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
