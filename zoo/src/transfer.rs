//! Fine-tuning: which tensors of a pretrained network are trained.
//!
//! The activation itself is replaced by [`SwapActivation`], re-exported here. A file's network with PVLU for its ReLU,
//! of which alpha and beta alone are trained:
//!
//! ```no_run
//! use pvlu::activation::{Pvlu, Relu};
//! use pvlu_zoo::resnet::cifar::ResNet20;
//! use pvlu_zoo::transfer::{FreezePolicy, SwapActivation};
//! use pvlu_zoo::weights::Architecture;
//!
//! let mut net = ResNet20::<Relu>::load("cifar10_resnet20.safetensors")?.swap_activation::<Pvlu>();
//! FreezePolicy::ACTIVATIONS.try_apply(&mut net)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path, Switch, Switches, Visit, Visitor};

pub use pvlu::layer::{Part, SwapActivation, TrunkAndHead};

/// A choice of the tensors that are trained. Hyperparameters of activations never are.
///
/// The network itself tells its trunk and head apart, as every one of the zoo does, and one of your own by being a
/// [`TrunkAndHead`]; a tensor in neither counts as one of the trunk.
///
/// ```
/// use dfdx::prelude::{Cpu, DeviceBuildExt};
/// use pvlu::activation::Relu;
/// use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear};
/// use pvlu_zoo::transfer::{FreezePolicy, TrunkAndHead};
///
/// type Trunk = (Conv2D<3, 8, 3, 1, 1>, Act<Relu, 8>);
/// let dev = Cpu::default();
/// let mut net = dev.build_module::<TrunkAndHead<Trunk, (GlobalAvgPool2D, Linear<8, 10>)>, f32>();
/// FreezePolicy::HEAD.try_apply(&mut net)?;
/// assert!(net.trunk.0.frozen && !net.head.1.frozen);
///
/// let mut tuple = dev.build_module::<(Trunk, (GlobalAvgPool2D, Linear<8, 10>)), f32>();
/// assert!(FreezePolicy::HEAD.try_apply(&mut tuple).is_err(), "a tuple has no head");
/// # Ok::<(), pvlu_zoo::transfer::FreezeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreezePolicy {
    /// Weights and biases of the trunk's convolutions.
    pub weights: bool,
    /// Biases of the trunk's convolutions, even where their weights are frozen.
    pub biases: bool,
    /// Weights and biases of the head's linear layers.
    pub head: bool,
    /// Parameters of the activations, in trunk and head.
    pub activations: bool,
    /// Scale and shift of the batch norms.
    pub batch_norm_affine: bool,
    /// Running statistics of the batch norms. If they are frozen, batch norms normalize in training as they do in
    /// evaluation.
    pub batch_norm_statistics: bool,
}

impl FreezePolicy {
    /// The policy that trains everything.
    pub const ALL: Self = Self {
        weights: true,
        biases: true,
        head: true,
        activations: true,
        batch_norm_affine: true,
        batch_norm_statistics: true,
    };
    /// The policy that trains nothing.
    pub const NONE: Self = Self {
        weights: false,
        biases: false,
        head: false,
        activations: false,
        batch_norm_affine: false,
        batch_norm_statistics: false,
    };
    /// The activations' parameters alone, on running statistics: how the paper tunes PVLU in its tables 3 and 4.
    pub const ACTIVATIONS: Self = Self { activations: true, ..Self::NONE };
    /// The head alone, on running statistics.
    pub const HEAD: Self = Self { head: true, ..Self::NONE };

    /// Sets the switches of a network accordingly.
    ///
    /// # Errors
    ///
    /// [`FreezeError`] if the policy tells trunk and head apart and the network does not say which part the policy
    /// means, or if nothing of the network would be trained or updated though the policy, being another than
    /// [`NONE`](Self::NONE), wants that. Kinds of tensors that the network lacks beside others that it has are no
    /// error. The switches are then as they were.
    pub fn try_apply<E: Element + dfdx::shapes::Unit>(&self, net: &mut dyn Visit<E, Cpu>) -> Result<(), FreezeError> {
        let groups_before = groups(net)?;
        if let Some(part) = self.named_part() {
            let declared = groups_before.iter().any(|group| group.part == Some(part));
            if !declared {
                return Err(FreezeError::NoPart { part });
            }
        }
        let mut before = Vec::new();
        net.each_switch(|switches| before.push(switches.state()));
        self.set(net);
        let after = groups(net)?;
        if *self != Self::NONE && trained(&after) + updated(&after) == 0 {
            let mut before = before.into_iter();
            net.each_switch(|switches| before.next().map_or((), |state| switches.set(state)));
            return Err(FreezeError::Nothing { wanted: self.wanted() });
        }
        Ok(())
    }

    /// As [`try_apply`](Self::try_apply).
    ///
    /// # Panics
    ///
    /// On an error.
    pub fn apply<E: Element + dfdx::shapes::Unit>(&self, net: &mut dyn Visit<E, Cpu>) {
        self.try_apply(net).unwrap_or_else(|error| panic!("{error}"));
    }

    fn set<E: Element + dfdx::shapes::Unit>(&self, net: &mut dyn Visit<E, Cpu>) {
        net.each_switch_at(|path, switches| match switches {
            Switches::Weights { frozen, bias_trained, .. } => {
                *frozen = !if in_head(path) { self.head } else { self.weights };
                if let Some(bias_trained) = bias_trained {
                    *bias_trained = self.biases && !in_head(path);
                }
            }
            Switches::Activation { frozen, .. } => *frozen = !self.activations,
            Switches::BatchNorm(batch_norm) => {
                batch_norm.affine_frozen = !self.batch_norm_affine;
                batch_norm.statistics_frozen = !self.batch_norm_statistics;
            }
            _ => {}
        });
    }

    /// The part that the policy treats otherwise than the other one.
    fn named_part(&self) -> Option<Part> {
        match (self.weights, self.head) {
            (true, true) => None,
            (_, true) => Some(Part::Head),
            (true, _) => Some(Part::Trunk),
            _ => self.biases.then_some(Part::Trunk),
        }
    }

    /// Descriptions of the tensors that the policy trains or updates, for messages.
    fn wanted(&self) -> Vec<&'static str> {
        let Self { weights, biases, head, activations, batch_norm_affine, batch_norm_statistics } = *self;
        let all = [
            (weights, "weights of the trunk"),
            (biases, "biases of the trunk's convolutions"),
            (head, "weights of the head"),
            (activations, "parameters of activations"),
            (batch_norm_affine, "scale and shift of batch norms"),
            (batch_norm_statistics, "running statistics of batch norms"),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, what)| what).collect()
    }
}

/// A policy that does not suit the network; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// The policy is about a part that the network does not say it has.
    #[error(
        "the policy is about the {}, and the network does not say what that is: expected a TrunkAndHead<T, H>, as the \
         networks of the zoo are",
        part.name()
    )]
    NoPart {
        /// Part that the policy is about.
        part: Part,
    },
    /// The network has none of the tensors that the policy trains or updates.
    #[error("nothing would be trained: the network has no {}", wanted.join(", no "))]
    Nothing {
        /// Descriptions of the tensors that the policy trains or updates.
        wanted: Vec<&'static str>,
    },
    /// The network could not be visited.
    #[error(transparent)]
    Visit(#[from] Error),
}

/// Returns true if a path leads into the head.
#[doc(hidden)]
pub fn in_head(path: &str) -> bool {
    Part::of(path) == Some(Part::Head)
}

/// One kind of tensors of a network, and what training does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Kind of the tensors.
    pub kind: ParamKind,
    /// The part of the network that they are in, if it has parts.
    pub part: Option<Part>,
    /// True if the tensors are trained.
    pub trained: bool,
    /// True if training changes the tensors without a gradient; see [`NamedTensor::updated`].
    pub updated: bool,
    /// Number of the tensors.
    pub tensors: usize,
    /// Number of elements of all the tensors.
    pub elements: usize,
}

/// The tensors of a network by kind, in the order in which a visit meets the first of each kind.
pub fn groups<E: Element + dfdx::shapes::Unit>(net: &dyn Visit<E, Cpu>) -> Result<Vec<Group>, Error> {
    struct Groups(Vec<Group>);
    impl<E: Element + dfdx::shapes::Unit> Visitor<E, Cpu> for Groups {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
            let NamedTensor { kind, trained, updated, .. } = slot;
            let new = Group { kind, part: Part::of(slot.path), trained, updated, tensors: 0, elements: 0 };
            let same = |group: &Group| Group { tensors: 0, elements: 0, ..*group } == new;
            let at = self.0.iter().position(same).unwrap_or_else(|| {
                self.0.push(new);
                self.0.len() - 1
            });
            self.0[at].tensors += 1;
            self.0[at].elements += tensor.dims().iter().product::<usize>();
            Ok(())
        }
    }
    let mut groups = Groups(Vec::new());
    net.visit(&mut Path::root(), &mut groups)?;
    Ok(groups.0)
}

/// The table of trained, updated and frozen tensors, one line a kind.
#[doc(hidden)]
pub fn table(groups: &[Group]) -> String {
    let mut lines = vec![format!("{:<10}{:<18}{:>8}{:>14}  {}", "part", "kind", "tensors", "elements", "state")];
    for group in groups {
        let part = group.part.map_or("", Part::name);
        let kind = kind_name(group.kind);
        let state = match (group.trained, group.updated) {
            (true, _) => "trained",
            (_, true) => "updated",
            _ => "frozen",
        };
        lines.push(format!("{part:<10}{kind:<18}{:>8}{:>14}  {state}", group.tensors, group.elements));
    }
    let all: usize = groups.iter().map(|group| group.elements).sum();
    let (trained, updated) = (trained(groups), updated(groups));
    lines.push(format!("{trained} elements trained, {updated} updated, {} frozen", all - trained - updated));
    lines.join("\n")
}

/// Name of a kind of tensors, in lower case.
#[doc(hidden)]
pub fn kind_name(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Weight => "weight",
        ParamKind::Bias => "bias",
        ParamKind::Scale => "scale",
        ParamKind::Shift => "shift",
        ParamKind::RunningMean => "running mean",
        ParamKind::RunningVariance => "running variance",
        ParamKind::Activation => "activation",
        ParamKind::Hyperparameter => "hyperparameter",
    }
}

/// Number of elements that are trained.
pub fn trained(groups: &[Group]) -> usize {
    groups.iter().filter(|group| group.trained).map(|group| group.elements).sum()
}

/// Number of elements that training changes without a gradient.
#[doc(hidden)]
pub fn updated(groups: &[Group]) -> usize {
    groups.iter().filter(|group| group.updated).map(|group| group.elements).sum()
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::DeviceBuildExt;
    use pvlu::activation::{Pvlu, Relu};
    use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Flatten2D, GlobalAvgPool2D, Linear};

    use super::*;

    type Trunk<A> = (Conv2D<3, 4, 3, 1, 1>, Act<A, 4>);
    type Head = (GlobalAvgPool2D, Linear<4, 10>);

    fn frozen(net: &mut dyn Visit<f32, Cpu>) -> Vec<bool> {
        let mut all = Vec::new();
        net.each_switch(|switches| {
            if let Switches::Weights { frozen, .. } | Switches::Activation { frozen, .. } = switches {
                all.push(*frozen);
            }
        });
        all
    }

    fn refused(policy: FreezePolicy, net: &mut dyn Visit<f32, Cpu>) -> FreezeError {
        let before = frozen(net);
        let error = policy.try_apply(net).unwrap_err();
        assert_eq!(frozen(net), before, "{error}");
        error
    }

    #[test]
    fn a_part_that_a_network_does_not_name_is_refused() {
        let dev = Cpu::seed_from_u64(0);
        // In the first one the second module is an activation, in the other ones a head that does not say so.
        let mut flat =
            dev.build_module::<(Conv2D<3, 4, 3, 1, 1>, Act<Pvlu, 4>, Flatten2D<4, 8, 8, 256>, Linear<256, 10>), f32>();
        let mut pair = dev.build_module::<(Trunk<Pvlu>, Head), f32>();
        let mut trunk = dev.build_module::<Trunk<Pvlu>, f32>();
        let nets: [&mut dyn Visit<f32, Cpu>; 3] = [&mut flat, &mut pair, &mut trunk];
        for net in nets {
            let of = |policy, net: &mut dyn Visit<f32, Cpu>| refused(policy, net);
            assert_eq!(of(FreezePolicy::HEAD, net), FreezeError::NoPart { part: Part::Head });
            let weights = FreezePolicy { weights: true, ..FreezePolicy::NONE };
            assert_eq!(of(weights, net), FreezeError::NoPart { part: Part::Trunk });
            let biases = FreezePolicy { biases: true, ..FreezePolicy::ACTIVATIONS };
            assert_eq!(of(biases, net), FreezeError::NoPart { part: Part::Trunk });
            // What makes no difference between them needs no names.
            for policy in [FreezePolicy::ACTIVATIONS, FreezePolicy::NONE, FreezePolicy::ALL] {
                policy.try_apply(net).unwrap();
            }
        }
        let text = FreezePolicy::HEAD.try_apply(&mut pair).unwrap_err().to_string();
        assert!(text.contains("the head") && text.contains("TrunkAndHead"), "{text}");
    }

    #[test]
    fn a_policy_that_trains_nothing_is_refused_unless_it_says_so() {
        let dev = Cpu::seed_from_u64(0);
        let mut relu = dev.build_module::<TrunkAndHead<Trunk<Relu>, GlobalAvgPool2D>, f32>();
        let affine = FreezePolicy { batch_norm_affine: true, ..FreezePolicy::ACTIVATIONS };
        let statistics = FreezePolicy { batch_norm_statistics: true, ..FreezePolicy::NONE };
        for policy in [FreezePolicy::ACTIVATIONS, affine, statistics] {
            assert!(matches!(refused(policy, &mut relu), FreezeError::Nothing { .. }), "{policy:?}");
        }
        let text = refused(affine, &mut relu).to_string();
        assert!(text.contains("no parameters of activations, no scale and shift of batch norms"), "{text}");
        // A head without a tensor is none.
        assert_eq!(refused(FreezePolicy::HEAD, &mut relu), FreezeError::NoPart { part: Part::Head });
        FreezePolicy::NONE.try_apply(&mut relu).unwrap();
        // Statistics are updated, which is not nothing.
        let mut normed = dev.build_module::<(Conv2D<3, 4, 1>, BatchNorm2D<4>), f32>();
        statistics.try_apply(&mut normed).unwrap();
    }

    #[test]
    fn the_head_is_trained_by_name_wherever_it_is() {
        let dev = Cpu::seed_from_u64(0);
        let mut net = dev.build_module::<TrunkAndHead<Trunk<Pvlu>, Head>, f32>();
        FreezePolicy::HEAD.apply(&mut net);
        assert_eq!(frozen(&mut net), [true, true, false]);
        // What comes before a network with parts counts as trunk.
        let mut within = dev.build_module::<(Conv2D<3, 3, 1>, TrunkAndHead<Trunk<Pvlu>, Head>), f32>();
        FreezePolicy::HEAD.apply(&mut within);
        assert_eq!(frozen(&mut within), [true, true, true, false]);
        let parts: Vec<_> = groups(&net).unwrap().iter().map(|group| group.part).collect();
        assert!(parts.contains(&Some(Part::Trunk)) && parts.contains(&Some(Part::Head)) && !parts.contains(&None));
    }
}
