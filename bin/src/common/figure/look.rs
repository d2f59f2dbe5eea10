//! Colors, dashes and marks of series. Series that share a color differ in dashes and in mark, so that none is told
//! apart by its color alone.

use crate::common::figure::font;
use crate::common::figure::scene::{Anchor, Color, INK, MARGIN, PAPER, Point, Scene, Stroke, TEXT, WIDTH};

/// Color, dashes and mark of a series.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Color of line and marks.
    pub color: Color,
    /// Dashes of the line.
    pub dash: &'static [f64],
    /// Corners of the mark around its middle, in units of its radius.
    mark: &'static [Point],
}

// Okabe and Ito's palette without yellow, which is hard to see on white.
const BLACK: Color = Color(0x00, 0x00, 0x00);
const ORANGE: Color = Color(0xe6, 0x9f, 0x00);
const SKY_BLUE: Color = Color(0x56, 0xb4, 0xe9);
const GREEN: Color = Color(0x00, 0x9e, 0x73);
const BLUE: Color = Color(0x00, 0x72, 0xb2);
const VERMILION: Color = Color(0xd5, 0x5e, 0x00);
const PURPLE: Color = Color(0xcc, 0x79, 0xa7);
const GREY: Color = Color(0x77, 0x77, 0x77);

const SOLID: &[f64] = &[];
const LONG: &[f64] = &[9.0, 4.0];
const DASHED: &[f64] = &[5.0, 3.0];
const DOTTED: &[f64] = &[1.5, 2.5];
const DASH_DOT: &[f64] = &[8.0, 3.0, 1.5, 3.0];
const DASH_DOTS: &[f64] = &[8.0, 3.0, 1.5, 2.5, 1.5, 3.0];

const CIRCLE: &[Point] = &[
    (1.0, 0.0),
    (0.924, 0.383),
    (0.707, 0.707),
    (0.383, 0.924),
    (0.0, 1.0),
    (-0.383, 0.924),
    (-0.707, 0.707),
    (-0.924, 0.383),
    (-1.0, 0.0),
    (-0.924, -0.383),
    (-0.707, -0.707),
    (-0.383, -0.924),
    (0.0, -1.0),
    (0.383, -0.924),
    (0.707, -0.707),
    (0.924, -0.383),
];
const SQUARE: &[Point] = &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)];
const DIAMOND: &[Point] = &[(0.0, -1.25), (1.1, 0.0), (0.0, 1.25), (-1.1, 0.0)];
const UP: &[Point] = &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)];
const DOWN: &[Point] = &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)];
const PENTAGON: &[Point] = &[(0.0, -1.15), (1.1, -0.36), (0.68, 0.93), (-0.68, 0.93), (-1.1, -0.36)];
const BAR: &[Point] = &[(-0.45, -1.25), (0.45, -1.25), (0.45, 1.25), (-0.45, 1.25)];

/// An arm: its name in the files and in print, and its look.
const ARMS: [(&str, &str, Look); 9] = [
    ("relu", "ReLU", Look { color: BLACK, dash: SOLID, mark: CIRCLE }),
    ("relu_affine", "ReLU, affine", Look { color: BLUE, dash: DASHED, mark: SQUARE }),
    ("leaky_relu", "Leaky ReLU", Look { color: ORANGE, dash: LONG, mark: UP }),
    ("leaky_relu_keras", "Leaky ReLU, 0.3", Look { color: ORANGE, dash: DOTTED, mark: BAR }),
    ("elu", "ELU", Look { color: SKY_BLUE, dash: DASH_DOTS, mark: DOWN }),
    ("prelu", "PReLU", Look { color: GREEN, dash: DASH_DOT, mark: SQUARE }),
    ("prelu_element", "PReLU, elements", Look { color: GREEN, dash: LONG, mark: DOWN }),
    ("vlu", "VLU", Look { color: PURPLE, dash: DOTTED, mark: PENTAGON }),
    ("pvlu", "PVLU", Look { color: VERMILION, dash: SOLID, mark: DIAMOND }),
];
const UNKNOWN: Look = Look { color: GREY, dash: LONG, mark: BAR };
/// The looks of a user's own arms, in the order in which they come.
const OTHERS: [Look; 5] = [
    UNKNOWN,
    Look { color: BLUE, dash: DASH_DOT, mark: CIRCLE },
    Look { color: SKY_BLUE, dash: SOLID, mark: SQUARE },
    Look { color: PURPLE, dash: DASHED, mark: UP },
    Look { color: GREY, dash: DASH_DOTS, mark: DIAMOND },
];

/// The look of an arm.
pub fn arm(name: &str) -> Look {
    ARMS.iter().find(|(known, ..)| *known == name).map_or(UNKNOWN, |(.., look)| *look)
}

/// The look of an arm among others, in which a user's own arms differ from each other as long as there are not many.
pub fn among(names: &[&str], name: &str) -> Look {
    let is_known = |name: &str| ARMS.iter().any(|(known, ..)| *known == name);
    if is_known(name) {
        return arm(name);
    }
    let mut others: Vec<&str> = Vec::new();
    for other in names.iter().filter(|name| !is_known(name)) {
        if !others.contains(other) {
            others.push(other);
        }
    }
    let index = others.iter().position(|other| *other == name).unwrap_or_default();
    OTHERS.iter().cycle().nth(index % OTHERS.len()).copied().unwrap_or(UNKNOWN)
}

/// The name of an arm in print; for an unknown arm the name as it is given.
pub fn arm_label(name: &str) -> &str {
    ARMS.iter().find(|(known, ..)| *known == name).map_or(name, |(_, label, _)| label)
}

/// The look of the series at this index, in a figure whose series are not arms.
pub fn nth(index: usize) -> Look {
    // Each series is three further in the list, since neighbors in it are arms with similar looks.
    ARMS.iter().cycle().nth(index % ARMS.len() * 3).map_or(UNKNOWN, |(.., look)| *look)
}

impl Look {
    /// The stroke of the series' line.
    pub fn stroke(&self, width: f64) -> Stroke {
        Stroke { color: self.color, width, dash: self.dash, opacity: 1.0 }
    }

    /// The same look without dashes, for a series whose marks are not joined.
    pub fn bare(self) -> Self {
        Self { dash: SOLID, ..self }
    }

    /// Draws the mark of the series, with a rim that sets it off from the shapes below.
    pub fn mark(&self, scene: &mut Scene, at: Point, radius: f64) {
        self.filled(scene, at, radius + 1.0, PAPER, 1.0);
        self.filled(scene, at, radius, self.color, 1.0);
    }

    /// Draws marks on a line: on all of its points if they are few, else on some that are apart. `place` is the line's
    /// index and the number of lines: each line's marks are shifted a little further, so that lines on top of each
    /// other show all of theirs.
    pub fn marks(&self, scene: &mut Scene, line: &[Point], place: (usize, usize)) {
        const MARKS: usize = 8;
        let shift = place.0 as f64 / place.1.max(1) as f64;
        let number = line.len().min(MARKS);
        let (share, shift) = if number < MARKS { (1.0, 0.0) } else { (line.len() as f64 / MARKS as f64, shift) };
        for mark in 0..number {
            if let Some(at) = line.get(((mark as f64 + shift) * share) as usize) {
                self.mark(scene, *at, 3.6);
            }
        }
    }

    /// Draws a small mark of one seed.
    pub fn seed_mark(&self, scene: &mut Scene, at: Point) {
        self.filled(scene, at, 2.4, self.color, 0.45);
    }

    fn filled(&self, scene: &mut Scene, (x, y): Point, radius: f64, color: Color, opacity: f64) {
        let corners = self.mark.iter().map(|(right, down)| (x + radius * right, y + radius * down)).collect();
        scene.area(corners, color, opacity);
    }
}

/// Draws the name and look of each series below the shapes of the scene.
pub fn legend(scene: &mut Scene, entries: &[(String, Look)]) {
    const SAMPLE: f64 = 38.0;
    const GAP: f64 = 22.0;
    const LINE: f64 = 21.0;
    let mut x = MARGIN;
    let mut y = scene.height + LINE / 2.0;
    for (name, look) in entries {
        let name = font::fit(name, TEXT, 300.0);
        let width = SAMPLE + 7.0 + font::width(&name, TEXT);
        if x + width > WIDTH - MARGIN && x > MARGIN {
            x = MARGIN;
            y += LINE;
        }
        scene.line(vec![(x, y), (x + SAMPLE, y)], look.stroke(2.0));
        look.mark(scene, (x + SAMPLE / 2.0, y), 4.0);
        scene.text((x + SAMPLE + 7.0, y + TEXT * 0.36), &name, TEXT, Anchor::Start, INK);
        x += width + GAP;
    }
    scene.height = y + LINE / 2.0 + 8.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_series_of_one_color_share_dashes_or_a_mark() {
        let looks: Vec<Look> = ARMS.iter().map(|(.., look)| *look).chain(OTHERS).collect();
        for (index, one) in looks.iter().enumerate() {
            for other in looks.iter().skip(index + 1).filter(|other| other.color == one.color) {
                assert!(other.dash != one.dash && other.mark != one.mark, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn arms_of_ones_own_differ_from_each_other() {
        let names = ["relu", "mine", "yours", "mine", "pvlu", "theirs"];
        let looks: Vec<_> = ["mine", "yours", "theirs"].map(|name| among(&names, name)).to_vec();
        assert!(looks[0].color != looks[1].color && looks[1].color != looks[2].color);
        assert_eq!(among(&names, "pvlu").color, arm("pvlu").color);
        assert_eq!(among(&[], "mine").color, UNKNOWN.color);
    }
}
