//! Models against what torchvision and Keras answered, and kernels against `f64` at the shapes of every model.

// Tests compare with the system's functions.
#![allow(clippy::disallowed_methods)]

mod check;
mod cifar;
mod compare;
mod file;
mod formula;
mod heads;
mod kernels;
mod models;
mod naming;
mod network;
mod original;
