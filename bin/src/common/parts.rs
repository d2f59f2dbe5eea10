//! Parts of a network that a training trains, by the names that users give them.

use clap::ValueEnum;
use pvlu_zoo::transfer::FreezePolicy;

/// Kinds of tensors that can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Parameters of the activations
    Activations,
    /// Scale and shift of the batch norms
    BatchNorm,
    /// Running statistics of the batch norms, which training updates
    Statistics,
    /// Linear layers of the head
    Head,
    /// Weights and biases of the convolutions
    Weights,
    /// Biases of the convolutions, without their weights
    Biases,
    /// All of the parts above
    All,
    /// Nothing: measure, after training a new head if there is one
    None,
}

/// The policy that trains some parts.
pub fn policy(parts: &[Part]) -> FreezePolicy {
    let mut policy = FreezePolicy::NONE;
    for part in parts {
        match part {
            Part::Activations => policy.activations = true,
            Part::BatchNorm => policy.batch_norm_affine = true,
            Part::Statistics => policy.batch_norm_statistics = true,
            Part::Head => policy.head = true,
            Part::Weights => policy.weights = true,
            Part::Biases => policy.biases = true,
            Part::All => policy = FreezePolicy::ALL,
            Part::None => {}
        }
    }
    policy
}

/// The names of the parts that a policy trains.
pub fn names(policy: FreezePolicy) -> Vec<String> {
    let FreezePolicy { weights, biases, head, activations, batch_norm_affine, batch_norm_statistics } = policy;
    let parts = [
        (Part::Activations, activations),
        (Part::BatchNorm, batch_norm_affine),
        (Part::Statistics, batch_norm_statistics),
        (Part::Head, head),
        (Part::Weights, weights),
        (Part::Biases, biases),
    ];
    let trained = parts.into_iter().filter(|(_, trained)| *trained);
    trained.filter_map(|(part, _)| Some(part.to_possible_value()?.get_name().to_owned())).collect()
}
