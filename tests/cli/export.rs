//! Models that `zoo export` writes.

use std::fs;

use pvlu_zoo::weights::TensorFile;

use crate::support::Place;
use crate::zoo::{tensor, weights, zoo};

/// True if a file holds these bytes somewhere.
fn holds(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn an_exported_file_says_what_the_file_of_weights_says_and_how_images_are_prepared() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    let ran = zoo(&place, "export --format onnx --weights w.safetensors --out new/m.onnx").succeeded();
    assert!(ran.stdout.contains("cifar_resnet20: ") && ran.stdout.contains("written to new/m.onnx"), "{ran:?}");
    let file = fs::read(place.path("new/m.onnx")).unwrap();
    let texts = [
        "pvlu_zoo.model",
        "cifar_resnet20",
        "pvlu_zoo.activation",
        "pvlu_zoo.preprocessing",
        "[\"airplane\",",
        "logits",
    ];
    for text in texts {
        assert!(holds(&file, text), "no {text}");
    }
    assert!(holds(&file, "BatchNormalization") && holds(&file, "32x32"));

    let folded =
        "export --format onnx --weights w.safetensors --out f.onnx --fold-batch-norm --image 48 --activation pvlu";
    zoo(&place, folded).succeeded();
    let file = fs::read(place.path("f.onnx")).unwrap();
    assert!(!holds(&file, "BatchNormalization") && holds(&file, "48x48"));
}

#[test]
fn a_file_that_is_there_is_exported_over_by_force_alone() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("m.onnx"), "mine").unwrap();
    let line = "export --format onnx --weights w.safetensors --out m.onnx";
    zoo(&place, line).failed_in_one_line(2, &["m.onnx", "--force"]);
    zoo(&place, "export --format onnx --weights w.safetensors --out w.safetensors --force")
        .failed_in_one_line(2, &["w.safetensors", "which is read"]);
    assert_eq!(fs::read(place.path("m.onnx")).unwrap(), b"mine");
    zoo(&place, &format!("{line} --force")).succeeded();
    assert!(holds(&fs::read(place.path("m.onnx")).unwrap(), "pvlu_zoo"));
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2);
}

#[test]
fn a_program_for_torch_and_its_weights_are_written_together_or_not_at_all() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    let line = "export --format torch --weights w.safetensors --out new/m.py";
    let ran = zoo(&place, line).succeeded();
    assert!(ran.stdout.contains("written to new/m.py and new/m.safetensors"), "{ran:?}");
    let program = fs::read_to_string(place.path("new/m.py")).unwrap();
    assert!(
        program.contains("class PVLU(nn.Module)") && program.contains("PREPROCESSING = \"input=32x32 "),
        "{program}"
    );
    assert!(program.contains("def labels()"));

    // One of the two is there.
    for (taken, other) in [("m.py", "m.safetensors"), ("m.safetensors", "m.py")] {
        fs::remove_file(place.path(format!("new/{other}"))).unwrap();
        fs::write(place.path(format!("new/{taken}")), "mine").unwrap();
        zoo(&place, line).failed_in_one_line(2, &[taken, "--force"]);
        assert_eq!(fs::read_dir(place.path("new")).unwrap().count(), 1);
        assert_eq!(fs::read(place.path(format!("new/{taken}"))).unwrap(), b"mine");
        zoo(&place, &format!("{line} --force")).succeeded();
        assert_eq!(fs::read_dir(place.path("new")).unwrap().count(), 2);
    }
    assert!(fs::read_to_string(place.path("new/m.py")).unwrap() == program);

    // Its weights would have the name of the file that is read.
    zoo(&place, "export --format torch --weights w.safetensors --out w.py --force")
        .failed_in_one_line(2, &["w.safetensors", "which is read"]);
    zoo(&place, "export --format torch --weights w.safetensors --out m.pt").failed_in_one_line(2, &["m.pt", "NAME.py"]);
    zoo(&place, "export --format torch --weights w.safetensors --out m.py --fold-batch-norm")
        .failed_in_one_line(2, &["--fold-batch-norm", "onnx"]);
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2);
}

#[test]
fn weights_that_were_written_for_torch_give_the_logits_of_those_that_were_read() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "resnet50v2", "f = max(x, 0) + a*sin(x); a = 0.1", 10);
    let images: Vec<f32> = (0..3 * 224 * 224).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect();
    tensor(&place.path("x.safetensors"), "input", &[1, 3, 224, 224], &images);
    zoo(&place, "export --format torch --weights w.safetensors --out t.py").succeeded();
    let logits = |name: &str| {
        zoo(&place, &format!("logits --weights {name}.safetensors --input x.safetensors --out {name}-y.safetensors"))
            .succeeded();
        let file = TensorFile::open(place.path(format!("{name}-y.safetensors"))).unwrap();
        let mut logits = vec![0.0_f32; 10];
        file.read_into("logits", &mut logits).unwrap();
        logits
    };
    assert_eq!(logits("t"), logits("w"));
}

#[test]
fn a_program_for_keras_and_its_weights_are_written_together_or_not_at_all() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "pvlu", 10);
    let line = "export --format keras --weights w.safetensors --out new/m.py";
    let ran = zoo(&place, line).succeeded();
    assert!(ran.stdout.contains("written to new/m.py and new/m.weights.h5"), "{ran:?}");
    let program = fs::read_to_string(place.path("new/m.py")).unwrap();
    for text in
        ["class PVLU(layers.Layer)", "PREPROCESSING = \"input=32x32 ", "\"airplane\",", "name=\"layer1.0.conv1\""]
    {
        assert!(program.contains(text), "no {text}: {program}");
    }
    let contents = || fs::read_dir(place.path("new")).unwrap().count();
    assert_eq!(contents(), 2);
    // One of the two is there.
    fs::remove_file(place.path("new/m.py")).unwrap();
    fs::write(place.path("new/m.weights.h5"), "mine").unwrap();
    zoo(&place, line).failed_in_one_line(2, &["m.weights.h5", "--force"]);
    assert_eq!((contents(), fs::read(place.path("new/m.weights.h5")).unwrap()), (1, b"mine".to_vec()));
    zoo(&place, &format!("{line} --force")).succeeded();
    assert_eq!(fs::read_to_string(place.path("new/m.py")).unwrap(), program);

    for (out, expected) in [("m.weights.h5", "expected NAME.py"), ("m.onnx", "has no cifar_resnet20 with pvlu")] {
        zoo(&place, &format!("export --format keras --weights w.safetensors --out {out}"))
            .failed_in_one_line(2, &[out, expected]);
    }
    zoo(&place, "export --format keras --weights w.safetensors --out m.py --fold-batch-norm")
        .failed_in_one_line(2, &["--fold-batch-norm", "onnx"]);
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 2);
}

#[test]
fn weights_that_were_written_for_keras_give_the_logits_of_those_that_were_read() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "resnet50v2", "relu", 10);
    let images: Vec<f32> = (0..3 * 32 * 32).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect();
    tensor(&place.path("x.safetensors"), "input", &[1, 3, 32, 32], &images);
    zoo(&place, "export --format keras --weights w.safetensors --out k.weights.h5").succeeded();
    zoo(&place, "export --format keras --weights w.safetensors --activation pvlu --out p.py").succeeded();
    let logits = |file: &str, out: &str, options: &str| {
        zoo(&place, &format!("logits --weights {file} --input x.safetensors --out {out} {options}")).succeeded();
        let file = TensorFile::open(place.path(out)).unwrap();
        let mut logits = vec![0.0_f32; 10];
        file.read_into("logits", &mut logits).unwrap();
        logits
    };
    assert_eq!(logits("k.weights.h5", "k.out", ""), logits("w.safetensors", "w.out", ""));
    assert_eq!(logits("p.weights.h5", "p.out", ""), logits("w.safetensors", "q.out", "--activation pvlu"));
}
