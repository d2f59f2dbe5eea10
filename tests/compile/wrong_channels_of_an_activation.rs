//! The convolution makes 8 channels, the activation has parameters for 16.

use dfdx::prelude::*;
use pvlu::activation::Pvlu;
use pvlu::layer::builder::{Act, Conv2D};

type Net = (Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 16>);

fn main() {
    let dev = Cpu::default();
    let net = dev.build_module::<Net, f32>();
    let images: Tensor<(usize, Const<3>, usize, usize), f32, _> = dev.zeros_like(&(2, Const, 32, 32));
    net.forward(images);
}
