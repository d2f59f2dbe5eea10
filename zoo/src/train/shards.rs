//! A step over a batch that is cut into shards.

use pvlu::Error;
use pvlu::loss::{Targets, check_labels};
use pvlu::shard::ShardGroup;

use super::ranks;
use crate::model::{Model, Step};

/// Forward and backward over some inputs towards some targets.
pub type StepOf<'s> = dyn Fn(&mut dyn Model, Vec<f32>, &Targets<'_>) -> Result<Step, Error> + Sync + 's;

/// A network for a shard: the model itself, whose running statistics and dropouts move on, or a copy.
enum Network<'m> {
    Own(&'m mut dyn Model),
    Copy(Box<dyn Model>),
}

/// A step over a batch, of whose inputs each has `len` values, in the shards of a group. If several processes take the
/// step, each is given the inputs of its own shards, and returns the logits of these; loss and gradients are of the
/// batch.
///
/// # Errors
///
/// [`Error::NoShards`] of a model without [copies](Model::replica); else those of a step over the whole batch, with the
/// place of a wrong label in that.
pub fn step_in_shards(
    model: &mut dyn Model,
    (inputs, len): (Vec<f32>, usize),
    targets: &Targets<'_>,
    group: &ShardGroup,
    step: &StepOf<'_>,
) -> Result<Step, Error> {
    if len == 0 || !inputs.len().is_multiple_of(len) {
        return Err(Error::Shape { expected: len, found: inputs.len() });
    }
    let (count, classes) = (inputs.len() / len, model.classes());
    check_labels(targets.labels, count, classes)?;
    targets.mixed.map_or(Ok(()), |(others, _)| check_labels(others, count, classes))?;
    // The inputs may be those of this process alone.
    let counts = ranks::gathered([count as f64]);
    let batch = counts.iter().map(|[count]| *count as usize).sum();
    let own = group.images(batch);
    if own.len() != count {
        return Err(Error::Shape { expected: own.len(), found: count });
    }
    let copies = (1..group.shards()).map(|_| model.replica().map(Network::Copy).ok_or(Error::NoShards));
    let copies = copies.collect::<Result<Vec<_>, _>>()?;
    let networks = std::iter::once(Network::Own(&mut *model)).chain(copies).collect();
    let (steps, gradients) = group.run_backward(batch, networks, |network, images| {
        let images = images.start - own.start..images.end - own.start;
        let inputs = inputs[images.start * len..images.end * len].to_vec();
        let others = targets.mixed.map(|(others, share)| (&others[images.clone()], share));
        let targets = Targets { labels: &targets.labels[images], mixed: others, ..*targets };
        let Step { loss, logits, gradients } = match network {
            Network::Own(model) => step(model, inputs, &targets)?,
            Network::Copy(mut model) => step(&mut *model, inputs, &targets)?,
        };
        Ok(((loss, logits), gradients))
    })?;
    let (losses, logits): (Vec<_>, Vec<_>) = steps.into_iter().map(|(loss, logits)| (vec![loss], logits)).unzip();
    let loss = group.sum(losses);
    let gradients = gradients.sum(model.net())?;
    Ok(Step { loss: loss.first().copied().unwrap_or_default(), logits: logits.concat(), gradients })
}

#[cfg(test)]
mod tests;
