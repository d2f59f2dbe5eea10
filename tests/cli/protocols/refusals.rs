//! A protocol that asks for what cannot be is refused before anything is trained.

use std::fs;

use serde_json::Value;

use super::{LEAVES, with_leaves};
use crate::support::{Csv, Place, Ran};
use crate::zoo::weights;

#[test]
fn a_side_that_a_network_does_not_take_is_refused_at_its_place() {
    let place = with_leaves();
    let wrong = LEAVES.replace("side = 32", "side = 3");
    fs::write(place.path("mine.toml"), wrong).unwrap();
    place.run("run mine.toml").failed_in_one_line(2, &["mine.toml:10:8: data.side: ", "resnet18", "3x3"]);
}

#[test]
fn a_formula_that_an_arm_of_the_protocol_has_by_its_name_is_not_replaced() {
    let place = with_leaves();
    let run = |arm: &str| place.run(&format!("run mine.toml --dry-run --arms relu,{arm}"));
    run("bent=max(x,0)").failed_in_one_line(2, &["--arms", "an arm bent that is", "a*sin(x)", "choose another name"]);
    // The same formula is that arm, which can train parts of its own.
    let wave = "bent = max(x, 0) + a*sin(x); a = 0.1 swap 0";
    let of_arm = |arm: &str| {
        let mut command = place.command("plan mine.toml --json --seeds 0 --arms");
        let plan = Ran::of({
            command.arg(format!("relu,{arm}"));
            command
        })
        .succeeded();
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        plan["runs"][1]["hash"].as_str().unwrap().to_owned()
    };
    let formula = format!("activation = \"{wave}\"");
    let hashes = ["", "\ntrains = [\"activations\"]"].map(|trains| {
        fs::write(place.path("mine.toml"), LEAVES.replace(&formula, &format!("{formula}{trains}"))).unwrap();
        assert_eq!(of_arm(wave), of_arm("bent"));
        of_arm(wave)
    });
    assert_ne!(hashes[0], hashes[1]);
    fs::write(place.path("mine.toml"), LEAVES).unwrap();
    assert!(run("bow=max(x,0)").succeeded().stdout.contains("leaves/resnet18/bow/1"));
    assert!(run("bent").succeeded().stdout.contains("leaves/resnet18/bent/1"));
}

#[test]
fn a_schedule_that_options_make_longer_than_the_training_is_refused_or_told() {
    let place = with_leaves();
    let slow = LEAVES.replace("first_epochs = 1", "first_epochs = 3").replace("epochs = 1\ntrain", "epochs = 2\ntrain");
    fs::write(place.path("mine.toml"), slow.replace("every = 1", "every = 1\nwarm_up = 2")).unwrap();
    place.run("plan mine.toml").succeeded();
    for option in ["--epochs", "--first-epochs"] {
        let expected = format!("schedule.warm_up: expected at most 1, the epochs of {option}, found 2");
        place.run(&format!("run mine.toml {option} 1")).failed_in_one_line(2, &[&expected]);
    }
    // Where it is swept, the trials are what it has to fit, and the first phase keeps that of the protocol.
    let sweep = "--sweep learning_rate=1e-3,1e-2 --sweep warm_up";
    place.run(&format!("plan mine.toml {sweep}=0,1 --epochs 1")).succeeded();
    place.run(&format!("plan mine.toml {sweep}=1,2 --first-epochs 2 --epochs 4")).succeeded();
    place.run(&format!("plan mine.toml {sweep}=0,2 --epochs 1")).failed(2, &["warm_up=2: schedule.warm_up: expected"]);
    for (every, is_told) in [("every = 1", false), ("milestones = [1, 2, 3.5]", true), ("every = 2", true)] {
        fs::write(place.path("mine.toml"), LEAVES.replace("every = 1", every)).unwrap();
        let told = place.run("run mine.toml --dry-run --arms relu --seeds 0").succeeded().stderr;
        let said = "warning: --epochs 2 ends before the learning rate changes after epoch 2";
        assert_eq!(told.contains(said), is_told, "{told}");
        assert_eq!(told.contains("after epoch 2, 3.5\n"), every.contains("3.5"), "{told}");
    }
}

#[test]
fn an_image_that_cannot_be_read_is_named_before_the_first_run() {
    let place = with_leaves();
    fs::write(place.path("leaves/test/yew/1.png"), "no image").unwrap();
    let ran = place.run("run mine.toml --seeds 0 --arms relu").failed(1, &["yew/1.png"]);
    assert!(!ran.stderr.contains("epoch 1/") && !ran.stderr.contains("--skip-unreadable"), "{ran:?}");
}

#[test]
fn a_limit_beyond_the_images_that_there_are_is_not_told_as_their_number() {
    let place = Place::new();
    let run = "table1 --activations relu --seeds 0 --dry-run --limit-test 99999";
    let told = place.run(&format!("{run} --limit-train 2400")).succeeded().stderr;
    assert!(told.contains("preset quick, 2400 of 2500 training images: 1 run"), "{told}");
}

/// The values of options, in a protocol that has others, are as if they stood in it.
#[test]
fn changes_and_filter_of_images_are_replaced_from_scratch_too() {
    let place = Place::new();
    let shown = place.run("show table1").succeeded().stdout.replace("\"table1\"", "\"mine\"");
    let options = "--limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --batch-size 20 --arms relu --quiet";
    let losses = |cutout: u32, sigma: &str, more: &str| {
        let sections = format!("\n[augmentation]\ncutout = {cutout}\n\n[filter]\nsigma = {sigma}\nradius = 2\n");
        fs::write(place.path("mine.toml"), format!("{shown}{sections}")).unwrap();
        place.run(&format!("run mine.toml {options} {more}")).succeeded();
        let row = &place.csv("mine_epochs.csv").rows[0];
        (row["train_loss"].clone(), row["test_loss"].clone(), place.csv("mine.csv").rows[0]["overridden"].clone())
    };
    let (plain, wanted) = (losses(8, "1.0", ""), losses(16, "3.0", ""));
    let replaced = losses(8, "1.0", "--cutout 16 --filter-sigma 3");
    assert!(plain.0 != wanted.0 && plain.1 != wanted.1, "{plain:?} {wanted:?}");
    assert_eq!((&replaced.0, &replaced.1), (&wanted.0, &wanted.1));
    assert!(replaced.2.contains("cutout=16 filter-sigma=3"), "{replaced:?}");
    fs::write(place.path("mine.toml"), &shown).unwrap();
    for option in ["--cutout 16", "--filter-sigma 3", "--filter-radius 1"] {
        let words = [option.split_once(' ').unwrap().0, "mine has no such value"];
        place.run(&format!("run mine.toml {options} {option}")).failed_in_one_line(2, &words);
    }
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
    // It is the file that decides the numbers, which are those of the table.
    let numbers = |path: &str| {
        let rows = Csv::read(&place.path(path)).rows;
        rows.into_iter().map(|row| (row["arm"].clone(), row["train_loss"].clone(), row["test_loss"].clone())).collect()
    };
    let (mine, other): (Vec<_>, Vec<_>) = (numbers("results/mine_epochs.csv"), numbers("other/table1_epochs.csv"));
    assert!(mine == other && mine.len() == 2, "{mine:?} {other:?}");
    place.run(&format!("table2 {options}")).failed(2, &["--activations: table2 has no leaky_relu_keras"]);
}
