//! By how much each arm is more accurate than ReLU in each model, with the interval and the seeds.

use crate::common::error::CliError;
use crate::reproduce::figure::axis::{Axis, BELOW, Panel, Range};
use crate::reproduce::figure::curves::circumstances;
use crate::reproduce::figure::records::{Records, Row, slot};
use crate::reproduce::figure::scene::{Anchor, FAINT, INK, MARGIN, SHADE, SMALL, Scene, Stroke, TEXT, WIDTH};
use crate::reproduce::figure::{font, look};

const LINE: f64 = 26.0;
/// Between models.
const GAP: f64 = 12.0;
const MODEL: f64 = 150.0;
const ARM: f64 = 110.0;
/// Room of the numbers to the right.
const NUMBERS: f64 = 170.0;
/// All differences are to this arm.
const BASE: &str = "relu";

/// An arm of a model; differences in percentage points.
#[derive(Default)]
struct Entry {
    mean: Option<f64>,
    interval: Option<(f64, f64)>,
    seeds: Vec<f64>,
}

/// The arms of a model.
type Arms<'a> = Vec<(&'a str, Entry)>;

/// Draws the figure.
pub fn draw(records: &Records, title: &str) -> Result<Scene, CliError> {
    let models = by_model(records)?;
    let entries = || models.iter().flat_map(|(_, entries)| entries);
    let values = entries().flat_map(|(_, entry)| {
        let ends = entry.interval.into_iter().flat_map(|(low, high)| [low, high]);
        entry.seeds.iter().copied().chain(entry.mean).chain(ends)
    });
    let range = Range::of(values.chain([0.0])).padded();
    let mut scene = Scene::titled(title, &circumstances(records)?);
    let lines = entries().count() as f64;
    let panel = Panel {
        left: MARGIN + MODEL + ARM,
        top: scene.height + 10.0,
        width: WIDTH - 2.0 * MARGIN - MODEL - ARM - NUMBERS,
        height: lines * LINE + models.len() as f64 * GAP,
        x: Axis { label: "test accuracy, difference to ReLU, percentage points", range, closest: 0.0 },
        y: Axis { label: "", range: Range::of([]), closest: 0.0 },
    };
    shade(&mut scene, &panel, &models);
    panel.draw_x(&mut scene);
    let zero = panel.at(0.0, 0.0).0;
    scene.line(vec![(zero, panel.top), (zero, panel.top + panel.height)], Stroke::solid(INK, 1.5));
    let mut top = panel.top;
    for (model, entries) in &models {
        let mut y = top + (GAP + LINE) / 2.0;
        let model = font::fit(model, TEXT, MODEL - 12.0);
        scene.text((MARGIN + 6.0, y + TEXT * 0.36), &model, TEXT, Anchor::Start, INK);
        for (arm, entry) in entries {
            entry.draw(&mut scene, &panel, arm, y);
            y += LINE;
        }
        top += GAP + LINE * entries.len() as f64;
    }
    if lines == 0.0 {
        panel.say_empty(&mut scene, "no arm beside ReLU");
    }
    scene.height = panel.top + panel.height + BELOW;
    Ok(scene.finish(
        "Large mark and number: mean of the differences to the ReLU run with the same seed, at the epoch that is best on the \
         held-out images. Bar and range: its 95 % interval, where there are seeds enough. Small marks: seeds.",
    ))
}

/// The arms but for ReLU, by model, both in the order of the file.
///
/// A model under several circumstances is as many models, whose names tell them apart.
fn by_model(records: &Records) -> Result<Vec<(String, Arms<'_>)>, CliError> {
    let varying = records.varying(&["data", "preset", "pretrained"])?;
    let mut models: Vec<(String, Arms<'_>)> = Vec::new();
    for row in records.rows() {
        let arm = row.text("arm")?;
        if arm != BASE {
            slot(slot(&mut models, row.named(row.text("model")?, &varying)?), arm).add(row)?;
        }
    }
    Ok(models)
}

impl Entry {
    fn add(&mut self, row: Row<'_>) -> Result<(), CliError> {
        let points = |column| Ok::<_, CliError>(row.number(column)?.map(|share| 100.0 * share));
        let difference = points("difference")?;
        if row.is_run()? {
            // Whatever the column says else has no place among the seeds.
            row.whole("seed")?;
            self.seeds.extend(difference);
        } else if row.text("seed")? == "mean" {
            self.mean = difference;
            self.interval = points("difference_low")?.zip(points("difference_high")?);
        }
        Ok(())
    }

    fn draw(&self, scene: &mut Scene, panel: &Panel<'_>, arm: &str, y: f64) {
        let look = look::arm(arm);
        let at = |value| (panel.at(value, 0.0).0, y);
        let base = y + TEXT * 0.36;
        let label = font::fit(look::arm_label(arm), TEXT, ARM - 12.0);
        scene.text((panel.left - 8.0, base), &label, TEXT, Anchor::End, INK);
        if let Some((low, high)) = self.interval {
            let stroke = Stroke::solid(look.color, 2.0);
            scene.line(vec![at(low), at(high)], stroke);
            for (x, y) in [at(low), at(high)] {
                scene.line(vec![(x, y - 5.0), (x, y + 5.0)], stroke);
            }
        }
        for seed in &self.seeds {
            let (x, y) = at(*seed);
            look.seed_mark(scene, (x, y + 8.5));
        }
        if let Some(mean) = self.mean {
            look.mark(scene, at(mean), 5.0);
        }
        scene.text((WIDTH - MARGIN - NUMBERS + 12.0, base), &self.numbers(), SMALL, Anchor::Start, FAINT);
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

/// A difference with its sign; that of nothing has none.
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
