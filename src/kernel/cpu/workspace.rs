//! Working memory that a thread keeps from one tile to the next.

use std::any::Any;
use std::cell::RefCell;

use crate::kernel::element::Element;
use crate::kernel::memory::back_by_large_pages;

/// A buffer that only grows. Its contents are what its last user left.
#[derive(Debug, Default)]
pub struct Buffer<E>(Vec<E>);

impl<E: Element> Buffer<E> {
    /// `len` elements with unspecified contents: write before you read.
    pub fn take(&mut self, len: usize) -> &mut [E] {
        if self.0.len() < len {
            // A new vector: growing the old one would copy its contents, which are not read again.
            self.0 = Vec::with_capacity(len);
            back_by_large_pages(self.0.spare_capacity_mut());
            self.0.resize(len, E::zero());
        }
        &mut self.0[..len]
    }
}

/// The buffers of one task.
#[derive(Debug, Default)]
pub struct Workspace<E> {
    /// The input, unfolded into patches.
    pub patches: Buffer<E>,
    /// A product before it is scattered.
    pub product: Buffer<E>,
    /// A gathered or transposed gradient of the output.
    pub grad_output: Buffer<E>,
}

thread_local! {
    /// Idle memory of this thread, at most one value a type.
    static IDLE: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with a value of type `T` that this thread keeps afterwards. A call for
/// the same type inside `work` gets another value.
///
/// A fresh allocation of a few megabytes costs a page fault every 4 KiB, which takes
/// as long as the product of a small tile. The memory kept is that of the largest
/// task so far, or of the largest pieces that tasks share.
pub fn with_kept<T: Default + 'static, R>(work: impl FnOnce(&mut T) -> R) -> R {
    let mut value: Box<T> = take();
    let result = work(&mut value);
    keep(value);
    result
}

/// Takes the value of type `T` that this thread keeps; the default where it has none. For [`keep`] afterwards.
pub fn take<T: Default + 'static>() -> Box<T> {
    let idle = IDLE.with_borrow_mut(|idle| {
        let place = idle.iter().position(|kept| kept.is::<T>())?;
        idle.swap_remove(place).downcast::<T>().ok()
    });
    idle.unwrap_or_default()
}

/// Keeps a value on this thread, unless it keeps one of that type already.
pub fn keep<T: 'static>(value: Box<T>) {
    IDLE.with_borrow_mut(|idle| {
        if !idle.iter().any(|other| other.is::<T>()) {
            idle.push(value);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_is_kept_by_type_and_safe_to_nest() {
        let place = |workspace: &mut Workspace<f32>| workspace.patches.take(1000).as_ptr() as usize;
        let first = with_kept(place);
        with_kept(|workspace: &mut Workspace<f64>| assert_eq!(workspace.patches.take(3).len(), 3));
        let (outer, inner) = with_kept(|outer: &mut Workspace<f32>| {
            let inner = with_kept(place);
            (place(outer), inner)
        });
        assert_eq!(first, outer);
        assert_ne!(outer, inner);
    }
}
