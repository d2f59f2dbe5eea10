//! Every layer on the device against the same layer on the CPU: output, gradients, statistics.
//!
//! A layer is applied twice to one input, so that every gradient has a first contribution and one that is added to it.
//! Sizes are above a block of threads and no multiple of it, and odd; tolerances are relative. What copies elements, or
//! adds and multiplies them in the order of the CPU, gives the same bits.

mod pair;
#[path = "../support/mod.rs"]
mod support;

use dfdx::shapes::Const;
use pvlu::activation::{
    Elu, Gelu, GeluTanh, LeakyRelu, Mish, PRelu, Pvlu, Relu, SinLu, SineRelu, Snake, Softplus, Swish, SwishBeta, Tanh,
    Vlu,
};
use pvlu::layer::builder::{
    Act, Add, AvgPool2D, BatchNorm2D, Branches, Concat, Conv2D, Dropout, Flatten2D, GlobalAvgPool2D, Identity, Linear,
    MaxPool2D, Multiply, NormedConv2D, ProjectedResidual, Residual, SubsamplePad2D, Upsample2D, ZeroPaddedMaxPool2D,
};
use pvlu::layer::{Keras, Switches};

use pair::{Agreement, Images, check_cross_entropy, check_with};

/// Nothing is changed of a layer as built.
fn as_built(_: Switches<'_>) {}

/// Everything that can be frozen is.
fn frozen(switches: Switches<'_>) {
    match switches {
        Switches::Weights { frozen, .. } | Switches::Activation { frozen, .. } => *frozen = true,
        Switches::BatchNorm(norm) => (norm.affine_frozen, norm.statistics_frozen) = (true, true),
        _ => {}
    }
}

/// Weights are frozen, biases are not; statistics are, scale and shift are not.
fn half_frozen(switches: Switches<'_>) {
    match switches {
        Switches::Weights { frozen, bias_trained, .. } => {
            *frozen = true;
            if let Some(trained) = bias_trained {
                *trained = true;
            }
        }
        Switches::BatchNorm(norm) => norm.statistics_frozen = true,
        _ => {}
    }
}

/// A factor for each channel of an image. Its gradient shows in that of the bias.
type Gate<const C: usize> = (GlobalAvgPool2D, Linear<C, C>);

/// Checks layers on images of several sizes.
macro_rules! images {
    ($($name:ident: $channels:literal, $layer:ty, $switch:ident;)*) => {$(
        #[test]
        fn $name() {
            // Elements one by one, and in vectors (a multiple of four a plane); narrow channels, of one and of several
            // slices of rows; wide ones of several slices.
            let shapes: [Images<$channels>; 5] =
                [(3, Const, 7, 5), (1, Const, 3, 3), (70, Const, 3, 3), (14, Const, 33, 19), (13, Const, 34, 20)];
            for shape in shapes {
                check_with::<f32, $layer, _, _>(shape, $switch, Agreement::Rounded);
                check_with::<f64, $layer, _, _>(shape, $switch, Agreement::Rounded);
            }
        }
    )*};
}
images! {
    relu: 5, Act<Relu, 5>, as_built;
    leaky_relu: 5, Act<LeakyRelu, 5>, as_built;
    elu: 5, Act<Elu, 5>, as_built;
    prelu: 5, Act<PRelu, 5>, as_built;
    sine_relu: 5, Act<SineRelu, 5>, as_built;
    swish: 5, Act<Swish, 5>, as_built;
    swish_with_a_trained_beta: 5, Act<SwishBeta, 5>, as_built;
    gelu: 5, Act<Gelu, 5>, as_built;
    gelu_tanh: 5, Act<GeluTanh, 5>, as_built;
    mish: 5, Act<Mish, 5>, as_built;
    softplus: 5, Act<Softplus, 5>, as_built;
    tanh: 5, Act<Tanh, 5>, as_built;
    snake: 5, Act<Snake, 5>, as_built;
    sinlu: 5, Act<SinLu, 5>, as_built;
    vlu: 5, Act<Vlu, 5>, as_built;
    pvlu: 5, Act<Pvlu, 5>, as_built;
    pvlu_frozen: 5, Act<Pvlu, 5>, frozen;
    convolution_of_three_by_three: 5, Conv2D<5, 7, 3, 1, 1>, as_built;
    convolution_half_frozen: 5, Conv2D<5, 7, 3, 1, 1>, half_frozen;
    convolution_frozen: 5, Conv2D<5, 7, 3, 1, 1>, frozen;
    convolution_of_one_pixel: 5, Conv2D<5, 4, 1, 1, 0, false>, as_built;
    convolution_of_one_pixel_with_stride: 5, Conv2D<5, 4, 1, 2, 0, false>, as_built;
    convolution_with_stride: 5, Conv2D<5, 6, 3, 2, 1>, as_built;
    convolution_of_seven_by_seven: 3, Conv2D<3, 4, 7, 2, 3>, as_built;
    convolution_without_padding: 1, Conv2D<1, 1, 3>, as_built;
    batch_norm: 5, BatchNorm2D<5>, as_built;
    batch_norm_of_keras: 5, BatchNorm2D<5, Keras>, as_built;
    batch_norm_by_running_statistics: 5, BatchNorm2D<5>, half_frozen;
    batch_norm_frozen: 5, BatchNorm2D<5>, frozen;
    // Statistics of the batch take a bias away: its gradient is zero, and rounding alone.
    normed_convolution: 5, NormedConv2D<Conv2D<5, 6, 3, 1, 1, false>, BatchNorm2D<6>>, as_built;
    normed_convolution_frozen: 5, NormedConv2D<Conv2D<5, 6, 3, 2, 1>, BatchNorm2D<6>>, frozen;
    max_pool: 5, MaxPool2D<3, 2, 1>, as_built;
    max_pool_of_two_by_two: 5, MaxPool2D<2, 2>, as_built;
    max_pool_of_one_pixel: 5, MaxPool2D<1, 2>, as_built;
    max_pool_padded_with_zeros: 5, ZeroPaddedMaxPool2D<3, 2, 1>, as_built;
    average_pool: 5, AvgPool2D<3, 2, 1>, as_built;
    global_pool: 5, GlobalAvgPool2D, as_built;
    subsample: 4, SubsamplePad2D<4, 10, 2>, as_built;
    dropout: 5, Dropout<30>, as_built;
    residual: 5, Residual<Conv2D<5, 5, 3, 1, 1>>, as_built;
    projected_residual: 5, ProjectedResidual<Conv2D<5, 6, 3, 1, 1>, Conv2D<5, 6, 1>>, as_built;
    gate: 5, (Branches<(Identity, Gate<5>)>, Multiply), as_built;
    gate_of_one_channel: 1, (Branches<(Identity, Gate<1>)>, Multiply), as_built;
    a_few_layers: 5, (Conv2D<5, 6, 3, 1, 1, false>, BatchNorm2D<6>, Act<Pvlu, 6>, AvgPool2D<2, 1>), as_built;
}

/// Checks layers that give the same bits as on the CPU, on images of several sizes.
macro_rules! exact_images {
    ($($name:ident: $channels:literal, $layer:ty;)*) => {$(
        #[test]
        fn $name() {
            let shapes: [Images<$channels>; 5] =
                [(1, Const, 1, 1), (1, Const, 5, 3), (3, Const, 7, 5), (1, Const, 33, 19), (2, Const, 34, 20)];
            for shape in shapes {
                check_with::<f32, $layer, _, _>(shape, as_built, Agreement::Exact);
                check_with::<f64, $layer, _, _>(shape, as_built, Agreement::Exact);
            }
        }
    )*};
}
// Of several branches that give gradients to one input, all but one add them.
exact_images! {
    sum_of_two: 5, (Branches<(Identity, Act<Relu, 5>)>, Add);
    sum_of_three: 5, (Branches<(Act<Relu, 5>, Identity, MaxPool2D<1, 1>)>, Add);
    sum_of_one_channel: 1, (Branches<(Act<Relu, 1>, Identity)>, Add);
    product_of_two: 5, (Branches<(Identity, Act<Relu, 5>)>, Multiply);
    product_of_a_tensor_and_itself: 5, (Branches<(Identity, Identity)>, Multiply);
    product_of_three: 5, (Branches<(Act<Relu, 5>, Identity, MaxPool2D<1, 1>)>, Multiply);
    product_of_one_channel: 1, (Branches<(Identity, Act<Relu, 1>)>, Multiply);
    concatenation_of_two: 5, (Branches<(Act<Relu, 5>, Identity)>, Concat<10>);
    concatenation_of_three: 4, (Branches<(Identity, SubsamplePad2D<4, 10, 1>, Act<Relu, 4>)>, Concat<18>);
    concatenation_of_one_channel: 1, (Branches<(Identity, Act<Relu, 1>)>, Concat<2>);
    upsample_by_one: 5, Upsample2D<1>;
    upsample_by_two: 5, Upsample2D<2>;
    upsample_by_three: 5, Upsample2D<3>;
    // One number in seven does not come back from a division by 25; all do from one by 4 or 9.
    upsample_by_five: 3, Upsample2D<5>;
    upsample_of_one_channel: 1, Upsample2D<3>;
    subsample_by_two: 4, SubsamplePad2D<4, 10, 2>;
    subsample_by_three: 4, SubsamplePad2D<4, 4, 3>;
    subsample_of_one_channel: 1, SubsamplePad2D<1, 3, 2>;
}

/// Checks layers on features.
macro_rules! features {
    ($agreement:ident: $($name:ident: $features:literal, $layer:ty;)*) => {$(
        #[test]
        fn $name() {
            for rows in [1, 3, 70] {
                check_with::<f32, $layer, _, _>((rows, Const::<$features>), as_built, Agreement::$agreement);
                check_with::<f64, $layer, _, _>((rows, Const::<$features>), as_built, Agreement::$agreement);
            }
        }
    )*};
}
features! {
    Rounded:
    linear: 35, Linear<35, 13>;
    linear_of_one: 1, Linear<1, 1>;
    pvlu_of_features: 37, Act<Pvlu, 37>;
    relu_of_one_feature: 1, Act<Relu, 1>;
    dropout_of_features: 129, Dropout<50>;
}
features! {
    Exact:
    sum_of_features: 37, (Branches<(Identity, Act<Relu, 37>)>, Add);
    product_of_features: 37, (Branches<(Identity, Act<Relu, 37>)>, Multiply);
    product_of_one_feature: 1, (Branches<(Identity, Act<Relu, 1>)>, Multiply);
    concatenation_of_features: 37, (Branches<(Act<Relu, 37>, Identity)>, Concat<74>);
}

#[test]
fn flatten() {
    let shape = (4, Const::<3>, Const::<5>, Const::<7>);
    check_with::<f32, Flatten2D<3, 5, 7, 105>, _, _>(shape, as_built, Agreement::Rounded);
}

#[test]
fn gate_of_one_pixel() {
    let shape = (70, Const::<5>, 3, 3);
    check_with::<f32, (Branches<(Identity, AvgPool2D<3, 1>)>, Multiply), _, _>(shape, as_built, Agreement::Rounded);
    check_with::<f64, (Branches<(Identity, AvgPool2D<3, 1>)>, Multiply), _, _>(shape, as_built, Agreement::Rounded);
}

/// A plane of more elements than one block of threads sums.
#[test]
fn gate_of_large_planes() {
    for (height, width) in [(91, 97), (92, 96)] {
        let shape = (2, Const::<2>, height, width);
        check_with::<f32, (Branches<(Identity, Gate<2>)>, Multiply), _, _>(shape, as_built, Agreement::Rounded);
        check_with::<f64, (Branches<(Identity, Gate<2>)>, Multiply), _, _>(shape, as_built, Agreement::Rounded);
    }
}

#[test]
fn the_results_are_the_same_in_whatever_order_threads_run() {
    use Agreement::Rounded;
    for order in pvlu_cuda_host::Order::SOME {
        pvlu_cuda_host::set_order(order);
        check_with::<f32, (BatchNorm2D<5>, Act<Pvlu, 5>), _, _>((3, Const::<5>, 33, 19), as_built, Rounded);
        check_with::<f64, (Conv2D<5, 4, 3, 2, 1>, MaxPool2D<3, 2, 1>), _, _>((3, Const::<5>, 9, 11), as_built, Rounded);
        check_with::<f32, (GlobalAvgPool2D, Linear<5, 300>), _, _>((70, Const::<5>, 9, 11), as_built, Rounded);
        check_with::<f32, (Branches<(Identity, Gate<5>)>, Multiply), _, _>((3, Const::<5>, 33, 19), as_built, Rounded);
        check_with::<f32, Upsample2D<3>, _, _>((3, Const::<5>, 9, 11), as_built, Agreement::Exact);
        check_cross_entropy::<f32, 1000>(5);
    }
    pvlu_cuda_host::set_order(pvlu_cuda_host::Order::Forward);
}

#[test]
fn cross_entropy() {
    check_cross_entropy::<f32, 3>(1);
    check_cross_entropy::<f64, 10>(70);
    check_cross_entropy::<f32, 1000>(5);
    check_cross_entropy::<f64, 1>(2);
}
