//! Mixup: batches whose images are weighted means of two.

use rayon::prelude::*;

use crate::data::{Batch, DataError, KeyedRng, Purpose};

/// The mixing of the images of a batch and of their labels (Zhang et al. 2018, equation 1): each image is mixed with
/// the one before it in the batch, the first with the last, in a share that is drawn once for the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixup {
    /// Parameter of the beta distribution, both of whose parameters it is, from 0.01 to 100. The share of the first
    /// image is near 0 or 1 where it is small, and near a half where it is large; 0.2 is usual.
    pub alpha: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Mixup {
    pub(super) fn check(&self) -> Result<(), DataError> {
        let holds = (0.01..=100.0).contains(&self.alpha);
        if holds { Ok(()) } else { Err(DataError::setting("alpha of mixup", "0.01 to 100", self.alpha)) }
    }

    /// Mixes a batch of images of `len` values each, that of a step of an epoch. Returns the labels of the second
    /// images, and the share of the first ones.
    pub(super) fn apply(&self, batch: &mut Batch, len: usize, epoch: u64, step: u64) -> (Vec<usize>, f64) {
        let share = self.share(epoch, step);
        let (first, second) = (share as f32, (1.0 - share) as f32);
        let mut others = batch.images.clone();
        others.rotate_right(len.min(batch.images.len()));
        let pairs = batch.images.par_chunks_mut(len.max(1)).zip(others.par_chunks(len.max(1)));
        pairs.for_each(|(image, other)| {
            for (value, other) in image.iter_mut().zip(other) {
                *value = first * *value + second * other;
            }
        });
        let mut labels = batch.labels.clone();
        labels.rotate_right(1.min(batch.labels.len()));
        (labels, share)
    }

    /// The share of the first images in the batch of a step of an epoch, both as [`FitState`](super::FitState) counts
    /// them: epochs from 1, and steps from 0.
    ///
    /// A draw of the beta distribution by Jöhnk's method (1964), in logarithms so that small parameters do not
    /// underflow, and above 1 by rejection from the uniform distribution.
    #[must_use]
    pub fn share(&self, epoch: u64, step: u64) -> f64 {
        let mut rng = KeyedRng::new(Purpose::Mix, self.seed, epoch, step);
        let mut unit = move || (f64::from(rng.bits()) + 0.5) / f64::from(u32::MAX);
        loop {
            let (u, v) = (unit(), unit());
            if self.alpha > 1.0 {
                // 1 at the most likely share, a half.
                let density = libm::pow(4.0 * u * (1.0 - u), self.alpha - 1.0);
                if v.min(1.0) <= density && u <= 1.0 {
                    return u;
                }
                continue;
            }
            let (x, y) = (libm::log(u) / self.alpha, libm::log(v) / self.alpha);
            let top = x.max(y);
            // The logarithm of the sum of both powers.
            let sum = top + libm::log(libm::exp(x - top) + libm::exp(y - top));
            if sum <= 0.0 {
                return libm::exp(x - sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.01, 0.2, 1.0, 2.5, 30.0] {
            let mixup = Mixup { alpha, seed: 3 };
            let shares: Vec<f64> = (0..20_000).map(|step| mixup.share(1, step)).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{alpha}");
            let mean = shares.iter().sum::<f64>() / 2e4;
            let variance = shares.iter().map(|share| (share - 0.5) * (share - 0.5)).sum::<f64>() / 2e4;
            // 1 / (4 (2 alpha + 1)); five standard errors of the mean, and a twentieth.
            let expected = 0.25 / (2.0 * alpha + 1.0);
            assert!((mean - 0.5).abs() < 5.0 * (expected / 2e4).sqrt(), "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{alpha}: {variance} {expected}");
        }
    }

    #[test]
    fn images_and_labels_are_mixed_with_those_before_them() {
        let mixup = Mixup { alpha: 0.5, seed: 1 };
        let mut batch = Batch { images: vec![1.0, 2.0, 10.0, 20.0, 100.0, 200.0], labels: vec![4, 5, 6] };
        let (others, share) = mixup.apply(&mut batch, 2, 2, 7);
        assert!(share > 0.0 && share < 1.0 && share == mixup.share(2, 7) && share != mixup.share(2, 8));
        assert_eq!((batch.labels, others), (vec![4, 5, 6], vec![6, 4, 5]));
        let mixed = |first: f32, second: f32| share as f32 * first + (1.0 - share) as f32 * second;
        let expected = [(1.0, 100.0), (2.0, 200.0), (10.0, 1.0), (20.0, 2.0), (100.0, 10.0), (200.0, 20.0)];
        assert_eq!(batch.images, expected.map(|(first, second)| mixed(first, second)));
        let mut none = Batch { images: Vec::new(), labels: Vec::new() };
        assert_eq!(mixup.apply(&mut none, 2, 1, 1).0, Vec::<usize>::new());
        assert!(Mixup { alpha: 0.0, seed: 0 }.check().is_err() && Mixup { alpha: f64::NAN, seed: 0 }.check().is_err());
    }
}
