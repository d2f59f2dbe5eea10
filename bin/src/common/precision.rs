//! The precision of products that models compute in, chosen once at the start of the program, as their device is.

use std::sync::OnceLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pvlu::Precision;
use pvlu_zoo::device::Device;
use serde_json::Value;

use crate::common::error::CliError;
use crate::common::output::note;

static CHOSEN: OnceLock<Precision> = OnceLock::new();

/// Parser of the name of a precision.
pub fn parser() -> impl TypedValueParser<Value = Precision> {
    let choice = Precision::ALL.map(|precision| PossibleValue::new(precision.name()).help(about(precision)));
    PossibleValuesParser::new(choice).try_map(|name| name.parse::<Precision>())
}

/// The effect of a precision on the factors of products, for help.
fn about(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "Factors as they are",
        Precision::Bf16x3 => "Factors split into two numbers of bf16: relative errors of about 5e-6",
        Precision::Bf16 => "Factors rounded to bf16: relative errors of about 2e-3",
    }
}

/// Refuses a reduced precision on a device that has none.
///
/// # Errors
///
/// [`CliError::Usage`], which names both.
pub fn check(precision: Precision, device: Device) -> Result<(), CliError> {
    match device {
        Device::Cpu => Ok(()),
        Device::Cuda(_) if !precision.is_reduced() => Ok(()),
        Device::Cuda(_) => Err(CliError::Usage(format!(
            "--precision {precision} with --device {device}: reduced precisions are there on the CPU alone: leave out \
             one of the two"
        ))),
    }
}

/// Chooses the precision of all models, before any work. Only the first choice counts. Unless `quiet`, a line on stderr
/// says if this processor takes longer in it than in `f32`.
///
/// # Errors
///
/// As for [`check`].
pub fn choose(precision: Precision, device: Device, quiet: bool) -> Result<(), CliError> {
    check(precision, device)?;
    if !quiet && !precision.is_fast() {
        note(&format!(
            "note: --precision {precision} is slower than f32 here: it is computed without the instructions of AMX"
        ));
    }
    CHOSEN.get_or_init(|| precision);
    Ok(())
}

/// The precision of all models; `f32` if none was chosen.
pub fn chosen() -> Precision {
    CHOSEN.get().copied().unwrap_or_default()
}

/// Results with the precision that they were computed in, unless that is `f32`.
pub fn told(mut results: Value) -> Value {
    if chosen().is_reduced() {
        results["precision"] = chosen().name().into();
    }
    results
}
