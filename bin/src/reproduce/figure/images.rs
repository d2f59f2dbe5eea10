//! The figure of images before and after the filter, enlarged by a whole factor.

use crate::common::error::CliError;
use crate::common::figure::font;
use crate::common::figure::scene::{Anchor, INK, MARGIN, Picture, SMALL, Scene, TEXT, WIDTH};
use crate::reproduce::figure::budget;
use crate::reproduce::figure::records::{Records, Row, slot};

const STAGES: [&str; 2] = ["before", "after"];
/// Largest edge that images are enlarged to, in pixels.
const ENLARGED: u32 = 128;
/// Largest edge of an image in the file, in pixels.
const LARGEST: u32 = 400;
/// Room to the left for the names of the stages, in pixels.
const LEFT: f64 = 24.0;
const BETWEEN: f64 = 10.0;

/// The two stages of an image, and the name of its class.
#[derive(Default)]
struct Pair<'a> {
    label: &'a str,
    stages: [Option<Picture>; 2],
}

/// Draws the images in columns, each before the filter and, below, after it.
pub fn draw(records: &Records, title: &str) -> Result<Scene, CliError> {
    let mut pairs: Vec<(&str, Pair<'_>)> = Vec::new();
    for row in records.rows() {
        let pair = slot(&mut pairs, row.text("image")?);
        let stage = row.text("stage")?;
        let found = STAGES.iter().position(|name| *name == stage).and_then(|index| pair.stages.get_mut(index));
        *found.ok_or_else(|| row.error("stage", "before or after", stage))? = Some(picture(row)?);
        pair.label = row.text("label")?;
    }
    let mut scene = Scene::titled(title, &origin(records, pairs.len()));
    let pictures = || pairs.iter().flat_map(|(_, pair)| pair.stages.iter().flatten());
    let width = f64::from(pictures().map(|picture| picture.width).max().unwrap_or(1));
    let height = f64::from(pictures().map(|picture| picture.height).max().unwrap_or(1));
    let columns = ((WIDTH - 2.0 * MARGIN - LEFT + BETWEEN) / (width + BETWEEN)).floor().max(1.0) as usize;
    // The lines have equally many images, as far as possible.
    let columns = pairs.len().div_ceil(pairs.len().div_ceil(columns).max(1)).max(1);
    for group in pairs.chunks(columns) {
        let top = scene.height;
        for (row, stage) in STAGES.into_iter().enumerate() {
            let y = top + row as f64 * (height + BETWEEN);
            scene.turned_text((MARGIN + 14.0, y + height / 2.0), stage);
        }
        let below = top + 2.0 * height + BETWEEN;
        for (column, (image, pair)) in group.iter().enumerate() {
            let x = MARGIN + LEFT + column as f64 * (width + BETWEEN);
            for (row, picture) in pair.stages.iter().enumerate() {
                let at = (x, top + row as f64 * (height + BETWEEN));
                scene.picture(picture.as_ref().map(|picture| Picture { at, ..picture.clone() }));
            }
            let label = font::fit(&format!("{image}: {}", pair.label), TEXT, width);
            scene.text((x + width / 2.0, below + SMALL + 5.0), &label, TEXT, Anchor::Middle, INK);
        }
        scene.height = below + SMALL + 22.0;
    }
    Ok(scene.finish("Each pixel of an image is a square. Below: place among the test images, from 0 on, and class."))
}

/// The text on the source of the images and the filter. Parts for which the file, being of an earlier build, has no
/// column are left out.
fn origin(records: &Records, count: usize) -> String {
    let Some(first) = records.rows().next() else { return String::new() };
    let [source, sigma, radius] = ["source", "sigma", "radius"].map(|column| first.optional(column));
    let mut parts = Vec::new();
    if !source.is_empty() {
        let images = budget::counted(&count.to_string(), "test image");
        parts.push(format!("data: {source}, the first {images}"));
    }
    if !sigma.is_empty() && !radius.is_empty() {
        parts.push(format!("Gaussian filter: sigma {sigma} and radius {radius}, in pixels"));
    }
    parts.join("; ")
}

/// The image of a row, enlarged.
fn picture(row: Row<'_>) -> Result<Picture, CliError> {
    let edge = |column| match row.whole(column)? {
        pixels @ 1..=LARGEST => Ok(pixels),
        pixels => Err(row.error(column, &format!("1 to {LARGEST} pixels"), &pixels.to_string())),
    };
    let (width, height) = (edge("width")?, edge("height")?);
    let text = row.text("pixels")?;
    let count = width as usize * height as usize;
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let Some(planes) = bytes.filter(|bytes| bytes.len() == 3 * count) else {
        let expected = format!("{} hexadecimal digits for 3 planes of {width} x {height}", 6 * count);
        return Err(row.error("pixels", &expected, &format!("{} characters: {text}", text.len())));
    };
    let times = (ENLARGED / width.max(height)).max(1) as usize;
    let mut rgb = Vec::with_capacity(3 * count * times * times);
    for y in 0..height as usize * times {
        for x in 0..width as usize * times {
            let place = y / times * width as usize + x / times;
            rgb.extend((0..3).filter_map(|plane| planes.get(plane * count + place)));
        }
    }
    let times = times as u32;
    Ok(Picture { at: (0.0, 0.0), width: width * times, height: height * times, rgb })
}

/// The byte of two hexadecimal digits; `None` for other text.
fn byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::reproduce::figure::tests::{figure, folder, texts};
    use crate::reproduce::figure::{Drawing, sample};

    #[test]
    fn images_of_an_earlier_build_are_drawn_without_what_their_file_does_not_say() {
        let folder = folder();
        let rows = [format!("0,x,before,2,2,{}", "0".repeat(24))];
        sample::file(folder.path(), "figure4.csv", "image,label,stage,width,height,pixels", &rows);
        let found = texts(&Drawing::of(figure("figure4"), folder.path()).unwrap().svg);
        assert!(found.contains(&"0: x".to_owned()) && !found.iter().any(|text| text.contains("sigma")), "{found:?}");
    }
}
