//! Activations with a parameter for each element of a map.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut};
use dfdx::shapes::{Const, Rank2, Rank4};

use super::*;
use crate::activation::{
    Activation, BUILT_IN, Chosen, Definition, PRelu, PReluElement, Param, Pvlu, Real, Relu, Written, find,
};
use crate::layer::builder;

const DEFINITION: fn() -> &'static Definition = Definition::of::<PReluElement>;

/// Tells a network the size of its images, and moves its tensors off their start values.
fn told<N: Visit<f64, Cpu>>(mut net: N, image: Extent) -> N {
    choose_activation(&mut net, DEFINITION(), image, |param| param.start).unwrap();
    shake(&mut net, 5);
    net
}

/// Slope of element `i` of each image.
fn reference(x: &[f64], slopes: &[f64]) -> Vec<f64> {
    x.iter().enumerate().map(|(i, &x)| if x > 0.0 { x } else { slopes[i % slopes.len()] * x }).collect()
}

#[test]
fn the_layer_is_its_formula_in_every_shape_and_differentiates_so() {
    fn check<A: Activation, const B: usize, const C: usize, const H: usize, const W: usize>() {
        let built = || Cpu::default().build_module::<builder::Act<A, C>, f64>();
        let mut layer = told(built(), Extent::image(C, H, W));
        assert!(layer.param("alpha").is_none());
        let slopes = layer.element_param("alpha").unwrap().as_vec();
        assert_eq!(slopes.len(), C * H * W);
        let off_the_kink = |x: &mut Tensor<Rank4<B, C, H, W>, f64, Cpu>| {
            view::with_mut(x, |values| values.iter_mut().for_each(|v| *v += 0.1 * v.signum())).unwrap();
        };
        for mut x in [random::<Rank4<B, C, H, W>, f64>(Default::default(), 2), permuted::<B, C, H, W>(3)] {
            off_the_kink(&mut x);
            let expected = reference(&x.as_vec(), &slopes);
            assert!(distance(&layer.forward(x.clone()).as_vec(), &expected) < 1e-15);
            // The output is written over its input, which no other tensor holds.
            assert_eq!(layer.forward(x.clone()).as_vec(), layer.forward_mut(x.clone()).as_vec());
            check_gradients(&mut layer, x, |layer, x| layer.forward(x));
        }
        let mut layer = told(built(), Extent::features(C));
        let mut x = random::<Rank2<B, C>, f64>(Default::default(), 4);
        view::with_mut(&mut x, |values| values.iter_mut().for_each(|v| *v += 0.1 * v.signum())).unwrap();
        let expected = reference(&x.as_vec(), &layer.element_param("alpha").unwrap().as_vec());
        assert!(distance(&layer.forward(x.clone()).as_vec(), &expected) < 1e-15);
        check_gradients(&mut layer, x, |layer, x| layer.forward(x));
    }
    check::<PReluElement, 2, 3, 4, 5>();
    check::<Chosen, 2, 3, 4, 5>();
    check::<Chosen, 1, 1, 7, 5>();
    check::<Chosen, 3, 5, 1, 1>();
}

#[test]
fn empty_batches_and_nan_pass() {
    let layer = told(Cpu::default().build_module::<builder::Act<Chosen, 3>, f64>(), Extent::image(3, 2, 2));
    let empty = zeros((0, Const::<3>, 2, 2));
    assert_eq!(layer.forward(empty.clone()).shape().concrete(), [0, 3, 2, 2]);
    let gradients = &mut try_backward(weigh(layer.forward(empty.track()), &[])).unwrap();
    assert_eq!(gradients_of(&layer, gradients), [("alpha".to_owned(), vec![0.0; 12])]);
    let mut x = random::<Rank4<2, 3, 2, 2>, f64>(Default::default(), 1);
    view::with_mut(&mut x, |values| values[7] = f64::NAN).unwrap();
    let y = layer.forward(x).as_vec();
    assert!(y[7].is_nan() && y.iter().filter(|y| y.is_nan()).count() == 1);
}

#[test]
fn a_map_of_another_size_is_an_error_that_names_both() {
    type Net = (builder::Conv2D<3, 4, 3, 2, 1>, builder::Act<Chosen, 4>);
    let mut net = Cpu::default().build_module::<Net, f64>();
    choose_activation(&mut net, DEFINITION(), Extent::image(3, 9, 6), |param| param.start).unwrap();
    let site = Site { map: Extent::image(4, 5, 3), image: Extent::image(3, 9, 6) };
    assert_eq!(net.1.site(), Some(site));
    net.forward(zeros((2, Const::<3>, 9, 6)));
    // Images of 10x5 give maps of as many elements, of another shape.
    for (height, width, found) in [(9, 7, "4x5x4"), (10, 5, "4x5x3"), (5, 9, "4x3x5")] {
        let ran = net.try_forward(zeros((2, Const::<3>, height, width)));
        if found == "4x5x3" {
            ran.unwrap();
            continue;
        }
        let error = ran.unwrap_err().to_string();
        let expected = format!(
            "activation prelu_element has a parameter for each element of a map of 4x5x3, as images of 3x9x6 give it; \
             found a map of {found}"
        );
        assert_eq!(error, expected);
    }
    // A typed one that was not told, and one that was told features.
    let layer = Cpu::default().build_module::<builder::Act<PReluElement, 4>, f64>();
    let error = layer.try_forward(zeros((2, Const::<4>, 2, 3))).unwrap_err();
    assert_eq!(error, Error::NoMapSize { activation: "prelu_element", found: "4x2x3".to_owned() });
    let mut layer = Cpu::default().build_module::<builder::Act<Chosen, 4>, f64>();
    layer.choose(DEFINITION()).unwrap();
    layer.forward(zeros((2, Const::<4>)));
    let error = layer.try_forward(zeros((2, Const::<4>, 1, 1))).unwrap_err();
    assert!(matches!(error, Error::MapSize { .. }), "{error}");
    // A network that does not take such images is as it was.
    let error = choose_activation(&mut net, DEFINITION(), Extent::image(1, 9, 6), |param| param.start).unwrap_err();
    assert_eq!((error, net.1.site()), (Error::Shape { expected: 3, found: 1 }, Some(site)));
}

#[test]
fn its_tensors_are_shown_counted_and_trained_as_those_of_other_activations() {
    type Net = (builder::Conv2D<3, 4, 3>, builder::Act<Chosen, 4>, builder::Flatten2D<4, 4, 3, 48>, Dense);
    type Dense = (builder::Linear<48, 5>, builder::Act<Chosen, 5>);
    let mut net = told(Cpu::seed_from_u64(1).build_module::<Net, f64>(), Extent::image(3, 6, 5));
    struct Dims(Vec<(String, ParamKind, Vec<usize>)>);
    impl Visitor<f64, Cpu> for Dims {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            if slot.kind == ParamKind::Activation {
                self.0.push((slot.path.to_owned(), slot.kind, tensor.dims()));
            }
            Ok(())
        }
    }
    let mut dims = Dims(Vec::new());
    net.visit(&mut Path::root(), &mut dims).unwrap();
    let expected = [("1.alpha", vec![4, 4, 3]), ("3.1.alpha", vec![5])];
    assert_eq!(dims.0, expected.map(|(path, dims)| (path.to_owned(), ParamKind::Activation, dims)));
    let found = summary(&net, Extent::image(3, 6, 5)).unwrap();
    assert_eq!(found.layers[1].counts, Counts { trained: 48, ..Counts::default() });
    let mut elements = 0;
    net.summarize(&mut Path::root(), Extent::image(3, 6, 5), &mut |layer| elements += layer.tensor_elements()).unwrap();
    assert_eq!((elements, found.totals.trained), (found.totals.parameters(), (27 * 4 + 4) + 48 + (49 * 5) + 5));

    net.freeze_activations(true);
    let y = net.forward(random::<Rank4<2, 3, 6, 5>, f64>(Default::default(), 3).track());
    let gradients = &mut try_backward(weigh(y, &noise(10, 5))).unwrap();
    let names: Vec<String> = gradients_of(&net, gradients).into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, ["0.weight", "0.bias", "3.0.weight", "3.0.bias"]);
}

#[test]
fn told_again_it_keeps_its_values_and_told_otherwise_it_has_others() {
    let mut layer = told(Cpu::default().build_module::<builder::Act<Chosen, 2>, f64>(), Extent::image(2, 3, 1));
    let values = |layer: &Act<Chosen, 2, f64, Cpu>| layer.element_param("alpha").map(|alpha| alpha.as_vec());
    let before = values(&layer).unwrap();
    let mut states = Vec::new();
    Switch::<f64, Cpu>::each_switch(&mut layer, |switches| states.push(switches.state()));
    Switch::<f64, Cpu>::freeze_activations(&mut layer, true);
    // As a checkpoint of switches puts them back.
    Switch::<f64, Cpu>::each_switch(&mut layer, |switches| switches.set(states[0]));
    assert_eq!((values(&layer), layer.frozen), (Some(before), false));
    // A layer that was built anew is what the states say.
    let mut other = Cpu::default().build_module::<builder::Act<Chosen, 2>, f64>();
    Switch::<f64, Cpu>::each_switch(&mut other, |switches| switches.set(states[0]));
    assert_eq!((other.site(), values(&other)), (layer.site(), Some(vec![0.0; 6])));

    choose_activation(&mut layer, DEFINITION(), Extent::image(2, 1, 3), |_| 0.5).unwrap();
    assert_eq!(values(&layer), Some(vec![0.5; 6]));
    layer.choose(Definition::of::<Pvlu>()).unwrap();
    assert_eq!((values(&layer), layer.site()), (None, None));
    assert_eq!(layer.param("alpha").unwrap().as_vec(), [0.5; 2]);
    layer.forward(zeros((1, Const::<2>, 4, 4)));
    // With other start values it is another activation.
    let slope = find("prelu_element; alpha = 0.25").unwrap();
    assert!(slope.is_per_element() && slope != DEFINITION());
    choose_activation(&mut layer, slope, Extent::image(2, 1, 3), |param| param.swapped).unwrap();
    assert_eq!(values(&layer), Some(vec![0.25; 6]));
}

#[test]
fn a_network_of_relu_is_swapped_at_the_type_level_or_by_choice_and_computes_the_same() {
    type Net<A> = (builder::Conv2D<3, 4, 3>, builder::Act<A, 4>, builder::GlobalAvgPool2D);
    let relu = || Cpu::seed_from_u64(1).build_module::<Net<Relu>, f64>();
    let x = random::<Rank4<2, 3, 6, 5>, f64>(Default::default(), 3);
    let expected = relu().forward(x.clone()).as_vec();
    let image = Extent::image(3, 6, 5);
    let mut typed = relu().swap_activation::<PReluElement>();
    choose_activation(&mut typed, DEFINITION(), image, |param| param.swapped).unwrap();
    assert_eq!(typed.forward(x.clone()).as_vec(), expected);
    let mut chosen = relu().swap_activation::<Chosen>();
    choose_activation(&mut chosen, DEFINITION(), image, |param| param.swapped).unwrap();
    assert_eq!(chosen.forward(x.clone()).as_vec(), expected);
    // No other activation takes its place without a swap.
    let error = choose_activation(&mut typed, Definition::of::<PRelu>(), image, |param| param.start).unwrap_err();
    assert_eq!(error, Error::NotChosen { expected: "prelu_element", found: "prelu" });
    assert_eq!(typed.forward(x).as_vec(), expected);
}

/// A channel of images is what dies, also where each element has parameters of its own.
#[test]
fn dead_units_are_those_of_channels() {
    let mut layer = Cpu::default().build_module::<builder::Act<Chosen, 3>, f64>();
    choose_activation(&mut layer, DEFINITION(), Extent::image(3, 2, 2), |param| param.start).unwrap();
    let x = Cpu::default().tensor_from_vec(
        vec![-1.0, -1.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0],
        (1, Const::<3>, 2, 2),
    );
    assert_eq!(crate::dead_units::watch(|| layer.forward(x)).1, [[true, false, true]]);
}

/// A bias for each element, as a user would write it.
#[derive(Clone, Copy, Debug, Default)]
struct Raised;

impl Activation for Raised {
    const NAME: &'static str = "raised";
    type Params<T: Copy> = [T; 2];
    const PARAMS: [Param; 2] = [Param::fixed("scale", 2.0), Param::trained("bias", 0.5).swapped(0.0)];
    const PER_ELEMENT: bool = true;

    #[inline(always)]
    fn value<R: Real>(x: R, [scale, bias]: [R; 2]) -> R {
        scale.mul_add(x, bias)
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, [scale, _]: [R; 2]) -> (R, [R; 2]) {
        (scale, [x, R::of(1.0)])
    }
}

#[test]
fn an_activation_of_a_users_own_has_parameters_for_each_element_by_saying_so() {
    fn check<A: Activation>()
    where
        builder::Act<A, 2>: BuildOnDevice<Cpu, f64, Built = Act<A, 2, f64, Cpu>>,
    {
        let mut layer = Cpu::default().build_module::<builder::Act<A, 2>, f64>();
        choose_activation(&mut layer, Definition::of::<Raised>(), Extent::image(2, 3, 3), |param| param.start).unwrap();
        assert_eq!(layer.element_param("scale").unwrap().as_vec(), [2.0; 18]);
        assert_eq!(layer.element_param("bias").unwrap().as_vec(), [0.5; 18]);
        shake(&mut layer, 1);
        check_gradients(&mut layer, random::<Rank4<2, 2, 3, 3>, f64>(Default::default(), 3), |layer, x| {
            layer.forward(x)
        });
    }
    check::<Raised>();
    check::<Chosen>();
}

#[test]
fn one_built_in_activation_and_no_formula_has_a_parameter_for_each_element() {
    let names: Vec<_> = BUILT_IN.iter().filter(|found| found.is_per_element()).map(|found| found.name()).collect();
    assert_eq!(names, ["prelu_element"]);
    assert!(!find("mine = max(x, 0) + a*min(x, 0); a = 0").unwrap().is_per_element());
    assert!(Written::parse("prelu_element = x").is_err(), "the name is taken");
    assert_eq!(DEFINITION().cuda(), None, "refused by name on a GPU");
}
