//! The visit of a container: through its children, each under its name.
//!
//! Every container of every network is a type of its own. The functions here see children as trait objects, so that
//! there is one body of each for all of them, and a container adds no more than a list.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::layer_summary::{Extent, LayerSummary};
use super::visit::{Path, Visit, Visitor, VisitorMut};
use crate::error::Error;

/// [`Visit::visit`] of each child, in this order.
pub fn visit<E: Unit, D: Storage<E>>(
    path: &mut Path,
    visitor: &mut dyn Visitor<E, D>,
    children: &[(&str, &dyn Visit<E, D>)],
) -> Result<(), Error> {
    children.iter().try_for_each(|(name, child)| path.step(name, |path| child.visit(path, visitor)))
}

/// [`Visit::visit_mut`] of each child, in this order.
pub fn visit_mut<E: Unit, D: Storage<E>>(
    path: &mut Path,
    visitor: &mut dyn VisitorMut<E, D>,
    children: &mut [(&str, &mut dyn Visit<E, D>)],
) -> Result<(), Error> {
    children.iter_mut().try_for_each(|(name, child)| path.step(name, |path| child.visit_mut(path, visitor)))
}

/// Calls [`Visit::summarize`] of children that all take the same input, and returns their outputs as
/// [`Extent::Several`].
pub fn summarize_branches<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Extent,
    show: &mut dyn FnMut(LayerSummary<'_>),
    children: &[(&str, &dyn Visit<E, D>)],
) -> Result<Extent, Error> {
    let outputs = children.iter().map(|(name, child)| path.step(name, |path| child.summarize(path, input, show)));
    Extent::several(&outputs.collect::<Result<Vec<_>, _>>()?)
}

/// [`Visit::summarize`] of children that run one after the other.
pub fn summarize<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Extent,
    show: &mut dyn FnMut(LayerSummary<'_>),
    children: &[(&str, &dyn Visit<E, D>)],
) -> Result<Extent, Error> {
    children.iter().try_fold(input, |extent, (name, child)| path.step(name, |path| child.summarize(path, extent, show)))
}
