//! Panels with two axes and their ticks, and the places of values between the axes.

use crate::common::figure::font;
use crate::common::figure::scene::{Anchor, FAINT, GRID, INK, MARGIN, Point, SMALL, Scene, Stroke, TEXT, WIDTH};

/// Largest magnitude of a value on an axis; larger ones are drawn at its end, so that differences stay finite.
const FARTHEST: f64 = 1e100;

/// The range of values of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Value at the lower end.
    pub low: f64,
    /// Value at the upper end, which is greater than `low`.
    pub high: f64,
}

impl Range {
    /// The range from the least to the greatest value, widened if they are equal; 0 to 1 without values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter().map(|value| value.clamp(-FARTHEST, FARTHEST));
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let largest = low.abs().max(high.abs());
        if high - low > 1e-9 * largest {
            return Self { low, high };
        }
        // The values are equal, or too close to tell apart.
        let half = (0.05 * largest).max(0.5);
        Self { low: low - half, high: high + half }
    }

    /// The range of most of these extents, and for each whether it is kept. Extents are left out at both ends, as few
    /// as possible and less than half of all, if the range of the others is then less than a third of that of all: an
    /// extent that is far off would squeeze the others until they cannot be told apart.
    pub fn of_most(extents: &[(f64, f64)]) -> (Self, Vec<bool>) {
        let ends = |(low, high): &(f64, f64)| [*low, *high];
        let range = |kept: &[usize]| {
            let values = kept.iter().filter_map(|index| extents.get(*index)).flat_map(ends);
            Self::of(values)
        };
        let mut order: Vec<usize> = (0..extents.len()).collect();
        let middle = |index: &usize| extents.get(*index).map_or(0.0, |(low, high)| 0.5 * low + 0.5 * high);
        order.sort_by(|left, right| middle(left).total_cmp(&middle(right)));
        let whole = range(&order);
        for left_out in 1..=order.len().saturating_sub(1) / 2 {
            for below in 0..=left_out {
                let kept = order.get(below..order.len() - (left_out - below)).unwrap_or_default();
                let narrow = range(kept);
                if (narrow.high - narrow.low) < (whole.high - whole.low) / 3.0 {
                    return (narrow, (0..extents.len()).map(|index| kept.contains(&index)).collect());
                }
            }
        }
        (whole, vec![true; extents.len()])
    }

    /// The range with room at both ends, so that no mark lies on the frame.
    pub fn padded(self) -> Self {
        let room = 0.05 * (self.high - self.low);
        Self { low: self.low - room, high: self.high + room }
    }

    /// The place of a value in the range: 0 at the lower end, 1 at the upper end. Values beyond an end lie on it.
    fn share(&self, value: f64) -> f64 {
        ((value.clamp(-FARTHEST, FARTHEST) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// About `count` round numbers within the range, at least `closest` apart, each with its text.
    fn ticks(&self, count: f64, closest: f64) -> Vec<(f64, String)> {
        let raw = ((self.high - self.low) / count).max(closest);
        let power = libm::pow(10.0, libm::log10(raw).floor());
        // One of these steps is at least `raw`, up to rounding.
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= raw * 0.999);
        let step = step.unwrap_or(raw);
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        let number = (last - first).clamp(0.0, 30.0) as u32;
        let decimals = (-libm::log10(step * 1.001).floor()).clamp(0.0, 6.0) as usize;
        let plain = (1e-6..1e7).contains(&step);
        let ticks = (0..=number).map(|index| (first + f64::from(index)) * step).filter(|tick| *tick <= self.high);
        ticks
            .map(|tick| {
                let text = if plain { format!("{tick:.decimals$}") } else { format!("{tick:.0e}") };
                // A number that is written as zero has no sign.
                let zero = text.starts_with('-') && text.chars().all(|letter| "-0.".contains(letter));
                (tick, if zero { text.replacen('-', "", 1) } else { text })
            })
            .collect()
    }
}

/// An axis with its label, its range and the distance of its ticks.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'a> {
    /// Label, with the quantity and its unit.
    pub label: &'a str,
    /// The values at both ends.
    pub range: Range,
    /// Least distance between two ticks, in values: 1 for counts.
    pub closest: f64,
}

/// A rectangle with axes to the left and below.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// Left end of the horizontal axis, in pixels.
    pub left: f64,
    /// Upper end of the vertical axis, in pixels.
    pub top: f64,
    /// Length of the horizontal axis, in pixels.
    pub width: f64,
    /// Length of the vertical axis, in pixels.
    pub height: f64,
    /// The axis below the panel.
    pub x: Axis<'a>,
    /// The axis to the left of the panel.
    pub y: Axis<'a>,
}

/// Room to the left for the numbers and label of the vertical axis, in pixels.
const LEFT: f64 = 68.0;
/// Room below for the numbers and label of the horizontal axis, in pixels.
pub const BELOW: f64 = 42.0;

impl Panel<'_> {
    /// The point of a pair of values; on the frame, if it is beyond the axes.
    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.left + self.width * self.x.range.share(x), self.top + self.height * (1.0 - self.y.range.share(y)))
    }

    /// Draws the grid, both axes with their labels, and a title above unless it is empty.
    pub fn draw(&self, scene: &mut Scene, title: &str) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        self.draw_x(scene);
        for (tick, text) in self.y.range.ticks((self.height / 40.0).clamp(2.0, 10.0), self.y.closest) {
            let y = self.at(self.x.range.low, tick).1;
            scene.line(vec![(self.left, y), (right, y)], Stroke::solid(GRID, 1.0));
            scene.text((self.left - 7.0, y + SMALL * 0.36), &text, SMALL, Anchor::End, INK);
        }
        scene.line(vec![(self.left, self.top), (self.left, bottom), (right, bottom)], Stroke::solid(INK, 1.0));
        let label = font::fit(self.y.label, TEXT, self.height + 30.0);
        scene.turned_text((self.left - LEFT + 16.0, self.top + self.height / 2.0), &label);
        let title = font::fit(title, TEXT, self.width);
        scene.text((self.left, self.top - 8.0), &title, TEXT, Anchor::Start, INK);
        if bottom + BELOW > scene.height {
            scene.height = bottom + BELOW;
        }
    }

    /// Draws the horizontal axis and its grid lines only.
    pub fn draw_x(&self, scene: &mut Scene) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for (tick, text) in self.x.range.ticks((self.width / 55.0).clamp(2.0, 10.0), self.x.closest) {
            let x = self.at(tick, self.y.range.low).0;
            scene.line(vec![(x, self.top), (x, bottom)], Stroke::solid(GRID, 1.0));
            scene.text((x, bottom + 17.0), &text, SMALL, Anchor::Middle, INK);
        }
        scene.line(vec![(self.left, bottom), (right, bottom)], Stroke::solid(INK, 1.0));
        let label = font::fit(self.x.label, TEXT, self.width + 60.0);
        scene.text((self.left + self.width / 2.0, bottom + 36.0), &label, TEXT, Anchor::Middle, INK);
    }

    /// Writes a text in the middle of the panel, which says that there is nothing to draw.
    pub fn say_empty(&self, scene: &mut Scene, text: &str) {
        let at = (self.left + self.width / 2.0, self.top + self.height / 2.0);
        scene.text(at, &font::fit(text, TEXT, self.width), TEXT, Anchor::Middle, FAINT);
    }
}

/// The upper left corners of the axes of `count` panels of the given height, and their width. The panels lie two beside
/// each other, below the shapes of the scene.
pub fn grid(scene: &Scene, count: usize, height: f64) -> (Vec<Point>, f64) {
    const ABOVE: f64 = 24.0;
    const BETWEEN: f64 = 16.0;
    let columns = count.clamp(1, 2);
    let cell = (WIDTH - 2.0 * MARGIN) / columns as f64;
    let places = (0..count).map(|index| {
        let (row, column) = (index / columns, index % columns);
        let top = scene.height + ABOVE + row as f64 * (height + ABOVE + BELOW + BETWEEN);
        (MARGIN + LEFT + column as f64 * cell, top)
    });
    (places.collect(), cell - LEFT - if columns == 1 { 10.0 } else { 14.0 })
}

/// The points of a line that can be seen: its ends, and the lowest and the highest of each column of pixels. `points`
/// are ordered from left to right.
pub fn thinned(points: &[Point]) -> Vec<Point> {
    let mut thin = Vec::new();
    thin.extend(points.first());
    for column in points.chunk_by(|left, right| left.0.floor() == right.0.floor()) {
        let heights = || column.iter().map(|point| point.1).enumerate();
        let lowest = heights().min_by(|left, right| left.1.total_cmp(&right.1));
        let highest = heights().max_by(|left, right| left.1.total_cmp(&right.1));
        let mut kept: Vec<usize> = [lowest, highest].into_iter().flatten().map(|(index, _)| index).collect();
        kept.sort_unstable();
        thin.extend(kept.into_iter().filter_map(|index| column.get(index)));
    }
    thin.extend(points.last());
    thin.dedup();
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, count: f64, closest: f64) -> Vec<String> {
        Range { low, high }.ticks(count, closest).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(texts(0.0, 1.0, 5.0, 0.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(-0.31, 0.28, 4.0, 0.0), ["-0.2", "0.0", "0.2"]);
        assert_eq!(texts(1.0, 3.0, 10.0, 1.0), ["1", "2", "3"]);
        assert_eq!(texts(0.0, 100.0, 10.0, 1.0).len(), 11);
        assert_eq!(texts(0.0, 2e-9, 2.0, 0.0), ["0e0", "1e-9", "2e-9"]);
    }

    #[test]
    fn a_range_has_an_extent_whatever_the_values() {
        assert_eq!(Range::of([]), Range { low: 0.0, high: 1.0 });
        assert_eq!(Range::of([3.0]), Range { low: 2.5, high: 3.5 });
        for values in [[f64::MAX, f64::MIN], [1e15, 1e15 + 0.1], [0.0, 5e-324]] {
            let range = Range::of(values).padded();
            assert!(range.low < range.high, "{range:?}");
            assert!((0.0..=1.0).contains(&range.share(values[0])));
            assert!(range.ticks(5.0, 0.0).len() < 12, "{range:?}");
        }
    }

    #[test]
    fn what_is_far_off_does_not_widen_the_range() {
        let near = [(0.5, 1.0), (-0.5, 0.25), (1.0, 2.0)];
        let all = Range::of([-0.5, 2.0]);
        assert_eq!(Range::of_most(&near), (all, vec![true; 3]));
        let far = [(0.5, 1.0), (-31.0, -29.0), (-0.5, 0.25), (1.0, 2.0)];
        assert_eq!(Range::of_most(&far), (all, vec![true, false, true, true]));
        // With two extents none is left out, and one that is a little apart stays.
        assert_eq!(Range::of_most(&[(1.0, 2.0), (40.0, 41.0)]).1, [true; 2]);
        assert_eq!(Range::of_most(&[(40.0, 41.0)]).1, [true]);
        assert_eq!(Range::of_most(&[]), (Range::of([]), vec![]));
        assert_eq!(Range::of_most(&[(0.0, 1.0), (1.0, 2.0), (2.0, 2.9)]).1, [true; 3]);
        // Extents are left out at both ends.
        let ends = [(-50.0, -49.0), (0.0, 1.0), (1.0, 2.0), (0.5, 1.0), (40.0, 41.0)];
        assert_eq!(Range::of_most(&ends).1, [false, true, true, true, false]);
    }

    #[test]
    fn a_thinned_line_keeps_its_peaks() {
        let mut points: Vec<Point> = (0..10_000).map(|index| (f64::from(index) * 0.01, 1.0)).collect();
        points[5_050].1 = 9.0;
        points[5_060].1 = -9.0;
        let thin = thinned(&points);
        assert!(thin.len() < 500, "{}", thin.len());
        assert!(thin.contains(&points[5_050]) && thin.contains(&points[5_060]));
        assert!(thin.is_sorted_by(|left, right| left.0 < right.0));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        assert_eq!(thinned(&points[..2]), points[..2]);
        assert!(thinned(&[]).is_empty());
    }
}
