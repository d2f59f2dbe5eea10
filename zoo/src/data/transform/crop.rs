//! Parts of images of random size and shape, which are resized to the input.

use std::ops::Range;

use crate::data::rng::{KeyedRng, Purpose};

/// Tries until the part is one in the middle.
const TRIES: usize = 10;

/// The rows and columns of a part of an image of this height and width, as torchvision's `RandomResizedCrop` draws them
/// (Szegedy et al. 2015, section 6): its area is uniform from `least` of the image's to all of it, and the logarithm of
/// its width over its height is uniform between 3/4 and 4/3. Ten draws that do not fit leave the largest part in the
/// middle whose proportions are in these bounds.
pub fn part((height, width): (usize, usize), least: f64, (seed, epoch, index): (u64, u64, usize)) -> [Range<usize>; 2] {
    let mut rng = KeyedRng::new(Purpose::Crop, seed, epoch, index as u64);
    let ratios = [libm::log(3.0 / 4.0), libm::log(4.0 / 3.0)];
    for _ in 0..TRIES {
        let [area, ratio] = [rng.unit(), rng.unit()].map(f64::from);
        let area = (height * width) as f64 * (least + (1.0 - least) * area);
        let ratio = libm::exp(ratios[0] + (ratios[1] - ratios[0]) * ratio);
        let (rows, columns) = ((area / ratio).sqrt().round_ties_even(), (area * ratio).sqrt().round_ties_even());
        let (rows, columns) = (rows as usize, columns as usize);
        if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
            let [top, left] = [rng.below(height - rows + 1), rng.below(width - columns + 1)];
            return [top..top + rows, left..left + columns];
        }
    }
    let of = |side: usize, factor: f64| ((side as f64 * factor).round_ties_even() as usize).max(1);
    let (rows, columns) = match width as f64 / height as f64 {
        ratio if ratio < 3.0 / 4.0 => (of(width, 4.0 / 3.0).min(height), width),
        ratio if ratio > 4.0 / 3.0 => (height, of(height, 4.0 / 3.0).min(width)),
        _ => (height, width),
    };
    let [top, left] = [(height - rows) / 2, (width - columns) / 2];
    [top..top + rows, left..left + columns]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_the_areas_and_proportions_that_were_asked_for() {
        let size = (300, 400);
        let parts: Vec<_> = (0..4000).map(|index| part(size, 0.08, (7, 2, index))).collect();
        let mut areas = Vec::new();
        for [rows, columns] in &parts {
            assert!(rows.end <= 300 && columns.end <= 400 && !rows.is_empty() && !columns.is_empty());
            let ratio = columns.len() as f64 / rows.len() as f64;
            assert!((0.74..1.345).contains(&ratio), "{rows:?} {columns:?}");
            areas.push((rows.len() * columns.len()) as f64 / 120_000.0);
        }
        assert!(areas.iter().all(|area| (0.079..=1.0).contains(area)));
        // Parts of at most 3/4 of the area of a square always fit, whatever their proportions, and are drawn uniformly.
        let square = (0..8000).map(|index| part((300, 300), 0.08, (1, 1, index)));
        let of_square: Vec<f64> =
            square.map(|[rows, columns]| (rows.len() * columns.len()) as f64 / 90_000.0).collect();
        let below = |share: f64| of_square.iter().filter(|area| **area < share).count() as f64;
        // The standard error is a hundredth.
        assert!((below(0.41) / below(0.74) - 0.5).abs() < 0.04, "{} {}", below(0.41), below(0.74));
        // Every place is drawn: the first and the last rows and columns are in some.
        assert!(parts.iter().any(|[rows, _]| rows.start == 0) && parts.iter().any(|[rows, _]| rows.end == 300));
        assert_eq!(part(size, 0.08, (7, 2, 5)), parts[5]);
        assert_ne!(part(size, 0.08, (7, 3, 5)), parts[5]);
        assert_ne!(part(size, 0.08, (8, 2, 5)), parts[5]);
    }

    #[test]
    fn an_image_that_no_part_fits_gives_the_middle() {
        assert_eq!(part((1000, 10), 1.0, (0, 0, 0)), [493..506, 0..10]);
        assert_eq!(part((10, 1000), 1.0, (0, 0, 0)), [0..10, 493..506]);
        assert_eq!(part((1, 1), 0.08, (0, 0, 0)), [0..1, 0..1]);
    }
}
