//! Bandwidth of the fused activation kernels beside that of a plain copy: bytes read plus bytes written.
//!
//! Two threads unless `RAYON_NUM_THREADS` says otherwise; `PVLU_SIMD` chooses the instruction set.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pvlu::activation::*;
use pvlu::kernel::cpu::activation::program;
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::write::InputGradient;
use rayon::prelude::*;

fn main() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .use_current_thread()
            .build_global()
            .expect("the pool is built once");
    }
    divan::main();
}

/// Batch 64 of 64 channels of 32 x 32.
const IMAGES: ChannelsLayout = ChannelsLayout { outer: 64, channels: 64, inner: 32 * 32 };
/// Batch 8 of such images with a parameter for each element.
const ELEMENTS: ChannelsLayout = ChannelsLayout { outer: 8, channels: 64 * 32 * 32, inner: 1 };
/// Batch 128 of 512 channels of 7 x 7.
const SMALL_IMAGES: ChannelsLayout = ChannelsLayout { outer: 128, channels: 512, inner: 7 * 7 };
/// Batch 1024 of 4096 features.
const FEATURES: ChannelsLayout = ChannelsLayout { outer: 1024, channels: 4096, inner: 1 };

/// Values in [-4, 4], spread evenly by the golden ratio.
fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| 8.0 * (i as f32 * 0.618_034).fract() - 4.0).collect()
}

fn start_params<A: Activation>(channels: usize) -> Vec<Vec<f32>> {
    A::PARAMS.as_slice().iter().map(|param| vec![param.start as f32; channels]).collect()
}

fn bench_forward<A: Activation>(bencher: Bencher<'_, '_>, layout: ChannelsLayout) {
    let x = values(layout.len());
    let params = start_params::<A>(layout.channels);
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let mut y = vec![1.0; x.len()];
    let forward = f32::kernels::<A>().forward;
    bencher.counter(BytesCount::of_many::<f32>(2 * x.len())).bench_local(|| {
        forward(layout, black_box(&x), &params, &mut y);
        black_box(y[0])
    });
}

fn bench_backward<A: Activation>(bencher: Bencher<'_, '_>, layout: ChannelsLayout, train: bool) {
    let x = values(layout.len());
    let grad_output = x.clone();
    let params = start_params::<A>(layout.channels);
    let mut grads = params.clone();
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let mut grad_x = vec![1.0; x.len()];
    let backward = f32::kernels::<A>().backward;
    bencher.counter(BytesCount::of_many::<f32>(3 * x.len())).bench_local(|| {
        let mut grads: Vec<Option<&mut [f32]>> = grads.iter_mut().map(|grad| train.then_some(&mut grad[..])).collect();
        let target = InputGradient::Overwrite(&mut grad_x[..]);
        backward(layout, black_box(&x[..]).into(), &params, black_box(&grad_output), target, &mut grads);
    });
}

/// The yardstick: a copy by the same threads in pieces of 32 Ki elements.
#[divan::bench]
fn copy(bencher: Bencher<'_, '_>) {
    let x = values(IMAGES.len());
    let mut y = vec![1.0; x.len()];
    bencher.counter(BytesCount::of_many::<f32>(2 * x.len())).bench_local(|| {
        let pieces = y.par_chunks_mut(32 * 1024).zip(black_box(&x).par_chunks(32 * 1024));
        pieces.for_each(|(y, x)| y.copy_from_slice(x));
        black_box(y[0])
    });
}

#[divan::bench(types = [
    Relu, LeakyRelu, Elu, PRelu, SineRelu, Swish, Vlu, Pvlu, Gelu, GeluTanh, Mish, Softplus, Tanh, Snake, SinLu,
    SwishBeta, AconC,
])]
fn images_forward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_forward::<A>(bencher, IMAGES);
}

/// The gradient of the input, overwritten, and those of all parameters.
#[divan::bench(types = [
    Relu, LeakyRelu, Elu, PRelu, SineRelu, Swish, Vlu, Pvlu, Gelu, GeluTanh, Mish, Softplus, Tanh, Snake, SinLu,
    SwishBeta, AconC,
])]
fn images_backward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, IMAGES, true);
}

/// The gradient of the input alone: frozen or fixed parameters.
#[divan::bench(types = [
    Relu, LeakyRelu, Elu, PRelu, SineRelu, Swish, Vlu, Pvlu, Gelu, GeluTanh, Mish, Softplus, Tanh, Snake, SinLu,
    SwishBeta, AconC,
])]
fn images_backward_frozen<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, IMAGES, false);
}

#[divan::bench(types = [Relu, Pvlu])]
fn small_images_forward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_forward::<A>(bencher, SMALL_IMAGES);
}

#[divan::bench(types = [Relu, Pvlu])]
fn small_images_backward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, SMALL_IMAGES, true);
}

/// PReLU's own kernels take such rows as features.
#[divan::bench(types = [PRelu, PReluElement])]
fn elements_forward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_forward::<A>(bencher, ELEMENTS);
}

#[divan::bench(types = [PRelu, PReluElement])]
fn elements_backward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, ELEMENTS, true);
}

#[divan::bench(types = [PRelu, PReluElement])]
fn elements_backward_frozen<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, ELEMENTS, false);
}

#[divan::bench(types = [Relu, Pvlu])]
fn features_forward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_forward::<A>(bencher, FEATURES);
}

#[divan::bench(types = [Relu, Pvlu])]
fn features_backward<A: Activation>(bencher: Bencher<'_, '_>) {
    bench_backward::<A>(bencher, FEATURES, true);
}

/// Formulas that are known when the program runs. The first is PVLU's, to be set beside the built-in kernels.
const WRITTEN: [&str; 3] = [
    "pvlu2 = max(x, 0) + a*sin(b*x); a = 0.5; b = 1",
    "snake2 = x + sin(a*x)^2/a; a = 1",
    "mish2 = x*tanh(softplus(x))",
];

fn written(text: &str, channels: usize) -> (Written, Vec<Vec<f32>>) {
    let written = Written::parse(text).expect("a formula");
    let params = written.params().iter().map(|param| vec![param.start as f32; channels]).collect();
    (written, params)
}

fn bench_written_forward(bencher: Bencher<'_, '_>, text: &str, layout: ChannelsLayout) {
    let x = values(layout.len());
    let (written, params) = written(text, layout.channels);
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let mut y = vec![1.0; x.len()];
    bencher.counter(BytesCount::of_many::<f32>(2 * x.len())).bench_local(|| {
        program::forward(written.program(), layout, black_box(&x), &params, &mut y);
        black_box(y[0])
    });
}

fn bench_written_backward(bencher: Bencher<'_, '_>, text: &str, layout: ChannelsLayout) {
    let x = values(layout.len());
    let grad_output = x.clone();
    let (written, params) = written(text, layout.channels);
    let mut grads = params.clone();
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let mut grad_x = vec![1.0; x.len()];
    bencher.counter(BytesCount::of_many::<f32>(3 * x.len())).bench_local(|| {
        let mut grads: Vec<Option<&mut [f32]>> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
        let target = InputGradient::Overwrite(&mut grad_x[..]);
        program::backward(
            written.program(),
            layout,
            black_box(&x[..]).into(),
            &params,
            black_box(&grad_output),
            target,
            &mut grads,
        );
    });
}

#[divan::bench(args = WRITTEN)]
fn images_forward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_forward(bencher, text, IMAGES);
}

#[divan::bench(args = WRITTEN)]
fn images_backward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_backward(bencher, text, IMAGES);
}

#[divan::bench(args = [WRITTEN[0]])]
fn small_images_forward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_forward(bencher, text, SMALL_IMAGES);
}

#[divan::bench(args = [WRITTEN[0]])]
fn small_images_backward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_backward(bencher, text, SMALL_IMAGES);
}

#[divan::bench(args = [WRITTEN[0]])]
fn features_forward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_forward(bencher, text, FEATURES);
}

#[divan::bench(args = [WRITTEN[0]])]
fn features_backward_written(bencher: Bencher<'_, '_>, text: &str) {
    bench_written_backward(bencher, text, FEATURES);
}
