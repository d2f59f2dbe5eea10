use super::*;
use crate::kernel::cpu::testing::{bits, random, same_everywhere};

fn keeps(key: u64, p: f64, n: usize) -> Vec<bool> {
    let mut y = vec![0.0_f32; n];
    apply(key, p, &vec![1.0; n], &mut y, Write::Replace);
    y.iter().map(|&y| y != 0.0).collect()
}

/// Known answers of the Random123 library (`kat_vectors`, `philox4x32 10`).
#[test]
fn philox_gives_the_published_numbers() {
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    assert_eq!(
        philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

/// The mask by its definition: word `i % 64 / 16` of counter `16 (i / 64) + i % 16`.
#[test]
fn masks_follow_the_index_at_every_level() {
    let (key, p) = (0x0123_4567_89ab_cdef, 0.3_f64);
    let n = 2 * TASK + 77;
    let x: Vec<f32> = random(3, n);
    let threshold = (p * 4_294_967_296.0).round() as u32;
    let truth: Vec<f32> = (0..n)
        .map(|i| {
            let counter = (16 * (i / 64) + i % 16) as u32;
            let word = philox([counter, 0, 0, 0], [0x89ab_cdef, 0x0123_4567])[i % 64 / 16];
            x[i] * if word < threshold { 0.0 } else { (1.0 / (1.0 - p)) as f32 }
        })
        .collect();
    for level in Level::available() {
        let mut y = vec![f32::NAN; n];
        run::<_, false>(level, 0, key, p, &x, &mut y);
        assert!(bits(&y) == bits(&truth), "{level:?}");
    }
    // A shorter tensor has the same mask as the start of a longer one.
    for n in [0, 1, 63, 64, 65, TASK] {
        let mut y = vec![f32::NAN; n];
        apply(key, p, &x[..n], &mut y, Write::Replace);
        assert_eq!(bits(&y), bits(&truth[..n]));
    }
}

#[test]
fn counters_go_beyond_thirty_two_bits() {
    let block = (1_u64 << 32) / LANES as u64;
    assert_eq!(random_block(7, block)[0], philox([0, 1, 0, 0], [7, 0])[0]);
    assert_eq!(random_block(7, block - 1)[LANES - 1], philox([u32::MAX, 0, 0, 0], [7, 0])[0]);
}

#[test]
fn first_values_do_not_change() {
    let mut y = [0.0_f64; 16];
    apply(42, 0.5, &[1.0; 16], &mut y, Write::Replace);
    assert_eq!(y, GOLDEN);
}

/// Key 42, p = 1/2.
const GOLDEN: [f64; 16] = [2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0];

/// Standard deviations of a count of `n` events with probability `q` from its mean.
fn deviations(count: usize, n: usize, q: f64) -> f64 {
    ((count as f64 - n as f64 * q) / (n as f64 * q * (1.0 - q)).sqrt()).abs()
}

#[test]
fn the_keep_rate_is_right() {
    let n = 1_000_000;
    for (p, key) in [(0.0, 1), (0.01, 2), (0.1, 3), (0.5, 4), (0.9, 5), (0.999, 6)] {
        let kept = keeps(key, p, n).iter().filter(|&&keep| keep).count();
        if p == 0.0 {
            assert_eq!(kept, n);
        } else {
            let z = deviations(kept, n, 1.0 - p);
            assert!(z < 4.0, "p {p}: {z} standard deviations off");
        }
    }
}

#[test]
fn neighboring_indices_and_keys_are_independent() {
    let n = 1_000_000;
    let p = 0.3;
    let both = (1.0 - p) * (1.0 - p);
    let mask = keeps(1000, p, n);
    for lag in [1, 2, 3, 4, 15, 16, 17, 48, 64, 1024, TASK] {
        let pairs = mask[lag..].iter().zip(&mask).filter(|&(&a, &b)| a && b).count();
        // Pairs that share an index make the variance up to three times that of independent pairs.
        let z = deviations(pairs, n - lag, both);
        assert!(z < 7.0, "lag {lag}: {z} standard deviations off");
    }
    for other in [1001, 1002, 1000 ^ (1 << 32), 1000 + 0x9E37_79B9, u64::MAX - 1000] {
        let second = keeps(other, p, n);
        for lag in [0, 1, 16, 64] {
            let pairs = second[lag..].iter().zip(&mask).filter(|&(&a, &b)| a && b).count();
            let z = deviations(pairs, n - lag, both);
            assert!(z < 5.0, "key {other}, lag {lag}: {z} standard deviations off");
        }
    }
}

#[test]
fn backward_uses_the_mask_of_forward_and_accumulates() {
    let n = TASK + 100;
    let x: Vec<f64> = random(1, n);
    let mut y = vec![0.0; n];
    apply(9, 0.4, &x, &mut y, Write::Replace);
    let mut grad = vec![1.0; n];
    apply(9, 0.4, &x, &mut grad, Write::Add);
    apply(9, 0.4, &x, &mut grad, Write::Add);
    for (grad, y) in grad.iter().zip(&y) {
        assert_eq!(*grad, 1.0 + y + y);
    }
}

#[test]
fn without_dropping_nothing_changes() {
    let x: Vec<f32> = random(1, 100);
    let mut y = vec![0.0; 100];
    apply(9, 0.0, &x, &mut y, Write::Replace);
    assert_eq!(x, y);
}

#[test]
fn threads_and_levels_change_no_bit() {
    let x: Vec<f32> = random(1, 5 * TASK + 3);
    let run = || {
        let mut y = vec![0.0; x.len()];
        apply(77, 0.25, &x, &mut y, Write::Replace);
        bits(&y)
    };
    same_everywhere("dropout", run);
}

#[test]
fn a_nan_stays() {
    let mut y = [0.0_f32; 200];
    apply(5, 0.5, &[f32::NAN; 200], &mut y, Write::Replace);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn a_part_has_the_mask_of_its_place_in_the_whole() {
    let x: Vec<f32> = random(1, 2 * TASK + 300);
    let mut whole = vec![0.0; x.len()];
    apply(7, 0.3, &x, &mut whole, Write::Replace);
    for (first, len) in [(0, 5), (1, 2), (63, 1), (63, 2), (64, 64), (100, TASK + 90), (TASK - 1, TASK + 2), (70, 0)] {
        let mut part = vec![0.0; len];
        apply_from(first, 7, 0.3, &x[first..][..len], &mut part, Write::Replace);
        assert_eq!(part, whole[first..][..len], "{first}, {len}");
    }
}
