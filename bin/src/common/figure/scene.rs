//! The content of a figure before it is SVG or pixels: lines, areas, text and pictures on a page.

use crate::common::figure::font;

/// Width of all figures, in pixels.
pub const WIDTH: f64 = 900.0;
/// Distance of the content from the edge, in pixels.
pub const MARGIN: f64 = 18.0;
/// Font size of axis labels and legends, in pixels.
pub const TEXT: f64 = 13.0;
/// Font size of numbers at ticks and of notes, in pixels.
pub const SMALL: f64 = 11.5;

const TITLE: f64 = 16.0;
/// Distance from a line of text to the next, in units of the font size.
const LEADING: f64 = 1.35;

/// A point, by its distances from the left and from the top in pixels.
pub type Point = (f64, f64);

/// A color by its red, green and blue parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Color of text and axes.
pub const INK: Color = Color(0x22, 0x22, 0x22);
/// Color of notes and other secondary text.
pub const FAINT: Color = Color(0x55, 0x55, 0x55);
/// Color of grid lines.
pub const GRID: Color = Color(0xdd, 0xdd, 0xdd);
/// Color of areas behind other shapes that tell groups apart.
pub const SHADE: Color = Color(0xf3, 0xf3, 0xf3);

/// Color of the background, and of the rims of marks.
pub const PAPER: Color = Color(0xff, 0xff, 0xff);
/// Colors that are replaced on a dark page, each with its replacement. All others can be seen on both backgrounds.
pub const DARK: [(Color, Color); 7] = [
    (PAPER, Color(0x16, 0x18, 0x1b)),
    (INK, Color(0xe4, 0xe4, 0xe4)),
    (FAINT, Color(0xab, 0xab, 0xab)),
    (GRID, Color(0x3a, 0x3d, 0x42)),
    (SHADE, Color(0x22, 0x25, 0x29)),
    // Black and blue of lines.
    (Color(0x00, 0x00, 0x00), Color(0xff, 0xff, 0xff)),
    (Color(0x00, 0x72, 0xb2), Color(0x4d, 0xa3, 0xff)),
];

/// The style of a line.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    /// Color of the line.
    pub color: Color,
    /// Width of the line in pixels.
    pub width: f64,
    /// Lengths of dashes and gaps, in pixels; empty for a line without gaps.
    pub dash: &'static [f64],
    /// Opacity from 0 to 1; 1 hides the shapes below.
    pub opacity: f64,
}

impl Stroke {
    /// A line without gaps.
    pub const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dash: &[], opacity: 1.0 }
    }
}

/// The point of a text that lies at its given place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end of the text.
    Start,
    /// The middle of the text.
    Middle,
    /// The right end of the text.
    End,
}

/// A line of text.
#[derive(Clone, Debug)]
pub struct Label {
    /// Place of the anchor, on the base line.
    pub at: Point,
    /// The text, in one line.
    pub text: String,
    /// Size of the font, in pixels.
    pub size: f64,
    /// The point of the text that lies at `at`.
    pub anchor: Anchor,
    /// True if the text is turned to be read from bottom to top.
    pub turned: bool,
    /// Color of the text.
    pub color: Color,
}

/// An image, of which each pixel is one of the page.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Place of the upper left corner.
    pub at: Point,
    /// Number of pixels in a line.
    pub width: u32,
    /// Number of lines of pixels.
    pub height: u32,
    /// Pixels line by line, with three bytes each: red, green, blue.
    pub rgb: Vec<u8>,
}

/// A visible element of a figure.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through points.
    Line {
        /// Points of the line, in order.
        points: Vec<Point>,
        /// Style of the line.
        stroke: Stroke,
    },
    /// A polygon that is filled.
    Area {
        /// Corners of the polygon, in order.
        points: Vec<Point>,
        /// Color of the polygon.
        color: Color,
        /// Opacity from 0 to 1; 1 hides the shapes below.
        opacity: f64,
    },
    /// A line of text.
    Text(Label),
    /// An image made of pixels.
    Picture(Picture),
}

/// A figure: shapes from the lowest to the uppermost.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Title of the figure, which is drawn and is the SVG's title.
    pub title: String,
    /// Note on the meaning of the marks, which is drawn and is the SVG's description.
    pub note: String,
    /// Height of the page in pixels, which grows as shapes are added.
    pub height: f64,
    /// Shapes from the lowest to the uppermost.
    pub shapes: Vec<Shape>,
}

impl Scene {
    /// A figure with its title and a line below it. Its height is that of its content so far.
    pub fn titled(title: &str, subtitle: &str) -> Self {
        let mut scene = Self { title: title.to_owned(), note: String::new(), height: MARGIN, shapes: Vec::new() };
        scene.paragraph(title, TITLE, INK);
        scene.paragraph(subtitle, TEXT, FAINT);
        scene.height += 6.0;
        scene
    }

    /// Adds a line through at least two points.
    pub fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, stroke });
        }
    }

    /// Adds a filled polygon of at least three corners.
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

    /// Adds a line of text that is read from bottom to top.
    pub fn turned_text(&mut self, at: Point, text: &str) {
        let text = text.to_owned();
        self.shapes.push(Shape::Text(Label { at, text, size: TEXT, anchor: Anchor::Middle, turned: true, color: INK }));
    }

    /// Adds an image, if there is one.
    pub fn picture(&mut self, picture: Option<Picture>) {
        self.shapes.extend(picture.map(Shape::Picture));
    }

    /// Adds a note on the marks below all shapes, and ends the figure.
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
