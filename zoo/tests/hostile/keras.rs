//! Archives of Keras: damaged ones.

use super::{Random, files, mutation, readers, turn};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    files("tests/fixtures/keras", &["flat.keras", "nested.keras", "deflated.keras"])
}

#[test]
fn damage_of_every_kind_to_an_archive_of_keras_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    let seeds = fixtures();
    for (name, bytes) in &seeds {
        let mut random = Random::new(name);
        for _ in 0..400 {
            readers::read(&mutation::of(bytes, &seeds, &mut random));
        }
    }
}

#[test]
fn a_flipped_bit_of_the_parts_around_the_weights_gives_an_error_or_harmless_tensors() {
    let _turn = turn();
    for (name, mut bytes) in fixtures() {
        let mut random = Random::new(&name);
        let weights = bytes.windows(8).position(|part| part == b"\x89HDF\r\n\x1a\n").unwrap_or(bytes.len());
        // The entries before the weights, and the directory behind them.
        for _ in 0..600 {
            let (at, bit) = (random.below(weights + 400), random.below(8));
            let at = if at < weights { at } else { bytes.len() - 1 - (at - weights) };
            bytes[at] ^= 1 << bit;
            readers::read(&bytes);
            bytes[at] ^= 1 << bit;
        }
    }
}
