//! Values for networks trained from scratch, and for the images of all tables. "Paper" marks values of the text,
//! "chosen" those that the project decided where the text is silent.

/// Epochs of a training. Chosen; the text speaks of the "hundredth epoch".
pub const EPOCHS: u64 = 100;
/// Images in a step. Chosen.
pub const BATCH_SIZE: usize = 128;
/// Adam's learning rate. Chosen.
pub const LEARNING_RATE: f64 = 1e-3;
/// Largest shift of an augmented image, in pixels: a tenth of the side. Chosen.
pub const SHIFT: usize = 3;
/// Share of each class that is held out of training and picks the epoch. Chosen: the paper picks by the test images.
pub const HELD_OUT: f64 = 0.1;
/// Seed of the procedural images, the same for all runs. Chosen.
pub const PROCEDURAL_SEED: u64 = 2024;

/// Values of the quick preset, which takes a few minutes.
pub mod quick {
    /// Epochs of a training.
    pub const EPOCHS: u64 = 6;
    /// Seeds of the runs.
    pub const SEEDS: &[u64] = &[0, 1, 2];
    /// Number of training images, of which a tenth is held out.
    pub const TRAIN: usize = 2_500;
    /// Number of test images.
    pub const TEST: usize = 1_000;
    /// Images in a step: small, so that few images make enough steps.
    pub const BATCH_SIZE: usize = 32;
    /// Classes of the procedural set.
    pub const CLASSES: usize = 10;
}

#[cfg(test)]
mod tests;
