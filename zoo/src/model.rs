//! Networks behind one object-safe trait, so that training and tools are compiled once and not for each network.

mod finite;

use dfdx::nn::{Module, ModuleMut};
use dfdx::prelude::{Backward, PutTape, SplitTape};
use dfdx::shapes::{Const, Dim, HasShape, Rank0};
use dfdx::tensor::{Cpu, NoneTape, OwnedTape, Tensor};
use pvlu::Error;
use pvlu::activation::{Activation, Definition, Param};
use pvlu::backend::Backend;
use pvlu::kernel::view;
use pvlu::layer::{
    AnyTensor, Extent, Host, LayerKind, LayerSummary, Mode, NamedTensor, Path, SwapActivation, Switch, Switches, Visit,
    Visitor, VisitorMut, choose_activation, set_outputs,
};
use pvlu::loss::{check_labels, try_cross_entropy};
use pvlu::tape::{GradTape, LeafGradients, TrackExt, try_backward};

pub use self::finite::{NotFinite, check_finite};
use crate::device::{Device, DeviceError};
use crate::text::quoted;

/// A batch of images with `I` channels, of RGB ones unless said.
pub type Images<H, W, T = NoneTape, D = Cpu, const I: usize = 3> = Tensor<(usize, Const<I>, H, W), f32, D, T>;
/// A row of logits for each image; `C` is the number of classes, `Const` or `usize`.
pub type Logits<C, T = NoneTape, D = Cpu> = Tensor<(usize, C), f32, D, T>;

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
    /// Path, kind, and whether it is trained.
    pub slot: NamedTensor<'a>,
    /// Dimensions.
    pub shape: &'a [usize],
    /// Values in row-major order.
    pub values: &'a [f32],
}

/// Changes one trained parameter, given its gradient.
pub type UpdateRule<'a> = dyn FnMut(NamedTensor<'_>, &mut [f32], &[f32]) -> Result<(), Error> + 'a;

/// An image classifier in `f32`, seen from the host: wherever it computes, its tensors are here to be read and changed.
pub trait Model: Send + Sync {
    /// Number of classes.
    fn classes(&self) -> usize;

    /// Height and width of an image.
    fn image(&self) -> (usize, usize);

    /// Channels of an image: three, of RGB, unless overridden.
    fn channels(&self) -> usize {
        3
    }

    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`, as in evaluation unless a [`Mode`] was
    /// set by hand.
    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error>;

    /// Forward and backward over one batch, as in training unless a [`Mode`] was set by hand. Running statistics and
    /// dropout counts move on; parameters do not.
    fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<Step, Error>;

    /// The network.
    fn net(&self) -> &dyn Visit<f32, Cpu>;

    /// The network, for changing.
    fn net_mut(&mut self) -> &mut dyn Visit<f32, Cpu>;

    /// The same network with another activation, at the type level; see [`pvlu::layer::SwapActivation`]. Every other
    /// tensor is moved. [`SwapError::Fixed`] if it was built without a way to swap; those of the registry have one
    /// with ReLU.
    fn swap_activation(self: Box<Self>, activation: &'static Definition) -> Result<Box<dyn Model>, SwapError>;

    /// The same network, to compute on this device.
    fn to_device(self: Box<Self>, device: Device) -> Result<Box<dyn Model>, DeviceError>;

    /// Values of one image: channels, height and width multiplied.
    fn image_len(&self) -> usize {
        let (height, width) = self.image();
        self.channels() * height * width
    }

    /// The activation as it is asked for and files say it ([`Definition::text`]), if there is one.
    fn activation(&self) -> Option<&'static str> {
        let (height, width) = self.image();
        activation_of(self.net(), Extent::image(self.channels(), height, width))
    }

    /// Shows every tensor in forward order.
    fn tensors(&self, show: &mut dyn FnMut(TensorView<'_>)) -> Result<(), Error> {
        self.net().visit(&mut Path::root(), &mut Show(show))
    }

    /// Applies a rule to every trained parameter.
    ///
    /// [`Error::MissingGradient`], naming the parameter, if one got no gradient; then nothing is changed. See
    /// [`LeafGradients::reached`] for what an operation of dfdx's own hides.
    fn update(&mut self, gradients: &mut LeafGradients<f32, Cpu>, rule: &mut UpdateRule<'_>) -> Result<(), Error> {
        self.net().visit(&mut Path::root(), &mut Reached(gradients))?;
        self.net_mut().visit_mut(&mut Path::root(), &mut Update { gradients, rule })
    }

    /// Hands out the switches of every layer.
    fn switches(&mut self, change: &mut dyn FnMut(Switches<'_>)) {
        self.net_mut().each_switch(change);
    }

    /// Puts dropouts and batch norms into a mode.
    fn set_mode(&mut self, mode: Mode) {
        self.net_mut().set_mode(mode);
    }

    /// Seeds the dropouts.
    fn seed_dropout(&mut self, seed: u64) {
        self.net_mut().seed_dropout(seed);
    }

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

/// A swap that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// The model has no other activation.
    #[error("cannot swap the activation {} for {}: only a model with relu can", quoted(from), quoted(to))]
    Fixed {
        /// The model's activation.
        from: &'static str,
        /// The activation asked for.
        to: &'static str,
    },
    /// The device refused.
    #[error(transparent)]
    Device(#[from] Error),
    /// The swapped model cannot be moved to where this one is.
    #[error(transparent)]
    Move(#[from] DeviceError),
}

/// Makes a model of a classifier with another activation.
pub type Swap<N, H, W, C, const I: usize = 3> =
    fn(Classifier<N, H, W, C, I>, &'static Definition) -> Result<Box<dyn Model>, Error>;

/// Makes a model that computes on a device of a classifier.
pub type Move<N, H, W, C, const I: usize = 3> =
    fn(Classifier<N, H, W, C, I>, Device) -> Result<Box<dyn Model>, DeviceError>;

/// A typed network as a [`Model`], with the image size that it is used at and its number of classes; for images of `I`
/// channels, which the network's first layer says.
///
/// ```
/// use dfdx::prelude::{Const, Cpu, DeviceBuildExt};
/// use pvlu::activation::Pvlu;
/// use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, Linear};
/// use pvlu_zoo::model::{Classifier, Model};
///
/// // Images of one channel, as those of MNIST.
/// type Net = (Conv2D<1, 8, 3, 1, 1>, Act<Pvlu, 8>, GlobalAvgPool2D, Linear<8, 10>);
/// let net = Cpu::default().build_module::<Net, f32>();
/// let model = Classifier::new(net, Const::<28>, Const::<28>);
/// assert_eq!((model.channels(), model.image_len()), (1, 28 * 28));
/// assert_eq!(model.logits(vec![0.5; 2 * 28 * 28])?.len(), 2 * 10);
/// # Ok::<(), pvlu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classifier<N: 'static, H: 'static, W: 'static, C: 'static, const I: usize = 3> {
    /// The network.
    pub net: N,
    height: H,
    width: W,
    classes: C,
    swap: Option<Swap<N, H, W, C, I>>,
    moved: Option<Move<N, H, W, C, I>>,
}

/// What a network must do to run on a device; every network of the zoo does.
pub trait NetworkOn<D: Backend<f32>, H: Dim, W: Dim, C: Dim, const I: usize = 3>:
    Visit<f32, D>
    + Module<Images<H, W, NoneTape, D, I>, Output = Logits<C, NoneTape, D>, Error = Error>
    + ModuleMut<Images<H, W, GradTape<f32, D>, D, I>, Output = Logits<C, GradTape<f32, D>, D>, Error = Error>
    + 'static
{
}

impl<N, D: Backend<f32>, H: Dim, W: Dim, C: Dim, const I: usize> NetworkOn<D, H, W, C, I> for N where
    N: Visit<f32, D>
        + Module<Images<H, W, NoneTape, D, I>, Output = Logits<C, NoneTape, D>, Error = Error>
        + ModuleMut<Images<H, W, GradTape<f32, D>, D, I>, Output = Logits<C, GradTape<f32, D>, D>, Error = Error>
        + 'static
{
}

/// What a network must do to be a [`Classifier`]; every network of the zoo does.
pub trait Network<H: Dim, W: Dim, C: Dim, const I: usize = 3>: NetworkOn<Cpu, H, W, C, I> + Send + Sync {}

impl<N, H: Dim, W: Dim, C: Dim, const I: usize> Network<H, W, C, I> for N where
    N: NetworkOn<Cpu, H, W, C, I> + Send + Sync
{
}

impl<N, const CLASSES: usize> Classifier<N, Const<32>, Const<32>, Const<CLASSES>>
where
    N: Network<Const<32>, Const<32>, Const<CLASSES>>,
{
    /// A network for 32x32 images, checked at compile time.
    pub fn cifar(net: N) -> Self {
        Self::new(net, Const, Const)
    }
}

impl<N, H: Dim, W: Dim, const CLASSES: usize, const I: usize> Classifier<N, H, W, Const<CLASSES>, I>
where
    N: Network<H, W, Const<CLASSES>, I>,
{
    /// A network for images of the given size, each side `Const` or `usize`.
    ///
    /// Activations with a [parameter for each element](Activation::PER_ELEMENT) get those of this size. Where there is
    /// no memory for them the first forward pass is an error.
    pub fn new(mut net: N, height: H, width: W) -> Self {
        let _ = tell_size(&mut net, Extent::image(I, height.size(), width.size()), |param| param.start);
        Self { net, height, width, classes: Const, swap: None, moved: None }
    }
}

impl<N, H: Dim, W: Dim, const I: usize> Classifier<N, H, W, usize, I>
where
    N: Network<H, W, usize, I>,
{
    /// A network whose number of classes is known when the program runs, by a [`LinearTo`](pvlu::layer::LinearTo) at
    /// the end of its head, which is told that number here.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if there is no memory for the head, [`Error::Shape`] if the network gives another number.
    pub fn try_with_classes(mut net: N, height: H, width: W, classes: usize) -> Result<Self, Error> {
        set_outputs(&mut net, classes)?;
        let image = Extent::image(I, height.size(), width.size());
        tell_size(&mut net, image, |param| param.start)?;
        let found = net.summarize(&mut Path::root(), image, &mut |_| ())?.channels();
        if found != classes {
            return Err(Error::Shape { expected: classes, found });
        }
        Ok(Self { net, height, width, classes, swap: None, moved: None })
    }
}

impl<N, H: Dim, W: Dim, C: Dim, const I: usize> Classifier<N, H, W, C, I>
where
    N: Network<H, W, C, I>,
{
    /// The same, with how it gets another activation as a [`Model`].
    #[must_use]
    pub fn with_swap(self, swap: Swap<N, H, W, C, I>) -> Self {
        Self { swap: Some(swap), ..self }
    }

    /// Number of classes, as it is known.
    pub(crate) fn outputs(&self) -> C {
        self.classes
    }

    /// Height and width of an image, as they are known.
    pub(crate) fn size(&self) -> (H, W) {
        (self.height, self.width)
    }

    /// The same, with how it is moved to another device as a [`Model`].
    #[must_use]
    pub fn with_move(self, moved: Move<N, H, W, C, I>) -> Self {
        Self { moved: Some(moved), ..self }
    }

    /// The same network with activation `B`, at the type level.
    pub fn try_swap_activation<B: Activation>(self) -> Result<Classifier<N::Swapped<B>, H, W, C, I>, Error>
    where
        N: SwapActivation<f32, Cpu>,
        N::Swapped<B>: Network<H, W, C, I>,
    {
        let Self { net, height, width, classes, .. } = self;
        let mut net = net.try_swap_activation()?;
        tell_size(&mut net, Extent::image(I, height.size(), width.size()), |param| param.swapped)?;
        Ok(Classifier { net, height, width, classes, swap: None, moved: None })
    }
}

/// What asks for the activation of a network, if it has one.
pub(crate) fn activation_of(net: &dyn Visit<f32, Cpu>, image: Extent) -> Option<&'static str> {
    let mut found = None;
    let mut find = |layer: LayerSummary<'_>| {
        if let LayerKind::Activation { activation } = layer.kind {
            found = Some(activation.text());
        }
    };
    // An error only means that the image does not fit the head, which comes last.
    let _ = net.summarize(&mut Path::root(), image, &mut find);
    found
}

/// Gives activations with a parameter for each element, which were not told the size of their maps, those of images of
/// this size. `start` says where they start.
fn tell_size(net: &mut dyn Visit<f32, Cpu>, image: Extent, start: fn(&Param) -> f64) -> Result<(), Error> {
    let mut untold = None;
    net.each_switch(|switches| {
        if let Switches::Activation { activation, site, .. } = switches
            && activation.is_per_element()
            && site.is_none()
        {
            untold = Some(*activation);
        }
    });
    untold.map_or(Ok(()), |activation| choose_activation(net, activation, image, start))
}

/// A batch on a device from its values; [`Error::Shape`] if they are not whole images of this height and width.
pub(crate) fn batch<H: Dim, W: Dim, D: Backend<f32>, const I: usize>(
    device: &D,
    values: Vec<f32>,
    (height, width): (H, W),
) -> Result<Images<H, W, NoneTape, D, I>, Error> {
    let image = I * height.size() * width.size();
    if image == 0 || !values.len().is_multiple_of(image) {
        return Err(Error::Shape { expected: image, found: values.len() });
    }
    let shape = (values.len() / image, Const, height, width);
    device.try_tensor_from_vec(values, shape).map_err(|error| Error::Device(error.to_string()))
}

/// The loss of a batch, its logits, and the gradients.
pub(crate) type Trained<D> = (f64, Vec<f32>, LeafGradients<f32, D>);

/// Forward and backward over one batch.
pub(crate) fn train_step<N, H: Dim, W: Dim, C: Dim, D: Backend<f32> + Host<f32>, const I: usize>(
    net: &mut N,
    images: Images<H, W, NoneTape, D, I>,
    classes: C,
    labels: &[usize],
) -> Result<Trained<D>, Error>
where
    N: NetworkOn<D, H, W, C, I>,
    Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
{
    // Before the forward pass, which moves running statistics.
    check_labels(labels, HasShape::shape(&images).0, classes.size())?;
    learn_from(net.try_forward_mut(images.track())?, labels)
}

/// What follows the forward pass, which is the same for every network.
fn learn_from<C: Dim, D: Backend<f32> + Host<f32>>(
    logits: Logits<C, GradTape<f32, D>, D>,
    labels: &[usize],
) -> Result<Trained<D>, Error>
where
    Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
{
    let (logits, tape) = logits.split_tape();
    let values = <D as Host<f32>>::read(&logits)?.into_owned();
    let loss = try_cross_entropy(logits.put_tape(tape), labels)?;
    let (loss, tape) = loss.split_tape();
    let value = f64::from(<D as Host<f32>>::read(&loss)?[0]);
    Ok((value, values, try_backward(loss.put_tape(tape))?))
}

impl<N, H: Dim, W: Dim, C: Dim, const I: usize> Model for Classifier<N, H, W, C, I>
where
    N: Network<H, W, C, I>,
    H: Send + Sync + 'static,
    W: Send + Sync + 'static,
{
    fn classes(&self) -> usize {
        self.classes.size()
    }

    fn image(&self) -> (usize, usize) {
        (self.height.size(), self.width.size())
    }

    fn channels(&self) -> usize {
        I
    }

    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error> {
        let logits = self.net.try_forward(batch(&Cpu::default(), images, self.size())?)?;
        Ok(view::read(&logits).into_owned())
    }

    fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<Step, Error> {
        let images = batch(&Cpu::default(), images, self.size())?;
        let (loss, logits, gradients) = train_step(&mut self.net, images, self.classes, labels)?;
        Ok(Step { loss, logits, gradients })
    }

    fn net(&self) -> &dyn Visit<f32, Cpu> {
        &self.net
    }

    fn net_mut(&mut self) -> &mut dyn Visit<f32, Cpu> {
        &mut self.net
    }

    fn swap_activation(self: Box<Self>, activation: &'static Definition) -> Result<Box<dyn Model>, SwapError> {
        match self.swap {
            Some(swap) => Ok(swap(*self, activation)?),
            None => {
                let from = self.activation().unwrap_or("none");
                Err(SwapError::Fixed { from, to: activation.text() })
            }
        }
    }

    fn to_device(self: Box<Self>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
        match (device, self.moved) {
            (Device::Cpu, _) => Ok(self),
            (_, Some(moved)) => moved(*self, device),
            (_, None) => Err(DeviceError::NotBuilt),
        }
    }
}

struct Show<'a>(&'a mut dyn FnMut(TensorView<'_>));

impl Visitor<f32, Cpu> for Show<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        (self.0)(TensorView { slot, shape: &tensor.dims(), values: &tensor.read()? });
        Ok(())
    }
}

/// Finds a trained parameter without gradient before anything is changed.
struct Reached<'a>(&'a LeafGradients<f32, Cpu>);

impl Visitor<f32, Cpu> for Reached<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.trained && !self.0.reached_id(tensor.id()) {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        }
        Ok(())
    }
}

struct Update<'a, 'b> {
    gradients: &'a mut LeafGradients<f32, Cpu>,
    rule: &'a mut UpdateRule<'b>,
}

impl VisitorMut<f32, Cpu> for Update<'_, '_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if !slot.trained {
            return Ok(());
        }
        let Some(gradient) = tensor.gradient(self.gradients)? else {
            return Err(Error::MissingGradient { path: slot.path.to_owned() });
        };
        let mut result = Ok(());
        tensor.with_mut(&mut |values| result = (self.rule)(slot, values, gradient))?;
        result
    }
}
