//! The font of the figures, which is built in, so that a figure is the same on every machine.

use std::sync::LazyLock;

use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::outline::pen::PathStyle;
use skrifa::outline::{DrawSettings, OutlineGlyphCollection, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};
use tiny_skia::{Path, PathBuilder};

/// The parts of the font that are read, in the font's units.
struct Face {
    letters: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
    outlines: OutlineGlyphCollection<'static>,
    units_per_em: u16,
}

impl Face {
    fn parse(bytes: &'static [u8]) -> Option<Self> {
        let font = FontRef::new(bytes).ok()?;
        let (size, location) = (Size::unscaled(), LocationRef::default());
        Some(Self {
            letters: font.charmap(),
            metrics: font.glyph_metrics(size, location),
            outlines: font.outline_glyphs(),
            units_per_em: font.metrics(size, location).units_per_em,
        })
    }
}

/// The built-in font. It is never `None`, which a test makes sure of.
static FACE: LazyLock<Option<Face>> = LazyLock::new(|| Face::parse(dejavu::sans::regular()));

/// The `font-family` of SVG files: the font itself, else fonts of similar width.
pub const FAMILY: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";

/// The character that replaces the end of a text that is too long.
const CUT: char = '…';

/// Width of a text in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|letter| advance(glyph(letter))).sum::<f64>() * scale(size)
}

/// The text, cut at its end if it is wider than `widest` pixels.
pub fn fit(text: &str, size: f64, widest: f64) -> String {
    if width(text, size) <= widest {
        return text.to_owned();
    }
    let mut used = advance(glyph(CUT)) * scale(size);
    let mut cut: String = text
        .chars()
        .take_while(|letter| {
            used += advance(glyph(*letter)) * scale(size);
            used <= widest
        })
        .collect();
    cut.push(CUT);
    cut
}

/// Lines of whole words that are at most `widest` pixels wide; none for an empty text.
pub fn wrap(text: &str, size: f64, widest: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = fit(word, size, widest);
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= widest => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The outlines of a text that begins at the origin and stands on the x axis; `None` for one without ink.
pub fn outline(text: &str, size: f64) -> Option<Path> {
    let mut pen = Pen { path: PathBuilder::new(), scale: scale(size) as f32, x: 0.0 };
    for letter in text.chars() {
        let glyph = glyph(letter);
        if let Some(shape) = FACE.as_ref().and_then(|face| face.outlines.get(glyph)) {
            // An error would leave the outline incomplete. The font is built in, and a test draws it.
            let settings = DrawSettings::unhinted(Size::unscaled(), LocationRef::default());
            let _ = shape.draw(settings.with_path_style(PathStyle::HarfBuzz), &mut pen);
        }
        pen.x += advance(glyph) as f32 * pen.scale;
    }
    pen.path.finish()
}

/// The glyph of a letter; that of a missing letter where the font has none.
fn glyph(letter: char) -> GlyphId {
    FACE.as_ref().and_then(|face| face.letters.map(letter)).unwrap_or_default()
}

/// Distance to the next letter, in the font's units.
fn advance(glyph: GlyphId) -> f64 {
    FACE.as_ref().and_then(|face| face.metrics.advance_width(glyph)).map_or(0.0, f64::from)
}

fn scale(size: f64) -> f64 {
    size / FACE.as_ref().map_or(1.0, |face| f64::from(face.units_per_em))
}

struct Pen {
    path: PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    /// The place on the page, whose y axis points down, of a point of a glyph, whose y axis points up.
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use tiny_skia::PathSegment;

    use super::*;

    #[test]
    fn a_text_is_cut_and_wrapped_to_its_width() {
        let long = "leaky_relu ".repeat(40);
        let cut = fit(&long, 12.0, 100.0);
        assert!(cut.ends_with(CUT) && width(&cut, 12.0) <= 100.0, "{cut}");
        assert_eq!(fit("short", 12.0, 100.0), "short");
        let lines = wrap(&long, 12.0, 200.0);
        assert!(lines.len() > 5 && lines.iter().all(|line| width(line, 12.0) <= 200.0));
        assert_eq!(lines.join(" "), long.trim());
        assert!(wrap("", 12.0, 100.0).is_empty());
    }

    #[test]
    fn letters_have_outlines_and_spaces_have_none() {
        let bounds = outline("αβ x", 20.0).unwrap().bounds();
        assert!(bounds.right() > 30.0 && f64::from(bounds.right()) <= width("αβ x", 20.0) + 1.0, "{bounds:?}");
        assert!(bounds.top() < -10.0 && bounds.bottom() < 8.0, "{bounds:?}");
        assert!(outline("  ", 20.0).is_none());
    }

    #[test]
    fn an_outline_is_that_of_the_font() {
        // The two boxes of an exclamation mark, in units of the font, y downwards.
        let expected = [
            [(309, -254), (512, -254), (512, 0), (309, 0)].as_slice(),
            &[(309, -1493), (512, -1493), (512, -838), (492, -481), (330, -481), (309, -838)],
        ];
        let mut found: Vec<Vec<(i32, i32)>> = Vec::new();
        for segment in outline("!", 2048.0).unwrap().segments() {
            match segment {
                PathSegment::MoveTo(point) => found.push(vec![(point.x as i32, point.y as i32)]),
                PathSegment::LineTo(point) => found.last_mut().unwrap().push((point.x as i32, point.y as i32)),
                PathSegment::Close => {}
                curve => panic!("{curve:?}"),
            }
        }
        assert_eq!(found, expected);
        // A contour that the font begins with a control point starts at the next point, as HarfBuzz has it.
        let first = outline("\u{238}", 2048.0).unwrap().segments().next();
        assert_eq!(first, Some(PathSegment::MoveTo((303.0, -559.0).into())));
        assert_eq!(width("!", 2048.0), 821.0);
    }
}
