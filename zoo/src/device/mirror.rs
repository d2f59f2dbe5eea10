//! A network that computes on another device, with its tensors on the host as well.

use std::collections::{BTreeMap, VecDeque};

use dfdx::nn::{TensorCollection, ToDevice};
use dfdx::prelude::{Backward, Device as DfdxDevice};
use dfdx::shapes::{Dim, Rank0};
use dfdx::tensor::{Cpu, Gradients, OwnedTape, Tensor};
use pvlu::activation::Definition;
use pvlu::backend::Backend;
use pvlu::layer::{
    AnyTensor, GraphBuilder, Host, NamedTensor, Path, SwitchState, Switches, Visit, Visitor, VisitorMut, Wires,
};
use pvlu::loss::Targets;
use pvlu::tape::LeafGradients;
use pvlu::{Error, dead_units};

use super::worker::Worker;
use super::{Device, DeviceError};
use crate::model::{Classifier, Model, Network, NetworkOn, Step, SwapError, UpdateRule, batch, train_step};

/// A classifier whose network has a twin on the device `D`, which computes.
///
/// Callers see and change the tensors and switches on the host, so that loading, freezing, optimizers and checkpoints
/// are the same for every device. A change is repeated on the twin at once; a training step brings back running
/// statistics, counts of dropouts, and the gradients of the trained tensors. In fine-tuning, where few tensors are
/// trained, that is little; where all are, as much as the weights is copied twice a step.
///
/// The twin lives on a thread of its own, because what belongs to a device cannot leave the thread that opened it.
#[derive(Debug)]
#[doc(hidden)]
pub struct Mirror<N: 'static, M: 'static, H: 'static, W: 'static, C: 'static, D: 'static> {
    host: Classifier<N, H, W, C>,
    twin: Worker<Twin<M, D>>,
    place: Device,
    /// The error after which the twin differs from the host's network, because a change could not be repeated. Nothing
    /// is computed then.
    broken: Option<Error>,
}

/// A network and its device.
struct Twin<M, D> {
    net: M,
    device: D,
}

impl<N, H: Dim, W: Dim, C: Dim, D> Mirror<N, N::To<f32, D>, H, W, C, D>
where
    N: Network<H, W, C> + TensorCollection<f32, Cpu> + Clone,
    N::To<f32, D>: NetworkOn<D, H, W, C>,
    D: DfdxDevice<f32> + Backend<f32> + Host<f32>,
{
    /// Copies a classifier's network to the device that `open` opens, and that is shown as `place`.
    pub fn try_new<F>(mut host: Classifier<N, H, W, C>, place: Device, open: F) -> Result<Self, DeviceError>
    where
        F: FnOnce() -> Result<D, Error> + Send + 'static,
    {
        let refused = |message: String| DeviceError::Refused { device: place, message };
        let net = host.net.clone();
        let make = move || {
            let device = open().map_err(|error| error.to_string())?;
            let net = net.try_to_device(&device).map_err(|error| error.to_string())?;
            Ok(Twin { net, device })
        };
        let twin = Worker::start(make).map_err(refused)?;
        // dfdx moves neither switches nor the tensors of a layer with any number of outputs.
        let contents = take(&mut host.net, |_| true).map_err(|error| refused(error.to_string()))?;
        let given = twin.run(move |twin| give(&mut twin.net, contents)).map_err(refused)?;
        given.map_err(|error| refused(error.to_string()))?;
        Ok(Self { host, twin, place, broken: None })
    }
}

impl<N, M, H, W, C: Dim, D> Mirror<N, M, H, W, C, D> {
    /// Fails if the twin differs from the host's network.
    fn check(&self) -> Result<(), Error> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

/// Switches and tensors to copy from one network to another of the same layers.
struct Contents {
    switches: VecDeque<SwitchState>,
    tensors: VecDeque<Vec<f32>>,
    /// Filter of the tensors that are copied.
    wanted: fn(NamedTensor<'_>) -> bool,
}

/// The switches, and the wanted tensors, of a network.
fn take<D: Host<f32>>(from: &mut dyn Visit<f32, D>, wanted: fn(NamedTensor<'_>) -> bool) -> Result<Contents, Error> {
    let mut contents = Contents { switches: VecDeque::new(), tensors: VecDeque::new(), wanted };
    from.visit_mut(&mut Path::root(), &mut Take(&mut contents))?;
    Ok(contents)
}

/// Sets the switches and tensors of a network to those taken of another one of the same layers.
fn give<D: Host<f32>>(to: &mut dyn Visit<f32, D>, mut contents: Contents) -> Result<(), Error> {
    to.visit_mut(&mut Path::root(), &mut Give(&mut contents))
}

struct Take<'a>(&'a mut Contents);

impl<D: Host<f32>> VisitorMut<f32, D> for Take<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, D>) -> Result<(), Error> {
        if (self.0.wanted)(slot) {
            self.0.tensors.push_back(tensor.read()?.into_owned());
        }
        Ok(())
    }
    fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), Error> {
        self.0.switches.push_back(switches.state());
        Ok(())
    }
}

struct Give<'a>(&'a mut Contents);

impl<D: Host<f32>> VisitorMut<f32, D> for Give<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, D>) -> Result<(), Error> {
        if !(self.0.wanted)(slot) {
            return Ok(());
        }
        let Some(values) = self.0.tensors.pop_front() else { return Ok(()) };
        tensor.with_mut(&mut |to| to.copy_from_slice(&values))
    }
    fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), Error> {
        if let Some(state) = self.0.switches.pop_front() {
            switches.set(state);
        }
        Ok(())
    }
}

/// Copies the gradients of trained tensors to the host, by path.
struct Fetch<'a, D: Backend<f32>> {
    device: &'a D,
    gradients: &'a mut LeafGradients<f32, D>,
    fetched: BTreeMap<String, Vec<f32>>,
}

impl<D: Backend<f32>> Visitor<f32, D> for Fetch<'_, D> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, D>) -> Result<(), Error> {
        if slot.trained
            && let Some(gradient) = tensor.gradient(self.gradients)?
        {
            let gradient = D::gradient_mut(gradient);
            let values = self.device.try_to_host(D::frozen(&gradient));
            let values = values.map_err(|error| Error::Device(error.to_string()))?;
            self.fetched.insert(slot.path.to_owned(), values);
        }
        Ok(())
    }
}

/// Sets the gradients of the tensors by their paths.
struct Lay<'a> {
    fetched: &'a BTreeMap<String, Vec<f32>>,
    gradients: LeafGradients<f32, Cpu>,
}

impl Visitor<f32, Cpu> for Lay<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        let Some(values) = self.fetched.get(slot.path) else { return Ok(()) };
        self.gradients.reach(tensor.id());
        if let Some(gradient) = tensor.gradient(&mut self.gradients)? {
            gradient.copy_from_slice(values);
        }
        Ok(())
    }
}

impl<N, M, H: Dim, W: Dim, C: Dim, D> Visit<f32, Cpu> for Mirror<N, M, H, W, C, D>
where
    N: Network<H, W, C>,
    M: NetworkOn<D, H, W, C>,
    D: Backend<f32> + Host<f32>,
{
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<f32, Cpu>) -> Result<(), Error> {
        self.host.net.visit(path, visitor)
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<f32, Cpu>) -> Result<(), Error> {
        let visited = self.host.net.visit_mut(path, visitor);
        // Even after an error, for some tensors may have been changed. An error of the device is reported by the next
        // computation: a visit on the host has no errors but its visitor's.
        self.broken = self.repeat(|_| true).err();
        visited
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        self.host.net.describe(path, input, graph)
    }
}

impl<N, M, H: Dim, W: Dim, C: Dim, D> Mirror<N, M, H, W, C, D>
where
    N: Network<H, W, C>,
    M: NetworkOn<D, H, W, C>,
    D: Backend<f32> + Host<f32>,
{
    /// Repeats on the twin a change of the host's switches and of the tensors that `wanted` picks.
    fn repeat(&mut self, wanted: fn(NamedTensor<'_>) -> bool) -> Result<(), Error> {
        let contents = take(&mut self.host.net, wanted)?;
        on(&self.twin, move |twin| give(&mut twin.net, contents))
    }
}

/// Runs a job on the device's thread.
fn on<T: 'static, R: Send + 'static>(
    twin: &Worker<T>,
    job: impl FnOnce(&mut T) -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    twin.run(job).map_err(Error::Device)?
}

/// Results of a training step of the twin.
struct Computed {
    loss: f64,
    logits: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
    /// Running statistics, and counts of dropouts.
    moved: Contents,
}

impl<M, D> Twin<M, D> {
    fn step<H: Dim, W: Dim, C: Dim>(
        &mut self,
        images: Vec<f32>,
        size: (H, W),
        classes: C,
        targets: &Targets<'_>,
    ) -> Result<Computed, Error>
    where
        M: NetworkOn<D, H, W, C>,
        D: Backend<f32> + Host<f32>,
        Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
    {
        let images = batch(&self.device, images, size)?;
        let (loss, logits, mut gradients) = train_step(&mut self.net, images, classes, targets)?;
        let mut fetch = Fetch { device: &self.device, gradients: &mut gradients, fetched: BTreeMap::new() };
        self.net.visit(&mut Path::root(), &mut fetch)?;
        let gradients = fetch.fetched;
        Ok(Computed { loss, logits, gradients, moved: take(&mut self.net, |slot| slot.updated)? })
    }
}

impl<N, M, H: Dim, W: Dim, C: Dim, D> Model for Mirror<N, M, H, W, C, D>
where
    N: Network<H, W, C>,
    M: NetworkOn<D, H, W, C>,
    H: Send + Sync + 'static,
    W: Send + Sync + 'static,
    D: Backend<f32> + Host<f32>,
    Tensor<Rank0, f32, D, OwnedTape<f32, D>>: Backward<f32, D>,
{
    fn classes(&self) -> usize {
        self.host.classes()
    }

    fn image(&self) -> (usize, usize) {
        self.host.image()
    }

    fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, Error> {
        self.check()?;
        let size = self.host.size();
        let watched = dead_units::is_watched();
        let (logits, seen) = on(&self.twin, move |twin| {
            let compute = || -> Result<_, Error> {
                let logits = twin.net.try_forward(batch(&twin.device, images, size)?)?;
                Ok(<D as Host<f32>>::read(&logits)?.into_owned())
            };
            Ok(if watched { dead_units::watch(compute) } else { (compute(), Vec::new()) })
        })?;
        dead_units::seen_elsewhere(seen);
        logits
    }

    fn step_towards(&mut self, images: Vec<f32>, targets: &Targets<'_>) -> Result<Step, Error> {
        self.check()?;
        let (size, classes, labels) = (self.host.size(), self.host.outputs(), targets.labels.to_vec());
        let (smoothing, mixed) = (targets.smoothing, targets.mixed.map(|(others, share)| (others.to_vec(), share)));
        let computed = on(&self.twin, move |twin| {
            let mixed = mixed.as_ref().map(|(others, share)| (others.as_slice(), *share));
            twin.step(images, size, classes, &Targets { labels: &labels, smoothing, mixed })
        })?;
        let Computed { loss, logits, gradients, moved } = computed;
        let mut lay = Lay { fetched: &gradients, gradients: LeafGradients::none(Gradients::leaky()) };
        self.host.net.visit(&mut Path::root(), &mut lay)?;
        let gradients = lay.gradients;
        give(&mut self.host.net, moved)?;
        Ok(Step { loss, logits, gradients })
    }

    fn is_on_cpu(&self) -> bool {
        false
    }

    fn net(&self) -> &dyn Visit<f32, Cpu> {
        self
    }

    fn net_mut(&mut self) -> &mut dyn Visit<f32, Cpu> {
        self
    }

    fn update(&mut self, gradients: &mut LeafGradients<f32, Cpu>, rule: &mut UpdateRule<'_>) -> Result<(), Error> {
        // Not through `visit_mut`: tensors that are not trained do not change, and are not copied.
        let updated = self.host.update(gradients, rule);
        let repeated = self.repeat(|slot| slot.trained);
        if let Err(error) = &repeated {
            self.broken = Some(error.clone());
        }
        repeated.and(updated)
    }

    fn swap_activation(self: Box<Self>, activation: &'static Definition) -> Result<Box<dyn Model>, SwapError> {
        let Self { host, twin, place, .. } = *self;
        // Makes room on the device for the next one.
        drop(twin);
        Ok(Box::new(host).swap_activation(activation)?.to_device(place)?)
    }

    fn to_device(self: Box<Self>, device: Device) -> Result<Box<dyn Model>, DeviceError> {
        if device == self.place {
            return Ok(self);
        }
        let Self { host, twin, .. } = *self;
        drop(twin);
        Box::new(host).to_device(device)
    }
}

#[cfg(test)]
mod tests;
