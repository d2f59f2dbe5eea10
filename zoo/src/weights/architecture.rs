//! Files into typed networks, and back, without the names of their layers at hand.

use std::collections::BTreeMap;
use std::path::Path;

use dfdx::nn::BuildOnDevice;
use dfdx::tensor::Cpu;
use pvlu::layer::{Extent, Visit, try_build_unfilled};

use super::{ACTIVATION_KEY, LoadOptions, Source, TensorFile, WeightsError, load, save};
use crate::init;
use crate::model::activation_of;
use crate::names::LayerNames;

/// A network type of the zoo that knows the names of its layers in files. Every network of
/// [`crate::family::sequential`] (of the paper's widths), [`crate::family::vgg`] and [`crate::family::resnet`] is one,
/// with any activation that is a type and any number of classes.
///
/// An activation with a [parameter for each element](pvlu::activation::Activation::PER_ELEMENT) is for images of one
/// size, which the type of a network does not say: here it does not compile. The
/// [registry](crate::registry::ModelEntry::build) builds such networks, and
/// [`checkpoint::open`](crate::checkpoint::open) reads their files.
///
/// ```
/// use pvlu::activation::{Pvlu, Relu};
/// use pvlu_zoo::init;
/// use pvlu_zoo::resnet::cifar::ResNet20;
/// use pvlu_zoo::weights::{Architecture, Source};
///
/// # let folder = std::env::temp_dir().join(format!("pvlu_zoo-architecture-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let file = folder.join("resnet20.safetensors");
/// # let mut original = pvlu::layer::try_build_unfilled::<ResNet20<Relu>, f32, _>(&Default::default())?;
/// # init::he::<Relu>(&mut original, 0)?;
/// # ResNet20::<Relu>::save(&original, &file, Source::Native)?;
/// let relu = ResNet20::<Relu>::load(&file)?;
/// let pvlu = ResNet20::<Pvlu>::load(&file)?; // at alpha = 0 and beta = 1, where it is ReLU
/// let mut tuned = ResNet20::<Pvlu, 5>::load_with_new_head(&file, 0)?; // five classes, their weights from seed 0
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0080
/// use pvlu::activation::PReluElement;
/// use pvlu_zoo::resnet::cifar::ResNet20;
/// use pvlu_zoo::weights::Architecture;
///
/// let net = ResNet20::<PReluElement>::load("slopes.safetensors");
/// ```
pub trait Architecture: BuildOnDevice<Cpu, f32, Built: Visit<f32, Cpu>> + Sized {
    /// Names of the layers, in the order in which a visitor meets them.
    fn names() -> Vec<LayerNames>;

    /// Names of the layers of another head that published files have instead of this one; none unless overridden.
    fn published_head() -> Vec<LayerNames> {
        Vec::new()
    }

    /// Set if the activation has a parameter for each element.
    const PER_ELEMENT: bool;

    /// Fails to compile if [`PER_ELEMENT`](Self::PER_ELEMENT) is set.
    #[doc(hidden)]
    const FITS: () =
        assert!(!Self::PER_ELEMENT, "parameters for each element are for images of one size: see `Architecture`");

    /// The network with the weights of a file, all of them: see [`load`], whose errors it has.
    fn load(path: impl AsRef<Path>) -> Result<Self::Built, WeightsError> {
        let () = Self::FITS;
        let mut net = try_build_unfilled::<Self, f32, Cpu>(&Cpu::default())?;
        load(&mut net, &Self::names(), &TensorFile::open(path)?, &LoadOptions::default())?;
        Ok(net)
    }

    /// As [`load`](Self::load), with weights drawn from a seed in the layers of the head that the file does not have:
    /// all of them, or the last one where the file's is for another number of classes. See [`init::he_of`].
    fn load_with_new_head(path: impl AsRef<Path>, seed: u64) -> Result<Self::Built, WeightsError> {
        let () = Self::FITS;
        let mut net = try_build_unfilled::<Self, f32, Cpu>(&Cpu::default())?;
        let options = LoadOptions { fresh_head: true, other_heads: Self::published_head(), ..LoadOptions::default() };
        let report = load(&mut net, &Self::names(), &TensorFile::open(path)?, &options)?;
        init::he_of(&mut net, seed, &|path| report.fresh.iter().any(|fresh| fresh == path))?;
        Ok(net)
    }

    /// Saves the network under the names of a source, with its activation in the file's metadata: see [`save`], whose
    /// errors it has.
    fn save(net: &Self::Built, path: impl AsRef<Path>, source: Source) -> Result<(), WeightsError> {
        let () = Self::FITS;
        // The name of the activation does not depend on the size of the images.
        let metadata = activation_of(net, Extent::image(3, 224, 224));
        let metadata = metadata.map(|text| (ACTIVATION_KEY.to_owned(), text.to_owned()));
        save(net, &Self::names(), path, source, &metadata.into_iter().collect::<BTreeMap<_, _>>())
    }
}

/// Makes an [`Architecture`] of a network that is generic over the activation and the number of classes.
macro_rules! architecture {
    ($net:ident, $names:expr $(, head $published:expr)?) => {
        impl<A, const CLASSES: usize> $crate::weights::Architecture for $net<A, CLASSES>
        where
            A: ::pvlu::activation::Activation,
        {
            const PER_ELEMENT: bool = <A as ::pvlu::activation::Activation>::PER_ELEMENT;

            fn names() -> Vec<$crate::names::LayerNames> {
                $names
            }
            $(
                fn published_head() -> Vec<$crate::names::LayerNames> {
                    $published
                }
            )?
        }
    };
}
pub(crate) use architecture;

#[cfg(test)]
mod tests;
