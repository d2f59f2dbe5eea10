//! Code that the tests of operations and of training share.

use dfdx::prelude::Device;
use dfdx::shapes::{Dtype, Shape};
use dfdx::tensor::Tensor;
use pvlu::Error;
use pvlu::backend::Backend;
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, Host, NamedTensor, Visitor};
use pvlu::tape::LeafGradients;

/// Numbers in [-2, 2) that depend on the seed alone.
pub fn noise<E: Element>(count: usize, seed: u64) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        E::of((state >> 11) as f64 / (1_u64 << 51) as f64 - 2.0)
    };
    (0..count + 8).map(|_| next()).skip(8).collect()
}

/// Everything that a layer computes, by name.
pub type Results = Vec<(String, Vec<f64>)>;

/// A device of this test.
pub trait Tested<E: Dtype>: Device<E> + Backend<E> + Host<E> {}
impl<E: Dtype, D: Device<E> + Backend<E> + Host<E>> Tested<E> for D {}

/// Every tensor of a network after a pass, and its gradient.
pub struct Collect<'a, E: Dtype, D: Tested<E>> {
    /// The device of the network.
    pub device: &'a D,
    /// The gradients of the pass.
    pub gradients: &'a mut LeafGradients<E, D>,
    /// The list that values and gradients are added to.
    pub results: &'a mut Results,
}

impl<E: Element + Dtype, D: Tested<E>> Visitor<E, D> for Collect<'_, E, D> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, D>) -> Result<(), Error> {
        let values = tensor.read()?.iter().map(|value| value.wide()).collect();
        self.results.push((slot.path.to_owned(), values));
        assert_eq!(slot.trained, self.gradients.reached_id(tensor.id()), "{}", slot.path);
        if let Some(gradient) = tensor.gradient(self.gradients)? {
            let gradient = self.device.try_to_host(D::frozen(&D::gradient_mut(gradient))).unwrap();
            let gradient = gradient.into_iter().map(Element::wide).collect();
            self.results.push((format!("gradient of {}", slot.path), gradient));
        }
        Ok(())
    }
}

/// The elements on the host.
pub fn wide<S: Shape, E: Element + Dtype, D: Tested<E>>(tensor: &Tensor<S, E, D>) -> Vec<f64> {
    <D as Host<E>>::read(tensor).unwrap().iter().map(|value| value.wide()).collect()
}

/// A bound of the rounding errors in `f64` of a sum that is zero: the gradient of a bias ahead of a batch norm.
const NOTHING: f64 = 1e-13;

/// Compares element by element, relative to the element, or to the root mean square where that is larger.
pub fn compare(what: &str, found: &Results, expected: &Results, tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_eq!(found.len(), expected.len(), "{what}: {name}");
        let typical = (expected.iter().map(|e| e * e).sum::<f64>() / expected.len().max(1) as f64).sqrt();
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (found - expected).abs();
            let bound = tolerance * expected.abs().max(typical) + NOTHING;
            assert!(error <= bound, "{what}: {name}[{i}] is {found}, expected {expected}");
        }
    }
}
