//! The modes in which a kernel writes a result: it replaces the old contents of a destination, or adds to them.

use crate::kernel::Element;

/// The treatment of the old contents of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The old contents are replaced, and not read, not even if NaN.
    Replace,
    /// The result is added to the old contents.
    Add,
}

impl Write {
    /// Readies a destination for adding: old contents that are to be replaced become zeros.
    #[inline(always)]
    pub fn prepare<E: Element>(self, to: &mut [E]) {
        if self == Write::Replace {
            to.fill(E::zero());
        }
    }
}

/// The destination of the gradient with respect to the input; `M` is a slice that kernels write, `&mut [E]` on the CPU.
#[derive(Debug)]
pub enum InputGradient<M> {
    /// The gradient is not computed.
    Skip,
    /// The gradient replaces the contents of the slice: the input has no other consumer, or this is the first one.
    Overwrite(M),
    /// The gradient is added to the contents of the slice.
    Accumulate(M),
    /// The slice holds the gradient of the output, and the gradient replaces it. The slice that the kernel is given as
    /// the gradient of the output is not read.
    InPlace(M),
}

impl<M> InputGradient<M> {
    /// The slice, if the gradient is wanted.
    pub fn slice(&self) -> Option<&M> {
        match self {
            InputGradient::Skip => None,
            InputGradient::Overwrite(gradient)
            | InputGradient::Accumulate(gradient)
            | InputGradient::InPlace(gradient) => Some(gradient),
        }
    }
}

impl<E> InputGradient<&mut [E]> {
    /// The gradient of the output: the slice, or the one that lies apart.
    pub fn grad_output<'c>(&'c self, apart: &'c [E]) -> &'c [E] {
        if let InputGradient::InPlace(grad_output) = self { grad_output } else { apart }
    }
}
