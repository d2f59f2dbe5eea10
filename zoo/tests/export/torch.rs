//! Models as programs for torch: read again, and run.
//!
//! Programs run where `python3`, or the interpreter that PVLU_PYTHON names, has torch and safetensors, and are skipped
//! with a message elsewhere. With PVLU_PYTHON_TORCH, which names another one, a package that is not there is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dfdx::nn::modules::Tanh;
use dfdx::prelude::{Cpu, DeviceBuildExt};
use pvlu::activation::{Pvlu, Relu};
use pvlu::layer::builder::{Act, Conv2D, FromDfdx, GlobalAvgPool2D, Linear, LinearTo, TrunkAndHead};
use pvlu_zoo::checkpoint::{Notes, Wanted, open};
use pvlu_zoo::export::{ExportError, torch};
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::names::LayerNames;
use pvlu_zoo::registry::{ModelEntry, Sides, find, models};
use pvlu_zoo::resnet::cifar::ResNet20;
use pvlu_zoo::source::Source;
use pvlu_zoo::weights::Architecture;
use safetensors::SafeTensors;

use crate::networks::{self, Square};
use crate::onnxruntime::{FORMULA, TOLERANCE};
use crate::{sized, small};

/// A formula whose parameters have names that mean something to torch, and to Python.
const RESERVED: &str =
    "f = max(x, 0) + half*sin(lambda*x) + fixed_*min(x, 0); half = 0.1; lambda = 1; fixed fixed_ = 0.2";

/// Writes a model of the registry into a folder, as `model.py` and `model.safetensors`.
fn write(model: &dyn Model, entry: &ModelEntry, source: Source, folder: &Path) -> Result<(), ExportError> {
    torch::save(model, entry, source, &folder.join("model.py"), &Notes::default())
}

/// The text of a program.
fn program(folder: &Path) -> String {
    fs::read_to_string(folder.join("model.py")).unwrap()
}

/// Sizes of the tensors in the file of weights, by the names in the file.
fn tensors(folder: &Path) -> BTreeMap<String, Vec<usize>> {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, tensor)| (name, tensor.shape().to_vec())).collect()
}

fn images(model: &dyn Model) -> Vec<f32> {
    (0..2 * model.image_len()).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0).sin()).collect()
}

#[test]
fn weights_that_are_written_for_torch_are_read_again_to_the_last_bit() {
    for (name, tensor, shape) in [
        ("cifar_resnet20", "layer1.0.conv1.weight", [16, 16, 3, 3]),
        ("resnet50v2", "conv2_block1_2_conv.weight", [64, 64, 3, 3]),
    ] {
        let entry = find(name).unwrap();
        for activation in ["relu", "pvlu", RESERVED] {
            let folder = tempfile::tempdir().unwrap();
            let model = small(entry, activation);
            write(model.as_ref(), entry, Source::Native, folder.path()).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
            assert_eq!(tensors(folder.path())[tensor], shape);
            let opened = open(folder.path().join("model.safetensors"), &Wanted::default()).unwrap();
            assert_eq!((opened.entry.name, opened.model.activation()), (name, model.activation()));
            assert!(opened.report.fresh.is_empty() && opened.report.ignored.is_empty());
            let images = images(model.as_ref());
            assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images).unwrap());
        }
    }
}

#[test]
fn parameters_are_in_the_module_of_their_activation() {
    let folder = tempfile::tempdir().unwrap();
    let entry = find("cifar_resnet20").unwrap();
    write(small(entry, "pvlu").as_ref(), entry, Source::Native, folder.path()).unwrap();
    let found = tensors(folder.path());
    let alphas: Vec<&String> = found.keys().filter(|name| name.ends_with(".alpha")).collect();
    assert_eq!(alphas.len(), 19);
    assert!(["act1.alpha", "layer1.0.act1.alpha", "layer3.2.act2.alpha"].iter().all(|name| found.contains_key(*name)));
    assert!(program(folder.path()).contains("self.layer1[0].act1 = PVLU(16)"));
    // A network as a type, without its name.
    ResNet20::<Pvlu>::load(folder.path().join("model.safetensors")).unwrap();

    write(small(entry, RESERVED).as_ref(), entry, Source::Native, folder.path()).unwrap();
    assert!(
        ["half_", "lambda_", "fixed_"].iter().all(|name| tensors(folder.path()).contains_key(&format!("act1.{name}")))
    );
}

#[test]
fn the_network_is_that_of_torchvision_or_timm_where_they_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let entry = find("resnet18").unwrap();
    let text = |activation: &str, source| {
        write(small(entry, activation).as_ref(), entry, source, folder.path()).unwrap();
        program(folder.path())
    };
    let relu = text("relu", Source::Native);
    assert!(relu.contains("return torchvision.models.resnet18(weights=None, num_classes=CLASSES)"), "{relu}");
    assert!(!relu.contains("class ") && !relu.contains("import timm"));
    let pvlu = text("pvlu", Source::Torchvision);
    assert!(pvlu.contains("torchvision.models.ResNet(Block, [2, 2, 2, 2], num_classes=CLASSES)"), "{pvlu}");
    assert!(pvlu.contains("class Block(torchvision.models.resnet.BasicBlock)") && pvlu.contains("class PVLU"));
    let timm = text("pvlu", Source::Timm);
    assert!(timm.contains("timm.create_model(\"resnet18\", num_classes=CLASSES)"), "{timm}");
    assert!(timm.contains("    \"layer1.0.act1\": 64,\n") && timm.contains("    \"act1\": 64,\n"));
    // A parameter for each element is for images of one size, which no library's network is told.
    assert!(text("prelu_element", Source::Torchvision).contains("class Network(nn.Module)"));
}

/// Names for more layers than the networks have.
fn numbered(_: (usize, usize)) -> Vec<LayerNames> {
    (0..20).map(|number| LayerNames::torch(format!("part{}.{number}", number / 3))).collect()
}

/// An entry for networks that are not in the registry. Its own is not built.
fn own() -> ModelEntry {
    type Net = TrunkAndHead<(Conv2D<3, 8, 3, 1, 1>, Act<Relu, 8>), (GlobalAvgPool2D, LinearTo<8>)>;
    ModelEntry::new::<Net>("own \"one\"", Sides::Any { least: 1, default: 32 }, 10, numbered)
}

#[test]
fn what_torch_has_no_operation_for_is_an_error_that_names_the_layer_and_leaves_no_file() {
    let dev = Cpu::seed_from_u64(0);
    type Foreign<A> = (Conv2D<3, 4, 3>, A, GlobalAvgPool2D, Linear<4, 2>);
    let folder = tempfile::tempdir().unwrap();
    let foreign = Classifier::cifar(dev.build_module::<Foreign<FromDfdx<Tanh>>, f32>());
    let error = write(&foreign, &own(), Source::Native, folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "layer \"1\": Tanh of dfdx has no operation in torch");
    let unknown = Classifier::cifar(dev.build_module::<Foreign<Act<Square, 4>>, f32>());
    let error = write(&unknown, &own(), Source::Native, folder.path()).unwrap_err();
    assert!(error.to_string().contains("layer \"1\": the formula of the activation \"square\""), "{error}");

    let sides = Sides::Any { least: 1, default: 32 };
    type Net = TrunkAndHead<(Conv2D<3, 8, 3, 1, 1>, Act<Relu, 8>), (GlobalAvgPool2D, LinearTo<8>)>;
    let named = ModelEntry::new::<Net>("own", sides, 2, |_| vec![LayerNames::torch("class"), LayerNames::torch("fc")]);
    let fine = Classifier::cifar(dev.build_module::<Foreign<Act<Relu, 4>>, f32>());
    let error = write(&fine, &named, Source::Native, folder.path()).unwrap_err();
    assert!(error.to_string().starts_with("layer \"0\": cannot be called \"class\" in Python"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The interpreter that has torch and these packages.
fn python(packages: &str) -> Option<String> {
    let required = std::env::var("PVLU_PYTHON_TORCH").ok();
    let python = required.clone().or_else(|| std::env::var("PVLU_PYTHON").ok()).unwrap_or("python3".to_owned());
    let has_them = Command::new(&python).args(["-c", &format!("import torch, safetensors{packages}")]).output();
    let has_them = has_them.is_ok_and(|ran| ran.status.success());
    assert!(has_them || required.is_none(), "PVLU_PYTHON_TORCH: {python} has not torch, safetensors{packages}");
    if !has_them {
        println!("skipped: {python} has not torch, safetensors{packages}; PVLU_PYTHON_TORCH names another interpreter");
    }
    has_them.then_some(python)
}

/// Runs Python in a folder.
fn run(python: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(python).args(arguments).current_dir(folder).output().unwrap()
}

/// Runs the program of a model, which checks itself.
fn is_checked(python: &str, model: &dyn Model, entry: &ModelEntry, source: Source) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    write(model, entry, source, folder.path()).unwrap();
    let ran = run(python, folder.path(), &["model.py"]);
    let [out, error] = [&ran.stdout, &ran.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    let activation = model.activation().unwrap_or("none");
    println!("{} with {activation:.40} of {source}: {}", entry.name, out.trim());
    if ran.status.success() { Ok(()) } else { Err(format!("{} with {activation}: {out}{error}", entry.name)) }
}

#[test]
fn three_models_give_their_logits_in_torch() {
    let Some(python) = python("") else { return };
    for name in ["cifar_resnet20", "vgg16", "resnet50v2"] {
        let entry = find(name).unwrap();
        for activation in ["pvlu", FORMULA] {
            is_checked(&python, sized(entry, activation, 32).as_ref(), entry, Source::Native).unwrap();
        }
    }
}

#[test]
fn every_activation_gives_its_logits_in_torch() {
    let Some(python) = python("") else { return };
    let entry = find("cifar_resnet20").unwrap();
    let others = ["f = a*x^0; a = 0.5", "f = sqrt(2)*max(x, 1) + min(2, a) - min(a, x); a = 3", RESERVED];
    for activation in pvlu::activation::BUILT_IN.iter().map(|known| known.name()).chain(others) {
        is_checked(&python, small(entry, activation).as_ref(), entry, Source::Native).unwrap();
    }
}

#[test]
fn networks_with_every_other_layer_give_their_logits_in_torch() {
    let Some(python) = python("") else { return };
    for (name, model) in networks::all() {
        is_checked(&python, model.as_ref(), &own(), Source::Native).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_network_that_was_tuned_in_torch_is_read_here_and_other_weights_are_told_apart() {
    let Some(python) = python("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let entry = find("cifar_resnet20").unwrap();
    let model = sized(entry, "pvlu", 32);
    write(model.as_ref(), entry, Source::Native, folder.path()).unwrap();
    let tune = "import model, torch\n\
                net = model.build()\n\
                with torch.no_grad():\n    net.layer1[0].act1.alpha += 0.5\n    net.act1.beta *= 1.5\n\
                model.save(net, 'tuned.safetensors')\n\
                print(*net(model.check_input())[0].tolist())\n\
                facts = model.metadata()\n\
                model.save_file(net.state_dict(), model.WEIGHTS, metadata=facts)";
    let ran = run(&python, folder.path(), &["-c", tune]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let tuned = open(folder.path().join("tuned.safetensors"), &Wanted::default()).unwrap();
    let input: Vec<f32> = (0..model.image_len()).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect();
    let found = tuned.model.logits(input.clone()).unwrap();
    assert_ne!(found, model.logits(input).unwrap());
    let largest = found.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    let expected = String::from_utf8(ran.stdout).unwrap();
    let expected: Vec<f32> = expected.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < TOLERANCE * largest));
    // The program compares other weights with the logits of the first.
    let ran = run(&python, folder.path(), &["model.py"]);
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).starts_with("largest difference of a logit"));
}

#[test]
#[ignore = "takes minutes: cargo test -p pvlu_zoo --test export -- --ignored --nocapture torch"]
fn every_model_gives_its_logits_in_torch() {
    let python = python(", torchvision, timm").expect("an interpreter with torch, torchvision and timm");
    let mut beyond = Vec::new();
    for entry in models() {
        // Those that a library has for images of one size alone, for that size.
        let side = match entry.sides() {
            Sides::Any { least, .. } => least,
            Sides::Square(sides) => sides[0],
        };
        let has_timm = entry.names((side, side)).iter().all(|layer| layer.name_by(Source::Timm).is_some());
        let sources = [Some(Source::Native), has_timm.then_some(Source::Timm)];
        for source in sources.into_iter().flatten() {
            for activation in ["relu", "pvlu"] {
                let model = sized(entry, activation, side);
                beyond.extend(is_checked(&python, model.as_ref(), entry, source).err());
            }
        }
    }
    assert!(beyond.is_empty(), "{beyond:?}");
}
