//! Writing a scene as SVG: one element, which can be a file of its own or part of a page.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::common::figure::font::FAMILY;
use crate::common::figure::raster;
use crate::common::figure::scene::{Anchor, Color, Label, Picture, Point, Scene, Shape, WIDTH};

/// The SVG element. `id` is the figure's name, with which all identifiers in the element begin, so that they are unique
/// in a page.
pub fn svg(scene: &Scene, id: &str) -> String {
    let height = short(scene.height);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"{id}-title {id}-note\" \
         width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"{FAMILY}\">\n\
         <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-note\">{}</desc>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>",
        escaped(&scene.title),
        escaped(&scene.note)
    );
    for shape in &scene.shapes {
        match shape {
            Shape::Line { points, stroke } => {
                let _ = write!(
                    out,
                    "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
                    path(points),
                    hex(stroke.color),
                    short(stroke.width)
                );
                if !stroke.dash.is_empty() {
                    let dash: Vec<String> = stroke.dash.iter().copied().map(short).collect();
                    let _ = write!(out, " stroke-dasharray=\"{}\"", dash.join(" "));
                }
                close(&mut out, "stroke-opacity", stroke.opacity);
            }
            Shape::Area { points, color, opacity } => {
                let _ = write!(out, "<path d=\"{}Z\" fill=\"{}\"", path(points), hex(*color));
                close(&mut out, "fill-opacity", *opacity);
            }
            Shape::Text(label) => text(&mut out, label),
            Shape::Picture(picture) => image(&mut out, picture),
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The text escaped for XML and HTML, for an element or an attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            // XML has no way to write these.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

fn close(out: &mut String, name: &str, opacity: f64) {
    if opacity < 1.0 {
        let _ = write!(out, " {name}=\"{}\"", short(opacity));
    }
    out.push_str("/>\n");
}

fn text(out: &mut String, label: &Label) {
    let (x, y) = (short(label.at.0), short(label.at.1));
    let anchor = match label.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let _ = write!(
        out,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"",
        short(label.size),
        hex(label.color)
    );
    if label.turned {
        let _ = write!(out, " transform=\"rotate(-90 {x} {y})\"");
    }
    let _ = writeln!(out, ">{}</text>", escaped(&label.text));
}

fn image(out: &mut String, picture: &Picture) {
    let Some(png) = raster::encode(picture.width, picture.height, &picture.rgb) else { return };
    let _ = writeln!(
        out,
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" image-rendering=\"pixelated\" \
         href=\"data:image/png;base64,{}\"/>",
        short(picture.at.0),
        short(picture.at.1),
        picture.width,
        picture.height,
        BASE64_STANDARD.encode(&png)
    );
}

fn path(points: &[Point]) -> String {
    let mut out = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(out, "{}{} {}", if index == 0 { 'M' } else { 'L' }, short(*x), short(*y));
    }
    out
}

/// A length in pixels with at most two decimals.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The color in hexadecimal, as SVG and CSS have it.
pub fn hex(Color(red, green, blue): Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        assert_eq!([1.0, 0.126, -0.001, 100.0, 1.5].map(short), ["1", "0.13", "0", "100", "1.5"]);
    }
}
