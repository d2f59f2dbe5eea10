//! What a launch needs: the device, its kernels, and cuBLAS.

use std::cell::RefCell;
use std::sync::Arc;

use cudarc::cublas::CudaBlas;
use cudarc::driver::{CudaDevice, CudaFunction, CudaSlice};
use cudarc::nvrtc::Ptx;
use dfdx::tensor::{Cuda, CudaError, Storage};

use super::{CudaElement, View};

/// A device and its handle of cuBLAS.
#[derive(Clone, Debug)]
pub struct Gpu {
    pub(super) device: Arc<CudaDevice>,
    pub(super) blas: Arc<CudaBlas>,
}

thread_local! {
    /// The devices that this thread met. A handle of cuBLAS takes milliseconds and megabytes to make.
    static MET: RefCell<Vec<Gpu>> = const { RefCell::new(Vec::new()) };
}

impl Gpu {
    /// The device and stream that dfdx's own kernels run on.
    pub fn of(device: &Cuda) -> Result<Self, CudaError> {
        // A slice is the one public thing that names its device.
        let slice = Storage::<f32>::try_alloc_len(device, 1)?;
        Self::met(slice.device())
    }

    /// As [`of`](Self::of), from the device itself.
    pub fn met(device: Arc<CudaDevice>) -> Result<Self, CudaError> {
        let known = MET.with_borrow(|met| met.iter().find(|gpu| Arc::ptr_eq(&gpu.device, &device)).cloned());
        if let Some(gpu) = known {
            return Ok(gpu);
        }
        let blas = Arc::new(CudaBlas::new(device.clone())?);
        let gpu = Self { device, blas };
        MET.with_borrow_mut(|met| met.push(gpu.clone()));
        Ok(gpu)
    }

    /// The elements, once the work that is under way is done.
    pub fn to_host<E: CudaElement>(&self, x: View<'_, E>) -> Result<Vec<E>, CudaError> {
        let mut values = vec![E::default(); x.len()];
        if !x.is_empty() {
            self.device.dtoh_sync_copy_into(&x, &mut values)?;
        }
        Ok(values)
    }

    /// Bytes, zero.
    pub fn bytes(&self, len: usize) -> Result<CudaSlice<u8>, CudaError> {
        Ok(self.device.alloc_zeros(len)?)
    }

    /// A kernel of a module, which is loaded first if it was not yet.
    pub(super) fn function(&self, module: &Module, name: &str) -> Result<CudaFunction, CudaError> {
        if !self.device.has_func(module.name, name) {
            self.device.load_ptx(Ptx::from_src(module.ptx), module.name, module.kernels)?;
        }
        let function = self.device.get_func(module.name, name);
        Ok(function.unwrap_or_else(|| panic!("module {} lists its kernel {name}", module.name)))
    }
}

/// A compiled `.cu` file.
pub(super) struct Module {
    /// Its name among the modules of the device.
    pub name: &'static str,
    /// Its code, for the driver.
    pub ptx: &'static str,
    /// The kernels in it.
    pub kernels: &'static [&'static str],
}

/// The module of the file of this name.
macro_rules! module {
    ($file:literal, [$($kernel:literal),* $(,)?]) => {
        $crate::kernel::cuda::gpu::Module {
            name: concat!("pvlu_", $file),
            ptx: include_str!(concat!(env!("OUT_DIR"), "/", $file, ".ptx")),
            // Each in both element types.
            kernels: &[$(concat!($kernel, "_f32"), concat!($kernel, "_f64"),)*],
        }
    };
}
pub(super) use module;
