//! Networks, training loop and optimizers together, on a few procedural images.

// Tests compare with the system's functions.
#![allow(clippy::disallowed_methods)]

mod fit;
mod head_alone;
mod networks;
mod ranks;
mod recipe;
mod support;
mod torch;
mod update;
