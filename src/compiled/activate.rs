//! Activations on maps in blocks of channels.

use std::fmt;

use crate::activation::{Definition, FusedElement};
use crate::kernel::cpu::activation::Computation;
use crate::kernel::cpu::blocked::convert::from_planes;
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Finish};
use crate::kernel::layout::ChannelsLayout;

/// An activation with its parameters.
#[derive(Clone)]
pub struct Activate {
    computation: Computation<f32>,
    /// One for each channel, or for each element, with zeros where a map in blocks has them.
    parameters: Vec<Vec<f32>>,
    /// Elements of a block of one image, if each has parameters of its own.
    plane: Option<usize>,
}

impl fmt::Debug for Activate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activate").field("parameters", &self.parameters.len()).finish_non_exhaustive()
    }
}

impl Activate {
    /// An activation of the elements of `map`, with parameters in the order of its definition, each as a layer has it.
    pub fn new(activation: &'static Definition, map: BlockedMap, parameters: &[&[f32]]) -> Self {
        let map = BlockedMap { batch: 1, ..map };
        let in_blocks = |parameter: &&[f32]| {
            if activation.is_per_element() {
                let mut blocked = vec![0.0; map.len()];
                from_planes(map, parameter, &mut blocked);
                return blocked;
            }
            let mut padded = parameter.to_vec();
            padded.resize(map.blocks() * BLOCK, 0.0);
            padded
        };
        Self {
            computation: f32::fused(activation).cpu,
            parameters: parameters.iter().map(in_blocks).collect(),
            plane: activation.is_per_element().then(|| map.plane()),
        }
    }
}

impl Finish<f32> for Activate {
    fn finish(&self, block: usize, at: usize, rows: &mut [f32]) {
        let (from, layout) = match self.plane {
            Some(plane) => (block * plane + at, ChannelsLayout { outer: 1, channels: rows.len(), inner: 1 }),
            None => (block * BLOCK, ChannelsLayout { outer: rows.len() / BLOCK, channels: BLOCK, inner: 1 }),
        };
        let parameters: Vec<&[f32]> = self.parameters.iter().map(|all| &all[from..][..layout.channels]).collect();
        self.computation.forward_in_place(layout, &parameters, rows);
    }
}
