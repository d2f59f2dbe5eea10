//! The program `zoo`, but for tuning.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pvlu_zoo::checkpoint::{Notes, save_model};
use pvlu_zoo::inference::Inference;
use pvlu_zoo::registry::{Options, Start, find};
use pvlu_zoo::weights::{Declared, Dtype, Source, TensorFile, Writer};
use serde_json::Value;

use crate::real_data::shared;
use crate::support::{Place, Ran};

/// `zoo ARGUMENTS` in a folder.
pub fn command(place: &Place, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoo"));
    command.args(arguments.split_whitespace()).current_dir(place.path("")).stdin(Stdio::null());
    command
}

/// Runs `zoo ARGUMENTS` in a folder.
pub fn zoo(place: &Place, arguments: &str) -> Ran {
    Ran::of(command(place, arguments))
}

/// The JSON that `zoo ARGUMENTS` prints.
pub fn json(place: &Place, arguments: &str) -> Value {
    serde_json::from_str(&zoo(place, arguments).succeeded().stdout).unwrap()
}

/// A file of weights drawn from a seed.
pub fn weights(path: &Path, model: &str, activation: &str, classes: usize) {
    save(path, model, activation, classes, &Notes::default());
}

/// As [`weights`], with ReLU and outputs for classes of these names.
pub fn weights_for(path: &Path, model: &str, labels: &[&str]) {
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    save(path, model, "relu", labels.len(), &Notes { labels: Some(&labels), ..Notes::default() });
}

fn save(path: &Path, model: &str, activation: &str, classes: usize, notes: &Notes<'_>) {
    let entry = find(model).unwrap();
    let options = Options { activation, classes, image: None, weights: Start::Seed(3) };
    save_model(entry.build(&options).unwrap().as_ref(), entry, path, Source::Native, notes).unwrap();
}

/// A file with one tensor.
pub fn tensor(path: &Path, name: &str, shape: &[usize], values: &[f32]) {
    let declared = Declared { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() };
    let mut writer = Writer::create(path, vec![declared], &BTreeMap::new()).unwrap();
    writer.write(name, values).unwrap();
    writer.finish().unwrap();
}

/// Writes the tensors of a file again, with changed values and other metadata.
pub fn rewrite(file: &TensorFile, to: &Path, metadata: &BTreeMap<String, String>, change: impl Fn(&str, &mut [f32])) {
    let declared = file.entries().iter().map(|(name, entry)| Declared {
        name: name.clone(),
        dtype: entry.dtype.clone(),
        shape: entry.shape.clone(),
    });
    let mut writer = Writer::create(to, declared.collect(), metadata).unwrap();
    for (name, entry) in file.entries() {
        let mut values = vec![0.0_f32; entry.shape.iter().product()];
        file.read_into(name, &mut values).unwrap();
        change(name, &mut values);
        writer.write(name, &values).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn every_model_is_listed_and_described() {
    let place = Place::new();
    let listed = zoo(&place, "list").succeeded().stdout;
    for entry in pvlu_zoo::registry::models() {
        assert!(listed.lines().any(|line| line.split_whitespace().next() == Some(entry.name)), "{}", entry.name);
        let info = zoo(&place, &format!("info {} --activation pvlu", entry.name)).succeeded().stdout;
        assert!(info.contains("activation sites") && info.contains("multiply-adds"), "{info}");
    }
    let info = json(&place, "info vgg16 --json");
    assert_eq!(info["parameters"], 138_357_544);
    assert_eq!(info["sites"], 15);
    assert_eq!(info["multiply_adds"], 15_470_264_320_u64);
    assert_eq!(info["stages"][4]["output"], "512x7x7");
    assert_eq!(json(&place, "list --json").as_array().unwrap().len(), pvlu_zoo::registry::models().len());
}

#[test]
fn steps_are_timed_and_attributed_to_layers() {
    let place = Place::new();
    let bench = "bench --model cifar_resnet20 --activation pvlu --batch 2 --steps 3 --profile --json";
    for (mode, backward) in [("infer", 0), ("train", 1), ("finetune", 1)] {
        let found = json(&place, &format!("{bench} --mode {mode}"));
        for key in ["median_ms", "images_per_second", "gflops", "peak_gflops", "share_of_peak"] {
            assert!(found[key].as_f64().unwrap() > 0.0, "{mode} {key}");
        }
        assert_eq!(
            (&found["mode"], found["classes"].as_u64(), found["steps"].as_u64()),
            (&mode.into(), Some(10), Some(3))
        );
        let calls = |layer: &str, pass: &str| {
            let rows = found["profile"].as_array().unwrap();
            let row = rows.iter().find(|row| row["layer"] == layer && row["pass"] == pass);
            row.map_or(0, |row| row["calls"].as_u64().unwrap())
        };
        assert_eq!(calls("convolution", "forward"), 19, "{mode}");
        assert_eq!(calls("activation", "forward"), 19, "{mode}");
        assert_eq!(calls("activation", "backward"), 19 * backward, "{mode}");
        // With frozen weights nothing lies below the first convolution that is trained.
        let convolutions = if mode == "finetune" { 18 } else { 19 * backward };
        assert_eq!(calls("convolution", "backward"), convolutions, "{mode}");
        assert_eq!(calls("add", "backward"), 9 * backward, "{mode}");
    }
    let compiled = "bench --model cifar_resnet20 --batch 2 --steps 1 --mode compiled";
    let found = json(&place, &format!("{compiled} --activation pvlu --json"));
    assert_eq!((&found["mode"], found["median_ms"].as_f64() > Some(0.0)), (&"compiled".into(), true));
    zoo(&place, &format!("{compiled} --profile")).failed_in_one_line(2, &["--profile", "give another --mode"]);
    zoo(&place, &format!("{compiled} --activation prelu_element"))
        .failed_in_one_line(2, &["cifar_resnet20 with prelu_element is not compiled", "--mode infer"]);
    let said = zoo(&place, "bench --model cifar_resnet20 --batch 2 --steps 1").succeeded().stdout;
    assert!(said.contains("ms a step") && said.contains("GFLOP/s"), "{said}");
    zoo(&place, "bench --model cifar_resnet20 --mode finetune").failed_in_one_line(2, &["finetune", "relu has none"]);
    zoo(&place, "bench --model alexnet").failed_in_one_line(2, &["unknown model \"alexnet\""]);
    zoo(&place, "bench --model resnet50 --image 4096 --batch 65536 --classes 10").failed_in_one_line(2, &["at most"]);
    zoo(&place, "bench --model cifar_resnet20 --batch 0").failed(2, &["--batch"]);
}

#[test]
fn unknown_names_are_one_line_that_lists_the_known_ones() {
    let place = Place::new();
    zoo(&place, "info alexnet").failed_in_one_line(2, &["unknown model \"alexnet\"", "cifar_resnet110_b"]);
    zoo(&place, "info vgg16 --activation elus").failed_in_one_line(2, &["\"elus\"", "did you mean elu?", "relu, "]);
    zoo(&place, "info vgg16 --classes 1").failed_in_one_line(1, &["vgg16", "1 classes", "2 to 65536"]);
    zoo(&place, "info vgg16 --image 64").failed_in_one_line(1, &["64x64", "224x224 and 32x32"]);
    zoo(&place, "convert missing.safetensors out.safetensors").failed_in_one_line(1, &["missing.safetensors"]);
}

#[test]
fn a_device_that_is_not_there_is_one_line() {
    let place = Place::new();
    let bench = "bench --model cifar_resnet20 --batch 1 --steps 1";
    zoo(&place, &format!("{bench} --device cpu")).succeeded();
    // The message comes before any work of each command.
    zoo(&place, &format!("{bench} --device cuda:7")).failed_in_one_line(1, &["cuda:7", "without the feature `cuda`"]);
    place.run("table4 --device cuda").failed_in_one_line(1, &["cuda:0"]);
    assert_eq!(place.results(), [""; 0]);
    zoo(&place, &format!("{bench} --device tpu")).failed_in_one_line(2, &["expected cpu, cuda or cuda:N", "\"tpu\""]);
}

#[test]
fn logits_are_those_of_the_library_and_of_the_swapped_model() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    let input: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
    tensor(&place.path("x.safetensors"), "input", &[2, 3, 32, 32], &input);
    let read = |name: &str| {
        let mut values = vec![0.0_f32; 20];
        let file = TensorFile::open(place.path(name)).unwrap();
        assert_eq!(file.entries()["logits"].shape, [2, 10]);
        file.read_into("logits", &mut values).unwrap();
        values
    };
    zoo(&place, "logits --weights w.safetensors --input x.safetensors --out y.safetensors").succeeded();
    let entry = find("cifar_resnet20").unwrap();
    let options = Options { activation: "relu", classes: 10, image: None, weights: Start::Seed(3) };
    let model = entry.build(&options).unwrap();
    assert_eq!(read("y.safetensors"), Inference::of(model.as_ref()).unwrap().logits(input).unwrap());
    let pvlu = "logits --model cifar_resnet20 --activation pvlu --classes 10 --weights w.safetensors \
                --source torchvision --input x.safetensors --out z.safetensors";
    zoo(&place, pvlu).succeeded();
    assert_eq!(read("z.safetensors"), read("y.safetensors"), "PVLU at alpha = 0 is ReLU");

    tensor(&place.path("flat.safetensors"), "input", &[2, 3072], &vec![0.0; 2 * 3072]);
    zoo(&place, "logits --weights w.safetensors --input flat.safetensors --out n.safetensors")
        .failed_in_one_line(1, &["flat.safetensors", "input", "[2, 3072]"]);
    zoo(&place, "logits --weights w.safetensors --classes 100 --input x.safetensors --out n.safetensors")
        .failed(1, &["w.safetensors", "nothing was loaded"]);
    zoo(&place, "logits --weights x.safetensors --input x.safetensors --out n.safetensors")
        .failed_in_one_line(1, &["x.safetensors", "name the model"]);
    assert!(!place.path("n.safetensors").exists());
}

#[test]
fn sizes_that_no_machine_has_are_errors() {
    let place = Place::new();
    for side in ["4097", "4000000000", "18446744073709551615"] {
        zoo(&place, &format!("info resnet50 --image {side}"))
            .failed_in_one_line(1, &[side, "any size from 32x32 to 4096x4096"]);
    }
    let large = zoo(&place, "info resnet152v2 --image 4096").succeeded().stdout;
    assert!(large.contains("on 3x4096x4096"), "{large}");
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    for (images, side) in [(0_u64, 1_u64 << 32), (1 << 40, 0)] {
        let header =
            format!(r#"{{"input":{{"dtype":"F32","shape":[{images},3,{side},{side}],"data_offsets":[0,0]}}}}"#);
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        fs::write(place.path("x.safetensors"), file).unwrap();
        // The name of the option in earlier versions is accepted.
        zoo(&place, "logits --weights w.safetensors --input x.safetensors --output y.safetensors")
            .failed_in_one_line(1, &[&format!("{side}x{side}")]);
    }
}

#[test]
fn what_cannot_be_written_is_found_before_the_work_and_no_folder_stays() {
    let place = Place::new();
    fs::write(place.path("file"), "mine").unwrap();
    // None of the files to read is there, so a program that complains of the output looked at it first.
    for arguments in [
        "convert none.safetensors file/out.safetensors",
        "logits --weights none.safetensors --input none.safetensors --out file/out.safetensors",
        "finetune --weights none.safetensors --dataset folder --data none --out file/new/out.safetensors",
    ] {
        zoo(&place, arguments).failed_in_one_line(1, &["file/", "out.safetensors: cannot write"]);
    }
    zoo(&place, "convert none.safetensors new/deep/out.safetensors").failed_in_one_line(1, &["none.safetensors"]);
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    // Fails while it writes.
    zoo(&place, "convert w.safetensors new/deep/out.safetensors --to keras").failed_in_one_line(1, &["no keras names"]);
    assert!(!place.path("new").exists());
    zoo(&place, "convert w.safetensors new/deep/out.safetensors").succeeded();
    assert_eq!(fs::read_dir(place.path("new/deep")).unwrap().count(), 1);
}

#[test]
fn the_other_resnet_50_is_refused_by_its_name() {
    let place = Place::new();
    weights(&place.path("keras.safetensors"), "resnet50", "relu", 10);
    zoo(&place, "convert keras.safetensors out.safetensors --model resnet50_v1_5")
        .failed_in_one_line(1, &["names of resnet50, not of resnet50_v1_5"]);
    weights(&place.path("torch.safetensors"), "resnet50_v1_5", "relu", 10);
    zoo(&place, "convert torch.safetensors out.safetensors --model resnet50")
        .failed_in_one_line(1, &["names of resnet50_v1_5, not of resnet50"]);
    assert!(!place.path("out.safetensors").exists());
}

#[test]
fn a_file_is_converted_and_back() {
    let place = Place::new();
    weights(&place.path("a.safetensors"), "resnet50_v1_5", "pvlu", 10);
    let said = zoo(&place, "convert a.safetensors native.safetensors").succeeded().stdout;
    assert!(said.starts_with("resnet50_v1_5: "), "{said}");
    zoo(&place, "convert a.safetensors b.safetensors --to timm").succeeded();
    zoo(&place, "convert b.safetensors c.safetensors").succeeded();
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert!(bytes("native.safetensors") == bytes("c.safetensors"));
    let [from, to] = ["a.safetensors", "c.safetensors"].map(|name| TensorFile::open(place.path(name)).unwrap());
    assert_eq!(from.entries().keys().collect::<Vec<_>>(), to.entries().keys().collect::<Vec<_>>());
    for (key, entry) in from.entries() {
        let mut values = [0, 1].map(|_| vec![0.0_f32; entry.shape.iter().product()]);
        from.read_into(key, &mut values[0]).unwrap();
        to.read_into(key, &mut values[1]).unwrap();
        assert!(values[0] == values[1], "{key}");
    }
    // What the publisher of such weights says of images is written down where the file did not.
    let usual = pvlu_zoo::image::Preprocessing::TORCHVISION.to_string();
    assert_eq!(to.metadata().get("pvlu_zoo.preprocessing"), Some(&usual));
    zoo(&place, "convert a.safetensors d.safetensors --to keras").failed_in_one_line(1, &["no keras names"]);
}

/// A PNG file, without compression.
pub fn png(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        })
    };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let body = [kind, data].concat();
        file.extend(&body);
        file.extend(crc(&body).to_be_bytes());
    };
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        rows.extend((0..width).flat_map(|x| pixel(x, y)));
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in &rows {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    // One stored block, hence at most 64 KiB.
    let length = u16::try_from(rows.len()).unwrap();
    let adler = (high << 16 | low).to_be_bytes();
    chunk(b"IDAT", &[&[0x78, 1, 1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), &rows, &adler].concat());
    chunk(b"IEND", &[]);
    file
}

/// A grey image of 4x4 pixels.
pub fn grey(value: u8) -> Vec<u8> {
    png(4, 4, |_, _| [value; 3])
}

#[test]
fn images_are_named_and_damaged_ones_refused() {
    let place = Place::new();
    weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 10);
    fs::write(place.path("dark.png"), grey(20)).unwrap();
    let said = zoo(&place, "predict --weights w.safetensors dark.png").succeeded().stdout;
    assert_eq!(said.lines().count(), 6, "{said}");
    assert!(pvlu_zoo::data::labels::CIFAR10.iter().any(|label| said.lines().nth(1).unwrap().ends_with(label)));
    fs::write(place.path("bad.png"), &grey(9)[..40]).unwrap();
    zoo(&place, "predict --weights w.safetensors bad.png").failed_in_one_line(1, &["bad.png"]);
    zoo(&place, "predict --weights w.safetensors missing.png").failed_in_one_line(1, &["missing.png"]);
}

#[test]
fn a_pretrained_resnet_is_as_accurate_as_it_was() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    let unpacked = Command::new(shared.join("data/unpack.sh")).arg(place.path("images")).output().unwrap();
    assert!(unpacked.status.success());
    let weights: PathBuf = shared.join("weights/cifar10_resnet20.safetensors").canonicalize().unwrap();
    let arguments = format!(
        "eval --model cifar_resnet20 --weights {} --dataset cifar10 --data images --limit 1000 --json",
        weights.display()
    );
    let said = json(&place, &arguments);
    assert_eq!((said["top1"].as_f64(), said["images"].as_u64()), (Some(0.936), Some(1000)));
}
