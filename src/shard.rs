//! Shards of a batch: parts that are computed by themselves, on several threads or machines, and give the numbers of
//! one batch.
//!
//! A batch of `n` images that is cut into shards has the loss `sum over shards and their images of loss / n`. Each
//! shard goes through a network of its own, with the same parameters; [`within`] a [`Shard`]
//!
//! - a loss is the shard's part of that sum, so that the gradient of a parameter is the sum over shards of theirs;
//! - a batch norm that normalizes by its batch does so by that of all shards: mean and variance forward, and the sums
//!   of gradients backward, are [exchanged](Exchange) and merged;
//! - a dropout draws the masks of the image's place in the whole batch.
//!
//! What is exchanged is added in a fixed tree, [`in_pairs`]. So the number of shards determines the results, and who
//! computes which of them does not: not the number of threads, nor of machines.
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::layer::builder::{BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear};
//! use pvlu::loss::cross_entropy;
//! use pvlu::shard::{Meeting, in_pairs};
//! use pvlu::tape::{TrackExt, try_backward};
//!
//! type Net = (Conv2D<3, 8, 3, 1, 1>, BatchNorm2D<8>, GlobalAvgPool2D, Linear<8, 10>);
//!
//! let dev = Cpu::seed_from_u64(0);
//! let net = dev.build_module::<Net, f32>();
//! let images: Tensor<(usize, Const<3>, Const<8>, Const<8>), f32, _> =
//!     dev.sample_like(&(5, Const, Const, Const), rand_distr::StandardNormal);
//! let (values, labels) = (images.as_vec(), [3, 7, 0, 1, 3]);
//!
//! // Five images in two shards, each with a copy of the network, which shares its tensors.
//! let parts = Meeting::new(2, 2).run(5, vec![net.clone(), net], |mut net, images| {
//!     let (first, count) = (images.start, images.len());
//!     let part = values[first * 3 * 64..][..count * 3 * 64].to_vec();
//!     let images = Cpu::default().tensor_from_vec(part, (count, Const::<3>, Const::<8>, Const::<8>));
//!     let loss = cross_entropy(net.forward_mut(images.track()), &labels[first..][..count]);
//!     let value = loss.array();
//!     (value, try_backward(loss))
//! });
//! let losses = parts.expect("no shard panicked").into_iter().map(|(loss, _)| loss).collect();
//! let loss = in_pairs(losses, |a: f32, b| a + b);
//! assert!(loss.is_some_and(|loss| loss > 0.0));
//! ```

mod meeting;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

pub use meeting::{Failed, Meeting};

use crate::kernel::normalization::{GradientSums, Statistics};

/// The way in which shards learn each other's numbers.
pub trait Exchange: Send + Sync {
    /// Hands in the numbers of a shard, and returns those of all shards, in the order of their indices.
    ///
    /// Every shard calls it as often, and the calls of the same number belong together. If a shard failed, the results
    /// are worthless, may lack shards, and are to be thrown away with the step.
    fn gather(&self, shard: usize, numbers: Vec<f64>) -> Arc<[Vec<f64>]>;
}

/// A shard of a batch.
#[derive(Clone)]
pub struct Shard {
    index: usize,
    images: Range<usize>,
    batch: usize,
    exchange: Arc<dyn Exchange>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { index, images, batch, .. } = self;
        f.debug_struct("Shard").field("index", index).field("images", images).field("batch", batch).finish()
    }
}

thread_local! {
    /// The shard that this thread computes; `None` of a whole batch.
    static CURRENT: RefCell<Option<Shard>> = const { RefCell::new(None) };
}

/// Runs `work`, whose forward and backward passes on this thread are those of a shard.
pub fn within<T>(shard: Shard, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Shard>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(shard)));
    work()
}

/// The shard that this thread is [`within`].
pub(crate) fn current() -> Option<Shard> {
    CURRENT.with_borrow(Clone::clone)
}

/// The images of each shard of a batch: as many in each, or one more in the first ones, in order. With fewer images
/// than shards the last shards have none.
pub fn cut(batch: usize, shards: usize) -> Vec<Range<usize>> {
    let (each, more) = (batch / shards.max(1), batch % shards.max(1));
    let begin = |shard: usize| shard * each + shard.min(more);
    (0..shards).map(|shard| begin(shard)..begin(shard + 1)).collect()
}

/// Adds neighbors in pairs, the sums of these in pairs, and so on; a last one without a neighbor waits for the next
/// round. `None` of nothing.
pub fn in_pairs<T>(mut parts: Vec<T>, mut add: impl FnMut(T, T) -> T) -> Option<T> {
    while parts.len() > 1 {
        let mut rest = parts.into_iter();
        parts = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(left) = rest.next() {
            parts.push(match rest.next() {
                Some(right) => add(left, right),
                None => left,
            });
        }
    }
    parts.pop()
}

impl Shard {
    /// The shard of this index, with these images of a batch of so many.
    pub fn new(index: usize, images: Range<usize>, batch: usize, exchange: Arc<dyn Exchange>) -> Self {
        Self { index, images, batch, exchange }
    }

    /// The place of its first image in the batch.
    pub(crate) fn first(&self) -> usize {
        self.images.start
    }

    /// The factor that turns a mean over its images into its part of the mean over the batch.
    pub(crate) fn share(&self) -> f64 {
        if self.batch == 0 { 0.0 } else { self.images.len() as f64 / self.batch as f64 }
    }

    /// Statistics of all shards from those of this one, over `elements` a channel; and the elements of all.
    pub(crate) fn merged(&self, own: &Statistics<Vec<f64>>, elements: usize) -> (Statistics<Vec<f64>>, usize) {
        let channels = own.mean.len();
        let mut numbers = Vec::with_capacity(2 * channels + 1);
        numbers.extend_from_slice(&own.mean);
        numbers.extend_from_slice(&own.variance);
        numbers.push(elements as f64);
        let all = self.exchange.gather(self.index, numbers);
        let merged = in_pairs(all.to_vec(), |a, b| merge(channels, a, &b));
        let Some(mut mean) = merged.filter(|numbers| numbers.len() == 2 * channels + 1) else {
            return (own.clone(), elements);
        };
        let elements = mean.pop().unwrap_or_default() as usize;
        let variance = mean.split_off(channels);
        (Statistics { mean, variance }, elements)
    }

    /// The sums of all shards from those of this one, over `elements` a channel; and the elements of all.
    pub(crate) fn added(&self, own: &GradientSums<Vec<f64>>, elements: usize) -> (GradientSums<Vec<f64>>, usize) {
        let channels = own.grad_outputs.len();
        let mut numbers = Vec::with_capacity(2 * channels + 1);
        numbers.extend_from_slice(&own.grad_outputs);
        numbers.extend_from_slice(&own.products);
        numbers.push(elements as f64);
        let all = self.exchange.gather(self.index, numbers);
        let added = in_pairs(all.to_vec(), |mut a, b| {
            a.iter_mut().zip(&b).for_each(|(a, b)| *a += b);
            a
        });
        let Some(mut grad_outputs) = added.filter(|numbers| numbers.len() == 2 * channels + 1) else {
            return (own.clone(), elements);
        };
        let elements = grad_outputs.pop().unwrap_or_default() as usize;
        let products = grad_outputs.split_off(channels);
        (GradientSums { grad_outputs, products }, elements)
    }
}

/// Means, variances and the number of elements of two sets together (Chan, Golub and LeVeque, 1983).
fn merge(channels: usize, mut a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    let (of_a, of_b) = (a.last().copied().unwrap_or_default(), b.last().copied().unwrap_or_default());
    if of_b == 0.0 || a.len() != b.len() {
        return a;
    }
    if of_a == 0.0 {
        return b.to_vec();
    }
    let count = of_a + of_b;
    for channel in 0..channels {
        let delta = b[channel] - a[channel];
        a[channel] += delta * (of_b / count);
        let squares =
            a[channels + channel] * of_a + b[channels + channel] * of_b + delta * delta * (of_a * of_b / count);
        a[channels + channel] = squares / count;
    }
    if let Some(last) = a.last_mut() {
        *last = count;
    }
    a
}

#[cfg(test)]
mod tests;
