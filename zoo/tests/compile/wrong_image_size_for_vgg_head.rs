// The ImageNet head of VGG takes 7x7 feature maps, those of 224x224 images.
use dfdx::prelude::*;
use pvlu::activation::Relu;
use pvlu_zoo::vgg::Head;

fn main() {
    let dev = Cpu::default();
    let head = dev.build_module::<Head<Relu, 10>, f32>();
    // What the trunk makes of a 192x192 image.
    let features: Tensor<(usize, Const<512>, Const<6>, Const<6>), f32, _> = dev.zeros_like(&(1, Const, Const, Const));
    head.forward(features);
}
