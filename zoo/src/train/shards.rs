//! A step over a batch that is cut into shards.

use pvlu::Error;
use pvlu::loss::{Targets, check_labels};
use pvlu::shard::{ShardGroup, add_gradients, in_pairs};

use crate::model::{Model, Step};

/// Forward and backward over some inputs towards some targets.
pub type StepOf<'s> = dyn Fn(&mut dyn Model, Vec<f32>, &Targets<'_>) -> Result<Step, Error> + Sync + 's;

/// A network for a shard: the model itself, whose running statistics and dropouts move on, or a copy.
enum Network<'m> {
    Own(&'m mut dyn Model),
    Copy(Box<dyn Model>),
}

/// A step over a batch, of whose inputs each has `len` values, in the shards of a group.
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
    let copies = (1..group.shards()).map(|_| model.replica().map(Network::Copy).ok_or(Error::NoShards));
    let copies = copies.collect::<Result<Vec<_>, _>>()?;
    let networks = std::iter::once(Network::Own(&mut *model)).chain(copies).collect();
    let steps = group.run(count, networks, |network, images| {
        let inputs = inputs[images.start * len..images.end * len].to_vec();
        let others = targets.mixed.map(|(others, share)| (&others[images.clone()], share));
        let targets = Targets { labels: &targets.labels[images], mixed: others, ..*targets };
        match network {
            Network::Own(model) => step(model, inputs, &targets),
            Network::Copy(mut model) => step(&mut *model, inputs, &targets),
        }
    })?;
    let net = model.net();
    let sum = in_pairs(steps.into_iter().map(Ok).collect(), |left: Result<Step, Error>, right| {
        let (mut left, mut right) = (left?, right?);
        add_gradients(net, &mut left.gradients, &mut right.gradients)?;
        left.loss += right.loss;
        left.logits.extend(right.logits);
        Ok(left)
    });
    sum.unwrap_or(Err(Error::NoShards))
}

#[cfg(test)]
mod tests;
