use dfdx::nn::Module;
use dfdx::prelude::{Backward, SumTo, Trace, TryAdd, WithEmptyTape};
use dfdx::shapes::{Rank0, Rank4};
use dfdx::tensor::{Merge, OwnedTape, Tape};

use super::*;
use crate::activation::Pvlu;
use crate::layer::builder;

type Images = Rank4<2, 3, 4, 4>;
type Block = ((builder::Conv2D<3, 3, 3, 1, 1>, builder::Act<Pvlu, 3>), builder::Conv2D<3, 3, 1>);
type Built = <Block as dfdx::nn::BuildOnDevice<Cpu, f64>>::Built;

/// The source of the tape of a residual block's branch.
#[derive(Clone, Copy)]
enum Branch {
    /// As this crate does it.
    Fork,
    /// As dfdx's `Residual` does it.
    Empty,
}

/// `g(f(x) + x)`, where the sum is dfdx's.
fn residual<T: Track<f64, Cpu> + Merge<T>>(
    net: &Built,
    x: Tensor<Images, f64, Cpu, T>,
    branch: Branch,
) -> Tensor<Images, f64, Cpu, T> {
    let branch = match branch {
        Branch::Fork => {
            let (x, tape) = x.split_tape();
            let fork = tape.fork();
            let (y, branch) = net.0.forward(x.clone().put_tape(fork)).split_tape();
            let sum = y.put_tape(branch).try_add(x.put_tape(tape)).unwrap();
            return net.1.forward(sum);
        }
        Branch::Empty => net.0.forward(x.with_empty_tape()),
    };
    net.1.forward(branch.try_add(x).unwrap())
}

#[test]
fn residual_blocks_of_dfdx_operations_have_right_gradients() {
    for branch in [Branch::Fork, Branch::Empty] {
        let x = random::<Images, f64>(Default::default(), 1);
        let mut net = shaken::<Block>(2);
        check_gradients(&mut net, x.clone(), |net, x| residual(net, x, branch));

        // dfdx's own tape agrees, on every parameter and the input.
        let (theirs, ours) = both(&net, &x, branch);
        assert_eq!(theirs, ours);
    }
}

fn both(net: &Built, x: &Tensor<Images, f64, Cpu>, branch: Branch) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let pick = |grads: &dfdx::tensor::Gradients<f64, Cpu>| {
        vec![
            grads.get(&net.0.0.weight).as_vec(),
            grads.get(net.0.1.alpha()).as_vec(),
            grads.get(&net.1.weight).as_vec(),
            grads.get(x).as_vec(),
        ]
    };
    let theirs: Tensor<Images, f64, Cpu, OwnedTape<f64, Cpu>> = residual(net, x.leaky_trace(), branch);
    let ours = residual(net, x.clone().track_input(), branch);
    (pick(&theirs.sum::<Rank0, _>().backward()), pick(&try_backward(ours.sum::<Rank0, _>()).unwrap().into_gradients()))
}

#[test]
fn a_frozen_branch_hands_on_what_lies_below_it() {
    for branch in [Branch::Fork, Branch::Empty] {
        let x = random::<Images, f64>(Default::default(), 3);
        let mut net = shaken::<(builder::Conv2D<3, 3, 1>, Block)>(4);
        net.1.0.0.frozen = true;
        net.1.0.1.frozen = true;
        // The lowest layer is trained, so the frozen branch above it must carry its gradient.
        check_gradients(&mut net, x, |net, x| residual(&net.1, net.0.forward(x), branch));
    }
}

#[test]
fn a_fork_of_an_untrained_beginning_records_nothing() {
    let mut net = shaken::<Block>(5);
    net.0.0.frozen = true;
    net.0.1.frozen = true;
    let (x, tape) = random::<Images, f64>(Default::default(), 6).track().split_tape();
    let (_, branch) = net.0.forward(x.put_tape(tape.fork())).split_tape();
    assert!(!branch.requires_grad());
}

#[test]
fn a_tensor_used_three_times_gets_the_sum_of_its_gradients() {
    let layer = shaken::<builder::Act<Pvlu, 3>>(7);
    let x = random::<Images, f64>(Default::default(), 8);
    let mut net = layer;
    check_gradients(&mut net, x, |layer, x| {
        let (x, tape) = x.split_tape();
        let once = layer.forward(x.clone().put_tape(tape.fork()));
        let twice = layer.forward(x.clone().put_tape(tape.fork()));
        once.try_add(twice).unwrap().try_add(x.put_tape(tape)).unwrap()
    });
}

#[test]
fn leaves_are_reached_and_others_are_not() {
    let net = shaken::<Block>(9);
    let x = random::<Images, f64>(Default::default(), 10);
    let y = net.0.forward(x.clone().track_input());
    let mut gradients = try_backward(weigh(y, &noise::<f64>(96, 11))).unwrap();
    assert!(gradients.reached(&net.0.0.weight) && gradients.reached(&x));
    assert!(gradients.get_mut(&x).unwrap().unwrap().iter().any(|&g| g != 0.0));
    assert!(!gradients.reached(&net.1.weight) && gradients.get_mut(&net.1.weight).is_none());
    // An operation of dfdx's own hides which parameters it reached.
    let y = net.0.forward(x.clone().track()).try_add(x).unwrap();
    let gradients = try_backward(weigh(y, &noise::<f64>(96, 11))).unwrap();
    assert!(gradients.reached(&net.1.weight));
    const { assert!(<GradTape<f64, Cpu> as Tape<f64, Cpu>>::OWNS_TAPE) };
}
