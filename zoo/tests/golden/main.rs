//! Models against what torchvision and Keras answered, and kernels against `f64` at the shapes of every model.

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
