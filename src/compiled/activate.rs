//! Activations on maps in blocks of channels.

use std::fmt;

use crate::activation::{Definition, FusedElement};
use crate::kernel::cpu::activation::Computation;
use crate::kernel::cpu::blocked::{BLOCK, BlockedMap, Finish};
use crate::kernel::layout::ChannelsLayout;

/// An activation with its parameters.
#[derive(Clone)]
pub struct Activate {
    computation: Computation<f32>,
    /// Each has an element for each channel of each block, with zeros behind the last channel.
    parameters: Vec<Vec<f32>>,
}

impl fmt::Debug for Activate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activate").field("parameters", &self.parameters.len()).finish_non_exhaustive()
    }
}

impl Activate {
    /// An activation of the channels of `map`, with parameters in the order of its definition.
    pub fn new(activation: &'static Definition, map: BlockedMap, mut parameters: Vec<Vec<f32>>) -> Self {
        parameters.iter_mut().for_each(|parameter| parameter.resize(map.blocks() * BLOCK, 0.0));
        Self { computation: f32::fused(activation).cpu, parameters }
    }
}

impl Finish<f32> for Activate {
    fn finish(&self, block: usize, rows: &mut [f32]) {
        let layout = ChannelsLayout { outer: rows.len() / BLOCK, channels: BLOCK, inner: 1 };
        let parameters: Vec<&[f32]> = self.parameters.iter().map(|all| &all[block * BLOCK..][..BLOCK]).collect();
        self.computation.forward_in_place(layout, &parameters, rows);
    }
}
