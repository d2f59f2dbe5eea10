//! Images enlarged by repeating rows and columns.

use super::tasks::{TASK, each};
use crate::kernel::Element;
use crate::kernel::shape::Upsample;
use crate::kernel::write::Write;

/// Rows of the input in a task.
fn step(shape: Upsample) -> usize {
    (TASK / shape.rows().1).max(1)
}

/// `y[n, c, i, j] = x[n, c, i / factor, j / factor]`, with indices rounded down.
pub fn forward<E: Element>(shape: Upsample, x: &[E], y: &mut [E]) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    if y.is_empty() {
        return;
    }
    let ((from, to), step) = (shape.rows(), step(shape));
    each(y.chunks_mut(step * to).zip(x.chunks(step * from)), |(y, x)| {
        for (y, x) in y.chunks_exact_mut(to).zip(x.chunks_exact(from)) {
            let (first, others) = y.split_at_mut(from * shape.factor);
            first.chunks_exact_mut(shape.factor).zip(x).for_each(|(y, &x)| y.fill(x));
            others.chunks_exact_mut(first.len()).for_each(|other| other.copy_from_slice(first));
        }
    });
}

/// The gradient of the input, written to `grad_x` or added: the sum over the elements that repeat it, row by row.
pub fn backward<E: Element>(shape: Upsample, grad_output: &[E], grad_x: &mut [E], write: Write) {
    assert!(grad_x.len() == shape.input_len() && grad_output.len() == shape.output_len());
    if grad_output.is_empty() {
        return write.prepare(grad_x);
    }
    let ((from, to), step) = (shape.rows(), step(shape));
    each(grad_x.chunks_mut(step * from).zip(grad_output.chunks(step * to)), |(grad_x, grad_output)| {
        for (grad_x, grad_output) in grad_x.chunks_exact_mut(from).zip(grad_output.chunks_exact(to)) {
            for (j, grad_x) in grad_x.iter_mut().enumerate() {
                let mut total = E::zero();
                for row in grad_output.chunks_exact(from * shape.factor) {
                    for &g in &row[j * shape.factor..(j + 1) * shape.factor] {
                        total = total + g;
                    }
                }
                *grad_x = if write == Write::Add { *grad_x + total } else { total };
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_repeated_and_its_gradient_summed() {
        for (planes, height, width, factor) in [(0, 2, 2, 2), (2, 0, 3, 2), (3, 5, 4, 2), (2, 3, 7, 3), (1, 2, 9000, 2)]
        {
            let shape = Upsample { planes, height, width, factor };
            let x: Vec<f32> = (0..shape.input_len()).map(|i| (i % 1000) as f32).collect();
            let mut y = vec![f32::NAN; shape.output_len()];
            forward(shape, &x, &mut y);
            let columns = width * factor;
            for (i, &y) in y.iter().enumerate() {
                let (row, column) = (i / columns, i % columns);
                assert_eq!(y, x[row / factor * width + column / factor]);
            }
            let mut grad = vec![f32::NAN; x.len()];
            backward(shape, &y, &mut grad, Write::Replace);
            let repeats = (factor * factor) as f32;
            assert!(grad.iter().zip(&x).all(|(grad, x)| *grad == repeats * x));
            backward(shape, &y, &mut grad, Write::Add);
            assert!(grad.iter().zip(&x).all(|(grad, x)| *grad == 2.0 * repeats * x));
        }
    }
}
