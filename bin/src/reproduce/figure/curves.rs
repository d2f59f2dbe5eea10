//! The figure of the test accuracy after each epoch, a panel for each model and a line for each arm.

use std::collections::BTreeMap;

use crate::common::error::CliError;
use crate::common::figure::axis::{Axis, Panel, Range, grid, thinned};
use crate::common::figure::font;
use crate::common::figure::look::{self, Look};
use crate::common::figure::scene::{Anchor, FAINT, Point, SMALL, Scene, TEXT};
use crate::reproduce::figure::budget;
use crate::reproduce::figure::records::{Records, slot};

const HEIGHT: f64 = 400.0;
/// Height of a panel beside others, in pixels.
const SMALL_HEIGHT: f64 = 240.0;

/// Accuracies of an arm after an epoch over the seeds, in percent.
#[derive(Clone, Copy)]
struct Step {
    epoch: f64,
    mean: f64,
    low: f64,
    high: f64,
}

/// An arm in one model.
struct Line {
    label: String,
    look: Look,
    steps: Vec<Step>,
}

/// Draws the figure: a panel for each model.
pub fn draw(records: &Records, title: &str) -> Result<Scene, CliError> {
    let mut models: Vec<(&str, Vec<Line>)> = Vec::new();
    let mut entries: Vec<(String, Look)> = Vec::new();
    let arms = records.distinct("arm")?;
    for ((model, arm, label), epochs) in by_arm(records)? {
        let look = look::among(&arms, arm);
        if !entries.iter().any(|(known, _)| *known == label) {
            entries.push((label.clone(), look));
        }
        let steps = epochs.iter().filter_map(|(epoch, values)| step(*epoch, values)).collect();
        slot(&mut models, model).push(Line { label, look, steps });
    }
    let mut scene = Scene::titled(title, &budget::of_epochs(records)?);
    look::legend(&mut scene, &entries);
    let alone = models.len() == 1;
    let height = if alone { HEIGHT } else { SMALL_HEIGHT };
    let (places, width) = grid(&scene, models.len(), height);
    for ((left, top), (model, lines)) in places.into_iter().zip(&models) {
        let x = Range::of(lines.iter().flat_map(|line| &line.steps).map(|step| step.epoch));
        let with_extent: Vec<(&Line, (f64, f64))> =
            lines.iter().filter_map(|line| line.extent().map(|extent| (line, extent))).collect();
        let (y, kept) = Range::of_most(&with_extent.iter().map(|(_, extent)| *extent).collect::<Vec<_>>());
        let y = y.padded();
        let panel = Panel {
            left,
            top,
            width,
            height,
            x: Axis { label: "epoch", range: x, closest: 1.0 },
            y: Axis { label: "test accuracy, %", range: y, closest: 0.0 },
        };
        panel.draw(&mut scene, model);
        let mut beyond = Vec::new();
        let mut within = Vec::new();
        for ((line, (low, high)), kept) in with_extent.into_iter().zip(kept) {
            if kept {
                within.push(line);
            } else {
                beyond.push(format!("{} ({low:.1} to {high:.1} %)", line.label));
            }
        }
        draw_lines(&mut scene, &panel, &within);
        if !beyond.is_empty() {
            // The text is beside the title of the panel.
            let aside = font::width(&font::fit(model, TEXT, width), TEXT) + 12.0;
            let text = font::fit(&format!("beyond the axis: {}", beyond.join(", ")), SMALL, width - aside);
            scene.text((left + aside, top - 8.0), &text, SMALL, Anchor::Start, FAINT);
        }
    }
    Ok(scene.finish(
        "Line: mean over the seeds whose run has the epoch. Band: from the lowest to the highest of them. Accuracy on \
         the test images.",
    ))
}

fn draw_lines(scene: &mut Scene, panel: &Panel<'_>, lines: &[&Line]) {
    if lines.is_empty() {
        panel.say_empty(scene, "no epoch has a test accuracy");
    }
    let path = |steps: &[Step], value: fn(&Step) -> f64| {
        thinned(&steps.iter().map(|step| panel.at(step.epoch, value(step))).collect::<Vec<_>>())
    };
    for Line { look, steps, .. } in lines {
        let mut band: Vec<Point> = path(steps, |step| step.high);
        band.extend(path(steps, |step| step.low).into_iter().rev());
        scene.area(band, look.color, 0.16);
    }
    for Line { look, steps, .. } in lines {
        scene.line(path(steps, |step| step.mean), look.stroke(1.8));
    }
    for (index, Line { look, steps, .. }) in lines.iter().enumerate() {
        let points: Vec<Point> = steps.iter().map(|step| panel.at(step.epoch, step.mean)).collect();
        look.marks(scene, &points, (index, lines.len()));
    }
}

impl Line {
    /// The lowest and the highest accuracy; `None` if there is none.
    fn extent(&self) -> Option<(f64, f64)> {
        let low = self.steps.iter().map(|step| step.low).reduce(f64::min)?;
        Some((low, self.steps.iter().map(|step| step.high).reduce(f64::max)?))
    }
}

/// Model, arm, and the name of the arm in print.
type Arm<'a> = (&'a str, &'a str, String);
/// Values in percent by epoch.
type Epochs = BTreeMap<u32, Vec<f64>>;

/// The values in percent by arm, in the order of the file, and epoch.
///
/// An arm with rows of several data sets or presets is a series for each.
fn by_arm(records: &Records) -> Result<Vec<(Arm<'_>, Epochs)>, CliError> {
    let varying = records.varying(&["data", "preset"])?;
    let mut arms: Vec<(Arm<'_>, Epochs)> = Vec::new();
    for row in records.rows() {
        let (epoch, value) = (row.whole("epoch")?, row.number("test_top1")?);
        let arm = row.text("arm")?;
        let epochs: &mut Epochs =
            slot(&mut arms, (row.text("model")?, arm, row.named(look::arm_label(arm), &varying)?));
        epochs.entry(epoch).or_default().extend(value.map(|share| 100.0 * share));
    }
    Ok(arms)
}

fn step(epoch: u32, values: &[f64]) -> Option<Step> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some(Step { epoch: f64::from(epoch), mean, low, high })
}
