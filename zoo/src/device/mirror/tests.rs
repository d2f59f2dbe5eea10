//! The CPU as the other device: a model and its mirror train alike, bit for bit.

use dfdx::nn::DeviceBuildExt;
use dfdx::shapes::Const;
use pvlu::activation::{Pvlu, Relu};
use pvlu::layer::builder::{Act, BatchNorm2D, Conv2D, Dropout, GlobalAvgPool2D, Linear};
use pvlu::layer::{Extent, Mode, Switch};

use super::*;
use crate::registry::build;
use crate::snapshot::Snapshot;
use crate::train::{Optimizer, OptimizerConfig};
use crate::transfer::FreezePolicy;

type Net<A> = (Conv2D<3, 8, 3, 1, 1>, BatchNorm2D<8>, Act<A, 8>, Dropout<25>, (GlobalAvgPool2D, Linear<8, 10>));
type Small<N> = Classifier<N, Const<32>, Const<32>, Const<10>>;

fn images(batch: usize, seed: usize) -> Vec<f32> {
    (0..batch * 3 * 32 * 32).map(|i| ((i * 7 + seed) as f32 * 0.37).sin()).collect()
}

/// A classifier, and a mirror of one that is equal.
fn pair() -> [Box<dyn Model>; 2] {
    let net = Cpu::seed_from_u64(3).build_module::<Net<Pvlu>, f32>();
    let mirror = Mirror::try_new(Small::cifar(net.clone()), Device::Cuda(0), || Ok(Cpu::default())).unwrap();
    [Box::new(Small::cifar(net)), Box::new(mirror)]
}

#[test]
fn a_mirror_trains_as_its_original() {
    let mut models = pair();
    let mut optimizers = [0; 2].map(|_| Optimizer::new(OptimizerConfig::adam()));
    for (step, policy) in [FreezePolicy::NONE, FreezePolicy::ACTIVATIONS, FreezePolicy::NONE].into_iter().enumerate() {
        let mut seen = Vec::new();
        for (model, optimizer) in models.iter_mut().zip(&mut optimizers) {
            if step == 0 {
                model.seed_dropout(9);
            }
            policy.apply(model.net_mut());
            model.set_mode(Mode::Train);
            let mut result = model.step(images(3, step), &[1, 7, 3]).unwrap();
            optimizer.update(model.as_mut(), &mut result.gradients, 0.1).unwrap();
            model.set_mode(Mode::Eval);
            let logits = model.logits(images(2, 50)).unwrap();
            seen.push((result.loss, result.logits, logits, Snapshot::of(model.as_ref()).unwrap()));
        }
        assert_eq!(seen[0], seen[1], "step {step}");
    }
}

#[test]
fn what_is_written_on_the_host_is_computed_with() {
    let [original, mut mirror] = pair();
    let other = Small::cifar(Cpu::seed_from_u64(4).build_module::<Net<Pvlu>, f32>());
    Snapshot::of(&other).unwrap().restore(mirror.as_mut()).unwrap();
    let logits = mirror.logits(images(2, 1)).unwrap();
    assert_eq!(logits, other.logits(images(2, 1)).unwrap());
    assert_ne!(logits, original.logits(images(2, 1)).unwrap());
}

#[test]
fn an_unreached_parameter_has_no_gradient() {
    let [mut original, mut mirror] = pair();
    for model in [&mut original, &mut mirror] {
        FreezePolicy::ACTIVATIONS.apply(model.net_mut());
        model.set_mode(Mode::Train);
        let gradients = model.step(images(1, 1), &[0]).unwrap().gradients;
        let mut reached = Vec::new();
        struct Reached<'a>(&'a LeafGradients<f32, Cpu>, &'a mut Vec<String>);
        impl Visitor<f32, Cpu> for Reached<'_> {
            fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), Error> {
                if self.0.reached_id(tensor.id()) {
                    self.1.push(slot.path.to_owned());
                }
                Ok(())
            }
        }
        model.net().visit(&mut Path::root(), &mut Reached(&gradients, &mut reached)).unwrap();
        assert_eq!(reached, ["2.alpha", "2.beta"]);
    }
}

#[test]
fn channels_that_live_on_the_device_are_seen() {
    let dataset = crate::data::Dataset::procedural(10, 8, 1, 5).unwrap();
    let normalization = crate::data::Normalization::measured(&dataset.train).unwrap();
    let config = crate::data::LoaderConfig::evaluation(3, normalization);
    let loader = crate::data::Loader::new(std::sync::Arc::new(dataset.train), config).unwrap();
    let [original, mirror] = pair().map(|mut model| {
        crate::train::dead_units(model.as_mut(), &loader, &mut || std::ops::ControlFlow::Continue(())).unwrap().unwrap()
    });
    assert_eq!(original, mirror);
    assert!(mirror.iter().any(|layer| layer.dead() < layer.alive.len()));
}

/// The library of a device may panic where it fails.
#[test]
fn a_panic_on_the_device_is_an_error() {
    let net = Cpu::seed_from_u64(3).build_module::<Net<Relu>, f32>();
    let open = || -> Result<Cpu, Error> { panic!("no driver") };
    let error = Mirror::try_new(Small::cifar(net), Device::Cuda(0), open).unwrap_err();
    assert!(error.to_string().contains("no driver"), "{error}");
}

#[test]
fn a_model_without_the_device_says_so() {
    let model = build("cifar_resnet20", "relu", 10, 1).unwrap();
    let error = model.to_device(Device::Cpu).unwrap().to_device(Device::Cuda(99)).err().expect("there is no such GPU");
    assert!(error.to_string().starts_with("cuda:99: "), "{error}");
    let net = Cpu::seed_from_u64(3).build_module::<Net<Relu>, f32>();
    let error = Box::new(Small::cifar(net)).to_device(Device::Cuda(0)).err().expect("it has no way there");
    assert!(error.to_string().contains("the CPU alone"), "{error}");
}

/// A layer with any number of outputs, and an activation that is chosen, are told again on the device; dfdx moves
/// neither.
#[test]
fn what_is_chosen_is_chosen_on_the_device_too() {
    use pvlu::activation::{Chosen, find};
    use pvlu::layer::builder::LinearTo;
    use pvlu::layer::choose_activation;

    type Open = (Conv2D<3, 8, 3, 1, 1>, Act<Chosen, 8>, (GlobalAvgPool2D, LinearTo<8>));
    for text in ["mine = max(x, 0) + a*tanh(x); a = 0.5", "prelu_element; alpha = 0.25"] {
        let chosen = find(text).unwrap();
        let built = || {
            let mut net = Cpu::seed_from_u64(3).build_module::<Open, f32>();
            choose_activation(&mut net, chosen, Extent::image(3, 32, 32), |param| param.start).unwrap();
            let mut model = Classifier::try_with_classes(net, 32, 32, 7).unwrap();
            crate::init::he_for(&mut model.net, chosen, 1).unwrap();
            model
        };
        let mut original = built();
        let mut mirror = Mirror::try_new(built(), Device::Cuda(0), || Ok(Cpu::default())).unwrap();
        assert_eq!(mirror.classes(), 7);
        let expected = original.logits(images(2, 1)).unwrap();
        assert!(expected.iter().any(|logit| *logit != 0.0));
        assert_eq!(mirror.logits(images(2, 1)).unwrap(), expected);
        let mut optimizers = [0; 2].map(|_| Optimizer::new(OptimizerConfig::adam()));
        let models: [&mut dyn Model; 2] = [&mut original, &mut mirror];
        for (model, optimizer) in models.into_iter().zip(&mut optimizers) {
            let mut step = model.step(images(3, 2), &[6, 0, 3]).unwrap();
            optimizer.update(model, &mut step.gradients, 0.1).unwrap();
        }
        assert_ne!(original.logits(images(2, 1)).unwrap(), expected);
        assert_eq!(mirror.logits(images(2, 1)).unwrap(), original.logits(images(2, 1)).unwrap());
    }
}

/// The network that computes has the precision that the host says, set before the move or after it.
#[test]
fn a_precision_moves_with_the_network() {
    use pvlu::Precision;

    fn precisions<D: Host<f32>>(net: &mut dyn Visit<f32, D>) -> Vec<Precision> {
        let mut found = Vec::new();
        net.each_switch(|switches| found.extend(precision_of(switches)));
        found
    }
    fn precision_of(switches: Switches<'_>) -> Option<Precision> {
        if let Switches::Weights { precision, .. } = switches { Some(*precision) } else { None }
    }
    let mut original = Small::cifar(Cpu::seed_from_u64(3).build_module::<Net<Pvlu>, f32>());
    original.set_precision(Precision::Bf16);
    let mut mirror = Mirror::try_new(original, Device::Cuda(0), || Ok(Cpu::default())).unwrap();
    assert_eq!(mirror.twin.run(|twin| precisions(&mut twin.net)).unwrap(), [Precision::Bf16; 2]);
    for precision in [Precision::Bf16x3, Precision::F32] {
        Model::set_precision(&mut mirror, precision);
        assert_eq!(mirror.twin.run(|twin| precisions(&mut twin.net)).unwrap(), [precision; 2]);
        assert_eq!(precisions(mirror.net_mut()), [precision; 2]);
    }
}
