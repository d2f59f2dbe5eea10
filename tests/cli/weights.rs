//! Files of weights that `zoo` reads and writes: what it refuses, and what it says of them.

use std::fs;

use pvlu_zoo::data::labels::CIFAR10;
use pvlu_zoo::weights::TensorFile;

use crate::support::Place;
use crate::zoo::{grey, rewrite, tensor, weights, zoo};

/// A folder with a file of weights, an image, a data set and an input.
fn place() -> Place {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("a.png"), grey(20)).unwrap();
    for (class, value) in CIFAR10.iter().zip((0..).step_by(20)) {
        let folder = place.path(format!("set/{class}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.png"), grey(value)).unwrap();
        fs::write(folder.join("b.png"), grey(value + 9)).unwrap();
    }
    tensor(&place.path("x.safetensors"), "input", &[2, 3, 32, 32], &vec![0.5; 2 * 3 * 32 * 32]);
    place
}

#[test]
fn weights_and_logits_that_are_not_finite_are_errors() {
    let place = place();
    let nan = |name: &str, values: &mut [f32]| {
        if name == "linear.bias" {
            values[3] = f32::NAN;
        }
    };
    let file = TensorFile::open(place.path("w.safetensors")).unwrap();
    rewrite(&file, &place.path("nan.safetensors"), file.metadata(), nan);
    // Finite, and more than a sum of them holds.
    let huge = |name: &str, values: &mut [f32]| {
        if name.starts_with("linear.") {
            values.fill(3e38);
        }
    };
    rewrite(&file, &place.path("huge.safetensors"), file.metadata(), huge);
    for command in [
        "predict a.png --weights",
        "predict --json a.png --weights",
        "eval --dataset folder --data set --weights",
        "eval --json --dataset folder --data set --weights",
        "logits --input x.safetensors --out y.safetensors --weights",
        "convert",
    ] {
        let out = if command == "convert" { " y.safetensors" } else { "" };
        let ran = zoo(&place, &format!("{command} nan.safetensors{out}"));
        let stdout =
            ran.failed_in_one_line(1, &["nan.safetensors: linear.bias: element 3", "NaN", "--allow-non-finite"]).stdout;
        assert_eq!(stdout, "", "{command}");
        if command != "convert" {
            for wrong in ["nan.safetensors --allow-non-finite", "huge.safetensors"] {
                let ran = zoo(&place, &format!("{command} {wrong}"));
                let says = ["the logit of class", "not a finite number"];
                if command.starts_with("predict --json") {
                    // An image without an answer has its error among those of the others.
                    assert_eq!(ran.code, Some(1), "{ran:?}");
                    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
                    let error = found[0]["error"].as_str().unwrap();
                    assert!(says.iter().all(|part| error.contains(part) && ran.stderr.contains(part)), "{ran:?}");
                    assert!(found[0]["top"].is_null(), "{ran:?}");
                } else {
                    assert_eq!(ran.failed_in_one_line(1, &says).stdout, "", "{command}");
                }
            }
        }
        assert!(!place.path("y.safetensors").exists());
    }
    zoo(&place, "convert nan.safetensors y.safetensors --allow-non-finite").succeeded();
}

#[test]
fn an_output_that_is_read_or_there_is_refused_before_the_work() {
    let place = place();
    let before = fs::read(place.path("w.safetensors")).unwrap();
    fs::hard_link(place.path("w.safetensors"), place.path("hard.safetensors")).unwrap();
    let mut names = vec!["w.safetensors", "./w.safetensors", "set/../w.safetensors", "hard.safetensors"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("w.safetensors", place.path("soft.safetensors")).unwrap();
        names.push("soft.safetensors");
    }
    for name in names {
        for force in ["", " --force"] {
            for command in [
                format!("convert w.safetensors {name}{force}"),
                format!("logits --weights w.safetensors --input x.safetensors --out {name}{force}"),
                format!("finetune --weights w.safetensors --dataset folder --data set --out {name}{force}"),
            ] {
                zoo(&place, &command).failed_in_one_line(2, &[name, "which is read"]);
            }
        }
        assert!(fs::read(place.path("w.safetensors")).unwrap() == before, "{name}");
    }
    zoo(&place, "logits --weights w.safetensors --input x.safetensors --out x.safetensors --force")
        .failed_in_one_line(2, &["x.safetensors", "which is read"]);

    fs::write(place.path("there.safetensors"), "mine").unwrap();
    for (command, option) in [
        ("convert w.safetensors", ""),
        ("logits --weights w.safetensors --input x.safetensors", "--out"),
        ("finetune --weights w.safetensors --dataset folder --data set --train none --epochs 0", "--out"),
    ] {
        zoo(&place, &format!("{command} {option} there.safetensors"))
            .failed_in_one_line(2, &["there.safetensors", "--force replaces it"]);
        assert_eq!(fs::read_to_string(place.path("there.safetensors")).unwrap(), "mine");
        zoo(&place, &format!("{command} {option} there.safetensors --force")).succeeded();
        assert!(TensorFile::open(place.path("there.safetensors")).is_ok());
        fs::write(place.path("there.safetensors"), "mine").unwrap();
    }
}

#[test]
fn where_weights_of_a_model_want_their_images_otherwise_a_line_says_which_is_taken() {
    let place = place();
    weights(&place.path("r.safetensors"), "resnet50_v1_5", "relu", 1000);
    let said = zoo(&place, "convert r.safetensors out.safetensors").succeeded();
    let note = said.stderr.lines().find(|line| line.starts_with("note: r.safetensors does not say")).unwrap();
    for part in
        ["taken is input=224x224 fit=crop:256", "resnet50-0676ba61.pth", "fit=crop:232", "resnet50-11ad3fa6.pth"]
    {
        assert!(note.contains(part), "{note}");
    }
    // What it was given then stands in the file.
    let said = zoo(&place, "convert out.safetensors again.safetensors").succeeded();
    assert_eq!(said.stderr, "");
    // Of a model with one recipe nothing is said.
    let said = zoo(&place, "predict --weights w.safetensors a.png").succeeded();
    assert_eq!(said.stderr, "");
}

#[test]
fn what_is_no_file_of_weights_is_called_what_it_is() {
    let place = place();
    fs::write(place.path("page.safetensors"), "<!DOCTYPE html>\n<html>404</html>").unwrap();
    for (weights, says) in [
        ("page.safetensors", "a page in HTML"),
        ("set", "expected a file, found a folder"),
        ("https://download.pytorch.org/models/resnet50-0676ba61.pth", "a URL"),
    ] {
        zoo(&place, &format!("predict --weights {weights} a.png")).failed_in_one_line(1, &[says]);
    }
    let whole = fs::read(place.path("w.safetensors")).unwrap();
    fs::write(place.path("cut.safetensors"), &whole[..whole.len() / 2]).unwrap();
    zoo(&place, "predict --weights cut.safetensors a.png")
        .failed_in_one_line(1, &["cut.safetensors", "it was cut short"]);
}
