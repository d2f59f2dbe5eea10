//! A model in training: as a whole, or by its head alone on the features of a trunk that does not change.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use pvlu::Error;
use pvlu::compiled::CompiledTrunk;
use pvlu::layer::{Extent, Graph, LayerKind, Mode};
use pvlu::loss::Targets;
use pvlu::shard::ShardGroup;

use super::evaluate::{Evaluation, evaluate_all, measure_all};
use super::mode::in_mode;
use super::shards::step_in_shards;
use super::{TrainError, ranks};
use crate::data::{Batch, Batches, DataError, Portion, start_thread};
use crate::model::{Head, Model, Step};
use crate::transfer::in_head;

/// Most bytes of features that a training keeps: of the images that it trains on, of those held out and of the test
/// images, in this order, each set that fits. Features of others are computed again in every epoch, to the same bits.
const ROOM: usize = 1 << 30;

/// A model in training.
pub struct Trainee<'m> {
    /// The model, trunk and head.
    pub model: &'m mut dyn Model,
    trunk: Option<Rc<CompiledTrunk>>,
    /// The shards that a batch is cut into; `None` where it is computed whole.
    shards: Option<ShardGroup>,
    /// Bytes that are left for features.
    room: Cell<usize>,
}

impl<'m> Trainee<'m> {
    /// Takes a model in [`Mode::Train`]. If its head alone is trained, its trunk is compiled.
    ///
    /// # Errors
    ///
    /// Those of the model.
    pub fn new(model: &'m mut dyn Model) -> Result<Self, Error> {
        Self::with_room(model, ROOM)
    }

    /// As [`new`](Self::new), but that the network is run as a whole, whatever of it is trained.
    pub fn whole(model: &'m mut dyn Model) -> Self {
        Self { model, trunk: None, shards: None, room: Cell::new(0) }
    }

    /// The same trainee, that cuts each batch it learns from into shards.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the system refuses a thread for a shard, [`Error::ShardsOfRanks`] if several processes
    /// train and their number does not divide that of shards.
    pub fn in_shards(self, shards: usize) -> Result<Self, Error> {
        let ranks = ranks::current();
        let is_cut = shards > 1 || ranks.is_some();
        let start: fn(usize) = |number| start_thread(Some(number));
        let group = || ShardGroup::among(shards, rayon::current_num_threads(), Some(start), ranks);
        Ok(Self { shards: is_cut.then(group).transpose()?, ..self })
    }

    /// As [`new`](Self::new), with room for so many bytes of features.
    fn with_room(model: &'m mut dyn Model, room: usize) -> Result<Self, Error> {
        let is_apart = model.is_on_cpu() && trains_its_head_alone(model)?;
        let trunk = if is_apart { trunk_of(model)? } else { None };
        Ok(Self { model, trunk: trunk.map(Rc::new), shards: None, room: Cell::new(room) })
    }

    /// The part of each batch that this process learns from, where several train together.
    pub fn portion(&self) -> Option<Portion> {
        let group = self.shards.as_ref().filter(|group| group.shards() < group.of_batch())?;
        Some(Portion::Shards { all: group.of_batch(), own: group.own() })
    }

    /// Images as the trainee takes them, or a portion of them; the features are kept if there is room and more than one
    /// of these epochs is left.
    pub fn inputs<'b>(&self, images: &'b dyn Batches, epochs: u64, portion: Option<Portion>) -> Inputs<'b> {
        let features = self.trunk.as_ref().map(|trunk| {
            let order = if epochs > 1 { images.order(0) } else { None };
            let kept = order.and_then(|order| {
                let count = order.iter().map(Vec::len).sum();
                // Portions of batches are other images in every epoch, whole batches the same.
                let own = match &portion {
                    Some(Portion::Batches { .. }) => portion_of(order, portion.as_ref()).iter().map(Vec::len).sum(),
                    _ => count,
                };
                let kept = Kept::new(count, own, trunk.features().elements(), self.room.get())?;
                self.room.set(self.room.get() - kept.bytes());
                Some(RefCell::new(kept))
            });
            Features { trunk: Rc::clone(trunk), kept }
        });
        Inputs { images, features, portion }
    }

    /// Forward and backward over one batch of inputs.
    ///
    /// # Errors
    ///
    /// Those of the model.
    pub fn step(&mut self, inputs: Vec<f32>, targets: &Targets<'_>) -> Result<Step, Error> {
        let features = self.trunk.as_ref().map(|trunk| trunk.features());
        let step = |model: &mut dyn Model, inputs, targets: &Targets<'_>| match features {
            None => model.step_towards(inputs, targets),
            Some(features) => head_of(model)?.step_on(inputs, features, targets),
        };
        let Some(group) = &self.shards else { return step(self.model, inputs, targets) };
        let len = features.map_or(self.model.image_len(), |features| features.elements());
        step_in_shards(self.model, (inputs, len), targets, group, &step)
    }

    /// Evaluates the model on the inputs of some sets, as [`evaluate`](super::evaluate()) does on images. After an
    /// interrupt the rest is `None`.
    ///
    /// # Errors
    ///
    /// As for [`evaluate`](super::evaluate()).
    pub fn evaluate<const N: usize>(
        &mut self,
        sets: [&Inputs<'_>; N],
        interrupted: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<[Option<Evaluation>; N], TrainError> {
        let Some(size) = self.trunk.as_ref().map(|trunk| trunk.features()) else {
            return evaluate_all(self.model, sets.map(|inputs| inputs.images), interrupted, false);
        };
        in_mode(self.model, Mode::Eval, |model| {
            let classes = model.classes();
            let head = head_of(model)?;
            let logits = |features| head.logits_of(features, size);
            measure_all(classes, &logits, sets.map(|inputs| || inputs.epoch_from(0, 0)), interrupted, false)
        })
    }
}

/// The head of a model that has one.
fn head_of(model: &mut dyn Model) -> Result<Box<dyn Head + '_>, Error> {
    model.head().ok_or_else(|| Error::NotCompiled { layer: "the head".to_owned() })
}

/// True if training changes nothing outside of the head.
fn trains_its_head_alone(model: &dyn Model) -> Result<bool, Error> {
    let (mut in_trunk, mut any) = (false, false);
    model.tensors(&mut |tensor| {
        let changes = tensor.slot.trained || tensor.slot.updated;
        any |= changes;
        in_trunk |= changes && !in_head(tensor.slot.path);
    })?;
    Ok(any && !in_trunk)
}

/// The trunk of a model, compiled; `None` where it has a layer that has no kernel, or one that training makes random.
fn trunk_of(model: &dyn Model) -> Result<Option<CompiledTrunk>, Error> {
    let (height, width) = model.image();
    let image = Extent::image(model.channels(), height, width);
    let is_random = |kind: &LayerKind| matches!(kind, LayerKind::Dropout { .. });
    let graph = Graph::of(model.net(), image)?;
    if graph.nodes.iter().any(|node| is_random(&node.kind) && !in_head(&node.path)) {
        return Ok(None);
    }
    match CompiledTrunk::of(model.net(), image, |features| model.head_takes(features)) {
        Err(Error::NotCompiled { .. }) => Ok(None),
        trunk => trunk,
    }
}

/// Images for a trainee, as they are, or by their features.
pub struct Inputs<'b> {
    images: &'b dyn Batches,
    /// The part that this process makes, of several; `None` for all.
    portion: Option<Portion>,
    features: Option<Features>,
}

/// The way to the features of images.
struct Features {
    trunk: Rc<CompiledTrunk>,
    /// Those that were computed, if there is room for all and an image is the same in every epoch.
    kept: Option<RefCell<Kept>>,
}

/// Features and labels, by the index of the image.
struct Kept {
    values: Vec<f32>,
    /// Values of an image.
    len: usize,
    /// `None` of an image whose features are not computed yet.
    labels: Vec<Option<usize>>,
    /// Number of such images.
    missing: usize,
}

impl Inputs<'_> {
    /// The batches of an epoch from batch `first` on.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Box<dyn Iterator<Item = Result<Batch, TrainError>> + '_> {
        let images = || match &self.portion {
            None => self.images.epoch_from(epoch, first),
            Some(portion) => self.images.portion_from(epoch, first, portion),
        };
        let Some(Features { trunk, kept }) = &self.features else {
            return Box::new(images().map(|batch| Ok(batch?)));
        };
        let Some((kept, order)) = kept.as_ref().zip(self.images.order(epoch)) else {
            return Box::new(images().map(|batch| {
                let Batch { images, labels } = batch?;
                Ok(Batch { images: trunk.try_run(&images)?, labels })
            }));
        };
        let mut order = portion_from(order, first, self.portion.as_ref()).into_iter();
        if kept.borrow().missing == 0 {
            return Box::new(order.map(|indices| kept.borrow().batch(&indices)));
        }
        Box::new(images().map(move |batch| {
            let Batch { images, labels } = batch?;
            let features = trunk.try_run(&images)?;
            let indices = order.next().unwrap_or_default();
            kept.borrow_mut().add(&indices, &features, &labels)?;
            Ok(Batch { images: features, labels })
        }))
    }
}

/// The indices of a portion of batches.
fn portion_of(order: Vec<Vec<usize>>, portion: Option<&Portion>) -> Vec<Vec<usize>> {
    portion_from(order, 0, portion)
}

/// The indices of a portion of batches from one of them on.
fn portion_from(order: Vec<Vec<usize>>, first: usize, portion: Option<&Portion>) -> Vec<Vec<usize>> {
    let left = order.into_iter().enumerate().skip(first);
    let own = left.filter_map(|(number, indices)| match portion {
        None => Some(indices),
        Some(portion) => Some(indices[portion.images(number, indices.len())?].to_vec()),
    });
    own.collect()
}

impl Kept {
    /// Room for the features of images, of `len` values each, of which `own` will be asked for; `None` where that is
    /// more than `room` bytes, or than the system gives.
    fn new(images: usize, own: usize, len: usize, room: usize) -> Option<Self> {
        let mut values = Vec::new();
        let elements = images.checked_mul(len).filter(|&elements| elements <= room / size_of::<f32>())?;
        values.try_reserve_exact(elements).ok()?;
        values.resize(elements, 0.0);
        Some(Self { values, len, labels: vec![None; images], missing: own })
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.values[..])
    }

    /// Keeps the features of a batch.
    fn add(&mut self, indices: &[usize], features: &[f32], labels: &[usize]) -> Result<(), DataError> {
        if indices.len() != labels.len() {
            let expected = "as many images as their order says";
            return Err(DataError::setting("batch", expected, format!("{} for {}", labels.len(), indices.len())));
        }
        for ((&index, &label), features) in indices.iter().zip(labels).zip(features.chunks_exact(self.len.max(1))) {
            self.check(index)?;
            self.values[index * self.len..][..self.len].copy_from_slice(features);
            self.missing -= usize::from(self.labels[index].replace(label).is_none());
        }
        Ok(())
    }

    /// A batch of features that are all there.
    fn batch(&self, indices: &[usize]) -> Result<Batch, TrainError> {
        let mut batch = Batch { images: Vec::with_capacity(indices.len() * self.len), labels: Vec::new() };
        for &index in indices {
            self.check(index)?;
            batch.images.extend_from_slice(&self.values[index * self.len..][..self.len]);
            batch.labels.extend(self.labels[index]);
        }
        Ok(batch)
    }

    /// Refuses an index that the order of the first epoch did not have.
    fn check(&self, index: usize) -> Result<(), DataError> {
        let expected = "those of the first epoch";
        let known = index < self.labels.len();
        if known { Ok(()) } else { Err(DataError::setting("indices of the images", expected, index)) }
    }
}

#[cfg(test)]
mod tests;
