use dfdx::nn::modules::Repeated;
use dfdx::nn::{BuildOnDevice, DeviceBuildExt, Module, ModuleMut, NumParams, ToDevice, ToDtype};
use dfdx::shapes::{Const, Rank4};
use dfdx::tensor::AsArray;

use super::*;
use crate::activation::{Activation, PRelu, Pvlu};
use crate::layer::builder::{Act, BatchNorm2D, Conv2D, Linear};
use crate::loss::try_cross_entropy;

type Block<A> = (Conv2D<4, 4, 3, 1, 1, false>, BatchNorm2D<4>, Act<A, 4>);
type Net<A> = (
    (Conv2D<3, 4, 3, 1, 1>, Act<A, 4>),
    Repeated<Block<A>, 2>,
    MaxPool2D<2, 2>,
    (Dropout<25>, Flatten2D<4, 4, 4, 64>, Linear<64, 5>),
);

fn loss_and_gradients<A: Activation>(threads: usize) -> (f64, Vec<(String, Vec<f32>)>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut net = Cpu::seed_from_u64(1).build_module::<Net<A>, f32>();
        net.set_mode(Mode::Train);
        net.seed_dropout(2);
        let x = random::<Rank4<6, 3, 8, 8>, f32>(Default::default(), 3);
        let loss = try_cross_entropy(net.forward_mut(x.track()), &[0, 1, 2, 3, 4, 0]).unwrap();
        let value = f64::from(view::read(&loss)[0]);
        let mut gradients = try_backward(loss).unwrap();
        (value, gradients_of(&net, &mut gradients))
    })
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let one = loss_and_gradients::<Pvlu>(1);
    assert_eq!(one.1.len(), 2 + 2 + 2 * (1 + 2 + 2) + 2);
    assert!(one.1.iter().all(|(_, gradient)| gradient.iter().any(|&g| g != 0.0)));
    assert_eq!(one, loss_and_gradients::<Pvlu>(2));
    assert_eq!(one, loss_and_gradients::<Pvlu>(3));
    assert_eq!(loss_and_gradients::<PRelu>(1), loss_and_gradients::<PRelu>(2));
}

#[test]
fn a_whole_network_has_right_gradients() {
    let mut net = shaken::<Net<Pvlu>>(4);
    net.set_mode(Mode::Train);
    let x = random::<Rank4<2, 3, 8, 8>, f64>(Default::default(), 5);
    check_gradients(&mut net, x, |net, x| net.forward(x));
}

#[test]
fn sizes_known_to_the_compiler_and_at_run_time_run_through_the_same_network() {
    let net = shaken::<(Conv2D<3, 4, 3, 2, 1>, Act<Pvlu, 4>, MaxPool2D<2, 2>, GlobalAvgPool2D, Linear<4, 2>)>(6);
    let typed = random::<_, f64>((2, Const::<3>, Const::<32>, Const::<32>), 7);
    let untyped = Cpu::default().try_tensor_from_vec(typed.as_vec(), (2, Const::<3>, 32, 32)).unwrap();
    assert_eq!(net.forward(typed).as_vec(), net.forward(untyped).as_vec());
}

#[test]
fn dfdx_counts_builds_and_moves_the_layers() {
    let dev = Cpu::seed_from_u64(8);
    let net = dev.build_module::<Net<Pvlu>, f32>();
    let convolutions = 3 * 4 * 9 + 4 + 2 * 4 * 4 * 9;
    assert_eq!(net.num_trainable_params(), convolutions + 3 * 8 + 2 * 8 + 64 * 5 + 5);
    let moved = net.to_device(&Cpu::default());
    assert_eq!(moved.0.0.weight.array(), net.0.0.weight.array());
    assert_eq!(moved.0.1.alpha().array(), [0.5; 4]);
    let double: <Net<Pvlu> as BuildOnDevice<Cpu, f64>>::Built = net.to_dtype::<f64>();
    assert_eq!(double.3.2.weight.array()[0][0], f64::from(net.3.2.weight.array()[0][0]));

    // Weights of He: variance 2 / fan-in.
    let weights = dev.build_module::<Linear<400, 100>, f32>().weight.as_vec();
    let variance = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / weights.len() as f64;
    assert!((variance / (2.0 / 400.0) - 1.0).abs() < 0.03, "{variance}");
    assert_eq!(
        Cpu::seed_from_u64(9).build_module::<Linear<4, 3>, f32>().weight.array(),
        Cpu::seed_from_u64(9).build_module::<Linear<4, 3>, f32>().weight.array()
    );
}

#[test]
fn networks_are_send_and_sync() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&Cpu::default().build_module::<Net<Pvlu>, f32>());
}
