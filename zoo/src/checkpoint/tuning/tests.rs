use super::*;
use crate::registry::build;
use crate::transfer::{FreezePolicy, groups};

fn full() -> Tuning {
    let phase = |part: &str, epochs| TuningPhase { train: vec![part.into()], epochs, learning_rate: 1e-3 };
    Tuning {
        version: Some("0.1.0".into()),
        start: None,
        earlier: 2,
        activation_before: Some("relu".into()),
        loss: Some("cross_entropy".into()),
        optimizer: Some("adamw".into()),
        betas: Some([0.9, 0.999]),
        epsilon: Some(1e-8),
        momentum: Some(0.9),
        nesterov: true,
        weight_decay: Some(0.01),
        schedule: Some("step".into()),
        milestones: vec![1.5, 2.0],
        factor: Some(0.1),
        warm_up: 1,
        head_rate: Some(10.0),
        label_smoothing: Some(0.1),
        mixup: Some(0.2),
        average: Some(0.999),
        shards: Some(8),
        batch_size: Some(128),
        augmentation: Some(Augmented { flip: true, shift: 4, cutout: Some(8), part: Some(0.08), jitter: Some(0.4) }),
        seed: Some(u64::MAX),
        train_images: Some(5000),
        held_out_images: Some(500),
        test_images: Some(10_000),
        precision: Some("bf16".into()),
        phases: vec![phase("head", 10), phase("activations", 3)],
        kept: Some(KeptNetwork { phase: 1, epoch: 3, training_loss: Some(0.625) }),
        top1_before: Some(0.5),
        top1: Some(0.75),
    }
}

#[test]
fn a_record_is_read_as_it_was_written_and_with_fields_of_another_version() {
    let tuning = full();
    assert_eq!(tuning.to_json().parse::<Tuning>().unwrap(), tuning);
    let mut other: serde_json::Value = serde_json::from_str(&tuning.to_json()).unwrap();
    other["of a later version"] = serde_json::json!([{ "a": null }]);
    other["kept"]["more"] = 1.into();
    assert_eq!(other.to_string().parse::<Tuning>().unwrap(), tuning);
    assert_eq!("{}".parse::<Tuning>().unwrap(), Tuning::default());
    // JSON has no infinity.
    let kept = KeptNetwork { phase: 0, epoch: 0, training_loss: Some(f64::INFINITY) };
    let infinite = Tuning { kept: Some(kept), ..Tuning::default() };
    assert_eq!(infinite.to_json().parse::<Tuning>().unwrap().kept.unwrap().training_loss, None);
}

#[test]
fn a_text_that_no_tuning_wrote_is_an_error_that_says_so() {
    let (deep, long) = ("[".repeat(50_000), format!("{{}}{}", " ".repeat(MAX_TUNING)));
    for (wrong, words) in [
        ("", "EOF"),
        ("[]", "an array"),
        ("1", "invalid type"),
        (r#"{"seed":-1}"#, "invalid value"),
        (r#"{"phases":[{}]}"#, "missing field"),
        (r#"{"betas":[0.9]}"#, "invalid length"),
        (r#"{"top1":"\u001b[2J"}"#, "invalid type"),
        (r#"{"top1":1e999}"#, "out of range"),
        // A field that is not known is passed over without a stack.
        (&format!(r#"{{"x":{deep}"#), "EOF"),
        (&long, "at most 65536 bytes"),
    ] {
        let error = wrong.parse::<Tuning>().unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains(char::is_control), "{error}");
    }
    for wrong in ["{}", "[{}]", r#"[{"kind":"weight","state":"melted","tensors":1,"elements":1}]"#] {
        wrong.parse::<FrozenState>().unwrap_err();
    }
}

#[test]
fn what_was_trained_in_any_phase_is_not_frozen() {
    let mut model = build("cifar_resnet20", "pvlu", 10, 0).unwrap();
    let mut phases = Vec::new();
    for policy in [FreezePolicy::HEAD, FreezePolicy { batch_norm_statistics: true, ..FreezePolicy::ACTIVATIONS }] {
        policy.apply(model.net_mut());
        phases.push(groups(model.net()).unwrap());
    }
    FreezePolicy::ALL.apply(model.net_mut());
    let all = groups(model.net()).unwrap();
    let state = FrozenState::of(&all, &phases);
    let (trunk, head) = (Some(Part::Trunk), Some(Part::Head));
    for (part, kind, expected) in [
        (trunk, ParamKind::Weight, TunedState::Frozen),
        (trunk, ParamKind::Activation, TunedState::Trained),
        (trunk, ParamKind::RunningMean, TunedState::Updated),
        (head, ParamKind::Weight, TunedState::Trained),
    ] {
        assert_eq!(state.state(part, kind), Some(expected), "{part:?} {kind:?}");
    }
    assert_eq!(state.state(None, ParamKind::Weight), None);
    assert_eq!(state.to_json().parse::<FrozenState>().unwrap(), state);
    // Of the first phase alone, and of none.
    let of_head = FrozenState::of(&all, &phases[..1]);
    assert_eq!(of_head.state(trunk, ParamKind::Activation), Some(TunedState::Frozen));
    assert!(FrozenState::of(&all, &[]).0.iter().all(|group| group.state == TunedState::Frozen));
}
