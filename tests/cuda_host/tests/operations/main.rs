//! Every layer on the device against the same layer on the CPU: output, gradients, statistics.
//!
//! A layer is applied twice to one input, so that every gradient has a first contribution and one that is added to it.
//! Sizes are above a block of threads and no multiple of it, and odd; tolerances are relative.

mod pair;
#[path = "../support/mod.rs"]
mod support;

use dfdx::shapes::Const;
use pvlu::activation::{
    Elu, Gelu, GeluTanh, LeakyRelu, Mish, PRelu, Pvlu, Relu, SinLu, SineRelu, Snake, Softplus, Swish, SwishBeta, Tanh,
    Vlu,
};
use pvlu::layer::builder::{
    Act, AvgPool2D, BatchNorm2D, Conv2D, Dropout, Flatten2D, GlobalAvgPool2D, Linear, MaxPool2D, NormedConv2D,
    ProjectedResidual, Residual, SubsamplePad2D, ZeroPaddedMaxPool2D,
};
use pvlu::layer::{Keras, Switches};

use pair::{Images, check_cross_entropy, check_with};

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
                check_with::<f32, $layer, _, _>(shape, $switch);
                check_with::<f64, $layer, _, _>(shape, $switch);
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
    a_few_layers: 5, (Conv2D<5, 6, 3, 1, 1, false>, BatchNorm2D<6>, Act<Pvlu, 6>, AvgPool2D<2, 1>), as_built;
}

/// Checks layers on features.
macro_rules! features {
    ($($name:ident: $features:literal, $layer:ty;)*) => {$(
        #[test]
        fn $name() {
            for rows in [1, 3, 70] {
                check_with::<f32, $layer, _, _>((rows, Const::<$features>), as_built);
                check_with::<f64, $layer, _, _>((rows, Const::<$features>), as_built);
            }
        }
    )*};
}
features! {
    linear: 35, Linear<35, 13>;
    linear_of_one: 1, Linear<1, 1>;
    pvlu_of_features: 37, Act<Pvlu, 37>;
    relu_of_one_feature: 1, Act<Relu, 1>;
    dropout_of_features: 129, Dropout<50>;
}

#[test]
fn flatten() {
    check_with::<f32, Flatten2D<3, 5, 7, 105>, _, _>((4, Const::<3>, Const::<5>, Const::<7>), as_built);
}

#[test]
fn the_results_are_the_same_in_whatever_order_threads_run() {
    for order in pvlu_cuda_host::Order::SOME {
        pvlu_cuda_host::set_order(order);
        check_with::<f32, (BatchNorm2D<5>, Act<Pvlu, 5>), _, _>((3, Const::<5>, 33, 19), as_built);
        check_with::<f64, (Conv2D<5, 4, 3, 2, 1>, MaxPool2D<3, 2, 1>), _, _>((3, Const::<5>, 9, 11), as_built);
        check_with::<f32, (GlobalAvgPool2D, Linear<5, 300>), _, _>((70, Const::<5>, 9, 11), as_built);
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
