//! The option that cuts batches into shards.

use clap::builder::{RangedU64ValueParser, TypedValueParser};
use pvlu_zoo::device::Device;

use crate::common::error::CliError;
use crate::common::ranks;

/// The most shards accepted: each has a thread, and a copy of the gradients.
const MOST: u64 = 1024;

/// Parser of a number of shards.
pub fn parser() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<u64>::new().range(1..=MOST).map(|shards| shards as usize)
}

/// Refuses shards on a device that has none, and a number of them that ranks cannot share.
///
/// # Errors
///
/// [`CliError::Usage`].
pub fn check(shards: usize, device: Device) -> Result<(), CliError> {
    let ranks = ranks::count();
    if device == Device::Cpu && !shards.is_multiple_of(ranks) {
        return Err(CliError::Usage(format!(
            "--shards {shards} on {ranks} ranks: expected a number that {ranks} divides, as --shards {ranks}: \
             it is a part of the recipe, as the size of a batch is"
        )));
    }
    if ranks > 1 && device != Device::Cpu {
        return Err(CliError::Usage(format!("--device {device} on {ranks} ranks: they train on the CPU alone")));
    }
    if shards == 1 || device == Device::Cpu {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "--shards {shards} with --device {device}: shards are computed on the CPU alone: leave out one of the two"
    )))
}

/// The number of shards as a configuration has it; none of whole batches.
pub fn kept(shards: usize) -> Option<u64> {
    (shards > 1).then_some(shards as u64)
}

/// The images in a step as a configuration has them: of whole batches as before there were shards, so that trainings
/// that earlier versions kept go on.
pub fn batch_text(batch_size: usize, shards: usize) -> String {
    match shards {
        1 => batch_size.to_string(),
        _ => format!("{batch_size} in {shards} shards"),
    }
}
