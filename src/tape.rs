//! Tapes that know whether anybody wants a gradient.
//!
//! dfdx's `OwnedTape` records every operation, so the first convolution of a network computes a gradient for the images
//! and a frozen trunk computes one for every feature map, all of which are thrown away. [`GradTape`] starts with
//! nothing to differentiate and records an operation only once a trained parameter lies below it. Layers of this crate
//! take either tape; dfdx's own operations run on both too.

mod hand_out;
mod open;
mod place;

pub use open::Open;
pub use place::Place;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use dfdx::optim::UnusedTensors;
use dfdx::prelude::{Backward, PutTape, SplitTape};
use dfdx::shapes::{Rank0, Shape, Unit};
use dfdx::tensor::{Gradients, HasErr, Merge, NoneTape, OwnedTape, Storage, Tape, Tensor, UniqueId};

use self::hand_out::HandOut;
use crate::backend::Kernels;
use crate::error::Error;

/// The identity under which dfdx keeps a tensor's gradient. The one public function that shows it is the collector of
/// unused tensors of its optimizers.
pub fn id<S: Shape, E: Unit, D: Storage<E>, T>(tensor: &Tensor<S, E, D, T>) -> UniqueId {
    let mut collector = UnusedTensors::default();
    collector.add(tensor);
    collector.ids[0]
}

/// A tape that a layer of this crate records on.
pub trait Track<E: Unit, D: Kernels<E>>: Tape<E, D> {
    /// True if the tensor that carries the tape depends on anything that wants a gradient.
    fn requires_grad(&self) -> bool;

    /// An empty tape for a branch of a residual block, with the same answer to [`Track::requires_grad`].
    fn fork(&self) -> Self;

    /// Records the backward operation of a layer that gives gradients to the parameters `trained`, and maybe to its
    /// input.
    fn record<F>(&mut self, trained: &[UniqueId], operation: F)
    where
        F: 'static + FnOnce(&mut Flow<'_, E, D>) -> Result<(), D::Err>;

    /// True if an operation whose backward pass does not read its input may write its output over it: the two tensors
    /// then have one identity, and their gradients take turns in one place.
    fn overwrites(&self) -> bool {
        false
    }

    /// As [`record`](Track::record), for an operation that the next one may [take back](Track::take_open).
    fn record_open(&mut self, trained: &[UniqueId], operation: Box<dyn Open<E, D>>) {
        self.record(trained, |flow| operation.backward(flow));
    }

    /// Takes back the operation that was recorded last on this thread, if that is open and on this tape. The
    /// caller records it again, or one that does its work.
    fn take_open(&mut self) -> Option<Box<dyn Open<E, D>>> {
        None
    }

    /// Lets nobody take the last operation back any more.
    fn close(&mut self) {}
}

impl<E: Unit, D: Kernels<E>> Track<E, D> for NoneTape {
    fn requires_grad(&self) -> bool {
        false
    }
    fn fork(&self) -> Self {
        NoneTape
    }
    fn record<F>(&mut self, _: &[UniqueId], _: F)
    where
        F: 'static + FnOnce(&mut Flow<'_, E, D>) -> Result<(), D::Err>,
    {
    }
}

impl<E: Unit, D: Kernels<E>> Track<E, D> for OwnedTape<E, D> {
    fn requires_grad(&self) -> bool {
        true
    }
    fn fork(&self) -> Self {
        Self::default()
    }
    fn record<F>(&mut self, _: &[UniqueId], operation: F)
    where
        F: 'static + FnOnce(&mut Flow<'_, E, D>) -> Result<(), D::Err>,
    {
        self.add_backward_op(|gradients| operation(&mut Flow { gradients, between: None, hand_out: None }));
    }
}

/// The gradients on their way back through the layers.
///
/// dfdx starts every gradient as zeros and adds to it. On a tape with layers of this crate alone, the first
/// contribution to the gradient of a feature map is written instead of added to zeros, and dfdx keeps no gradient of
/// the tensors between the leaves.
#[derive(Debug)]
pub struct Flow<'g, E: Unit, D: Kernels<E>> {
    gradients: &'g mut Gradients<E, D>,
    between: Option<&'g mut Between<E, D>>,
    hand_out: Option<&'g mut HandOut>,
}

/// Gradients of tensors that are not leaves.
#[derive(Debug)]
struct Between<E: Unit, D: Kernels<E>> {
    gradients: BTreeMap<UniqueId, D::Memory>,
    leaves: BTreeSet<UniqueId>,
}

impl<E: Unit, D: Kernels<E>> Flow<'_, E, D> {
    /// dfdx's own collection: the gradients of leaves, and of everything where it takes part itself. Those of feature
    /// maps are reached through their [`Place`].
    pub fn gradients(&mut self) -> &mut Gradients<E, D> {
        self.gradients
    }

    /// The gradients of feature maps, if that of this tensor is kept among them and not in
    /// [`gradients`](Self::gradients).
    fn between(&mut self, tensor: UniqueId) -> Option<&mut BTreeMap<UniqueId, D::Memory>> {
        let between = self.between.as_deref_mut()?;
        if between.leaves.contains(&tensor) { None } else { Some(&mut between.gradients) }
    }

    /// Notes that an operation has added to the gradient of a parameter. Where it was the last one, and gradients are
    /// exchanged while the pass goes on, `take` takes it out of [`gradients`](Self::gradients).
    pub fn note_added(
        &mut self,
        parameter: UniqueId,
        take: impl FnOnce(&mut Gradients<E, D>) -> Result<D::Memory, D::Err>,
    ) -> Result<(), D::Err> {
        let is_last = self.hand_out.as_deref_mut().is_some_and(|hand_out| hand_out.is_last(parameter));
        if let (true, Some(hand_out)) = (is_last, &self.hand_out) {
            hand_out.give(parameter, take(self.gradients)?);
        }
        Ok(())
    }
}

/// The backward pass of a recorded operation.
type Operation<E, D> = Box<dyn FnOnce(&mut Flow<'_, E, D>) -> Result<(), <D as HasErr>::Err>>;

/// A tape that records only operations through which a trained parameter or a traced input gets a gradient.
pub struct GradTape<E: Unit, D: Kernels<E>> {
    /// Operations with the time of recording, which orders those of merged tapes.
    operations: Vec<(u64, Operation<E, D>)>,
    /// The last operation, while the next one may take it back.
    open: Option<(u64, Box<dyn Open<E, D>>)>,
    requires_grad: bool,
    /// Parameters that an operation on the tape gives a gradient, and traced inputs.
    reached: Vec<UniqueId>,
    /// True if an operation of dfdx's own is on the tape, of which we do not learn the parameters.
    opaque: bool,
}

impl<E: Unit, D: Kernels<E>> std::fmt::Debug for GradTape<E, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GradTape")
            .field("operations", &(self.operations.len() + usize::from(self.open.is_some())))
            .field("requires_grad", &self.requires_grad)
            .field("reached", &self.reached)
            .field("opaque", &self.opaque)
            .finish()
    }
}

/// The tape that dfdx's own modules make for a branch, not knowing better: everything below wants a gradient. This
/// costs time and is never wrong; [`TrackExt::track`] and [`Track::fork`] know more.
impl<E: Unit, D: Kernels<E>> Default for GradTape<E, D> {
    fn default() -> Self {
        Self::new(true)
    }
}

impl<E: Unit, D: Kernels<E>> GradTape<E, D> {
    fn new(requires_grad: bool) -> Self {
        Self { operations: Vec::new(), open: None, requires_grad, reached: Vec::new(), opaque: false }
    }

    fn push(&mut self, operation: Operation<E, D>) {
        self.close();
        self.operations.push((tick(), operation));
    }
}

thread_local! {
    /// Operations that were recorded on this thread, on which a tape stays for all its life.
    static TIME: Cell<u64> = const { Cell::new(0) };
}

/// The time of an operation that is recorded now.
fn tick() -> u64 {
    TIME.set(TIME.get() + 1);
    TIME.get()
}

impl<E: Unit, D: Kernels<E>> Tape<E, D> for GradTape<E, D> {
    const OWNS_TAPE: bool = true;

    fn add_backward_op<F>(&mut self, operation: F)
    where
        F: 'static + FnOnce(&mut Gradients<E, D>) -> Result<(), D::Err>,
    {
        self.requires_grad = true;
        self.opaque = true;
        self.push(Box::new(|flow| operation(flow.gradients)));
    }
}

impl<E: Unit, D: Kernels<E>> Merge<NoneTape> for GradTape<E, D> {
    fn merge(self, _: NoneTape) -> Self {
        self
    }
}

impl<E: Unit, D: Kernels<E>> Merge<GradTape<E, D>> for GradTape<E, D> {
    fn merge(mut self, mut other: Self) -> Self {
        self.close();
        other.close();
        self.reached.append(&mut other.reached);
        self.operations.append(&mut other.operations);
        Self {
            operations: self.operations,
            open: None,
            requires_grad: self.requires_grad || other.requires_grad,
            reached: self.reached,
            opaque: self.opaque || other.opaque,
        }
    }
}

impl<E: Unit, D: Kernels<E>> Track<E, D> for GradTape<E, D> {
    fn requires_grad(&self) -> bool {
        self.requires_grad
    }
    fn fork(&self) -> Self {
        Self::new(self.requires_grad)
    }
    fn record<F>(&mut self, trained: &[UniqueId], operation: F)
    where
        F: 'static + FnOnce(&mut Flow<'_, E, D>) -> Result<(), D::Err>,
    {
        self.requires_grad = true;
        self.reached.extend(trained);
        self.push(Box::new(operation));
    }
    fn overwrites(&self) -> bool {
        true
    }
    fn record_open(&mut self, trained: &[UniqueId], operation: Box<dyn Open<E, D>>) {
        self.requires_grad = true;
        self.reached.extend(trained);
        self.close();
        self.open = Some((tick(), operation));
    }
    fn take_open(&mut self) -> Option<Box<dyn Open<E, D>>> {
        let (_, operation) = self.open.take_if(|(time, _)| *time == TIME.get())?;
        Some(operation)
    }
    fn close(&mut self) {
        if let Some((time, operation)) = self.open.take() {
            let operation = operation.closed();
            self.operations.push((time, Box::new(|flow| operation.backward(flow))));
        }
    }
}

/// Puts a [`GradTape`] on a tensor.
pub trait TrackExt<E: Unit, D: Kernels<E>>: Sized {
    /// The tensor with the tape.
    type Tracked;
    /// The tensor with a tape for training: the tensor itself gets no gradient.
    fn track(self) -> Self::Tracked;
    /// Gives the tensor itself a gradient too.
    fn track_input(self) -> Self::Tracked;
}

impl<S: Shape, E: Unit, D: Kernels<E>> TrackExt<E, D> for Tensor<S, E, D> {
    type Tracked = Tensor<S, E, D, GradTape<E, D>>;

    fn track(self) -> Self::Tracked {
        self.put_tape(GradTape::new(false))
    }
    fn track_input(self) -> Self::Tracked {
        let mut tape = GradTape::new(true);
        tape.reached.push(id(&self));
        self.put_tape(tape)
    }
}

/// The gradients of one backward pass.
///
/// Only those of leaves, that is of parameters and traced inputs, are there: layers hand on the gradients of what lies
/// between and release them.
#[derive(Debug)]
pub struct LeafGradients<E, D: Storage<E>> {
    gradients: Gradients<E, D>,
    reached: Vec<UniqueId>,
    opaque: bool,
}

impl<E: Unit, D: Storage<E>> LeafGradients<E, D> {
    /// A collection in which no parameter was reached yet, for gradients that were computed elsewhere.
    pub fn none(gradients: Gradients<E, D>) -> Self {
        Self { gradients, reached: Vec::new(), opaque: false }
    }

    /// Notes that the parameter of this identity has a gradient, zero until it is [written](Self::get_mut).
    pub fn reach(&mut self, parameter: UniqueId) {
        self.reached.push(parameter);
    }

    /// True if the pass gave this parameter a gradient, and always where one of dfdx's own operations was on the tape.
    pub fn reached<S: Shape>(&self, parameter: &Tensor<S, E, D>) -> bool {
        self.reached_id(id(parameter))
    }

    /// As [`reached`](Self::reached), for the parameter of this identity.
    pub fn reached_id(&self, parameter: UniqueId) -> bool {
        self.opaque || self.reached.contains(&parameter)
    }

    /// The gradient of a parameter that the pass reached, in dfdx's storage.
    pub fn get_mut<S: Shape>(&mut self, parameter: &Tensor<S, E, D>) -> Option<Result<&mut D::Vec, D::Err>> {
        self.reached(parameter).then(|| self.gradients.get_or_alloc_mut(parameter))
    }

    /// dfdx's own collection of gradients.
    pub fn into_gradients(self) -> Gradients<E, D> {
        self.gradients
    }
}

/// Runs the backward pass from a loss.
pub fn try_backward<E, D>(loss: Tensor<Rank0, E, D, GradTape<E, D>>) -> Result<LeafGradients<E, D>, Error>
where
    E: Unit,
    D: Kernels<E>,
    Tensor<Rank0, E, D, OwnedTape<E, D>>: Backward<E, D>,
{
    run_backward(loss, |_| None)
}

/// As [`try_backward`], for gradients of which nothing is wanted but their sum over all shards of a batch.
///
/// Within [`ShardGroup::run_backward`](crate::shard::ShardGroup::run_backward) on one of several processes, each
/// gradient leaves as soon as it is finished, and what is returned is empty. A shard has one such pass.
pub fn try_backward_of_shard<E, D>(loss: Tensor<Rank0, E, D, GradTape<E, D>>) -> Result<LeafGradients<E, D>, Error>
where
    E: Unit,
    D: Kernels<E>,
    Tensor<Rank0, E, D, OwnedTape<E, D>>: Backward<E, D>,
{
    run_backward(loss, HandOut::of::<D::Memory>)
}

fn run_backward<E, D>(
    loss: Tensor<Rank0, E, D, GradTape<E, D>>,
    hand_out: fn(&[UniqueId]) -> Option<HandOut>,
) -> Result<LeafGradients<E, D>, Error>
where
    E: Unit,
    D: Kernels<E>,
    Tensor<Rank0, E, D, OwnedTape<E, D>>: Backward<E, D>,
{
    let (loss, mut tape) = loss.split_tape();
    tape.close();
    let GradTape { mut operations, reached, opaque, .. } = tape;
    operations.sort_unstable_by_key(|(time, _)| *time);
    // dfdx starts its own tape with the gradient of the loss, one; ours runs as the only operation on it.
    let mut tape = OwnedTape::default();
    let leaves = reached.iter().copied().collect();
    let mut hand_out = hand_out(&reached);
    tape.add_backward_op(move |gradients| {
        let mut between = Between { gradients: BTreeMap::new(), leaves };
        for (_, operation) in operations.into_iter().rev() {
            // An operation of dfdx's own finds gradients in dfdx's collection alone, and does not say of which
            // parameters.
            let (between, hand_out) = if opaque { (None, None) } else { (Some(&mut between), hand_out.as_mut()) };
            operation(&mut Flow { gradients, between, hand_out })?;
        }
        Ok(())
    });
    let gradients = loss.put_tape(tape).try_backward().map_err(Error::device)?;
    Ok(LeafGradients { gradients, reached, opaque })
}
