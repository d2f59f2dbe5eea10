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

/// The smallest set of buffers in which these lengths have room, else the smallest of all: so whole batches have one
/// set, and slices others of their size.
fn take(sets: &mut Vec<Vec<Vec<f32>>>, lens: &[usize]) -> Vec<Vec<f32>> {
    let fits =
        |set: &[Vec<f32>]| set.len() == lens.len() && set.iter().zip(lens).all(|(buffer, len)| buffer.len() >= *len);
    let size = |set: &[Vec<f32>]| set.iter().map(Vec::len).sum::<usize>();
    let best = sets.iter().enumerate().min_by_key(|(_, set)| (!fits(set), size(set))).map(|(at, _)| at);
    best.map(|at| sets.swap_remove(at)).unwrap_or_default()
}

/// Buffers that are kept from one run to the next.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Vec<Vec<f32>>>>);

impl Kept {
    /// Runs `work` with buffers of at least these lengths, and of unspecified contents. Runs at the same time have
    /// buffers of their own.
    pub fn with<R>(&self, lens: impl Iterator<Item = usize>, work: impl FnOnce(&mut [Vec<f32>]) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lens: Vec<usize> = lens.collect();
        let mut buffers = take(&mut lock(), &lens);
        buffers.resize_with(lens.len(), Vec::new);
        for (buffer, len) in buffers.iter_mut().zip(lens) {
            if buffer.len() < len {
                // A new one, once the old one is free: the contents are not read again.
                *buffer = Vec::new();
                *buffer = vec![0.0; len];
            }
        }
        let result = work(&mut buffers);
        lock().push(buffers);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_run_leaves_the_large_buffers_to_a_large_one() {
        let kept = Kept::default();
        let place =
            |len: usize| kept.with([len].into_iter(), |buffers| (buffers[0].as_ptr() as usize, buffers[0].len()));
        let large = kept.with([100].into_iter(), |buffers| {
            assert_eq!(place(10).1, 10);
            (buffers[0].as_ptr() as usize, buffers[0].len())
        });
        let small = place(10);
        assert_eq!([small.1, place(9).1, place(100).1], [10, 10, 100]);
        assert_eq!((place(100), place(10)), (large, small));
        // None has room: the smallest gives way.
        assert_eq!([place(200).1, place(50).1], [200, 100]);
    }
}
