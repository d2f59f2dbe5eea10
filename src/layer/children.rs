//! The walk of a container: through its children, each under its name.
//!
//! Every container of every network is a type of its own. The functions here see children as trait objects, so that
//! there is one body of each for all of them, and a container adds no more than a list.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::outline::{Extent, LayerOutline};
use super::walk::{Path, Walk, Walker, WalkerMut};
use crate::error::Error;

/// [`Walk::walk`] of each child, in this order.
pub(crate) fn walk<E: Unit, D: Storage<E>>(
    path: &mut Path,
    walker: &mut dyn Walker<E, D>,
    children: &[(&str, &dyn Walk<E, D>)],
) -> Result<(), Error> {
    children.iter().try_for_each(|(name, child)| path.step(name, |path| child.walk(path, walker)))
}

/// [`Walk::walk_mut`] of each child, in this order.
pub(crate) fn walk_mut<E: Unit, D: Storage<E>>(
    path: &mut Path,
    walker: &mut dyn WalkerMut<E, D>,
    children: &mut [(&str, &mut dyn Walk<E, D>)],
) -> Result<(), Error> {
    children.iter_mut().try_for_each(|(name, child)| path.step(name, |path| child.walk_mut(path, walker)))
}

/// [`Walk::outline`] of children that run one after the other.
pub(crate) fn outline<E: Unit, D: Storage<E>>(
    path: &mut Path,
    input: Extent,
    show: &mut dyn FnMut(LayerOutline<'_>),
    children: &[(&str, &dyn Walk<E, D>)],
) -> Result<Extent, Error> {
    children.iter().try_fold(input, |extent, (name, child)| path.step(name, |path| child.outline(path, extent, show)))
}
