use super::*;
use crate::kernel::cpu::testing::{assert_close, bits, differences, random, same_everywhere, wide};

fn labels_for(n: usize, classes: usize) -> Vec<usize> {
    (0..n).map(|i| (i * 7 + 3) % classes).collect()
}

/// The formula, in `f64`.
fn plain(logits: &[f64], classes: usize, labels: &[usize]) -> (f64, Vec<f64>) {
    let n = labels.len() as f64;
    let (mut loss, mut grad) = (0.0, Vec::new());
    for (logits, &label) in logits.chunks(classes).zip(labels) {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
        loss += sum.ln() + max - logits[label];
        grad.extend(
            logits.iter().enumerate().map(|(i, x)| ((x - max).exp() / sum - f64::from(u8::from(i == label))) / n),
        );
    }
    (loss / n, grad)
}

fn follows_the_formula<E: Element>(bound: f64) {
    for (n, classes) in [(1, 1), (1, 2), (3, 10), (5, 16), (7, 17), (9, 1000), (2, 1500), (40, 1000), (1, 40_000)] {
        let logits: Vec<E> = random::<E>(n as u64, n * classes).iter().map(|&x| x * E::of(8.0)).collect();
        let labels = labels_for(n, classes);
        let (loss, grad) = plain(&wide(&logits), classes, &labels);
        for level in Level::available() {
            let what = format!("{n} x {classes} {level:?}");
            let mut found = vec![E::nan(); n * classes];
            let found_loss = cross_entropy_at(level, &logits, classes, &labels, 0.0, &mut found);
            assert!((found_loss - loss).abs() <= bound * loss.abs(), "{what}: {found_loss} {loss}");
            assert_close(&found, &grad, bound, &what);
        }
    }
}

#[test]
fn f64_follows_the_formula() {
    follows_the_formula::<f64>(1e-13);
}

#[test]
fn f32_follows_the_formula() {
    follows_the_formula::<f32>(1e-6);
}

/// `F.cross_entropy` of PyTorch 2 in `float64`.
#[test]
fn agrees_with_pytorch() {
    let mut grad = [0.0; 6];
    let loss = cross_entropy(&[1.0, 2.0, -1.0, 0.5, 0.25, 3.0], 3, &[1, 0], &mut grad);
    assert!((loss - 1.4926505282452245).abs() < 1e-15);
    let truth = [
        0.12974823017120957,
        -0.1473077436508794,
        0.017559513479669865,
        -0.4641867026535671,
        0.02789142401777099,
        0.43629527863579615,
    ];
    assert_close(&grad, &truth, 1e-15, "gradient");
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (n, classes) = (4, 7);
    let logits: Vec<f64> = random(2, n * classes);
    let labels = labels_for(n, classes);
    let mut grad = vec![0.0; n * classes];
    cross_entropy(&logits, classes, &labels, &mut grad);
    let mut unused = grad.clone();
    let slopes = differences(&logits, |logits| cross_entropy(logits, classes, &labels, &mut unused));
    assert_close(&grad, &slopes, 1e-6, "gradient");
}

#[test]
fn large_logits_do_not_overflow() {
    for level in Level::available() {
        let mut grad = [0.0_f32; 3];
        let loss = cross_entropy_at(level, &[3.0e38_f32, 3.0e38, -3.0e38], 3, &[0], 0.0, &mut grad);
        assert!((loss - 2.0_f64.ln()).abs() < 1e-6);
        assert_eq!(grad, [-0.5, 0.5, 0.0]);
    }
}

#[test]
fn what_is_not_finite_shows_in_the_loss() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for level in Level::available() {
        let loss = |row: &[f32], label| {
            let mut grad = vec![0.0; row.len()];
            cross_entropy_at(level, row, row.len(), &[label], 0.0, &mut grad)
        };
        for place in [0, 5, 16, 18] {
            let mut row = vec![0.5; 19];
            row[place] = nan;
            assert!(loss(&row, 1).is_nan());
            row[place] = inf;
            assert!(loss(&row, 1).is_nan());
            row[place] = -inf;
            assert!(loss(&row, 1).is_finite());
            assert_eq!(loss(&row, place), f64::INFINITY);
        }
        assert!(loss(&[-inf; 5], 0).is_nan());
    }
}

#[test]
fn without_rows_the_loss_is_zero() {
    assert_eq!(cross_entropy::<f32>(&[], 10, &[], &mut []), 0.0);
    assert_eq!(cross_entropy::<f32>(&[], 0, &[], &mut []), 0.0);
    assert_eq!(top_k_correct::<f32>(&[], 0, &[], 1), 0);
}

#[test]
fn threads_and_levels_change_no_bit() {
    fn check<E: Element>() {
        for (n, classes) in [(300, 700), (5, 1), (7, 10), (9, 100), (2, 1000), (3, 3000)] {
            let logits: Vec<E> = random(5, n * classes);
            let labels = labels_for(n, classes);
            same_everywhere((n, classes), || {
                let mut grad = vec![E::zero(); n * classes];
                let loss = cross_entropy(&logits, classes, &labels, &mut grad);
                (loss.to_bits(), bits(&grad), top_k_correct(&logits, classes, &labels, 5))
            });
        }
    }
    check::<f32>();
    check::<f64>();
}

/// The formula of smoothed labels, in `f64`.
fn plain_smoothed(logits: &[f64], classes: usize, labels: &[usize], smoothing: f64) -> (f64, Vec<f64>) {
    let n = labels.len() as f64;
    let (mut loss, mut grad) = (0.0, Vec::new());
    for (logits, &label) in logits.chunks(classes).zip(labels) {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|x| (x - max).exp()).sum();
        for (i, x) in logits.iter().enumerate() {
            let wanted = smoothing / classes as f64 + if i == label { 1.0 - smoothing } else { 0.0 };
            loss -= wanted * (x - max - sum.ln());
            grad.push(((x - max).exp() / sum - wanted) / n);
        }
    }
    (loss / n, grad)
}

#[test]
fn smoothed_labels_follow_the_formula() {
    fn check<E: Element>(bound: f64) {
        for (n, classes) in [(1, 1), (3, 10), (7, 17), (9, 1000), (1, 40_000)] {
            let logits: Vec<E> = random::<E>(n as u64, n * classes).iter().map(|&x| x * E::of(8.0)).collect();
            let labels = labels_for(n, classes);
            for smoothing in [0.0, 0.1, 0.5, 1.0] {
                let (loss, grad) = plain_smoothed(&wide(&logits), classes, &labels, smoothing);
                for level in Level::available() {
                    let what = format!("{n} x {classes}, {smoothing}, {level:?}");
                    let mut found = vec![E::nan(); n * classes];
                    let found_loss = cross_entropy_at(level, &logits, classes, &labels, smoothing, &mut found);
                    assert!((found_loss - loss).abs() <= bound * loss.abs(), "{what}: {found_loss} {loss}");
                    assert_close(&found, &grad, bound, &what);
                }
            }
        }
    }
    check::<f64>(1e-12);
    check::<f32>(1e-6);
}

/// `F.cross_entropy(logits, labels, label_smoothing=0.1)` of PyTorch 2 in `float64`.
#[test]
fn smoothed_labels_agree_with_pytorch() {
    let mut grad = [0.0; 6];
    let loss = cross_entropy_smoothed(&[1.0, 2.0, -1.0, 0.5, 0.25, 3.0], 3, &[1, 0], 0.1, &mut grad);
    assert!((loss - 1.521817194911891).abs() < 1e-15, "{loss}");
    let truth = [
        0.1130815635045429,
        -0.11397441031754607,
        0.0008928468130031987,
        -0.43085336932023377,
        0.011224757351104325,
        0.4196286119691295,
    ];
    assert_close(&grad, &truth, 1e-15, "gradient");
}

#[test]
fn without_smoothing_no_bit_changes_and_with_it_levels_and_threads_change_none() {
    fn check<E: Element>() {
        for (n, classes) in [(300, 700), (5, 1), (7, 10), (3, 3000)] {
            let logits: Vec<E> = random(5, n * classes);
            let labels = labels_for(n, classes);
            let (mut plain, mut smoothed) = (vec![E::zero(); n * classes], vec![E::zero(); n * classes]);
            let loss = cross_entropy(&logits, classes, &labels, &mut plain);
            let none = cross_entropy_smoothed(&logits, classes, &labels, 0.0, &mut smoothed);
            assert_eq!((loss.to_bits(), bits(&plain)), (none.to_bits(), bits(&smoothed)));
            same_everywhere((n, classes), || {
                let mut grad = vec![E::zero(); n * classes];
                let loss = cross_entropy_smoothed(&logits, classes, &labels, 0.3, &mut grad);
                (loss.to_bits(), bits(&grad))
            });
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn the_gradient_of_smoothed_labels_is_the_slope_of_the_loss() {
    let (n, classes) = (4, 7);
    let logits: Vec<f64> = random(2, n * classes);
    let labels = labels_for(n, classes);
    for smoothing in [0.1, 0.9, 1.0] {
        let mut grad = vec![0.0; n * classes];
        cross_entropy_smoothed(&logits, classes, &labels, smoothing, &mut grad);
        let mut unused = grad.clone();
        let loss = |logits: &[f64]| cross_entropy_smoothed(logits, classes, &labels, smoothing, &mut unused);
        assert_close(&grad, &differences(&logits, loss), 1e-6, "gradient");
    }
}

#[test]
fn smoothed_labels_ask_for_every_class_and_do_not_overflow() {
    let inf = f32::INFINITY;
    for level in Level::available() {
        let loss = |row: &[f32], label, smoothing| {
            let mut grad = vec![0.0; row.len()];
            cross_entropy_at(level, row, row.len(), &[label], smoothing, &mut grad)
        };
        for smoothing in [0.1, 1.0] {
            assert_eq!(loss(&[0.0, 1.0, -inf], 0, smoothing), f64::INFINITY);
            assert_eq!(loss(&[0.0, 1.0, -inf], 2, smoothing), f64::INFINITY);
            assert!(loss(&[0.0, inf, 1.0], 0, smoothing).is_nan() && loss(&[0.0, f32::NAN], 0, smoothing).is_nan());
        }
        let huge = loss(&[3.0e38, 3.0e38, -3.0e38], 0, 0.3);
        assert!((huge / (0.3 * 2.0 * f64::from(3.0e38_f32)) * 3.0 - 1.0).abs() < 1e-6, "{huge}");
    }
}

#[test]
fn top_k_agrees_with_sorting() {
    let (n, classes) = (200, 23);
    // Few values, many ties.
    let logits: Vec<f64> = random::<f64>(8, n * classes).iter().map(|x| (x * 4.0).round()).collect();
    let labels = labels_for(n, classes);
    for k in [0, 1, 2, 5, 22, 23, 100] {
        let truth = logits
            .chunks(classes)
            .zip(&labels)
            .filter(|(row, label)| {
                let mut order: Vec<usize> = (0..classes).collect();
                // Stable: ties stay by ascending index.
                order.sort_by(|&a, &b| row[b].partial_cmp(&row[a]).unwrap());
                order.iter().take(k).any(|i| i == *label)
            })
            .count();
        for level in Level::available() {
            assert_eq!(top_k_correct_at(level, &logits, classes, &labels, k), truth, "k {k} {level:?}");
        }
    }
}

#[test]
fn top_k_resolves_ties_and_refuses_nan() {
    let row = [1.0_f32, 3.0, 3.0, 2.0];
    assert_eq!(top_k_correct(&row, 4, &[1], 1), 1);
    assert_eq!(top_k_correct(&row, 4, &[2], 1), 0);
    assert_eq!(top_k_correct(&row, 4, &[2], 2), 1);
    assert_eq!(top_k_correct(&[1.0, f32::NAN, 0.0, 0.5], 4, &[0], 4), 0);
    assert_eq!(top_k_correct(&[f32::NAN; 4], 4, &[0], 4), 0);
}
