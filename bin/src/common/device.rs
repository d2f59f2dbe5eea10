//! The device that models compute on, chosen once at the start of the program, as the number of threads is.

use std::sync::OnceLock;

use pvlu_zoo::device::{Device, DeviceError};
use pvlu_zoo::model::Model;

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

/// Moves a model to the chosen device.
pub fn placed(model: Box<dyn Model>) -> Result<Box<dyn Model>, DeviceError> {
    model.to_device(chosen())
}
