//! `zoo info FILE`, and what a tuned file says of its tuning.

use std::fs;
use std::path::Path;

use pvlu_zoo::weights::TensorFile;
use serde_json::{Value, json};

use crate::support::{Csv, Place, number};
use crate::tuning::{TUNE, folder};
use crate::zoo::{json as run_json, rewrite, tensor, weights, zoo};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    path.canonicalize().unwrap().display().to_string()
}

/// The state of a kind of tensors in the tuning.
fn state<'a>(info: &'a Value, part: &str, kind: &str) -> &'a Value {
    let parts = info["parts"].as_array().unwrap();
    &parts.iter().find(|group| group["part"] == part && group["kind"] == kind).unwrap()["in_the_tuning"]
}

#[test]
fn a_tuned_file_tells_its_tuning_and_what_its_activations_learned() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let tune = "--activation pvlu --train activations,statistics --head-epochs 1 --epochs 2 --batch-size 3 --augment \
                --schedule cosine --weight-decay 0.5 --seed 5 --quiet --out t.safetensors --json";
    let tuned = run_json(&place, &format!("{TUNE} {tune}"));
    let info = run_json(&place, "info t.safetensors --json --csv new/l.csv --plot l.svg");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((&info["model"], &info["activation"]), (&json!("cifar_resnet20"), &json!("pvlu")));
    assert_eq!((&info["container"], &info["version"]), (&json!("safetensors"), &json!(version)));
    assert_eq!((&info["labels"], &info["image"]), (&json!(["dark", "light"]), &json!([32, 32])));
    assert_eq!(info["trained_on"], json!(["8 images of folder"]));
    let mut tuning = info["tuning"].clone();
    let loss = tuning["kept"].as_object_mut().unwrap().remove("training_loss").unwrap();
    assert!(loss.as_f64().unwrap() > 0.0, "{loss}");
    let expected = json!({
        "version": version, "activation_before": "relu", "loss": "cross_entropy", "optimizer": "adamw",
        "betas": [0.9, 0.999], "epsilon": 1e-8, "weight_decay": 0.5, "schedule": "cosine", "batch_size": 3,
        "augmentation": { "flip": true, "shift": 4 }, "seed": 5, "train_images": 8, "test_images": 8,
        "phases": [
            { "train": ["head"], "epochs": 1, "learning_rate": 0.001 },
            { "train": ["activations", "statistics"], "epochs": 2, "learning_rate": 0.001 },
        ],
        "kept": { "phase": 1, "epoch": 2 }, "top1_before": tuned["top1_before"], "top1": tuned["top1"],
    });
    assert_eq!(tuning, expected);
    for (part, kind, expected) in [
        ("trunk", "weight", "frozen"),
        ("trunk", "scale", "frozen"),
        ("trunk", "running mean", "updated"),
        ("trunk", "activation", "trained"),
        ("head", "weight", "trained"),
    ] {
        assert_eq!(state(&info, part, kind), expected, "{part} {kind}");
    }
    // The table is that of the values in the file.
    let csv = Csv::read(&place.path("new/l.csv"));
    assert_eq!(csv.rows.len(), 2 * 19);
    let alpha = csv.rows_with(&[("parameter", "alpha"), ("order", "0")])[0];
    let mut values = vec![0.0_f32; 16];
    TensorFile::open(place.path("t.safetensors")).unwrap().read_into("act0.alpha", &mut values).unwrap();
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / 16.0;
    assert!((number(alpha, "mean") - mean).abs() < 1e-6 && mean != 0.0, "{alpha:?}");
    let greatest = f64::from(values.iter().copied().fold(f32::MIN, f32::max));
    assert!((number(alpha, "maximum") - greatest).abs() < 1e-6 && alpha["channels"] == "16", "{alpha:?}");
    assert_eq!(["alpha", "beta"].map(|of| number(csv.rows_with(&[("parameter", of)])[0], "start")), [0.0, 1.0]);
    assert_eq!(info["learned"].as_array().unwrap().len(), csv.rows.len());
    let drawn = fs::read_to_string(place.path("l.svg")).unwrap();
    let texts: Vec<String> = roxmltree::Document::parse(&drawn)
        .unwrap()
        .descendants()
        .filter_map(|node| node.text().map(str::to_owned))
        .collect();
    for wanted in ["What pvlu learned", "pvlu: alpha, started from 0", "pvlu: beta, started from 1"] {
        assert!(texts.iter().any(|text| text == wanted), "{texts:?}");
    }
    zoo(&place, "info t.safetensors --plot l.png").succeeded();
    assert!(fs::read(place.path("l.png")).unwrap().starts_with(b"\x89PNG"));
    let said = zoo(&place, "info t.safetensors").succeeded().stdout;
    for words in [
        "t.safetensors: safetensors, ",
        "cifar_resnet20<pvlu, 2> on 3x32x32",
        "from relu, seed 5",
        "2: 2 epochs of activations, statistics, learning rate 0.001, cosine",
        "the network after epoch 2 of phase 2",
        "alpha, which started from 0:",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }

    // Under other names all of it stays, and after a tuning that trains nothing. One more tuning is another one.
    zoo(&place, "convert t.safetensors c.safetensors --to torchvision").succeeded();
    let again = "finetune --dataset folder --data images --quiet --weights";
    zoo(&place, &format!("{again} t.safetensors --train none --out n.safetensors")).succeeded();
    for same in ["c.safetensors", "n.safetensors"] {
        let other = run_json(&place, &format!("info {same} --json"));
        assert_eq!((&other["tuning"], &other["parts"]), (&info["tuning"], &info["parts"]), "{same}");
    }
    zoo(&place, &format!("{again} c.safetensors --train head --epochs 1 --out u.safetensors")).succeeded();
    let later = run_json(&place, "info u.safetensors --json");
    assert_eq!((&later["tuning"]["earlier"], &later["tuning"]["activation_before"]), (&json!(1), &json!("pvlu")));
    assert_eq!(
        (state(&later, "trunk", "activation"), state(&later, "head", "weight")),
        (&json!("frozen"), &json!("trained"))
    );
    assert_eq!(later["learned"][0]["start"], Value::Null);
}

#[test]
fn a_tuning_that_ended_early_says_which_network_was_kept() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let both = "--train weights --epochs 4 --head-epochs 2 --learning-rate 10 --out t.safetensors --quiet";
    zoo(&place, &format!("{TUNE} {both}")).failed(1, &["the network after its 2 epochs was kept"]);
    let info = run_json(&place, "info t.safetensors --json");
    let tuning = &info["tuning"];
    assert_eq!((&tuning["kept"]["phase"], &tuning["kept"]["epoch"]), (&json!(0), &json!(2)));
    assert_eq!((tuning["phases"].as_array().unwrap().len(), tuning.get("top1")), (2, None));
    // Nothing of the second phase is left in it.
    assert_eq!(["trunk", "head"].map(|part| state(&info, part, "weight")), ["frozen", "trained"]);
}

#[test]
fn records_of_an_earlier_version_and_hostile_ones_are_no_obstacle() {
    let place = Place::new();
    folder(&place);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    zoo(&place, &format!("{TUNE} --epochs 1 --quiet --out t.safetensors")).succeeded();
    let file = TensorFile::open(place.path("t.safetensors")).unwrap();
    let of = |changes: &[(&str, Option<&str>)]| {
        let mut metadata = file.metadata().clone();
        for (key, value) in changes {
            let key = format!("pvlu_zoo.{key}");
            metadata.remove(&key).unwrap();
            metadata.extend(value.map(|value| (key, value.to_owned())));
        }
        rewrite(&file, &place.path("x.safetensors"), &metadata, |_, _| ());
    };
    of(&[("tuning", None), ("frozen", None), ("trained_on", None), ("version", None)]);
    let old = run_json(&place, "info x.safetensors --json");
    assert_eq!([&old["tuning"], &old["version"], state(&old, "trunk", "weight")], [&Value::Null; 3]);
    let said = zoo(&place, "info x.safetensors").succeeded().stdout;
    assert!(!said.contains("TUNING") && !said.contains("tuned") && said.contains("alpha:\n"), "{said}");

    let long = format!("{{\"x\":\"{}\"}}", "\u{1b}[2J".repeat(30_000));
    for wrong in ["no JSON", "[]", r#"{"seed":"\u001b[2J"}"#, r#"{"phases":7}"#, &"[".repeat(60_000), &long] {
        of(&[("tuning", Some(wrong)), ("frozen", Some(wrong)), ("trained_on", Some(wrong))]);
        let said = zoo(&place, "info x.safetensors").succeeded().stdout;
        assert!(
            said.contains("tuned             not readable: expected ") && said.contains("cifar_resnet20<pvlu"),
            "{said}"
        );
        assert!(said.len() < 20_000 && !said.contains('\u{1b}'), "{said}");
        let found = run_json(&place, "info x.safetensors --json");
        assert!(found["tuning"]["not_readable"].is_string(), "{found}");
        // It is of no importance to what a file is there for.
        zoo(&place, "convert x.safetensors y.safetensors --force").succeeded();
    }
    // Tensors that the network has not, and numbers beyond it.
    let odd = r#"[{"part":"tail","kind":"hair","state":"trained","tensors":18446744073709551615,"elements":0}]"#;
    let many = r#"{"earlier":18446744073709551615,"kept":{"phase":18446744073709551615,"epoch":0}}"#;
    of(&[("tuning", Some(many)), ("frozen", Some(odd))]);
    let said = zoo(&place, "info x.safetensors").succeeded().stdout;
    assert!(said.contains("after 18446744073709551615 earlier tunings") && !said.contains("hair"), "{said}");
    of(&[("labels", Some("{}"))]);
    let said = zoo(&place, "info x.safetensors").succeeded().stdout;
    assert!(said.contains("not known: ") && said.contains("metadata pvlu_zoo.labels: expected a JSON array"), "{said}");
    of(&[("preprocessing", Some("boil"))]);
    let said = zoo(&place, "info x.safetensors").succeeded().stdout;
    assert!(said.contains("preprocessing     not readable: ") && said.contains("boil"), "{said}");
}

#[test]
fn a_file_is_described_whoever_wrote_it_and_a_model_comes_before_a_file_of_its_name() {
    let place = Place::new();
    weights(&place.path("vgg16"), "cifar_resnet20", "relu", 10);
    assert!(zoo(&place, "info vgg16").succeeded().stdout.starts_with("vgg16<relu, 1000>"));
    let said = zoo(&place, "info ./vgg16").succeeded().stdout;
    assert!(said.starts_with("./vgg16: safetensors, ") && said.ends_with("relu has no trained parameters\n"), "{said}");
    assert!(said.contains("classes           10, the usual ones of as many: \"airplane\", \"automobile\""), "{said}");
    zoo(&place, "convert ./vgg16 named.safetensors --to torchvision").succeeded();
    assert_eq!(run_json(&place, "info named.safetensors --json")["model"], "cifar_resnet20");
    // Slopes of PReLU, and the start values of a formula.
    for (activation, parameters) in
        [("prelu", vec!["alpha"]), ("f = a*relu(x) + x*sigmoid(b*x); a = 0.5; b = 2", vec!["a", "b"])]
    {
        weights(&place.path("p.safetensors"), "cifar_resnet20", activation, 10);
        let info = run_json(&place, "info p.safetensors --json");
        let first: Vec<&str> = info["learned"]
            .as_array()
            .unwrap()
            .iter()
            .take(parameters.len())
            .map(|row| row["parameter"].as_str().unwrap())
            .collect();
        assert_eq!(first, parameters);
    }
    // Models that are none of these.
    tensor(&place.path("one.safetensors"), "a\u{1b}[2J", &[2, 3], &[0.0; 6]);
    let said = zoo(&place, "info one.safetensors").succeeded().stdout;
    for words in ["one.safetensors: safetensors, 1 tensors", "not known: ", "a\\u{1b}[2J F32 [2, 3]", "--model NAME"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    for (name, container) in [
        ("keras/flat.keras", "HDF5 in an archive of Keras"),
        ("keras/sharded.weights.json", "JSON of Keras, with 2 files of HDF5"),
        ("torch/module.pt", "torch's zip archive"),
        ("torch/module_stream.th", "torch's stream of before 1.6"),
    ] {
        let info = run_json(&place, &format!("info {} --json", fixture(name)));
        assert_eq!((&info["container"], &info["model"]), (&json!(container), &Value::Null), "{name}");
        assert!(info["first_tensors"][0]["name"].is_string(), "{info}");
    }
    zoo(&place, "info one.safetensors --model cifar_resnet20").failed(1, &["one.safetensors"]);
    zoo(&place, "info one.safetensors --model vgg61").failed_in_one_line(2, &["unknown model \"vgg61\""]);
}

#[test]
fn what_cannot_be_described_or_shown_is_named() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let bytes = fs::read(place.path("w.safetensors")).unwrap();
    fs::write(place.path("cut.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(place.path("text.h5"), "no weights").unwrap();
    for (arguments, code, words) in [
        ("missing.safetensors", 1, "missing.safetensors: "),
        ("some/where", 1, "some/where: "),
        ("cut.safetensors", 1, "cut.safetensors: "),
        ("text.h5", 1, "text.h5: expected a file of safetensors, torch or HDF5"),
        (".", 1, "found a folder"),
        ("vgg61", 2, "unknown model \"vgg61\""),
        ("w.safetensors --activation pvlu", 2, "--activation is for a model without weights"),
        ("vgg16 --plot x.svg", 2, "--plot is for a file of weights"),
        ("w.safetensors --plot x.gif", 2, "ends in .svg or .png"),
        ("w.safetensors --plot x.svg", 2, "relu has no trained parameters"),
        ("w.safetensors --csv w.safetensors --force", 2, "which is read"),
        ("w.safetensors --csv x.svg --plot x.svg", 2, "x.svg is one file"),
    ] {
        zoo(&place, &format!("info {arguments}")).failed_in_one_line(code, &[words]);
    }
    assert!(!place.path("x.svg").exists() && fs::read(place.path("w.safetensors")).unwrap() == bytes);
}

/// The index alone is named on the command line.
#[test]
fn a_file_that_another_one_lists_is_not_written_over() {
    let place = Place::new();
    for name in ["sharded.weights.json", "sharded_00000.weights.h5", "sharded_00001.weights.h5"] {
        fs::copy(fixture(&format!("keras/{name}")), place.path(name)).unwrap();
    }
    weights(&place.path("model.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("config.json"), "{}").unwrap();
    for (input, output) in [("sharded.weights.json", "sharded_00001.weights.h5"), ("model.safetensors", "config.json")]
    {
        let before = fs::read(place.path(output)).unwrap();
        for command in [
            format!("convert {input} {output}"),
            format!("export --format onnx --weights {input} --out {output}"),
            format!("info {input} --csv {output}"),
            format!("finetune --dataset folder --data . --weights {input} --out {output}"),
        ] {
            zoo(&place, &format!("{command} --force")).failed_in_one_line(2, &[output, "which is read"]);
        }
        assert!(fs::read(place.path(output)).unwrap() == before);
    }
}
