//! Networks behind one object-safe trait, so that training and tools are compiled once and not for each network.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Dim, HasShape, Shape};
use dfdx::tensor::{Cpu, NoneTape, Tensor, TensorFromVec};
use pvlu::Error;
use pvlu::kernel::view;
use pvlu::layer::{Mode, Path, Slot, Switch, Switches, Walk, Walker, WalkerMut};
use pvlu::loss::try_cross_entropy;
use pvlu::tape::{GradTape, LeafGradients, TrackExt, try_backward};

/// A batch of RGB images.
pub type Images<H, W, T = NoneTape> = Tensor<(usize, Const<3>, H, W), f32, Cpu, T>;
/// A row of logits for each image.
pub type Logits<const CLASSES: usize, T = NoneTape> = Tensor<(usize, Const<CLASSES>), f32, Cpu, T>;

/// What one training step computed.
#[derive(Debug)]
pub struct Step {
    /// Mean cross-entropy of the batch, in natural units.
    pub loss: f64,
    /// Logits, `[batch, classes]`.
    pub logits: Vec<f32>,
    /// Gradients of the trained parameters.
    pub gradients: LeafGradients<f32, Cpu>,
}

/// One tensor of a model: where and what it is, its dimensions and its values.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Path, role, and whether it is trained.
    pub slot: Slot<'a>,
    /// Dimensions.
    pub shape: &'a [usize],
    /// Values in row-major order.
    pub values: &'a [f32],
}

/// Changes one trained parameter, given its gradient.
pub type UpdateRule<'a> = dyn FnMut(Slot<'_>, &mut [f32], &[f32]) -> Result<(), Error> + 'a;

/// An image classifier in `f32` on the CPU.
pub trait Model: Send {
    /// Number of classes.
    fn classes(&self) -> usize;

    /// Values of one image: channels, height and width multiplied.
    fn image_len(&self) -> usize;

    /// Logits `[batch, classes]` of images `[batch, 3, height, width]`, by [`Mode::Eval`] or as the switches stand.
    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error>;

    /// Forward and backward over one batch. Running statistics and dropout counts move on; parameters do not.
    fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<Step, Error>;

    /// Shows every tensor in forward order.
    fn tensors(&self, show: &mut dyn FnMut(TensorView<'_>)) -> Result<(), Error>;

    /// Applies a rule to every trained parameter.
    ///
    /// [`Error::MissingGradient`], naming the parameter, if one got no gradient; then nothing is changed. See
    /// [`LeafGradients::reached`] for what an operation of dfdx's own hides.
    fn update(&mut self, gradients: &mut LeafGradients<f32, Cpu>, rule: &mut UpdateRule<'_>) -> Result<(), Error>;

    /// Hands out the switches of every layer.
    fn switches(&mut self, change: &mut dyn FnMut(Switches<'_>));

    /// Puts dropouts and batch norms into a mode.
    fn set_mode(&mut self, mode: Mode);

    /// Seeds the dropouts.
    fn seed_dropout(&mut self, seed: u64);

    /// Trained parameters, in elements.
    fn trained_parameters(&self) -> Result<usize, Error> {
        let mut count = 0;
        self.tensors(&mut |tensor| {
            if tensor.slot.trained {
                count += tensor.values.len();
            }
        })?;
        Ok(count)
    }
}

/// A typed network as a [`Model`], with the image size that it is used at.
#[derive(Clone, Debug)]
pub struct Classifier<N, H, W, const CLASSES: usize> {
    /// The network.
    pub net: N,
    height: H,
    width: W,
}

/// What a network must do to be a [`Classifier`]; every network of the zoo does.
pub trait Network<H: Dim, W: Dim, const CLASSES: usize>:
    Walk<f32, Cpu>
    + Module<Images<H, W>, Output = Logits<CLASSES>, Error = Error>
    + ModuleMut<Images<H, W, GradTape<f32, Cpu>>, Output = Logits<CLASSES, GradTape<f32, Cpu>>, Error = Error>
    + Send
{
}

impl<N, H: Dim, W: Dim, const CLASSES: usize> Network<H, W, CLASSES> for N where
    N: Walk<f32, Cpu>
        + Module<Images<H, W>, Output = Logits<CLASSES>, Error = Error>
        + ModuleMut<Images<H, W, GradTape<f32, Cpu>>, Output = Logits<CLASSES, GradTape<f32, Cpu>>, Error = Error>
        + Send
{
}

impl<N, const CLASSES: usize> Classifier<N, Const<32>, Const<32>, CLASSES>
where
    N: Network<Const<32>, Const<32>, CLASSES>,
{
    /// A network for 32x32 images, checked at compile time.
    pub fn cifar(net: N) -> Self {
        Self { net, height: Const, width: Const }
    }
}

impl<N, H: Dim, W: Dim, const CLASSES: usize> Classifier<N, H, W, CLASSES>
where
    N: Network<H, W, CLASSES>,
{
    /// A network for images of the given size, each side `Const` or `usize`.
    pub fn new(net: N, height: H, width: W) -> Self {
        Self { net, height, width }
    }

    /// A batch from its values; [`Error::Shape`] if they are not whole images.
    fn images(&self, values: Vec<f32>) -> Result<Images<H, W>, Error> {
        let image = 3 * self.height.size() * self.width.size();
        if image == 0 || !values.len().is_multiple_of(image) {
            return Err(Error::Shape { expected: image, found: values.len() });
        }
        let batch = values.len() / image;
        Ok(Cpu::default().try_tensor_from_vec(values, (batch, Const, self.height, self.width))?)
    }
}

impl<N, H: Dim, W: Dim, const CLASSES: usize> Model for Classifier<N, H, W, CLASSES>
where
    N: Network<H, W, CLASSES>,
{
    fn classes(&self) -> usize {
        CLASSES
    }

    fn image_len(&self) -> usize {
        3 * self.height.size() * self.width.size()
    }

    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error> {
        let logits = self.net.try_forward(self.images(images)?)?;
        Ok(view::read(&logits).into_owned())
    }

    fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<Step, Error> {
        let images = self.images(images)?.track();
        let logits = self.net.try_forward_mut(images)?;
        let values = view::read(&logits).into_owned();
        let loss = try_cross_entropy(logits, labels)?;
        let value = f64::from(view::read(&loss)[0]);
        Ok(Step { loss: value, logits: values, gradients: try_backward(loss)? })
    }

    fn tensors(&self, show: &mut dyn FnMut(TensorView<'_>)) -> Result<(), Error> {
        self.net.walk(&mut Path::root(), &mut Show(show))
    }

    fn update(&mut self, gradients: &mut LeafGradients<f32, Cpu>, rule: &mut UpdateRule<'_>) -> Result<(), Error> {
        self.net.walk(&mut Path::root(), &mut Reached(gradients))?;
        self.net.walk_mut(&mut Path::root(), &mut Update { gradients, rule })
    }

    fn switches(&mut self, change: &mut dyn FnMut(Switches<'_>)) {
        self.net.each_switch(change);
    }

    fn set_mode(&mut self, mode: Mode) {
        self.net.set_mode(mode);
    }

    fn seed_dropout(&mut self, seed: u64) {
        self.net.seed_dropout(seed);
    }
}

struct Show<'a>(&'a mut dyn FnMut(TensorView<'_>));

impl Walker<f32, Cpu> for Show<'_> {
    fn tensor<S: Shape>(&mut self, slot: Slot<'_>, tensor: &Tensor<S, f32, Cpu>) -> Result<(), Error> {
        let values = view::read(tensor);
        (self.0)(TensorView { slot, shape: tensor.shape().concrete().as_ref(), values: &values });
        Ok(())
    }
}

/// Finds a trained parameter without gradient before anything is changed.
struct Reached<'a>(&'a LeafGradients<f32, Cpu>);

impl Walker<f32, Cpu> for Reached<'_> {
    fn tensor<S: Shape>(&mut self, slot: Slot<'_>, tensor: &Tensor<S, f32, Cpu>) -> Result<(), Error> {
        if slot.trained && !self.0.reached(tensor) {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        }
        Ok(())
    }
}

struct Update<'a, 'b> {
    gradients: &'a mut LeafGradients<f32, Cpu>,
    rule: &'a mut UpdateRule<'b>,
}

impl WalkerMut<f32, Cpu> for Update<'_, '_> {
    fn tensor<S: Shape>(&mut self, slot: Slot<'_>, tensor: &mut Tensor<S, f32, Cpu>) -> Result<(), Error> {
        if !slot.trained {
            return Ok(());
        }
        let Some(gradient) = self.gradients.get_mut(tensor) else {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        };
        let gradient = gradient?;
        view::with_mut(tensor, |values| (self.rule)(slot, values, gradient))?
    }
}
