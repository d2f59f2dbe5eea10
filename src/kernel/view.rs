//! The one window into dfdx's storage on [`Cpu`].
//!
//! dfdx keeps a tensor's buffer private. Indexing is public, and the addresses of a few elements tell where the buffer
//! lies and how it is strided. [`read`] and [`with_mut`] turn that into slices: without a copy where the tensor is
//! contiguous, through a copy where it is permuted, broadcast or empty. With the feature `safe-views` every access goes
//! through copies and this file has no `unsafe`; the tests run both ways.
//!
//! The aliasing rule relied on: a slice made from the address of one element reaches its neighbors. Tree Borrows
//! accepts this, Stacked Borrows does not; hence the safe twin.

use std::borrow::Cow;

use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Cpu, CpuError, Tensor, TensorFromVec};

/// Strides in elements, measured as distances between the addresses of neighboring elements; 0 along an axis of one
/// element. `None` for an empty tensor, which has no addresses.
fn strides<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> Option<S::Concrete> {
    let sizes = tensor.shape().concrete();
    if tensor.shape().num_elements() == 0 {
        return None;
    }
    let origin = S::Concrete::default();
    let base = std::ptr::from_ref(&tensor[origin]).addr();
    let mut strides = S::Concrete::default();
    for axis in 0..S::NUM_DIMS {
        if sizes[axis] > 1 {
            let mut step = origin;
            step[axis] = 1;
            strides[axis] = (std::ptr::from_ref(&tensor[step]).addr() - base) / size_of::<E>();
        }
    }
    Some(strides)
}

/// Returns whether the elements lie in row-major order without gaps. Those of an empty tensor do.
pub(crate) fn is_contiguous<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> bool {
    let Some(strides) = strides(tensor) else { return true };
    let sizes = tensor.shape().concrete();
    let mut expected = 1;
    for axis in (0..S::NUM_DIMS).rev() {
        if sizes[axis] > 1 && strides[axis] != expected {
            return false;
        }
        expected *= sizes[axis];
    }
    true
}

/// The elements in row-major order: borrowed where they lie so, else copied.
pub fn read<'t, S: Shape, E: Unit, T>(tensor: &'t Tensor<S, E, Cpu, T>) -> Cow<'t, [E]> {
    #[cfg(not(feature = "safe-views"))]
    if is_contiguous(tensor) {
        return Cow::Borrowed(borrow(tensor));
    }
    Cow::Owned(copy(tensor))
}

/// The elements in row-major order, copied; `as_vec` alone would panic on an empty tensor.
fn copy<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> Vec<E> {
    if tensor.shape().num_elements() == 0 { Vec::new() } else { tensor.as_vec() }
}

/// The elements of a contiguous tensor.
#[cfg(not(feature = "safe-views"))]
fn borrow<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> &[E] {
    let (first, last) = ends(tensor.shape());
    let count = tensor.shape().num_elements();
    if count == 0 {
        return &[];
    }
    let base = std::ptr::from_ref(&tensor[first]);
    let end = std::ptr::from_ref(&tensor[last]);
    assert_eq!(end.addr() - base.addr(), (count - 1) * size_of::<E>(), "the tensor is contiguous");
    // SAFETY: indexing checked that the first and the last element lie in the tensor's buffer, and the assertion that
    // they are `count - 1` elements apart, so the range is within that one allocation, initialized, aligned and smaller
    // than isize::MAX. The buffer is held by the tensor (behind an `Arc`), which the result borrows; nothing can write
    // it meanwhile, for dfdx writes only through `&mut` access to a buffer that is not shared.
    unsafe { std::slice::from_raw_parts(base, count) }
}

/// Indices of the first and the last element.
#[cfg(not(feature = "safe-views"))]
fn ends<S: Shape>(shape: &S) -> (S::Concrete, S::Concrete) {
    let mut last = shape.concrete();
    for axis in 0..S::NUM_DIMS {
        last[axis] = last[axis].saturating_sub(1);
    }
    (S::Concrete::default(), last)
}

/// Lets `write` change the elements in place, in row-major order.
///
/// The tensor keeps its identity (and so its gradients and optimizer state); a buffer shared with another tensor is
/// copied first. A tensor that is not contiguous is replaced by a contiguous one with a new identity.
pub fn with_mut<S: Shape, E: Unit, R>(
    tensor: &mut Tensor<S, E, Cpu>,
    write: impl FnOnce(&mut [E]) -> R,
) -> Result<R, CpuError> {
    if is_contiguous(tensor) {
        #[cfg(not(feature = "safe-views"))]
        return Ok(write(borrow_mut(tensor)));
        #[cfg(feature = "safe-views")]
        {
            let mut values = copy(tensor);
            let result = write(&mut values);
            tensor.copy_from(&values);
            return Ok(result);
        }
    }
    let mut values = copy(tensor);
    let result = write(&mut values);
    *tensor = tensor.device().try_tensor_from_vec(values, *tensor.shape())?;
    Ok(result)
}

/// The elements of a contiguous tensor, for writing.
#[cfg(not(feature = "safe-views"))]
fn borrow_mut<S: Shape, E: Unit>(tensor: &mut Tensor<S, E, Cpu>) -> &mut [E] {
    let (first, last) = ends(tensor.shape());
    let count = tensor.shape().num_elements();
    if count == 0 {
        return &mut [];
    }
    // The first mutable access gives the tensor a buffer of its own; the second finds it so and moves nothing.
    let end = std::ptr::from_mut(&mut tensor[last]).addr();
    let base = std::ptr::from_mut(&mut tensor[first]);
    assert_eq!(end - base.addr(), (count - 1) * size_of::<E>(), "the tensor is contiguous");
    // SAFETY: as in `borrow` for the range. Mutable indexing made the buffer this tensor's own, and the result borrows
    // the tensor mutably, so nothing else reads or writes it meanwhile.
    unsafe { std::slice::from_raw_parts_mut(base, count) }
}

/// Address of the first element; 0 for an empty tensor.
pub(crate) fn address<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> usize {
    if tensor.shape().num_elements() == 0 { 0 } else { std::ptr::from_ref(&tensor[S::Concrete::default()]).addr() }
}

/// The elements of a contiguous tensor for writing, if no other tensor shares them. If one does, and with `safe-views`,
/// nothing, and the tensor may have got a buffer of its own with the same elements.
pub(crate) fn exclusive<S: Shape, E: Unit>(tensor: &mut Tensor<S, E, Cpu>) -> Option<&mut [E]> {
    #[cfg(feature = "safe-views")]
    {
        let _ = tensor;
        None
    }
    #[cfg(not(feature = "safe-views"))]
    {
        // dfdx does not say whether a buffer is shared, but a mutable access copies one that is.
        let before = borrow(tensor).as_ptr();
        let values = borrow_mut(tensor);
        (std::ptr::from_ref(&*values).cast() == before).then_some(values)
    }
}

/// Position of each element of a permuted or broadcast tensor in its buffer, in row-major order of the indices; `None`
/// for a contiguous tensor, whose element i lies at i.
///
/// dfdx lays a gradient out like the buffer of its tensor, so this is also where the gradient of element i is added.
pub(crate) fn offsets<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> Option<Vec<usize>> {
    if is_contiguous(tensor) {
        return None;
    }
    let sizes = tensor.shape().concrete();
    let strides = strides(tensor)?;
    let mut offsets = Vec::with_capacity(tensor.shape().num_elements());
    offsets.push(0);
    for axis in 0..S::NUM_DIMS {
        offsets = offsets.iter().flat_map(|&start| (0..sizes[axis]).map(move |i| start + i * strides[axis])).collect();
    }
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfdx::prelude::*;

    #[test]
    fn a_contiguous_tensor_is_read_and_written_in_place() {
        let dev = Cpu::default();
        let mut t: Tensor<Rank3<2, 3, 4>, f32, _> = dev.sample_normal();
        assert_eq!(*read(&t), t.as_vec());
        assert_eq!(matches!(read(&t), Cow::Borrowed(_)), cfg!(not(feature = "safe-views")));
        let before = t.as_vec();
        let sum: f32 = with_mut(&mut t, |values| {
            values.iter_mut().for_each(|v| *v += 1.0);
            values.iter().sum()
        })
        .unwrap();
        assert_eq!(t.as_vec(), before.iter().map(|v| v + 1.0).collect::<Vec<_>>());
        assert_eq!(sum, t.as_vec().iter().sum::<f32>());
    }

    #[test]
    fn writing_leaves_a_clone_alone_and_keeps_the_identity() {
        let dev = Cpu::default();
        let mut t: Tensor<Rank1<5>, f64, _> = dev.ones();
        let clone = t.clone();
        with_mut(&mut t, |values| values.fill(3.0)).unwrap();
        assert_eq!(clone.array(), [1.0; 5]);
        assert_eq!(t.array(), [3.0; 5]);
        let grads = t.leaky_trace().sum::<Rank0, _>().backward();
        assert_eq!(grads.get(&clone).array(), [1.0; 5]);
    }

    #[test]
    fn permuted_and_broadcast_tensors_are_copied_in_the_order_of_their_indices() {
        let dev = Cpu::default();
        let t: Tensor<Rank2<2, 3>, f32, _> = dev.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let permuted = t.clone().permute::<Rank2<3, 2>, _>();
        assert_eq!(*read(&permuted), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(offsets(&permuted), Some(vec![0, 3, 1, 4, 2, 5]));
        let row: Tensor<Rank1<2>, f32, _> = dev.tensor([7.0, 8.0]);
        let broadcast = row.broadcast::<Rank2<3, 2>, _>();
        assert_eq!(*read(&broadcast), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
        assert_eq!(offsets(&broadcast), Some(vec![0, 1, 0, 1, 0, 1]));
        assert_eq!(offsets(&t), None);

        let mut permuted = permuted;
        with_mut(&mut permuted, |values| values[1] = -1.0).unwrap();
        assert_eq!(permuted.array(), [[1.0, -1.0], [2.0, 5.0], [3.0, 6.0]]);
    }

    #[test]
    fn a_permutation_of_axes_of_one_element_is_contiguous() {
        let dev = Cpu::default();
        let t: Tensor<Rank3<1, 4, 1>, f32, _> = dev.sample_normal();
        let moved = t.clone().permute::<Rank3<4, 1, 1>, Axes3<1, 0, 2>>();
        assert!(is_contiguous(&moved));
        assert_eq!(*read(&moved), t.as_vec());
    }

    #[test]
    fn empty_tensors_and_scalars_work() {
        let dev = Cpu::default();
        let mut empty: Tensor<(usize, Const<3>), f32, _> = dev.zeros_like(&(0, Const));
        assert!(read(&empty).is_empty());
        assert_eq!(with_mut(&mut empty, |values| values.len()).unwrap(), 0);
        assert_eq!(offsets(&empty), None);
        let mut scalar: Tensor<Rank0, f64, _> = dev.tensor(4.0);
        assert_eq!(*read(&scalar), [4.0]);
        with_mut(&mut scalar, |values| values[0] = 5.0).unwrap();
        assert_eq!(scalar.array(), 5.0);
    }
}
