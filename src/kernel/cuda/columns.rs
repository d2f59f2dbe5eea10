//! A part of the columns of a matrix, copied row by row.

use dfdx::tensor::CudaError;

use super::{CudaElement, Gpu, View, ViewMut, elementwise};
use crate::kernel::shape::Columns;
use crate::kernel::write::Write;

/// Writes `x` of `[rows, count]` over its columns of `y`, and leaves the others.
pub fn write_columns<E: CudaElement>(
    gpu: &Gpu,
    columns: Columns,
    x: View<'_, E>,
    mut y: ViewMut<'_, E>,
) -> Result<(), CudaError> {
    columns.check(x.len(), y.len());
    for row in 0..columns.rows {
        let x = x.part(row * columns.count..(row + 1) * columns.count);
        elementwise::copy(gpu, x, y.part(columns.row(row)))?;
    }
    Ok(())
}

/// Writes the columns of `y` to `x` of `[rows, count]`, or adds them to it.
pub fn read_columns<E: CudaElement>(
    gpu: &Gpu,
    columns: Columns,
    y: View<'_, E>,
    mut x: ViewMut<'_, E>,
    write: Write,
) -> Result<(), CudaError> {
    columns.check(x.len(), y.len());
    for row in 0..columns.rows {
        let y = y.part(columns.row(row));
        let x = x.part(row * columns.count..(row + 1) * columns.count);
        match write {
            Write::Replace => elementwise::copy(gpu, y, x)?,
            Write::Add => elementwise::add_assign(gpu, x, y)?,
        }
    }
    Ok(())
}
