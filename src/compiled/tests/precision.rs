//! Reduced precisions of the factors, in networks and in what is compiled of them.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module};
use dfdx::shapes::{Const, ConstShape, Rank2, Rank4, Shape};
use dfdx::tensor::{Cpu, SampleTensor, Tensor, TensorFromVec, ZerosTensor};
use dfdx::tensor_ops::SumTo;

use super::{Shake, built, noise, same_bits};
use crate::activation::{Pvlu, Relu};
use crate::compiled::Compile;
use crate::error::Error;
use crate::kernel::cpu::reduced;
use crate::kernel::cpu::testing::{relative_l2, same_everywhere, wide};
use crate::kernel::precision::Precision::{self, Bf16, Bf16x3, F32};
use crate::kernel::shape::ConvShape;
use crate::kernel::view;
use crate::kernel::write::Write;
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Flatten2D, Linear, LinearTo};
use crate::layer::{
    Extent, Graph, MaxPool2D, NormedConv2D, Path, ProjectedResidual, Residual, Switch, Visit, set_outputs,
};
use crate::loss::try_cross_entropy;
use crate::tape::{TrackExt, try_backward};

type Main = (Conv2D<40, 40, 3, 1, 1>, Act<Relu, 40>, Conv2D<40, 40, 1, 1>);
type Wide = ProjectedResidual<Conv2D<40, 50, 3, 2, 1>, Conv2D<40, 50, 1, 2, 0>>;
/// Nothing in it is summed in another order when it is compiled.
type Net = (
    (Conv2D<3, 40, 7, 2, 3>, Act<Pvlu, 40>, MaxPool2D<2, 2>),
    (Residual<Main>, Act<Pvlu, 40>, Wide),
    (Conv2D<50, 17, 5, 1, 2>, Flatten2D<17, 2, 2, 68>, Linear<68, 33>),
);

fn run(
    net: &impl Module<Images, Output = Tensor<(usize, Const<33>), f32, Cpu>, Error = Error>,
    images: &Images,
) -> Vec<f32> {
    view::read(&net.try_forward(images.clone()).unwrap()).into_owned()
}

type Images = Tensor<(usize, Const<3>, Const<14>, Const<13>), f32, Cpu>;

fn images(batch: usize) -> Images {
    let shape: (usize, Const<3>, Const<14>, Const<13>) = (batch, Const, Const, Const);
    Cpu::default().try_tensor_from_vec(noise(shape.num_elements()), shape).unwrap()
}

#[test]
fn a_compiled_network_has_the_bits_of_the_network() {
    let mut net = built::<Net>();
    let full = run(&net, &images(3));
    for (precision, least, most) in [(Bf16, 1e-3, 2e-2), (Bf16x3, 3e-7, 1e-4)] {
        net.set_precision(precision);
        let compiled = net.compile(Extent::image(3, 14, 13));
        for batch in [0, 1, 3] {
            let images = images(batch);
            let expected = run(&net, &images);
            let found = same_everywhere((precision, batch), || {
                compiled.try_run(&view::read(&images)).unwrap()[0].iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            });
            let found: Vec<f32> = found.into_iter().map(f32::from_bits).collect();
            assert!(same_bits(&found, &expected), "{precision}, {batch}");
        }
        let error = relative_l2(&run(&net, &images(3)), &wide(&full));
        assert!((least..most).contains(&error), "{precision}: {error:e}");
    }
    net.set_precision(F32);
    assert!(same_bits(&run(&net, &images(3)), &full));
}

#[test]
fn norms_are_folded_before_the_weight_is_rounded() {
    type Normed = (NormedConv2D<Conv2D<3, 20, 3, 1, 1>, BatchNorm2D<20>>, Act<Pvlu, 20>, Conv2D<20, 8, 1, 1>);
    let mut net = built::<Normed>();
    net.set_precision(Bf16x3);
    let images: Tensor<Rank4<2, 3, 9, 8>, f32, Cpu> = Cpu::seed_from_u64(1).sample_normal();
    let found = view::read(&net.compile(Extent::image(3, 9, 8)).forward(images.clone())).into_owned();
    net.set_precision(F32);
    let error = relative_l2(&found, &wide(&view::read(&net.forward(images))));
    assert!((1e-7..2e-5).contains(&error), "{error:e}");
}

#[test]
fn every_product_of_a_network_is_switched_and_describes_itself_so() {
    fn precisions(net: &impl Visit<f32, Cpu>) -> Vec<Precision> {
        Graph::of(net, Extent::image(3, 14, 13)).unwrap().nodes.into_iter().map(|node| node.precision).collect()
    }
    type Head = (Flatten2D<40, 3, 3, 360>, LinearTo<360>);
    let mut net = built::<((Conv2D<3, 40, 7, 2, 3>, Act<Pvlu, 40>, MaxPool2D<2, 2>), Head)>();
    set_outputs::<f32, Cpu>(&mut net, 5).unwrap();
    assert_eq!(precisions(&net), [F32; 5]);
    net.set_precision(Bf16);
    assert_eq!(precisions(&net), [Bf16, F32, F32, F32, Bf16]);
    // States that a clone or another device takes over have it.
    let mut states = Vec::new();
    net.each_switch(|switches| states.push(switches.state()));
    let mut other = built::<((Conv2D<3, 40, 7, 2, 3>, Act<Pvlu, 40>, MaxPool2D<2, 2>), Head)>();
    set_outputs::<f32, Cpu>(&mut other, 5).unwrap();
    let mut states = states.into_iter();
    other.each_switch(|switches| switches.set(states.next().unwrap()));
    assert_eq!(precisions(&other), precisions(&net));
}

/// Gradients of all parameters, one after another.
fn gradients(precision: Precision) -> Vec<f32> {
    let mut net = built::<Net>();
    net.set_precision(precision);
    let logits = net.try_forward(images(3).track()).unwrap();
    let mut gradients = try_backward(try_cross_entropy(logits, &[3, 30, 0]).unwrap()).unwrap();
    let mut all = Vec::new();
    all.extend_from_slice(gradients.get_mut(&net.0.0.weight).unwrap().unwrap());
    all.extend_from_slice(gradients.get_mut(net.0.0.bias.as_ref().unwrap()).unwrap().unwrap());
    all.extend_from_slice(gradients.get_mut(&net.1.2.shortcut.weight).unwrap().unwrap());
    all.extend_from_slice(gradients.get_mut(&net.2.2.weight).unwrap().unwrap());
    all
}

#[test]
fn gradients_are_those_of_f32_but_for_the_rounding_of_factors() {
    let full = wide(&gradients(F32));
    for (precision, least, most) in [(Bf16, 1e-3, 2e-1), (Bf16x3, 5e-7, 1e-3)] {
        let found = same_everywhere(precision, || gradients(precision).iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        let found: Vec<f32> = found.into_iter().map(f32::from_bits).collect();
        let error = relative_l2(&found, &full);
        assert!((least..most).contains(&error), "{precision}: {error:e}");
    }
}

/// The kernels that a layer's products and gradients are those of, to the bit.
#[test]
fn layers_compute_both_gradients_in_their_precision() {
    fn check<L>(mut layer: L, x: Tensor<L::Shape, f32, Cpu>, shape: ConvShape)
    where
        L: Given,
    {
        let [weight, _] = layer.parameters();
        for precision in [Bf16x3, Bf16] {
            layer.set_precision(precision);
            let (y, gradients) = layer.gradients(x.clone());
            let [grad_x, grad_weight] = gradients;
            let values = view::read(&x).into_owned();
            let ones = vec![1.0; y.len()];
            let [mut expected_x, mut expected_weight] = [vec![0.0; values.len()], vec![0.0; weight.len()]];
            reduced::backward_input(precision, &shape, &weight, &ones, &mut expected_x, Write::Replace);
            reduced::backward_weight(precision, &shape, &values, &ones, &mut expected_weight);
            let [_, bias] = layer.parameters();
            let mut expected = vec![0.0; y.len()];
            reduced::forward(precision, &shape, &values, &weight, Some(&bias), &mut expected);
            assert!(same_bits(&y, &expected), "{precision}: y");
            assert!(same_bits(&grad_x, &expected_x), "{precision}: grad_x");
            assert!(same_bits(&grad_weight, &expected_weight), "{precision}: grad_weight");
        }
    }
    let dev = Cpu::seed_from_u64(3);
    let window = ConvShape {
        batch: 2,
        in_channels: 5,
        in_height: 6,
        in_width: 7,
        out_channels: 4,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    check(built::<Conv2D<5, 4, 3, 2, 1>>(), dev.sample_normal::<Rank4<2, 5, 6, 7>>(), window);
    check(built::<Linear<40, 7>>(), dev.sample_normal::<Rank2<3, 40>>(), ConvShape::of_linear([3, 40, 7]));
    let mut head = built::<LinearTo<40>>();
    set_outputs::<f32, Cpu>(&mut head, 7).unwrap();
    head.visit_mut(&mut Path::root(), &mut Shake(5)).unwrap();
    check(head, dev.sample_normal::<Rank2<3, 40>>(), ConvShape::of_linear([3, 40, 7]));
}

/// A layer with a weight and a bias, run on tensors of one shape.
trait Given: Visit<f32, Cpu> {
    type Shape: Shape;

    /// The weight, then the bias.
    fn parameters(&self) -> [Vec<f32>; 2];
    /// The output, and the gradients of the input and the weight where that of each output is 1.
    fn gradients(&self, x: Tensor<Self::Shape, f32, Cpu>) -> (Vec<f32>, [Vec<f32>; 2]);
}

macro_rules! given {
    ($layer:ty, $shape:ty, |$this:ident| $weight:expr, $bias:expr) => {
        impl Given for $layer {
            type Shape = $shape;

            fn parameters(&self) -> [Vec<f32>; 2] {
                let $this = self;
                [$weight.as_vec(), $bias.as_vec()]
            }
            fn gradients(&self, x: Tensor<$shape, f32, Cpu>) -> (Vec<f32>, [Vec<f32>; 2]) {
                let $this = self;
                let y = self.try_forward(x.clone().track_input()).unwrap();
                let values = view::read(&y).into_owned();
                let mut gradients = try_backward(y.try_sum().unwrap()).unwrap();
                let grad_x = gradients.get_mut(&x).unwrap().unwrap().to_vec();
                (values, [grad_x, gradients.get_mut($weight).unwrap().unwrap().to_vec()])
            }
        }
    };
}
given!(<Conv2D<5, 4, 3, 2, 1> as BuildOnDevice<Cpu, f32>>::Built, Rank4<2, 5, 6, 7>, |layer| &layer.weight,
    layer.bias.as_ref().unwrap());
given!(<Linear<40, 7> as BuildOnDevice<Cpu, f32>>::Built, Rank2<3, 40>, |layer| &layer.weight, &layer.bias);
given!(<LinearTo<40> as BuildOnDevice<Cpu, f32>>::Built, Rank2<3, 40>, |layer| layer.weight().unwrap(),
    layer.bias().unwrap());

#[test]
fn other_element_types_have_no_reduced_precision() {
    fn refused<M: BuildOnDevice<Cpu, f64>, S: ConstShape>() -> Error
    where
        M::Built: Visit<f64, Cpu> + Module<Tensor<S, f64, Cpu>, Error = Error>,
    {
        let dev = Cpu::default();
        let mut net = dev.build_module::<M, f64>();
        net.set_precision(Bf16);
        net.try_forward(dev.zeros::<S>()).err().unwrap()
    }
    let error = Error::NoPrecision { precision: Bf16 };
    assert_eq!(refused::<Conv2D<3, 4, 3>, Rank4<1, 3, 5, 5>>(), error);
    assert_eq!(refused::<Linear<6, 2>, Rank2<3, 6>>(), error);
    assert_eq!(error.to_string(), "no products in bf16 here: reduced precisions are there for f32 on the CPU");
}
