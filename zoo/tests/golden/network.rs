//! Typed networks in `f64` behind one trait, so that what is tested of them is compiled once.

use dfdx::nn::{BuildOnDevice, ModuleMut};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Rank0};
use dfdx::tensor::{Cpu, Tensor, TensorFromVec};
use pvlu::Error;
use pvlu::kernel::view;
use pvlu::layer::{Mode, Switch, Walk, try_build_unfilled};
use pvlu::tape::{GradTape, LeafGradients, Place, Track, TrackExt, try_backward};

type Tape = GradTape<f64, Cpu>;

/// Images `[batch, 3, height, width]`.
pub type Images = Tensor<(usize, Const<3>, usize, usize), f64, Cpu>;
type TrackedImages = Tensor<(usize, Const<3>, usize, usize), f64, Cpu, Tape>;
type TrackedLogits<const CLASSES: usize> = Tensor<(usize, Const<CLASSES>), f64, Cpu, Tape>;

/// What a pass computed.
pub struct Answer {
    pub logits: Vec<f64>,
    /// Gradients of `sum(logits * cotangent)`, if a cotangent was given.
    pub gradients: Option<LeafGradients<f64, Cpu>>,
}

/// A network.
pub trait Network {
    fn net(&mut self) -> &mut dyn Walk<f64, Cpu>;

    /// Forward, by the switches, and backward if a cotangent is given. Running statistics move on where they are not used.
    fn pass(&mut self, images: &Images, cotangent: Option<&[f64]>) -> Result<Answer, Error>;
}

/// Builds a network without its weights.
pub type Build = fn() -> Result<Box<dyn Network>, Error>;

/// Builds `N`, which evaluates though its passes are those of a training loop.
pub fn build<N, const CLASSES: usize>() -> Result<Box<dyn Network>, Error>
where
    N: BuildOnDevice<Cpu, f64>,
    N::Built: Walk<f64, Cpu> + ModuleMut<TrackedImages, Output = TrackedLogits<CLASSES>, Error = Error> + 'static,
{
    let mut net = try_build_unfilled::<N, f64, Cpu>(&Cpu::default())?;
    net.set_mode(Mode::Eval);
    Ok(Box::new(Typed::<N::Built, CLASSES>(net)))
}

struct Typed<N, const CLASSES: usize>(N);

impl<N, const CLASSES: usize> Network for Typed<N, CLASSES>
where
    N: Walk<f64, Cpu> + ModuleMut<TrackedImages, Output = TrackedLogits<CLASSES>, Error = Error>,
{
    fn net(&mut self) -> &mut dyn Walk<f64, Cpu> {
        &mut self.0
    }

    fn pass(&mut self, images: &Images, cotangent: Option<&[f64]>) -> Result<Answer, Error> {
        let images = images.clone();
        let images = if cotangent.is_some() { images.track_input() } else { images.track() };
        let y = self.0.try_forward_mut(images)?;
        let logits = view::read(&y).into_owned();
        let gradients = cotangent.map(|cotangent| try_backward(weigh(y, cotangent)?)).transpose()?;
        Ok(Answer { logits, gradients })
    }
}

/// `sum(y * cotangent)`.
fn weigh<const CLASSES: usize>(
    y: TrackedLogits<CLASSES>,
    cotangent: &[f64],
) -> Result<Tensor<Rank0, f64, Cpu, Tape>, Error> {
    let (y, mut tape) = y.split_tape();
    let total = view::read(&y).iter().zip(cotangent).map(|(y, c)| y * c).sum();
    let total: Tensor<Rank0, f64, Cpu> = Cpu::default().try_tensor_from_vec(vec![total], ())?;
    let (y, sum, cotangent) = (Place::of(&y), Place::of(&total), cotangent.to_vec());
    tape.record(&[], move |flow| {
        let scale = sum.take(flow)?[0];
        y.hand_over(flow, cotangent.into_iter().map(|c| c * scale).collect())
    });
    Ok(total.put_tape(tape))
}
