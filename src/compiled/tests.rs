//! Compiled networks against the networks themselves.

mod precision;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module};
use dfdx::prelude::{Tanh, ZerosTensor};
use dfdx::shapes::{Const, Rank2, Rank4};
use dfdx::tensor::{Cpu, SampleTensor, Tensor};

use super::*;
use crate::activation::{Chosen, PReluElement, Pvlu, Relu, Softplus, find};
use crate::kernel::cpu::testing::same_everywhere;
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear, LinearTo};
use crate::layer::{
    Add, AnyTensor, AvgPool2D, Branches, Concat, Dropout, Flatten2D, FromDfdx, GlobalAvgPool2D, GraphBuilder, Identity,
    MaxPool2D, Multiply, NamedTensor, NormedConv2D, ParamKind, Path, ProjectedResidual, Residual, SubsamplePad2D,
    TrunkAndHead, TwoHeads, Upsample2D, Visitor, VisitorMut, Wires, ZeroPaddedMaxPool2D, choose_activation,
    set_outputs,
};

/// Gives every tensor other values than those that it starts with.
struct Shake(u32);

impl VisitorMut<f32, Cpu> for Shake {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
        let (scale, around) = match slot.kind {
            ParamKind::Weight => (0.3, 0.0),
            ParamKind::RunningVariance | ParamKind::Scale => (0.5, 1.0),
            _ => (0.5, 0.2),
        };
        tensor.with_mut(&mut |values| {
            for value in values {
                self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = around + scale * ((self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0);
            }
        })
    }
}

fn built<M: BuildOnDevice<Cpu, f32>>() -> M::Built
where
    M::Built: Visit<f32, Cpu>,
{
    let mut net = Cpu::seed_from_u64(0).build_module::<M, f32>();
    net.visit_mut(&mut Path::root(), &mut Shake(1)).unwrap();
    net
}

/// Compares a network with itself compiled, for images of constant channels.
macro_rules! compare {
    ($net:expr, [$channels:literal, $height:literal, $width:literal]) => {{
        let net = $net;
        let compiled = net.try_compile(Extent::image($channels, $height, $width)).unwrap();
        for batch in [0_usize, 1, 3] {
            let shape: (usize, Const<$channels>, usize, usize) = (batch, Const, $height, $width);
            let images = Cpu::default().try_tensor_from_vec(noise(shape.num_elements()), shape).unwrap();
            let expected = net.try_forward(images.clone()).unwrap();
            let found = compiled.try_forward(images).unwrap();
            assert_eq!(found.shape(), expected.shape());
            close(&view::read(&found), &view::read(&expected));
        }
    }};
}

fn same_bits(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits())
}

/// Numbers between -1 and 1.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0).sin()).collect()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 3e-6 * largest, "{found} {expected}, of at most {largest}");
    }
}

#[test]
fn stems_convolutions_norms_and_activations_are_one_step_each() {
    type Stem<const K: usize, const S: usize, const P: usize> =
        (Conv2D<3, 20, K, S, P>, BatchNorm2D<20>, Act<Pvlu, 20>, Conv2D<20, 33, 3, 2, 1, false>, BatchNorm2D<33>);
    let net = built::<Stem<3, 1, 1>>();
    // Taps, and two convolutions.
    assert_eq!(net.compile(Extent::image(3, 9, 6)).plan.steps().len(), 3);
    compare!(net, [3, 9, 6]);
    compare!(built::<Stem<7, 2, 3>>(), [3, 13, 10]);
    compare!(built::<Stem<5, 3, 0>>(), [3, 8, 11]);
    compare!(built::<Stem<1, 1, 0>>(), [3, 4, 4]);
    compare!(built::<(Conv2D<17, 16, 3, 1, 1>, Act<Relu, 16>)>(), [17, 5, 7]);
}

#[test]
fn a_norm_before_its_activation_and_one_that_another_layer_shares_are_steps_of_their_own() {
    type PreActivated = (BatchNorm2D<16>, Act<Pvlu, 16>, Conv2D<16, 16, 3, 1, 1>);
    compare!(built::<(Conv2D<3, 16, 3, 1, 1>, Residual<PreActivated>, Residual<PreActivated>)>(), [3, 6, 6]);
}

#[test]
fn residual_blocks_add_their_shortcut_in_the_last_convolution() {
    type Main<const I: usize, const S: usize> = (
        NormedConv2D<Conv2D<I, 16, 3, S, 1, false>, BatchNorm2D<16>>,
        Act<Pvlu, 16>,
        NormedConv2D<Conv2D<16, 16, 3, 1, 1, false>, BatchNorm2D<16>>,
    );
    type Plain = (Residual<Main<16, 1>>, Act<Pvlu, 16>);
    let net = built::<(Conv2D<3, 16, 3, 1, 1>, Plain, Plain)>();
    assert_eq!(net.compile(Extent::image(3, 7, 7)).plan.steps().len(), 1 + 1 + 2 + 2);
    compare!(net, [3, 7, 7]);
    type Projected = ProjectedResidual<Main<16, 2>, NormedConv2D<Conv2D<16, 16, 1, 2, 0>, BatchNorm2D<16>>>;
    let net = built::<(Conv2D<3, 16, 3, 1, 1>, (Projected, Act<Relu, 16>))>();
    assert_eq!(net.compile(Extent::image(3, 7, 7)).plan.steps().len(), 1 + 1 + 3);
    compare!(net, [3, 7, 7]);
    type Widened = ProjectedResidual<(Conv2D<16, 32, 3, 2, 1>, Act<Pvlu, 32>), SubsamplePad2D<16, 32, 2>>;
    compare!(built::<(Conv2D<3, 16, 1, 1>, Widened)>(), [3, 8, 5]);
    // The shortcut is the input, and the sum is of a tensor with itself.
    compare!(built::<Residual<Conv2D<3, 3, 3, 1, 1>>>(), [3, 5, 5]);
    compare!(built::<(Conv2D<3, 4, 1, 1>, Branches<(Identity, Identity)>, Add)>(), [3, 5, 5]);
}

#[test]
fn pools_and_what_reads_them_are_those_of_the_network() {
    type Net = (Conv2D<3, 20, 3, 1, 1>, MaxPool2D<3, 2, 1>, Act<Pvlu, 20>, AvgPool2D<2, 1, 1>, Conv2D<20, 5, 3, 1, 1>);
    compare!(built::<Net>(), [3, 9, 7]);
    compare!(built::<(Conv2D<3, 20, 3, 1, 1>, ZeroPaddedMaxPool2D<3, 2, 1>, Conv2D<20, 5, 3, 1, 1>)>(), [3, 9, 7]);
    compare!(built::<(AvgPool2D<2, 2>, Identity, MaxPool2D<2, 2>)>(), [5, 8, 9]);
    compare!(built::<(Conv2D<3, 20, 3, 1, 1>, GlobalAvgPool2D, Linear<20, 7>, Act<Pvlu, 7>)>(), [3, 4, 6]);
    compare!(
        built::<(Flatten2D<5, 4, 3, 60>, Linear<60, 40>, Act<Relu, 40>, Dropout<50>, Linear<40, 17>)>(),
        [5, 4, 3]
    );
    compare!(built::<(Conv2D<3, 6, 3>, Flatten2D<6, 2, 3, 36>, Act<Pvlu, 36>)>(), [3, 4, 5]);
}

#[test]
fn branches_are_joined_multiplied_and_repeated() {
    type Layer<const I: usize, const G: usize, const OUT: usize> =
        (Branches<(Identity, (BatchNorm2D<I>, Act<Pvlu, I>, Conv2D<I, G, 3, 1, 1, false>))>, Concat<OUT>);
    compare!(built::<(Layer<3, 5, 8>, Layer<8, 8, 16>, Layer<16, 16, 32>)>(), [3, 6, 4]);
    type Gate = (GlobalAvgPool2D, Linear<8, 2>, Act<Relu, 2>, Linear<2, 8>);
    compare!(
        built::<(Conv2D<3, 8, 3, 1, 1>, Branches<(Identity, Gate)>, Multiply, Conv2D<8, 4, 3, 1, 1>)>(),
        [3, 5, 5]
    );
    compare!(built::<(Branches<(Conv2D<3, 4, 1, 1>, Conv2D<3, 4, 1, 1>, Identity)>, Concat<11>)>(), [3, 5, 5]);
    type Below = (MaxPool2D<2, 2>, Conv2D<4, 4, 3, 1, 1>, Upsample2D<2>);
    compare!(
        built::<(Conv2D<1, 4, 3, 1, 1>, Branches<(Identity, Below)>, Concat<8>, Conv2D<8, 2, 3, 1, 1>)>(),
        [1, 8, 6]
    );
}

#[test]
fn activations_that_are_not_zero_at_zero_leave_no_trace_in_padding() {
    type Net = (Conv2D<3, 5, 3, 1, 1>, Act<Softplus, 5>, Conv2D<5, 18, 3, 1, 1>, Act<Softplus, 18>, GlobalAvgPool2D);
    compare!(built::<Net>(), [3, 6, 6]);
    // Its value in a channel that there is not would be no number.
    let mut net = built::<(Conv2D<3, 5, 3, 1, 1>, Act<Chosen, 5>, Conv2D<5, 18, 3, 1, 1>)>();
    net.1.choose(find("f = x/b + a; a = 1; b = 2").unwrap()).unwrap();
    compare!(net, [3, 6, 6]);
}

#[test]
fn layers_that_describe_more_than_they_compute_are_not_compiled() {
    let refused = |net: &dyn Visit<f32, Cpu>, layer: &str| {
        let error = net.try_compile(Extent::image(3, 6, 5)).unwrap_err();
        assert_eq!(error, Error::NotCompiled { layer: layer.to_owned() });
    };
    let mut net = built::<(Conv2D<3, 5, 3, 1, 1>, Act<PReluElement, 5>)>();
    choose_activation(&mut net, find("prelu_element").unwrap(), Extent::image(3, 6, 5), |param| param.start).unwrap();
    refused(&net, "1 (prelu_element)");
    refused(&built::<(Conv2D<3, 8, 3, 1, 1>, Linear<8, 4>)>(), "1 (Linear)");
    refused(&built::<(Branches<(Identity, Identity)>, Act<Pvlu, 6>)>(), "1 (pvlu)");
    refused(&built::<(Branches<(Identity, Identity)>, BatchNorm2D<6>)>(), "1 (BatchNorm2D)");
    refused(&built::<AvgPool2D<3, 1, 2>>(), " (AvgPool2D 3x3, stride 1, padding 2)");
    assert_eq!(
        built::<Linear<5, 4>>().try_compile(Extent::features(0)).unwrap_err(),
        Error::Shape { expected: 5, found: 0 }
    );
    let unset = built::<(GlobalAvgPool2D, LinearTo<3>)>();
    assert_eq!(unset.try_compile(Extent::image(3, 2, 2)).unwrap_err(), Error::NoOutputs);
}

#[test]
fn maps_one_after_another_share_their_memory() {
    type Layer = (Conv2D<16, 16, 3, 1, 1>, Act<Pvlu, 16>);
    let net = built::<(Layer, Layer, Layer, Layer, Layer)>();
    let compiled = net.compile(Extent::image(16, 8, 8));
    assert_eq!((compiled.plan.steps().len(), compiled.plan.buffers()), (6, 2));
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compiled);
    compare!(&net, [16, 8, 8]);
}

#[test]
fn a_head_whose_width_is_set_when_the_program_runs_has_it() {
    let mut net = built::<(GlobalAvgPool2D, LinearTo<3>)>();
    set_outputs(&mut net.1, 21).unwrap();
    net.visit_mut(&mut Path::root(), &mut Shake(3)).unwrap();
    compare!(net, [3, 2, 2]);
}

#[test]
fn two_heads_give_two_outputs() {
    type Heads = TwoHeads<(Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 8>), (GlobalAvgPool2D, Linear<8, 3>), Conv2D<8, 2, 1, 1>>;
    let net = built::<Heads>();
    let compiled = net.compile(Extent::image(3, 4, 4));
    assert_eq!(compiled.outputs(), [Extent::features(3), Extent::image(2, 4, 4)]);
    let images: Tensor<Rank4<2, 3, 4, 4>, f32, Cpu> = Cpu::seed_from_u64(1).sample_normal();
    let (first, second) = net.forward(images.clone());
    let found = compiled.try_run(&images.as_vec()).unwrap();
    close(&found[0], &first.as_vec());
    close(&found[1], &second.as_vec());
}

#[test]
fn images_of_other_sizes_and_layers_that_say_nothing_are_errors() {
    let net = built::<(Conv2D<3, 4, 3, 1, 1>, GlobalAvgPool2D)>();
    let compiled = net.compile(Extent::image(3, 4, 4));
    assert_eq!(compiled.try_run(&[0.0; 49]), Err(Error::Shape { expected: 48, found: 49 }));
    let other = Cpu::default().zeros_like(&(2_usize, Const::<3>, 4_usize, 5_usize));
    assert_eq!(compiled.try_forward(other).unwrap_err(), Error::Shape { expected: 4, found: 5 });
    let with_dfdx = built::<(Conv2D<3, 4, 3, 1, 1>, FromDfdx<Tanh>)>();
    let error = with_dfdx.try_compile(Extent::image(3, 4, 4)).unwrap_err();
    assert_eq!(error, Error::NotCompiled { layer: "1 (Tanh of dfdx)".to_owned() });
    let error = net.try_compile(Extent::image(4, 4, 4)).unwrap_err();
    assert_eq!(error, Error::Shape { expected: 3, found: 4 });
}

#[test]
fn a_network_that_is_consumed_computes_the_same() {
    let net = built::<Linear<5, 4>>();
    let x: Tensor<Rank2<3, 5>, f32, Cpu> = Cpu::seed_from_u64(1).sample_normal();
    let expected = net.forward(x.clone()).as_vec();
    let owned = net.clone().try_into_compiled(Extent::features(5)).unwrap();
    drop(net);
    close(&owned.forward(x).as_vec(), &expected);
}

#[test]
fn bits_depend_on_no_threads_no_instruction_set_and_no_batch() {
    type Main = (Conv2D<20, 20, 3, 1, 1>, BatchNorm2D<20>, Act<Pvlu, 20>);
    type Net = ((Conv2D<3, 20, 3, 1, 1>, Residual<Main>, MaxPool2D<2, 2>), GlobalAvgPool2D, Linear<20, 5>);
    let net = built::<Net>();
    let images = noise(63 * 192);
    let compiled = net.compile(Extent::image(3, 8, 8));
    // Two threads and eight take slices, of which the last is shorter; one takes the batch as a whole.
    assert_eq!([1, 2, 8].map(|threads| compiled.plan.load().images_of_a_slice(63, threads)), [None, Some(32), Some(8)]);
    let run = |images: &[f32]| -> Vec<u32> {
        compiled.try_run(images).unwrap()[0].iter().map(|logit| logit.to_bits()).collect()
    };
    let all = same_everywhere("a network", || run(&images));
    let one_by_one: Vec<u32> = images.chunks(192).flat_map(run).collect();
    assert_eq!(all, one_by_one);
}

#[test]
fn slices_of_several_outputs_are_put_together_in_order() {
    type Heads = TwoHeads<(Conv2D<3, 8, 3, 1, 1>, Act<Pvlu, 8>), (GlobalAvgPool2D, Linear<8, 3>), Conv2D<8, 2, 1, 1>>;
    let compiled = built::<Heads>().try_into_compiled(Extent::image(3, 4, 4)).unwrap();
    let images = noise(63 * 48);
    assert!(compiled.plan.load().images_of_a_slice(63, 2).is_some());
    let all = same_everywhere("two heads", || compiled.try_run(&images).unwrap());
    let mut one_by_one = vec![Vec::new(); 2];
    for image in images.chunks(48) {
        let found = compiled.try_run(image).unwrap();
        one_by_one.iter_mut().zip(found).for_each(|(all, found)| all.extend(found));
    }
    assert_eq!(all, one_by_one);
}

#[test]
fn windows_that_see_padding_alone_are_left_out() {
    compare!(built::<(Conv2D<17, 16, 3, 1, 1>, Conv2D<16, 16, 3, 2, 1>)>(), [17, 1, 1]);
    compare!(built::<(Conv2D<17, 16, 3, 1, 1>, Conv2D<16, 16, 3, 2, 1>)>(), [17, 2, 2]);
    compare!(built::<Conv2D<17, 16, 7, 1, 3>>(), [17, 2, 2]);
    compare!(built::<Conv2D<17, 16, 7, 1, 3>>(), [17, 1, 2]);
}

/// A network that is compiled for one image computes the same by other methods.
#[test]
fn methods_go_by_the_batch_that_a_network_is_compiled_for() {
    type Net = (Conv2D<3, 128, 3, 1, 1>, Conv2D<128, 128, 3, 1, 1>);
    let (net, input, images) = (built::<Net>(), Extent::image(3, 4, 4), noise(2 * 48));
    let run = |batch: usize| net.try_compile_for(input, batch).unwrap().try_run(&images).unwrap().swap_remove(0);
    let (one, many) = (run(1), run(100));
    assert_ne!(one, many);
    let largest = many.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    assert!(one.iter().zip(&many).all(|(one, many)| (one - many).abs() <= 1e-5 * largest));
    assert_eq!(net.compile(input).try_run(&images).unwrap()[0], run(8));
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let net = built::<(Conv2D<3, 20, 3, 1, 1>, Act<Pvlu, 20>, GlobalAvgPool2D)>();
    let compiled = net.compile(Extent::image(3, 8, 8));
    let images = |seed: usize| -> Vec<f32> { (0..192).map(|i| ((i + seed) as f32).sin()).collect() };
    let expected: Vec<_> = (0..4).map(|seed| compiled.try_run(&images(seed)).unwrap()).collect();
    std::thread::scope(|scope| {
        for (seed, expected) in expected.iter().enumerate() {
            let compiled = &compiled;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(&compiled.try_run(&images(seed)).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn a_trunk_ends_where_the_head_begins_or_behind_its_mean() {
    type Body = (Conv2D<3, 20, 3, 1, 1>, BatchNorm2D<20>, Act<Pvlu, 20>);
    type WithMean = TrunkAndHead<Body, (GlobalAvgPool2D, Linear<20, 5>)>;
    let net = built::<WithMean>();
    let size = Extent::image(3, 6, 7);
    let trunk = CompiledTrunk::of(&net, size, |_| true).unwrap().unwrap();
    assert_eq!(trunk.features(), Extent::image(20, 1, 1));
    let images = noise(3 * size.elements());
    let features = trunk.try_run(&images).unwrap();
    let shape: (usize, Const<3>, usize, usize) = (3, Const, 6, 7);
    let tensor = Cpu::default().try_tensor_from_vec(images.clone(), shape).unwrap();
    close(&features, &view::read(&(net.trunk.clone(), GlobalAvgPool2D).try_forward(tensor).unwrap()));
    let one_by_one = images.chunks(size.elements()).map(|image| trunk.try_run(image).unwrap());
    assert!(same_bits(&features, &one_by_one.collect::<Vec<_>>().concat()));
    assert!(matches!(trunk.try_run(&images[1..]), Err(Error::Shape { .. })));
    // The trunk as it was when it was compiled.
    let mut net = net;
    net.visit_mut(&mut Path::root(), &mut Shake(7)).unwrap();
    assert!(same_bits(&features, &trunk.try_run(&images).unwrap()));

    type Flattened = TrunkAndHead<Body, (Flatten2D<20, 6, 7, 840>, Linear<840, 5>)>;
    let trunk = CompiledTrunk::of(&built::<Flattened>(), size, |_| true).unwrap().unwrap();
    assert_eq!(trunk.features(), Extent::image(20, 6, 7));
    assert_eq!(trunk.try_run(&[]).unwrap(), []);

    // A head that takes no map of one pixel takes its own mean.
    let whole = CompiledTrunk::of(&net, size, |size| size != Extent::image(20, 1, 1)).unwrap().unwrap();
    assert_eq!(whole.features(), Extent::image(20, 6, 7));
    assert!(CompiledTrunk::of(&net, size, |_| false).unwrap().is_none());
    // This mean is the trunk's own, and the head takes features.
    let trunk = CompiledTrunk::of(&built::<TrunkAndHead<(Body, GlobalAvgPool2D), Linear<20, 5>>>(), size, |_| true);
    assert_eq!(trunk.unwrap().unwrap().features(), Extent::features(20));
}

#[test]
fn what_is_no_trunk_and_head_has_no_trunk() {
    type Body = (Conv2D<3, 4, 3, 1, 1>, Act<Relu, 4>);
    type Head = (GlobalAvgPool2D, Linear<4, 5>);
    let size = Extent::image(3, 6, 6);
    assert!(CompiledTrunk::of(&built::<(Body, Head)>(), size, |_| true).unwrap().is_none());
    // The mean is taken of a map that another layer of the head takes, too: that map is what the head is given.
    type Twice = TrunkAndHead<Body, (Branches<(GlobalAvgPool2D, (Flatten2D<4, 6, 6, 144>, Linear<144, 4>))>, Add)>;
    let trunk = CompiledTrunk::of(&built::<Twice>(), size, |_| true).unwrap().unwrap();
    assert_eq!(trunk.features(), Extent::image(4, 6, 6));
    // A head that takes the images, too, is not given one tensor.
    type Reads = Residual<TrunkAndHead<Conv2D<3, 3, 3, 1, 1>, Conv2D<3, 3, 3, 1, 1>>>;
    assert!(CompiledTrunk::of(&built::<Reads>(), size, |_| true).unwrap().is_none());
    // A layer without a kernel is an error in the trunk, and none in the head.
    type InTrunk = TrunkAndHead<(Conv2D<3, 4, 3, 1, 1>, FromDfdx<Tanh>), Head>;
    assert!(matches!(CompiledTrunk::of(&built::<InTrunk>(), size, |_| true), Err(Error::NotCompiled { .. })));
    type InHead = TrunkAndHead<Body, (GlobalAvgPool2D, Linear<4, 5>, FromDfdx<Tanh>)>;
    assert!(CompiledTrunk::of(&built::<InHead>(), size, |_| true).unwrap().is_some());
}

/// A layer that is run twice, with the same tensors.
struct Twice<M>(M);

impl<M: Visit<f32, Cpu>> Visit<f32, Cpu> for Twice<M> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<f32, Cpu>) -> Result<(), Error> {
        self.0.visit(path, visitor)
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<f32, Cpu>) -> Result<(), Error> {
        self.0.visit_mut(path, visitor)
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let once = self.0.describe(path, input, graph)?;
        self.0.describe(path, once, graph)
    }
}

#[test]
fn a_layer_that_stands_in_two_places_keeps_its_tensors_for_both() {
    // Less and more elements than those that are copied at first.
    fn check<M: BuildOnDevice<Cpu, f32>>(channels: usize)
    where
        M::Built: Visit<f32, Cpu> + Clone + 'static,
    {
        let (net, size) = (built::<M>(), Extent::image(channels, 4, 5));
        let images = noise(2 * size.elements());
        let once = net.compile(size).try_run(&images).unwrap().swap_remove(0);
        let expected = net.compile(size).try_run(&once).unwrap().swap_remove(0);
        let twice = Twice(net);
        close(&twice.compile(size).try_run(&images).unwrap()[0], &expected);
        close(&twice.try_into_compiled(size).unwrap().try_run(&images).unwrap()[0], &expected);
    }
    check::<Conv2D<16, 16, 3, 1, 1>>(16);
    check::<Conv2D<48, 48, 3, 1, 1>>(48);
}
