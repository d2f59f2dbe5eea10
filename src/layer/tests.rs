//! Layers against formulas and finite differences, in every mode; with views by reference and by copy alike.

mod activations;
mod batch_norm;
mod blocks;
mod chosen;
mod convolution;
mod frozen;
mod graph;
mod in_place;
mod modes;
mod networks;
mod normalized;
mod normed;
mod operations;
mod others;
mod per_element;
mod pools;
mod sequential;
mod shapes;
mod summary;
mod tapes;
mod two_heads;
mod with_dfdx;

use dfdx::prelude::{PutTape, SplitTape, ZerosTensor};
use dfdx::shapes::{Dtype, HasShape, Rank0, Shape};
use dfdx::tensor::{Cpu, Tensor, TensorFromVec};

use super::*;
use crate::check;
pub(super) use crate::check::Tracked;
use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::kernel::{Element, view};
use crate::tape::{GradTape, LeafGradients, Track, TrackExt, try_backward};

/// Numbers in [-1, 1) that depend on the seed alone.
pub(super) fn noise<E: Element>(count: usize, seed: u64) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        E::of((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    };
    (0..count + 8).map(|_| next()).skip(8).collect()
}

/// A tensor of noise.
pub(super) fn random<S: Shape, E: Element + Dtype>(shape: S, seed: u64) -> Tensor<S, E, Cpu> {
    Cpu::default().try_tensor_from_vec(noise(shape.num_elements(), seed), shape).unwrap()
}

/// `sum(y * grad_output)` as a scalar on the same tape.
pub(super) fn weigh<S: Shape, E: CpuElement + Dtype>(y: Tracked<S, E>, grad_output: &[E]) -> Tracked<Rank0, E> {
    check::weigh(y, grad_output).unwrap()
}

/// Values and gradient of every trained tensor.
struct Collect<'a, E: Element + Dtype> {
    gradients: &'a mut LeafGradients<E, Cpu>,
    found: Vec<(String, Vec<E>)>,
}

impl<E: Element + Dtype> Visitor<E, Cpu> for Collect<'_, E> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
        if slot.trained {
            let gradient = tensor.gradient(self.gradients)?.unwrap_or_else(|| panic!("{} got no gradient", slot.path));
            self.found.push((slot.path.to_owned(), gradient.to_vec()));
        } else {
            // After an operation of dfdx's own every tensor counts as reached, this stranger too.
            let stranger: Tensor<Rank0, E, Cpu> = Cpu::default().zeros();
            let knows = !self.gradients.reached(&stranger);
            assert!(
                !knows || tensor.gradient(self.gradients)?.is_none(),
                "{} is not trained but got a gradient",
                slot.path
            );
        }
        Ok(())
    }
}

/// Gradients of the trained tensors of a network by path, in forward order.
pub(super) fn gradients_of<E: Element + Dtype>(
    net: &impl Visit<E, Cpu>,
    gradients: &mut LeafGradients<E, Cpu>,
) -> Vec<(String, Vec<E>)> {
    let mut collect = Collect { gradients, found: Vec::new() };
    net.visit(&mut Path::root(), &mut collect).unwrap();
    collect.found
}

/// Relative distance of two vectors in the Euclidean norm.
pub(super) fn distance<E: Element>(found: &[E], expected: &[E]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a.wide() - b.wide()));
    difference / norm(&mut expected.iter().map(|v| v.wide())).max(1e-3)
}

/// Compares the gradients of input and trained tensors with finite differences.
pub(super) fn check_gradients<N: Visit<f64, Cpu>, S: Shape, O: Shape>(
    net: &mut N,
    x: Tensor<S, f64, Cpu>,
    forward: impl Fn(&N, Tracked<S>) -> Tracked<O>,
) {
    let worst = check::gradient_check_of(net, &x, |net, x| Ok(forward(net, x))).unwrap();
    assert!(worst.error < 1e-6, "{worst}\n{:?}\n{:?}", worst.backward, worst.differences);
}

/// Builds a layer in `f64` with every tensor, running statistics and hyperparameters too, moved off its start value.
pub(super) fn shaken<M>(seed: u64) -> M::Built
where
    M: dfdx::nn::BuildOnDevice<Cpu, f64>,
    M::Built: Visit<f64, Cpu>,
{
    let mut module = M::build_on_device(&Cpu::seed_from_u64(seed));
    shake(&mut module, seed * 1000);
    module
}

/// Moves every tensor of a network off its value.
pub(super) fn shake(net: &mut dyn Visit<f64, Cpu>, seed: u64) {
    struct Shake(u64);
    impl VisitorMut<f64, Cpu> for Shake {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0 += 1;
            let noise: Vec<f64> = noise(tensor.dims().into_iter().product(), self.0);
            let scale = if slot.kind == ParamKind::RunningVariance { 0.5 } else { 0.3 };
            tensor.with_mut(&mut |values| values.iter_mut().zip(&noise).for_each(|(v, n)| *v += scale * n))
        }
    }
    net.visit_mut(&mut Path::root(), &mut Shake(seed)).unwrap();
}

/// A permuted view of a random tensor `(W, B, C, H)`, seen as `(B, C, H, W)`.
pub(super) fn permuted<const B: usize, const C: usize, const H: usize, const W: usize>(
    seed: u64,
) -> Tensor<dfdx::shapes::Rank4<B, C, H, W>, f64, Cpu> {
    use dfdx::prelude::{Axes4, PermuteTo};
    random::<dfdx::shapes::Rank4<W, B, C, H>, f64>(Default::default(), seed).permute::<_, Axes4<1, 2, 3, 0>>()
}

/// The device, for tensors made in place.
pub(super) fn zeros<S: Shape>(shape: S) -> Tensor<S, f64, Cpu> {
    Cpu::default().zeros_like(&shape)
}
