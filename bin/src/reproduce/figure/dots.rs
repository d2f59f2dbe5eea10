//! The difference in accuracy of each arm to the base, ReLU in the paper's tables, by model, with intervals and seeds.

use std::collections::BTreeSet;

use crate::common::error::CliError;
use crate::common::figure::axis::{Axis, BELOW, Panel, Range};
use crate::common::figure::font;
use crate::common::figure::look::{self, Look};
use crate::common::figure::scene::{Anchor, FAINT, INK, MARGIN, SHADE, SMALL, Scene, Stroke, TEXT, WIDTH};
use crate::reproduce::figure::budget;
use crate::reproduce::figure::records::{Records, Row, slot};

const LINE: f64 = 26.0;
/// Vertical gap between two models, in pixels.
const GAP: f64 = 12.0;
const MODEL: f64 = 150.0;
const ARM: f64 = 110.0;
/// Room for the numbers to the right, in pixels.
const NUMBERS: f64 = 185.0;
/// Columns that tell the rows of one model apart.
const CIRCUMSTANCES: [&str; 3] = ["data", "preset", "pretrained"];

/// An arm of a model; differences in percentage points.
#[derive(Default)]
struct Entry {
    mean: Option<f64>,
    interval: Option<(f64, f64)>,
    seeds: Vec<f64>,
}

/// The arms of a model.
type Arms<'a> = Vec<(&'a str, Entry)>;

/// Draws a line for each arm of each model, with its mean difference, interval and seeds.
pub fn draw(records: &Records, title: &str, base: &str) -> Result<Scene, CliError> {
    let models = by_model(records, base)?;
    let base = look::arm_label(base);
    let label = format!("test accuracy, difference to {base}, percentage points");
    let entries = || models.iter().flat_map(|(_, entries)| entries);
    // The last extent is the base's, at 0.
    let extents: Vec<(f64, f64)> = entries().filter_map(|(_, entry)| entry.extent()).chain([(0.0, 0.0)]).collect();
    let (range, kept) = Range::of_most(&extents);
    let range = range.padded();
    let mut scene = Scene::titled(title, &budget::of_runs(records)?);
    let lines = entries().count() as f64;
    let panel = Panel {
        left: MARGIN + MODEL + ARM,
        top: scene.height + 10.0,
        width: WIDTH - 2.0 * MARGIN - MODEL - ARM - NUMBERS,
        height: lines * LINE + models.len() as f64 * GAP,
        x: Axis { label: &label, range, closest: 0.0 },
        y: Axis { label: "", range: Range::of([]), closest: 0.0 },
    };
    shade(&mut scene, &panel, &models);
    panel.draw_x(&mut scene);
    let with_base = kept.last() == Some(&true);
    if with_base {
        let zero = panel.at(0.0, 0.0).0;
        scene.line(vec![(zero, panel.top), (zero, panel.top + panel.height)], Stroke::solid(INK, 1.5));
    }
    for side in [Side::Below, Side::Above] {
        let broken = entries().any(|(_, entry)| entry.beyond(range) == Some(side));
        if broken || Side::of((0.0, 0.0), range) == Some(side) {
            side.mark_break(&mut scene, &panel);
        }
    }
    let arms = records.distinct("arm")?;
    let mut top = panel.top;
    for (model, entries) in &models {
        let mut y = top + (GAP + LINE) / 2.0;
        let model = font::fit(model, TEXT, MODEL - 12.0);
        scene.text((MARGIN + 6.0, y + TEXT * 0.36), &model, TEXT, Anchor::Start, INK);
        for (arm, entry) in entries {
            entry.draw(&mut scene, &panel, (arm, look::among(&arms, arm)), y);
            y += LINE;
        }
        top += GAP + LINE * entries.len() as f64;
    }
    if lines == 0.0 {
        panel.say_empty(&mut scene, &format!("no arm beside {base}"));
    }
    scene.height = panel.top + panel.height + BELOW;
    let mut far = String::new();
    if !with_base {
        far.push_str(&format!(" The axis is broken: {base}, at 0, lies beyond its end."));
    }
    if entries().any(|(_, entry)| entry.beyond(range).is_some()) {
        far.push_str(" Arrow: so far off that the axis ends before it; its number says where it is.");
    }
    Ok(scene.finish(&format!(
        "Large mark and number: mean of the differences to the {base} run with the same seed, at the epoch that is \
         best on the held-out images. Bar and range: its 95 % interval, where there are seeds enough. Small marks: \
         seeds.{far}"
    )))
}

/// The arms but for the base, by model, both in the order of the file.
///
/// A model with rows of several data sets, presets or weights becomes several models, whose names tell them apart.
fn by_model<'a>(records: &'a Records, base: &str) -> Result<Vec<(String, Arms<'a>)>, CliError> {
    let mut circumstances: Vec<(&str, [BTreeSet<&str>; CIRCUMSTANCES.len()])> = Vec::new();
    for row in records.rows() {
        for (values, column) in slot(&mut circumstances, row.text("model")?).iter_mut().zip(CIRCUMSTANCES) {
            values.insert(row.text(column)?);
        }
    }
    let mut models: Vec<(String, Arms<'a>)> = Vec::new();
    for row in records.rows() {
        let arm = row.text("arm")?;
        if arm != base {
            let model = row.text("model")?;
            let values = slot(&mut circumstances, model).iter().zip(CIRCUMSTANCES);
            let varying: Vec<&str> = values.filter(|(values, _)| values.len() > 1).map(|(_, column)| column).collect();
            slot(slot(&mut models, row.named(model, &varying)?), arm).add(row)?;
        }
    }
    Ok(models)
}

impl Entry {
    fn add(&mut self, row: Row<'_>) -> Result<(), CliError> {
        let points = |column| Ok::<_, CliError>(row.number(column)?.map(|share| 100.0 * share));
        let difference = points("difference")?;
        if row.is_run()? {
            // Any other text in the column is an error.
            row.whole("seed")?;
            self.seeds.extend(difference);
        } else if row.text("seed")? == "mean" {
            self.mean = difference;
            self.interval = points("difference_low")?.zip(points("difference_high")?);
        }
        Ok(())
    }

    /// The least and the greatest of the entry's values; `None` if it has none.
    fn extent(&self) -> Option<(f64, f64)> {
        let ends = self.interval.into_iter().flat_map(|(low, high)| [low, high]);
        let values = || self.seeds.iter().copied().chain(self.mean).chain(ends.clone());
        Some((values().reduce(f64::min)?, values().reduce(f64::max)?))
    }

    /// The end of the axis beyond which the mean lies, or, without a mean, the whole entry; `None` if it can be seen.
    fn beyond(&self, range: Range) -> Option<Side> {
        Side::of(self.mean.map(|mean| (mean, mean)).or_else(|| self.extent())?, range)
    }

    fn draw(&self, scene: &mut Scene, panel: &Panel<'_>, (arm, look): (&str, Look), y: f64) {
        let at = |value| (panel.at(value, 0.0).0, y);
        let seen = |value: &f64| Side::of((*value, *value), panel.x.range).is_none();
        let base = y + TEXT * 0.36;
        let label = font::fit(look::arm_label(arm), TEXT, ARM - 12.0);
        scene.text((panel.left - 8.0, base), &label, TEXT, Anchor::End, INK);
        scene.text((WIDTH - MARGIN - NUMBERS + 12.0, base), &self.numbers(), SMALL, Anchor::Start, FAINT);
        if let Some(side) = self.beyond(panel.x.range) {
            side.arrow(scene, panel, look, y);
            return;
        }
        if let Some((low, high)) = self.interval {
            let stroke = Stroke::solid(look.color, 2.0);
            scene.line(vec![at(low), at(high)], stroke);
            // An end of the bar is drawn only within the axis.
            for (x, y) in [low, high].into_iter().filter(seen).map(at) {
                scene.line(vec![(x, y - 5.0), (x, y + 5.0)], stroke);
            }
        }
        for seed in self.seeds.iter().copied().filter(seen) {
            let (x, y) = at(seed);
            look.seed_mark(scene, (x, y + 8.5));
        }
        if let Some(mean) = self.mean {
            look.mark(scene, at(mean), 5.0);
        }
    }

    fn numbers(&self) -> String {
        match (self.mean, self.interval) {
            (None, _) if self.seeds.is_empty() => "no difference".to_owned(),
            (None, _) => "no mean".to_owned(),
            (Some(mean), None) => signed(mean),
            (Some(mean), Some((low, high))) => format!("{} ({} to {})", signed(mean), signed(low), signed(high)),
        }
    }
}

/// An end of an axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

impl Side {
    /// The end of a range beyond which all of an extent lies, if there is one.
    fn of((low, high): (f64, f64), range: Range) -> Option<Self> {
        if high < range.low { Some(Side::Below) } else { (low > range.high).then_some(Side::Above) }
    }

    /// Draws two strokes through the axis at this end, the mark of a broken axis.
    fn mark_break(self, scene: &mut Scene, panel: &Panel<'_>) {
        let y = panel.top + panel.height;
        let x = match self {
            Side::Below => panel.left + 8.0,
            Side::Above => panel.left + panel.width - 8.0,
        };
        for x in [x - 2.5, x + 2.5] {
            scene.line(vec![(x - 2.5, y + 5.0), (x + 2.5, y - 5.0)], Stroke::solid(INK, 1.5));
        }
    }

    /// Draws an arrow that leaves the panel at this end.
    fn arrow(self, scene: &mut Scene, panel: &Panel<'_>, look: Look, y: f64) {
        let (end, inward) = match self {
            Side::Below => (panel.left, 1.0),
            Side::Above => (panel.left + panel.width, -1.0),
        };
        let from = |distance: f64| end + inward * distance;
        scene.line(vec![(from(30.0), y), (from(8.0), y)], Stroke::solid(look.color, 2.0));
        scene.area(vec![(from(0.0), y), (from(10.0), y - 5.0), (from(10.0), y + 5.0)], look.color, 1.0);
        look.mark(scene, (from(30.0), y), 4.0);
    }
}

/// A difference with its sign and two decimals; zero has no sign.
pub fn signed(points: f64) -> String {
    let text = format!("{points:+.2}");
    if text.ends_with("0.00") && text.len() == 5 { "0.00".to_owned() } else { text }
}

/// Shades every second model.
fn shade(scene: &mut Scene, panel: &Panel<'_>, models: &[(String, Arms<'_>)]) {
    let mut top = panel.top;
    for (index, (_, entries)) in models.iter().enumerate() {
        let bottom = top + GAP + LINE * entries.len() as f64;
        if index % 2 == 0 {
            let (left, right) = (MARGIN, WIDTH - MARGIN);
            scene.area(vec![(left, top), (right, top), (right, bottom), (left, bottom)], SHADE, 1.0);
        }
        top = bottom;
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Range, Side};
    use crate::reproduce::figure::tests::{figure, folder, texts};
    use crate::reproduce::figure::{Drawing, sample};

    #[test]
    fn an_arm_that_is_far_off_does_not_squeeze_the_others() {
        let row = |arm: &str, points: f64| {
            let rows = sample::runs(1, &["m"], &[arm], 1, "cifar10", "paper");
            let share = format!("{:.6}", points / 100.0);
            let with_difference = |row: &String| {
                let mut values: Vec<&str> = row.split(',').collect();
                let place = sample::RUNS.split(',').position(|column| column == "difference").unwrap();
                values[place] = &share;
                values.join(",")
            };
            rows.iter().take(2).map(with_difference).collect::<Vec<_>>()
        };
        let drawn = |far: f64| {
            let folder = folder();
            let rows = [row("elu", 0.5), row("prelu", 1.0), row("pvlu", 1.5), row("vlu", far)].concat();
            sample::file(folder.path(), "table1.csv", sample::RUNS, &rows);
            texts(&Drawing::of(figure("table1"), folder.path()).unwrap().svg)
        };
        let (near, far) = (drawn(-0.5), drawn(-30.0));
        let says_so = |texts: &[String]| texts.iter().any(|text| text.contains("Arrow: so far off"));
        assert!(!says_so(&near) && says_so(&far), "{far:?}");
        assert!(far.contains(&"-30.00".to_owned()) && far.contains(&"0.5".to_owned()), "{far:?}");
        assert!(!far.contains(&"-20".to_owned()) && !far.contains(&"-30".to_owned()), "{far:?}");
        // An entry whose mean is off the axis has an arrow, even if its interval reaches back into it.
        let wide = Entry { mean: Some(-20.0), interval: Some((-40.0, 1.0)), seeds: vec![-0.5, -39.0] };
        let range = Range { low: -1.0, high: 2.0 };
        assert!(wide.beyond(range) == Some(Side::Below) && Entry { mean: Some(0.0), ..wide }.beyond(range).is_none());
        // All arms but ReLU are far from it, and near to each other.
        let folder = folder();
        sample::file(
            folder.path(),
            "table1.csv",
            sample::RUNS,
            &[row("elu", 33.2), row("prelu", 34.3), row("pvlu", 34.6)].concat(),
        );
        let found = texts(&Drawing::of(figure("table1"), folder.path()).unwrap().svg);
        assert!(found.iter().any(|text| text.contains("ReLU, at 0, lies beyond its end")), "{found:?}");
        assert!(found.contains(&"34.0".to_owned()) && !found.contains(&"0".to_owned()), "{found:?}");
        // In a figure by epoch the arm is named, with its values.
        let mut rows = sample::epochs(4, &["relu", "prelu", "pvlu"], 1);
        rows.extend(sample::epochs(4, &["vlu"], 1).iter().enumerate().map(|(index, row)| {
            let mut values: Vec<&str> = row.split(',').collect();
            let place = sample::EPOCHS.split(',').position(|column| column == "test_top1").unwrap();
            values[place] = ["-3.0", "-3.1", "-3.2", "-3.0"][index];
            values.join(",")
        }));
        sample::file(folder.path(), "table1_epochs.csv", sample::EPOCHS, &rows);
        let found = texts(&Drawing::of(figure("figure2"), folder.path()).unwrap().svg);
        assert!(found.contains(&"beyond the axis: VLU (-320.0 to -300.0 %)".to_owned()), "{found:?}");
    }
}
