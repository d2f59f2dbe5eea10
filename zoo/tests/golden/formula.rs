//! Tensors as functions of their names; the formula is that of `tests/golden/README.md`.

use rayon::prelude::*;

/// Range of a tensor's elements, which are `offset + scale u` for `u` in [-1, 1).
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    offset: f64,
    scale: f64,
}

impl Kind {
    pub const INPUT: Kind = Kind { offset: 0.0, scale: 1.0 };
    pub const BIAS: Kind = Kind { offset: 0.0, scale: 0.1 };
    pub const GAMMA: Kind = Kind { offset: 0.75, scale: 0.25 };
    /// The shift of a batch norm, and its running mean.
    pub const SHIFT: Kind = Kind { offset: 0.0, scale: 0.1 };
    pub const VARIANCE: Kind = Kind { offset: 1.0, scale: 0.5 };
    pub const ALPHA: Kind = Kind { offset: 0.0, scale: 0.2 };
    pub const BETA: Kind = Kind { offset: 1.0, scale: 0.5 };

    pub fn weight(fan_in: usize) -> Kind {
        Kind { offset: 0.0, scale: (6.0 / fan_in as f64).sqrt() }
    }

    /// Weight of the last layer.
    pub fn head(fan_in: usize) -> Kind {
        Kind { offset: 0.0, scale: (3.0 / fan_in as f64).sqrt() }
    }
}

/// FNV-1a hash of a name, in 64 bits.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The `u` of element `index` of the tensor whose name has this hash.
fn u(hash: u64, index: usize) -> f64 {
    let z = hash.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let z = z ^ (z >> 31);
    (z >> 40) as f64 / 8_388_608.0 - 1.0
}

/// Writes the tensor of this name, rounded once.
pub fn fill(name: &str, kind: Kind, values: &mut [f32]) {
    const TASK: usize = 1 << 16;
    let hash = hash(name);
    values.par_chunks_mut(TASK).enumerate().for_each(|(task, values)| {
        for (i, value) in values.iter_mut().enumerate() {
            *value = (kind.offset + kind.scale * u(hash, task * TASK + i)) as f32;
        }
    });
}

/// The tensor of this name.
pub fn tensor(name: &str, kind: Kind, len: usize) -> Vec<f32> {
    let mut values = vec![0.0; len];
    fill(name, kind, &mut values);
    values
}

#[test]
fn the_formula_gives_what_python_gave() {
    // `u("conv1.weight", 3)` and `tensor("conv1.weight", (3,), "weight", 147)` of formula.py.
    let first: Vec<f64> = (0..3).map(|i| u(hash("conv1.weight"), i)).collect();
    assert_eq!(first, [0.0901498794555664, 0.49032342433929443, -0.9541566371917725]);
    assert_eq!(tensor("conv1.weight", Kind::weight(147), 3), [0.018_213_026, 0.099_060_29, -0.192_768_75]);
}
