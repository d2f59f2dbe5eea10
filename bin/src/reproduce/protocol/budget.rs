//! Values of the networks trained from scratch, and of the images of all tables: one line a value. "paper" marks what
//! the text says, "chosen" what the project decided where the text is silent.

/// Epochs. Chosen; the text speaks of the "hundredth epoch".
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

/// Training images of the procedural set under the paper's preset: as many as CIFAR has.
pub const PAPER_TRAIN: usize = 50_000;
/// Test images of the procedural set under the paper's preset.
pub const PAPER_TEST: usize = 10_000;

/// The quick preset: what a user sees within a few minutes.
pub mod quick {
    /// Epochs.
    pub const EPOCHS: u64 = 6;
    /// Seeds.
    pub const SEEDS: &[u64] = &[0, 1, 2];
    /// Training images, of which a tenth is held out.
    pub const TRAIN: usize = 2_500;
    /// Test images.
    pub const TEST: usize = 1_000;
    /// Images in a step: small, so that few images make enough steps.
    pub const BATCH_SIZE: usize = 32;
    /// Classes of the procedural set.
    pub const CLASSES: usize = 10;
}

#[cfg(test)]
mod tests;
