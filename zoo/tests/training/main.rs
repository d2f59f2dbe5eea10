//! Networks, training loop and optimisers together, on a few procedural images.

mod fit;
mod networks;
mod support;
mod update;
