//! What is to be seen in a figure, before it is SVG or pixels: lines, areas, text and pictures on a page.

use crate::reproduce::figure::font;

/// Width of all figures, in pixels.
pub const WIDTH: f64 = 900.0;
/// Distance of what is drawn from the edge.
pub const MARGIN: f64 = 18.0;
/// Size of axis labels and legends.
pub const TEXT: f64 = 13.0;
/// Size of numbers at ticks and of notes.
pub const SMALL: f64 = 11.5;

const TITLE: f64 = 16.0;
/// From a line of text to the next, in sizes of the text.
const LEADING: f64 = 1.35;

/// From the left and from the top, in pixels.
pub type Point = (f64, f64);

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Text and axes.
pub const INK: Color = Color(0x22, 0x22, 0x22);
/// What is said beside.
pub const FAINT: Color = Color(0x55, 0x55, 0x55);
/// Grid lines.
pub const GRID: Color = Color(0xdd, 0xdd, 0xdd);
/// What lies below others, to tell groups apart.
pub const SHADE: Color = Color(0xf3, 0xf3, 0xf3);

/// What all is drawn on, and the rims of marks.
pub const PAPER: Color = Color(0xff, 0xff, 0xff);
/// The colors that a dark page replaces, and those that it has in their places. The others can be told from both
/// grounds.
pub const DARK: [(Color, Color); 7] = [
    (PAPER, Color(0x16, 0x18, 0x1b)),
    (INK, Color(0xe4, 0xe4, 0xe4)),
    (FAINT, Color(0xab, 0xab, 0xab)),
    (GRID, Color(0x3a, 0x3d, 0x42)),
    (SHADE, Color(0x22, 0x25, 0x29)),
    // The black and the blue of lines.
    (Color(0x00, 0x00, 0x00), Color(0xff, 0xff, 0xff)),
    (Color(0x00, 0x72, 0xb2), Color(0x4d, 0xa3, 0xff)),
];

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    /// Its color.
    pub color: Color,
    /// In pixels.
    pub width: f64,
    /// Lengths of dashes and gaps; none for a line without gaps.
    pub dash: &'static [f64],
    /// 1 covers what is below.
    pub opacity: f64,
}

impl Stroke {
    /// A line without gaps.
    pub const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dash: &[], opacity: 1.0 }
    }
}

/// Which point of a text is where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// A line of text.
#[derive(Clone, Debug)]
pub struct Label {
    /// Where its anchor is, on the base line.
    pub at: Point,
    /// What it says.
    pub text: String,
    /// Size of the font, in pixels.
    pub size: f64,
    /// What is at `at`.
    pub anchor: Anchor,
    /// Whether it is read from below.
    pub turned: bool,
    /// Its color.
    pub color: Color,
}

/// An image, a pixel of it being a pixel of the page.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its upper left corner.
    pub at: Point,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// One thing to be seen.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// How it is drawn.
        stroke: Stroke,
    },
    /// A filled polygon.
    Area {
        /// Its corners.
        points: Vec<Point>,
        /// Its color.
        color: Color,
        /// 1 covers what is below.
        opacity: f64,
    },
    /// Text.
    Text(Label),
    /// An image.
    Picture(Picture),
}

/// A figure: shapes from the lowest to the uppermost.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What the figure shows.
    pub title: String,
    /// What its marks mean.
    pub note: String,
    /// Height in pixels.
    pub height: f64,
    /// What is to be seen.
    pub shapes: Vec<Shape>,
}

impl Scene {
    /// A figure of which the title is drawn, and a line below it. Its height is that of what is drawn so far.
    pub fn titled(title: &str, subtitle: &str) -> Self {
        let mut scene = Self { title: title.to_owned(), note: String::new(), height: MARGIN, shapes: Vec::new() };
        scene.paragraph(title, TITLE, INK);
        scene.paragraph(subtitle, TEXT, FAINT);
        scene.height += 6.0;
        scene
    }

    /// Adds a line.
    pub fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, stroke });
        }
    }

    /// Adds a filled polygon.
    pub fn area(&mut self, points: Vec<Point>, color: Color, opacity: f64) {
        if points.len() > 2 {
            self.shapes.push(Shape::Area { points, color, opacity });
        }
    }

    /// Adds a line of text.
    pub fn text(&mut self, at: Point, text: &str, size: f64, anchor: Anchor, color: Color) {
        let text = text.to_owned();
        self.shapes.push(Shape::Text(Label { at, text, size, anchor, turned: false, color }));
    }

    /// Adds a line of text that is read from below.
    pub fn turned_text(&mut self, at: Point, text: &str) {
        let text = text.to_owned();
        self.shapes.push(Shape::Text(Label { at, text, size: TEXT, anchor: Anchor::Middle, turned: true, color: INK }));
    }

    /// Adds an image, if there is one.
    pub fn picture(&mut self, picture: Option<Picture>) {
        self.shapes.extend(picture.map(Shape::Picture));
    }

    /// Adds, below all that is drawn, what the marks mean, and ends the figure.
    pub fn finish(mut self, note: &str) -> Self {
        self.note = note.to_owned();
        self.height += 10.0;
        self.paragraph(note, SMALL, FAINT);
        self.height = (self.height + MARGIN - 6.0).ceil();
        self
    }

    fn paragraph(&mut self, text: &str, size: f64, color: Color) {
        for line in font::wrap(text, size, WIDTH - 2.0 * MARGIN) {
            self.text((MARGIN, self.height + size * 0.9), &line, size, Anchor::Start, color);
            self.height += size * LEADING;
        }
    }
}
