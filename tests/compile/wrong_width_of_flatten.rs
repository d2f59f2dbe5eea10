//! 8 channels of 4x4 are 128 features, not 100.

use dfdx::prelude::*;
use pvlu::layer::Flatten2D;

fn main() {
    let images: Tensor<(usize, Const<8>, Const<4>, Const<4>), f32, Cpu> =
        Cpu::default().zeros_like(&(2, Const, Const, Const));
    Flatten2D::<8, 4, 4, 100>.forward(images);
}
