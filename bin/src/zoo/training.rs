//! The training that the options of a command ask for; an error where two of them contradict each other.

use pvlu_zoo::data::Augmentation;
use pvlu_zoo::train::{OptimizerConfig, Schedule};

use super::args::{AugmentationArgs, OptimizerName, ScheduleName, TrainingArgs};
use crate::common::error::CliError;
use crate::common::training::Training;

/// The settings of a command where the user asks for no others.
#[derive(Clone, Copy)]
pub struct Usual {
    optimizer: OptimizerName,
    schedule: ScheduleName,
    /// Learning rate and weight decay of `sgd`.
    sgd: (f64, f64),
    /// Learning rate and weight decay of `adamw`; those of `adam` are the same rate and no decay.
    adamw: (f64, f64),
}

/// Settings from scratch, as they are usual with CIFAR.
pub const FROM_SCRATCH: Usual =
    Usual { optimizer: OptimizerName::Sgd, schedule: ScheduleName::Cosine, sgd: (0.1, 5e-4), adamw: (1e-3, 0.01) };

/// Settings that change little of a pretrained network.
pub const TUNING: Usual =
    Usual { optimizer: OptimizerName::Adamw, schedule: ScheduleName::Constant, sgd: (1e-3, 0.0), adamw: (1e-3, 0.0) };

/// The training that options ask for, of phases with these numbers of epochs, each after the option that gives it.
pub fn training(
    args: &TrainingArgs,
    mixup: Option<f64>,
    usual: &Usual,
    phases: &[(&str, u64)],
) -> Result<Training, CliError> {
    let name = args.optimizer.unwrap_or(usual.optimizer);
    for (option, is_given) in [("--momentum", args.momentum.is_some()), ("--nesterov", args.nesterov)] {
        if is_given && name != OptimizerName::Sgd {
            return Err(CliError::Usage(format!("{option}: of --optimizer sgd alone")));
        }
    }
    if args.nesterov && args.momentum == Some(0.0) {
        return Err(CliError::Usage("--nesterov: needs a --momentum above 0".to_owned()));
    }
    let (rate, decay) = match name {
        OptimizerName::Sgd => usual.sgd,
        OptimizerName::Adam => (usual.adamw.0, 0.0),
        OptimizerName::Adamw => usual.adamw,
    };
    let weight_decay = args.weight_decay.unwrap_or(decay);
    let optimizer = match name {
        OptimizerName::Sgd => OptimizerConfig::sgd(args.momentum.unwrap_or(0.9), args.nesterov, weight_decay),
        OptimizerName::Adam | OptimizerName::Adamw => OptimizerConfig::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay,
            decoupled: name == OptimizerName::Adamw,
        },
    };
    Ok(Training {
        optimizer,
        learning_rate: args.learning_rate.unwrap_or(rate),
        schedule: schedule(args, usual, phases)?,
        warm_up: args.warm_up,
        label_smoothing: args.label_smoothing,
        mixup,
        average: args.average,
        shards: args.shards,
    })
}

/// The schedule that options ask for.
fn schedule(args: &TrainingArgs, usual: &Usual, phases: &[(&str, u64)]) -> Result<Schedule, CliError> {
    let (milestones, factor) = (args.milestones.clone(), args.factor.unwrap_or(0.1));
    let usual = if milestones.is_empty() { usual.schedule } else { ScheduleName::Step };
    let refused = |message: &str| Err(CliError::Usage(message.to_owned()));
    let short = phases.iter().find(|(_, epochs)| args.warm_up > *epochs);
    match (args.schedule.unwrap_or(usual), milestones.is_empty()) {
        (ScheduleName::Step, true) => refused("--schedule step: needs --milestones, as in --milestones 30,60"),
        (ScheduleName::Step, false) if !milestones.is_sorted_by(|left, right| left < right) => {
            refused("--milestones: expected epochs that rise, as in 30,60")
        }
        (ScheduleName::OneCycle, true) if args.warm_up > 0 => {
            refused("--warm-up: --schedule one-cycle has a rise of its own")
        }
        (ScheduleName::Constant | ScheduleName::Cosine | ScheduleName::OneCycle, false) => {
            refused("--milestones: of --schedule step alone")
        }
        (name, _) => match (name, short) {
            (_, Some((option, _))) => refused(&format!("--warm-up: expected at most as many epochs as {option}")),
            (ScheduleName::Step, None) => Ok(Schedule::Milestones { epochs: milestones, factor }),
            (ScheduleName::Constant, None) => Ok(Schedule::Constant),
            (ScheduleName::Cosine, None) => Ok(Schedule::Cosine),
            (ScheduleName::OneCycle, None) => Ok(Schedule::OneCycle),
        },
    }
}

/// The changes of training images that options ask for.
pub fn augmentation(args: &AugmentationArgs) -> Augmentation {
    let AugmentationArgs { flip, crop, random_part, color_jitter, cutout, .. } = *args;
    Augmentation { flip, shift: crop.into(), cutout: cutout.map(usize::from), part: random_part, jitter: color_jitter }
}

/// Refuses changes that leave nothing of images of these sides.
pub fn check_sides(augmentation: Augmentation, (height, width): (usize, usize)) -> Result<(), CliError> {
    let side = height.min(width);
    let Augmentation { shift, cutout, .. } = augmentation;
    for (option, pixels, most) in [("--crop", shift, side - 1), ("--cutout", cutout.unwrap_or(1), side)] {
        if pixels > most || (option == "--cutout" && pixels == 0) {
            let of = format!("of images of {height}x{width}");
            return Err(CliError::Usage(format!("{option}: expected at most {most} pixels {of}, found {pixels}")));
        }
    }
    Ok(())
}
