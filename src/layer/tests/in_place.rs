//! Layers that write over their input, and inputs that stay.

use dfdx::nn::Module;
use dfdx::shapes::Rank4;

use super::*;
use crate::activation::{Activation, Pvlu, Relu};
use crate::backend::Kernels;
use crate::layer::builder;

type Images = Rank4<2, 3, 4, 5>;

fn address<T>(tensor: &Tensor<Images, f64, Cpu, T>) -> usize {
    std::ptr::from_ref(&tensor[[0; 4]]).addr()
}

/// Applies a layer to a tensor that it may overwrite, to one that it may not, and on a tape.
fn check(forward: impl Fn(Tensor<Images, f64, Cpu>) -> Tensor<Images, f64, Cpu>) {
    // The last outputs of layers are known by their addresses, which another tensor may get once they are gone.
    let last = [(); 4].map(|()| Cpu::default().try_create(Images::default(), &mut |_: &mut [f64]| Ok(())).unwrap());
    let x = random::<Images, f64>(Default::default(), 1);
    let before = x.as_vec();
    let held = forward(x.clone());
    assert_ne!(address(&held), address(&x));
    assert_eq!(x.as_vec(), before, "a tensor that another variable shares stays as it is");
    assert_ne!(crate::tape::id(&held), crate::tape::id(&x));

    let expected = held.as_vec();
    assert_ne!(expected, before);
    // A tensor from elsewhere is mostly held by its owner too, and not tried; the output of a layer is.
    let at = address(&x);
    assert_ne!(address(&forward(x)), at);
    let output = || {
        let fill = &mut |values: &mut [f64]| {
            values.copy_from_slice(&before);
            Ok(())
        };
        Cpu::default().try_create(Images::default(), fill).unwrap()
    };
    let moved = output();
    let at = address(&moved);
    let moved = forward(moved);
    assert_eq!(moved.as_vec(), expected);
    assert_eq!(address(&moved) == at, cfg!(not(feature = "safe-views")));
    // The output of a layer, but held by another tensor too.
    let output = output();
    assert_eq!(forward(output.clone()).as_vec(), expected);
    assert_eq!(output.as_vec(), before);
    drop(last);
}

#[test]
fn layers_overwrite_what_nobody_else_holds_and_nothing_else() {
    let relu = shaken::<builder::Act<Relu, 3>>(2);
    check(|x| relu.forward(x));
    let pvlu = shaken::<builder::Act<Pvlu, 3>>(3);
    check(|x| pvlu.forward(x));
    let mut norm = shaken::<builder::BatchNorm2D<3>>(4);
    check(|x| norm.forward(x));
    norm.switches.mode = Mode::Train;
    check(|x| norm.forward(x));
    let sum = shaken::<builder::Residual<builder::Conv2D<3, 3, 1>>>(5);
    let x = random::<Images, f64>(Default::default(), 6);
    let before = x.as_vec();
    let y = sum.forward(x.clone());
    let main = sum.main.forward(x.clone());
    assert_eq!(x.as_vec(), before);
    let plain: Vec<f64> = main.as_vec().iter().zip(&before).map(|(a, b)| a + b).collect();
    assert_eq!(y.as_vec(), plain);
}

#[test]
fn what_a_backward_pass_reads_is_not_overwritten() {
    fn check_one<A: Activation>() {
        let mut net = shaken::<((builder::Act<A, 3>, builder::Act<A, 3>), builder::BatchNorm2D<3>)>(7);
        net.set_mode(Mode::Train);
        let x = random::<Images, f64>(Default::default(), 8);
        check_gradients(&mut net, x.clone(), |net, x| net.forward(x));
        net.set_mode(Mode::Eval);
        check_gradients(&mut net, x, |net, x| net.forward(x));
    }
    check_one::<Relu>();
    check_one::<Pvlu>();
}

#[test]
fn a_relu_keeps_its_output_and_a_pvlu_does_not() {
    fn is_kept<A: Activation>() -> bool {
        let net = shaken::<(builder::Conv2D<3, 3, 1>, builder::Act<A, 3>)>(9);
        let (mut y, tape) = net.forward(random::<Images, f64>(Default::default(), 10).track()).split_tape();
        let kept = view::exclusive(&mut y).is_none();
        drop(tape);
        kept
    }
    assert!(is_kept::<Relu>());
    // With `safe-views` no buffer counts as exclusive.
    assert_eq!(is_kept::<Pvlu>(), cfg!(feature = "safe-views"));
}

#[test]
fn a_tensor_that_both_branches_hold_is_not_copied_to_find_out() {
    let fill = &mut |values: &mut [f64]| {
        values.fill(1.0);
        Ok(())
    };
    let mut x = Cpu::default().try_create(Images::default(), fill).unwrap();
    let other = x.clone();
    Cpu::note_shared(&x);
    assert!(Cpu::exclusive(&mut x).is_none());
    assert_eq!(address(&x), address(&other));
}
