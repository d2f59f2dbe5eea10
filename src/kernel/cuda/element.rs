//! The element types that the kernels are compiled for.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use cudarc::types::CudaTypeName;
use dfdx::shapes::Dtype;

use crate::kernel::Element;

/// `f32` or `f64`.
pub trait CudaElement: Element + Dtype + DeviceRepr + ValidAsZeroBits + CudaTypeName + Unpin {
    /// What the names of the kernels in this type end with.
    const SUFFIX: &'static str;
}

impl CudaElement for f32 {
    const SUFFIX: &'static str = "_f32";
}

impl CudaElement for f64 {
    const SUFFIX: &'static str = "_f64";
}
