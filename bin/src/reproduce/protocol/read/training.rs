//! The optimizer and the schedule of a protocol.

use pvlu_zoo::train::{OptimizerConfig, Schedule};

use super::values::{part, rate};
use crate::common::training::Training;
use crate::reproduce::protocol::definition::Pretraining;
use crate::reproduce::protocol::limits::{MAX_EPOCHS, MAX_IMAGES};
use crate::reproduce::protocol::reader::{ProtocolError, Section, Value};

/// The keys of Adam and AdamW beside those of any optimizer.
const OF_ADAM: [&str; 3] = ["beta1", "beta2", "epsilon"];
/// The keys of SGD beside those of any optimizer.
const OF_SGD: [&str; 2] = ["momentum", "nesterov"];
/// The keys of schedules, each of some kinds of them.
const OF_SCHEDULES: [&str; 4] = ["every", "milestones", "factor", "warm_up"];

/// The optimizer, the learning rate and the schedule.
pub fn training(top: &Section<'_>, pretrained: bool) -> Result<Training, ProtocolError> {
    let section = top.need_section("optimizer")?;
    let (optimizer, own): (_, &[&str]) = match section.need("kind", "adam, adamw or sgd")?.choice(&[
        ("adam", Some(false)),
        ("adamw", Some(true)),
        ("sgd", None),
    ])? {
        Some(decoupled) => (adam(&section, decoupled)?, &OF_ADAM),
        None => (sgd(&section)?, &OF_SGD),
    };
    let first: &[&str] = if pretrained { &["first_learning_rate"] } else { &[] };
    let known = [&["kind", "learning_rate", "weight_decay"], first, own].concat();
    section.only_of_kind(&known, &[&OF_ADAM[..], &OF_SGD].concat())?;
    let learning_rate = rate(&section.need("learning_rate", "a positive number")?)?;
    let (schedule, warm_up) = schedule(&top.need_section("schedule")?)?;
    let (label_smoothing, mixup, average, shards) = (0.0, None, None, 1);
    let plain = Training { optimizer, learning_rate, schedule, warm_up, label_smoothing, mixup, average, shards };
    top.section("regularization")?.map_or(Ok(plain.clone()), |section| regularized(plain, &section))
}

/// The training with smoothed labels, mixed images and an average of the network.
fn regularized(plain: Training, section: &Section<'_>) -> Result<Training, ProtocolError> {
    section.only(&["label_smoothing", "mixup", "average"])?;
    let alpha = "a number from 0.01 to 100";
    let mixup = section.find("mixup");
    Ok(Training {
        label_smoothing: section.find("label_smoothing").map_or(Ok(0.0), |value| part(&value))?,
        mixup: mixup.map(|value| value.number(alpha, |alpha| (0.01..=100.0).contains(&alpha))).transpose()?,
        average: section.find("average").map(|value| part(&value)).transpose()?,
        ..plain
    })
}

fn adam(section: &Section<'_>, decoupled: bool) -> Result<OptimizerConfig, ProtocolError> {
    let OptimizerConfig::Adam { beta1, beta2, epsilon, .. } = OptimizerConfig::adam() else {
        return Err(section.lacks("kind", "an optimizer"));
    };
    let share = |key: &str, usual| section.find(key).map_or(Ok(usual), |value| part(&value));
    Ok(OptimizerConfig::Adam {
        beta1: share("beta1", beta1)?,
        beta2: share("beta2", beta2)?,
        epsilon: section.find("epsilon").map_or(Ok(epsilon), |value| rate(&value))?,
        weight_decay: weight_decay(section)?,
        decoupled,
    })
}

fn sgd(section: &Section<'_>) -> Result<OptimizerConfig, ProtocolError> {
    let momentum = section.find("momentum").map_or(Ok(0.0), |value| part(&value))?;
    let nesterov = section.find("nesterov");
    let is_nesterov = nesterov.as_ref().map_or(Ok(false), Value::flag)?;
    if let Some(value) = nesterov.filter(|_| is_nesterov && momentum == 0.0) {
        return Err(value.error(&"expected with a `momentum` above 0, found without"));
    }
    Ok(OptimizerConfig::sgd(momentum, is_nesterov, weight_decay(section)?))
}

fn weight_decay(section: &Section<'_>) -> Result<f64, ProtocolError> {
    let decay = |value: Value<'_>| value.number("a number that is not negative", |decay| decay >= 0.0);
    section.find("weight_decay").map_or(Ok(0.0), decay)
}

/// The kinds of schedules, by their names.
#[derive(Clone, Copy)]
enum Kind {
    Constant,
    Step,
    Cosine,
    OneCycle,
}

/// The schedule, and the epochs of its warm-up.
fn schedule(section: &Section<'_>) -> Result<(Schedule, u64), ProtocolError> {
    let kinds =
        [("constant", Kind::Constant), ("cosine", Kind::Cosine), ("step", Kind::Step), ("one-cycle", Kind::OneCycle)];
    let kind = section.need("kind", "constant, cosine, step or one-cycle")?.choice(&kinds)?;
    let warm_up = || section.find("warm_up").map_or(Ok(0), |value| value.whole(0..=MAX_EPOCHS));
    Ok(match kind {
        Kind::OneCycle => {
            section.only_of_kind(&["kind"], &OF_SCHEDULES)?;
            (Schedule::OneCycle, 0)
        }
        Kind::Step => {
            let change = if section.find("milestones").is_some() { "milestones" } else { "every" };
            section.only_of_kind(&["kind", change, "factor", "warm_up"], &[])?;
            let factor = rate(&section.need("factor", "the factor of each change")?)?;
            let schedule = match section.find("milestones") {
                Some(value) => Schedule::Milestones { epochs: milestones(&value)?, factor },
                None => {
                    let every = section.need("every", "the epochs between two changes, or `milestones`")?;
                    Schedule::Step { every: every.whole(1..=MAX_EPOCHS)?, factor }
                }
            };
            (schedule, warm_up()?)
        }
        Kind::Constant | Kind::Cosine => {
            section.only_of_kind(&["kind", "warm_up"], &OF_SCHEDULES)?;
            (if matches!(kind, Kind::Cosine) { Schedule::Cosine } else { Schedule::Constant }, warm_up()?)
        }
    })
}

/// Epochs that rise, fractions too.
fn milestones(value: &Value<'_>) -> Result<Vec<f64>, ProtocolError> {
    let what = "an epoch above 0, greater than that before it";
    let mut epochs: Vec<f64> = Vec::new();
    for item in value.list()? {
        let last = epochs.last().copied().unwrap_or(0.0);
        epochs.push(item.number(what, |epoch| epoch > last)?);
    }
    if epochs.is_empty() { Err(value.error(&format!("expected {what}, found none"))) } else { Ok(epochs) }
}

/// The training that stands in for pretrained weights.
pub fn pretraining(section: &Section<'_>) -> Result<Pretraining, ProtocolError> {
    section.only(&["images", "epochs", "batch_size", "learning_rate", "seed"])?;
    Ok(Pretraining {
        images: section.need("images", "a number of images")?.count(1..=MAX_IMAGES)?,
        epochs: section.need("epochs", "a number of epochs")?.whole(1..=MAX_EPOCHS)?,
        batch_size: section.need("batch_size", "the images in a step")?.count(1..=MAX_IMAGES)?,
        learning_rate: rate(&section.need("learning_rate", "that of Adam")?)?,
        seed: section.need("seed", "that of the images")?.whole(0..=u64::MAX)?,
    })
}
