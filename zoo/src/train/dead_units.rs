//! Dead channels of a network: those that are zero at every place of every image of a set.

use std::ops::ControlFlow;

use pvlu::dead_units::watch;
use pvlu::layer::{Extent, LayerKind, LayerSummary, Mode, Path};

use super::TrainError;
use super::mode::in_mode;
use crate::data::Batches;
use crate::model::Model;

/// The channels of one layer of activations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerUnits {
    /// Path of the layer.
    pub path: String,
    /// One entry for each channel, true if it gave anything but zero.
    pub alive: Vec<bool>,
}

impl LayerUnits {
    /// Number of channels that gave nothing but zero.
    pub fn dead(&self) -> usize {
        self.alive.iter().filter(|alive| !**alive).count()
    }
}

/// Runs a model in [`Mode::Eval`] over every image that a loader gives, and returns its activations in forward order.
/// `None` if `interrupted` returned `Break`.
///
/// # Errors
///
/// An image that cannot be read, an error of the model, and [`TrainError::Unseen`] for a model that computes where
/// [`watch`] does not see it.
pub fn dead_units(
    model: &mut dyn Model,
    loader: &dyn Batches,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<Vec<LayerUnits>>, TrainError> {
    in_mode(model, Mode::Eval, |model| watched(model, loader, interrupted))
}

/// As [`dead_units`], in the mode that the model is in.
fn watched(
    model: &dyn Model,
    loader: &dyn Batches,
    interrupted: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<Vec<LayerUnits>>, TrainError> {
    let mut layers = activations(model)?;
    for batch in loader.epoch(0) {
        if interrupted().is_break() {
            return Ok(None);
        }
        let (logits, seen) = watch(|| model.logits(batch?.images).map_err(TrainError::from));
        logits?;
        if seen.len() != layers.len() {
            return Err(TrainError::Unseen { expected: layers.len(), found: seen.len() });
        }
        for (layer, alive) in layers.iter_mut().zip(seen) {
            layer.alive.iter_mut().zip(alive).for_each(|(ever, now)| *ever |= now);
        }
    }
    Ok(Some(layers))
}

/// The activations of a network in forward order, with all channels dead.
fn activations(model: &dyn Model) -> Result<Vec<LayerUnits>, TrainError> {
    let (height, width) = model.image();
    let mut layers = Vec::new();
    let mut find = |layer: LayerSummary<'_>| {
        if let LayerKind::Activation { .. } = layer.kind {
            layers.push(LayerUnits { path: layer.path.to_owned(), alive: vec![false; layer.output.channels()] });
        }
    };
    model.net().summarize(&mut Path::root(), Extent::image(model.channels(), height, width), &mut find)?;
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pvlu::activation::{Activation, Pvlu, Relu};

    use super::*;
    use crate::data::{Dataset, Loader, LoaderConfig, Normalization};
    use crate::registry::build;
    use crate::snapshot::Snapshot;

    /// Images of a few batches.
    fn loader() -> Loader {
        let Dataset { train, .. } = Dataset::procedural(10, 10, 1, 5).unwrap();
        let normalization = Normalization::measured(&train).unwrap();
        Loader::new(Arc::new(train), LoaderConfig::evaluation(4, normalization)).unwrap()
    }

    fn run(model: &mut dyn Model) -> Vec<LayerUnits> {
        dead_units(model, &loader(), &mut || ControlFlow::Continue(())).unwrap().unwrap()
    }

    #[test]
    fn a_channel_without_weights_is_dead_and_the_others_are_not() {
        for (name, activation) in
            [("cifar_resnet20", Relu::NAME), ("cifar_resnet20", Pvlu::NAME), ("sequential6conv", Relu::NAME)]
        {
            let mut model = build(name, activation, 10, 1).unwrap();
            // Every layer is seen under its own number of channels: the order is that of the summary.
            let layers = run(model.as_mut());
            let before: usize = layers.iter().map(LayerUnits::dead).sum();
            let channels: usize = layers.iter().map(|layer| layer.alive.len()).sum();
            assert!(before < channels / 4, "{name} {before} of {channels}");
            // With every tensor zero, biases included, no channel gives anything but zero.
            let zeros = Snapshot::of(model.as_ref()).unwrap();
            let zeros = zeros.values().iter().map(|(path, values)| (path.clone(), vec![0.0; values.len()]));
            Snapshot::from_values(zeros.collect()).restore(model.as_mut()).unwrap();
            assert!(run(model.as_mut()).iter().all(|layer| layer.dead() == layer.alive.len()));
        }
    }

    #[test]
    fn the_order_is_that_of_the_summary() {
        for name in ["cifar_resnet20", "resnet50v2", "resnet50_v1_5", "vgg16"] {
            let entry = crate::registry::find(name).unwrap();
            let image = if entry.sides().of_heads().contains(&32) { Some((32, 32)) } else { None };
            let options = crate::registry::Options {
                activation: Relu::NAME,
                classes: 10,
                image: image.or(Some((32, 32))),
                weights: crate::registry::Start::Seed(1),
            };
            let model = entry.build(&options).unwrap();
            let image = vec![0.5; model.image_len()];
            let (logits, seen) = watch(|| model.logits(image));
            logits.unwrap();
            let expected: Vec<usize> = activations(&*model).unwrap().iter().map(|layer| layer.alive.len()).collect();
            assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn an_interrupt_ends_it() {
        let mut model = build("cifar_resnet20", Relu::NAME, 10, 1).unwrap();
        let mut batches = 0;
        let mut stop = || {
            batches += 1;
            if batches > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(dead_units(model.as_mut(), &loader(), &mut stop).unwrap(), None);
        assert_eq!(batches, 2);
    }
}
