//! Layers that are told what they are when the program runs, against those whose types say it.

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module};
use dfdx::shapes::{Const, Rank2, Rank4};
use dfdx::tensor::AsArray;

use super::*;
use crate::activation::{BUILT_IN, Chosen, Definition, PRelu, Param, Pvlu, Relu, find};
use crate::layer::builder;

/// Name, kind and values of every tensor.
fn tensors(net: &dyn Visit<f64, Cpu>) -> Vec<(String, ParamKind, Vec<f64>)> {
    struct See(Vec<(String, ParamKind, Vec<f64>)>);
    impl Visitor<f64, Cpu> for See {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
            self.0.push((slot.path.to_owned(), slot.kind, tensor.read()?.into_owned()));
            Ok(())
        }
    }
    let mut see = See(Vec::new());
    net.visit(&mut Path::root(), &mut see).unwrap();
    see.0
}

type Images = Tracked<(Const<2>, Const<3>, Const<6>, Const<5>)>;
type Net<A> = (builder::Conv2D<3, 4, 3>, builder::Act<A, 4>, builder::GlobalAvgPool2D);

/// The output of a network, and the gradients of all that it trains.
fn computed<A: crate::activation::Activation>(
    net: &mut <Net<A> as BuildOnDevice<Cpu, f64>>::Built,
) -> (Vec<f64>, Vec<(String, Vec<f64>)>)
where
    Net<A>: BuildOnDevice<Cpu, f64>,
    <Net<A> as BuildOnDevice<Cpu, f64>>::Built:
        Visit<f64, Cpu> + Module<Images, Output = Tracked<(Const<2>, Const<4>)>, Error = Error>,
{
    let x = random::<Rank4<2, 3, 6, 5>, f64>(Default::default(), 3);
    let y = net.try_forward(x.track()).unwrap();
    let values = view::read(&y).into_owned();
    let mut gradients = try_backward(weigh(y, &noise(values.len(), 5))).unwrap();
    let mut collect = Collect { gradients: &mut gradients, found: Vec::new() };
    net.visit(&mut Path::root(), &mut collect).unwrap();
    (values, collect.found)
}

#[test]
fn a_chosen_activation_is_the_typed_one_to_the_last_bit() {
    fn check<A: crate::activation::Activation>() {
        let built = |seed| Cpu::seed_from_u64(seed);
        let mut typed = built(1).build_module::<Net<A>, f64>();
        let mut chosen = built(1).build_module::<Net<Chosen>, f64>();
        choose_activation(&mut chosen, Definition::of::<A>(), Extent::image(3, 6, 5), |param| param.start).unwrap();
        assert_eq!(tensors(&chosen), tensors(&typed), "{}: names, roles and start values", A::NAME);
        shake(&mut typed, 7);
        shake(&mut chosen, 7);
        assert_eq!(computed::<Chosen>(&mut chosen), computed::<A>(&mut typed), "{}", A::NAME);
        let summarized = |net: &dyn Visit<f64, Cpu>| {
            let mut seen = Vec::new();
            net.summarize(&mut Path::root(), Extent::image(3, 6, 5), &mut |layer| {
                seen.push((layer.kind, layer.output))
            })
            .unwrap();
            seen
        };
        assert_eq!(summarized(&chosen), summarized(&typed));
        let swapped = built(1).build_module::<Net<Relu>, f64>().swap_activation::<A>();
        let mut from_relu = built(1).build_module::<Net<Relu>, f64>().swap_activation::<Chosen>();
        choose_activation(&mut from_relu, Definition::of::<A>(), Extent::image(3, 6, 5), |param| param.swapped)
            .unwrap();
        assert_eq!(tensors(&from_relu), tensors(&swapped), "{} after a swap", A::NAME);
    }
    check::<Relu>();
    check::<PRelu>();
    check::<crate::activation::Elu>();
    check::<Pvlu>();
}

#[test]
fn a_chosen_layer_is_relu_until_something_else_is_chosen() {
    let mut layer = Cpu::default().build_module::<builder::Act<Chosen, 3>, f64>();
    let x = random::<Rank2<2, 3>, f64>(Default::default(), 1);
    let relu: Vec<f64> = x.as_vec().into_iter().map(|x| x.max(0.0)).collect();
    assert_eq!(layer.forward(x.clone()).as_vec(), relu);
    assert_eq!((tensors(&layer).len(), layer.definition().name()), (0, "relu"));
    for &activation in BUILT_IN {
        layer.choose(activation).unwrap();
        let names: Vec<String> = tensors(&layer).into_iter().map(|(name, ..)| name).collect();
        assert!(names.iter().eq(activation.params().iter().map(|param| param.name)), "{}", activation.name());
        assert!(layer.param("no such").is_none());
    }
    let mine = find("mine = x*sigmoid(a*x) + b; a = 2; fixed b = 0.5").unwrap();
    layer.choose(mine).unwrap();
    assert_eq!(layer.param("a").unwrap().array(), [2.0; 3]);
    let expected: Vec<f64> = x.as_vec().into_iter().map(|x| x / (1.0 + (-2.0 * x).exp()) + 0.5).collect();
    assert!(distance(&layer.forward(x).as_vec(), &expected) < 1e-13);
    assert_eq!(mine.params()[1], Param::fixed("b", 0.5));
}

#[test]
fn a_typed_layer_takes_no_other_activation() {
    let mut net = Cpu::default().build_module::<(builder::Act<Chosen, 2>, builder::Act<Relu, 2>), f64>();
    let error =
        choose_activation(&mut net, Definition::of::<Pvlu>(), Extent::features(2), |param| param.start).unwrap_err();
    assert_eq!(error, Error::NotChosen { expected: "relu", found: "pvlu" });
    choose_activation(&mut net, Definition::of::<Relu>(), Extent::features(2), |param| param.start).unwrap();
}

#[test]
fn a_layer_to_any_number_of_outputs_is_the_typed_one_to_the_last_bit() {
    let dev = Cpu::default();
    let mut typed = dev.build_module::<builder::Linear<7, 5>, f64>();
    let mut open = dev.build_module::<builder::LinearTo<7>, f64>();
    let x = random::<Rank2<3, 7>, f64>(Default::default(), 2);
    assert_eq!(open.try_forward(x.clone()).unwrap_err(), Error::NoOutputs);
    assert_eq!((open.outputs(), tensors(&open).len()), (0, 0));
    set_outputs(&mut open, 5).unwrap();
    assert!(tensors(&open).iter().all(|(.., values)| values.iter().all(|value| *value == 0.0)));
    Visit::<f64, Cpu>::visit_mut(&mut typed, &mut Path::root(), &mut Zero).unwrap();
    shake(&mut typed, 7);
    shake(&mut open, 7);
    assert_eq!(tensors(&open), tensors(&typed));
    let y = open.forward(x.clone());
    assert_eq!(*y.shape(), (Const::<3>, 5));
    assert_eq!(y.as_vec(), typed.forward(x.clone()).as_vec());
    check_gradients(&mut open, x.clone(), |layer, x| layer.forward(x));
    // The same number again changes nothing; another one begins anew.
    let before = tensors(&open);
    set_outputs(&mut open, 5).unwrap();
    assert_eq!(tensors(&open), before);
    set_outputs(&mut open, 1).unwrap();
    assert_eq!((open.outputs(), open.weight().unwrap().as_vec()), (1, vec![0.0; 7]));
    check_gradients(&mut open, x, |layer, x| layer.forward(x));
    open.frozen = true;
    let mut frozen = Vec::new();
    Switch::<f64, Cpu>::each_switch(&mut open, |switches| {
        frozen.push(matches!(switches, Switches::Weights { frozen: true, outputs: Some(1), .. }));
    });
    assert_eq!(frozen, [true]);
}

struct Zero;

impl VisitorMut<f64, Cpu> for Zero {
    fn tensor(&mut self, _: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f64, Cpu>) -> Result<(), Error> {
        tensor.with_mut(&mut |values| values.fill(0.0))
    }
}
