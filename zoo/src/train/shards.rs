//! A step over a batch that is cut into shards.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::kernel::cpu::CpuElement;
use pvlu::layer::{AnyTensor, NamedTensor, Path, Visitor};
use pvlu::loss::{Targets, check_labels};
use pvlu::shard::{Meeting, in_pairs};
use pvlu::tape::LeafGradients;

use crate::model::{Model, Step};

/// Forward and backward over some inputs towards some targets.
pub type StepOf<'s> = dyn Fn(&mut dyn Model, Vec<f32>, &Targets<'_>) -> Result<Step, Error> + Sync + 's;

/// A network for a shard: the model itself, whose running statistics and dropouts move on, or a copy.
enum Network<'m> {
    Own(&'m mut dyn Model),
    Copy(Box<dyn Model>),
}

/// A step over a batch, of whose inputs each has `len` values, in the shards of a meeting.
///
/// # Errors
///
/// [`Error::NoShards`] of a model that does not compute on the CPU; else those of a step over the whole batch, with the
/// place of a wrong label in the whole batch, and [`Error::Device`] if a shard panicked.
pub fn step_in_shards(
    model: &mut dyn Model,
    (inputs, len): (Vec<f32>, usize),
    targets: &Targets<'_>,
    meeting: &Meeting,
    step: &StepOf<'_>,
) -> Result<Step, Error> {
    let count = targets.labels.len();
    if count.checked_mul(len) != Some(inputs.len()) {
        return Err(Error::Shape { expected: count.saturating_mul(len), found: inputs.len() });
    }
    check_labels(targets.labels, count, model.classes())?;
    let copies = (1..meeting.shards()).map(|_| model.replica().map(Network::Copy).ok_or(Error::NoShards));
    let copies = copies.collect::<Result<Vec<_>, _>>()?;
    let networks = std::iter::once(Network::Own(&mut *model)).chain(copies).collect();
    let steps = meeting.run(count, networks, |network, images| {
        let inputs = inputs[images.start * len..images.end * len].to_vec();
        let others = targets.mixed.map(|(others, share)| (&others[images.clone()], share));
        let targets = Targets { labels: &targets.labels[images], mixed: others, ..*targets };
        match network {
            Network::Own(model) => step(model, inputs, &targets),
            Network::Copy(mut model) => step(&mut *model, inputs, &targets),
        }
    });
    let steps = steps.map_err(|failed| Error::Device(failed.to_string()))?;
    let steps = steps.into_iter().collect::<Result<Vec<_>, _>>()?;
    let loss = in_pairs(steps.iter().map(|step| step.loss).collect(), |a, b| a + b).unwrap_or_default();
    let (mut logits, mut gradients) = (Vec::new(), Vec::with_capacity(meeting.shards()));
    for step in steps {
        logits.extend(step.logits);
        gradients.push(step.gradients);
    }
    model.net().visit(&mut Path::root(), &mut Sum(&mut gradients))?;
    let first = gradients.into_iter().next().ok_or(Error::NoShards)?;
    Ok(Step { loss, logits, gradients: first })
}

/// Adds the gradients of all shards in pairs, as [`in_pairs`] does, into those of the first.
struct Sum<'g>(&'g mut [LeafGradients<f32, Cpu>]);

impl Visitor<f32, Cpu> for Sum<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if !slot.trained {
            return Ok(());
        }
        let mut distance = 1;
        while distance < self.0.len() {
            for pair in self.0.chunks_mut(2 * distance) {
                let Some((left, right)) = pair.split_at_mut_checked(distance) else { continue };
                let Some(right) = right.first_mut() else { continue };
                if let (Some(to), Some(from)) = (tensor.gradient(&mut left[0])?, tensor.gradient(right)?) {
                    (f32::cpu().add_assign)(to, from);
                }
            }
            distance *= 2;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
