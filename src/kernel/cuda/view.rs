//! The one window into dfdx's storage on [`Cuda`]: device slices, as kernels take them.
//!
//! dfdx keeps a tensor's buffer private, and its pointer has no public accessor. What is public is `Debug`: the text of
//! a tensor begins with the pointer and the length of its buffer
//! (`Tensor { id: …, data: CachableCudaSlice { data: CudaSlice { cu_device_ptr: N, len: L, …`). A writer that ends the
//! formatting after the length reads both in microseconds, before any element is copied. The versions of dfdx and
//! cudarc are pinned for it, and a test reads a known slice this way.

use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::ops::Range;

use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut, DeviceSlice};
use dfdx::shapes::{HasShape, Shape, Unit};
use dfdx::tensor::{Cuda, Tensor};

/// Elements in device memory that are not written meanwhile.
#[derive(Debug)]
pub struct View<'a, E> {
    pointer: CUdeviceptr,
    len: usize,
    memory: PhantomData<&'a [E]>,
}

// By hand, because a derive would ask for `E: Clone` and the like.
impl<E> Clone for View<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for View<'_, E> {}

/// Elements in device memory for writing.
#[derive(Debug)]
pub struct ViewMut<'a, E> {
    pointer: CUdeviceptr,
    len: usize,
    memory: PhantomData<&'a mut [E]>,
}

impl<'a, E> View<'a, E> {
    /// The elements of a slice.
    pub fn of(slice: &'a CudaSlice<E>) -> Self {
        Self { pointer: *slice.device_ptr(), len: slice.len(), memory: PhantomData }
    }

    /// A view of no elements, whose address is null.
    pub fn empty() -> Self {
        Self { pointer: 0, len: 0, memory: PhantomData }
    }

    /// Number of elements in the view.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the view has no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Some of the elements.
    pub(super) fn part(&self, range: Range<usize>) -> View<'a, E> {
        let (pointer, len) = part(self.pointer, self.len, range, size_of::<E>());
        View { pointer, len, memory: PhantomData }
    }

    /// Address of the first element, for a kernel.
    pub(super) fn pointer(&self) -> CUdeviceptr {
        self.pointer
    }
}

/// Address and number of some of the elements.
fn part(pointer: CUdeviceptr, len: usize, range: Range<usize>, size: usize) -> (CUdeviceptr, usize) {
    assert!(range.start <= range.end && range.end <= len, "a part of the elements");
    (pointer + (range.start * size) as CUdeviceptr, range.len())
}

impl<'a, E> ViewMut<'a, E> {
    /// The elements of a slice.
    pub fn of(slice: &'a mut CudaSlice<E>) -> Self {
        Self { pointer: *slice.device_ptr_mut(), len: slice.len(), memory: PhantomData }
    }

    /// Number of elements in the view.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the view has no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements for reading.
    pub fn read(&self) -> View<'_, E> {
        View { pointer: self.pointer, len: self.len, memory: PhantomData }
    }

    /// The same elements for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, E> {
        ViewMut { pointer: self.pointer, len: self.len, memory: PhantomData }
    }

    /// Some of the elements.
    pub(super) fn part(&mut self, range: Range<usize>) -> ViewMut<'_, E> {
        let (pointer, len) = part(self.pointer, self.len, range, size_of::<E>());
        ViewMut { pointer, len, memory: PhantomData }
    }

    /// Address of the first element, for a kernel.
    pub(super) fn pointer(&self) -> CUdeviceptr {
        self.pointer
    }
}

impl<E> DeviceSlice<E> for View<'_, E> {
    fn len(&self) -> usize {
        self.len
    }
}

impl<E> DevicePtr<E> for View<'_, E> {
    fn device_ptr(&self) -> &CUdeviceptr {
        &self.pointer
    }
}

impl<E> DeviceSlice<E> for ViewMut<'_, E> {
    fn len(&self) -> usize {
        self.len
    }
}

impl<E> DevicePtr<E> for ViewMut<'_, E> {
    fn device_ptr(&self) -> &CUdeviceptr {
        &self.pointer
    }
}

impl<E> DevicePtrMut<E> for ViewMut<'_, E> {
    fn device_ptr_mut(&mut self) -> &mut CUdeviceptr {
        &mut self.pointer
    }
}

/// The elements of a tensor, in row-major order. The caller made it
/// [contiguous](dfdx::tensor_ops::ReshapeTo::contiguous).
///
/// # Panics
/// If the text of the tensor is not what the pinned versions write, or if the buffer is not as long as the tensor, as
/// that of a broadcast one.
pub fn read<S: Shape, E: Unit>(tensor: &Tensor<S, E, Cuda>) -> View<'_, E> {
    let mut text = Beginning { text: [0; CAPACITY], len: 0 };
    // Ends with an error as soon as the text is there; that is how it ends.
    let _ = write!(text, "{tensor:?}");
    let found = text.as_str().and_then(parse);
    let (pointer, len) = found.unwrap_or_else(|| panic!("dfdx 0.13.0 prints a tensor otherwise: {:?}", text.as_str()));
    assert_eq!(len, tensor.shape().num_elements(), "the tensor is contiguous");
    View { pointer, len, memory: PhantomData }
}

/// The elements of a tensor that was just made, for filling.
pub(crate) fn fill<S: Shape, E: Unit>(tensor: &mut Tensor<S, E, Cuda>) -> ViewMut<'_, E> {
    let View { pointer, len, .. } = read(tensor);
    ViewMut { pointer, len, memory: PhantomData }
}

/// Enough for an identity, the names of the fields and two numbers of twenty digits.
const CAPACITY: usize = 256;

/// The beginning of a text, up to the length of the slice.
struct Beginning {
    text: [u8; CAPACITY],
    len: usize,
}

impl Beginning {
    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.text[..self.len]).ok()
    }
}

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        // The field after the length is reached: all of it is there.
        if self.as_str().is_some_and(|text| parse(text).is_some()) { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Pointer and length, if the text has both and something after them.
fn parse(text: &str) -> Option<(CUdeviceptr, usize)> {
    let (_, rest) = text.split_once("data: CachableCudaSlice { data: CudaSlice { cu_device_ptr: ")?;
    let (pointer, rest) = rest.split_once(", len: ")?;
    let (len, _) = rest.split_once(',')?;
    Some((pointer.parse().ok()?, len.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_is_read_and_no_more() {
        let whole = "Tensor { id: UniqueId(7), data: CachableCudaSlice { data: CudaSlice { \
                     cu_device_ptr: 4096, len: 12, device: CudaDevice";
        assert_eq!(parse(whole), Some((4096, 12)));
        assert_eq!(parse(&whole[..whole.len() - 20]), None);
        let mut text = Beginning { text: [0; CAPACITY], len: 0 };
        let ended = whole.split_inclusive(' ').try_for_each(|word| text.write_str(word));
        assert!(ended.is_err() && text.as_str().unwrap().ends_with("len: 12, "));
        assert!(write!(Beginning { text: [0; CAPACITY], len: 0 }, "{}", "x".repeat(CAPACITY + 1)).is_err());
    }
}
