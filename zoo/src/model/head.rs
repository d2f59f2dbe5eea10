//! The layers of a network behind its trunk, run by themselves.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Dim, HasShape, Shape};
use dfdx::tensor::{Cpu, NoneTape, Tensor, TensorFromVec};
use pvlu::Error;
use pvlu::kernel::view;
use pvlu::layer::{Extent, TrunkAndHead};
use pvlu::loss::{Targets, check_labels};
use pvlu::tape::{GradTape, TrackExt};

use super::learn::{Images, Logits, Step, learn_from};

/// The head of a model, which takes the features that the trunk makes of images; see
/// [`Model::head`](super::Model::head).
#[doc(hidden)]
pub trait Head {
    /// Logits `[batch, classes]` of features, those of each image of this size.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] of features of another size than the head takes, and those of the head.
    fn logits_of(&self, features: Vec<f32>, size: Extent) -> Result<Vec<f32>, Error>;

    /// Forward and backward over the features of one batch, as [`Model::step_towards`](super::Model::step_towards) over
    /// its images.
    ///
    /// # Errors
    ///
    /// As for [`logits_of`](Self::logits_of), and of labels that are no classes.
    fn step_on(&mut self, features: Vec<f32>, size: Extent, targets: &Targets<'_>) -> Result<Step, Error>;
}

/// Logits of features of this size.
type LogitsOf<N> = fn(&N, Vec<f32>, Extent) -> Result<Vec<f32>, Error>;

/// A step on features of this size, given the number of classes and the labels.
type StepOn<N, C> = fn(&mut N, C, Vec<f32>, Extent, &Targets<'_>) -> Result<Step, Error>;

/// The head of a network as functions, for a classifier whose type does not say that it has one.
#[derive(Debug)]
pub struct HeadOf<N, C> {
    /// True of the sizes of features that it takes.
    pub takes: fn(Extent) -> bool,
    logits: LogitsOf<N>,
    step: StepOn<N, C>,
}

impl<N, C> Clone for HeadOf<N, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N, C> Copy for HeadOf<N, C> {}

/// The head of a network that is there.
pub struct TypedHead<'m, N, C> {
    pub net: &'m mut N,
    pub classes: C,
    pub functions: HeadOf<N, C>,
}

impl<N, C: Dim> Head for TypedHead<'_, N, C> {
    fn logits_of(&self, features: Vec<f32>, size: Extent) -> Result<Vec<f32>, Error> {
        (self.functions.logits)(self.net, features, size)
    }

    fn step_on(&mut self, features: Vec<f32>, size: Extent, targets: &Targets<'_>) -> Result<Step, Error> {
        (self.functions.step)(self.net, self.classes, features, size, targets)
    }
}

/// Features of the shape `S`.
pub type Features<S, T = NoneTape> = Tensor<S, f32, Cpu, T>;

impl<T, H, C: Dim> HeadOf<TrunkAndHead<T, H>, C> {
    /// The head of a network whose trunk makes features of the shape `S` of images of `I` channels.
    pub fn new<S: Shape, Height: Dim, Width: Dim, const I: usize>() -> Self
    where
        T: Module<Images<Height, Width, NoneTape, Cpu, I>, Output = Features<S>>,
        H: Module<Features<S>, Output = Logits<C>, Error = Error>
            + ModuleMut<Features<S, GradTape<f32, Cpu>>, Output = Logits<C, GradTape<f32, Cpu>>, Error = Error>,
    {
        Self {
            takes: |size| shape::<S>(1, size).is_some(),
            logits: |net, features, size| {
                let logits = net.head.try_forward(tensor::<S>(features, size)?)?;
                Ok(view::read(&logits).into_owned())
            },
            step: |net, classes, features, size, targets| {
                let features = tensor::<S>(features, size)?;
                let batch = features.shape().concrete().into_iter().next().unwrap_or(0);
                check_labels(targets.labels, batch, classes.size())?;
                let logits = net.head.try_forward_mut(features.track())?;
                let (loss, logits, gradients) = learn_from(logits, targets)?;
                Ok(Step { loss, logits, gradients })
            },
        }
    }
}

/// The shape `S` of a batch of features, those of each image of this size; `None` of features of another size.
fn shape<S: Shape>(batch: usize, size: Extent) -> Option<S> {
    let dims = match size {
        Extent::Image { channels, height, width } => vec![batch, channels, height, width],
        other => vec![batch, other.elements()],
    };
    let mut shape = S::Concrete::default();
    (0..S::NUM_DIMS.min(dims.len())).for_each(|axis| shape[axis] = dims[axis]);
    S::from_concrete(&shape).filter(|_| S::NUM_DIMS == dims.len())
}

/// A tensor of features, those of each image of this size.
fn tensor<S: Shape>(values: Vec<f32>, size: Extent) -> Result<Features<S>, Error> {
    let image = size.elements();
    let batch = values.len().checked_div(image).unwrap_or(0);
    let shape = shape::<S>(batch, size).filter(|_| batch * image == values.len());
    let shape = shape.ok_or(Error::Shape { expected: batch * image, found: values.len() })?;
    Cpu::default().try_tensor_from_vec(values, shape).map_err(|error| Error::Device(error.to_string()))
}
