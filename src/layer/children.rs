//! The visit of a container: through its children, each under its name.
//!
//! Every container of every network is a type of its own. The functions here see children as trait objects, so that
//! there is one body of each for all of them, and a container adds no more than a list.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::graph_builder::{GraphBuilder, Wires};
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

/// Calls [`Visit::describe`] of children that all take the same input, and returns their outputs as several.
pub fn describe_branches<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Wires,
    graph: &mut GraphBuilder<'_>,
    children: &[(&str, &dyn Visit<E, D>)],
) -> Result<Wires, Error> {
    let outputs = children.iter().map(|(name, child)| path.step(name, |path| child.describe(path, input, graph)));
    Wires::several(&outputs.collect::<Result<Vec<_>, _>>()?)
}

/// [`Visit::describe`] of children that run one after the other.
pub fn describe<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Wires,
    graph: &mut GraphBuilder<'_>,
    children: &[(&str, &dyn Visit<E, D>)],
) -> Result<Wires, Error> {
    children.iter().try_fold(input, |wires, (name, child)| path.step(name, |path| child.describe(path, wires, graph)))
}
