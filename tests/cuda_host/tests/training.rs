//! One training step of whole networks, in `f64`, on the device against the CPU: logits, every gradient, and every
//! tensor after the step.

mod support;

// What it is linked to takes the place of the driver.
use pvlu_cuda_host as _;

use dfdx::nn::{BuildOnDevice, DeviceBuildExt, ModuleMut, TensorCollection, ToDevice};
use dfdx::optim::{Momentum, Optimizer, Sgd, SgdConfig, WeightDecay};
use dfdx::prelude::SplitTape;
use dfdx::shapes::Const;
use dfdx::tensor::{Cpu, Cuda, Tensor};
use pvlu::activation::Pvlu;
use pvlu::layer::{Mode, Path, Switch, Visit};
use pvlu::loss::cross_entropy;
use pvlu::tape::{GradTape, TrackExt, try_backward};
use pvlu_zoo::resnet::cifar::ResNet20;
use pvlu_zoo::resnet::v2::ResNet50V2;
use pvlu_zoo::sequential::Sequential6Conv;

use support::{Collect, Results, Tested, compare, noise, wide};

type Batch<D, T> = Tensor<(usize, Const<3>, usize, usize), f64, D, T>;
type Logits<D, T> = Tensor<(usize, Const<10>), f64, D, T>;

/// A network of the zoo on a device.
trait Network<D: Tested<f64>>:
    ModuleMut<Batch<D, GradTape<f64, D>>, Output = Logits<D, GradTape<f64, D>>, Error = pvlu::Error>
    + Visit<f64, D>
    + TensorCollection<f64, D>
{
}
impl<N, D: Tested<f64>> Network<D> for N where
    N: ModuleMut<Batch<D, GradTape<f64, D>>, Output = Logits<D, GradTape<f64, D>>, Error = pvlu::Error>
        + Visit<f64, D>
        + TensorCollection<f64, D>
{
}

/// Forward, backward, and a step of dfdx's SGD.
fn step<D: Tested<f64>, N: Network<D>>(device: &D, net: &mut N, images: usize, side: usize) -> Results
where
    Sgd<N, f64, D>: Optimizer<N, D, f64>,
{
    net.set_mode(Mode::Train);
    net.seed_dropout(5);
    let batch: Batch<D, _> = device.tensor_from_vec(noise(images * 3 * side * side, 11), (images, Const, side, side));
    let logits = net.try_forward_mut(batch.track()).unwrap();
    let (values, tape) = logits.split_tape();
    let mut results = vec![("logits".to_owned(), wide(&values))];
    let labels: Vec<_> = (0..images).map(|i| (3 * i + 1) % 10).collect();
    let loss = cross_entropy(dfdx::prelude::PutTape::put_tape(values, tape), &labels);
    let mut gradients = try_backward(loss).unwrap();
    let mut collect = Collect { device, gradients: &mut gradients, results: &mut results };
    net.visit(&mut Path::root(), &mut collect).unwrap();
    let config =
        SgdConfig { lr: 0.05, momentum: Some(Momentum::Nesterov(0.9)), weight_decay: Some(WeightDecay::L2(1e-3)) };
    Sgd::new(net, config).update(net, &gradients.into_gradients()).unwrap();
    struct After<'a>(&'a mut Results);
    impl<D: Tested<f64>> pvlu::layer::Visitor<f64, D> for After<'_> {
        fn tensor(
            &mut self,
            slot: pvlu::layer::NamedTensor<'_>,
            tensor: &dyn pvlu::layer::AnyTensor<f64, D>,
        ) -> Result<(), pvlu::Error> {
            self.0.push((format!("{} after the step", slot.path), tensor.read()?.into_owned()));
            Ok(())
        }
    }
    net.visit(&mut Path::root(), &mut After(&mut results)).unwrap();
    results
}

/// Builds a network on the CPU, moves a copy of it to the device, and trains both.
fn check<N>(images: usize, side: usize)
where
    N: BuildOnDevice<Cpu, f64>,
    N::Built: Network<Cpu>,
    <N::Built as TensorCollection<f64, Cpu>>::To<f64, Cuda>: Network<Cuda>,
{
    let (cpu, gpu) = (Cpu::seed_from_u64(2), Cuda::default());
    let mut net = cpu.build_module::<N, f64>();
    let mut twin = net.to_device(&gpu);
    let found = step(&gpu, &mut twin, images, side);
    let expected = step(&cpu, &mut net, images, side);
    assert!(found.len() > 20, "a network has many tensors");
    compare(std::any::type_name::<N>(), &found, &expected, 1e-8);
}

#[test]
fn sequential6conv() {
    check::<Sequential6Conv<Pvlu, 10>>(3, 32);
}

#[test]
fn cifar_resnet20() {
    check::<ResNet20<Pvlu, 10>>(3, 32);
}

/// Of images of 32 x 32 its last batch norms see a pixel each: differences in the last place grow a hundredfold in
/// every one.
#[test]
fn resnet50v2() {
    check::<ResNet50V2<Pvlu, 10>>(2, 64);
}
