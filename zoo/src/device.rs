//! Devices that a model computes on.

mod mirror;
mod worker;

pub use mirror::Mirror;

use std::fmt;
use std::str::FromStr;

/// A device, as it is named on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// `cpu`: the processor of the host.
    #[default]
    Cpu,
    /// `cuda` or `cuda:N`: the GPU of this number, from 0.
    Cuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(f, "cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = match text {
            "cpu" => return Ok(Device::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        number.map(Device::Cuda).ok_or_else(|| format!("expected cpu, cuda or cuda:N, found {text:?}"))
    }
}

/// A device that a model cannot be moved to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The crate was built without the device.
    #[error("{0}: this program was built without the feature `cuda`")]
    NotCompiled(Device),
    /// The model was made without a way to move it.
    #[error("this model was built for the CPU alone")]
    NotBuilt,
    /// The device is not there, or reported an error.
    #[error("{device}: {message}")]
    Refused {
        /// Device that was asked for.
        device: Device,
        /// Message of the device.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_as_on_the_command_line() {
        for (text, device) in [("cpu", Device::Cpu), ("cuda", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(wrong.parse::<Device>().unwrap_err().contains("expected cpu"), "{wrong}");
        }
    }
}
