//! Times PVLU on the device against its copy bandwidth, and a training step of ResNet-50; prints a table for an issue.

use std::error::Error;
use std::time::Instant;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut};
use dfdx::prelude::{Cache, PutTape, SplitTape, Synchronize};
use dfdx::shapes::{Const, HasShape, Rank0};
use dfdx::tensor::{Cuda, Tensor};
use pvlu::activation::Pvlu;
use pvlu::backend::Backend;
use pvlu::layer::builder::Act;
use pvlu::layer::{Mode, Switch};
use pvlu::loss::try_cross_entropy;
use pvlu::tape::{Place, Track, TrackExt, try_backward};
use pvlu_zoo::resnet::v1::ResNet50V1_5;

/// Images of the PVLU layer: 64 of 64 channels and 112 x 112 pixels, 205 MB.
const SHAPE: (usize, Const<64>, usize, usize) = (64, Const, 112, 112);
/// Images in a step of ResNet-50.
const BATCH: usize = 32;
/// Runs of each, after two that do not count.
const RUNS: usize = 21;

type Features = Tensor<(usize, Const<64>, usize, usize), f32, Cuda>;
type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    let device = Cuda::try_build(0, 0).map_err(|error| error.to_string())?;
    // Memory of one step serves the next.
    device.enable_cache();
    let elements = SHAPE.num_elements();
    let bytes = (elements * size_of::<f32>()) as f64;

    let x: Features = device.tensor_from_vec((0..elements).map(|i| (i as f32 * 0.37).sin() * 3.0).collect(), SHAPE);
    let mut copied = device.try_unspecified(elements).map_err(|error| error.to_string())?;
    let copy = median(&device, || {
        let source = <Cuda as Backend<f32>>::read(&x);
        Ok(device.copy(source, <Cuda as Backend<f32>>::memory_mut(&mut copied)).map_err(|error| error.to_string())?)
    })?;
    let bandwidth = 2.0 * bytes / copy;

    let layer = device.build_module::<Act<Pvlu, 64>, f32>();
    let forward = median(&device, || Ok(drop(layer.try_forward(x.clone())?)))?;
    let both = median(&device, || {
        let y = layer.try_forward(x.clone().track_input())?;
        let (y, mut tape) = y.split_tape();
        let loss: Tensor<Rank0, f32, Cuda> = device.tensor_from_vec(vec![0.0], ());
        let (from, to, at) = (Place::of(&y), Place::of(&loss), device.clone());
        // The output itself is the cotangent.
        tape.record(&[], move |flow| {
            to.take(flow)?;
            from.give(flow, |gradient, _| at.copy(<Cuda as Backend<f32>>::read(&y), gradient))
        });
        Ok(drop(try_backward(loss.put_tape(tape))?))
    })?;

    println!("| what | median ms | of the copy's bandwidth |");
    println!("|---|---|---|");
    println!("| copy of {:.0} MB | {:.3} | {:.0} GB/s |", bytes / 1e6, copy * 1e3, bandwidth / 1e9);
    // Zeros first, for dfdx fills what it allocates; then one pass reads and one writes.
    println!("| PVLU forward | {:.3} | {:.0} % of 3 passes |", forward * 1e3, 300.0 * bytes / forward / bandwidth);
    // Forward, the copied cotangent (with its zeros), then x and the cotangent read and the gradient written.
    println!(
        "| PVLU forward and backward | {:.3} | {:.0} % of 9 passes |",
        both * 1e3,
        900.0 * bytes / both / bandwidth
    );
    let step = resnet(&device)?;
    println!(
        "| ResNet-50 training step, batch {BATCH}, 224 x 224 | {:.1} | {:.0} images/s |",
        step * 1e3,
        BATCH as f64 / step
    );
    Ok(())
}

/// Seconds of a training step without the optimiser's.
fn resnet(device: &Cuda) -> Result<f64, Box<dyn Error>> {
    let mut net: <ResNet50V1_5<Pvlu> as BuildOnDevice<Cuda, f32>>::Built =
        device.try_build_module::<ResNet50V1_5<Pvlu>, f32>().map_err(|error| error.to_string())?;
    net.set_mode(Mode::Train);
    let shape = (BATCH, Const::<3>, 224_usize, 224_usize);
    let values = (0..shape.num_elements()).map(|i| (i as f32 * 0.37).sin()).collect();
    let images: Tensor<_, f32, Cuda> = device.tensor_from_vec(values, shape);
    let labels: Vec<_> = (0..BATCH).map(|i| 31 * i % 1000).collect();
    median(device, || {
        let logits = net.try_forward_mut(images.clone().track())?;
        Ok(drop(try_backward(try_cross_entropy(logits, &labels)?)?))
    })
}

/// The median of the seconds that a piece of work takes on the device.
fn median(device: &Cuda, mut work: impl FnMut() -> Done) -> Result<f64, Box<dyn Error>> {
    let mut seconds = Vec::new();
    for _ in 0..RUNS + 2 {
        let begin = Instant::now();
        work()?;
        device.try_synchronize().map_err(|error| error.to_string())?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    let counted = &mut seconds[2..];
    counted.sort_by(f64::total_cmp);
    Ok(counted[RUNS / 2])
}
