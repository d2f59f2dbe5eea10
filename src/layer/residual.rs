//! Blocks whose branches are added.

use dfdx::nn::{BuildOnDevice, Module, ModuleMut, ModuleVisitor, TensorCollection};
use dfdx::prelude::{Device, PutTape, SplitTape};
use dfdx::shapes::{Dtype, HasShape, Shape, Unit};
use dfdx::tensor::{Merge, Storage, Tape, Tensor};

use super::apply::Buffer;
use super::children;
use super::layer_summary::{Extent, LayerKind, LayerSummary};
use super::visit::{Path, Visit, Visitor, VisitorMut};
use crate::backend::{Backend, Write};
use crate::error::Error;
use crate::profile::{Direction, measure};
use crate::tape::{Flow, Place, Track};

/// `y = F(x) + x` (He et al. 2016).
///
/// Shapes: those that `F` keeps.
#[derive(Clone, Debug, Default)]
pub struct Residual<F> {
    /// The main branch.
    pub main: F,
}

/// `y = F(x) + R(x)`: a residual block whose shortcut changes the shape.
///
/// Shapes: those of `F` and `R`, which must give the same.
#[derive(Clone, Debug, Default)]
pub struct ProjectedResidual<F, R> {
    /// The main branch.
    pub main: F,
    /// The shortcut branch.
    pub shortcut: R,
}

/// The sum of two branches, recorded once.
fn sum<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>>(
    main: Tensor<S, E, D, T>,
    shortcut: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, Error> {
    let (main, shortcut) = (D::try_contiguous(main)?, D::try_contiguous(shortcut)?);
    if main.shape() != shortcut.shape() {
        return Err(unequal(&main.shape().concrete(), &shortcut.shape().concrete()));
    }
    let ((mut main, main_tape), (shortcut, shortcut_tape)) = (main.split_tape(), shortcut.split_tape());
    let wants = (main_tape.requires_grad(), shortcut_tape.requires_grad());
    let mut tape = main_tape.merge(shortcut_tape);
    let recorded = <T as Tape<E, D>>::OWNS_TAPE && (wants.0 || wants.1);
    let device = shortcut.device();
    if !recorded {
        let add = |main| device.add_assign(main, D::view(&D::read(&shortcut)));
        let add = |main| measure("add", Direction::Forward, || add(main));
        if let Some(result) = D::exclusive(&mut main).map(add) {
            result.map_err(Error::device)?;
            return Ok(main.put_tape(tape));
        }
    }
    let y = device
        .try_create(*main.shape(), &mut |y| measure("add", Direction::Forward, || add(device, &main, &shortcut, y)));
    let y = y.map_err(Error::device)?;
    if recorded {
        let branches = [wants.0.then(|| Place::of(&main)), wants.1.then(|| Place::of(&shortcut))];
        let sum = Place::of(&y);
        tape.record(&[], move |flow| measure("add", Direction::Backward, || backward(&sum, branches, flow)));
    }
    Ok(y.put_tape(tape))
}

fn add<E: Dtype, D: Backend<E>>(
    device: &D,
    main: &dyn Buffer<E, D>,
    shortcut: &dyn Buffer<E, D>,
    y: D::ViewMut<'_>,
) -> Result<(), D::Err> {
    device.add(D::view(&main.read()), D::view(&shortcut.read()), y)
}

/// Both branches get the gradient of the sum.
fn backward<E: Dtype, D: Backend<E>>(
    sum: &Place<E, D>,
    branches: [Option<Place<E, D>>; 2],
    flow: &mut Flow<'_, E, D>,
) -> Result<(), D::Err> {
    let (device, grad_output) = (sum.device(), sum.take(flow)?);
    let (first, last) = match branches {
        [Some(main), Some(shortcut)] => (Some(main), shortcut),
        [Some(only), None] | [None, Some(only)] => (None, only),
        [None, None] => return Ok(()),
    };
    if let Some(first) = first {
        first.give(flow, |gradient, write| match write {
            Write::Replace => device.copy(D::memory(&grad_output), gradient),
            Write::Add => device.add_assign(gradient, D::memory(&grad_output)),
        })?;
    }
    last.hand_over(flow, grad_output)
}

/// The first dimension in which two shapes of run-time sizes differ.
fn unequal<C: Clone + IntoIterator<Item = usize>>(main: &C, shortcut: &C) -> Error {
    let mut pairs = main.clone().into_iter().zip(shortcut.clone());
    let (expected, found) = pairs.find(|(main, shortcut)| main != shortcut).unwrap_or_default();
    Error::Shape { expected, found }
}

/// The sum's line of the summary.
fn summarize_sum(
    path: &Path,
    (main, shortcut): (Extent, Extent),
    show: &mut dyn FnMut(LayerSummary<'_>),
) -> Result<Extent, Error> {
    if main != shortcut {
        return Err(Error::Shape { expected: main.elements(), found: shortcut.elements() });
    }
    show(LayerSummary { path: path.as_str(), kind: LayerKind::Add, input: main, output: main });
    Ok(main)
}

impl<F: BuildOnDevice<D, E>, E: Dtype, D: Device<E>> BuildOnDevice<D, E> for Residual<F>
where
    Residual<F::Built>: dfdx::nn::BuildModule<D, E>,
{
    type Built = Residual<F::Built>;
}

impl<F: TensorCollection<E, D>, E: Dtype, D: Device<E>> TensorCollection<E, D> for Residual<F> {
    type To<E2: Dtype, D2: Device<E2>> = Residual<F::To<E2, D2>>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(Self::module("main", |s| &s.main, |s| &mut s.main), |main| Residual { main })
    }
}

impl<F: Visit<E, D>, E: Unit, D: Storage<E>> Visit<E, D> for Residual<F> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        children::visit(path, visitor, &[("main", &self.main)])
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        children::visit_mut(path, visitor, &mut [("main", &mut self.main)])
    }
    fn summarize(
        &self,
        path: &mut Path,
        input: Extent,
        show: &mut dyn FnMut(LayerSummary<'_>),
    ) -> Result<Extent, Error> {
        let main = children::summarize(path, input, show, &[("main", &self.main)])?;
        summarize_sum(path, (main, input), show)
    }
}

impl<F, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>> Module<Tensor<S, E, D, T>> for Residual<F>
where
    F: Module<Tensor<S, E, D, T>, Output = Tensor<S, E, D, T>, Error = Error>,
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let (x, shortcut) = fork(x);
        sum(self.main.try_forward(x)?, shortcut)
    }
}

impl<F, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>> ModuleMut<Tensor<S, E, D, T>> for Residual<F>
where
    F: ModuleMut<Tensor<S, E, D, T>, Output = Tensor<S, E, D, T>, Error = Error>,
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let (x, shortcut) = fork(x);
        sum(self.main.try_forward_mut(x)?, shortcut)
    }
}

/// The tensor twice, the second with an empty tape of its own. Both stand for the same gradient.
#[allow(clippy::type_complexity)]
pub(super) fn fork<S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D>>(
    x: Tensor<S, E, D, T>,
) -> (Tensor<S, E, D, T>, Tensor<S, E, D, T>) {
    let (x, tape) = x.split_tape();
    D::note_shared(&x);
    let fork = tape.fork();
    (x.clone().put_tape(tape), x.put_tape(fork))
}

impl<F: BuildOnDevice<D, E>, R: BuildOnDevice<D, E>, E: Dtype, D: Device<E>> BuildOnDevice<D, E>
    for ProjectedResidual<F, R>
where
    ProjectedResidual<F::Built, R::Built>: dfdx::nn::BuildModule<D, E>,
{
    type Built = ProjectedResidual<F::Built, R::Built>;
}

impl<F: TensorCollection<E, D>, R: TensorCollection<E, D>, E: Dtype, D: Device<E>> TensorCollection<E, D>
    for ProjectedResidual<F, R>
{
    type To<E2: Dtype, D2: Device<E2>> = ProjectedResidual<F::To<E2, D2>, R::To<E2, D2>>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::module("main", |s| &s.main, |s| &mut s.main),
                Self::module("shortcut", |s| &s.shortcut, |s| &mut s.shortcut),
            ),
            |(main, shortcut)| ProjectedResidual { main, shortcut },
        )
    }
}

impl<F: Visit<E, D>, R: Visit<E, D>, E: Unit, D: Storage<E>> Visit<E, D> for ProjectedResidual<F, R> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        children::visit(path, visitor, &[("main", &self.main), ("shortcut", &self.shortcut)])
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        children::visit_mut(path, visitor, &mut [("main", &mut self.main), ("shortcut", &mut self.shortcut)])
    }
    fn summarize(
        &self,
        path: &mut Path,
        input: Extent,
        show: &mut dyn FnMut(LayerSummary<'_>),
    ) -> Result<Extent, Error> {
        let main = children::summarize(path, input, show, &[("main", &self.main)])?;
        let shortcut = children::summarize(path, input, show, &[("shortcut", &self.shortcut)])?;
        summarize_sum(path, (main, shortcut), show)
    }
}

impl<F, R, S: Shape, O: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>> Module<Tensor<S, E, D, T>>
    for ProjectedResidual<F, R>
where
    F: Module<Tensor<S, E, D, T>, Output = Tensor<O, E, D, T>, Error = Error>,
    R: Module<Tensor<S, E, D, T>, Output = Tensor<O, E, D, T>, Error = Error>,
{
    type Output = Tensor<O, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let (x, shortcut) = fork(x);
        sum(self.main.try_forward(x)?, self.shortcut.try_forward(shortcut)?)
    }
}

impl<F, R, S: Shape, O: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>> ModuleMut<Tensor<S, E, D, T>>
    for ProjectedResidual<F, R>
where
    F: ModuleMut<Tensor<S, E, D, T>, Output = Tensor<O, E, D, T>, Error = Error>,
    R: ModuleMut<Tensor<S, E, D, T>, Output = Tensor<O, E, D, T>, Error = Error>,
{
    type Output = Tensor<O, E, D, T>;
    type Error = Error;

    fn try_forward_mut(&mut self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let (x, shortcut) = fork(x);
        sum(self.main.try_forward_mut(x)?, self.shortcut.try_forward_mut(shortcut)?)
    }
}
