//! Random changes of brightness, contrast and saturation.

use crate::data::CHANNELS;
use crate::data::rng::{KeyedRng, Purpose};

/// Changes a color image by planes (red, green, blue) in place, as torchvision's `ColorJitter(strength, strength,
/// strength)` changes bytes: three factors uniform from `max(0, 1 - strength)` to `1 + strength` scale the distance of
/// each value from 0 (brightness), from the mean of the gray image (contrast) and from the gray image (saturation), in
/// an order that is drawn. The gray image is `0.2989 R + 0.587 G + 0.114 B`; it and each result are cut to whole bytes.
pub fn apply(pixels: &mut [u8], strength: f64, (seed, epoch, index): (u64, u64, usize)) {
    let mut rng = KeyedRng::new(Purpose::Jitter, seed, epoch, index as u64);
    let factors = [(); 3].map(|()| {
        let low = (1.0 - strength).max(0.0);
        low + (1.0 + strength - low) * f64::from(rng.unit())
    });
    let mut order = [0, 1, 2];
    rng.shuffle(&mut order);
    for change in order {
        let factor = factors[change] as f32;
        match change {
            0 => pixels.iter_mut().for_each(|value| *value = blend(*value, 0.0, factor)),
            1 => {
                let gray = gray(pixels);
                let mean = gray.iter().map(|&value| u64::from(value)).sum::<u64>() as f64 / gray.len().max(1) as f64;
                pixels.iter_mut().for_each(|value| *value = blend(*value, mean as f32, factor));
            }
            _ => {
                let gray = gray(pixels);
                for plane in pixels.chunks_exact_mut(gray.len().max(1)) {
                    plane.iter_mut().zip(&gray).for_each(|(value, &gray)| *value = blend(*value, gray.into(), factor));
                }
            }
        }
    }
}

/// `factor * value + (1 - factor) * towards`, cut to a byte.
fn blend(value: u8, towards: f32, factor: f32) -> u8 {
    (factor * f32::from(value) + (1.0 - factor) * towards).clamp(0.0, 255.0) as u8
}

fn gray(pixels: &[u8]) -> Vec<u8> {
    let plane = pixels.len() / CHANNELS;
    let of = |channel: usize, at: usize| f32::from(pixels[channel * plane + at]);
    (0..plane).map(|at| (0.2989 * of(0, at) + 0.587 * of(1, at) + 0.114 * of(2, at)) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [u8; 12] = [10, 200, 30, 250, 20, 60, 90, 0, 128, 255, 7, 33];

    /// The bytes that `torchvision.transforms.v2.functional` 0.29.2 gives for the factors and the order of each key.
    const EXPECTED: [((u64, u64, usize), [u8; 12]); 3] = [
        ((1, 1, 0), [17, 170, 29, 222, 25, 45, 82, 0, 121, 219, 8, 29]),
        ((1, 1, 1), [6, 159, 28, 181, 13, 65, 69, 14, 85, 197, 13, 35]),
        ((2, 5, 9), [4, 238, 34, 227, 9, 90, 125, 12, 174, 238, 13, 37]),
    ];

    #[test]
    fn bytes_are_those_of_torchvision() {
        for (key, expected) in EXPECTED {
            let mut found = IMAGE;
            apply(&mut found, 0.4, key);
            assert_eq!(found, expected, "{key:?}");
        }
    }

    #[test]
    fn nothing_changes_without_strength_and_a_gray_image_stays_gray() {
        let mut same = IMAGE;
        apply(&mut same, 0.0, (1, 2, 3));
        assert_eq!(same, IMAGE);
        let mut gray = [10, 99, 10, 99, 10, 99];
        apply(&mut gray, 0.9, (1, 2, 3));
        assert!(gray[..2] == gray[2..4] && gray[..2] == gray[4..], "{gray:?}");
        apply(&mut [], 0.4, (1, 2, 3));
    }
}
