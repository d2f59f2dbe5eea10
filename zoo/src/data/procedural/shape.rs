//! The ten shapes, as signed distances.

/// A shape of the built-in set. Every shape equals its mirror image, so a horizontal flip keeps the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Disc,
    Ring,
    Square,
    Triangle,
    Cross,
    Star,
    Crescent,
    Bars,
    HalfDisc,
    Hourglass,
}

impl Shape {
    pub(super) const ALL: [Self; 10] = [
        Self::Disc,
        Self::Ring,
        Self::Square,
        Self::Triangle,
        Self::Cross,
        Self::Star,
        Self::Crescent,
        Self::Bars,
        Self::HalfDisc,
        Self::Hourglass,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Disc => "disc",
            Self::Ring => "ring",
            Self::Square => "square",
            Self::Triangle => "triangle",
            Self::Cross => "cross",
            Self::Star => "star",
            Self::Crescent => "crescent",
            Self::Bars => "bars",
            Self::HalfDisc => "half disc",
            Self::Hourglass => "hourglass",
        }
    }

    /// Signed distance to the outline, negative inside, in units of the radius of the shape. Exact along the straight
    /// edges and arcs, a lower bound near corners outside: enough to blend an edge over one pixel.
    pub(super) fn distance(self, [x, y]: [f32; 2]) -> f32 {
        match self {
            Self::Disc => length(x, y) - 0.85,
            Self::Ring => (length(x, y) - 0.72).abs() - 0.24,
            Self::Square => rectangle([x, y], [0.76, 0.76]),
            Self::Triangle => {
                let edge = |[a, b]: [f32; 2]| a * x + b * y;
                edge(TRIANGLE[0]).max(edge(TRIANGLE[1])).max(edge(TRIANGLE[2])) - 0.55
            }
            Self::Cross => rectangle([x, y], [0.98, 0.31]).min(rectangle([x, y], [0.31, 0.98])),
            Self::Star => {
                // A pentagram is what lies within at least four of the five half planes of its inner pentagon, so the
                // second farthest line decides.
                let (mut first, mut second) = (f32::MIN, f32::MIN);
                for [a, b] in PENTAGON {
                    let edge = a * x + b * y;
                    second = second.max(edge.min(first));
                    first = first.max(edge);
                }
                second - 0.36
            }
            Self::Crescent => (length(x, y - 0.1) - 0.95).max(0.75 - length(x, y + 0.4)),
            Self::Bars => rectangle([x, y.abs() - 0.52], [0.88, 0.25]),
            Self::HalfDisc => (length(x, y - 0.4) - 1.0).max(y - 0.4),
            // 0.8 and 0.6 are a unit normal, so the sides are exact.
            Self::Hourglass => (y.abs() - 0.85).max(0.8 * x.abs() - 0.6 * y.abs() - 0.1),
        }
    }
}

/// Outward unit normals of an equilateral triangle, one tip up.
const TRIANGLE: [[f32; 2]; 3] = [[0.0, 1.0], [0.866_025_4, -0.5], [-0.866_025_4, -0.5]];

/// Outward unit normals of a regular pentagon, one down.
const PENTAGON: [[f32; 2]; 5] = [
    [0.0, 1.0],
    [0.951_056_5, 0.309_017],
    [0.587_785_24, -0.809_017],
    [-0.587_785_24, -0.809_017],
    [-0.951_056_5, 0.309_017],
];

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

fn rectangle([x, y]: [f32; 2], half: [f32; 2]) -> f32 {
    (x.abs() - half[0]).max(y.abs() - half[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(shape: Shape) -> impl Iterator<Item = [f32; 2]> {
        (0..200 * 200)
            .map(|i| [(i % 200) as f32 / 80.0 - 1.25 + 1.0 / 160.0, (i / 200) as f32 / 80.0 - 1.25 + 1.0 / 160.0])
            .filter(move |&point| shape.distance(point) < 0.0)
    }

    #[test]
    fn shapes_have_comparable_size_and_fit_their_radius() {
        for shape in Shape::ALL {
            let area = inside(shape).count() as f32 / 80.0 / 80.0;
            assert!((0.9..2.4).contains(&area), "{shape:?}: area {area}");
            let reach = inside(shape).map(|[x, y]| length(x, y)).fold(0.0, f32::max);
            assert!((0.8..1.2).contains(&reach), "{shape:?}: reach {reach}");
        }
    }

    #[test]
    fn every_shape_is_its_mirror_image() {
        for shape in Shape::ALL {
            assert!(inside(shape).all(|[x, y]| shape.distance([-x, y]) < 1e-5), "{shape:?}");
        }
    }

    #[test]
    fn distance_changes_no_faster_than_position() {
        let step = 1.0 / 64.0;
        for shape in Shape::ALL {
            for i in 0..160 * 160 {
                let [x, y] = [(i % 160) as f32 * step - 1.25, (i / 160) as f32 * step - 1.25];
                let here = shape.distance([x, y]);
                for there in [shape.distance([x + step, y]), shape.distance([x, y + step])] {
                    assert!((here - there).abs() <= step * 1.001, "{shape:?} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn star_has_five_tips() {
        // Along a circle near the tips the outline is crossed twice for each.
        let signs: Vec<bool> = (0..720)
            .map(|i| (i as f32).to_radians() / 2.0)
            .map(|angle| Shape::Star.distance([0.9 * angle.cos(), 0.9 * angle.sin()]) < 0.0)
            .collect();
        let crossings = (0..720).filter(|&i| signs[i] != signs[(i + 1) % 720]).count();
        assert_eq!(crossings, 10);
    }
}
