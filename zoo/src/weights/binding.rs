//! Names and layouts of a model's tensors in a file.

use std::path::Path as FilePath;

use dfdx::shapes::Unit;
use dfdx::tensor::Cpu;
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, NamedTensor, ParamKind, Path, Visit, Visitor};

use super::{Excuse, Expected, Format, StoredLayout, WeightsError};
use crate::names::{LayerNames, Part, WeightLayout, keras_counters};
use crate::source::{Conventions, Source};

/// The sources that have names for every layer of a model.
pub(super) fn sources(names: &[LayerNames]) -> Vec<Source> {
    with_names(names).map(|(source, _)| source).collect()
}

fn with_names(names: &[LayerNames]) -> impl Iterator<Item = (Source, Conventions)> {
    Source::with_names().filter(|(source, _)| names.iter().all(|layer| layer.name_by(*source).is_some()))
}

/// Names of the tensors in a file, by the source that it follows.
struct Naming {
    source: Source,
    conventions: Conventions,
    /// Names of the layers in a `.weights.h5`, which numbers the variables of each; `None` for any other file.
    counters: Option<Vec<Option<String>>>,
}

/// The tensors of a model as a file of this source and format has them, in the order in which a visitor meets them. The
/// path of the file is for messages.
///
/// Returns [`WeightsError::Names`] if the source has no names for the model.
pub(crate) fn expected<E: Element + Unit>(
    net: &dyn Visit<E, Cpu>,
    names: &[LayerNames],
    source: Source,
    (path, format): (&FilePath, Format),
) -> Result<Vec<Expected>, WeightsError> {
    let known: Vec<(Source, Conventions)> = with_names(names).collect();
    let unknown = |found| {
        let known = known.iter().map(|(source, _)| *source).collect();
        WeightsError::Names { path: path.to_owned(), found, known }
    };
    let found = match source.naming() {
        Some(naming) => known.iter().find(|(source, _)| *source == naming),
        None => known.first(),
    };
    let &(source, conventions) = found.ok_or_else(|| unknown(source))?;
    let counted = source == Source::Keras && format == Format::Keras3;
    let naming = Naming { source, conventions, counters: counted.then(|| keras_counters(names)) };
    tensors(net)?.iter().map(|tensor| tensor.expected(names, &naming)).collect()
}

/// A tensor of a model and the layer or activation site that it belongs to.
struct Tensor {
    path: String,
    kind: ParamKind,
    shape: Vec<usize>,
    owner: usize,
}

/// The tensors of a model. Layers with weights and activation sites are counted apart.
fn tensors<E: Element + Unit>(net: &dyn Visit<E, Cpu>) -> Result<Vec<Tensor>, WeightsError> {
    #[derive(Default)]
    struct Collect {
        tensors: Vec<Tensor>,
        /// Path and count of the last layer, and of the last site.
        last: [(String, usize); 2],
    }
    impl<E: Element + Unit> Visitor<E, Cpu> for Collect {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), pvlu::Error> {
            let of_activation = matches!(slot.kind, ParamKind::Activation | ParamKind::Hyperparameter);
            let (last, count) = &mut self.last[usize::from(of_activation)];
            let parent = slot.path.rsplit_once('.').map_or("", |(parent, _)| parent);
            if *count == 0 || last != parent {
                (*last, *count) = (parent.to_owned(), *count + 1);
            }
            let (path, kind) = (slot.path.to_owned(), slot.kind);
            self.tensors.push(Tensor { path, kind, shape: tensor.dims(), owner: *count - 1 });
            Ok(())
        }
    }
    let mut collect = Collect::default();
    net.visit(&mut Path::root(), &mut collect)?;
    Ok(collect.tensors)
}

impl Tensor {
    fn expected(&self, names: &[LayerNames], naming: &Naming) -> Result<Expected, WeightsError> {
        let Naming { source, conventions, counters } = naming;
        let (path, mut shape, mut layout) = (self.path.clone(), self.shape.clone(), StoredLayout::Same);
        let leaf = self.path.rsplit('.').next().unwrap_or_default();
        if matches!(self.kind, ParamKind::Activation | ParamKind::Hyperparameter) {
            let key = format!("act{}.{leaf}", self.owner);
            let excuse = Excuse::ActivationParameter;
            return Ok(Expected { key, aliases: Vec::new(), shape, layout, path, excuse });
        }
        let unnamed = || WeightsError::Layers { path: self.path.clone(), named: names.len() };
        let layer = names.get(self.owner).ok_or_else(unnamed)?;
        let name = match counters {
            Some(counters) => counters.get(self.owner).and_then(Option::as_deref),
            None => layer.name_by(*source),
        };
        let name = name.ok_or_else(unnamed)?;
        if self.kind == ParamKind::Weight {
            layout = match (conventions.outputs_last, shape.len(), layer.layout) {
                (true, 4, _) => StoredLayout::Hwio,
                (true, _, WeightLayout::FlattenedImage { channels, side }) => {
                    StoredLayout::FlattenedInOut { channels, pixels: side * side }
                }
                (true, _, WeightLayout::Usual) => StoredLayout::InOut,
                (false, _, _) => StoredLayout::Same,
            };
            let as_convolution = conventions.dense_as_convolution;
            if let (true, WeightLayout::FlattenedImage { channels, side }) = (as_convolution, layer.layout) {
                shape = vec![shape[0], channels, side, side];
            }
            let changed = layout.file_shape(&shape);
            shape = changed.ok_or_else(unnamed)?;
        }
        let key = |name: &str| match counters {
            Some(_) => format!("{name}/{}", keras_variable(self.kind)),
            None => format!("{name}{}{}", conventions.separator, (conventions.leaf)(self.kind)),
        };
        // A counter is no name that could be another.
        let aliases = layer.aliases.iter().filter(|alias| **alias != name && counters.is_none());
        let aliases = aliases.map(|alias| key(alias));
        let excuse = match layer.part {
            Part::Trunk => Excuse::Never,
            Part::Head => Excuse::Head,
            Part::Classifier => Excuse::Classifier,
        };
        Ok(Expected { key: key(name), aliases: aliases.collect(), shape, layout, path, excuse })
    }
}

/// Position among the variables of a Keras layer.
fn keras_variable(kind: ParamKind) -> usize {
    match kind {
        ParamKind::Bias | ParamKind::Shift => 1,
        ParamKind::RunningMean => 2,
        ParamKind::RunningVariance => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
