//! A module of dfdx's has another error than these layers; `FromDfdx` gives it theirs.

use dfdx::prelude::*;
use pvlu::prelude::*;

fn main() {
    let dev = Cpu::default();
    let features: Tensor<Rank2<2, 4>, f32, _> = dev.zeros();
    dev.build_module::<(nn::Linear<4, 4>, nn::FromDfdx<Tanh>), f32>().forward(features.clone());
    dev.build_module::<(nn::Linear<4, 4>, Tanh), f32>().forward(features.clone());
    dev.build_module::<Residual<nn::Linear<4, 4>>, f32>().forward(features);
}
