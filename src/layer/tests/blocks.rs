//! Blocks of published networks, of this crate's layers alone.

use dfdx::nn::{Module, ModuleMut};
use dfdx::shapes::{Const, Rank4};

use super::*;
use crate::activation::{Activation, Param, Pvlu, Real, Swish};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};

/// `1 / (1 + exp(-x))`.
#[derive(Clone, Copy, Debug, Default)]
struct Sigmoid;

impl Activation for Sigmoid {
    const NAME: &'static str = "sigmoid";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x.sigmoid()
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        let y = x.sigmoid();
        (y * (R::of(1.0) - y), [])
    }
}

/// A layer of a DenseNet (Huang et al. 2017): batch norm, activation and convolution, whose `G` channels go behind the
/// `I` given ones.
type DenseLayer<const I: usize, const G: usize, const OUT: usize> =
    (Branches<(Identity, (BatchNorm2D<I>, Act<Pvlu, I>, Conv2D<I, G, 3, 1, 1, false>))>, Concat<OUT>);
type DenseBlock = (DenseLayer<2, 2, 4>, DenseLayer<4, 2, 6>, DenseLayer<6, 2, 8>);

/// Squeeze and excite (Hu et al. 2018), with a reduction of `C` channels to `R`.
type SqueezeExcite<const C: usize, const R: usize> = (Branches<(Identity, Gate<C, R>)>, Multiply);
type Gate<const C: usize, const R: usize> =
    (GlobalAvgPool2D, Linear<C, R>, Act<Swish, R>, Linear<R, C>, Act<Sigmoid, C>);

/// One level of a U-Net (Ronneberger et al. 2015) around what is below it: the channels of the skip connection before
/// those that come from below.
type Level<Below, const C: usize, const B: usize, const OUT: usize> = (
    (Conv2D<1, C, 3, 1, 1>, Act<Pvlu, C>),
    Branches<(Identity, (MaxPool2D<2, 2>, Below, Upsample2D<2>))>,
    Concat<OUT>,
    (Conv2D<OUT, 2, 3, 1, 1>, Act<Pvlu, 2>),
);
type UNet = Level<(Conv2D<2, 4, 3, 1, 1>, Act<Pvlu, 4>), 2, 4, 6>;

#[test]
fn a_dense_block_keeps_its_input_in_front_and_has_right_gradients() {
    let mut net = shaken::<DenseBlock>(1);
    let x = random::<Rank4<2, 2, 5, 3>, f64>(Default::default(), 2);
    let y: Tensor<Rank4<2, 8, 5, 3>, f64, Cpu> = net.forward(x.clone());
    let (x_values, y_values) = (x.as_vec(), y.as_vec());
    for image in 0..2 {
        assert_eq!(y_values[image * 120..][..30], x_values[image * 30..][..30]);
    }
    check_gradients(&mut net, x.clone(), |net, x| net.forward(x));
    net.set_mode(Mode::Train);
    check_gradients(&mut net, x, |net, x| net.forward(x));
}

#[test]
fn squeeze_and_excite_scales_each_channel_of_each_image_and_has_right_gradients() {
    let mut net = shaken::<SqueezeExcite<4, 2>>(3);
    let x = random::<Rank4<2, 4, 3, 5>, f64>(Default::default(), 4);
    let gates = (net.0.0.1).forward(x.clone()).as_vec();
    assert!(gates.iter().all(|gate| (0.0..=1.0).contains(gate)));
    let expected: Vec<f64> =
        x.as_vec().chunks(15).zip(gates).flat_map(|(plane, gate)| plane.iter().map(move |x| x * gate)).collect();
    assert_eq!(net.forward(x.clone()).as_vec(), expected);
    check_gradients(&mut net, x, |net, x| net.forward(x));
    check_gradients(&mut net, permuted::<2, 4, 3, 5>(5), |net, x| net.forward(x));
}

#[test]
fn a_level_of_a_u_net_keeps_the_size_and_has_right_gradients() {
    let mut net = shaken::<UNet>(6);
    let x = random::<Rank4<2, 1, 6, 4>, f64>(Default::default(), 7);
    let y: Tensor<Rank4<2, 2, 6, 4>, f64, Cpu> = net.forward(x.clone());
    let run_time = Cpu::default().try_tensor_from_vec(x.as_vec(), (2, Const::<1>, 6, 4)).unwrap();
    assert_eq!(net.forward(run_time).as_vec(), y.as_vec());
    check_gradients(&mut net, x, |net, x| net.forward(x));
    // Half of an odd size, twice, is smaller.
    let odd = net.try_forward(zeros((2, Const::<1>, 5, 4))).unwrap_err();
    assert_eq!(odd, Error::Shape { expected: 5, found: 4 });
}

#[test]
fn the_bits_of_the_blocks_do_not_depend_on_the_number_of_threads() {
    let gradients = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut net = shaken::<(UNet, DenseBlock, SqueezeExcite<8, 2>)>(8);
            net.set_mode(Mode::Train);
            let x = random::<Rank4<3, 1, 40, 40>, f64>(Default::default(), 9);
            let y = net.forward_mut(x.track());
            let values = y.as_vec();
            let mut gradients = try_backward(weigh(y, &noise(values.len(), 10))).unwrap();
            (values, gradients_of(&net, &mut gradients))
        })
    };
    let one = gradients(1);
    assert_eq!(one, gradients(2));
    assert_eq!(one, gradients(3));
}

#[test]
fn an_activation_is_swapped_and_weights_are_loaded_in_every_branch() {
    let net = shaken::<UNet>(11);
    let swapped = net.clone().swap_activation::<Swish>();
    assert_eq!(swapped.1.0.1.1.1.param("beta").unwrap().as_vec(), [1.0; 4]);
    let empty = try_build_unfilled::<UNet, f64, Cpu>(&Cpu::default()).unwrap();
    assert_eq!(named_parameters(&empty), named_parameters(&net));
}
