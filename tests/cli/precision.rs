//! `--precision`, in the arguments, on stderr, and in the files of what was computed with it.

use std::fs;

use pvlu::Precision;
use pvlu_zoo::weights::TensorFile;
use serde_json::Value;

use crate::support::{Place, Ran};
use crate::tuning::{TUNE, folder};
use crate::zoo::{json, tensor, weights, weights_for, zoo};

/// The lines on stderr that say that a precision is slow here: one where the processor has no instructions for it.
#[track_caller]
fn noted(ran: &Ran, precision: Precision, wanted: bool) {
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("is slower than f32")).collect();
    let named = lines.iter().filter(|line| line.contains(&format!("--precision {precision} "))).count();
    assert_eq!((lines.len(), named), if wanted && !precision.is_fast() { (1, 1) } else { (0, 0) }, "{ran:?}");
}

#[test]
fn every_command_that_computes_takes_a_precision_and_says_which_there_are() {
    let place = Place::new();
    let commands = ["predict", "eval", "logits", "finetune", "bench"].map(|name| (true, name));
    let tables = ["table1", "table6", "all", "plan"].map(|name| (false, name));
    for (is_zoo, name) in commands.into_iter().chain(tables) {
        let help = format!("{name} --help");
        let help = if is_zoo { zoo(&place, &help) } else { place.run(&help) }.succeeded().stdout;
        let (_, after) = help.split_once("--precision <NAME>").unwrap_or_else(|| panic!("{name}: {help}"));
        for words in ["[default: f32]", "- bf16x3:", "5e-6", "- bf16:", "2e-3"] {
            assert!(after.contains(words), "{name}: no {words}: {after}");
        }
    }
    for words in ["info vgg16", "list", "convert a b", "export --weights w --format onnx --out o"] {
        zoo(&place, &format!("{words} --precision bf16")).failed_in_one_line(2, &["--precision"]);
    }
}

#[test]
fn a_precision_that_there_is_not_is_refused_before_anything_is_read() {
    let place = Place::new();
    let run = [
        "bench --model cifar_resnet20",
        "predict --weights none x.png",
        "eval --weights none --dataset folder --data none",
        "logits --weights none --input none --out o",
        "finetune --weights none --dataset folder --data none",
    ];
    let known = ["'fp16'", "--precision", "f32, bf16x3, bf16"];
    let refused = ["--precision bf16x3", "--device cuda:1", "on the CPU alone"];
    for command in run {
        zoo(&place, &format!("{command} --precision fp16")).failed_in_one_line(2, &known);
        zoo(&place, &format!("{command} --precision bf16x3 --device cuda:1")).failed_in_one_line(2, &refused);
    }
    for command in ["table2", "table3", "all", "plan"] {
        place.run(&format!("{command} --precision fp16")).failed_in_one_line(2, &known);
        let ran = place.run(&format!("{command} --data none --precision bf16x3 --device cuda:1"));
        ran.failed_in_one_line(2, &refused);
    }
    assert_eq!(place.results(), [""; 0]);
}

#[test]
fn a_measurement_tells_a_reduced_precision_and_no_other() {
    let place = Place::new();
    folder(&place);
    weights_for(&place.path("w.safetensors"), "cifar_resnet20", &["dark", "light"]);
    tensor(&place.path("x.safetensors"), "input", &[2, 3, 32, 32], &[0.5; 2 * 3 * 32 * 32]);
    let (bench, eval) =
        ("bench --model cifar_resnet20 --batch 1 --steps 1", "eval --weights w.safetensors --dataset folder");
    let commands = [
        format!("{bench} --mode compiled --json"),
        format!("{eval} --data images --json"),
        format!("{TUNE} --train head --epochs 1 --json"),
    ];
    for command in commands {
        let plain = zoo(&place, &command).succeeded();
        noted(&plain, Precision::F32, true);
        assert!(!plain.stdout.contains("precision"), "{plain:?}");
        for precision in [Precision::Bf16x3, Precision::Bf16] {
            let ran = zoo(&place, &format!("{command} --precision {precision}")).succeeded();
            noted(&ran, precision, true);
            let found: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(found["precision"], precision.name());
        }
    }
    let said = |precision: &str| zoo(&place, &format!("{bench} {precision}")).succeeded().stdout;
    assert!(said("--precision bf16").starts_with("cifar_resnet20 relu Infer in bf16, batch 1,"));
    assert!(said("--precision f32").starts_with("cifar_resnet20 relu Infer, batch 1,"));
    let logits = "logits --weights w.safetensors --input x.safetensors --out";
    let written = |precision: Precision| {
        let file = format!("{precision}.safetensors");
        noted(&zoo(&place, &format!("{logits} {file} --precision {precision}")).succeeded(), precision, true);
        let file = TensorFile::open(place.path(&file)).unwrap();
        assert_eq!(file.entries()["logits"].shape, [2, 2]);
        let told = file.metadata().get("pvlu_zoo.precision").map(String::as_str);
        assert_eq!(told, precision.is_reduced().then(|| precision.name()));
        let mut logits = vec![0.0_f32; 4];
        file.read_into("logits", &mut logits).unwrap();
        logits
    };
    let [full, split, rounded] = Precision::ALL.map(written);
    let error = |logits: &[f32]| logits.iter().zip(&full).map(|(a, b)| (a - b).abs() / b.abs()).fold(0.0, f32::max);
    let (of_split, of_rounded) = (error(&split), error(&rounded));
    assert!(of_split > 0.0 && of_split < 1e-3 && of_rounded > of_split && of_rounded < 0.3, "{of_split} {of_rounded}");
    let image = "images/test/dark/0.png";
    let ran = zoo(&place, &format!("predict --weights w.safetensors {image} --precision bf16")).succeeded();
    noted(&ran, Precision::Bf16, true);
}

#[test]
fn a_tuned_file_tells_the_precision_of_its_training() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tune = |options: &str| {
        let arguments =
            format!("{TUNE} --activation pvlu --head-epochs 1 --epochs 1 --quiet --force --out t.safetensors");
        let ran = zoo(&place, &format!("{arguments} {options}")).succeeded();
        noted(&ran, Precision::Bf16, false);
        let said = zoo(&place, "info t.safetensors").succeeded().stdout;
        (json(&place, "info t.safetensors --json")["tuning"].clone(), said)
    };
    let (tuning, said) = tune("--precision bf16");
    assert_eq!(tuning["precision"], "bf16");
    assert!(said.contains("\n  precision         factors in bf16\n"), "{said}");
    for options in ["", "--precision f32"] {
        let (tuning, said) = tune(options);
        assert_eq!(tuning.get("precision"), None);
        assert!(!said.contains("precision"), "{said}");
    }
}

pub const SMALL: &str =
    "table1 --limit-train 40 --limit-test 20 --epochs 1 --seeds 0 --batch-size 20 --activations relu";

#[test]
fn runs_of_another_precision_are_other_runs() {
    let place = Place::new();
    let hash = |precision: &str| place.planned_hash(&format!("{SMALL} {precision}"));
    let hashes = ["--precision f32", "--precision bf16x3", "--precision bf16"].map(hash);
    assert_eq!(hash(""), hashes[0]);
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[2] != hashes[0], "{hashes:?}");

    noted(&place.run(&format!("{SMALL} --precision bf16")).succeeded(), Precision::Bf16, true);
    let path = place.path("results/runs/table1-sequential6conv-relu-0.json");
    let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((&record["hash"], &record["config"]["precision"]), (&hashes[2].as_str().into(), &"bf16".into()));
    let rows = place.csv("table1.csv").rows;
    assert!(rows.iter().all(|row| row["overridden"].ends_with(" precision=bf16")), "{rows:?}");
    assert!(rows.iter().all(|row| row["preset"].ends_with(", precision bf16 not f32")), "{rows:?}");
    // The same again is finished; in another precision it is refused, or done anew beside it.
    let again = place.run(&format!("{SMALL} --precision bf16 --resume --quiet")).succeeded();
    noted(&again, Precision::Bf16, false);
    for (precision, said) in [("f32", "precision is bf16, here f32"), ("bf16x3", "precision is bf16, here bf16x3")] {
        let ran = place.run(&format!("{SMALL} --precision {precision} --resume --quiet"));
        ran.failed_in_one_line(2, &["table1-sequential6conv-relu-0.json", said]);
    }
    let plain = place.run(&format!("{SMALL} --quiet")).succeeded();
    assert!(plain.stderr.contains("moved aside") && plain.stderr.contains("precision is bf16, here f32"), "{plain:?}");
    let record = fs::read_to_string(&path).unwrap();
    assert!(!record.contains("precision") && record.contains(&hashes[0]), "{record}");
    // The one moved aside and this one are no single table.
    let other = SMALL.replace("--seeds 0", "--seeds 1");
    place.run(&format!("{other} --out other --precision bf16 --quiet")).succeeded();
    place
        .run("merge results other --partial --out both")
        .failed_in_one_line(2, &["precision is bf16", "table1/sequential6conv/relu/0: f32"]);
}
