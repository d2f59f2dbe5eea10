//! Tensors of a step, and what is learned from its logits, alike for every network and device.

use dfdx::prelude::{Backward, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, Rank0};
use dfdx::tensor::{Cpu, NoneTape, OwnedTape, Tensor};
use pvlu::Error;
use pvlu::backend::Backend;
use pvlu::layer::Host;
use pvlu::loss::{Targets, try_cross_entropy_mixed};
use pvlu::tape::{GradTape, LeafGradients, try_backward_of_shard};

/// A batch of images with `I` channels, three unless given.
pub type Images<H, W, T = NoneTape, D = Cpu, const I: usize = 3> = Tensor<(usize, Const<I>, H, W), f32, D, T>;
/// A row of logits for each image; `C` is the number of classes, `Const` or `usize`.
pub type Logits<C, T = NoneTape, D = Cpu> = Tensor<(usize, C), f32, D, T>;

/// Results of one training step.
#[derive(Debug)]
pub struct Step {
    /// Mean cross-entropy of the batch, in natural units.
    pub loss: f64,
    /// Logits of the batch, `[batch, classes]`.
    pub logits: Vec<f32>,
    /// Gradients of the trained parameters. In a step that several processes take together a network of the zoo has
    /// handed them out already, and they are empty: a model that changes them computes its own by
    /// [`try_backward`](pvlu::tape::try_backward).
    pub gradients: LeafGradients<f32, Cpu>,
}

/// The loss of a batch, its logits, and the gradients.
pub(crate) type Trained<D> = (f64, Vec<f32>, LeafGradients<f32, D>);

/// Computes the loss and the gradients from the logits of a forward pass, alike for every network.
pub fn learn_from<C: Dim, D: Backend<f32> + Host<f32>>(
    logits: Logits<C, GradTape<f32, D>, D>,
    targets: &Targets<'_>,
) -> Result<Trained<D>, Error>
where
    Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
{
    let (logits, tape) = logits.split_tape();
    let values = <D as Host<f32>>::read(&logits)?.into_owned();
    let loss = try_cross_entropy_mixed(logits.put_tape(tape), targets)?;
    let (loss, tape) = loss.split_tape();
    let value = f64::from(<D as Host<f32>>::read(&loss)?[0]);
    Ok((value, values, try_backward_of_shard(loss.put_tape(tape))?))
}
