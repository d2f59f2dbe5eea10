//! Models that are evaluated and not trained.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::compiled::{Compile, Compiled};
use pvlu::layer::{Extent, Visit};

use crate::model::Model;

/// A model as it is run on many images: compiled on the CPU, as it is on another device or where a layer does not say
/// what it computes.
///
/// ```
/// use pvlu_zoo::inference::Inference;
/// use pvlu_zoo::registry;
///
/// let model = registry::build("cifar_resnet20", "pvlu", 10, 0)?;
/// let inference = Inference::of(&*model)?;
/// assert_eq!(inference.logits(vec![0.5; 2 * 3 * 32 * 32])?.len(), 2 * 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Inference<'m>(Kind<'m>);

enum Kind<'m> {
    Compiled(Box<Compiled<'m, dyn Visit<f32, Cpu> + 'm>>),
    Plain(&'m dyn Model),
}

impl std::fmt::Debug for Kind<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Compiled(_) => "Compiled",
            Self::Plain(_) => "Plain",
        })
    }
}

impl<'m> Inference<'m> {
    /// Compiles a model, which cannot change as long as this is in use. Its logits are those of evaluation, whatever
    /// [`Mode`](pvlu::layer::Mode) was set.
    ///
    /// # Errors
    ///
    /// As for [`Compile::try_compile`], but for [`Error::NotCompiled`].
    pub fn of(model: &'m dyn Model) -> Result<Self, Error> {
        if !model.is_on_cpu() {
            return Ok(Self(Kind::Plain(model)));
        }
        let (height, width) = model.image();
        match model.net().try_compile(Extent::image(model.channels(), height, width)) {
            Ok(compiled) => Ok(Self(Kind::Compiled(Box::new(compiled)))),
            Err(Error::NotCompiled { .. }) => Ok(Self(Kind::Plain(model))),
            Err(error) => Err(error),
        }
    }

    /// True if the model was compiled.
    pub fn is_compiled(&self) -> bool {
        matches!(self.0, Kind::Compiled(_))
    }

    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`.
    ///
    /// # Errors
    ///
    /// Those of the model.
    pub fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error> {
        match &self.0 {
            Kind::Compiled(compiled) => Ok(compiled.try_run(&images)?.swap_remove(0)),
            Kind::Plain(model) => model.logits(images),
        }
    }
}
