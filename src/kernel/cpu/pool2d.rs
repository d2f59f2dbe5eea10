//! Pooling of `[batch, channels, height, width]` images: maximum and average over windows, and the mean of a plane.

mod average;
mod global;
mod max;
mod max2x2;
mod phases;

pub use average::{average_pool, average_pool_backward};
pub use global::{global_average_pool, global_average_pool_backward};
pub use max::{max_pool, max_pool_backward};

#[cfg(test)]
mod tests;
