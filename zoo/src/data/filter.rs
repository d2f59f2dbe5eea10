//! Gaussian filter that blurs images.

use super::DataError;

/// A Gaussian filter: the image, mirrored at its borders (the outermost pixel twice), convolved with
/// `exp(-(x^2 + y^2) / (2 sigma^2))` over `-radius..=radius`, normalized to a sum of 1.
///
/// The values are those of the bytes, 0 to 255, and are not rounded. At a radius of four deviations this is
/// `scipy.ndimage.gaussian_filter` with its defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// Standard deviation, in pixels.
    pub sigma: f64,
    /// Radius of the kernel in pixels: the weights reach this far to either side of the center.
    pub radius: usize,
}

impl Gaussian {
    /// Largest radius accepted, in pixels: the largest side of a network's input.
    const MAX_RADIUS: usize = 4096;

    /// Returns [`DataError::Setting`] unless the deviation is positive and finite and the radius is at most 4096.
    pub(super) fn check(&self) -> Result<(), DataError> {
        if !(self.sigma.is_normal() && self.sigma > 0.0) {
            return Err(DataError::setting("deviation of the filter", "a positive, finite number", self.sigma));
        }
        if self.radius > Self::MAX_RADIUS {
            return Err(DataError::setting("radius of the filter", "at most 4096 pixels", self.radius));
        }
        Ok(())
    }

    /// The `2 * radius + 1` weights along an axis, which sum to 1.
    fn weights(&self) -> Vec<f64> {
        let radius = self.radius as isize;
        let weight = |x: isize| {
            let deviations = x as f64 / self.sigma;
            libm::exp(-0.5 * (deviations * deviations))
        };
        let weights: Vec<f64> = (-radius..=radius).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Filters each plane of `height` by `width` bytes on its own; the values come in the same order.
    #[must_use]
    pub fn apply(&self, planes: &[u8], (height, width): (usize, usize)) -> Vec<f32> {
        let weights = self.weights();
        let across = self.sources(width);
        let down = self.sources(height);
        let taps = weights.len();
        let mut filtered = Vec::with_capacity(planes.len());
        let (mut rows, mut sums) = (vec![0.0; height * width], vec![0.0; width]);
        for plane in planes.chunks_exact(height * width) {
            for (row, to) in plane.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
                for (to, sources) in to.iter_mut().zip(across.chunks_exact(taps)) {
                    *to = sources.iter().zip(&weights).map(|(&at, weight)| f64::from(row[at]) * weight).sum::<f64>();
                }
            }
            for sources in down.chunks_exact(taps) {
                sums.fill(0.0);
                for (&at, weight) in sources.iter().zip(&weights) {
                    sums.iter_mut().zip(&rows[at * width..]).for_each(|(sum, value)| *sum += value * weight);
                }
                filtered.extend(sums.iter().map(|&sum| sum as f32));
            }
        }
        filtered
    }

    /// For each position along an axis of `side` pixels, the positions that the weights apply to, mirrored at the
    /// borders.
    fn sources(&self, side: usize) -> Vec<usize> {
        let (side, radius) = (side as isize, self.radius as isize);
        let mirrored = |at: isize| {
            let at = at.rem_euclid(2 * side);
            (if at < side { at } else { 2 * side - 1 - at }) as usize
        };
        (0..side).flat_map(|at| (at - radius..=at + radius).map(mirrored)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: Gaussian = Gaussian { sigma: 1.0, radius: 4 };

    /// The definition, one pixel at a time, over both axes at once.
    fn reference(filter: Gaussian, plane: &[u8], (height, width): (usize, usize)) -> Vec<f64> {
        let radius = filter.radius as isize;
        let mirror = |mut at: isize, side: isize| loop {
            if at < 0 {
                at = -1 - at;
            } else if at >= side {
                at = 2 * side - 1 - at;
            } else {
                return at as usize;
            }
        };
        let mut out = Vec::new();
        for y in 0..height as isize {
            for x in 0..width as isize {
                let (mut sum, mut total) = (0.0, 0.0);
                for dy in -radius..=radius {
                    for dx in -radius..=radius {
                        let weight = (-((dx * dx + dy * dy) as f64) / (2.0 * filter.sigma * filter.sigma)).exp();
                        let (row, col) = (mirror(y + dy, height as isize), mirror(x + dx, width as isize));
                        sum += weight * f64::from(plane[row * width + col]);
                        total += weight;
                    }
                }
                out.push(sum / total);
            }
        }
        out
    }

    #[test]
    fn the_filter_is_its_definition() {
        for size in [(32, 32), (5, 7), (1, 3), (1, 1)] {
            let plane: Vec<u8> = (0..size.0 * size.1).map(|i| (i * 97 % 251) as u8).collect();
            for filter in [PAPER, Gaussian { sigma: 0.4, radius: 1 }, Gaussian { sigma: 3.0, radius: 12 }] {
                let found = filter.apply(&plane, size);
                for (found, expected) in found.iter().zip(reference(filter, &plane, size)) {
                    assert!((f64::from(*found) - expected).abs() < 1e-4, "{filter:?} {size:?}: {found} {expected}");
                }
            }
        }
    }

    /// `scipy.ndimage.gaussian_filter([0, 0, 255, 0, 0, 0, 10, 200], 1.0)` of SciPy 1.17, in `f64`.
    #[test]
    fn the_filter_is_that_of_scipy() {
        let found = PAPER.apply(&[0, 0, 255, 0, 0, 0, 10, 200], (1, 8));
        let expected = SCIPY;
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    const SCIPY: [f64; 8] = [14.897862, 61.736845, 101.731923, 61.773803, 15.220787, 15.235775, 63.260395, 131.142609];

    #[test]
    fn a_constant_stays_and_each_plane_is_for_itself() {
        let planes: Vec<u8> = [7_u8, 200].into_iter().flat_map(|value| [value; 12]).collect();
        let found = PAPER.apply(&planes, (3, 4));
        assert!(found[..12].iter().all(|value| (value - 7.0).abs() < 1e-4));
        assert!(found[12..].iter().all(|value| (value - 200.0).abs() < 1e-4));
    }

    #[test]
    fn impossible_settings_are_refused() {
        for filter in [Gaussian { sigma: 0.0, ..PAPER }, Gaussian { sigma: f64::NAN, ..PAPER }] {
            assert!(filter.check().is_err());
        }
        assert!(Gaussian { radius: 5000, ..PAPER }.check().is_err() && PAPER.check().is_ok());
    }
}
