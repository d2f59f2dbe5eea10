//! Typed networks in `f64` behind one trait, so that what is tested of them is compiled once.

use dfdx::nn::{BuildOnDevice, ModuleMut};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Rank0};
use dfdx::tensor::{Cpu, Tensor, TensorFromVec};
use pvlu::Error;
use pvlu::kernel::view;
use pvlu::layer::{Mode, Switch, Visit, try_build_unfilled};
use pvlu::tape::{GradTape, LeafGradients, Place, Track, TrackExt, try_backward};

type Tape = GradTape<f64, Cpu>;

/// Images `[batch, 3, height, width]`.
pub type Images = Tensor<(usize, Const<3>, usize, usize), f64, Cpu>;
type TrackedImages = Tensor<(usize, Const<3>, usize, usize), f64, Cpu, Tape>;
type TrackedLogits<const CLASSES: usize> = Tensor<(usize, Const<CLASSES>), f64, Cpu, Tape>;

/// Results of one pass.
pub struct Answer {
    pub logits: Vec<f64>,
    /// Gradients of `sum(logits * grad_output)`, if a gradient of the output was given.
    pub gradients: Option<LeafGradients<f64, Cpu>>,
}

/// A network in `f64`, of any type.
pub trait Network {
    fn net(&mut self) -> &mut dyn Visit<f64, Cpu>;

    /// Forward, by the switches, and backward if a gradient of the output is given. Running statistics move on where
    /// they are not used.
    fn pass(&mut self, images: &Images, grad_output: Option<&[f64]>) -> Result<Answer, Error>;
}

/// Builds a network without its weights.
pub type Build = fn() -> Result<Box<dyn Network>, Error>;

/// Builds `N`, which evaluates though its passes are those of a training loop.
pub fn build<N, const CLASSES: usize>() -> Result<Box<dyn Network>, Error>
where
    N: BuildOnDevice<Cpu, f64>,
    N::Built: Visit<f64, Cpu> + ModuleMut<TrackedImages, Output = TrackedLogits<CLASSES>, Error = Error> + 'static,
{
    let mut net = try_build_unfilled::<N, f64, Cpu>(&Cpu::default())?;
    net.set_mode(Mode::Eval);
    Ok(Box::new(Typed::<N::Built, CLASSES>(net)))
}

struct Typed<N, const CLASSES: usize>(N);

impl<N, const CLASSES: usize> Network for Typed<N, CLASSES>
where
    N: Visit<f64, Cpu> + ModuleMut<TrackedImages, Output = TrackedLogits<CLASSES>, Error = Error>,
{
    fn net(&mut self) -> &mut dyn Visit<f64, Cpu> {
        &mut self.0
    }

    fn pass(&mut self, images: &Images, grad_output: Option<&[f64]>) -> Result<Answer, Error> {
        let images = images.clone();
        let images = if grad_output.is_some() { images.track_input() } else { images.track() };
        let y = self.0.try_forward_mut(images)?;
        let logits = view::read(&y).into_owned();
        let gradients = grad_output.map(|grad_output| try_backward(weigh(y, grad_output)?)).transpose()?;
        Ok(Answer { logits, gradients })
    }
}

/// The sum `sum(y * grad_output)`, recorded on the tape.
fn weigh<const CLASSES: usize>(
    y: TrackedLogits<CLASSES>,
    grad_output: &[f64],
) -> Result<Tensor<Rank0, f64, Cpu, Tape>, Error> {
    let (y, mut tape) = y.split_tape();
    let total = view::read(&y).iter().zip(grad_output).map(|(y, c)| y * c).sum();
    let total: Tensor<Rank0, f64, Cpu> = Cpu::default().try_tensor_from_vec(vec![total], ())?;
    let (y, sum, grad_output) = (Place::of(&y), Place::of(&total), grad_output.to_vec());
    tape.record(&[], move |flow| {
        let scale = sum.take(flow)?[0];
        y.hand_over(flow, grad_output.into_iter().map(|c| c * scale).collect())
    });
    Ok(total.put_tape(tape))
}
