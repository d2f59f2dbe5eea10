//! Random numbers with the same bits on every system.
//!
//! Normal ones are drawn here: crates of distributions call the logarithm and the exponential of the system's library,
//! whose last bits differ between systems; start values of networks must not.

use std::sync::LazyLock;

use rand::Rng;
use rand::distributions::{Distribution, Open01};

/// SplitMix64's finalizer (Steele, Lea and Flood 2014): a bijection that spreads neighboring numbers.
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The normal distribution with mean 0 and variance 1, by the ziggurat method (Marsaglia and Tsang 2000) in the variant
/// of Doornik 2005, "An improved ziggurat method to generate normal random samples".
///
/// Takes the same numbers from a generator as `StandardNormal` of `rand_distr` 0.4, and gives its values to within the
/// last places.
#[derive(Clone, Copy, Debug)]
pub struct StandardNormal;

/// Layers of equal area that the density is covered with: all but the lowest are rectangles.
const LAYERS: usize = 256;

/// Start of the tail, which belongs to the lowest layer.
const TAIL: f64 = 3.654_152_885_361_009;

/// Area of a layer under `e^(-x^2 / 2)`.
const AREA: f64 = 0.004_928_673_233_99;

struct Layers {
    /// Right edges, from the lowest layer, as wide as its area asks for, up to 0 above the highest.
    edge: [f64; LAYERS + 1],
    /// The density at the edges.
    density: [f64; LAYERS + 1],
}

static ZIGGURAT: LazyLock<Layers> = LazyLock::new(|| {
    let mut edge = [0.0; LAYERS + 1];
    (edge[0], edge[1]) = (AREA / density(TAIL), TAIL);
    for layer in 2..LAYERS {
        let below: f64 = edge[layer - 1];
        edge[layer] = (-2.0 * libm::log(AREA / below + density(below))).sqrt();
    }
    Layers { edge, density: edge.map(density) }
});

/// The density, but for the factor that makes its integral 1.
fn density(x: f64) -> f64 {
    libm::exp(-x * x / 2.0)
}

impl Distribution<f64> for StandardNormal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let layers = &*ZIGGURAT;
        loop {
            // The lowest 8 bits choose the layer, the highest 52 the place in it.
            let bits = rng.next_u64();
            let layer = (bits % LAYERS as u64) as usize;
            let place = (bits >> 12) as f64 / (1_u64 << 51) as f64 - 1.0;
            let x = place * layers.edge[layer];
            if x.abs() < layers.edge[layer + 1] {
                return x;
            }
            if layer == 0 {
                return tail(rng).copysign(place);
            }
            let [low, high] = [layers.density[layer], layers.density[layer + 1]];
            if high + (low - high) * rng.r#gen::<f64>() < density(x) {
                return x;
            }
        }
    }
}

/// A draw beyond [`TAIL`] (Marsaglia 1964).
fn tail<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    loop {
        let [x, y] = [(); 2].map(|()| libm::log(rng.sample(Open01)));
        let x = x / TAIL;
        if -2.0 * y >= x * x {
            return TAIL - x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn draws_are_those_of_rand_distr() {
        let (mut ours, mut theirs) = (StdRng::seed_from_u64(3), StdRng::seed_from_u64(3));
        let mut beyond = 0;
        for _ in 0..200_000 {
            let found: f64 = StandardNormal.sample(&mut ours);
            let expected: f64 = rand_distr::StandardNormal.sample(&mut theirs);
            assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{found:e} {expected:e}");
            beyond += u32::from(found.abs() > TAIL);
        }
        // Expected 51.6 of them, on both sides of 0.
        assert!((20..90).contains(&beyond), "{beyond}");
    }

    #[test]
    fn draws_have_the_same_bits_on_every_system() {
        let mut rng = StdRng::seed_from_u64(0);
        // FNV-1a over the draws.
        let digest = (0..100_000).fold(0xcbf2_9ce4_8422_2325_u64, |digest, _| {
            let bits = StandardNormal.sample(&mut rng).to_bits();
            (digest ^ bits).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(digest, 0xcbb9_a7dc_e8dc_224b, "{digest:#x}");
    }
}
