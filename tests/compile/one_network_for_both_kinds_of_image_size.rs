//! Image sizes that the compiler knows and sizes known at run time go through the same layers.

use dfdx::prelude::*;
use pvlu::Error;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, Conv2D, Flatten2D, Linear, MaxPool2D};

type Net = (Conv2D<3, 4, 3, 1, 1>, Act<Pvlu, 4>, MaxPool2D<2, 2>, Flatten2D<4, 4, 4, 64>, Linear<64, 10>);

fn main() {
    let dev = Cpu::seed_from_u64(0);
    let net = dev.build_module::<Net, f32>();

    let known: Tensor<(usize, Const<3>, Const<8>, Const<8>), f32, _> = dev.ones_like(&(2, Const, Const, Const));
    let asked: Tensor<(usize, Const<3>, usize, usize), f32, _> = dev.ones_like(&(2, Const, 8, 8));
    assert_eq!(net.forward(known).as_vec(), net.forward(asked).as_vec());

    // A size known at run time is checked at run time.
    let other: Tensor<(usize, Const<3>, usize, usize), f32, _> = dev.ones_like(&(2, Const, 8, 10));
    assert_eq!(net.try_forward(other).unwrap_err(), Error::Shape { expected: 4, found: 5 });
}
