//! Sums of the gradients of shards.

use std::collections::BTreeMap;
use std::sync::Arc;

use dfdx::shapes::Dtype;
use dfdx::tensor::{Cpu, UniqueId};

use super::early::Early;
use super::team::Team;
use crate::backend::Kernels;
use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::layer::{AnyTensor, NamedTensor, Path, Visit, Visitor};
use crate::tape::LeafGradients;

/// Adds the gradients of the trained parameters of a network, of which two shards had copies with the same tensors.
///
/// # Errors
///
/// [`Error::Device`] if there is no memory for a gradient.
pub fn add_gradients<E: CpuElement + Dtype>(
    net: &(impl Visit<E, Cpu> + ?Sized),
    to: &mut LeafGradients<E, Cpu>,
    from: &mut LeafGradients<E, Cpu>,
) -> Result<(), Error> {
    net.visit(&mut Path::root(), &mut Sum { to, from })
}

struct Sum<'g, E: CpuElement + Dtype> {
    to: &'g mut LeafGradients<E, Cpu>,
    from: &'g mut LeafGradients<E, Cpu>,
}

impl<E: CpuElement + Dtype> Visitor<E, Cpu> for Sum<'_, E> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
        if slot.trained
            && let (Some(to), Some(from)) = (tensor.gradient(self.to)?, tensor.gradient(self.from)?)
        {
            (E::cpu().add_assign)(to, from);
        }
        Ok(())
    }
}

/// The gradients of the shards of a process, before they are added.
#[derive(Debug)]
pub struct ShardGradients {
    team: Arc<Team>,
    own: Vec<LeafGradients<f32, Cpu>>,
    /// Those that are exchanged already.
    early: Option<Arc<Early>>,
}

impl ShardGradients {
    pub(super) fn new(team: &Arc<Team>, own: Vec<LeafGradients<f32, Cpu>>, early: Option<Arc<Early>>) -> Self {
        Self { team: Arc::clone(team), own, early }
    }

    /// The gradients of the trained parameters of a network over all shards, of which those of this process had copies
    /// with the same tensors.
    ///
    /// # Errors
    ///
    /// As for [`add_gradients`]; [`Error::ShardCount`] if there are no shards, and [`Error::ShardsDiffer`] if not all
    /// of them gave the same parameters gradients.
    pub fn sum(self, net: &(impl Visit<f32, Cpu> + ?Sized)) -> Result<LeafGradients<f32, Cpu>, Error> {
        let Self { team, own, early } = self;
        let missing = Error::ShardCount { expected: team.own().len(), found: own.len() };
        let add = |left: Result<LeafGradients<f32, Cpu>, Error>, right| {
            let (mut left, mut right) = (left?, right?);
            add_gradients(net, &mut left, &mut right)?;
            Ok(left)
        };
        // What is exchanged already is empty here.
        let nodes = team.joined(own.into_iter().map(Ok).collect(), add);
        let mut nodes = nodes.into_iter().collect::<Result<Vec<_>, _>>()?;
        if !team.has_ranks() {
            return nodes.into_iter().next().ok_or(missing);
        }
        let mut flat = Vec::with_capacity(nodes.len());
        for node in &mut nodes {
            let mut all = Flatten { gradients: node, values: Vec::new() };
            net.visit(&mut Path::root(), &mut all)?;
            flat.push(all.values);
        }
        let mut first = nodes.into_iter().next().ok_or(missing)?;
        if flat.iter().any(|values| !values.is_empty()) {
            let sum = team.reduced_in_parts(flat, &|to, from| (f32::cpu().add_assign)(to, from))?;
            net.visit(&mut Path::root(), &mut Unflatten { gradients: &mut first, values: &sum })?;
        }
        if let Some(early) = early {
            let mut put = Put { gradients: &mut first, sums: early.finish()? };
            net.visit(&mut Path::root(), &mut put)?;
            if !put.sums.is_empty() {
                return Err(Error::ShardsDiffer);
            }
        }
        Ok(first)
    }
}

/// Collects the gradients of the trained parameters.
struct Flatten<'g> {
    gradients: &'g mut LeafGradients<f32, Cpu>,
    values: Vec<f32>,
}

impl Visitor<f32, Cpu> for Flatten<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.trained
            && let Some(gradient) = tensor.gradient(self.gradients)?
        {
            self.values.extend_from_slice(gradient);
        }
        Ok(())
    }
}

/// Writes the gradients of the trained parameters.
struct Unflatten<'g> {
    gradients: &'g mut LeafGradients<f32, Cpu>,
    values: &'g [f32],
}

impl Visitor<f32, Cpu> for Unflatten<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.trained
            && let Some(gradient) = tensor.gradient(self.gradients)?
            && let Some((values, rest)) = self.values.split_at_checked(gradient.len())
        {
            gradient.copy_from_slice(values);
            self.values = rest;
        }
        Ok(())
    }
}

/// Puts sums in the places of gradients.
struct Put<'g> {
    gradients: &'g mut LeafGradients<f32, Cpu>,
    sums: BTreeMap<UniqueId, Vec<f32>>,
}

impl Visitor<f32, Cpu> for Put<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        if slot.trained
            && let Some(sum) = self.sums.remove(&tensor.id())
            && let Some(gradient) = tensor.gradient(self.gradients)?
        {
            <Cpu as Kernels<f32>>::put(gradient, sum);
        }
        Ok(())
    }
}
