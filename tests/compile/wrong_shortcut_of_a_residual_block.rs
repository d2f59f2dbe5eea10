use dfdx::prelude::*;
use pvlu::layer::builder::{Conv2D, ProjectedResidual};

fn main() {
    let dev = Cpu::default();
    // The main branch gives 32 channels, the shortcut 16.
    let net = dev.build_module::<ProjectedResidual<Conv2D<8, 32, 3, 1, 1>, Conv2D<8, 16, 1>>, f32>();
    let image: Tensor<(usize, Const<8>, Const<32>, Const<32>), f32, _> = dev.zeros_like(&(1, Const, Const, Const));
    net.forward(image);
}
