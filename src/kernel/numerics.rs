//! The version of the arithmetic.

/// The version of what the CPU kernels compute, to the bit.
///
/// Kernels of one version give the same bits for the same input whatever the instruction set and the number of threads.
/// It rises by one whenever any of them gives other bits than before, or a training takes other kernels than before, so
/// that a result can name the arithmetic behind it and is never mixed with results of another: tests hold every kernel,
/// and a training step of every model, against digests that are kept by version. Version 1 depended on the instruction
/// set. Since version 4 a kernel as large as the image is computed as one of 1x1, trainings are measured on compiled
/// networks, and heads learn from compiled trunks.
pub const NUMERICS_VERSION: u32 = 4;
