//! Every n-th row and column of an image, with channels of zeros around.

use super::tasks::each;
use crate::kernel::Element;
use crate::kernel::shape::Subsample;
use crate::kernel::write::Write;

/// `y[n, before + c, i, j] = x[n, c, stride i, stride j]`, and zero in the other channels.
pub fn forward<E: Element>(shape: Subsample, x: &[E], y: &mut [E]) {
    assert!(x.len() == shape.input_len() && y.len() == shape.output_len());
    if x.is_empty() {
        return y.fill(E::zero());
    }
    let (from, to) = shape.images();
    each(y.chunks_mut(to).zip(x.chunks(from)), |(y, x)| {
        y.fill(E::zero());
        shape.each(|from, to| y[to] = x[from]);
    });
}

/// The gradient of the input, written to `grad_x` or added.
pub fn backward<E: Element>(shape: Subsample, grad_output: &[E], grad_x: &mut [E], write: Write) {
    assert!(grad_x.len() == shape.input_len() && grad_output.len() == shape.output_len());
    if grad_x.is_empty() {
        return;
    }
    let (from, to) = shape.images();
    each(grad_x.chunks_mut(from).zip(grad_output.chunks(to)), |(grad_x, grad_output)| {
        write.prepare(grad_x);
        shape.each(|from, to| grad_x[from] = grad_x[from] + grad_output[to]);
    });
}
