//! The optimizer and the schedule of a protocol.

use pvlu_zoo::train::{OptimizerConfig, Schedule};

use super::values::{part, rate};
use crate::reproduce::protocol::definition::Pretraining;
use crate::reproduce::protocol::limits::{MAX_EPOCHS, MAX_IMAGES};
use crate::reproduce::protocol::reader::{ProtocolError, Section, Value};
use crate::reproduce::protocol::training::Training;

/// The optimizer, the learning rate and the schedule.
pub fn training(top: &Section<'_>, pretrained: bool) -> Result<Training, ProtocolError> {
    let section = top.need_section("optimizer")?;
    let (optimizer, own): (_, &[&str]) = match section.need("kind", "adam, adamw or sgd")?.choice(&[
        ("adam", Some(false)),
        ("adamw", Some(true)),
        ("sgd", None),
    ])? {
        Some(decoupled) => (adam(&section, decoupled)?, &["beta1", "beta2", "epsilon"]),
        None => (sgd(&section)?, &["momentum", "nesterov"]),
    };
    let first: &[&str] = if pretrained { &["first_learning_rate"] } else { &[] };
    section.only(&[&["kind", "learning_rate", "weight_decay"], first, own].concat())?;
    let learning_rate = rate(&section.need("learning_rate", "a positive number")?)?;
    Ok(Training { optimizer, learning_rate, schedule: schedule(&top.need_section("schedule")?)? })
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

fn schedule(section: &Section<'_>) -> Result<Schedule, ProtocolError> {
    let constant = Schedule::Constant;
    let kinds =
        [("constant", constant), ("cosine", Schedule::Cosine), ("step", Schedule::Step { every: 1, factor: 1.0 })];
    match section.need("kind", "constant, cosine or step")?.choice(&kinds)? {
        Schedule::Step { .. } => {
            section.only(&["kind", "every", "factor"])?;
            Ok(Schedule::Step {
                every: section.need("every", "the epochs between two changes")?.whole(1..=MAX_EPOCHS)?,
                factor: rate(&section.need("factor", "the factor of each change")?)?,
            })
        }
        other => section.only(&["kind"]).map(|()| other),
    }
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
