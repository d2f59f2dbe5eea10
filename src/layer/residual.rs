//! Blocks whose branches are added.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Dtype, Shape, Unit};
use dfdx::tensor::{Merge, Storage, Tensor};

use super::Add;
use super::branches::fork;
use super::children;
use super::graph_builder::{GraphBuilder, Wires};
use super::layer_summary::{LayerKind, LayerSummary};
use super::visit::{Path, Visit};
use crate::backend::Backend;
use crate::container;
use crate::error::Error;
use crate::kernel::Precision;
use crate::tape::Track;

/// `y = F(x) + x` (He et al. 2016).
///
/// Shapes: those that `F` keeps. The sum is that of [`Add`].
#[derive(Clone, Debug, Default)]
pub struct Residual<F> {
    /// The main branch, `F`.
    pub main: F,
}

/// `y = F(x) + R(x)`: a residual block whose shortcut changes the shape.
///
/// Shapes: those of `F` and `R`, which must give the same.
#[derive(Clone, Debug, Default)]
pub struct ProjectedResidual<F, R> {
    /// The main branch, `F`.
    pub main: F,
    /// The shortcut branch, `R`.
    pub shortcut: R,
}

/// The branches, of which the shortcut takes the same input, or is the input itself; then the sum.
fn describe_sum<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Wires,
    graph: &mut GraphBuilder<'_>,
    branches: &[(&str, &dyn Visit<E, D>)],
) -> Result<Wires, Error> {
    let (main, shortcut) = branches.split_at(1);
    let main = children::describe(path, input, graph, main)?;
    let shortcut = children::describe(path, input, graph, shortcut)?;
    let (extent, other) = (main.extent(), shortcut.extent());
    if extent != other {
        return Err(Error::Shape { expected: extent.elements(), found: other.elements() });
    }
    let (path, kind, both) = (path.as_str(), LayerKind::Add, Wires::several(&[main, shortcut])?);
    // The shortcut is added to the main branch in place.
    let (wires, precision) = (both.as_slice(), Precision::F32);
    Ok(graph.add(LayerSummary { path, kind, wires, input: extent, output: extent, epsilon: None, precision }))
}

container!(Residual { main: F }, describe = describe_sum);

impl<F, S: Shape, E: Dtype, D: Backend<E>, T: Track<E, D> + Merge<T>> Module<Tensor<S, E, D, T>> for Residual<F>
where
    F: Module<Tensor<S, E, D, T>, Output = Tensor<S, E, D, T>, Error = Error>,
{
    type Output = Tensor<S, E, D, T>;
    type Error = Error;

    fn try_forward(&self, x: Tensor<S, E, D, T>) -> Result<Self::Output, Error> {
        let (x, shortcut) = fork(x);
        Add.try_forward((self.main.try_forward(x)?, shortcut))
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
        Add.try_forward((self.main.try_forward_mut(x)?, shortcut))
    }
}

container!(ProjectedResidual { main: F, shortcut: R }, describe = describe_sum);

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
        Add.try_forward((self.main.try_forward(x)?, self.shortcut.try_forward(shortcut)?))
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
        Add.try_forward((self.main.try_forward_mut(x)?, self.shortcut.try_forward_mut(shortcut)?))
    }
}
