//! Frozen tensors stay to the last bit, and the others move.

use std::collections::BTreeMap;

use pvlu::layer::{Mode, ParamKind};
use pvlu_zoo::registry::{Start, find};
use pvlu_zoo::train::{Optimizer, OptimizerConfig};
use pvlu_zoo::transfer::{FreezePolicy, groups, in_head, table};

use crate::{bits, images, small};

/// Every combination of the switches but `biases`.
fn policies() -> impl Iterator<Item = FreezePolicy> {
    (0..32_u32).map(|switches| {
        let on = |bit: u32| switches >> bit & 1 == 1;
        FreezePolicy {
            weights: on(0),
            head: on(1),
            activations: on(2),
            batch_norm_affine: on(3),
            batch_norm_statistics: on(4),
            // Of these convolutions none has a bias.
            biases: false,
        }
    })
}

fn is_trained(policy: &FreezePolicy, kind: ParamKind, path: &str) -> bool {
    match kind {
        ParamKind::Weight | ParamKind::Bias if in_head(path) => policy.head,
        ParamKind::Weight | ParamKind::Bias => policy.weights,
        ParamKind::Scale | ParamKind::Shift => policy.batch_norm_affine,
        ParamKind::RunningMean | ParamKind::RunningVariance => policy.batch_norm_statistics,
        ParamKind::Activation => policy.activations,
        ParamKind::Hyperparameter => false,
    }
}

#[test]
fn frozen_tensors_are_the_same_after_twenty_steps_under_every_policy() {
    let entry = find("cifar_resnet20_b").unwrap();
    for policy in policies() {
        let mut model = small(entry, "pvlu", Start::Seed(7));
        policy.apply(model.net_mut());
        model.set_mode(Mode::Train);
        let mut roles = BTreeMap::new();
        model
            .tensors(&mut |tensor| {
                roles.insert(tensor.slot.path.to_owned(), tensor.slot.kind);
            })
            .unwrap();
        let before = bits(&*model);
        let mut optimizer = Optimizer::new(OptimizerConfig::sgd(0.9, false, 0.01));
        for _ in 0..20 {
            let mut step = model.step(images(2), &[3, 8]).unwrap();
            optimizer.update(model.as_mut(), &mut step.gradients, 1e-3).unwrap();
        }
        for ((path, before), (_, after)) in before.iter().zip(&bits(&*model)) {
            let trained = is_trained(&policy, roles[path], path);
            assert_eq!(before != after, trained, "{policy:?}: {path}");
        }
    }
}

#[test]
fn biases_are_trained_alone() {
    let mut model = pvlu_zoo::registry::build("sequential6conv", "relu", 10, 7).unwrap();
    FreezePolicy { biases: true, ..FreezePolicy::NONE }.apply(model.net_mut());
    model.set_mode(Mode::Train);
    let before = bits(&*model);
    let mut step = model.step(images(2), &[3, 8]).unwrap();
    Optimizer::new(OptimizerConfig::adam()).update(model.as_mut(), &mut step.gradients, 1e-3).unwrap();
    for ((path, before), (_, after)) in before.iter().zip(&bits(&*model)) {
        assert_eq!(before != after, path.ends_with("bias") && !in_head(path), "{path}");
    }
    assert_eq!(model.trained_parameters().unwrap(), 2 * (32 + 64 + 128));
}

#[test]
fn the_table_counts_what_is_trained() {
    let entry = find("cifar_resnet20").unwrap();
    let mut model = small(entry, "pvlu", Start::Unfilled);
    FreezePolicy::ACTIVATIONS.apply(model.net_mut());
    let groups = groups(model.net()).unwrap();
    let trained: usize = groups.iter().filter(|group| group.trained).map(|group| group.elements).sum();
    assert_eq!(trained, 2 * 688);
    assert_eq!(model.trained_parameters().unwrap(), 2 * 688);
    let all: usize = groups.iter().map(|group| group.elements).sum();
    assert_eq!(all, 269_722 + 1_376 + 2 * 688);
    let table = table(&groups);
    assert!(table.contains("trunk     activation") && table.contains("head      weight"), "{table}");
    assert!(table.ends_with("1376 elements trained, 0 updated, 271098 frozen"), "{table}");
}
