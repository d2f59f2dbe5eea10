//! Models that are evaluated and not trained.

use dfdx::tensor::Cpu;
use pvlu::Error;
use pvlu::compiled::{Compile, Compiled};
use pvlu::layer::{Extent, Visit};

use crate::model::Model;

/// A model as it is run on many images: [compiled](pvlu::compiled) on the CPU, as it is on another device or where a
/// layer has no kernel there.
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

/// A network of a model.
type Net<'m> = dyn Visit<f32, Cpu> + 'm;

enum Kind<'m> {
    Compiled(Box<Compiled<'m, Net<'m>>>),
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
    /// Compiles a model, which cannot change as long as this is in use. The logits of one that is compiled are those of
    /// evaluation, whatever [`Mode`](pvlu::layer::Mode) was set; one that is not has the mode that it is in.
    ///
    /// # Errors
    ///
    /// As for [`Compile::try_compile`], but for [`Error::NotCompiled`].
    pub fn of(model: &'m dyn Model) -> Result<Self, Error> {
        Self::compiled_by(model, |net, input| net.try_compile(input))
    }

    /// As [`of`](Self::of), by the methods that are fastest for batches of this size; see
    /// [`Compile::try_compile_for`].
    ///
    /// # Errors
    ///
    /// As for [`of`](Self::of).
    pub fn for_batches(model: &'m dyn Model, batch: usize) -> Result<Self, Error> {
        Self::compiled_by(model, |net, input| net.try_compile_for(input, batch))
    }

    fn compiled_by(
        model: &'m dyn Model,
        compile: impl FnOnce(&'m Net<'m>, Extent) -> Result<Compiled<'m, Net<'m>>, Error>,
    ) -> Result<Self, Error> {
        if !model.is_on_cpu() {
            return Ok(Self(Kind::Plain(model)));
        }
        let (height, width) = model.image();
        match compile(model.net(), Extent::image(model.channels(), height, width)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    #[test]
    fn models_are_compiled_and_give_their_logits() {
        for (name, activation, compiled) in [
            ("cifar_resnet20", "pvlu", true),
            ("vgg11_bn", "f = x*sigmoid(x) + a; a = 0.1", true),
            ("vgg16", "relu", true),
            ("sequential6conv", "pvlu", true),
            ("resnet18", "pvlu", true),
            ("resnet50_v1_5", "relu", true),
            ("resnet50v2", "relu", true),
            ("cifar_resnet20", "prelu_element", false),
        ] {
            let model = registry::build(name, activation, 10, 1).unwrap();
            let inference = Inference::of(model.as_ref()).unwrap();
            assert_eq!(inference.is_compiled(), compiled, "{name} {activation}");
            let images: Vec<f32> = (0..2 * model.image_len()).map(|i| (i as f32).sin()).collect();
            let alone = Inference::for_batches(model.as_ref(), 1).unwrap();
            let expected = model.logits(images.clone()).unwrap();
            let largest = expected.iter().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
            for inference in [inference, alone] {
                let found = inference.logits(images.clone()).unwrap();
                assert_eq!(found.len(), 20);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() <= 1e-5 * largest, "{name} {activation}: {found} {expected}");
                }
            }
        }
    }
}
