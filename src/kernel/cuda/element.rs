//! The element types that the kernels are compiled for.

use std::ffi::c_int;

use cudarc::cublas::sys::cublasOperation_t;
use cudarc::cublas::{CudaBlas, result::CublasError};
use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use cudarc::types::CudaTypeName;
use dfdx::shapes::Dtype;

use crate::kernel::Element;

/// An element type of the CUDA kernels: `f32` or `f64`.
pub trait CudaElement: Element + Dtype + DeviceRepr + ValidAsZeroBits + CudaTypeName + Unpin {
    /// Suffix of the names of the kernels in this type.
    const SUFFIX: &'static str;

    /// cuBLAS' product of matrices in this type.
    ///
    /// # Safety
    /// The matrices lie in the memory of the device that the handle is of, which is used meanwhile on its stream only.
    #[doc(hidden)]
    unsafe fn gemm(blas: &CudaBlas, call: &Gemm<Self>) -> Result<(), CublasError>;
}

/// `c = op(a) op(b) + beta c`, in column-major order: what `cublasSgemm` and `cublasDgemm` take.
#[derive(Clone, Copy, Debug)]
pub struct Gemm<E> {
    /// Operations on a and b.
    pub(super) operations: [cublasOperation_t; 2],
    /// Rows and columns of c, and the depth.
    pub(super) sizes: [c_int; 3],
    /// Addresses of a, b and c.
    pub(super) pointers: [CUdeviceptr; 3],
    /// Distances between the columns of a, b and c.
    pub(super) strides: [c_int; 3],
    pub(super) beta: E,
}

macro_rules! cuda_element {
    ($element:ty, $suffix:literal, $gemm:ident) => {
        impl CudaElement for $element {
            const SUFFIX: &'static str = $suffix;

            unsafe fn gemm(blas: &CudaBlas, call: &Gemm<Self>) -> Result<(), CublasError> {
                let Gemm { operations, sizes: [m, n, k], pointers: [a, b, c], strides, beta } = *call;
                // SAFETY: the caller's; alpha and beta are read before the call returns, as cuBLAS does with those of
                // the host.
                unsafe {
                    cudarc::cublas::result::$gemm(
                        *blas.handle(),
                        operations[0],
                        operations[1],
                        m,
                        n,
                        k,
                        &1.0,
                        a as *const Self,
                        strides[0],
                        b as *const Self,
                        strides[1],
                        &beta,
                        c as *mut Self,
                        strides[2],
                    )
                }
            }
        }
    };
}
cuda_element!(f32, "_f32", sgemm);
cuda_element!(f64, "_f64", dgemm);
