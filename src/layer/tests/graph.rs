//! The graphs that blocks describe themselves by.

use super::*;
use crate::activation::{Pvlu, Relu};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear, NormedConv2D};

/// A graph as text: of each layer its number, its path, its kind and the numbers of the layers that it takes, `in` for
/// the input.
fn drawn<M>(image: Extent) -> String
where
    M: dfdx::nn::BuildOnDevice<Cpu, f64>,
    M::Built: Visit<f64, Cpu>,
{
    let graph = Graph::of(&shaken::<M>(1), image).unwrap();
    let name = |wire: Wire| wire.node().map_or("in".to_owned(), |node| node.to_string());
    let names = |wires: &[Wire]| wires.iter().copied().map(name).collect::<Vec<_>>().join(" ");
    let line = |(number, node): (usize, &Node)| {
        let Node { path, kind, inputs, output, .. } = node;
        format!("{number} {path}: {kind} of {} = {output}\n", names(inputs))
    };
    let lines: String = graph.nodes.iter().enumerate().map(line).collect();
    format!("{lines}gives {}", names(&graph.outputs))
}

#[test]
fn a_residual_block_adds_its_input_to_its_main_branch() {
    type Block = Residual<(Conv2D<4, 4, 3, 1, 1, false>, BatchNorm2D<4>, Act<Pvlu, 4>)>;
    let expected = "\
0 0.main.0: Conv2D 3x3, stride 1, padding 1, no bias of in = 4x6x6
1 0.main.1: BatchNorm2D of 0 = 4x6x6
2 0.main.2: pvlu of 1 = 4x6x6
3 0: sum of the branches of 2 in = 4x6x6
4 1: relu of 3 = 4x6x6
gives 4";
    assert_eq!(drawn::<(Block, Act<Relu, 4>)>(Extent::image(4, 6, 6)), expected);
}

#[test]
fn a_projection_takes_what_the_main_branch_takes() {
    // As the first block of a stage with pre-activation: both branches take the pre-activated tensor.
    type Block = (Act<Pvlu, 4>, ProjectedResidual<NormedConv2D<Conv2D<4, 8, 3, 2, 1>, BatchNorm2D<8>>, Shortcut>);
    type Shortcut = SubsamplePad2D<4, 8, 2>;
    let expected = "\
0 0: pvlu of in = 4x6x6
1 1.main.conv: Conv2D 3x3, stride 2, padding 1 of 0 = 8x3x3
2 1.main.norm: BatchNorm2D of 1 = 8x3x3
3 1.shortcut: SubsamplePad2D, stride 2 of 0 = 8x3x3
4 1: sum of the branches of 2 3 = 8x3x3
gives 4";
    assert_eq!(drawn::<Block>(Extent::image(4, 6, 6)), expected);
}

#[test]
fn a_layer_of_a_densenet_joins_new_channels_to_those_before() {
    type Dense<const I: usize, const O: usize> =
        (Branches<(Identity, (Act<Relu, I>, Conv2D<I, 3, 3, 1, 1>))>, Concat<O>);
    let expected = "\
0 0.0.0: Identity of in = 4x5x5
1 0.0.1.0: relu of in = 4x5x5
2 0.0.1.1: Conv2D 3x3, stride 1, padding 1 of 1 = 3x5x5
3 0.1: Concat of 0 2 = 7x5x5
4 1.0.0: Identity of 3 = 7x5x5
5 1.0.1.0: relu of 3 = 7x5x5
6 1.0.1.1: Conv2D 3x3, stride 1, padding 1 of 5 = 3x5x5
7 1.1: Concat of 4 6 = 10x5x5
gives 7";
    assert_eq!(drawn::<(Dense<4, 7>, Dense<7, 10>)>(Extent::image(4, 5, 5)), expected);
}

#[test]
fn the_gate_of_squeeze_and_excite_multiplies_the_map_that_it_is_computed_of() {
    type Gate = (GlobalAvgPool2D, Linear<8, 2>, Act<Relu, 2>, Linear<2, 8>);
    let expected = "\
0 0.0: Identity of in = 8x4x4
1 0.1.0: GlobalAvgPool2D of in = 8
2 0.1.1: Linear of 1 = 2
3 0.1.2: relu of 2 = 2
4 0.1.3: Linear of 3 = 8
5 1: product of the branches of 0 4 = 8x4x4
gives 5";
    assert_eq!(drawn::<(Branches<(Identity, Gate)>, Multiply)>(Extent::image(8, 4, 4)), expected);
}

#[test]
fn a_level_of_a_u_net_joins_the_map_with_what_went_below() {
    type Below = (MaxPool2D<2, 2>, Conv2D<3, 6, 3, 1, 1>, Upsample2D<2>);
    let expected = "\
0 0.0: Identity of in = 3x8x6
1 0.1.0: MaxPool2D 2x2, stride 2, padding 0 of in = 3x4x3
2 0.1.1: Conv2D 3x3, stride 1, padding 1 of 1 = 6x4x3
3 0.1.2: Upsample2D, factor 2 of 2 = 6x8x6
4 1: Concat of 0 3 = 9x8x6
gives 4";
    assert_eq!(drawn::<(Branches<(Identity, Below)>, Concat<9>)>(Extent::image(3, 8, 6)), expected);
}

#[test]
fn a_network_without_layers_gives_its_input_and_two_heads_give_two_tensors() {
    let nothing = Graph::of::<f64, Cpu>(&(), Extent::features(3)).unwrap();
    assert_eq!((nothing.nodes.len(), &nothing.outputs[..]), (0, &[Wire::INPUT][..]));
    let heads = TwoHeads { trunk: Identity, first: GlobalAvgPool2D, second: (Identity, GlobalAvgPool2D) };
    let graph = Graph::of::<f64, Cpu>(&heads, Extent::image(3, 2, 2)).unwrap();
    assert_eq!(
        graph.nodes.iter().map(|node| node.inputs[0].node()).collect::<Vec<_>>(),
        [None, Some(0), Some(0), Some(2)]
    );
    assert_eq!(graph.outputs.iter().map(|wire| wire.node()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!(
        [graph.extent(Wire::INPUT), graph.extent(graph.outputs[1])],
        [Extent::image(3, 2, 2), Extent::features(3)]
    );
}

#[test]
fn a_batch_norm_brings_its_epsilon_and_no_other_layer_does() {
    type Net = (Conv2D<3, 4, 1>, BatchNorm2D<4, crate::layer::KerasResNet>);
    let graph = Graph::of(&shaken::<Net>(1), Extent::image(3, 2, 2)).unwrap();
    assert_eq!(graph.nodes.iter().map(|node| node.epsilon).collect::<Vec<_>>(), [None, Some(1.001e-5)]);
}

#[test]
fn layers_that_do_not_fit_have_no_graph() {
    type Net = (Conv2D<3, 4, 3>, Linear<5, 2>);
    let error = Graph::of(&shaken::<Net>(1), Extent::image(3, 2, 2)).unwrap_err();
    assert!(matches!(error, Error::Window { size: 2, kernel: 3, .. }), "{error}");
    let error = Graph::of(&shaken::<Net>(1), Extent::image(3, 3, 3)).unwrap_err();
    assert_eq!(error, Error::Shape { expected: 5, found: 4 });
}
