//! Gradients of a layer or a network against finite differences.

use dfdx::nn::Module;
use dfdx::prelude::{PutTape, SplitTape, ZerosTensor};
use dfdx::shapes::{Dtype, HasShape, Rank0, Shape};
use dfdx::tensor::{Cpu, Tensor, TensorFromVec};

use crate::error::Error;
use crate::kernel::cpu::CpuElement;
use crate::kernel::view;
use crate::layer::{AnyTensor, NamedTensor, Path, Visit, Visitor, VisitorMut};
use crate::random::mix;
use crate::tape::{GradTape, LeafGradients, Place, Track, TrackExt, try_backward};

/// A tensor on the tape that [`gradient_check`] records on.
pub type Tracked<S, E = f64> = Tensor<S, E, Cpu, GradTape<E, Cpu>>;

/// Half of the distance between the two points of a central difference.
const STEP: f64 = 1e-5;

/// The smallest norm that an error is taken relative to: below it differences are mostly rounding.
const SMALLEST: f64 = 1e-3;

/// The tensor whose gradient is furthest from its differences.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientCheck {
    /// Path of the parameter in the module, or `input`.
    pub path: String,
    /// `|backward - differences| / max(|differences|, 0.001)`, in the Euclidean norm over the elements of the tensor.
    /// Infinite where something is not a number, and where the backward pass gives a gradient to a parameter that is
    /// not trained.
    pub error: f64,
    /// Gradient of the backward pass, in row-major order.
    pub backward: Vec<f64>,
    /// Gradient by finite differences, in the same order.
    pub differences: Vec<f64>,
}

impl std::fmt::Display for GradientCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: relative error {:e}", self.path, self.error)
    }
}

/// Compares the gradients that a module's backward pass gives its input and its trained parameters with central
/// differences, and returns the worst.
///
/// The function that is differentiated is the sum of the outputs, each times a fixed number in [-1, 1). Each element is
/// moved by 0.00001 either way, so that two forward passes an element are run: for small tensors. The layers of this
/// crate are tested with an error below 1e-6. It is larger where an element comes to lie across a kink: at the zero of
/// a ReLU, between two equal elements of a maximum. Move the input off those.
///
/// The module runs by `forward`, in the mode that it is in: [`Switch::set_mode`](crate::layer::Switch::set_mode) with
/// [`Mode::Train`](crate::layer::Mode::Train) checks a batch norm through the statistics of the batch, and a dropout
/// with the mask of the pass to come. Nothing of the module is changed in the end.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::prelude::*;
///
/// let dev = Cpu::seed_from_u64(0);
/// let mut net = dev.build_module::<(nn::Conv2D<1, 2, 3, 1, 1>, nn::Act<Vlu, 2>), f64>();
/// let images: Tensor<Rank4<2, 1, 4, 4>, f64, _> = dev.sample_normal();
/// let worst = gradient_check(&mut net, &images)?;
/// assert!(worst.error < 1e-6, "{worst}");
/// # Ok::<(), pvlu::Error>(())
/// ```
///
/// # Errors
///
/// The errors of the module; [`Error::MissingGradient`] if the backward pass gives a trained parameter none.
pub fn gradient_check<M, S: Shape, O: Shape>(module: &mut M, x: &Tensor<S, f64, Cpu>) -> Result<GradientCheck, Error>
where
    M: Visit<f64, Cpu> + Module<Tracked<S>, Output = Tracked<O>, Error = Error>,
{
    gradient_check_of(module, x, |module, x| module.try_forward(x))
}

/// As [`gradient_check`], of what `forward` computes: a loss behind the module, one of two outputs.
///
/// `forward` must compute the same every time.
pub fn gradient_check_of<M: Visit<f64, Cpu>, S: Shape, O: Shape>(
    module: &mut M,
    x: &Tensor<S, f64, Cpu>,
    forward: impl Fn(&M, Tracked<S>) -> Result<Tracked<O>, Error>,
) -> Result<GradientCheck, Error> {
    let y = forward(module, x.clone().track_input())?;
    let grad_output = grad_output(y.shape().num_elements());
    let value = |module: &M, x: &Tensor<S, f64, Cpu>| {
        let y = forward(module, x.clone().track_input())?;
        Ok::<_, Error>(view::read(&y).iter().zip(&grad_output).map(|(y, c)| y * c).sum::<f64>())
    };
    let mut gradients = try_backward(weigh(y, &grad_output)?)?;
    let mut collect = Collect { gradients: &mut gradients, found: Vec::new() };
    module.visit(&mut Path::root(), &mut collect)?;

    let found = collect.found;
    let mut worst: Option<GradientCheck> = None;
    for Found { path, start, backward, trained } in found {
        let mut differences = vec![0.0; backward.len()];
        if trained {
            for (element, difference) in differences.iter_mut().enumerate() {
                let mut at = |value_there| set(module, &path, element, value_there).and_then(|()| value(module, x));
                let pair = at(start[element] + STEP).and_then(|above| Ok((above, at(start[element] - STEP)?)));
                set(module, &path, element, start[element])?;
                let (above, below) = pair?;
                *difference = (above - below) / (2.0 * STEP);
            }
        }
        let error = if trained { distance(&backward, &differences) } else { f64::INFINITY };
        keep_worst(&mut worst, GradientCheck { path, error, backward, differences });
    }

    // Makes zeros of a gradient that no operation contributed to.
    gradients.get_mut(x).transpose()?;
    // Through a view: `as_vec` of dfdx 0.13.0 does not take a tensor without elements.
    let backward = view::read(&gradients.into_gradients().get(x)).into_owned();
    let mut differences = Vec::with_capacity(backward.len());
    for element in 0..backward.len() {
        let moved = |by| {
            let mut x = x.clone();
            view::with_mut(&mut x, |values| values[element] += by)?;
            value(module, &x)
        };
        differences.push((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP));
    }
    let error = distance(&backward, &differences);
    let input = GradientCheck { path: "input".to_owned(), error, backward, differences };
    keep_worst(&mut worst, input.clone());
    Ok(worst.unwrap_or(input))
}

fn keep_worst(worst: &mut Option<GradientCheck>, other: GradientCheck) {
    if worst.as_ref().is_none_or(|worst| worst.error < other.error) {
        *worst = Some(other);
    }
}

/// Numbers in [-1, 1) that depend on their number alone.
fn grad_output(count: usize) -> Vec<f64> {
    (0..count as u64).map(|i| (mix(i) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0).collect()
}

/// `|found - expected| / max(|expected|, SMALLEST)`, infinite where something is not a number.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let error = difference / norm(&mut expected.iter().copied()).max(SMALLEST);
    if error.is_nan() { f64::INFINITY } else { error }
}

/// `sum(y * grad_output)` as a scalar on the same tape.
pub(crate) fn weigh<S: Shape, E: CpuElement + Dtype>(
    y: Tracked<S, E>,
    grad_output: &[E],
) -> Result<Tracked<Rank0, E>, Error> {
    let (y, mut tape) = y.split_tape();
    let values = view::read(&y);
    assert_eq!(values.len(), grad_output.len());
    let total = values.iter().zip(grad_output).map(|(&y, &c)| y * c).sum();
    drop(values);
    let total: Tensor<Rank0, E, Cpu> = y.device().try_tensor_from_vec(vec![total], ())?;
    let (y_place, total_place) = (Place::of(&y), Place::of(&total));
    let grad_output = grad_output.to_vec();
    tape.record(&[], move |flow| {
        let scale = total_place.take(flow)?[0];
        y_place.hand_over(flow, grad_output.into_iter().map(|c| c * scale).collect())
    });
    Ok(total.put_tape(tape))
}

/// A tensor that the backward pass gave a gradient.
struct Found {
    path: String,
    start: Vec<f64>,
    backward: Vec<f64>,
    trained: bool,
}

/// Collects values and gradients.
struct Collect<'a> {
    gradients: &'a mut LeafGradients<f64, Cpu>,
    found: Vec<Found>,
}

impl Visitor<f64, Cpu> for Collect<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        let path = slot.path.to_owned();
        if !slot.trained {
            // After an operation of dfdx's own every tensor counts as reached, this stranger too.
            let stranger: Tensor<Rank0, f64, Cpu> = Cpu::default().try_zeros()?;
            if self.gradients.reached(&stranger) {
                return Ok(());
            }
        }
        match tensor.gradient(self.gradients)? {
            Some(gradient) => {
                let (start, backward) = (tensor.read()?.into_owned(), gradient.to_vec());
                self.found.push(Found { path, start, backward, trained: slot.trained });
                Ok(())
            }
            None if slot.trained => Err(Error::MissingGradient { path }),
            None => Ok(()),
        }
    }
}

/// Sets one element of the tensor at a path.
struct Set<'a> {
    path: &'a str,
    element: usize,
    value: f64,
}

impl VisitorMut<f64, Cpu> for Set<'_> {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        if slot.path == self.path {
            tensor.with_mut(&mut |values| values[self.element] = self.value)?;
        }
        Ok(())
    }
}

fn set<M: Visit<f64, Cpu>>(module: &mut M, path: &str, element: usize, value: f64) -> Result<(), Error> {
    module.visit_mut(&mut Path::root(), &mut Set { path, element, value })
}

#[cfg(test)]
mod tests;
