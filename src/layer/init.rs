//! Start values of weights.

use dfdx::shapes::Dtype;
use rand::Rng;
use rand::distributions::Distribution;

use crate::random::StandardNormal;

/// Normal with mean 0 and variance `2 / fan_in` (He et al. 2015, "Delving deep into rectifiers", equation 10).
pub(super) struct HeNormal {
    /// Inputs of one output: `in_channels * kernel * kernel`, or the input features.
    pub fan_in: usize,
}

impl<E: Dtype> Distribution<E> for HeNormal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> E {
        let normal: f64 = StandardNormal.sample(rng);
        // An `f64` fits every floating-point type; the integer types that dfdx also calls Dtype get zero.
        E::from_f64(normal * (2.0 / self.fan_in as f64).sqrt()).unwrap_or_default()
    }
}
