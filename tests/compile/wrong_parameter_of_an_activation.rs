//! ReLU has no alpha.

use dfdx::prelude::*;
use pvlu::activation::Relu;
use pvlu::layer::Act;

fn main() {
    let layer: Act<Relu, 8, f32, Cpu> = BuildModule::build(&Cpu::default());
    layer.alpha();
}
