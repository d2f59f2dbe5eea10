//! Whole layers: PVLU against the same formula composed of dfdx's operations, and what reading tensors by copy costs.
//!
//! Forward and backward include allocation and the tape, as a network pays them. Two threads unless
//! `RAYON_NUM_THREADS` says otherwise.

use dfdx::prelude::*;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pvlu::activation::Pvlu;
use pvlu::kernel::view;
use pvlu::layer::builder;
use pvlu::tape::{TrackExt, try_backward};
use rayon::prelude::*;

fn main() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        rayon::ThreadPoolBuilder::new().num_threads(2).build_global().expect("the pool is built once");
    }
    divan::main();
}

type Images = Rank4<64, 64, 32, 32>;
type Act = <builder::Act<Pvlu, 64> as BuildOnDevice<Cpu, f32>>::Built;

const ELEMENTS: usize = 64 * 64 * 32 * 32;

fn images() -> Tensor<Images, f32, Cpu> {
    Cpu::seed_from_u64(0).sample_normal()
}

fn layer() -> Act {
    Cpu::default().build_module::<builder::Act<Pvlu, 64>, f32>()
}

/// max(0, x) + alpha sin(beta x), of dfdx's operations.
fn composed<T: Tape<f32, Cpu> + Merge<T>>(layer: &Act, x: &Tensor<Images, f32, Cpu>) -> Tensor<Images, f32, Cpu, T> {
    let alpha = layer.alpha().retaped::<T>().broadcast::<Images, Axes3<0, 2, 3>>();
    let beta = layer.beta().retaped::<T>().broadcast::<Images, Axes3<0, 2, 3>>();
    x.retaped::<T>().relu() + alpha * (beta * x.retaped::<T>()).sin()
}

/// The yardstick: a copy by the same threads into pages touched before.
#[divan::bench]
fn copy(bencher: Bencher) {
    let (x, mut y) = (vec![1.0_f32; ELEMENTS], vec![0.5_f32; ELEMENTS]);
    bencher.counter(BytesCount::of_many::<f32>(2 * ELEMENTS)).bench_local(|| {
        y.par_chunks_mut(32 * 1024).zip(black_box(&x).par_chunks(32 * 1024)).for_each(|(y, x)| y.copy_from_slice(x));
    });
}

#[divan::bench]
fn pvlu_forward_fused(bencher: Bencher) {
    let (layer, x) = (layer(), images());
    bencher.counter(BytesCount::of_many::<f32>(2 * ELEMENTS)).bench_local(|| layer.forward(black_box(x.clone())));
}

#[divan::bench(sample_count = 10)]
fn pvlu_forward_composed(bencher: Bencher) {
    let (layer, x) = (layer(), images());
    bencher
        .counter(BytesCount::of_many::<f32>(2 * ELEMENTS))
        .bench_local(|| composed::<NoneTape>(&layer, black_box(&x)));
}

/// Forward, a sum as loss, backward: gradients of the input, alpha and beta.
#[divan::bench]
fn pvlu_forward_backward_fused(bencher: Bencher) {
    let (layer, x) = (layer(), images());
    bencher
        .counter(BytesCount::of_many::<f32>(5 * ELEMENTS))
        .bench_local(|| try_backward(layer.forward(black_box(x.clone()).track_input()).sum()));
}

#[divan::bench(sample_count = 5)]
fn pvlu_forward_backward_composed(bencher: Bencher) {
    let (layer, x) = (layer(), images());
    bencher
        .counter(BytesCount::of_many::<f32>(5 * ELEMENTS))
        .bench_local(|| composed::<OwnedTape<f32, Cpu>>(&layer, black_box(&x)).sum::<Rank0, _>().backward());
}

/// The loss and its backward alone, which the two above have in common.
#[divan::bench]
fn sum_forward_backward(bencher: Bencher) {
    let x = images();
    bencher.bench_local(|| try_backward(black_box(x.clone()).track_input().sum()));
}

/// A contiguous tensor as a slice: a few addresses, or with the feature `safe-views` a copy.
#[divan::bench]
fn view_read(bencher: Bencher) {
    let x = images();
    bencher.bench_local(|| view::read(black_box(&x)).len());
}

/// What a view by copy costs: dfdx's own way to the elements.
#[divan::bench]
fn view_as_vec(bencher: Bencher) {
    let x = images();
    bencher.counter(BytesCount::of_many::<f32>(2 * ELEMENTS)).bench_local(|| black_box(&x).as_vec());
}
