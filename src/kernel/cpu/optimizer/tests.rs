use super::*;
use crate::kernel::cpu::testing::{assert_close, bits, random, same_everywhere, wide};

const PARAM: [f64; 4] = [0.5, -1.25, 2.0, 0.0];
const GRADS: [[f64; 4]; 3] = [[0.1, -0.2, 0.3, -0.4], [0.5, 0.25, -0.125, 1.0], [-0.3, 0.7, 0.05, -0.6]];

const SGD: Sgd = Sgd { learning_rate: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
const ADAM: Adam =
    Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
const DECAYING: Adam = Adam { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weight_decay: 0.1, ..ADAM };

/// Three steps of `torch.optim.SGD`, `float64`, PyTorch 2.
#[test]
fn sgd_agrees_with_pytorch() {
    let decay = Sgd { weight_decay: 0.01, ..SGD };
    let momentum = Sgd { momentum: 0.9, ..decay };
    let cases = [
        (SGD, [0.47000000000000003, -1.325, 1.9775, 0.0]),
        (decay, [0.4685714895, -1.32126872875, 1.971553468, 2.0039999999999507e-05]),
        (momentum, [0.4051853895, -1.30634447875, 1.926341068, -0.021651959999999967]),
        (
            Sgd { nesterov: true, ..momentum },
            [0.38337586198049994, -1.37204169924625, 1.905398411512, -0.019490645640000016],
        ),
    ];
    for (config, truth) in cases {
        let (mut param, mut velocity) = (PARAM, [0.0; 4]);
        for grad in GRADS {
            sgd(&mut param, &grad, &mut velocity, config);
        }
        assert_close(&param, &truth, 1e-15, &format!("{config:?}"));
        assert_eq!(velocity == [0.0; 4], config.momentum == 0.0);
    }
}

/// Three steps of `torch.optim.Adam` and `AdamW`, `float64`, PyTorch 2.
#[test]
fn adam_agrees_with_pytorch() {
    let cases = [
        (ADAM, [0.47889425640949557, -1.2479602826925185, 1.9831687985268858, 0.005702256293326269]),
        (DECAYING, [0.47773893681767327, -1.2418623789255927, 1.9745748493984883, 0.005376804146180032]),
        (
            Adam { decoupled: true, ..DECAYING },
            [0.47786916879461677, -1.2454823075090644, 1.9781547329003657, 0.0053723401821188415],
        ),
    ];
    for (config, truth) in cases {
        let (mut param, mut m, mut v) = (PARAM, [0.0; 4], [0.0; 4]);
        for (grad, step) in GRADS.iter().zip(1..) {
            adam(&mut param, grad, &mut m, &mut v, step, config);
        }
        assert_close(&param, &truth, 1e-15, &format!("{config:?}"));
    }
}

#[test]
fn momentum_without_its_buffer_is_not_needed() {
    let mut param = PARAM;
    sgd(&mut param, &GRADS[0], &mut [], SGD);
    assert_eq!(param[0], 0.5 - 0.1 * 0.1);
}

/// Parameters after `steps` steps: SGD with momentum, then Adam.
fn descend<E: Element>(level: Level, n: usize) -> [Vec<E>; 2] {
    let config = Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01, ..SGD };
    let (mut first, mut velocity) = (random::<E>(1, n), vec![E::zero(); n]);
    let mut second = first.clone();
    let (mut m, mut v) = (vec![E::zero(); n], vec![E::zero(); n]);
    for step in 1..=5 {
        // The same numbers in either precision.
        let grad: Vec<E> = random::<f32>(10 + step, n).iter().map(|&g| E::of(f64::from(g))).collect();
        sgd_at(level, &mut first, &grad, &mut velocity, config);
        adam_at(level, &mut second, &grad, &mut m, &mut v, step, DECAYING);
    }
    [first, second]
}

#[test]
fn threads_and_levels_change_no_bit() {
    let n = 3 * TASK + 17;
    same_everywhere("f32", || descend::<f32>(Level::current(), n).map(|values| bits(&values)));
    same_everywhere("f64", || descend::<f64>(Level::current(), n).map(|values| bits(&values)));
}

#[test]
fn f32_stays_close_to_f64() {
    for n in [0, 1, 33, TASK + 1] {
        let found = descend::<f32>(Level::current(), n);
        let truth = descend::<f64>(Level::current(), n);
        for (found, truth) in found.iter().zip(&truth) {
            assert_close(found, &wide(truth), 1e-6, "five steps");
        }
    }
}

#[test]
fn a_nan_gradient_spoils_its_parameter_alone() {
    let (mut param, mut m, mut v) = ([1.0_f32, 2.0], [0.0; 2], [0.0; 2]);
    adam(&mut param, &[f32::NAN, 1.0], &mut m, &mut v, 1, ADAM);
    assert!(param[0].is_nan() && param[1].is_finite());
}
