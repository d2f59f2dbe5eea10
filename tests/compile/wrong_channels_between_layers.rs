//! The second convolution takes 16 channels, the first one makes 8.

use dfdx::prelude::*;
use pvlu::layer::builder::Conv2D;

type Net = (Conv2D<3, 8, 3, 1, 1>, Conv2D<16, 8, 3, 1, 1>);

fn main() {
    let dev = Cpu::default();
    let net = dev.build_module::<Net, f32>();
    let images: Tensor<(usize, Const<3>, Const<32>, Const<32>), f32, _> = dev.zeros_like(&(2, Const, Const, Const));
    net.forward(images);
}
