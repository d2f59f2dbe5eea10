//! Memory of networks, compiled and in training, as an allocator counts it for the whole process: one test, so that
//! nothing else counts.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, ModuleMut};
use dfdx::shapes::Const;
use dfdx::tensor::{Cpu, TensorFromVec};
use peak_alloc::PeakAlloc;
use pvlu::activation::{Pvlu, Relu};
use pvlu::compiled::{Compile, Compiled};
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Residual};
use pvlu::layer::{Extent, Graph, Visit, named_parameters};
use pvlu::tape::TrackExt;
use pvlu_zoo::resnet::cifar::ResNet20;
use pvlu_zoo::resnet::{ResNet50V1_5, ResNet50V2};
use pvlu_zoo::vgg::Vgg16Small;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes that a thread takes for tiles in the making, and for a weight that is being packed.
const SCRATCH: usize = 2 << 20;

/// Bytes of the values of a network, and of the two largest maps of a batch together.
fn sizes(net: &impl Visit<f32, Cpu>, image: Extent, batch: usize) -> [usize; 2] {
    let graph = Graph::of(net, image).unwrap();
    let mut maps: Vec<usize> = graph.nodes.iter().map(|node| node.output.elements()).collect();
    maps.push(image.elements());
    maps.sort_unstable_by(|one, other| other.cmp(one));
    let weights = named_parameters(net).iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    [weights, (maps[0] + maps[1]) * batch].map(|elements: usize| elements * size_of::<f32>())
}

/// The most bytes that were taken beyond `before` since the last call.
fn growth(before: usize) -> usize {
    let peak = ALLOCATOR.peak_usage();
    ALLOCATOR.reset_peak_usage();
    peak.saturating_sub(before)
}

/// Runs a batch of an image size on a network that is borrowed, and on one that is consumed.
fn check<M: BuildOnDevice<Cpu, f32>>(name: &str, image: Extent, batch: usize)
where
    M::Built: Visit<f32, Cpu> + 'static,
{
    let images = vec![0.1; image.elements() * batch];
    let run = |compiled: &Compiled<'_, M::Built>| drop(compiled.try_run(&images).unwrap());
    // Threads, and their buffers.
    run(&Cpu::default().build_module::<M, f32>().compile(image));

    let before = ALLOCATOR.current_usage();
    let net = Cpu::default().build_module::<M, f32>();
    let [weights, maps] = sizes(&net, image, batch);
    growth(before);
    let compiled = net.compile(image);
    run(&compiled);
    let (borrowed, packed) = (growth(before), compiled.weight_bytes());
    drop(compiled);
    drop(net);

    let before = ALLOCATOR.current_usage();
    let net = Cpu::default().build_module::<M, f32>();
    growth(before);
    let compiled = net.try_into_compiled(image).unwrap();
    let to_compile = growth(before);
    run(&compiled);
    let consumed = growth(before);

    let mb = |bytes: usize| bytes as f64 / 1e6;
    println!(
        "{name}, batch {batch}: weights {:.1} MB, packed {:.1}, two largest maps {:.1}; borrowed {:.1}, consumed {:.1} \
         to compile and {:.1} to run",
        mb(weights),
        mb(packed),
        mb(maps),
        mb(borrowed),
        mb(to_compile),
        mb(consumed)
    );
    assert!(packed <= 4 * weights + weights / 50, "{name}: packed weights");
    let allowed = packed + maps + maps / 5 + SCRATCH * rayon::current_num_threads();
    assert!(borrowed <= weights + allowed, "{name}: borrowed");
    assert!(to_compile <= allowed.max(2 * weights + weights / 20), "{name}: to compile");
    assert!(consumed <= allowed, "{name}: consumed");
}

/// A residual block of 16 channels.
type Block<A> = (
    Residual<(Conv2D<16, 16, 3, 1, 1>, BatchNorm2D<16>, Act<A, 16>, Conv2D<16, 16, 3, 1, 1>, BatchNorm2D<16>)>,
    Act<A, 16>,
);

/// Checks how many maps a block holds between forward and backward.
macro_rules! check_kept {
    ($activation:ty, $maps:literal) => {
        let [batch, side] = [64, 32];
        let mut net = Cpu::default().build_module::<(Block<$activation>, Block<$activation>), f32>();
        let map = batch * 16 * side * side;
        let images = Cpu::default().tensor_from_vec(vec![0.1; map], (batch, Const::<16>, side, side));
        // Threads, and their buffers.
        drop(net.try_forward_mut(images.clone().track()).unwrap());
        let before = ALLOCATOR.current_usage();
        let output = net.try_forward_mut(images.clone().track()).unwrap();
        let kept = (ALLOCATOR.current_usage() - before) as f64 / (map * size_of::<f32>()) as f64;
        println!("two blocks keep {kept:.2} maps");
        assert!((kept - 2.0 * $maps).abs() < 0.1, "{}: {kept}", stringify!($activation));
        drop(output);
    };
}

/// Beside the weights as they are packed, at most four times as large, a compiled network takes 1.2 times the two
/// largest maps, and scratch for each thread; one that borrows its network has that, too. To compile one that is
/// consumed takes twice the weights at most, where what they are packed to is not more.
///
/// Between forward and backward, a network in training holds the input of each batch norm and the output of each
/// activation, and of a PVLU the sum that it is applied to.
#[test]
fn a_compiled_network_takes_two_maps_and_one_in_training_what_its_backward_pass_reads() {
    check::<ResNet50V1_5<Relu>>("ResNet-50 v1.5", Extent::image(3, 224, 224), 1);
    check::<ResNet50V2<Pvlu>>("ResNet50V2 with PVLU", Extent::image(3, 224, 224), 4);
    check::<Vgg16Small<Relu>>("VGG-16", Extent::image(3, 32, 32), 32);
    check::<ResNet20<Pvlu>>("ResNet-20 with PVLU", Extent::image(3, 32, 32), 128);

    check_kept!(Relu, 4.0);
    check_kept!(Pvlu, 5.0);
}
