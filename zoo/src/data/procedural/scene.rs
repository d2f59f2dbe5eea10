//! One image: ground, clutter, shape, camera.

use super::super::rng::KeyedRng;
use super::super::{CHANNELS, PLANE, SIDE};
use super::shape::Shape;
use super::texture::{Pattern, Texture, edge};

/// Red, green and blue in `[0, 1]`.
type Color = [f32; CHANNELS];

/// Least Euclidean distance between the two colors of a texture, before `relief`.
const CONTRAST: f32 = 0.45;
/// Maximum number of blobs in an image.
const MAX_BLOBS: usize = 3;
/// Pixels from the middle of the image to the center of the shape, at most, down and to the right. This and the size of
/// the shape are what holds a linear classifier down: the farther the shapes move, the less a fixed template fits.
const MAX_OFFSET: f32 = 7.0;

/// A small disc, of the size of a detail of a shape.
struct Blob {
    center: [f32; 2],
    radius: f32,
    color: Color,
}

/// Everything that is random in an image except its noise.
pub(super) struct Scene {
    ground: Color,
    /// Change of the ground from the middle of the image to its border, along `slope`.
    drift: Color,
    slope: [f32; 2],
    blobs: Vec<Blob>,
    shape: Shape,
    /// Center `[x, y]` of the shape, in pixels.
    center: [f32; 2],
    /// Radius of the shape, in pixels.
    radius: f32,
    rotation: [f32; 2],
    /// Stretch of the first axis of the shape; the second one is stretched by the inverse.
    stretch: f32,
    paint: [Color; 2],
    pattern: Pattern,
    contrast: f32,
    brightness: f32,
    /// Standard deviation of the noise, in units of a byte.
    noise: f32,
}

impl Scene {
    /// Draws the random parts of a scene. `relief` is the contrast of the texture, 0 to 1. Every color is drawn alike
    /// for all classes; that the shape is brighter than the ground in each channel is common to all of them too, and
    /// makes edges, not classes, easy to find.
    pub(super) fn random(shape: Shape, texture: Texture, relief: f32, rng: &mut KeyedRng) -> Self {
        let radius = rng.range(7.5, 12.5);
        // A large shape may leave the image by a sixth of its radius or so.
        let middle = SIDE as f32 / 2.0;
        let room = (middle - 0.85 * radius).min(MAX_OFFSET);
        let center = [middle + rng.range(-room, room), middle + rng.range(-room, room)];
        let ground: Color = std::array::from_fn(|_| rng.range(0.0, 0.6));
        let first: Color = std::array::from_fn(|channel| rng.range(ground[channel] + 0.15, 1.0));
        let second = mix(first, color_apart(first, rng), relief);
        let blobs = (0..rng.below(MAX_BLOBS + 1))
            .map(|_| Blob {
                center: [rng.range(0.0, SIDE as f32), rng.range(0.0, SIDE as f32)],
                radius: rng.range(1.2, 3.2),
                color: color(rng),
            })
            .collect();
        Self {
            ground,
            drift: [rng.range(-0.2, 0.2), rng.range(-0.2, 0.2), rng.range(-0.2, 0.2)],
            slope: rng.direction(),
            blobs,
            shape,
            center,
            radius,
            // At most atan(0.45) = 24 degrees.
            rotation: tilted(rng.range(-0.45, 0.45)),
            stretch: rng.range(0.85, 1.0 / 0.85),
            paint: [first, second],
            pattern: Pattern::random(texture, radius, rng),
            contrast: rng.range(0.6, 1.0),
            brightness: rng.range(-0.15, 0.15),
            noise: rng.range(3.0, 12.0),
        }
    }

    /// Draws into planes of `SIDE` by `SIDE` bytes. The center of pixel `(column, row)` is at half integers.
    pub(super) fn render(&self, rng: &mut KeyedRng, image: &mut [u8]) {
        for pixel in 0..PLANE {
            let point = [(pixel % SIDE) as f32 + 0.5, (pixel / SIDE) as f32 + 0.5];
            let color = self.color_at(point);
            for (channel, value) in color.into_iter().enumerate() {
                let seen = 0.5 + self.contrast * (value - 0.5) + self.brightness;
                let noisy = 255.0 * seen + self.noise * standard_noise(rng);
                // The cast saturates.
                image[channel * PLANE + pixel] = (noisy + 0.5) as u8;
            }
        }
    }

    fn color_at(&self, [x, y]: [f32; 2]) -> Color {
        let middle = SIDE as f32 / 2.0;
        let ramp = (self.slope[0] * (x - middle) + self.slope[1] * (y - middle)) / middle;
        let mut color = self.ground;
        for (value, drift) in color.iter_mut().zip(self.drift) {
            *value += ramp * drift;
        }
        for blob in &self.blobs {
            let [dx, dy] = [x - blob.center[0], y - blob.center[1]];
            color = mix(color, blob.color, edge(blob.radius - (dx * dx + dy * dy).sqrt()));
        }
        let offset = [x - self.center[0], y - self.center[1]];
        let [cos, sin] = self.rotation;
        let along = (cos * offset[0] + sin * offset[1]) / (self.radius * self.stretch);
        let across = (cos * offset[1] - sin * offset[0]) / (self.radius / self.stretch);
        let cover = edge(-self.radius * self.shape.distance([along, across]));
        if cover > 0.0 {
            let paint = mix(self.paint[1], self.paint[0], self.pattern.share(offset));
            color = mix(color, paint, cover);
        }
        color
    }
}

/// `(cos, sin)` of the angle with this tangent.
fn tilted(slope: f32) -> [f32; 2] {
    let length = (1.0 + slope * slope).sqrt();
    [1.0 / length, slope / length]
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    std::array::from_fn(|channel| from[channel] + share * (to[channel] - from[channel]))
}

fn color(rng: &mut KeyedRng) -> Color {
    std::array::from_fn(|_| rng.unit())
}

/// A color at least [`CONTRAST`] from `other`. A ball of that radius fills less than two fifths of the color cube, so
/// the loop ends after fewer than two draws on average.
fn color_apart(other: Color, rng: &mut KeyedRng) -> Color {
    loop {
        let candidate = color(rng);
        let square: f32 = candidate.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
        if square >= CONTRAST * CONTRAST {
            return candidate;
        }
    }
}

/// A nearly normal number of mean 0 and standard deviation 1: the sum of four random bytes, an integer, scaled once.
fn standard_noise(rng: &mut KeyedRng) -> f32 {
    // The variance of a uniform byte is (256^2 - 1) / 12; 147.80 is the root of four of them.
    let sum: u16 = rng.bits().to_le_bytes().map(u16::from).iter().sum();
    (f32::from(sum) - 510.0) * (1.0 / 147.800_32)
}

#[cfg(test)]
mod tests {
    use super::super::super::rng::Purpose;
    use super::*;

    #[test]
    fn noise_is_standard() {
        let mut rng = KeyedRng::new(Purpose::TestImage, 0, 0, 0);
        let count = 200_000;
        let draws: Vec<f64> = (0..count).map(|_| f64::from(standard_noise(&mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(count);
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(count) - mean * mean;
        assert!(mean.abs() < 0.012, "{mean}");
        assert!((variance - 1.0).abs() < 0.015, "{variance}");
    }

    #[test]
    fn colors_stay_apart() {
        let mut rng = KeyedRng::new(Purpose::TestImage, 0, 0, 1);
        for _ in 0..1000 {
            let first = color(&mut rng);
            let second = color_apart(first, &mut rng);
            let square: f32 = first.iter().zip(second).map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(square >= CONTRAST * CONTRAST);
        }
    }
}
