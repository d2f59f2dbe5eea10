//! The ten textures: how the two colors of a shape are mixed.

use super::super::rng::KeyedRng;

/// A texture of the built-in set. Every texture keeps its name under a horizontal flip, so augmentation keeps the
/// class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texture {
    Plain,
    HorizontalStripes,
    VerticalStripes,
    DiagonalStripes,
    Checker,
    Dots,
    Grid,
    Rings,
    Speckle,
    Ramp,
}

impl Texture {
    pub(super) const ALL: [Self; 10] = [
        Self::Plain,
        Self::HorizontalStripes,
        Self::VerticalStripes,
        Self::DiagonalStripes,
        Self::Checker,
        Self::Dots,
        Self::Grid,
        Self::Rings,
        Self::Speckle,
        Self::Ramp,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::HorizontalStripes => "horizontal stripes",
            Self::VerticalStripes => "vertical stripes",
            Self::DiagonalStripes => "diagonal stripes",
            Self::Checker => "checker",
            Self::Dots => "dots",
            Self::Grid => "grid",
            Self::Rings => "rings",
            Self::Speckle => "speckle",
            Self::Ramp => "ramp",
        }
    }
}

/// A texture with its random parts: period, phase and a small tilt. It follows the axes of the image and not those of
/// the shape, else no stripe would be horizontal.
pub(super) struct Pattern {
    texture: Texture,
    /// Period of the pattern, in pixels.
    period: f32,
    /// Phase along both axes of the pattern, in periods.
    phase: [f32; 2],
    /// First axis of the pattern in the image; the second is perpendicular.
    axis: [f32; 2],
    /// Distance from the middle of a ramp to its end, in pixels.
    reach: f32,
    /// Cells of the speckle, one bit each.
    cells: [u32; 32],
}

impl Pattern {
    /// `reach` is the radius of the shape in pixels.
    pub(super) fn random(texture: Texture, reach: f32, rng: &mut KeyedRng) -> Self {
        // Tilt of at most atan(0.2) = 11 degrees.
        let tilt = rng.range(-0.2, 0.2);
        let axis = match texture {
            Texture::HorizontalStripes => [tilt, 1.0],
            // A slope of -1 in half of the images: both diagonals are one class.
            Texture::DiagonalStripes => [1.0 + tilt, if rng.coin() { 1.0 } else { -1.0 }],
            Texture::Ramp => rng.direction(),
            _ => [1.0, tilt],
        };
        let length = (axis[0] * axis[0] + axis[1] * axis[1]).sqrt();
        let mut cells = [0; 32];
        if texture == Texture::Speckle {
            cells.fill_with(|| rng.bits());
        }
        Self {
            texture,
            period: rng.range(4.5, 6.5),
            phase: [rng.unit(), rng.unit()],
            axis: [axis[0] / length, axis[1] / length],
            reach,
            cells,
        }
    }

    /// Share of the first color, in `[0, 1]`, at `(x, y)` pixels from the center of the shape.
    pub(super) fn share(&self, [x, y]: [f32; 2]) -> f32 {
        let [a, b] = self.axis;
        let [u, v] = [a * x + b * y, a * y - b * x];
        let [su, sv] = [u / self.period + self.phase[0], v / self.period + self.phase[1]];
        match self.texture {
            Texture::Plain => 1.0,
            Texture::HorizontalStripes | Texture::VerticalStripes | Texture::DiagonalStripes => self.wave(su),
            Texture::Checker => {
                let [first, second] = [2.0 * self.wave(su) - 1.0, 2.0 * self.wave(sv) - 1.0];
                0.5 + 0.5 * first * second
            }
            Texture::Dots => {
                let [du, dv] = [middle(su) * self.period, middle(sv) * self.period];
                edge(0.32 * self.period - (du * du + dv * dv).sqrt())
            }
            Texture::Grid => edge(middle(su).abs().min(middle(sv).abs()) * self.period - 0.17 * self.period),
            Texture::Rings => self.wave((x * x + y * y).sqrt() / self.period + self.phase[0]),
            Texture::Speckle => {
                // Cells of half a period.
                let [column, row] = [(2.0 * su).floor() as i32, (2.0 * sv).floor() as i32];
                let bits = self.cells[(row & 31) as usize];
                ((bits >> (column & 31) as u32) & 1) as f32
            }
            Texture::Ramp => (0.5 + 0.5 * u / self.reach).clamp(0.0, 1.0),
        }
    }

    /// A square wave of period 1 with edges blended over one pixel.
    fn wave(&self, t: f32) -> f32 {
        edge((0.25 - middle(t).abs()) * self.period)
    }
}

/// Signed distance to the nearest middle of a period, in periods: in `[-0.5, 0.5)`.
fn middle(t: f32) -> f32 {
    t - t.floor() - 0.5
}

/// Coverage of a pixel whose center is `inside` pixels within an edge.
pub(super) fn edge(inside: f32) -> f32 {
    (0.5 + inside).clamp(0.0, 1.0)
}
