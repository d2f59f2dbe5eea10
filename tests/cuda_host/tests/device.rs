//! The device as a user meets it: memory that can be read and written, models that move, errors that say what is
//! missing.

// Values are made of the system's sine, whose last bits do not matter here.
#![allow(clippy::disallowed_methods)]

use dfdx::nn::{DeviceBuildExt, Module, ToDevice};
use dfdx::prelude::{SampleTensor, TensorFrom, TensorFromVec, ZerosTensor};
use dfdx::shapes::{Const, Rank0, Rank1, Rank3};
use dfdx::tensor::{Cpu, Cuda, Tensor};
use dfdx::tensor_ops::{BroadcastTo, ReshapeTo};
use pvlu::activation::{Activation, BUILT_IN, Param, Pvlu, Real};
use pvlu::backend::Kernels;
use pvlu::kernel::cuda::{Gpu, activation, open, view};
use pvlu::layer::builder::Act;
use pvlu::layer::{AnyTensor, Mode, NamedTensor, Path, Visit, VisitorMut};
use pvlu::{Error, dead_units};
use pvlu_zoo::device::{Device, Mirror};
use pvlu_zoo::model::{Classifier, Model};
use pvlu_zoo::resnet::cifar::ResNet20;
use pvlu_zoo::snapshot::Snapshot;
use pvlu_zoo::train::{Optimizer, OptimizerConfig};
use pvlu_zoo::transfer::FreezePolicy;
// What it is linked to takes the place of the driver.
use pvlu_cuda_host as _;

#[test]
fn a_tensor_is_read_where_it_lies() {
    let device = Cuda::default();
    let gpu = Gpu::of(&device).unwrap();
    let tensor: Tensor<Rank3<2, 3, 4>, f32, _> = device.sample_normal();
    assert_eq!(gpu.to_host(view::read(&tensor)).unwrap(), tensor.as_vec());
    let scalar: Tensor<Rank0, f64, _> = device.tensor(4.0);
    assert_eq!(gpu.to_host(view::read(&scalar)).unwrap(), [4.0]);
    // Another shape of the same buffer, and a part of it that is read meanwhile.
    let flat = tensor.clone().reshape::<Rank1<24>>();
    assert_eq!(gpu.to_host(view::read(&flat)).unwrap(), tensor.as_vec());
    assert!(<Cuda as Kernels<f32>>::is_contiguous(&flat).unwrap());
}

#[test]
#[should_panic(expected = "the tensor is contiguous")]
fn a_broadcast_tensor_has_no_elements_side_by_side() {
    let row: Tensor<Rank1<4>, f32, Cuda> = Cuda::default().zeros();
    view::read(&row.broadcast::<Rank3<2, 3, 4>, _>());
}

#[test]
fn a_layer_is_written_from_the_host_and_keeps_its_identity() {
    struct Fill;
    impl VisitorMut<f32, Cuda> for Fill {
        fn tensor(&mut self, _: NamedTensor<'_>, tensor: &mut dyn AnyTensor<f32, Cuda>) -> Result<(), Error> {
            let before = tensor.id();
            tensor.with_mut(&mut |values| values.iter_mut().enumerate().for_each(|(i, value)| *value = i as f32))?;
            assert_eq!(tensor.id(), before);
            Ok(())
        }
    }
    let device = Cuda::default();
    let mut layer = device.build_module::<Act<Pvlu, 3>, f32>();
    let clone = layer.clone();
    layer.visit_mut(&mut Path::root(), &mut Fill).unwrap();
    assert_eq!(layer.alpha().as_vec(), [0.0, 1.0, 2.0]);
    assert_eq!(clone.alpha().as_vec(), [0.5; 3]);
    let back = layer.to_device(&Cpu::default());
    assert_eq!(back.beta().as_vec(), [0.0, 1.0, 2.0]);
}

#[test]
fn every_activation_that_says_so_has_kernels_with_its_parameters() {
    let on_cuda = || BUILT_IN.iter().filter_map(|activation| Some((activation, activation.cuda()?)));
    assert!(on_cuda().count() >= 16);
    for (activation, formula) in on_cuda() {
        assert_eq!(activation::params(formula), Some(activation.params().len()), "{}", activation.name());
    }
    for (formula, _) in activation::formulas() {
        assert!(on_cuda().any(|(_, of)| of == *formula), "{formula} is the formula of no activation");
    }
}

#[test]
fn an_activation_of_another_crate_is_refused_by_its_name() {
    #[derive(Clone, Copy, Debug, Default)]
    struct Cube;
    impl Activation for Cube {
        const NAME: &'static str = "cube";
        type Params<T: Copy> = [T; 0];
        const PARAMS: [Param; 0] = [];
        fn value<R: Real>(x: R, _: [R; 0]) -> R {
            x * x * x
        }
        fn derivatives<R: Real>(x: R, _: [R; 0]) -> (R, [R; 0]) {
            (R::of(3.0) * x * x, [])
        }
    }
    let device = Cuda::default();
    let layer = device.build_module::<Act<Cube, 2>, f32>();
    let x: Tensor<(usize, Const<2>), f32, _> = device.zeros_like(&(3, Const));
    assert_eq!(layer.try_forward(x).unwrap_err(), Error::NoKernel { activation: "cube" });
}

#[test]
fn a_nan_stays_one() {
    let device = Cuda::default();
    let layer = device.build_module::<Act<Pvlu, 2>, f32>();
    let x: Tensor<(usize, Const<2>), f32, _> = device.tensor_from_vec(vec![f32::NAN, 1.0], (1, Const));
    let y = layer.forward(x).as_vec();
    assert!(y[0].is_nan() && y[1] > 1.0, "{y:?}");
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    for number in [99, 1 << 32, usize::MAX] {
        let Err(error) = open(number, 0) else { panic!("there is no GPU {number}") };
        let error = error.to_string();
        assert!(error.contains("no GPU of this number") && error.contains("numbered from 0"), "{error}");
    }
}

#[test]
fn dead_channels_are_seen() {
    let device = Cuda::default();
    let layer = device.build_module::<Act<pvlu::activation::Relu, 2>, f32>();
    let x: Tensor<(usize, Const<2>), f32, _> = device.tensor_from_vec(vec![-1.0, 1.0, -2.0, -1.0], (2, Const));
    let (_, alive) = dead_units::watch(|| layer.forward(x));
    assert_eq!(alive, [[false, true]]);
}

#[cfg(feature = "host")]
#[test]
fn what_is_frozen_is_not_computed() {
    use dfdx::prelude::OnesTensor;
    use pvlu::layer::builder::Conv2D;
    use pvlu::layer::{Switch, Switches};
    use pvlu::tape::{TrackExt, try_backward};
    let device = Cuda::default();
    let mut net = device.build_module::<(Conv2D<2, 3, 3, 1, 1>, Act<Pvlu, 3>, pvlu::layer::GlobalAvgPool2D), f32>();
    let mut launched = [0; 2];
    for (frozen, launched) in [false, true].into_iter().zip(&mut launched) {
        net.each_switch(|switches| {
            if let Switches::Weights { frozen: weights, .. } = switches {
                *weights = frozen;
            }
        });
        let before = pvlu_cuda_host::launches();
        let x: Tensor<(usize, Const<2>, usize, usize), f32, _> = device.ones_like(&(2, Const, 5, 5));
        let loss = pvlu::loss::cross_entropy(net.forward(x.track()), &[0, 2]);
        let gradients = try_backward(loss).unwrap();
        assert_eq!(gradients.reached(&net.0.weight), !frozen);
        *launched = pvlu_cuda_host::launches() - before;
    }
    assert!(launched[1] + 3 <= launched[0], "{launched:?}");
}

/// The zoo's model trains on the device as on the CPU, the optimizer on the host.
#[test]
fn a_model_of_the_zoo_moves_to_the_device() {
    let net = Cpu::seed_from_u64(1).build_module::<ResNet20<Pvlu, 10>, f32>();
    let mirror = Mirror::try_new(Classifier::cifar(net.clone()), Device::Cuda(0), || open(0, 0)).unwrap();
    let mut models: [Box<dyn Model>; 2] = [Box::new(Classifier::cifar(net)), Box::new(mirror)];
    let images: Vec<f32> = (0..2 * 3 * 32 * 32).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut seen = Vec::new();
    for model in &mut models {
        let mut optimizer = Optimizer::new(OptimizerConfig::sgd(0.9, true, 1e-4));
        for policy in [FreezePolicy::NONE, FreezePolicy::ACTIVATIONS] {
            policy.apply(model.net_mut());
            model.set_mode(Mode::Train);
            let mut step = model.step(images.clone(), &[3, 8]).unwrap();
            optimizer.update(model.as_mut(), &mut step.gradients, 0.01).unwrap();
        }
        model.set_mode(Mode::Eval);
        let mut values = Vec::new();
        let snapshot = Snapshot::of(model.as_ref()).unwrap();
        model.tensors(&mut |tensor| values.push((tensor.slot.path.to_owned(), tensor.values.to_vec()))).unwrap();
        assert!(!values.is_empty());
        values.push(("logits".to_owned(), model.logits(images.clone()).unwrap()));
        seen.push((snapshot, values));
    }
    for ((path, expected), (_, found)) in seen[0].1.iter().zip(&seen[1].1) {
        let typical = (expected.iter().map(|e| e * e).sum::<f32>() / expected.len() as f32).sqrt();
        for (expected, found) in expected.iter().zip(found) {
            assert!((found - expected).abs() <= 1e-3 * typical.max(1e-3), "{path}: {found}, expected {expected}");
        }
    }
    assert_ne!(seen[0].0, seen[1].0, "two devices round differently");
}
