//! What the tensors of a model are called in a file, and how they lie in it.

use std::path::Path as FilePath;

use dfdx::shapes::Unit;
use dfdx::tensor::Cpu;
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, Path, Role, Slot, Walk, Walker};

use super::{Excuse, Expected, Format, Layout, Source, WeightsError};
use crate::names::{LayerNames, Part, WeightLayout, keras_counters};

/// Whose names and layouts are meant, once `Native` is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Torchvision,
    Timm,
    Keras,
    /// The counters of a `.weights.h5`.
    KerasCounters,
}

/// The sources that have names for every layer of a model.
pub(super) fn sources(names: &[LayerNames]) -> Vec<Source> {
    let all = |has: fn(&LayerNames) -> bool| names.iter().all(has);
    let known = [
        (Source::Torchvision, all(|layer| layer.torchvision.is_some())),
        (Source::Timm, all(|layer| layer.timm.is_some())),
        (Source::Keras, all(|layer| layer.keras.is_some())),
    ];
    known.into_iter().filter_map(|(source, known)| known.then_some(source)).collect()
}

/// The tensors of a model as a file of this source and format has them, in the order of the walk. The path of the file is for
/// messages.
///
/// [`WeightsError::Names`] if the source has no names for the model.
pub(super) fn expected<E: Element + Unit>(
    net: &dyn Walk<E, Cpu>,
    names: &[LayerNames],
    source: Source,
    (path, format): (&FilePath, Format),
) -> Result<Vec<Expected>, WeightsError> {
    let known = sources(names);
    let original = *known.first().unwrap_or(&Source::Native);
    let source = if source == Source::Native { original } else { source };
    let naming = match (source, format) {
        (Source::Keras, Format::Keras3) => Naming::KerasCounters,
        (Source::Keras, _) => Naming::Keras,
        (Source::Timm, _) => Naming::Timm,
        _ => Naming::Torchvision,
    };
    if !known.contains(&source) {
        return Err(WeightsError::Names { path: path.to_owned(), found: source, known });
    }
    let counters = if naming == Naming::KerasCounters { keras_counters(names) } else { Vec::new() };
    tensors(net)?.iter().map(|tensor| tensor.expected(names, naming, &counters)).collect()
}

/// A tensor of a model and the layer or activation site that it belongs to.
struct Tensor {
    path: String,
    role: Role,
    shape: Vec<usize>,
    owner: usize,
}

/// The tensors of a model. Layers with weights and activation sites are counted apart.
fn tensors<E: Element + Unit>(net: &dyn Walk<E, Cpu>) -> Result<Vec<Tensor>, WeightsError> {
    #[derive(Default)]
    struct Collect {
        tensors: Vec<Tensor>,
        /// Path and count of the last layer, and of the last site.
        last: [(String, usize); 2],
    }
    impl<E: Element + Unit> Walker<E, Cpu> for Collect {
        fn tensor(&mut self, slot: Slot<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), pvlu::Error> {
            let of_activation = matches!(slot.role, Role::Activation | Role::Hyperparameter);
            let (last, count) = &mut self.last[usize::from(of_activation)];
            let parent = slot.path.rsplit_once('.').map_or("", |(parent, _)| parent);
            if *count == 0 || last != parent {
                (*last, *count) = (parent.to_owned(), *count + 1);
            }
            let (path, role) = (slot.path.to_owned(), slot.role);
            self.tensors.push(Tensor { path, role, shape: tensor.dims(), owner: *count - 1 });
            Ok(())
        }
    }
    let mut collect = Collect::default();
    net.walk(&mut Path::root(), &mut collect)?;
    Ok(collect.tensors)
}

impl Tensor {
    fn expected(
        &self,
        names: &[LayerNames],
        naming: Naming,
        counters: &[Option<String>],
    ) -> Result<Expected, WeightsError> {
        let (path, mut shape, mut layout) = (self.path.clone(), self.shape.clone(), Layout::Same);
        let leaf = self.path.rsplit('.').next().unwrap_or_default();
        if matches!(self.role, Role::Activation | Role::Hyperparameter) {
            let key = format!("act{}.{leaf}", self.owner);
            let excuse = Excuse::ActivationParameter;
            return Ok(Expected { key, aliases: Vec::new(), shape, layout, path, excuse });
        }
        let unnamed = || WeightsError::Layers { path: self.path.clone(), named: names.len() };
        let layer = names.get(self.owner).ok_or_else(unnamed)?;
        let name = match naming {
            Naming::Torchvision => layer.torchvision.as_ref(),
            Naming::Timm => layer.timm.as_ref(),
            Naming::Keras => layer.keras.as_ref(),
            Naming::KerasCounters => counters.get(self.owner).and_then(Option::as_ref),
        };
        let name = name.ok_or_else(unnamed)?;
        let keras = matches!(naming, Naming::Keras | Naming::KerasCounters);
        if self.role == Role::Weight {
            layout = match (keras, shape.len(), layer.layout) {
                (true, 4, _) => Layout::Hwio,
                (true, _, WeightLayout::FlattenedImage { channels, side }) => {
                    Layout::FlattenedInOut { channels, pixels: side * side }
                }
                (true, _, WeightLayout::Usual) => Layout::InOut,
                (false, _, _) => Layout::Same,
            };
            if let (Naming::Timm, WeightLayout::FlattenedImage { channels, side }) = (naming, layer.layout) {
                shape = vec![shape[0], channels, side, side];
            }
            let changed = layout.file_shape(&shape);
            shape = changed.ok_or_else(unnamed)?;
        }
        let key = |name: &str| match naming {
            Naming::Torchvision | Naming::Timm => format!("{name}.{}", torch_leaf(self.role)),
            Naming::Keras => format!("{name}/{}", keras_leaf(self.role)),
            Naming::KerasCounters => format!("{name}/{}", keras_variable(self.role)),
        };
        // A counter is no name that could be another.
        let aliases = layer.aliases.iter().filter(|alias| **alias != name && naming != Naming::KerasCounters);
        let aliases = aliases.map(|alias| key(alias));
        let excuse = match layer.part {
            Part::Trunk => Excuse::Never,
            Part::Head => Excuse::Head,
            Part::Classifier => Excuse::Classifier,
        };
        Ok(Expected { key: key(name), aliases: aliases.collect(), shape, layout, path, excuse })
    }
}

fn torch_leaf(role: Role) -> &'static str {
    match role {
        Role::Bias | Role::Shift => "bias",
        Role::RunningMean => "running_mean",
        Role::RunningVariance => "running_var",
        _ => "weight",
    }
}

fn keras_leaf(role: Role) -> &'static str {
    match role {
        Role::Bias => "bias",
        Role::Scale => "gamma",
        Role::Shift => "beta",
        Role::RunningMean => "moving_mean",
        Role::RunningVariance => "moving_variance",
        _ => "kernel",
    }
}

/// Position among the variables of a Keras layer.
fn keras_variable(role: Role) -> usize {
    match role {
        Role::Bias | Role::Shift => 1,
        Role::RunningMean => 2,
        Role::RunningVariance => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
