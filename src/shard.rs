//! Shards of a batch: parts that are computed by themselves, on several threads or machines, and give the numbers of
//! one batch.
//!
//! A batch of `n` images that is cut into shards has the loss `sum over shards and their images of loss / n`. Each
//! shard goes through a network of its own, with the same parameters; [`within`] a [`Shard`]
//!
//! - a [cross-entropy](crate::loss) is the shard's part of that sum, so that the gradient of a parameter is the sum of
//!   those of all shards;
//! - a batch norm that normalizes by its batch does so by that of all shards: mean and variance forward, and the sums
//!   of gradients backward, go through an [all-reduce](AllReduce);
//! - a dropout draws the masks of the image's place in the whole batch.
//!
//! All sums over shards are taken in a fixed tree, [`in_pairs`]. So the number of shards determines the results,
//! and who computes which of them does not: not the number of threads, nor of machines.
//!
//! ```
//! use dfdx::prelude::*;
//! use pvlu::layer::builder::{BatchNorm2D, Conv2D, GlobalAvgPool2D, Linear};
//! use pvlu::loss::try_cross_entropy;
//! use pvlu::shard::{ShardGroup, add_gradients, in_pairs};
//! use pvlu::tape::{TrackExt, try_backward};
//!
//! type Net = (Conv2D<3, 8, 3, 1, 1>, BatchNorm2D<8>, GlobalAvgPool2D, Linear<8, 10>);
//!
//! let dev = Cpu::seed_from_u64(0);
//! let mut net = dev.build_module::<Net, f32>();
//! let (batch, labels) = (5, [3, 7, 0, 1, 3]);
//! let images: Tensor<(usize, Const<3>, Const<8>, Const<8>), f32, _> =
//!     dev.sample_like(&(batch, Const, Const, Const), rand_distr::StandardNormal);
//! let values = images.as_vec();
//!
//! // Two shards, each with a copy of the network, which shares its tensors.
//! let group = ShardGroup::new(2, 2)?;
//! let parts = group.run(batch, vec![net.clone(), net.clone()], |mut net, images| {
//!     let part = values[images.start * 3 * 64..images.end * 3 * 64].to_vec();
//!     let x = Cpu::default().tensor_from_vec(part, (images.len(), Const::<3>, Const::<8>, Const::<8>));
//!     let loss = try_cross_entropy(net.try_forward_mut(x.track())?, &labels[images])?;
//!     Ok((loss.array(), try_backward(loss)?, net))
//! })?;
//! let step = in_pairs(parts, |(loss, mut gradients, moved), (other, mut others, _)| {
//!     add_gradients(&moved, &mut gradients, &mut others).expect("the same parameters");
//!     (loss + other, gradients, moved)
//! });
//! let (loss, mut gradients, moved) = step.expect("there are shards");
//! // Running statistics moved alike in all copies. Gradients are those of `net`, whose parameters these still are.
//! net.1 = moved.1;
//! assert!(loss > 0.0 && gradients.reached(&net.0.weight));
//! # Ok::<(), pvlu::Error>(())
//! ```

mod bytes;
mod early;
mod gradients;
mod group;
mod ranks;
mod rendezvous;
mod team;
mod tree;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

#[doc(hidden)]
pub use bytes::{bytes_of, numbers_of};
pub(crate) use early::TakeGradients;
pub use gradients::{ShardGradients, add_gradients};
pub use group::ShardGroup;
pub use ranks::{Ranks, ThreadRanks};
pub use tree::in_pairs;

use crate::kernel::normalization::{GradientSums, Statistics};

/// Adds the numbers of some shards to those of the shards before them.
pub type Add = fn(Vec<f64>, Vec<f64>) -> Vec<f64>;

/// The way in which each shard gets the sum of the numbers of all.
pub trait AllReduce: Send + Sync {
    /// Hands in the numbers of a shard, and returns those of all shards, added [`in_pairs`] in the order of their
    /// indices. Calls of the same number in each shard belong together; `None` if a shard has ended without its call,
    /// as one with an error does. Whatever is computed then is to be thrown away.
    fn all_reduce(&self, shard: usize, numbers: Vec<f64>, add: Add) -> Option<Arc<[f64]>>;
}

/// A shard of a batch.
#[derive(Clone)]
pub struct Shard {
    index: usize,
    images: Range<usize>,
    batch: usize,
    all: Arc<dyn AllReduce>,
    /// The receiver of its gradients one by one, if there is any.
    gradients: Option<Arc<dyn TakeGradients>>,
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
    (0..shards).map(|shard| images_of(&(shard..shard + 1), batch, shards)).collect()
}

/// The images of some neighboring shards of a batch that is [`cut`] into so many.
pub fn images_of(own: &Range<usize>, batch: usize, shards: usize) -> Range<usize> {
    let (each, more) = (batch / shards.max(1), batch % shards.max(1));
    let begin = |shard: usize| shard * each + shard.min(more);
    begin(own.start)..begin(own.end)
}

impl Shard {
    /// The shard of this index, with these images of a batch of so many.
    pub fn new(index: usize, images: Range<usize>, batch: usize, all: Arc<dyn AllReduce>) -> Self {
        Self { index, images, batch, all, gradients: None }
    }

    /// The shard, whose gradients are taken one by one, if so.
    pub(crate) fn handing_out(self, gradients: Option<Arc<dyn TakeGradients>>) -> Self {
        Self { gradients, ..self }
    }

    /// The receiver of its gradients one by one, if there is any.
    pub(crate) fn gradients(&self) -> Option<Arc<dyn TakeGradients>> {
        self.gradients.clone()
    }

    /// Its index among all shards of the batch.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The index in the batch of the first element of a tensor of so many, of which each image has as many.
    pub(crate) fn first_element(&self, elements: usize) -> usize {
        self.images.start * elements.checked_div(self.images.len()).unwrap_or(0)
    }

    /// The factor that turns a mean over its images into its part of the mean over the batch.
    pub(crate) fn share(&self) -> f64 {
        if self.batch == 0 { 0.0 } else { self.images.len() as f64 / self.batch as f64 }
    }

    /// Statistics of all shards from those of this one, over `elements` a channel; and the elements of all.
    pub(crate) fn merged(&self, own: Statistics<Vec<f64>>, elements: usize) -> (Statistics<Vec<f64>>, usize) {
        let [mean, variance] = [own.mean, own.variance];
        let ([mean, variance], elements) = self.reduced([mean, variance], elements, merge);
        (Statistics { mean, variance }, elements)
    }

    /// The sums of all shards from those of this one, over `elements` a channel; and the elements of all.
    pub(crate) fn added(&self, own: &GradientSums<Vec<f64>>, elements: usize) -> (GradientSums<Vec<f64>>, usize) {
        let own = [own.grad_outputs.clone(), own.products.clone()];
        let ([grad_outputs, products], elements) = self.reduced(own, elements, add);
        (GradientSums { grad_outputs, products }, elements)
    }

    /// Two numbers of each channel, and the elements of a channel, of all shards from those of this one.
    fn reduced(&self, [first, second]: [Vec<f64>; 2], elements: usize, add: Add) -> ([Vec<f64>; 2], usize) {
        let channels = first.len();
        let numbers = [&first[..], &second, &[elements as f64]].concat();
        match self.all.all_reduce(self.index, numbers, add).as_deref() {
            Some([both @ .., elements]) if both.len() == 2 * channels => {
                let (first, second) = both.split_at(channels);
                ([first.to_vec(), second.to_vec()], *elements as usize)
            }
            _ => ([first, second], elements),
        }
    }
}

/// The sum of two lists of numbers.
fn add(mut a: Vec<f64>, b: Vec<f64>) -> Vec<f64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// Means, variances and the number of elements of two sets together (Chan, Golub and LeVeque, 1983).
fn merge(mut a: Vec<f64>, b: Vec<f64>) -> Vec<f64> {
    let ([of_a @ .., count_a], [of_b @ .., count_b]) = (&mut a[..], &b[..]) else { return a };
    if *count_b == 0.0 || of_a.len() != of_b.len() {
        return a;
    }
    if *count_a == 0.0 {
        return b;
    }
    let count = *count_a + count_b;
    let channels = of_a.len() / 2;
    let (means, variances) = of_a.split_at_mut(channels);
    for (channel, (mean, variance)) in means.iter_mut().zip(variances).enumerate() {
        let delta = of_b[channel] - *mean;
        let squares =
            *variance * *count_a + of_b[channels + channel] * count_b + delta * delta * (*count_a * count_b / count);
        *mean += delta * (count_b / count);
        *variance = squares / count;
    }
    *count_a = count;
    a
}

#[cfg(test)]
mod tests;
