use dfdx::nn::{Module, ZeroSizedModule};
use dfdx::shapes::{Const, Rank2, Rank4};
use dfdx::tensor::OwnedTape;

use super::*;
use crate::activation::{Pvlu, Relu};
use crate::layer::builder::{Act, Conv2D, Linear};

type Map = Rank4<2, 3, 3, 5>;

/// A module with nothing in it, for functions of tensors.
#[derive(Default)]
struct Nothing;
impl ZeroSizedModule for Nothing {}
crate::layer::visit::nothing_to_visit!([] Nothing, |input: Extent| (LayerKind::Flatten, Ok(input)));

#[test]
fn sums_products_and_joined_channels_are_those_of_their_formulas() {
    let [a, b, c] = [1, 2, 3].map(|seed| random::<Map, f64>(Default::default(), seed));
    let of = |f: fn(f64, f64, f64) -> f64| -> Vec<f64> {
        let (a, b, c) = (a.as_vec(), b.as_vec(), c.as_vec());
        (0..a.len()).map(|i| f(a[i], b[i], c[i])).collect()
    };
    assert_eq!(Add.forward((a.clone(), b.clone(), c.clone())).as_vec(), of(|a, b, c| (a + b) + c));
    assert_eq!(Multiply.forward((a.clone(), b.clone(), c.clone())).as_vec(), of(|a, b, c| (a * b) * c));
    let gate = random::<Rank2<2, 3>, f64>(Default::default(), 4);
    let gated: Vec<f64> =
        a.as_vec().chunks(15).zip(gate.as_vec()).flat_map(|(x, g)| x.iter().map(move |x| x * g)).collect();
    assert_eq!(Multiply.forward((a.clone(), gate.clone())).as_vec(), gated);
    let pixel =
        Cpu::default().try_tensor_from_vec(gate.as_vec(), (Const::<2>, Const::<3>, Const::<1>, Const::<1>)).unwrap();
    assert_eq!(Multiply.forward((a.clone(), pixel)).as_vec(), gated);

    let narrow = random::<Rank4<2, 1, 3, 5>, f64>(Default::default(), 5);
    let joined: Tensor<Rank4<2, 7, 3, 5>, f64, Cpu> = Concat::<7>.forward((a.clone(), narrow.clone(), b.clone()));
    let (a, narrow, b) = (a.as_vec(), narrow.as_vec(), b.as_vec());
    let expected: Vec<f64> = (0..2)
        .flat_map(|n| [&a[45 * n..45 * (n + 1)], &narrow[15 * n..15 * (n + 1)], &b[45 * n..45 * (n + 1)]].concat())
        .collect();
    assert_eq!(joined.as_vec(), expected);
    let features = Concat::<3>.forward((zeros((2, Const::<1>)), zeros((2, Const::<2>))));
    assert_eq!(features.shape().concrete(), [2, 3]);
}

#[test]
fn upsampling_repeats_rows_and_columns() {
    let x = random::<Rank4<2, 3, 2, 3>, f64>(Default::default(), 1);
    let y: Tensor<Rank4<2, 3, 4, 6>, f64, Cpu> = Upsample2D::<2>.forward(x.clone());
    for (i, y) in y.as_vec().into_iter().enumerate() {
        let (row, column) = (i / 6, i % 6);
        assert_eq!(y, x.as_vec()[row / 2 * 3 + column / 2]);
    }
    let run_time = random((1, Const::<2>, 3, 1), 2);
    assert_eq!(Upsample2D::<3>.forward(run_time.clone()).shape().concrete(), [1, 2, 9, 3]);
    check_gradients(&mut Upsample2D::<2>, x, |layer, x| layer.forward(x));
    check_gradients(&mut Upsample2D::<3>, run_time, |layer, x| layer.forward(x));
    check_gradients(&mut Upsample2D::<2>, permuted::<2, 3, 2, 3>(3), |layer, x| layer.forward(x));
}

#[test]
fn every_input_gets_its_gradient_and_one_of_several_branches_their_sum() {
    let x = random::<Map, f64>(Default::default(), 1);
    // The input twice, through a convolution, and permuted.
    type Net<const OUT: usize, J> = (Branches<(Identity, Conv2D<3, OUT, 3, 1, 1>, Identity)>, J, Act<Pvlu, OUT>);
    check_gradients(&mut shaken::<Net<3, Add>>(2), x.clone(), |net, x| net.forward(x));
    check_gradients(&mut shaken::<Net<3, Multiply>>(3), x.clone(), |net, x| net.forward(x));
    check_gradients(&mut shaken::<Net<3, Add>>(4), permuted::<2, 3, 3, 5>(5), |net, x| net.forward(x));
    check_gradients(&mut shaken::<Net<3, Multiply>>(6), permuted::<2, 3, 3, 5>(7), |net, x| net.forward(x));
    type Joined = (Branches<(Identity, Conv2D<3, 4, 3, 1, 1>, Identity)>, Concat<10>, Conv2D<10, 2, 1>);
    check_gradients(&mut shaken::<Joined>(8), x.clone(), |net, x| net.forward(x));
    check_gradients(&mut shaken::<Joined>(9), permuted::<2, 3, 3, 5>(10), |net, x| net.forward(x));
    type Gated = (Branches<(Conv2D<3, 3, 1>, (GlobalAvgPool2D, Linear<3, 3>))>, Multiply);
    check_gradients(&mut shaken::<Gated>(11), x.clone(), |net, x| net.forward(x));
    check_gradients(&mut Nothing, x, |_, x: Tracked<Map>| {
        let (x, tape) = x.split_tape();
        Multiply.forward((x.clone().put_tape(tape), x.put_tape(GradTape::default())))
    });
}

#[test]
fn an_empty_batch_runs_and_has_gradients() {
    type Net =
        (Branches<(Identity, Upsample)>, Concat<4>, Branches<(Identity, (GlobalAvgPool2D, Linear<4, 4>))>, Multiply);
    type Upsample = (MaxPool2D<2, 2>, Conv2D<3, 1, 1>, Upsample2D<2>);
    let mut net = shaken::<Net>(1);
    for batch in [0, 1] {
        let x = random((batch, Const::<3>, 4, 6), 2);
        assert_eq!(net.forward(x.clone()).shape().concrete(), [batch, 4, 4, 6]);
        check_gradients(&mut net, x, |net, x| net.forward(x));
    }
}

#[test]
fn nothing_is_recorded_where_nobody_wants_a_gradient() {
    type Net = (Branches<(Identity, Conv2D<3, 3, 1>)>, Add, Branches<(Identity, Identity)>, Concat<6>);
    let mut net = shaken::<Net>(1);
    Switch::<f64, Cpu>::freeze_weights(&mut net, true);
    let x = random::<Map, f64>(Default::default(), 2);
    let (_, tape) = net.forward(x.clone().track()).split_tape();
    assert!(!Track::<f64, Cpu>::requires_grad(&tape));

    // Of a product the frozen factor gets none, and the other one does.
    type Gated = (Branches<(Identity, (GlobalAvgPool2D, Linear<3, 3>))>, Multiply);
    let net = shaken::<Gated>(3);
    let y = net.forward(x.clone().track());
    let mut gradients = try_backward(weigh(y, &noise(90, 4))).unwrap();
    assert!(gradients.get_mut(&x).is_none());
    assert_eq!(gradients_of(&net, &mut gradients).len(), 2);
}

#[test]
fn both_kinds_of_tape_give_the_same_gradients() {
    use dfdx::prelude::{Backward, SumTo};
    type Net = (Branches<(Identity, Conv2D<3, 3, 3, 1, 1>)>, Multiply, Branches<(Identity, Identity)>, Concat<6>);
    let net = shaken::<Net>(1);
    let x = random::<Map, f64>(Default::default(), 2);
    let y = net.forward(x.clone().track_input());
    let ours = try_backward(weigh(y, &[1.0; 180])).unwrap().into_gradients();
    let theirs = net.forward(x.clone().put_tape(OwnedTape::default())).sum::<Rank0, _>().backward();
    assert_eq!(ours.get(&x).as_vec(), theirs.get(&x).as_vec());
}

#[test]
fn not_a_number_passes_through_every_operation() {
    let x = Cpu::default().try_tensor_from_vec(vec![f64::NAN; 2], (1, Const::<2>, 1, 1)).unwrap();
    let zero = zeros((1, Const::<2>, 1, 1));
    let all_nan = |values: Vec<f64>| values.iter().all(|value| value.is_nan());
    assert!(all_nan(Add.forward((x.clone(), zero.clone())).as_vec()));
    assert!(all_nan(Multiply.forward((zero.clone(), x.clone())).as_vec()));
    assert!(all_nan(Multiply.forward((x.clone(), zeros((1, Const::<2>)))).as_vec()));
    assert!(all_nan(Upsample2D::<2>.forward(x.clone()).as_vec()));
    assert!(all_nan(Concat::<4>.forward((zero, x)).as_vec()[2..].to_vec()));
}

#[test]
fn run_time_sizes_that_differ_are_an_error() {
    let (map, wide) = (zeros((2, Const::<3>, 4, 5)), zeros((2, Const::<3>, 4, 6)));
    let misfit = Error::Shape { expected: 5, found: 6 };
    assert_eq!(Add.try_forward((map.clone(), wide.clone())).unwrap_err(), misfit);
    assert_eq!(Concat::<6>.try_forward((map.clone(), wide.clone())).unwrap_err(), misfit);
    assert_eq!(Multiply.try_forward((map.clone(), wide)).unwrap_err(), misfit);
    let batch = Error::Shape { expected: 2, found: 3 };
    assert_eq!(Multiply.try_forward((map.clone(), zeros((3, Const::<3>)))).unwrap_err(), batch);
    assert_eq!(Multiply.try_forward((map.clone(), zeros((3, Const::<3>, 1, 1)))).unwrap_err(), batch);
    let row = Error::Shape { expected: 4, found: 1 };
    assert_eq!(Multiply.try_forward((map, zeros((2, Const::<3>, 1, 5)))).unwrap_err(), row);
}

#[test]
fn the_summary_shows_what_branches_give_and_operations_make_of_it() {
    type Net = (Branches<(Identity, (MaxPool2D<2, 2>, Conv2D<1, 3, 1>, Upsample2D<2>))>, Concat<4>, Act<Relu, 4>);
    let found = summary(&shaken::<Net>(1), Extent::image(1, 6, 4)).unwrap();
    let table = "\
layer  kind                                output  parameters
       input                                1x6x4
0.0    Identity                             1x6x4
0.1.0  MaxPool2D 2x2, stride 2, padding 0   1x3x2
0.1.1  Conv2D 1x1, stride 1, padding 0      3x3x2           6
0.1.2  Upsample2D, factor 2                 3x6x4
1      Concat                               4x6x4
2      relu                                 4x6x4
parameters: 6 trained, 0 frozen; running statistics: 0; multiply-adds: 18
";
    assert_eq!(found.to_string(), table, "{found}");
    let odd = summary(&shaken::<Net>(1), Extent::image(1, 5, 4)).unwrap_err();
    assert_eq!(odd, Error::Shape { expected: 20, found: 16 });

    let pair =
        summary::<f64, Cpu>(&shaken::<Branches<(Identity, GlobalAvgPool2D)>>(2), Extent::image(3, 2, 2)).unwrap();
    assert_eq!(pair.layers.len(), 2);
    assert_eq!(
        summary::<f64, Cpu>(&shaken::<(Identity, Add)>(3), Extent::image(3, 2, 2)).unwrap_err(),
        Error::TensorCount { expected: "two to six", found: 1 }
    );
    type Nested = Branches<(Identity, Branches<(Identity, Identity)>)>;
    assert_eq!(
        summary::<f64, Cpu>(&shaken::<Nested>(3), Extent::image(3, 2, 2)).unwrap_err(),
        Error::TensorCount { expected: "one", found: 2 }
    );
}

#[test]
fn a_residual_block_is_the_sum_of_two_branches_bit_for_bit() {
    type Main = (Conv2D<3, 3, 3, 1, 1>, Act<Pvlu, 3>);
    let block = shaken::<builder::Residual<Main>>(1);
    let branches = (Branches((block.main.clone(), Identity)), Add);
    let x = random::<Map, f64>(Default::default(), 2);
    let gradients = |y: Tracked<Map>| try_backward(weigh(y, &noise(90, 3))).unwrap();
    let (ours, theirs) = (block.forward(x.clone().track_input()), branches.forward(x.clone().track_input()));
    assert_eq!(ours.as_vec(), theirs.as_vec());
    let (mut ours, mut theirs) = (gradients(ours), gradients(theirs));
    let paths = |found: Vec<(String, Vec<f64>)>| found.into_iter().map(|(_, gradient)| gradient).collect::<Vec<_>>();
    assert_eq!(paths(gradients_of(&block, &mut ours)), paths(gradients_of(&branches, &mut theirs)));
    assert_eq!(ours.into_gradients().get(&x).as_vec(), theirs.into_gradients().get(&x).as_vec());
}

#[test]
fn named_parameters_lists_paths_kinds_shapes_and_what_is_trained() {
    type Net = Branches<(builder::NormedConv2D<Conv2D<1, 2, 3>, builder::BatchNorm2D<2>>, Identity)>;
    let mut net = shaken::<Net>(1);
    Switch::<f64, Cpu>::freeze_weights(&mut net, true);
    let found: Vec<_> = named_parameters(&net).into_iter().map(|p| (p.path, p.kind, p.shape, p.trained)).collect();
    let expected = [
        ("0.conv.weight", ParamKind::Weight, vec![2, 1, 3, 3], false),
        ("0.conv.bias", ParamKind::Bias, vec![2], false),
        ("0.norm.scale", ParamKind::Scale, vec![2], true),
        ("0.norm.shift", ParamKind::Shift, vec![2], true),
        ("0.norm.running_mean", ParamKind::RunningMean, vec![2], false),
        ("0.norm.running_var", ParamKind::RunningVariance, vec![2], false),
    ];
    assert_eq!(found, expected.map(|(path, kind, shape, trained)| (path.to_owned(), kind, shape, trained)));
}
