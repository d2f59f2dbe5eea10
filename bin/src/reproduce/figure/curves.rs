//! Test accuracy after each epoch, a line for each arm.

use std::collections::BTreeMap;

use crate::common::error::CliError;
use crate::reproduce::figure::axis::{Axis, LEFT, Panel, Range, thinned};
use crate::reproduce::figure::look::{self, Look};
use crate::reproduce::figure::records::{Records, slot};
use crate::reproduce::figure::scene::{MARGIN, Point, Scene, WIDTH};

const HEIGHT: f64 = 400.0;

/// An arm after an epoch, in percent.
#[derive(Clone, Copy)]
struct Step {
    epoch: f64,
    mean: f64,
    low: f64,
    high: f64,
}

/// Draws the figure.
pub fn draw(records: &Records, title: &str) -> Result<Scene, CliError> {
    let mut series: Vec<(String, Look, Vec<Step>)> = Vec::new();
    for ((arm, label), epochs) in by_arm(records)? {
        let steps = epochs.iter().filter_map(|(epoch, values)| step(*epoch, values)).collect();
        series.push((label, look::arm(arm), steps));
    }
    let steps = || series.iter().flat_map(|(.., steps)| steps);
    let x = Range::of(steps().map(|step| step.epoch));
    let y = Range::of(steps().flat_map(|step| [step.low, step.high])).padded();
    let mut scene = Scene::titled(title, &circumstances(records)?);
    let entries: Vec<_> = series.iter().map(|(label, look, _)| (label.clone(), *look)).collect();
    look::legend(&mut scene, &entries);
    let panel = Panel {
        left: MARGIN + LEFT,
        top: scene.height + 8.0,
        width: WIDTH - 2.0 * MARGIN - LEFT - 10.0,
        height: HEIGHT,
        x: Axis { label: "epoch", range: x, closest: 1.0 },
        y: Axis { label: "test accuracy, %", range: y, closest: 0.0 },
    };
    panel.draw(&mut scene, "");
    if steps().next().is_none() {
        panel.say_empty(&mut scene, "no epoch has a test accuracy");
    }
    let line = |steps: &[Step], value: fn(&Step) -> f64| {
        thinned(&steps.iter().map(|step| panel.at(step.epoch, value(step))).collect::<Vec<_>>())
    };
    for (_, look, steps) in &series {
        let mut band: Vec<Point> = line(steps, |step| step.high);
        band.extend(line(steps, |step| step.low).into_iter().rev());
        scene.area(band, look.color, 0.16);
    }
    for (_, look, steps) in &series {
        scene.line(line(steps, |step| step.mean), look.stroke(1.8));
    }
    for (index, (_, look, steps)) in series.iter().enumerate() {
        let points: Vec<Point> = steps.iter().map(|step| panel.at(step.epoch, step.mean)).collect();
        look.marks(&mut scene, &points, (index, series.len()));
    }
    Ok(scene.finish(
        "Line: mean over the seeds whose run has the epoch. Band: from the lowest to the highest of them. Accuracy on the \
         test images.",
    ))
}

/// Which data and preset the rows are of.
pub fn circumstances(records: &Records) -> Result<String, CliError> {
    let [data, preset] = [records.distinct("data")?.join(", "), records.distinct("preset")?.join(", ")];
    Ok(format!("data: {data}; preset: {preset}"))
}

/// Name in the file and name in print.
type Arm<'a> = (&'a str, String);
/// Values in percent by epoch.
type Epochs = BTreeMap<u32, Vec<f64>>;

/// The values in percent by arm, in the order of the file, and epoch.
///
/// An arm in several models or under several circumstances is as many series.
fn by_arm(records: &Records) -> Result<Vec<(Arm<'_>, Epochs)>, CliError> {
    let varying = records.varying(&["model", "data", "preset"])?;
    let mut arms: Vec<(Arm<'_>, Epochs)> = Vec::new();
    for row in records.rows() {
        let (epoch, value) = (row.whole("epoch")?, row.number("test_top1")?);
        let arm = row.text("arm")?;
        let epochs: &mut Epochs = slot(&mut arms, (arm, row.named(look::arm_label(arm), &varying)?));
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
