//! Parts of the assembly that computes while denormals are flushed.

/// MXCSR with denormals flushed on the way in and out, all exceptions masked, and rounding to nearest.
pub const FLUSHING: u32 = 0x9fc0;

/// One instruction for each of several rows: the register of a row, and where its elements lie.
macro_rules! each_row {
    ($rows:tt: $($part:tt)*) => { each_row!(@ $rows [$($part)*]) };
    (@ [$(($($row:tt)*))*] $parts:tt) => { concat!($(each_row!(@one $parts $($row)*), "\n"),*) };
    (@one [$f:ident] $($row:tt)*) => { $f!($($row)*) };
}
pub(super) use each_row;
