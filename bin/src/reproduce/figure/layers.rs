//! The figure of the dead units in each activation layer.

use std::collections::BTreeMap;

use crate::common::error::CliError;
use crate::common::figure::axis::{Axis, Panel, Range, grid};
use crate::common::figure::layers::{HEIGHT, axis};
use crate::common::figure::look;
use crate::common::figure::scene::{Point, Scene};
use crate::reproduce::figure::records::{Records, slot};

/// The seeds' values by layer.
type Layers = BTreeMap<u32, Vec<f64>>;

/// Draws the share of dead units by layer, a panel for each model and a line for each of these arms.
pub fn units(records: &Records, title: &str, compared: &[&str]) -> Result<Scene, CliError> {
    let mut panels: Vec<(&str, Vec<(&str, Layers)>)> = Vec::new();
    for row in records.rows() {
        let arm = row.text("arm")?;
        if compared.contains(&arm) {
            let layers: &mut Layers = slot(slot(&mut panels, row.text("model")?), arm);
            let share = row.number("share")?.map(|share| 100.0 * share);
            layers.entry(row.whole("order")?).or_default().extend(share);
        }
    }
    let mut scene = Scene::titled(title, "");
    let all_arms = records.distinct("arm")?;
    let entries: Vec<_> =
        compared.iter().map(|arm| (look::arm_label(arm).to_owned(), look::among(&all_arms, arm))).collect();
    look::legend(&mut scene, &entries);
    let (places, width) = grid(&scene, panels.len(), HEIGHT);
    for ((left, top), (model, arms)) in places.into_iter().zip(&panels) {
        let all = || arms.iter().flat_map(|(_, layers)| layers);
        // Some room for small values, and below zero, since a line on the axis is hard to see.
        let highest = Range::of(all().flat_map(|(_, shares)| shares).copied().chain([0.0, 4.0])).high;
        let y = Range { low: -0.04 * highest, high: 1.06 * highest };
        let panel = Panel {
            left,
            top,
            width,
            height: HEIGHT,
            x: axis(all().map(|(order, _)| f64::from(*order))),
            y: Axis { label: "dead units, %", range: y, closest: 0.0 },
        };
        panel.draw(&mut scene, model);
        if all().all(|(_, shares)| shares.is_empty()) {
            panel.say_empty(&mut scene, "no values");
        }
        for (arm, layers) in arms {
            let look = look::among(&all_arms, arm);
            let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len() as f64;
            let measured = layers.iter().filter(|(_, shares)| !shares.is_empty());
            let line: Vec<Point> = measured.map(|(order, shares)| panel.at(f64::from(*order), mean(shares))).collect();
            scene.line(line.clone(), look.stroke(1.8));
            for (order, shares) in layers {
                shares.iter().for_each(|share| look.seed_mark(&mut scene, panel.at(f64::from(*order), *share)));
            }
            line.into_iter().for_each(|at| look.mark(&mut scene, at, 3.2));
        }
    }
    Ok(scene.finish(
        "Dead: zero on all test images. Line and large marks: mean over the seeds. Small marks: seeds. Share of the \
         channels of an activation's output.",
    ))
}
