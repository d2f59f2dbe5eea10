//! The memory of the maps of a compiled network.

use std::sync::{Mutex, PoisonError};

use super::step::{MapId, Step};

/// The place of each map among buffers that several share, one after another.
#[derive(Debug)]
pub struct Places {
    /// For each map the number of its buffer.
    pub buffers: Vec<usize>,
    /// For each buffer the elements that it needs for one image.
    pub lens: Vec<usize>,
}

impl Places {
    /// Gives every map the smallest buffer that is free from its step until the last that takes it. `lens` are elements
    /// of the maps for one image, `kept` are those that are read when all steps have run.
    pub fn of(steps: &[Step], lens: &[usize], kept: &[MapId]) -> Self {
        let mut last: Vec<usize> = (0..steps.len()).collect();
        for (number, step) in steps.iter().enumerate() {
            step.inputs.iter().for_each(|&map| last[map] = number);
        }
        kept.iter().for_each(|&map| last[map] = steps.len());
        let mut places = Self { buffers: Vec::new(), lens: Vec::new() };
        let mut free: Vec<usize> = Vec::new();
        for (number, &len) in lens.iter().enumerate() {
            // The smallest that is large enough, else the largest.
            let fits = free.iter().enumerate().filter(|(_, buffer)| places.lens[**buffer] >= len);
            let best = fits.min_by_key(|(_, buffer)| places.lens[**buffer]).map(|(at, _)| at);
            let largest = || free.iter().enumerate().max_by_key(|(_, buffer)| places.lens[**buffer]).map(|(at, _)| at);
            let buffer = match best.or_else(largest) {
                Some(at) => free.swap_remove(at),
                None => {
                    places.lens.push(0);
                    places.lens.len() - 1
                }
            };
            places.lens[buffer] = places.lens[buffer].max(len);
            places.buffers.push(buffer);
            let ended = (0..=number).filter(|&map| last[map] == number);
            free.extend(ended.map(|map| places.buffers[map]));
        }
        places
    }
}

/// Buffers that are kept from one run to the next.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Vec<Vec<f32>>>>);

impl Kept {
    /// Runs `work` with buffers of at least these lengths, and of unspecified contents. Runs at the same time have
    /// buffers of their own.
    pub fn with<R>(&self, lens: impl Iterator<Item = usize>, work: impl FnOnce(&mut [Vec<f32>]) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = lock().pop().unwrap_or_default();
        for (number, len) in lens.enumerate() {
            if number == buffers.len() {
                buffers.push(Vec::new());
            }
            if buffers[number].len() < len {
                // A new one: the contents are not read again.
                buffers[number] = vec![0.0; len];
            }
        }
        let result = work(&mut buffers);
        lock().push(buffers);
        result
    }
}
