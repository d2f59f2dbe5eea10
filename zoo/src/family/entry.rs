//! Entries of the registry: the name of a model, the images and classes that it takes, and its construction.

mod error;
mod options;
mod sides;
mod typed;

pub use self::error::RegistryError;
pub use self::options::{Options, Start};
pub use self::sides::{CLASSES, Sides};
pub use self::typed::{AnyNetwork, Buildable, InParts};

use crate::activations::activation;
use crate::cards::Card;
use crate::image::MAX_INPUT;
use crate::model::Model;
use crate::names::LayerNames;

/// Names of the layers of a model for images of a height and width, in the order in which a visitor meets them.
pub type Names = fn((usize, usize)) -> Vec<LayerNames>;

/// A model that the registry can build.
#[derive(Clone, Copy, Debug)]
pub struct ModelEntry {
    /// Name by which the model is found.
    pub name: &'static str,
    sides: Sides,
    classes: usize,
    names: Names,
    card: Option<Card>,
    /// Constructors for the first image size that it takes, and for others; `None` if the network is not compiled.
    builds: [Option<typed::Build>; 2],
}

impl ModelEntry {
    /// The entry of a network `N`, which is written with [`Relu`](pvlu::activation::Relu) and swapped for other
    /// activations, and whose head ends in a [`LinearTo`](pvlu::layer::LinearTo), which takes any number of classes.
    ///
    /// `classes` and the first of `sides` are those of the original; `names` are those of its files. One that is a
    /// [`TrunkAndHead`](pvlu::layer::TrunkAndHead) is better registered [in parts](Self::in_parts).
    pub const fn new<N: Buildable>(name: &'static str, sides: Sides, classes: usize, names: Names) -> Self {
        Self { name, sides, classes, names, card: None, builds: [Some(N::build); 2] }
    }

    /// As [`new`](Self::new), for a [`TrunkAndHead`](pvlu::layer::TrunkAndHead): where its head alone is trained, that
    /// is done on features that the compiled trunk gives, once for all epochs if an image is the same in each. The
    /// networks of the zoo are such.
    ///
    /// ```
    /// use pvlu::activation::{Activation, Relu};
    /// use pvlu::layer::builder::{Act, Conv2D, GlobalAvgPool2D, LinearTo, TrunkAndHead};
    /// use pvlu_zoo::names::LayerNames;
    /// use pvlu_zoo::registry::{ModelEntry, Options, Sides, Start};
    ///
    /// type Net<A> = TrunkAndHead<(Conv2D<3, 8, 3, 1, 1>, Act<A, 8>), (GlobalAvgPool2D, LinearTo<8>)>;
    ///
    /// let sides = Sides::Any { least: 1, default: 32 };
    /// let names = |_| vec![LayerNames::torch("conv"), LayerNames::torch("fc").as_classifier()];
    /// let entry = ModelEntry::in_parts::<Net<Relu>>("mine", sides, 10, names);
    /// let options = Options { activation: "pvlu", classes: 5, image: None, weights: Start::Seed(0) };
    /// assert_eq!(entry.build(&options)?.logits(vec![0.5; 3 * 32 * 32])?.len(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn in_parts<N: Buildable<InParts>>(
        name: &'static str,
        sides: Sides,
        classes: usize,
        names: Names,
    ) -> Self {
        Self { name, sides, classes, names, card: None, builds: [Some(N::build); 2] }
    }

    /// As [`in_parts`](Self::in_parts), for a network of the zoo: without the feature `registry` the model is known,
    /// with its names and its card, but its network is not compiled.
    pub(crate) const fn standard<N: Buildable<InParts>>(
        name: &'static str,
        sides: Sides,
        classes: usize,
        names: Names,
    ) -> Self {
        Self { name, sides, classes, names, card: None, builds: [standard::<N>(); 2] }
    }

    /// The same model with the network `M`, which has another head, for images of other sizes than the first one.
    pub const fn with_other_head<M: Buildable>(self) -> Self {
        Self { builds: [self.builds[0], Some(M::build)], ..self }
    }

    /// As [`with_other_head`](Self::with_other_head), for a network [in parts](Self::in_parts).
    pub const fn with_other_head_in_parts<M: Buildable<InParts>>(self) -> Self {
        Self { builds: [self.builds[0], Some(M::build)], ..self }
    }

    /// As [`with_other_head_in_parts`](Self::with_other_head_in_parts), for a network of the zoo.
    pub(crate) const fn with_standard_head<M: Buildable<InParts>>(self) -> Self {
        Self { builds: [self.builds[0], standard::<M>()], ..self }
    }

    /// The same model with a card.
    #[must_use]
    pub const fn with_card(self, card: Card) -> Self {
        Self { card: Some(card), ..self }
    }

    /// The model's card, if it has one.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Image sizes that it takes.
    pub fn sides(&self) -> Sides {
        self.sides
    }

    /// Height and width of the original's images.
    pub fn image(&self) -> (usize, usize) {
        let side = self.sides.first();
        (side, side)
    }

    /// Number of classes of the original.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Names of the layers for images of this size, in the order in which a visitor meets them.
    pub fn names(&self, image: (usize, usize)) -> Vec<LayerNames> {
        (self.names)(image)
    }

    /// Builds the model.
    ///
    /// # Errors
    ///
    /// Any [`RegistryError`] about the activation, the classes, the image size, the start weights or the device, and
    /// [`RegistryError::NotCompiled`].
    pub fn build(&self, options: &Options<'_>) -> Result<Box<dyn Model>, RegistryError> {
        let (height, width) = options.image.unwrap_or(self.image());
        let takes = self.sides;
        let fits = match takes {
            // Larger ones are refused, so that no number of elements overflows.
            Sides::Any { least, .. } => height.min(width) >= least && height.max(width) <= MAX_INPUT,
            Sides::Square(sides) => height == width && sides.contains(&height),
        };
        if !fits {
            return Err(RegistryError::Image { model: self.name, height, width, takes });
        }
        if !CLASSES.contains(&options.classes) {
            return Err(RegistryError::Classes { model: self.name, classes: options.classes });
        }
        let activation = activation(options.activation)?;
        let build = self.builds[usize::from((height, width) != self.image())];
        build.ok_or(RegistryError::NotCompiled { model: self.name })?(options, (height, width), activation)
    }
}

/// The constructor of a network of the zoo; `None` if it is not compiled.
const fn standard<N: Buildable<InParts>>() -> Option<typed::Build> {
    #[cfg(feature = "registry")]
    return Some(N::build);
    #[cfg(not(feature = "registry"))]
    return None;
}

#[cfg(all(test, not(feature = "registry")))]
mod tests {
    use crate::registry::{Options, RegistryError, Start, find, models};

    #[test]
    fn without_the_feature_models_are_known_and_not_compiled() {
        assert!(models().len() >= 30);
        let entry = find("vgg16").unwrap();
        assert_eq!(entry.card().unwrap().weights.len(), 3);
        let options = Options { activation: "relu", classes: 10, image: Some((32, 32)), weights: Start::Seed(0) };
        let error = entry.build(&options).err().unwrap();
        assert!(matches!(error, RegistryError::NotCompiled { model: "vgg16" }), "{error}");
        assert_eq!(error.to_string(), "vgg16 is not compiled: build pvlu_zoo with its feature `registry`");
    }
}
