//! Arguments of the kernels that go over whole tensors.

use cudarc::driver::DeviceRepr;

use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::Write;

/// The twin of `ChannelsLayout` in `walk.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    outer: usize,
    channels: usize,
    inner: usize,
}

// SAFETY: three numbers, laid out as C does and the kernels expect.
unsafe impl DeviceRepr for Sizes {}

impl From<ChannelsLayout> for Sizes {
    fn from(ChannelsLayout { outer, channels, inner }: ChannelsLayout) -> Self {
        Self { outer, channels, inner }
    }
}

/// The argument by which kernels are told a [`Write`].
pub fn mode(write: Write) -> i32 {
    match write {
        Write::Replace => 0,
        Write::Add => 1,
    }
}
