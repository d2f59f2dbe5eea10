//! An activation after a batch norm, recorded together with it, against the same one after the other; and sums and
//! activations that are written over their inputs on a tape.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut};
use dfdx::prelude::Device;
use dfdx::shapes::{Const, Rank4};
use dfdx::tensor::OwnedTape;

use super::*;
use crate::activation::{BUILT_IN, Chosen, Definition, FusedElement, Pvlu, Relu, find};
use crate::kernel::cpu::testing::bits;
use crate::layer::builder;

const C: usize = 3;

type Maps = (usize, Const<C>, usize, usize);
type Block = (builder::BatchNorm2D<C>, builder::Act<Chosen, C>);
type Built<E> = (BatchNorm2D<C, Torch, E, Cpu>, Act<Chosen, C, E, Cpu>);

/// An event between the batch norm and the activation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Nothing,
    /// Another tensor holds it, so that nothing may be written over it.
    Held,
    /// Its elements are changed in place.
    Changed,
    /// The same, while another tensor holds what it is changed to.
    ChangedAndHeld,
}

/// The bits of the output, of every gradient and of the running statistics; and whether the output was written over
/// that of the batch norm.
fn run<E: FusedElement + CpuElement + Dtype>(
    (norm, activation): &Built<E>,
    x: Tensor<Maps, E, Cpu>,
    between: Between,
) -> (Vec<Vec<u64>>, bool)
where
    Cpu: Device<E>,
{
    let mut norm = norm.clone();
    let (mut middle, tape) = norm.forward_mut(x.clone().track_input()).split_tape();
    if matches!(between, Between::Changed | Between::ChangedAndHeld) {
        let changed: Vec<E> = view::read(&middle).iter().map(|&value| value * E::of(0.5)).collect();
        middle.copy_from(&changed);
    }
    let held = matches!(between, Between::Held | Between::ChangedAndHeld).then(|| middle.clone());
    let at = view::address(&middle);
    let y = activation.forward(middle.put_tape(tape));
    let overwritten = view::address(&y) == at;
    let values = bits(&view::read(&y));
    let grad_output = noise(y.shape().num_elements(), 9);
    let mut gradients = try_backward(weigh(y, &grad_output)).unwrap();
    let mut found = vec![values];
    let statistics = [&norm.running_mean, &norm.running_var].map(|statistics| bits(&statistics.as_vec()));
    found.extend(statistics);
    let net = (norm, activation.clone());
    found.extend(gradients_of(&net, &mut gradients).into_iter().map(|(_, gradient)| bits(&gradient)));
    gradients.get_mut(&x).transpose().unwrap();
    found.push(bits(&view::read(&gradients.into_gradients().get(&x))));
    drop(held);
    (found, overwritten)
}

/// A batch norm and an activation of maps of a size, with every parameter off its start value.
fn block<E: FusedElement + CpuElement + Dtype>(activation: &'static Definition, height: usize, width: usize) -> Built<E>
where
    Cpu: Device<E>,
{
    struct Shake(u64);
    impl<E: Element + Dtype> VisitorMut<E, Cpu> for Shake {
        fn tensor(&mut self, _: NamedTensor<'_>, tensor: &mut dyn AnyTensor<E, Cpu>) -> Result<(), Error> {
            self.0 += 1;
            let noise: Vec<E> = noise(tensor.dims().into_iter().product(), self.0);
            tensor.with_mut(&mut |values| values.iter_mut().zip(&noise).for_each(|(v, &n)| *v += E::of(0.3) * n))
        }
    }
    let mut net = Cpu::default().build_module::<Block, E>();
    choose_activation(&mut net, activation, Extent::image(C, height, width), |param| param.start).unwrap();
    net.visit_mut(&mut Path::root(), &mut Shake(1)).unwrap();
    net
}

/// Activations of every way through the kernels: built in, and written as text.
fn activations() -> Vec<&'static Definition> {
    let written = find("mine = max(x, 0) + a*sin(b*x); a = 0.5; b = 1").unwrap();
    BUILT_IN.iter().copied().chain([written]).collect()
}

/// Batches of rows, of planes that the batch norm sums up by rows, and of planes; one that fills several tasks; one
/// image; none.
const SIZES: [[usize; 3]; 8] =
    [[5, 1, 1], [4, 2, 3], [3, 6, 7], [2, 12, 13], [1, 4, 4], [1, 40, 40], [9, 60, 50], [0, 4, 4]];

fn together_and_one_after_the_other<E: FusedElement + CpuElement + Dtype>(each: usize)
where
    Cpu: Device<E>,
{
    let mut fused = 0;
    for (number, activation) in activations().into_iter().enumerate() {
        for (place, [batch, height, width]) in SIZES.into_iter().enumerate() {
            // Some of the largest are enough.
            if batch * height > 200 && number % each != 0 {
                continue;
            }
            let mut net = block::<E>(activation, height, width);
            for (mode, statistics, affine, frozen) in [
                (Mode::Train, false, false, false),
                (Mode::Train, false, true, true),
                (Mode::Eval, false, false, false),
                (Mode::Train, true, true, false),
            ] {
                net.set_mode(mode);
                net.freeze_batch_norm(affine, statistics);
                net.1.frozen = frozen;
                let mut x = random::<Maps, E>((batch, Const, height, width), 2 + place as u64);
                if place == 1 {
                    view::with_mut(&mut x, |values| values[7] = E::nan()).unwrap();
                }
                let what = format!("{} {batch}x{height}x{width} {mode:?} {statistics} {affine}", activation.name());
                let (apart, overwritten) = run(&net, x.clone(), Between::Held);
                assert!(!overwritten || x.shape().num_elements() == 0, "{what}");
                let (found, overwritten) = run(&net, x.clone(), Between::Nothing);
                assert_eq!(found, apart, "{what}");

                let keeps_input = net.0.switches.uses_batch(true) || !affine;
                // Of one element in a map there is one for each channel.
                let is_by_channel = !activation.is_per_element() || height * width == 1;
                let together = activation.differentiates_from_output() || (keeps_input && is_by_channel);
                if x.shape().num_elements() > 0 {
                    assert_eq!(overwritten, together && cfg!(not(feature = "safe-views")), "{what}");
                }
                fused += usize::from(overwritten && !activation.differentiates_from_output());
            }
        }
    }
    assert!(fused > 100 || cfg!(feature = "safe-views"), "{fused}");
}

#[test]
fn together_they_compute_the_same_bits_in_f32() {
    together_and_one_after_the_other::<f32>(3);
}

#[test]
fn together_they_compute_the_same_bits_in_f64() {
    together_and_one_after_the_other::<f64>(9);
}

#[test]
fn a_permuted_input_and_one_that_another_holds_give_the_same() {
    let net = block::<f64>(Definition::of::<Pvlu>(), 5, 6);
    let x = permuted::<2, C, 5, 6>(3);
    let contiguous: Tensor<Rank4<2, C, 5, 6>, f64, Cpu> =
        Cpu::default().try_tensor_from_vec(x.as_vec(), Default::default()).unwrap();
    let run = |x: Tensor<Rank4<2, C, 5, 6>, f64, Cpu>| {
        let mut net = net.clone();
        let y = net.forward_mut(x.clone().track_input());
        let values = bits(&y.as_vec());
        let mut gradients = try_backward(weigh(y, &noise::<f64>(180, 4))).unwrap();
        let found = gradients_of(&net, &mut gradients);
        (values, found, gradients.into_gradients().get(&x).as_vec())
    };
    assert_eq!(run(x), run(contiguous));
}

#[test]
fn elements_that_are_changed_after_the_batch_norm_are_those_that_count() {
    for activation in [Definition::of::<Relu>(), Definition::of::<Pvlu>()] {
        let net = block::<f64>(activation, 4, 5);
        let x = random::<Maps, f64>((3, Const, 4, 5), 5);
        let (changed, _) = run(&net, x.clone(), Between::Changed);
        assert_eq!(changed, run(&net, x.clone(), Between::ChangedAndHeld).0);
        assert_ne!(changed, run(&net, x, Between::Nothing).0);
    }
}

type Images = Rank4<2, C, 4, 5>;

/// Compares gradients with finite differences in train and in eval mode.
fn right_gradients<N: Visit<f64, Cpu>>(net: &mut N, forward: impl Fn(&N, Tracked<Images>) -> Tracked<Images>) {
    for mode in [Mode::Train, Mode::Eval] {
        net.set_mode(mode);
        check_gradients(net, random::<Images, f64>(Default::default(), 6), &forward);
    }
}

#[test]
fn gradients_are_the_slopes_wherever_the_output_goes() {
    type Norm = builder::BatchNorm2D<C>;
    type Conv = builder::Conv2D<C, C, 3, 1, 1>;
    type Relu3 = builder::Act<Relu, C>;
    type Pvlu3 = builder::Act<Pvlu, C>;
    // A block with its sum, one whose shortcut is taken before and one where it is taken behind the activation, and
    // branches that are the output itself, an activation of it, or two.
    right_gradients(&mut shaken::<(Norm, Pvlu3)>(1), |net, x| net.forward(x));
    right_gradients(&mut shaken::<(builder::Residual<(Conv, Norm, Pvlu3, Conv, Norm)>, Pvlu3)>(2), |n, x| n.forward(x));
    right_gradients(&mut shaken::<(builder::Residual<(Conv, Norm, Relu3, Conv, Norm)>, Relu3)>(3), |n, x| n.forward(x));
    right_gradients(&mut shaken::<(Norm, builder::Residual<(Pvlu3, Conv)>)>(4), |net, x| net.forward(x));
    right_gradients(&mut shaken::<(Norm, Pvlu3, builder::Residual<(Conv, Norm)>)>(5), |net, x| net.forward(x));
    right_gradients(&mut shaken::<(Norm, builder::Residual<Relu3>, Pvlu3)>(6), |net, x| net.forward(x));
    type Both = builder::Branches<(Pvlu3, Relu3)>;
    right_gradients(&mut shaken::<((Norm, Both), builder::Add)>(7), |net, x| net.forward(x));
    right_gradients(&mut shaken::<(builder::ProjectedResidual<(Conv, Norm), (Conv, Norm)>, Pvlu3)>(8), |n, x| {
        n.forward(x)
    });
}

/// The other tensor is gone when the activation is applied, but what is recorded of it gives the batch norm's output a
/// gradient too.
#[test]
fn an_output_that_something_else_was_computed_of_gets_both_gradients() {
    type Net = (builder::BatchNorm2D<C>, builder::Act<Relu, C>, builder::Act<Pvlu, C>);
    fn forward(net: &<Net as BuildOnDevice<Cpu, f64>>::Built, x: Tracked<Images>, first: bool) -> Tracked<Images> {
        let (y, tape) = net.0.forward(x).split_tape();
        // A sum that is written over nothing, so that it holds no element of `y`.
        let fork = tape.fork();
        let doubled = builder::Add.forward((y.clone().put_tape(fork), y.clone().put_tape(tape.fork())));
        if first {
            return builder::Add.forward((net.2.forward(y.put_tape(tape)), doubled));
        }
        let sum = builder::Add.forward((net.1.forward(doubled), y.put_tape(tape)));
        net.2.forward(sum)
    }
    for first in [true, false] {
        right_gradients(&mut shaken::<Net>(9), |net, x| forward(net, x, first));
    }
}

/// An operation of dfdx's own on the tape finds and leaves gradients in dfdx's collection.
#[test]
fn operations_of_dfdx_go_with_it() {
    use dfdx::prelude::TryMul;
    type Conv = builder::Conv2D<C, C, 1>;
    type Norm = builder::BatchNorm2D<C>;
    type Net = (builder::Residual<(Conv, Norm)>, builder::Act<Relu, C>, Norm, builder::Act<Pvlu, C>);
    right_gradients(&mut shaken::<Net>(10), |net, x| net.forward(x).tanh().try_mul(1.5).unwrap());
    right_gradients(&mut shaken::<Net>(11), |net, x| net.forward(x.tanh()));
    right_gradients(&mut shaken::<Net>(12), |net, x| net.3.forward(net.2.forward(x).tanh()));
}

#[test]
fn the_tape_of_dfdx_overwrites_nothing() {
    let net = block::<f64>(Definition::of::<Relu>(), 4, 5);
    let x = random::<Maps, f64>((2, Const, 4, 5), 7).put_tape(OwnedTape::<f64, Cpu>::default());
    let y = net.0.forward(x);
    let at = view::address(&y);
    assert_ne!(view::address(&net.1.forward(y)), at);
}
