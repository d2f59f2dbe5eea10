//! Models as files of Keras: read again, and run by Keras.
//!
//! Keras runs them where `python3`, or the interpreter that PVLU_PYTHON_KERAS names, has it, with the backend that
//! KERAS_BACKEND names; elsewhere those tests are skipped with a message.

use std::fs;
use std::path::Path;
use std::process::Command;

use dfdx::nn::modules::Tanh;
use dfdx::prelude::{Cpu, DeviceBuildExt};
use pvlu::activation::{Activation, Param, Pvlu, Real};
use pvlu::layer::builder::{Act, Conv2D, FromDfdx, GlobalAvgPool2D, Linear};
use pvlu_zoo::checkpoint::{CheckpointError, Notes, Wanted, open};
use pvlu_zoo::export::ExportError;
use pvlu_zoo::export::keras::{APPLICATIONS, files, save};
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::registry::find;
use pvlu_zoo::weights::{TensorFile, WeightsError};

use crate::{networks, sized, small};

/// Largest distance from a model's own logits, in terms of the largest of them.
const TOLERANCE: f32 = 1e-5;

/// A formula with parameters of each kind, of which those that are not trained come first.
const FORMULA: &str =
    "f = max(x, 0) + fix*a*sin(b*x)/(1 + abs(x)) + 0.1*exp_m1(min(x, 0)); fixed fix = 0.5; a = 0.3; b = 1";

/// Images for a model, of a fixed pattern.
fn images(model: &dyn Model, batch: usize) -> Vec<f32> {
    (0..batch * model.image_len()).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0).sin()).collect()
}

/// Writes a model of the registry.
fn write(model: &dyn Model, name: &str, path: &Path) -> Result<(), ExportError> {
    save(model, name, &find(name).unwrap().names(model.image()), path, &Notes::default())
}

#[test]
fn weights_for_keras_are_read_as_the_model_that_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, activation, file) in [
        ("resnet50v2", "relu", "own.weights.h5"),
        ("resnet50v2", "relu", "built.py"),
        ("resnet50v2", "pvlu", "pvlu.py"),
        ("resnet50v2", FORMULA, "formula.py"),
        ("resnet50", "prelu", "v1.py"),
        ("vgg16", "pvlu; fixed alpha = 0.2", "small.py"),
    ] {
        let model = sized(find(name).unwrap(), activation, 32);
        write(model.as_ref(), name, &path(file)).unwrap();
        let weights = files(&path(file)).pop().unwrap();
        let opened = open(weights, &Wanted::default()).unwrap();
        let said = &opened.description;
        assert_eq!((opened.entry.name, said.model.as_deref()), (name, Some(name)));
        assert_eq!(said.activation, model.activation().map(str::to_owned));
        assert_eq!((said.classes, said.image), (Some(10), Some((32, 32))));
        assert!(opened.report.fresh.is_empty(), "{:?}", opened.report.fresh);
        let images = images(model.as_ref(), 1);
        assert_eq!(opened.model.logits(images.clone()).unwrap(), model.logits(images).unwrap(), "{file}");
    }
}

#[test]
fn a_parameter_goes_by_its_own_name_and_that_of_its_layer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.py");
    let model = small(find("cifar_resnet20").unwrap(), "pvlu");
    write(model.as_ref(), "cifar_resnet20", &path).unwrap();
    let weights = path.with_extension("weights.h5");
    let file = TensorFile::open(&weights).unwrap();
    let mut sites = 0;
    model
        .tensors(&mut |tensor| {
            if let Some(site) = tensor.slot.path.strip_suffix(".alpha") {
                let mut values = vec![0.0; tensor.values.len()];
                file.read_into(&format!("act{sites}.alpha"), &mut values).unwrap();
                assert_eq!(values, tensor.values, "{site}");
                sites += 1;
            }
        })
        .unwrap();
    assert_eq!(sites, 19);
    // Keras has no names for the layers of this network: the file is of no model that could be read from it.
    let error = open(&weights, &Wanted::default()).err().unwrap();
    assert!(matches!(error, CheckpointError::Weights(WeightsError::Names { .. })), "{error}");
}

#[test]
fn a_file_name_that_does_not_fit_is_an_error_that_says_which_would() {
    let folder = tempfile::tempdir().unwrap();
    let says = |name: &str, activation: &str, file: &str| {
        let error =
            write(small(find(name).unwrap(), activation).as_ref(), name, &folder.path().join(file)).unwrap_err();
        assert!(matches!(error, ExportError::FileName { .. }));
        error.to_string()
    };
    for file in ["m.h5", "m.onnx", "m.keras", ".weights.h5", "m"] {
        let error = says("resnet50v2", "relu", file);
        let expected = "expected NAME.weights.h5, the weights of keras.applications.ResNet50V2, or NAME.py, a program";
        assert!(error.contains(file) && error.contains(expected), "{error}");
    }
    let error = says("resnet50v2", "pvlu", "m.weights.h5");
    assert!(error.contains("expected NAME.py") && error.contains("has no resnet50v2 with pvlu"), "{error}");
    assert!(says("cifar_resnet20", "relu", "m.weights.h5").contains("has no cifar_resnet20"));
    // With the head for small images, which Keras does not have.
    let small = sized(find("vgg16").unwrap(), "relu", 32);
    assert!(write(small.as_ref(), "vgg16", &folder.path().join("m.weights.h5")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// x^2, by a formula that no other program can see.
#[derive(Clone, Copy, Debug, Default)]
struct Square;

impl Activation for Square {
    const NAME: &'static str = "square";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x * x
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        (x + x, [])
    }
}

#[test]
fn a_layer_that_no_text_describes_is_an_error_that_names_it_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.py");
    let dev = Cpu::seed_from_u64(0);
    type Net<A> = (Conv2D<3, 4, 3>, A, GlobalAvgPool2D, Linear<4, 2>);
    let foreign = Classifier::cifar(dev.build_module::<Net<FromDfdx<Tanh>>, f32>());
    let error = save(&foreign, "foreign", &[], &path, &Notes::default()).unwrap_err();
    assert_eq!(error.to_string(), "layer \"1\": Tanh of dfdx has no operation in Keras");
    let own = Classifier::cifar(dev.build_module::<Net<Act<Square, 4>>, f32>());
    let error = save(&own, "own", &[], &path, &Notes::default()).unwrap_err();
    assert!(error.to_string().contains("layer \"1\": the formula of the activation \"square\""), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The interpreter that has Keras.
fn python() -> Option<String> {
    let named = std::env::var("PVLU_PYTHON_KERAS").ok();
    let python = named.clone().unwrap_or("python3".to_owned());
    let ran = Command::new(&python).args(["-c", "import keras, h5py; assert keras.__version__ >= '3'"]).output();
    let has_it = ran.is_ok_and(|ran| ran.status.success());
    assert!(has_it || named.is_none(), "PVLU_PYTHON_KERAS: {python} has no Keras 3");
    if !has_it {
        println!("skipped: {python} has no Keras 3; PVLU_PYTHON_KERAS names another interpreter");
    }
    has_it.then_some(python)
}

/// Distances of other logits from a model's own, in terms of the largest of them.
#[derive(Debug)]
struct Distances {
    /// Distance of the logits that Keras computes.
    keras: f32,
    /// Distance of those from the weights that Keras saved again, if they are read.
    again: Option<f32>,
}

/// Writes a model, runs it in Keras, and reads the weights that Keras saves.
fn distances(python: &str, model: &dyn Model, name: &str, file: &str) -> Distances {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let names = find(name).map_or_else(|_| Vec::new(), |entry| entry.names(model.image()));
    save(model, name, &names, &path(file), &Notes::default()).unwrap();
    let images = images(model, 2);
    fs::write(path("input"), images.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>()).unwrap();
    let function = APPLICATIONS.iter().find(|(known, _)| *known == name).map_or("", |(_, function)| function);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/run_keras.py");
    let mut command = Command::new(python);
    command.arg(script).arg(path(file)).arg(function).arg(model.classes().to_string());
    command.args(["input", "output", "again.weights.h5"].map(&path));
    let (height, width) = model.image();
    command.args([2, model.channels(), height, width].map(|size| size.to_string()));
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
    let found = fs::read(path("output")).unwrap();
    let found: Vec<f32> = found.chunks(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect();
    let expected = model.logits(images.clone()).unwrap();
    let largest = expected.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    assert!(largest > 0.01 && expected[0] != expected[1] && found.len() == expected.len(), "{name}: {expected:?}");
    let distance = |found: &[f32]| {
        assert!(found.iter().all(|found| found.is_finite()));
        found.iter().zip(&expected).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs() / largest))
    };
    // Keras keeps the names of layers, and not what the file said of the model.
    let wanted = Wanted {
        activation: model.activation().filter(|text| text.contains('=')),
        image: Some((height, width)),
        ..Wanted::default()
    };
    let again = open(path("again.weights.h5"), &wanted).ok();
    let distances = Distances {
        keras: distance(&found),
        again: again.map(|opened| distance(&opened.model.logits(images).unwrap())),
    };
    let (printed, activation) = (String::from_utf8_lossy(&ran.stdout), model.activation().unwrap_or("none"));
    println!("{name} at {height}x{width}, {activation:.40}, {file}: {distances:?}; {}", printed.trim());
    distances
}

#[test]
fn a_network_that_keras_does_not_have_gives_its_logits_there() {
    let Some(python) = python() else { return };
    let model = sized(find("cifar_resnet20").unwrap(), "pvlu", 32);
    assert!(distances(&python, model.as_ref(), "cifar_resnet20", "m.py").keras < TOLERANCE);
    for (name, model) in networks::all() {
        let found = distances(&python, model.as_ref(), name, "m.py");
        assert!(found.keras < TOLERANCE, "{name}: {found:?}");
    }
}

/// Compares a program's logits with those in double precision, which differ from them by rounding, and with wrong ones,
/// both beyond its tolerance.
const ROUNDING: &str = "import keras, m\n\
                        exact = m.in_double()\n\
                        assert exact.dtype == 'float64'\n\
                        assert 0 < abs(exact - m.LOGITS).max() < 1e-6 * abs(exact).max()\n\
                        m.TOLERANCE, m.LOGITS = -1.0, exact.tolist()\n\
                        assert m.main() == 0\n\
                        m.LOGITS = [1.0001 * logit for logit in m.LOGITS]\n\
                        assert m.main() == 1\n\
                        assert keras.config.floatx() == m.load().dtype == 'float32'";

#[test]
fn a_program_for_keras_tells_rounding_from_other_differences() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    type Net = (Conv2D<3, 4, 3>, Act<Pvlu, 4>, GlobalAvgPool2D, Linear<4, 2>);
    let model = Classifier::cifar(Cpu::seed_from_u64(0).build_module::<Net, f32>());
    save(&model, "small", &[], &folder.path().join("m.py"), &Notes::default()).unwrap();
    let ran = Command::new(python).args(["-c", ROUNDING]).current_dir(folder.path()).output().unwrap();
    let [said, error] = [&ran.stdout, &ran.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(ran.status.success(), "{said}{error}");
    assert!(said.starts_with("agrees with pvlu_zoo: ") && said.contains("\nDIFFERS from pvlu_zoo: "), "{said}");
}

#[test]
#[ignore = "takes minutes: cargo test -p pvlu_zoo --test export -- --ignored --nocapture keras"]
fn every_activation_gives_its_logits_in_keras() {
    let python = python().expect("an interpreter with Keras");
    let constant = "f = a*x^0; a = 0.5";
    for activation in pvlu::activation::BUILT_IN.iter().map(|activation| activation.name()).chain([FORMULA, constant]) {
        let model = small(find("cifar_resnet20").unwrap(), activation);
        let found = distances(&python, model.as_ref(), "cifar_resnet20", "m.py");
        assert!(found.keras < TOLERANCE, "{activation}: {found:?}");
    }
}

/// Writes a model in every way, runs it in Keras and reads what Keras saves.
fn goes_to_keras_and_back(name: &str, side: usize) {
    let python = python().expect("an interpreter with Keras");
    for (activation, file) in [("relu", "m.weights.h5"), ("relu", "m.py"), ("pvlu", "m.py"), (FORMULA, "m.py")] {
        let model = sized(find(name).unwrap(), activation, side);
        let found = distances(&python, model.as_ref(), name, file);
        assert!(found.keras < TOLERANCE, "{name} with {activation}: {found:?}");
        // A formula is stated nowhere in what Keras saves: it is refused.
        let is_read = activation != FORMULA;
        assert_eq!(found.again, is_read.then_some(0.0), "{name} with {activation}");
    }
}

#[test]
#[ignore = "takes minutes: cargo test -p pvlu_zoo --test export -- --ignored --nocapture keras"]
fn resnets_of_both_versions_go_to_keras_and_back() {
    goes_to_keras_and_back("resnet50v2", 64);
    goes_to_keras_and_back("resnet50", 64);
}

#[test]
#[ignore = "takes minutes and 4 GB: cargo test -p pvlu_zoo --test export -- --ignored --nocapture keras"]
fn vgg16_goes_to_keras_and_back() {
    goes_to_keras_and_back("vgg16", 224);
}
