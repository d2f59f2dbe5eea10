//! Networks behind one object-safe trait, so that training and tools are compiled once and not for each network.

mod finite;
mod head;
mod learn;
mod site;
mod step;
mod visitors;

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Dim, Shape};
use dfdx::tensor::{Cpu, NoneTape};
use pvlu::activation::{Activation, Definition};
use pvlu::backend::Backend;
use pvlu::kernel::view;
use pvlu::layer::{
    Extent, LayerKind, LayerSummary, Mode, Path, SwapActivation, Switch, Switches, TrunkAndHead, Visit, set_outputs,
};
use pvlu::loss::Targets;
use pvlu::tape::{GradTape, LeafGradients};
use pvlu::{Error, Precision};

pub use self::finite::{NotFinite, check_finite};
pub use self::head::Head;
use self::head::TypedHead;
pub(crate) use self::head::{Features, HeadOf};
pub use self::learn::{Images, Logits, Step};
use self::site::tell_size;
pub(crate) use self::step::{batch, train_step};
use self::visitors::{Reached, Show, Update};
pub use self::visitors::{TensorView, UpdateRule};
use crate::device::{Device, DeviceError};
use crate::text::quoted;

/// An image classifier in `f32`. Its tensors are read and changed on the host, whichever device it computes on.
pub trait Model: Send + Sync {
    /// Number of classes: logits for each image.
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
    fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<Step, Error> {
        self.step_towards(images, &Targets::of(labels))
    }

    /// As [`step`](Self::step), with smoothed labels or images that are mixed of two.
    fn step_towards(&mut self, images: Vec<f32>, targets: &Targets<'_>) -> Result<Step, Error>;

    /// True if its logits are those of [`net`](Self::net) on the CPU, which may then be compiled.
    fn is_on_cpu(&self) -> bool {
        true
    }

    /// The layers behind the trunk, which [`fit`](crate::train::fit) trains on features that are computed once; `None`
    /// of a network that is not known to have them, and on other devices than the CPU.
    #[doc(hidden)]
    fn head(&mut self) -> Option<Box<dyn Head + '_>> {
        None
    }

    /// True if [`head`](Self::head) is there and takes features of this size.
    #[doc(hidden)]
    fn head_takes(&self, size: Extent) -> bool {
        let _ = size;
        false
    }

    /// The network's tensors and layers, for visitors that read.
    fn net(&self) -> &dyn Visit<f32, Cpu>;

    /// The network's tensors and switches, for visitors that change them.
    fn net_mut(&mut self) -> &mut dyn Visit<f32, Cpu>;

    /// The same network with another activation, at the type level; see [`pvlu::layer::SwapActivation`]. Every other
    /// tensor is moved. [`SwapError::Fixed`] if it was built without a way to swap; those of the registry have one
    /// with ReLU.
    fn swap_activation(self: Box<Self>, activation: &'static Definition) -> Result<Box<dyn Model>, SwapError>;

    /// The same network, to compute on this device.
    fn to_device(self: Box<Self>, device: Device) -> Result<Box<dyn Model>, DeviceError>;

    /// A copy, which shares the tensors until one of the two changes them, for a [shard](pvlu::shard) of a batch.
    /// `None` of a model that is not trained in shards: on another device than the CPU, or of one's own that does not
    /// say how.
    fn replica(&self) -> Option<Box<dyn Model>> {
        None
    }

    /// Values of one image: channels, height and width multiplied.
    fn image_len(&self) -> usize {
        let (height, width) = self.image();
        self.channels() * height * width
    }

    /// Text of the activation, as options and files state it ([`Definition::text`]), if the network has one.
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

    /// Sets the precision of the factors of convolutions and linear layers, in inference and in training. A swap of the
    /// activation and a move to another device keep it; [`Error::NoPrecision`] of a step says that the device has not
    /// that precision.
    fn set_precision(&mut self, to: Precision) {
        self.net_mut().set_precision(to);
    }

    /// Seeds the dropouts, each with a stream of its own, and starts their counts at zero.
    fn seed_dropout(&mut self, seed: u64) {
        self.net_mut().seed_dropout(seed);
    }

    /// Number of elements of the trained parameters.
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

/// A swap of the activation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// The model was built without a way to swap its activation.
    #[error("cannot swap the activation {} for {}: only a model with relu can", quoted(from), quoted(to))]
    Fixed {
        /// Text of the model's activation, or `none`.
        from: &'static str,
        /// Text of the activation that was asked for.
        to: &'static str,
    },
    /// The device reported an error.
    #[error(transparent)]
    Device(#[from] Error),
    /// The swapped model cannot be moved to the device of this one.
    #[error(transparent)]
    Move(#[from] DeviceError),
}

/// Makes a model of a classifier with another activation.
#[doc(hidden)]
pub type Swap<N, H, W, C, const I: usize = 3> =
    fn(Classifier<N, H, W, C, I>, &'static Definition) -> Result<Box<dyn Model>, Error>;

/// Moves a classifier to a device, as a model that computes there.
#[doc(hidden)]
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
    /// The typed network, on the host.
    pub net: N,
    height: H,
    width: W,
    classes: C,
    swap: Option<Swap<N, H, W, C, I>>,
    moved: Option<Move<N, H, W, C, I>>,
    head: Option<HeadOf<N, C>>,
}

/// Requirements on a network that computes on the device `D`. Every network of the zoo meets them.
#[doc(hidden)]
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

/// Requirements on the network of a [`Classifier`]. Every network of the zoo meets them.
pub trait Network<H: Dim, W: Dim, C: Dim, const I: usize = 3>:
    NetworkOn<Cpu, H, W, C, I> + Clone + Send + Sync
{
}

impl<N, H: Dim, W: Dim, C: Dim, const I: usize> Network<H, W, C, I> for N where
    N: NetworkOn<Cpu, H, W, C, I> + Clone + Send + Sync
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
        Self { net, height, width, classes: Const, swap: None, moved: None, head: None }
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
        Ok(Self { net, height, width, classes, swap: None, moved: None, head: None })
    }
}

impl<N, H: Dim, W: Dim, C: Dim, const I: usize> Classifier<N, H, W, C, I>
where
    N: Network<H, W, C, I>,
{
    /// The same classifier with the function that swaps its activation as a [`Model`].
    #[must_use]
    pub fn with_swap(self, swap: Swap<N, H, W, C, I>) -> Self {
        Self { swap: Some(swap), ..self }
    }

    /// Number of classes, as `Const` or `usize`.
    pub(crate) fn outputs(&self) -> C {
        self.classes
    }

    /// Height and width of an image, each as `Const` or `usize`.
    pub(crate) fn size(&self) -> (H, W) {
        (self.height, self.width)
    }

    /// The same classifier with the function that moves it to another device as a [`Model`].
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
        Ok(Classifier { net, height, width, classes, swap: None, moved: None, head: None })
    }
}

impl<T, H, Height: Dim, Width: Dim, C: Dim, const I: usize> Classifier<TrunkAndHead<T, H>, Height, Width, C, I>
where
    TrunkAndHead<T, H>: Network<Height, Width, C, I>,
{
    /// The same classifier, whose head can be run by itself on features: where it alone is trained,
    /// [`fit`](crate::train::fit) computes these once for all epochs. A swap of the activation forgets it.
    #[must_use]
    pub fn in_parts<S: Shape>(self) -> Self
    where
        T: Module<Images<Height, Width, NoneTape, Cpu, I>, Output = Features<S>>,
        H: Module<Features<S>, Output = Logits<C>, Error = Error>
            + ModuleMut<Features<S, GradTape<f32, Cpu>>, Output = Logits<C, GradTape<f32, Cpu>>, Error = Error>,
    {
        Self { head: Some(HeadOf::new::<S, Height, Width, I>()), ..self }
    }
}

/// Text of a network's activation, if it has one; of the last if there are several.
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

    fn step_towards(&mut self, images: Vec<f32>, targets: &Targets<'_>) -> Result<Step, Error> {
        let images = batch(&Cpu::default(), images, self.size())?;
        let (loss, logits, gradients) = train_step(&mut self.net, images, self.classes, targets)?;
        Ok(Step { loss, logits, gradients })
    }

    fn head(&mut self) -> Option<Box<dyn Head + '_>> {
        let Self { net, classes, head, .. } = self;
        let functions = (*head)?;
        Some(Box::new(TypedHead { net, classes: *classes, functions }))
    }

    fn head_takes(&self, size: Extent) -> bool {
        self.head.is_some_and(|head| (head.takes)(size))
    }

    fn replica(&self) -> Option<Box<dyn Model>> {
        Some(Box::new(self.clone()))
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
