//! A window of 3x3 over images of 2x2.

use dfdx::prelude::*;
use pvlu::layer::MaxPool2D;

fn main() {
    let images: Tensor<(usize, Const<8>, Const<2>, Const<2>), f32, Cpu> =
        Cpu::default().zeros_like(&(2, Const, Const, Const));
    MaxPool2D::<3, 2>.forward(images);
}
