//! The linear layer on the CPU: `y = x weight^T + bias` and its gradients.
//!
//! Shapes: `x` `[n, i]`, `weight` `[o, i]`, `bias` `[o]`, `y` and the gradient of the output
//! `[n, o]`, all row-major. The gradients:
//!
//! ```text
//! dx = dy weight        dweight = dy^T x        dbias[o] = sum_n dy[n, o]
//! ```
//!
//! Each is one matrix product, cut into blocks of the result by sizes only: the
//! results are the same bit for bit for any number of threads.

use super::tasks::each;
use crate::kernel::cpu::blocks::{Block, even_part, grid};
use crate::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes, product};
use crate::kernel::cpu::workspace::{Workspace, with_kept};
use crate::kernel::element::Element;
use crate::kernel::write::Write;

/// Most rows of a block.
const ROWS: usize = 256;
/// Most columns of a block: enough blocks for several threads at the usual widths.
const COLUMNS: usize = 128;

/// `y = x weight^T + bias`. Overwrites `y`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn forward<E: Element>([n, i, o]: [usize; 3], x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
    assert_eq!(x.len(), n * i, "length of x");
    assert_eq!(weight.len(), o * i, "length of weight");
    assert_eq!(y.len(), n * o, "length of y");
    match bias {
        None => y.fill(E::zero()),
        Some(bias) => {
            assert_eq!(bias.len(), o, "length of bias");
            y.chunks_exact_mut(o.max(1)).for_each(|row| row.copy_from_slice(bias));
        }
    }
    let x = Factor::new(x, MatrixLayout::rows(0, i));
    let weight = Factor::new(weight, MatrixLayout::columns(0, i));
    add_product(o, i, x, weight, y);
}

/// `grad_x = grad_output weight` or `grad_x += grad_output weight`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_input<E: Element>(
    [n, i, o]: [usize; 3],
    weight: &[E],
    grad_output: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    assert_eq!(weight.len(), o * i, "length of weight");
    assert_eq!(grad_output.len(), n * o, "length of gradient of the output");
    assert_eq!(grad_x.len(), n * i, "length of grad_x");
    write.prepare(grad_x);
    let grad_output = Factor::new(grad_output, MatrixLayout::rows(0, o));
    let weight = Factor::new(weight, MatrixLayout::rows(0, i));
    add_product(i, o, grad_output, weight, grad_x);
}

/// `grad_weight += grad_output^T x`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_weight<E: Element>([n, i, o]: [usize; 3], x: &[E], grad_output: &[E], grad_weight: &mut [E]) {
    assert_eq!(x.len(), n * i, "length of x");
    assert_eq!(grad_output.len(), n * o, "length of gradient of the output");
    assert_eq!(grad_weight.len(), o * i, "length of grad_weight");
    let grad_output = Factor::new(grad_output, MatrixLayout::columns(0, o));
    let x = Factor::new(x, MatrixLayout::rows(0, i));
    add_product(i, n, grad_output, x, grad_weight);
}

/// `grad_bias += sum over rows of grad_output`, summed in `f64` row by row and rounded
/// once before it is added.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_bias<E: Element>([n, _, o]: [usize; 3], grad_output: &[E], grad_bias: &mut [E]) {
    const STRIP: usize = 16;
    /// Strips of a task.
    const STRIPS: usize = 8;
    assert_eq!(grad_output.len(), n * o, "length of gradient of the output");
    assert_eq!(grad_bias.len(), o, "length of grad_bias");
    if n == 0 {
        return;
    }
    each(grad_bias.chunks_mut(STRIPS * STRIP).enumerate(), |(task, grads)| {
        for (strip, grads) in grads.chunks_mut(STRIP).enumerate() {
            let first = (task * STRIPS + strip) * STRIP;
            let mut sums = [0.0; STRIP];
            for row in grad_output.chunks_exact(o) {
                for (sum, value) in sums.iter_mut().zip(&row[first..][..grads.len()]) {
                    *sum += value.wide();
                }
            }
            for (grad, sum) in grads.iter_mut().zip(sums) {
                *grad = *grad + E::of(sum);
            }
        }
    });
}

/// `dst += a b` for a row-major `dst` of `cols` columns, parallel over blocks of it.
fn add_product<E: Element>(cols: usize, depth: usize, a: Factor<'_, E>, b: Factor<'_, E>, dst: &mut [E]) {
    if dst.is_empty() || depth == 0 {
        return;
    }
    let rows = dst.len() / cols;
    let (row_block, col_block) = (even_part(rows, ROWS), even_part(cols, COLUMNS));
    let blocks = grid(dst, cols, row_block, col_block);
    each(blocks, |block| {
        let Block { row, col, rows } = block;
        let width = rows[0].len();
        with_kept(|workspace: &mut Workspace<E>| {
            let (mut a, mut b) = (a, b);
            a.layout.offset += row * a.layout.row_stride;
            b.layout.offset += col * b.layout.col_stride;
            let sum = workspace.product.take(rows.len() * width);
            let sizes = Sizes { rows: rows.len(), cols: width, depth };
            product(sizes, Write::Replace, a, b, sum, MatrixLayout::rows(0, width));
            for (to, from) in rows.into_iter().zip(sum.chunks_exact(width)) {
                for (to, &value) in to.iter_mut().zip(from) {
                    *to = *to + value;
                }
            }
        });
    });
}

#[cfg(test)]
mod tests;
