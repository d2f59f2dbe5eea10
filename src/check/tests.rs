use dfdx::nn::{BuildOnDevice, Module};
use dfdx::shapes::{Rank2, Rank4};

use super::*;
use crate::activation::{Activation, Param, Pvlu, Real};
use crate::layer::builder::{Act, Conv2D, Linear};

/// The parameter's derivative is 1 % too large.
#[derive(Clone, Copy, Debug, Default)]
struct Wrong;

impl Activation for Wrong {
    const NAME: &'static str = "wrong";
    type Params<T: Copy> = [T; 1];
    const PARAMS: [Param; 1] = [Param::trained("a", 0.7)];

    #[inline(always)]
    fn value<R: Real>(x: R, [a]: [R; 1]) -> R {
        a * x * x
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [a]: [R; 1]) -> (R, [R; 1]) {
        (R::of(2.0) * a * x, [R::of(1.01) * x * x])
    }
}

fn built<M: BuildOnDevice<Cpu, f64>>() -> M::Built {
    M::build_on_device(&Cpu::seed_from_u64(3))
}

fn input<S: Shape + Default>() -> Tensor<S, f64, Cpu> {
    let shape = S::default();
    Cpu::default().tensor_from_vec(grad_output(shape.num_elements()), shape)
}

#[test]
fn a_wrong_derivative_is_found_with_its_path_and_size() {
    let mut net = built::<(Conv2D<2, 3, 3, 1, 1>, (Act<Pvlu, 3>, Act<Wrong, 3>))>();
    let before = [net.0.weight.as_vec(), net.1.0.alpha().as_vec(), net.1.1.param("a").unwrap().as_vec()];
    let worst = gradient_check(&mut net, &input::<Rank4<2, 2, 3, 3>>()).unwrap();
    assert_eq!(worst.path, "1.1.a");
    assert!((worst.error - 0.01).abs() < 1e-6, "{worst}");
    for (backward, difference) in worst.backward.iter().zip(&worst.differences) {
        assert!((backward - 1.01 * difference).abs() < 1e-6, "{backward} {difference}");
    }
    let after = [net.0.weight.as_vec(), net.1.0.alpha().as_vec(), net.1.1.param("a").unwrap().as_vec()];
    assert_eq!(before, after, "every element is put back");

    net.1.1.frozen = true;
    let worst = gradient_check(&mut net, &input::<Rank4<2, 2, 3, 3>>()).unwrap();
    assert!(worst.error < 1e-6, "a frozen parameter has no derivative: {worst}");
}

#[test]
fn a_wrong_gradient_of_the_input_is_found() {
    let right = gradient_check(&mut built::<Linear<3, 2>>(), &input::<Rank2<4, 3>>()).unwrap();
    assert!(right.error < 1e-6, "{right}");
    // y = 2 x, whose backward pass hands the gradient of y on as it is.
    let half = gradient_check_of(&mut (), &input::<Rank2<4, 3>>(), |(), x| {
        let (x, mut tape) = x.split_tape();
        let doubled = x.as_vec().iter().map(|x| 2.0 * x).collect();
        let y = x.device().try_tensor_from_vec(doubled, *x.shape())?;
        let (from, to) = (Place::of(&y), Place::of(&x));
        tape.record(&[], move |flow| {
            let gradient = from.take(flow)?;
            to.hand_over(flow, gradient)
        });
        Ok(y.put_tape(tape))
    })
    .unwrap();
    assert_eq!(half.path, "input");
    assert!((half.error - 0.5).abs() < 1e-6, "{half}");
}

#[test]
fn a_parameter_that_the_output_does_not_depend_on_is_an_error() {
    let mut net = built::<(Linear<3, 3>, Linear<3, 2>)>();
    let found = gradient_check_of(&mut net, &input::<Rank2<4, 3>>(), |net, x| net.1.try_forward(x));
    assert_eq!(found.unwrap_err(), Error::MissingGradient { path: "0.weight".to_owned() });
}

#[test]
fn a_gradient_of_a_frozen_parameter_is_infinitely_wrong() {
    let mut net = built::<Linear<3, 2>>();
    net.frozen = true;
    let thawed = |net: &crate::layer::Linear<3, 2, f64, Cpu>, x| {
        let mut net = net.clone();
        net.frozen = false;
        net.try_forward(x)
    };
    let worst = gradient_check_of(&mut net, &input::<Rank2<4, 3>>(), thawed).unwrap();
    assert_eq!((worst.path.as_str(), worst.error), ("weight", f64::INFINITY));
}

#[test]
fn what_is_no_number_is_infinitely_wrong() {
    assert_eq!(distance(&[f64::NAN], &[1.0]), f64::INFINITY);
    assert_eq!(distance(&[1.0], &[f64::NAN]), f64::INFINITY);
    assert_eq!(distance(&[3.0, 0.0], &[2.0, 0.0]), 0.5);
    assert_eq!(distance(&[], &[]), 0.0);
}
