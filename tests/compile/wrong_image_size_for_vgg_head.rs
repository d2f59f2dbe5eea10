// The ImageNet head of VGG takes 7x7 feature maps, those of 224x224 images.
use dfdx::prelude::*;
use pvlu::activation::Relu;
use pvlu::layer::builder::{Act, Dropout, Flatten2D, Linear, MaxPool2D};

type Head = (Flatten2D<512, 7, 7, 25088>, (Linear<25088, 4096>, Act<Relu, 4096>, Dropout<50>));

fn main() {
    let dev = Cpu::default();
    let net = dev.build_module::<(MaxPool2D<2, 2>, Head), f32>();
    // What is left of a 192x192 image before the last pool.
    let features: Tensor<(usize, Const<512>, Const<12>, Const<12>), f32, _> = dev.zeros_like(&(1, Const, Const, Const));
    net.forward(features);
}
