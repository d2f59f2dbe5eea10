//! The test that the fuzz target `checkpoint` makes of its input. `cargo test` makes the same of the files in
//! `corpus/checkpoint`.

// Each program that includes this uses a part of it.
#![allow(dead_code)]

use std::sync::Arc;

use dfdx::prelude::{BuildOnDevice, Cpu, DeviceBuildExt};
use dfdx::shapes::Const;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear, TrunkAndHead};
use pvlu_zoo::model::Classifier;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{FitConfig, FitState, OptimizerConfig, SavedFit, Schedule};

use crate::readers::{assert_readable, described, measured};

/// The network of the training; `seeds.py` has its tensors.
type Net = TrunkAndHead<(Conv2D<3, 2, 1>, BatchNorm2D<2>, Act<Pvlu, 2>), (GlobalAvgPool2D, Linear<2, 10>)>;
type Network = Classifier<<Net as BuildOnDevice<Cpu, f32>>::Built, Const<32>, Const<32>, Const<10>>;

/// Steps of its epochs.
const STEPS: u64 = 3;

/// Bytes of its tensors, and of two moments for those that are trained.
const VALUES: usize = 4 * (50 + 2 * 46);

fn config() -> FitConfig {
    FitConfig::new(2, OptimizerConfig::adam(), 0.01, Schedule::Constant)
}

/// Restores a training from `input` as a file, and as the header of one, so that no mutation has to guess a length; and
/// where all that stands against it is the checksum, from the same with the right one.
pub fn checkpoint(input: &[u8]) {
    with_its_checksum(input);
    let mut framed = (input.len() as u64).to_le_bytes().to_vec();
    framed.extend_from_slice(input);
    framed.extend_from_slice(&[0x3c; VALUES]);
    with_its_checksum(&framed);
}

fn with_its_checksum(bytes: &[u8]) {
    let Err(message) = restore(bytes) else { return };
    if let Some(sealed) = message.contains(": checksum: ").then(|| seal(bytes, &message)).flatten() {
        let _ = restore(&sealed);
    }
}

/// For any bytes, nothing panics, no more memory is taken than they justify, the network is as it was after an error,
/// and what was restored is a moment of a training.
pub fn restore(bytes: &[u8]) -> Result<(), String> {
    let mut model: Network = Classifier::cifar(Cpu::seed_from_u64(1).build_module::<Net, f32>());
    let before = Snapshot::of(&model).expect("the CPU has no errors");
    let shared: Arc<[u8]> = bytes.into();
    let restored = || SavedFit::from_bytes("input", shared).and_then(|kept| kept.restore(&mut model, &config(), STEPS));
    let (restored, memory) = measured(restored);
    assert!(memory.peak <= described(bytes.len()), "{} bytes to restore {}", memory.peak, bytes.len());
    match restored {
        Ok(FitState { epochs, steps, .. }) => {
            assert!(epochs.len() <= 2 && steps <= STEPS, "{} epochs and {steps} steps", epochs.len());
            Ok(())
        }
        Err(error) => {
            let message = error.to_string();
            assert_readable(&message);
            assert!(Snapshot::of(&model).expect("the CPU has no errors") == before, "{message}");
            Err(message)
        }
    }
}

/// The file with the checksum that the message found, instead of the one that the file holds.
fn seal(bytes: &[u8], message: &str) -> Option<Vec<u8>> {
    const KEY: &[u8] = br#"\"crc32\":"#;
    let right = u32::from_str_radix(message.rsplit(' ').next()?, 16).ok()?.to_string();
    let start = bytes.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut sealed = bytes.to_vec();
    sealed.splice(start..start + digits, right.bytes());
    let len = u64::from_le_bytes(sealed[..8].try_into().ok()?) + right.len() as u64;
    sealed[..8].copy_from_slice(&len.checked_sub(digits as u64)?.to_le_bytes());
    Some(sealed)
}
