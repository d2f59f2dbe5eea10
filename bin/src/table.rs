//! What the paper's tables are: one line a value. "paper" marks what the text says, "chosen" what the project decided
//! where the text is silent.

/// A table of the paper: protocol and published numbers.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// What the table shows.
    pub title: &'static str,
    /// Model in the registry. Paper: six convolutions; chosen: their widths.
    pub model: &'static str,
    /// Activations that the table compares. Paper; chosen: ELU, which the paper names among the rivals, and the fixed VLU.
    pub activations: &'static [&'static str],
    /// Seeds. Paper.
    pub seeds: &'static [u64],
    /// Whether images are flipped and shifted. Paper: "data augmentation"; chosen: which.
    pub augmented: bool,
    /// Published top-1 by activation, a fraction for each seed.
    pub published: &'static [Published],
}

/// What the paper prints of one activation.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// The activation.
    pub activation: &'static str,
    /// Peak test accuracy by seed.
    pub by_seed: &'static [f64],
    /// Mean as printed, without the runs that died.
    pub mean: f64,
    /// Standard error as printed.
    pub standard_error: f64,
    /// Relative error decrease against ReLU that the abstract states.
    pub rel_error_decrease: Option<f64>,
}

impl Table {
    /// What the paper prints of an activation.
    pub fn published(&self, activation: &str) -> Option<&'static Published> {
        self.published.iter().find(|published| published.activation == activation)
    }
}

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

/// Table 1.
pub const TABLE1: Table = Table {
    name: "table1",
    title: "Table 1: six-convolution network without augmentation",
    model: "sequential6conv",
    activations: &["relu", "leaky_relu", "elu", "prelu", "vlu", "pvlu"],
    seeds: &[0, 1, 2, 3, 4],
    augmented: false,
    published: &[
        Published {
            activation: "relu",
            by_seed: &[0.007, 0.497, 0.008, 0.487, 0.472],
            mean: 0.485,
            standard_error: 0.007,
            rel_error_decrease: None,
        },
        Published {
            activation: "leaky_relu",
            by_seed: &[0.501, 0.505, 0.505, 0.507, 0.503],
            mean: 0.504,
            standard_error: 0.001,
            rel_error_decrease: None,
        },
        Published {
            activation: "prelu",
            by_seed: &[0.560, 0.555, 0.556, 0.549, 0.550],
            mean: 0.555,
            standard_error: 0.002,
            rel_error_decrease: None,
        },
        Published {
            activation: "pvlu",
            by_seed: &[0.566, 0.566, 0.578, 0.567, 0.567],
            mean: 0.569,
            standard_error: 0.002,
            rel_error_decrease: Some(0.163),
        },
    ],
};

/// Table 2.
pub const TABLE2: Table = Table {
    name: "table2",
    title: "Table 2: six-convolution network with augmentation",
    model: "sequential6conv",
    activations: &["relu", "prelu", "vlu", "pvlu"],
    seeds: &[0, 1, 2],
    augmented: true,
    published: &[
        Published {
            activation: "relu",
            by_seed: &[0.619, 0.619, 0.617],
            mean: 0.618,
            standard_error: 0.001,
            rel_error_decrease: None,
        },
        Published {
            activation: "prelu",
            by_seed: &[0.672, 0.666, 0.669],
            mean: 0.669,
            standard_error: 0.007,
            rel_error_decrease: None,
        },
        Published {
            activation: "pvlu",
            by_seed: &[0.674, 0.659, 0.649],
            mean: 0.661,
            standard_error: 0.001,
            rel_error_decrease: Some(0.113),
        },
    ],
};

/// The tables of networks trained from scratch.
pub const TABLES: [&Table; 2] = [&TABLE1, &TABLE2];

#[cfg(test)]
mod tests;
