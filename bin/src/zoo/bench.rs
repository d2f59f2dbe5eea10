//! `zoo bench`: the time of a step of a model on this machine.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use pvlu::kernel::cpu::CpuElement;
use pvlu::kernel::cpu::gemm::{Factor, MatrixLayout, Sizes};
use pvlu::kernel::cpu::simd::Level;
use pvlu::kernel::write::Write;
use pvlu::layer::{Extent, Mode, Path};
use pvlu::profile::{self, Direction, Profile};
use pvlu_zoo::checkpoint::Notes;
use pvlu_zoo::device::Device;
use pvlu_zoo::export::onnx;
use pvlu_zoo::inference::Inference;
use pvlu_zoo::model::Model;
use pvlu_zoo::registry::{self, ModelEntry, Options, Start};
use pvlu_zoo::train::{Optimizer, OptimizerConfig};
use pvlu_zoo::transfer::{FreezeError, FreezePolicy};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::args::MachineArgs;
use super::targets::Target;
use crate::common::device::{self, placed};
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::memory::check_batch;
use crate::common::output::{print, print_json};
use crate::common::precision;

/// Kinds of steps that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchMode {
    /// Logits of a batch
    Infer,
    /// Logits of a batch, from the network compiled for batches of this size (zoo eval and logits: 8, predict: 1)
    Compiled,
    /// Forward, backward and update, everything trained, batch norm on the batch's statistics
    Train,
    /// The same with nothing trained but the activations' parameters, batch norm on running statistics
    Finetune,
}

/// Command-line arguments of `zoo bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Activation of the model
    #[arg(long, default_value = "relu", value_name = "ACTIVATION")]
    activation: String,
    /// Images in a step
    #[arg(
        long,
        alias = "batch",
        default_value = "32",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=65_536)
    )]
    batch_size: u32,
    /// Height and width of the images [default: the original's]
    #[arg(long, value_name = "PIXELS")]
    image: Option<usize>,
    /// Kind of step to measure
    #[arg(long, value_enum, default_value = "infer")]
    mode: BenchMode,
    /// Number of classes [default: 100 for sequential6conv, 10 for CIFAR ResNets and for VGG on 32x32, else 1000]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Steps that are measured, after two that are not
    #[arg(long, default_value = "11", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,
    /// Also print the time of each kind of layer, measured in further steps
    #[arg(long)]
    profile: bool,
    /// Also write the network as ONNX, batch norms folded, to be timed in other programs; replaces the file
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Print the measurements as JSON
    #[arg(long)]
    json: bool,
}

/// The most values in a batch, so that one that does not fit in memory is an error and does not end the process.
const MAX_VALUES: usize = 1 << 31;

impl BenchMode {
    /// True if a step has a backward pass.
    fn trains(self) -> bool {
        matches!(self, Self::Train | Self::Finetune)
    }
}

/// The times of so many steps, after two that are not measured.
fn times(steps: u32, mut step: impl FnMut() -> Result<f64, CliError>) -> Result<Vec<f64>, CliError> {
    let mut seconds = Vec::new();
    for number in 0..steps + 2 {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let time = step()?;
        if number >= 2 {
            seconds.push(time);
        }
    }
    Ok(seconds)
}

/// A model with everything that its steps take.
struct Bench {
    model: Box<dyn Model>,
    optimizer: Optimizer,
    mode: BenchMode,
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl Bench {
    /// Does a step and returns its time in seconds, without that of copying the images.
    fn step(&mut self) -> Result<f64, pvlu::Error> {
        let images = self.images.clone();
        let begin = Instant::now();
        if self.mode.trains() {
            let mut step = self.model.step(images, &self.labels)?;
            self.optimizer.update(self.model.as_mut(), &mut step.gradients, 1e-4)?;
        } else {
            self.model.logits(images)?;
        }
        Ok(begin.elapsed().as_secs_f64())
    }
}

/// Measures the steps of a model, and prints their times, throughput and memory.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    if args.profile && args.mode == BenchMode::Compiled {
        return Err(CliError::Usage(
            "--profile takes the time of layers, of which a compiled network has none: give another --mode".to_owned(),
        ));
    }
    let entry = registry::find(&args.model)?;
    let (height, width) = args.image.map_or(entry.image(), |side| (side, side));
    let classes = args.classes.unwrap_or(usual_classes(entry, height));
    let options =
        Options { activation: &args.activation, classes, image: Some((height, width)), weights: Start::Seed(0) };
    let program = memory("VmRSS");
    let mut model = placed(entry.build(&options)?)?;
    let activation = model.activation().unwrap_or(&args.activation).to_owned();
    if let Some(path) = &args.onnx {
        let options = onnx::Options { fold_batch_norm: true };
        let target = Target::new(path, &[], true)?;
        target.write_file(|path| Ok(onnx::write(model.as_ref(), entry.name, path, &Notes::default(), &options)?))?;
    }
    let failed = |source| CliError::Model { model: entry.name, source };
    let macs = multiply_adds(model.as_ref()).map_err(failed)?;
    model.set_mode(if args.mode.trains() { Mode::Train } else { Mode::Eval });
    if args.mode == BenchMode::Finetune {
        FreezePolicy::ACTIVATIONS.try_apply(model.net_mut()).map_err(|error| match error {
            FreezeError::Nothing { .. } => CliError::Usage(format!(
                "--mode finetune trains the parameters of activations, and {activation} has none"
            )),
            error => error.into(),
        })?;
    }
    let batch = args.batch_size as usize;
    if batch * 3 * height * width > MAX_VALUES {
        return Err(CliError::Usage(format!(
            "{batch} images of {height}x{width}: expected at most {MAX_VALUES} values, found {}",
            batch * 3 * height * width
        )));
    }
    check_batch(model.as_ref(), batch, args.mode.trains().then_some(1), "--batch-size")?;
    let images: Vec<f32> = (0..batch * 3 * height * width).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
    let labels = (0..batch).map(|i| i % classes).collect();
    let optimizer = Optimizer::new(OptimizerConfig::sgd(0.9, false, 0.0));
    let mut bench = Bench { model, optimizer, mode: args.mode, images, labels };

    reset_peak_memory();
    let mut seconds = if args.mode == BenchMode::Compiled {
        let inference = Inference::for_batches(bench.model.as_ref(), batch).map_err(failed)?;
        if !inference.is_compiled() {
            return Err(CliError::Usage(format!(
                "--mode compiled: {} with {activation} is not compiled on this device: give --mode infer",
                entry.name
            )));
        }
        times(args.steps, || {
            let images = bench.images.clone();
            let begin = Instant::now();
            inference.logits(images).map_err(failed)?;
            Ok(begin.elapsed().as_secs_f64())
        })?
    } else {
        times(args.steps, || bench.step().map_err(failed))?
    };
    let whole = memory("VmHWM");
    // Memory of the model and its step, without the program and its libraries.
    let memory = whole.zip(program).map(|(whole, program)| whole.saturating_sub(program));
    // Measured after the steps, since its buffers are no part of their memory. What the host multiplies says nothing of
    // another device.
    let device = device::chosen();
    let peak = (device == Device::Cpu).then(peak_product);
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    // Backward costs a convolution for the input and, where the weights are trained, one for them.
    let passes = match args.mode {
        BenchMode::Infer | BenchMode::Compiled => 1.0,
        BenchMode::Finetune => 2.0,
        BenchMode::Train => 3.0,
    };
    let rate = 2.0 * passes * macs as f64 * batch as f64 / median;
    let profile = if args.profile { Some(profiled(&mut bench).map_err(failed)?) } else { None };

    let milliseconds = |at: usize| 1e3 * seconds[at];
    let quartiles = [seconds.len() / 4, (3 * seconds.len() / 4).min(seconds.len() - 1)].map(milliseconds);
    if args.json {
        let layers = profile.as_ref().map(|(profile, total)| {
            lines(profile, *total)
                .map(|(kind, pass, ms, calls)| json!({ "layer": kind, "pass": pass, "ms": ms, "calls": calls }))
                .collect::<Vec<Value>>()
        });
        return print_json(&precision::told(json!({
            "model": entry.name, "activation": activation, "classes": classes, "batch": batch,
            "image": [height, width], "mode": format!("{:?}", args.mode).to_lowercase(),
            "threads": rayon::current_num_threads(), "simd": Level::current().name(), "steps": seconds.len(),
            "median_ms": 1e3 * median, "min_ms": milliseconds(0), "max_ms": milliseconds(seconds.len() - 1),
            "quartile_ms": quartiles, "images_per_second": batch as f64 / median,
            "gflops": rate / 1e9, "peak_gflops": peak.map(|peak| peak / 1e9),
            "share_of_peak": peak.map(|peak| rate / peak), "device": device.to_string(),
            "peak_memory_bytes": whole, "step_memory_bytes": memory, "profile": layers,
        })));
    }
    let precision = precision::chosen();
    let rounded = if precision.is_reduced() { format!(" in {precision}") } else { String::new() };
    let mut text = vec![format!(
        "{} {} {:?}{rounded}, batch {batch}, {height}x{width}, {classes} classes, {} threads{}",
        entry.name,
        activation,
        args.mode,
        rayon::current_num_threads(),
        if device == Device::Cpu { String::new() } else { format!(", on {device}") }
    )];
    text.push(format!(
        "median {:.2} ms a step ({:.2} to {:.2} for the middle half), {:.1} images/s",
        1e3 * median,
        quartiles[0],
        quartiles[1],
        batch as f64 / median
    ));
    let share = |peak: f64| format!(", {:.0} % of {:.1} in a matrix product", 100.0 * rate / peak, peak / 1e9);
    text.push(format!("{:.1} GFLOP/s of plain convolutions{}", rate / 1e9, peak.map(share).unwrap_or_default()));
    if let Some(bytes) = memory {
        let of = if device == Device::Cpu { "of" } else { "of the host for" };
        text.push(format!("peak memory {of} the model and its step {:.1} MB", bytes as f64 / 1e6));
    }
    if let Some((profile, total)) = &profile {
        let rows = lines(profile, *total);
        text.extend(
            rows.map(|(kind, pass, ms, calls)| format!("  {kind:<14}{pass:<10}{ms:>10.2} ms {calls:>6} calls")),
        );
    }
    print(&text.join("\n"))
}

/// The number of classes if the user gives none: 10 on 32x32 images for models with a smaller head for these, else the
/// original's.
fn usual_classes(entry: &ModelEntry, side: usize) -> usize {
    let small_head = matches!(entry.sides(), registry::Sides::Square(sides) if sides.len() > 1) && side == 32;
    if small_head { 10 } else { entry.classes() }
}

/// Multiply-adds of one image in the forward pass.
fn multiply_adds(model: &dyn Model) -> Result<u64, pvlu::Error> {
    let (height, width) = model.image();
    let mut sum = 0;
    let mut add = |layer: pvlu::layer::LayerSummary<'_>| sum += layer.multiply_adds();
    model.net().summarize(&mut Path::root(), Extent::image(3, height, width), &mut add)?;
    Ok(sum)
}

/// Floating-point operations per second of square matrix products, one on each thread: the best of ten.
fn peak_product() -> f64 {
    const SIDE: usize = 768;
    let threads = rayon::current_num_threads();
    let data = vec![0.5_f32; SIDE * SIDE];
    let mut products = vec![0.0_f32; threads * SIDE * SIDE];
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let begin = Instant::now();
        products.par_chunks_exact_mut(SIDE * SIDE).for_each(|to| {
            let sizes = Sizes { rows: SIDE, cols: SIDE, depth: SIDE };
            let factor = Factor::new(&data, MatrixLayout::columns(0, SIDE));
            (f32::cpu().product)(sizes, Write::Replace, factor, factor, to, MatrixLayout::columns(0, SIDE));
        });
        best = best.min(begin.elapsed().as_secs_f64());
    }
    2.0 * (threads * SIDE * SIDE * SIDE) as f64 / best
}

/// Mean time and calls per step of each kind of layer, and the mean time of the whole step in seconds.
fn profiled(bench: &mut Bench) -> Result<(Profile, f64), pvlu::Error> {
    const STEPS: u32 = 5;
    profile::start();
    let mut total = 0.0;
    for _ in 0..STEPS {
        total += bench.step()?;
    }
    let mut profile = profile::stop();
    for (time, calls) in profile.values_mut() {
        (*time, *calls) = (*time / STEPS, *calls / STEPS as usize);
    }
    Ok((profile, total / f64::from(STEPS)))
}

/// Kind, direction, milliseconds and calls of each line of the profile, and a last line for the time outside of layers.
fn lines(profile: &Profile, total: f64) -> impl Iterator<Item = (&'static str, &'static str, f64, usize)> {
    let measured: f64 = profile.values().map(|(time, _)| time.as_secs_f64()).sum();
    let rows = profile.iter().map(|(&(kind, direction), &(time, calls))| {
        let direction = if direction == Direction::Forward { "forward" } else { "backward" };
        (kind, direction, 1e3 * time.as_secs_f64(), calls)
    });
    rows.chain([("everything else", "", 1e3 * (total - measured), 0)])
}

/// Resets the peak of the process's memory, where the system can.
fn reset_peak_memory() {
    // A failure is no error: the peak then includes building the model.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The memory that the process has (`VmRSS`), or the most that it had (`VmHWM`), in bytes; `None` where the system does
/// not say.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
