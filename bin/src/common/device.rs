//! The device that models compute on, chosen once at the start of the program, as the number of threads is.

use std::sync::OnceLock;

use pvlu_zoo::device::{Device, DeviceError};
use pvlu_zoo::model::Model;

use crate::common::precision;

static CHOSEN: OnceLock<Device> = OnceLock::new();

/// Chooses the device of all models, before any work. Only the first choice counts; a device that the program was
/// compiled without is an error.
pub fn choose(device: Device) -> Result<(), DeviceError> {
    if device != Device::Cpu && !cfg!(feature = "cuda") {
        return Err(DeviceError::NotCompiled(device));
    }
    CHOSEN.get_or_init(|| device);
    Ok(())
}

/// The device of all models; the CPU if none was chosen.
pub fn chosen() -> Device {
    CHOSEN.get().copied().unwrap_or_default()
}

/// The kind of the chosen device, which decides the rounding.
pub fn kind() -> &'static str {
    match chosen() {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
    }
}

/// Moves a model to the chosen device, and sets it to the chosen precision.
pub fn placed(model: Box<dyn Model>) -> Result<Box<dyn Model>, DeviceError> {
    let mut model = model.to_device(chosen())?;
    let precision = precision::chosen();
    if precision.is_reduced() {
        model.set_precision(precision);
    }
    Ok(model)
}
