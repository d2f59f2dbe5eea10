//! A protocol that asks for what cannot be is refused before anything is trained.

use std::fs;

use super::{LEAVES, with_leaves};
use crate::support::Place;
use crate::zoo::weights;

#[test]
fn a_side_that_a_network_does_not_take_is_refused_at_its_place() {
    let place = with_leaves();
    let wrong = LEAVES.replace("side = 32", "side = 3");
    fs::write(place.path("mine.toml"), wrong).unwrap();
    place.run("run mine.toml").failed_in_one_line(2, &["mine.toml:10:8: data.side: ", "resnet18", "3x3"]);
}

#[test]
fn parts_that_a_network_has_not_are_told_before_the_first_phase() {
    let place = Place::new();
    weights(&place.path("vgg16.safetensors"), "vgg16", "relu", 10);
    let shown = place.run("show table5").succeeded().stdout;
    let shown = shown.replace("\"table5\"", "\"mine\"");
    let networks = shown.lines().find(|line| line.starts_with("networks")).unwrap().to_owned();
    let protocol = shown.replacen(&networks, "networks = [\"vgg16\"]", 1);
    let options = "--preset paper --limit-train 40 --limit-test 20 --first-epochs 1 --epochs 1 --seeds 0 --weights .";
    // VGG-16 has no batch norm, which is all that the arms train here.
    let of_arms = protocol.lines().find(|line| line.starts_with("arms = ")).unwrap().to_owned();
    let wrong = protocol.replacen(&of_arms, "arms = [\"batch-norm\"]", 1);
    fs::write(place.path("mine.toml"), wrong).unwrap();
    let ran = place.run(&format!("run mine.toml {options}"));
    ran.failed_in_one_line(2, &["mine: arm relu of vgg16: nothing would be trained", "no scale"]);
    assert!(!place.path("results/runs").exists());
    place
        .run("plan mine.toml --activations relu")
        .failed_in_one_line(2, &["--activations", "--arms names those of mine"]);
}

#[test]
fn a_renamed_protocol_does_not_pass_for_a_table_of_the_paper() {
    let place = Place::new();
    let shown = place.run("show table1").succeeded().stdout;
    fs::write(place.path("mine.toml"), shown.replace("\"table1\"", "\"mine\"")).unwrap();
    let options = "--limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --batch-size 20 --arms relu,leaky_relu_keras";
    let printed = place.run(&format!("run mine.toml {options}")).succeeded().stdout;
    assert!(printed.starts_with("six-convolution network without augmentation\n"), "{printed}");
    assert_eq!(place.csv("mine.csv").rows_with(&[("activation", "leaky_relu; slope = 0.3")]).len(), 3);
    // The same arm by its name in the table itself, and none of the name in one that has none.
    let options = options.replace("--arms", "--activations");
    place.run(&format!("table1 {options} --out other")).succeeded();
    place.run(&format!("table2 {options}")).failed(2, &["--activations: table2 has no leaky_relu_keras"]);
}
