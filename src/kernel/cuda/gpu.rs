//! The device, its kernels and cuBLAS, which launches need.

use std::cell::RefCell;
use std::sync::Arc;

use cudarc::cublas::CudaBlas;
use cudarc::driver::{CudaDevice, CudaFunction, CudaSlice, DeviceRepr, DriverError, LaunchAsync, LaunchConfig, result};
use cudarc::nvrtc::Ptx;
use dfdx::tensor::{Cuda, CudaError, Storage};

use super::{CudaElement, View, ViewMut};

/// Threads of a block.
pub(super) const THREADS: u32 = 256;

/// Most blocks of a launch: enough to fill any GPU many times over. Kernels stride by the whole grid.
const BLOCKS: usize = 1 << 16;

/// Blocks for so many threads. Depends on sizes only, as all geometry does.
pub(super) fn blocks(threads: usize) -> u32 {
    threads.div_ceil(THREADS as usize).clamp(1, BLOCKS) as u32
}

/// Blocks for a pass over so many elements, in vectors of sixteen bytes.
pub(super) fn blocks_over<E>(elements: usize) -> u32 {
    blocks(elements.div_ceil(16 / size_of::<E>()))
}

/// dfdx's device of the GPU of this number, from 0, with the seed of its random numbers.
///
/// # Errors
///
/// [`Error::Device`](crate::Error::Device) without a GPU, or with none of this number, which dfdx's own constructor
/// panics on.
pub fn open(number: usize, seed: u64) -> Result<Cuda, crate::Error> {
    let driver = |error: DriverError| crate::Error::device(error);
    result::init().map_err(driver)?;
    let count = result::device::get_count().map_err(driver)?;
    if usize::try_from(count).is_ok_and(|count| number < count) {
        return Cuda::try_build(number, seed).map_err(crate::Error::device);
    }
    Err(crate::Error::device(format_args!("there is no GPU of this number: the driver has {count}, numbered from 0")))
}

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

    /// `len` bytes of zero, but at least one: the driver cannot allocate fewer.
    pub fn bytes(&self, len: usize) -> Result<CudaSlice<u8>, CudaError> {
        Ok(self.device.alloc_zeros(len.max(1))?)
    }

    /// Memory of `len` elements, but at least one, with unspecified contents: for kernels that write all that is read.
    pub(super) fn unfilled<T: DeviceRepr>(&self, len: usize) -> Result<CudaSlice<T>, CudaError> {
        // SAFETY: memory of the device, which nothing on the host reads before a kernel or a copy wrote it; every bit
        // pattern is a value of the numbers that it holds.
        Ok(unsafe { self.device.alloc(len.max(1)) }?)
    }

    /// Fills a view with zeros.
    pub(super) fn zero<E: CudaElement>(&self, mut x: ViewMut<'_, E>) -> Result<(), CudaError> {
        if !x.is_empty() {
            self.device.memset_zeros(&mut x)?;
        }
        Ok(())
    }

    /// Launches the kernel of this name in type `E`, with [`THREADS`] in each block, on the stream of the device.
    ///
    /// # Safety
    /// The arguments are of the types of the kernel's parameters, and every element that it reads or writes for them
    /// lies in the memory that a pointer among them points to, which is used meanwhile on the same stream only.
    pub(super) unsafe fn launch<E: CudaElement, P>(
        &self,
        module: &Module,
        kernel: &str,
        blocks: u32,
        arguments: P,
    ) -> Result<(), CudaError>
    where
        CudaFunction: LaunchAsync<P>,
    {
        // SAFETY: the caller's.
        unsafe { self.launch_named(module, &format!("{kernel}{}", E::SUFFIX), blocks, arguments) }
    }

    /// As [`launch`](Self::launch), by the whole name.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn launch_named<P>(
        &self,
        module: &Module,
        kernel: &str,
        blocks: u32,
        arguments: P,
    ) -> Result<(), CudaError>
    where
        CudaFunction: LaunchAsync<P>,
    {
        let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let function = self.function(module, kernel)?;
        // SAFETY: the caller's; the geometry is within what every kernel here is compiled for.
        Ok(unsafe { function.launch(config, arguments) }?)
    }

    /// A kernel of a module, which is loaded first if it was not yet.
    fn function(&self, module: &Module, name: &str) -> Result<CudaFunction, CudaError> {
        if !self.device.has_func(module.name, name) {
            self.device.load_ptx(Ptx::from_src(module.ptx), module.name, module.kernels)?;
        }
        let function = self.device.get_func(module.name, name);
        Ok(function.unwrap_or_else(|| panic!("module {} lists its kernel {name}", module.name)))
    }
}

/// The compiled kernels of a source.
pub(super) struct Module {
    /// Its name among the modules of the device.
    pub name: &'static str,
    /// Its code, for the driver.
    pub ptx: &'static str,
    /// The kernels in it.
    pub kernels: &'static [&'static str],
}

/// The module of the source of this name: its kernels in both element types, and those in one type only, by their whole
/// names.
macro_rules! module {
    ($file:literal, [$($kernel:literal),* $(,)?] $(, also [$($whole:literal),* $(,)?])?) => {
        $crate::kernel::cuda::gpu::Module {
            name: concat!("pvlu_", $file),
            ptx: include_str!(concat!(env!("OUT_DIR"), "/", $file, ".ptx")),
            kernels: &[$(concat!($kernel, "_f32"), concat!($kernel, "_f64"),)* $($($whole,)*)?],
        }
    };
}
pub(super) use module;
