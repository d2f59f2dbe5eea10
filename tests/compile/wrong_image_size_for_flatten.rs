//! Flattens images of 4x4 and gets images of 5x5.

use dfdx::prelude::*;
use pvlu::layer::Flatten2D;

fn main() {
    let images: Tensor<(usize, Const<8>, Const<5>, Const<5>), f32, Cpu> =
        Cpu::default().zeros_like(&(2, Const, Const, Const));
    Flatten2D::<8, 4, 4, 128>.forward(images);
}
