//! Rendering a scene as a PNG image.

use tiny_skia::{FillRule, LineJoin, Paint, PathBuilder, Pixmap, PixmapMut, Rect, StrokeDash, Transform};

use crate::common::figure::font;
use crate::common::figure::scene::{Anchor, Color, Label, Picture, Point, Scene, Shape, Stroke, WIDTH};

/// Pixels of the image per pixel of the scene, along each axis: enough for a high-resolution screen.
pub const SCALE: u32 = 2;

/// Largest height of a scene that an image is made of: the file of a higher one would be too large for many programs.
pub const HIGHEST: f64 = 12_000.0;

/// The bytes of the PNG file; `None` if the scene has no height, or is higher than [`HIGHEST`].
pub fn png(scene: &Scene) -> Option<Vec<u8>> {
    if scene.height > HIGHEST {
        return None;
    }
    let (width, height) = (WIDTH as u32 * SCALE, scene.height as u32 * SCALE);
    let mut pixmap = Pixmap::new(width, height)?;
    pixmap.fill(tiny_skia::Color::WHITE);
    let mut canvas = pixmap.as_mut();
    for shape in &scene.shapes {
        match shape {
            Shape::Line { points, stroke } => line(&mut canvas, points, stroke),
            Shape::Area { points, color, opacity } => area(&mut canvas, points, *color, *opacity),
            Shape::Text(label) => text(&mut canvas, label),
            Shape::Picture(picture) => image(&mut canvas, picture),
        }
    }
    // The background is opaque white, so that there is no transparency to keep.
    let rgb: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    encode(width, height, &rgb)
}

/// The bytes of a PNG file, from pixels of three bytes; `None` if the number of pixels is not that of the size.
pub fn encode(width: u32, height: u32, rgb: &[u8]) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(rgb).ok()?;
    writer.finish().ok()?;
    Some(file)
}

fn line(canvas: &mut PixmapMut<'_>, points: &[Point], stroke: &Stroke) {
    let Some(path) = path(points, false) else { return };
    let dash = stroke.dash.iter().map(|length| *length as f32).collect();
    let pen = tiny_skia::Stroke {
        width: stroke.width as f32,
        line_join: LineJoin::Round,
        dash: StrokeDash::new(dash, 0.0),
        ..tiny_skia::Stroke::default()
    };
    canvas.stroke_path(&path, &paint(stroke.color, stroke.opacity), &pen, enlarged(), None);
}

fn area(canvas: &mut PixmapMut<'_>, points: &[Point], color: Color, opacity: f64) {
    if let Some(path) = path(points, true) {
        canvas.fill_path(&path, &paint(color, opacity), FillRule::Winding, enlarged(), None);
    }
}

fn text(canvas: &mut PixmapMut<'_>, label: &Label) {
    let Some(path) = font::outline(&label.text, label.size) else { return };
    let before = match label.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => 0.5,
        Anchor::End => 1.0,
    } * font::width(&label.text, label.size);
    let (x, y) = (label.at.0 as f32, label.at.1 as f32);
    let mut place = enlarged().pre_translate(x, y);
    if label.turned {
        place = place.pre_concat(Transform::from_rotate(-90.0));
    }
    let place = place.pre_translate(-before as f32, 0.0);
    canvas.fill_path(&path, &paint(label.color, 1.0), FillRule::Winding, place, None);
}

fn image(canvas: &mut PixmapMut<'_>, picture: &Picture) {
    let pixels = picture.rgb.chunks_exact(3);
    let places = (0..picture.height).flat_map(|y| (0..picture.width).map(move |x| (x, y)));
    for (pixel, (x, y)) in pixels.zip(places) {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]];
        let at = (picture.at.0 as f32 + x as f32, picture.at.1 as f32 + y as f32);
        if let Some(square) = Rect::from_xywh(at.0, at.1, 1.0, 1.0) {
            let mut paint = paint(Color(red, green, blue), 1.0);
            // Smoothed edges would let the shapes below shine through between squares.
            paint.anti_alias = false;
            canvas.fill_rect(square, &paint, enlarged(), None);
        }
    }
}

fn enlarged() -> Transform {
    Transform::from_scale(SCALE as f32, SCALE as f32)
}

fn paint(Color(red, green, blue): Color, opacity: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, (255.0 * opacity) as u8);
    paint.anti_alias = true;
    paint
}

fn path(points: &[Point], closed: bool) -> Option<tiny_skia::Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            path.move_to(*x as f32, *y as f32);
        } else {
            path.line_to(*x as f32, *y as f32);
        }
    }
    if closed {
        path.close();
    }
    path.finish()
}
