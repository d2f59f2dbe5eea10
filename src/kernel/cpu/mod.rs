//! CPU kernels, multi-threaded with rayon's current pool and vectorised for the machine they run on.
//!
//! Work is split by sizes only and every reduction has a fixed order, so that results do not depend on the number of
//! threads.

pub mod simd;
