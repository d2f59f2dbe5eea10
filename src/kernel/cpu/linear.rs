//! The linear layer on the CPU: `y = x weight^T + bias` and its gradients.
//!
//! Shapes: `x` `[n, i]`, `weight` `[o, i]`, `bias` `[o]`, `y` and the cotangent
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
use crate::kernel::cpu::gemm::{Factor, Layout, Sizes, product};
use crate::kernel::cpu::scratch::{Scratch, with_kept};
use crate::kernel::cpu::write::Write;
use crate::kernel::element::Element;

/// Most rows of a block.
const ROWS: usize = 256;
/// Most columns of a block: enough blocks for several threads at the usual widths.
const COLUMNS: usize = 128;

/// `y = x weight^T + bias`. Overwrites `y`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn forward<E: Element>(n: usize, i: usize, o: usize, x: &[E], weight: &[E], bias: Option<&[E]>, y: &mut [E]) {
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
    let x = Factor::new(x, Layout::rows(0, i));
    let weight = Factor::new(weight, Layout::columns(0, i));
    add_product(o, i, x, weight, y);
}

/// `grad_x = cotangent weight` or `grad_x += cotangent weight`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_input<E: Element>(
    n: usize,
    i: usize,
    o: usize,
    weight: &[E],
    cotangent: &[E],
    grad_x: &mut [E],
    write: Write,
) {
    assert_eq!(weight.len(), o * i, "length of weight");
    assert_eq!(cotangent.len(), n * o, "length of cotangent");
    assert_eq!(grad_x.len(), n * i, "length of grad_x");
    write.prepare(grad_x);
    let cotangent = Factor::new(cotangent, Layout::rows(0, o));
    let weight = Factor::new(weight, Layout::rows(0, i));
    add_product(i, o, cotangent, weight, grad_x);
}

/// `grad_weight += cotangent^T x`.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_weight<E: Element>(n: usize, i: usize, o: usize, x: &[E], cotangent: &[E], grad_weight: &mut [E]) {
    assert_eq!(x.len(), n * i, "length of x");
    assert_eq!(cotangent.len(), n * o, "length of cotangent");
    assert_eq!(grad_weight.len(), o * i, "length of grad_weight");
    let cotangent = Factor::new(cotangent, Layout::columns(0, o));
    let x = Factor::new(x, Layout::rows(0, i));
    add_product(i, n, cotangent, x, grad_weight);
}

/// `grad_bias += sum over rows of cotangent`, summed in `f64` row by row and rounded
/// once before it is added.
///
/// # Panics
///
/// If a length does not fit the sizes.
pub fn backward_bias<E: Element>(n: usize, o: usize, cotangent: &[E], grad_bias: &mut [E]) {
    const STRIP: usize = 16;
    /// Strips of a task.
    const STRIPS: usize = 8;
    assert_eq!(cotangent.len(), n * o, "length of cotangent");
    assert_eq!(grad_bias.len(), o, "length of grad_bias");
    if n == 0 {
        return;
    }
    each(grad_bias.chunks_mut(STRIPS * STRIP).enumerate(), |(task, grads)| {
        for (strip, grads) in grads.chunks_mut(STRIP).enumerate() {
            let first = (task * STRIPS + strip) * STRIP;
            let mut sums = [0.0; STRIP];
            for row in cotangent.chunks_exact(o) {
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
        with_kept(|scratch: &mut Scratch<E>| {
            let (mut a, mut b) = (a, b);
            a.layout.offset += row * a.layout.row_stride;
            b.layout.offset += col * b.layout.col_stride;
            let sum = scratch.product.take(rows.len() * width);
            let sizes = Sizes { rows: rows.len(), cols: width, depth };
            product(sizes, Write::Replace, a, b, sum, Layout::rows(0, width));
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
