use super::*;
use crate::kernel::cpu::testing::{bits, narrow, relative_l2, same_everywhere, tolerance, values};

const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 7, 3),
    (3, 1, 5),
    (2, 513, 10),
    (17, 33, 65),
    (129, 130, 131),
    (300, 20, 140),
    (64, 300, 1),
    (128, 512, 100),
];

/// The results of every kernel on the same data: `y`, then the gradients added onto
/// `start`.
fn run<E: Element>(n: usize, i: usize, o: usize, start: &[f64]) -> [Vec<E>; 4] {
    let x: Vec<E> = narrow(&values(n * i, 1));
    let weight: Vec<E> = narrow(&values(o * i, 2));
    let bias: Vec<E> = narrow(&values(o, 3));
    let grad_output: Vec<E> = narrow(&values(n * o, 4));
    let mut y = vec![E::nan(); n * o];
    forward([n, i, o], &x, &weight, Some(&bias), &mut y);
    let mut grad_x: Vec<E> = narrow(&start[..n * i]);
    let mut grad_weight: Vec<E> = narrow(&start[..o * i]);
    let mut grad_bias: Vec<E> = narrow(&start[..o]);
    backward_input([n, i, o], &weight, &grad_output, &mut grad_x, Write::Add);
    backward_weight([n, i, o], &x, &grad_output, &mut grad_weight);
    backward_bias([n, i, o], &grad_output, &mut grad_bias);
    [y, grad_x, grad_weight, grad_bias]
}

/// The same in `f64`, straight from the formulas.
fn reference(n: usize, i: usize, o: usize, start: &[f64]) -> [Vec<f64>; 4] {
    let (x, weight) = (values(n * i, 1), values(o * i, 2));
    let (bias, grad_output) = (values(o, 3), values(n * o, 4));
    let mut y = vec![0.0; n * o];
    let mut grad_x = start[..n * i].to_vec();
    let mut grad_weight = start[..o * i].to_vec();
    let mut grad_bias = start[..o].to_vec();
    for row in 0..n {
        for out in 0..o {
            let pulled = grad_output[row * o + out];
            let mut sum = bias[out];
            for input in 0..i {
                sum += x[row * i + input] * weight[out * i + input];
                grad_x[row * i + input] += pulled * weight[out * i + input];
                grad_weight[out * i + input] += pulled * x[row * i + input];
            }
            y[row * o + out] = sum;
            grad_bias[out] += pulled;
        }
    }
    [y, grad_x, grad_weight, grad_bias]
}

fn check<E: Element>(n: usize, i: usize, o: usize) {
    let start = values((n * i).max(o * i).max(o), 5);
    let results = run::<E>(n, i, o, &start);
    for (got, want) in results.iter().zip(&reference(n, i, o, &start)) {
        let error = relative_l2(got, want);
        assert!(error < tolerance::<E>(), "{n} {i} {o}: {error:e}");
    }
}

#[test]
fn the_kernels_match_the_formulas() {
    for (n, i, o) in SIZES {
        check::<f64>(n, i, o);
        check::<f32>(n, i, o);
    }
}

#[test]
fn threads_and_levels_do_not_change_a_bit() {
    for (n, i, o) in SIZES {
        let start = vec![0.25; (n * i).max(o * i).max(o)];
        same_everywhere((n, i, o), || run::<f32>(n, i, o, &start).map(|values| bits(&values)));
        same_everywhere((n, i, o), || run::<f64>(n, i, o, &start).map(|values| bits(&values)));
    }
}

#[test]
fn an_empty_batch_leaves_the_gradients() {
    let (i, o) = (5, 3);
    let weight = vec![f32::NAN; o * i];
    let (mut grad_weight, mut grad_bias) = (vec![2.0; o * i], vec![3.0; o]);
    forward([0, i, o], &[], &weight, None, &mut []);
    backward_input([0, i, o], &weight, &[], &mut [], Write::Add);
    backward_weight([0, i, o], &[], &[], &mut grad_weight);
    backward_bias([0, i, o], &[], &mut grad_bias);
    assert!(grad_weight.iter().all(|&v| v == 2.0) && grad_bias.iter().all(|&v| v == 3.0));
}

#[test]
fn no_inputs_give_the_bias() {
    let mut y = vec![f64::NAN; 6];
    forward([2, 0, 3], &[], &[], Some(&[1.0, 2.0, 3.0]), &mut y);
    assert_eq!(y, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}
