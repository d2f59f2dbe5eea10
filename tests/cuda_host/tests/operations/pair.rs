//! One layer on two devices.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, ModuleMut, TensorCollection, ToDevice};
use dfdx::prelude::{PutTape, SplitTape};
use dfdx::shapes::{Const, Dtype, HasShape, Rank0, Shape};
use dfdx::tensor::{Cpu, Cuda, Merge, Tensor};
use pvlu::Error;
use pvlu::backend::{Kernels, Write};
use pvlu::kernel::Element;
use pvlu::layer::{AnyTensor, Mode, NamedTensor, ParamKind, Path, Switch, Switches, Visit, VisitorMut};
use pvlu::loss::{Targets, try_cross_entropy_mixed};
use pvlu::tape::{GradTape, Place, Track, TrackExt, try_backward};

use crate::support::{Collect, Results, Tested, compare, noise, wide};

/// Images of sizes known at run time, in channels known at compile time.
pub type Images<const C: usize> = (usize, Const<C>, usize, usize);

type Tracked<S, E, D> = Tensor<S, E, D, GradTape<E, D>>;

/// A layer, or some, that runs in training on a tape.
pub trait Trained<S: Shape, O: Shape, E: Dtype, D: Tested<E>>:
    ModuleMut<Tracked<S, E, D>, Output = Tracked<O, E, D>, Error = Error> + Visit<E, D>
{
}
impl<N, S: Shape, O: Shape, E: Dtype, D: Tested<E>> Trained<S, O, E, D> for N where
    N: ModuleMut<Tracked<S, E, D>, Output = Tracked<O, E, D>, Error = Error> + Visit<E, D>
{
}

/// The agreement of the two devices that is expected.
#[derive(Clone, Copy, Debug)]
pub enum Agreement {
    /// Up to the rounding errors of sums in another order.
    Rounded,
    /// The same bits: elements are copied, or sums and products of few terms are rounded in the same order.
    Exact,
}

/// Builds a layer on the CPU, changes its switches, runs it on both devices and compares.
pub fn check_with<E, N, S, O>(shape: S, switch: fn(Switches<'_>), agreement: Agreement)
where
    E: Element + Dtype,
    S: Shape,
    O: Shape,
    Cpu: Tested<E>,
    Cuda: Tested<E>,
    N: BuildOnDevice<Cpu, E>,
    N::Built: Trained<S, O, E, Cpu>,
    <N::Built as TensorCollection<E, Cpu>>::To<E, Cuda>: Trained<S, O, E, Cuda>,
{
    let (cpu, gpu) = (Cpu::default(), Cuda::default());
    let mut layer = cpu.build_module::<N, E>();
    layer.visit_mut(&mut Path::root(), &mut Shake(3)).unwrap();
    let mut twin = layer.to_device(&gpu);
    let found = run(&gpu, &mut twin, shape, switch);
    let expected = run(&cpu, &mut layer, shape, switch);
    // Of `f64` what the order of a sum changes, in convolutions by minimal filtering too.
    let tolerance = if size_of::<E>() == 4 { 1e-5 } else { 1e-11 };
    let what = format!("{} at {shape:?}", std::any::type_name::<N>());
    match agreement {
        Agreement::Rounded => compare(&what, &found, &expected, tolerance),
        Agreement::Exact => compare_bits(&what, &found, &expected),
    }
}

/// Compares element by element for the same bits.
fn compare_bits(what: &str, found: &Results, expected: &Results) {
    assert_eq!(found.len(), expected.len());
    for ((name, found), (expected_name, expected)) in found.iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_eq!(found.len(), expected.len(), "{what}: {name}");
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(found.to_bits() == expected.to_bits(), "{what}: {name}[{i}] is {found:e}, expected {expected:e}");
        }
    }
}

/// Other values than a layer is built with.
struct Shake(u64);

impl<E: Element + Dtype, D: Tested<E>> VisitorMut<E, D> for Shake {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<E, D>) -> Result<(), Error> {
        self.0 += 1;
        tensor.with_mut(&mut |values| {
            let values = values.iter_mut();
            for (value, noise) in values.zip(noise::<f64>(10_000, self.0).into_iter().cycle()) {
                let positive = matches!(slot.kind, ParamKind::RunningVariance | ParamKind::Hyperparameter);
                *value = E::of(if positive { 1.5 + noise / 2.0 } else { noise });
            }
        })
    }
}

struct Change(fn(Switches<'_>));

impl<E: Dtype, D: Tested<E>> VisitorMut<E, D> for Change {
    fn switches(&mut self, _: &str, switches: Switches<'_>) -> Result<(), Error> {
        (self.0)(switches);
        Ok(())
    }
}

/// Applies a layer twice to one input, and weighs both outputs into a loss.
fn run<E: Element + Dtype, D: Tested<E>, N: Trained<S, O, E, D>, S: Shape, O: Shape>(
    device: &D,
    layer: &mut N,
    shape: S,
    switch: fn(Switches<'_>),
) -> Results {
    layer.set_mode(Mode::Train);
    layer.seed_dropout(7);
    layer.visit_mut(&mut Path::root(), &mut Change(switch)).unwrap();
    let x = device.tensor_from_vec(noise(shape.num_elements(), 1), shape);
    let (x, tape) = x.track_input().split_tape();
    let fork = tape.fork();
    let first = layer.try_forward_mut(x.clone().put_tape(tape)).unwrap();
    let second = layer.try_forward_mut(x.clone().put_tape(fork)).unwrap();
    let ((first, tape), (second, fork)) = (first.split_tape(), second.split_tape());
    let mut results = vec![("output".to_owned(), wide(&first)), ("second output".to_owned(), wide(&second))];

    let mut tape = tape.merge(fork);
    let loss = device.tensor_from_vec(vec![E::zero()], ());
    let places = [Place::of(&first), Place::of(&second)];
    let weights = [2, 3].map(|seed| device.tensor_from_vec(noise(first.shape().num_elements(), seed), *first.shape()));
    let total = Place::of(&loss);
    tape.record(&[], move |flow| {
        total.take(flow)?;
        for (place, weight) in places.iter().zip(&weights) {
            place.give(flow, |gradient, write| {
                assert_eq!(write, Write::Replace);
                place.device().copy(D::view(&<D as Kernels<E>>::read(weight)), gradient)
            })?;
        }
        Ok(())
    });
    let loss: Tensor<Rank0, E, D> = loss;
    let mut gradients = try_backward(loss.put_tape(tape)).unwrap();
    let gradient = gradients.get_mut(&x).unwrap().unwrap();
    let gradient = device.try_to_host(D::frozen(&D::gradient_mut(gradient))).unwrap();
    results.push(("gradient of the input".to_owned(), gradient.into_iter().map(Element::wide).collect()));
    layer.visit(&mut Path::root(), &mut Collect { device, gradients: &mut gradients, results: &mut results }).unwrap();
    results
}

/// Compares the loss and the gradient of logits, with labels as they are and smoothed.
pub fn check_cross_entropy<E: Element + Dtype, const CLASSES: usize>(rows: usize)
where
    Cpu: Tested<E>,
    Cuda: Tested<E>,
{
    fn run<E: Element + Dtype, D: Tested<E>, const CLASSES: usize>(device: &D, rows: usize, smoothing: f64) -> Results {
        let values = noise(rows * CLASSES, 5).into_iter().map(|x: E| x * E::of(4.0)).collect();
        let logits = device.tensor_from_vec(values, (rows, Const::<CLASSES>));
        let labels: Vec<_> = (0..rows).map(|row| (7 * row + 2) % CLASSES).collect();
        // A whole share is that of no second labels.
        let others: Vec<_> = labels.iter().map(|label| (label + 1) % CLASSES).collect();
        let targets = Targets { labels: &labels, smoothing, mixed: Some((&others, 1.0 - 0.4 * smoothing)) };
        let loss = try_cross_entropy_mixed(logits.clone().track_input(), &targets).unwrap();
        let (loss, tape) = loss.split_tape();
        let mut results = vec![("loss".to_owned(), wide(&loss))];
        let mut gradients = try_backward(loss.put_tape(tape)).unwrap();
        let gradient = gradients.get_mut(&logits).unwrap().unwrap();
        let gradient = device.try_to_host(D::frozen(&D::gradient_mut(gradient))).unwrap();
        results.push(("gradient".to_owned(), gradient.into_iter().map(Element::wide).collect()));
        results
    }
    let tolerance = if size_of::<E>() == 4 { 1e-5 } else { 1e-11 };
    for smoothing in [0.0, 0.1, 1.0] {
        let found = run::<E, _, CLASSES>(&Cuda::default(), rows, smoothing);
        let expected = run::<E, _, CLASSES>(&Cpu::default(), rows, smoothing);
        compare(&format!("cross entropy of {CLASSES} classes, smoothing {smoothing}"), &found, &expected, tolerance);
    }
}
