//! The bits of one training step of every model, which change with the version of the arithmetic and never without.

#[path = "../../../src/kernel/cpu/golden/table.rs"]
mod table;

use std::path::Path;
use std::process::Command;

use pvlu::NUMERICS_VERSION;
use pvlu::compiled::CompiledTrunk;
use pvlu::kernel::cpu::simd::Level;
use pvlu::layer::{Extent, Mode};
use pvlu::loss::Targets;
use pvlu_zoo::inference::Inference;
use pvlu_zoo::registry::{ModelEntry, Options, Sides, Start, models};
use pvlu_zoo::train::{Optimizer, OptimizerConfig};

/// CRC-32 of numbers by their bits.
#[derive(Default)]
struct Digest(crc32fast::Hasher);

impl Digest {
    fn add(&mut self, values: &[f32]) {
        let mut bytes = [0; 1 << 12];
        for values in values.chunks(bytes.len() / 4) {
            for (bytes, value) in bytes.chunks_exact_mut(4).zip(values) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
            self.0.update(&bytes[..4 * values.len()]);
        }
    }
}

/// CRC-32 of one step on two of the smallest images that the model takes: of its loss, logits and gradients, and of all
/// tensors after it; of the compiled logits then, and of the features of the trunk and the head's logits of them.
fn digest(entry: &'static ModelEntry) -> String {
    let side = match entry.sides() {
        Sides::Any { least, .. } => least,
        Sides::Square(sides) => sides.iter().copied().min().unwrap(),
    };
    let options = Options { activation: "pvlu", classes: 10, image: Some((side, side)), weights: Start::Seed(20) };
    let mut model = entry.build(&options).unwrap();
    model.set_mode(Mode::Train);
    // Exact on every system.
    let images: Vec<f32> = (0..2 * model.image_len()).map(|i| (i * 7919 % 2003) as f32 / 1024.0 - 1.0).collect();
    let mut step = model.step(images.clone(), &[3, 8]).unwrap();
    let mut digest = Digest::default();
    digest.add(&[step.loss as f32]);
    digest.add(&step.logits);
    model
        .update(&mut step.gradients, &mut |_, _, gradient| {
            digest.add(gradient);
            Ok(())
        })
        .unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-7,
        weight_decay: 0.01,
        decoupled: true,
    });
    optimizer.update(model.as_mut(), &mut step.gradients, 1e-3).unwrap();
    model.tensors(&mut |tensor| digest.add(tensor.values)).unwrap();
    digest.add(&Inference::of(model.as_ref()).unwrap().logits(images.clone()).unwrap());
    let trunk = CompiledTrunk::of(model.net(), Extent::image(3, side, side), |size| model.head_takes(size));
    let trunk = trunk.unwrap().unwrap();
    let features = trunk.try_run(&images).unwrap();
    digest.add(&features);
    let step = model.head().unwrap().step_on(features, trunk.features(), &Targets::of(&[3, 8])).unwrap();
    digest.add(&step.logits);
    format!("{:08x}", digest.0.finalize())
}

#[test]
fn a_step_of_every_model_has_the_bits_of_its_version() {
    let found: Vec<_> = models().iter().map(|entry| (entry.name.to_owned(), digest(entry))).collect();
    table::check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/numerics.txt"), NUMERICS_VERSION, &found);
}

/// Runs the test in a process for each level, since a process has one.
#[test]
fn a_step_of_every_model_has_the_same_bits_at_every_level() {
    for level in Level::available().into_iter().filter(|&level| level != Level::current()) {
        let test = "numerics::a_step_of_every_model_has_the_bits_of_its_version";
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", test]).env("PVLU_SIMD", level.name()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{level:?}: {text}");
    }
}
