//! Times PVLU on the device against its copy bandwidth, and a training step of ResNet-50; prints a table for an issue.

// Values are made of the system's sine, whose last bits do not matter here.
#![allow(clippy::disallowed_methods)]

use std::error::Error;
use std::time::Instant;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut};
use dfdx::prelude::{Cache, PutTape, SplitTape, Synchronize};
use dfdx::shapes::{Const, Rank0, Shape};
use dfdx::tensor::{Cuda, Tensor, TensorFromVec};
// Without a GPU it runs on a stand-in, and its times mean nothing.
use pvlu::activation::Pvlu;
use pvlu::backend::Kernels;
use pvlu::layer::builder::Act;
use pvlu::layer::{Mode, Switch};
use pvlu::loss::try_cross_entropy;
use pvlu::tape::{Place, Track, TrackExt, try_backward};
use pvlu_cuda_host as _;
use pvlu_zoo::resnet::v1::ResNet50V1_5;

/// Sizes of the inputs, and number of the runs that are timed.
struct Sizes {
    /// Images of 64 channels, and their height and width.
    features: (usize, usize),
    /// Images in a step of ResNet-50, and their height and width.
    images: (usize, usize),
    /// Runs of each, after two that do not count.
    runs: usize,
}

/// 205 MB of features.
const LARGE: Sizes = Sizes { features: (64, 112), images: (32, 224), runs: 21 };
/// To see that it runs, with the argument `small`.
const SMALL: Sizes = Sizes { features: (1, 9), images: (1, 32), runs: 1 };

type Features = Tensor<(usize, Const<64>, usize, usize), f32, Cuda>;

fn main() -> Result<(), Box<dyn Error>> {
    let sizes = if std::env::args().nth(1).as_deref() == Some("small") { SMALL } else { LARGE };
    let (batch, side) = sizes.features;
    let shape = (batch, Const::<64>, side, side);
    let runs = sizes.runs;
    let device = Cuda::try_build(0, 0).map_err(|error| error.to_string())?;
    // Memory of one step serves the next.
    device.enable_cache();
    let elements = shape.num_elements();
    let bytes = (elements * size_of::<f32>()) as f64;

    let x: Features = device.tensor_from_vec((0..elements).map(|i| (i as f32 * 0.37).sin() * 3.0).collect(), shape);
    let mut copied = device.try_unspecified(elements).map_err(|error| error.to_string())?;
    let copy = median(&device, runs, || {
        let source = <Cuda as Kernels<f32>>::read(&x);
        Ok(device.copy(source, <Cuda as Kernels<f32>>::memory_mut(&mut copied)).map_err(|error| error.to_string())?)
    })?;
    let bandwidth = 2.0 * bytes / copy;

    let layer = device.build_module::<Act<Pvlu, 64>, f32>();
    let forward = median(&device, runs, || Ok(layer.try_forward(x.clone())?))?;
    let both = median(&device, runs, || {
        let y = layer.try_forward(x.clone().track_input())?;
        let (y, mut tape) = y.split_tape();
        let loss: Tensor<Rank0, f32, Cuda> = device.tensor_from_vec(vec![0.0], ());
        let (from, to, at) = (Place::of(&y), Place::of(&loss), device.clone());
        // The output itself serves as `grad_output`.
        tape.record(&[], move |flow| {
            to.take(flow)?;
            from.give(flow, |gradient, _| at.copy(<Cuda as Kernels<f32>>::read(&y), gradient))
        });
        Ok(try_backward(loss.put_tape(tape))?)
    })?;

    println!("| what | median ms | of the copy's bandwidth |");
    println!("|---|---|---|");
    println!("| copy of {:.0} MB | {:.3} | {:.0} GB/s |", bytes / 1e6, copy * 1e3, bandwidth / 1e9);
    // Zeros first, for dfdx fills what it allocates; then one pass reads and one writes.
    println!("| PVLU forward | {:.3} | {:.0} % of 3 passes |", forward * 1e3, 300.0 * bytes / forward / bandwidth);
    // Forward, the copied gradient of the output (with its zeros), then x and the gradient of the output read and the
    // gradient written.
    println!(
        "| PVLU forward and backward | {:.3} | {:.0} % of 9 passes |",
        both * 1e3,
        900.0 * bytes / both / bandwidth
    );
    let step = resnet(&device, &sizes)?;
    let (batch, side) = sizes.images;
    let rate = batch as f64 / step;
    println!("| ResNet-50 training step, {batch} of {side} x {side} | {:.1} | {rate:.0} images/s |", step * 1e3);
    Ok(())
}

/// Seconds of a training step without the optimizer's.
fn resnet(device: &Cuda, sizes: &Sizes) -> Result<f64, Box<dyn Error>> {
    let mut net: <ResNet50V1_5<Pvlu> as BuildOnDevice<Cuda, f32>>::Built =
        device.try_build_module::<ResNet50V1_5<Pvlu>, f32>().map_err(|error| error.to_string())?;
    net.set_mode(Mode::Train);
    let (batch, side) = sizes.images;
    let shape = (batch, Const::<3>, side, side);
    let values = (0..shape.num_elements()).map(|i| (i as f32 * 0.37).sin()).collect();
    let images: Tensor<_, f32, Cuda> = device.tensor_from_vec(values, shape);
    let labels: Vec<_> = (0..batch).map(|i| 31 * i % 1000).collect();
    median(device, sizes.runs, || {
        let logits = net.try_forward_mut(images.clone().track())?;
        Ok(try_backward(try_cross_entropy(logits, &labels)?)?)
    })
}

/// The median of the seconds that a piece of work takes on the device.
fn median<R>(
    device: &Cuda,
    runs: usize,
    mut work: impl FnMut() -> Result<R, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let mut seconds = Vec::new();
    for _ in 0..runs + 2 {
        let begin = Instant::now();
        let made = work()?;
        device.try_synchronize().map_err(|error| error.to_string())?;
        seconds.push(begin.elapsed().as_secs_f64());
        drop(made);
    }
    let counted = &mut seconds[2..];
    counted.sort_by(f64::total_cmp);
    Ok(counted[runs / 2])
}
