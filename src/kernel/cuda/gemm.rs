//! Products of row-major matrices, by cuBLAS.

use std::ffi::c_int;

use cudarc::cublas::sys::cublasOperation_t;
use dfdx::tensor::CudaError;

use super::element::Gemm;
use super::{CudaElement, Gpu, View, ViewMut};
use crate::kernel::write::Write;

/// A row-major matrix without gaps, or its transpose.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a, E> {
    elements: View<'a, E>,
    /// As it lies in memory.
    stored: [usize; 2],
    transposed: bool,
}

impl<'a, E: CudaElement> Factor<'a, E> {
    /// The matrix of so many rows and columns.
    pub fn new(elements: View<'a, E>, rows: usize, columns: usize) -> Self {
        assert_eq!(elements.len(), rows * columns, "the elements of a matrix");
        Self { elements, stored: [rows, columns], transposed: false }
    }

    /// With its axes swapped.
    pub fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn rows(&self) -> usize {
        self.stored[usize::from(self.transposed)]
    }

    fn columns(&self) -> usize {
        self.stored[usize::from(!self.transposed)]
    }

    fn operation(&self) -> cublasOperation_t {
        if self.transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
    }
}

/// `to = a b`, or `to += a b`.
pub fn product<E: CudaElement>(
    gpu: &Gpu,
    a: Factor<'_, E>,
    b: Factor<'_, E>,
    to: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    let (rows, columns, depth) = (a.rows(), b.columns(), a.columns());
    assert_eq!(b.rows(), depth, "as many rows as the other one has columns");
    assert_eq!(to.len(), rows * columns, "the elements of the product");
    if to.is_empty() {
        return Ok(());
    }
    if depth == 0 {
        return if write == Write::Replace { gpu.zero(to) } else { Ok(()) };
    }
    // In column-major order, which cuBLAS takes, each matrix is its transpose: to^T = b^T a^T.
    let call = Gemm {
        operations: [b.operation(), a.operation()],
        sizes: [columns, rows, depth].map(size),
        pointers: [b.elements.pointer(), a.elements.pointer(), to.pointer()],
        strides: [b.stored[1], a.stored[1], columns].map(size),
        beta: if write == Write::Add { E::one() } else { E::zero() },
    };
    gpu.device.bind_to_thread()?;
    // SAFETY: each matrix fills its view, as asserted here and in `Factor::new`, and the views borrow the memory. The
    // handle works on the stream of the device.
    Ok(unsafe { E::gemm(&gpu.blas, &call) }?)
}

fn size(size: usize) -> c_int {
    c_int::try_from(size).expect("a matrix has sizes below 2^31")
}
