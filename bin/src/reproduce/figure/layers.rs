//! What was measured in each activation layer: parameters that were learned, and units that are dead.

use std::collections::BTreeMap;

use crate::common::error::CliError;
use crate::reproduce::figure::axis::{Axis, Panel, Range, grid};
use crate::reproduce::figure::look;
use crate::reproduce::figure::records::{Records, slot};
use crate::reproduce::figure::scene::{Point, Scene, Stroke};

/// The arms whose parameters are drawn.
pub const LEARNED: &[&str] = &["pvlu"];
/// The arms whose dead units are drawn.
pub const COMPARED: &[&str] = &["relu", "pvlu"];

const HEIGHT: f64 = 210.0;
const LAYERS: &str = "activation layer, in forward order";
/// Largest distance of a seed's marks from the next seed's, in pixels.
const SHIFT: f64 = 7.0;

/// A layer's channels in one run.
struct Channels {
    seed: usize,
    order: f64,
    median: Option<f64>,
    quartiles: Option<(f64, f64)>,
}

/// Draws the median and the quartiles of each layer's channels, a panel for each model and parameter.
pub fn parameters(records: &Records, title: &str) -> Result<Scene, CliError> {
    let seeds = records.distinct("seed")?;
    let mut panels: Vec<((&str, &str), Vec<Channels>)> = Vec::new();
    for row in records.rows() {
        if !LEARNED.contains(&row.text("arm")?) {
            continue;
        }
        let key = (row.text("model")?, row.text("parameter")?);
        let seed = row.text("seed")?;
        let quartiles = row.number("first_quartile")?.zip(row.number("third_quartile")?);
        let layer = Channels {
            seed: seeds.iter().position(|known| *known == seed).unwrap_or(0),
            order: f64::from(row.whole("order")?),
            median: row.number("median")?,
            quartiles,
        };
        slot(&mut panels, key).push(layer);
    }
    let look = look::arm(LEARNED[0]);
    let mut scene = Scene::titled(title, "");
    let (places, width) = grid(&scene, panels.len(), HEIGHT);
    for ((left, top), ((model, parameter), boxes)) in places.into_iter().zip(&panels) {
        let values = boxes.iter().flat_map(|layer| {
            layer.median.into_iter().chain(layer.quartiles.into_iter().flat_map(|(low, high)| [low, high]))
        });
        let x = layers(boxes.iter().map(|layer| layer.order));
        let y = Axis { label: parameter, range: Range::of(values).padded(), closest: 0.0 };
        let panel = Panel { left, top, width, height: HEIGHT, x, y };
        panel.draw(&mut scene, &format!("{model}: {parameter}"));
        let shift = (0.7 * panel.width / (x.range.high - x.range.low) / seeds.len().max(1) as f64).min(SHIFT);
        for layer in boxes {
            let aside = (layer.seed as f64 - (seeds.len() as f64 - 1.0) / 2.0) * shift;
            let at = |value| {
                let (x, y): Point = panel.at(layer.order, value);
                (x + aside, y)
            };
            if let Some((low, high)) = layer.quartiles {
                scene.line(vec![at(low), at(high)], Stroke { opacity: 0.6, ..Stroke::solid(look.color, 1.5) });
            }
            if let Some(median) = layer.median {
                look.mark(&mut scene, at(median), 2.6);
            }
        }
        if boxes.iter().all(|layer| layer.median.is_none()) {
            panel.say_empty(&mut scene, "no values");
        }
    }
    Ok(scene.finish(
        "Mark: median over the channels of a layer. Line: from the first to the third quartile. Seeds beside each other.",
    ))
}

/// Values by layer, each of some seeds.
type Layers = BTreeMap<u32, Vec<f64>>;

/// Draws the share of dead units by layer, a panel for each model and a line for each arm.
pub fn units(records: &Records, title: &str) -> Result<Scene, CliError> {
    let mut panels: Vec<(&str, Vec<(&str, Layers)>)> = Vec::new();
    for row in records.rows() {
        let arm = row.text("arm")?;
        if COMPARED.contains(&arm) {
            let layers: &mut Layers = slot(slot(&mut panels, row.text("model")?), arm);
            let share = row.number("share")?.map(|share| 100.0 * share);
            layers.entry(row.whole("order")?).or_default().extend(share);
        }
    }
    let mut scene = Scene::titled(title, "");
    let entries: Vec<_> = COMPARED.iter().map(|arm| (look::arm_label(arm).to_owned(), look::arm(arm))).collect();
    look::legend(&mut scene, &entries);
    let (places, width) = grid(&scene, panels.len(), HEIGHT);
    for ((left, top), (model, arms)) in places.into_iter().zip(&panels) {
        let all = || arms.iter().flat_map(|(_, layers)| layers);
        // Some room above nothing: a line that lies on the axis is hard to see.
        let highest = Range::of(all().flat_map(|(_, shares)| shares).copied().chain([0.0, 4.0])).high;
        let y = Range { low: -0.04 * highest, high: 1.06 * highest };
        let panel = Panel {
            left,
            top,
            width,
            height: HEIGHT,
            x: layers(all().map(|(order, _)| f64::from(*order))),
            y: Axis { label: "dead units, %", range: y, closest: 0.0 },
        };
        panel.draw(&mut scene, model);
        if all().all(|(_, shares)| shares.is_empty()) {
            panel.say_empty(&mut scene, "no values");
        }
        for (arm, layers) in arms {
            let look = look::arm(arm);
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
        "Dead: zero on all test images. Line and large marks: mean over the seeds. Small marks: seeds. Share of the channels \
         of an activation's output.",
    ))
}

/// The axis of the layers, which begins and ends half a layer beside them.
fn layers(orders: impl Iterator<Item = f64>) -> Axis<'static> {
    let ends = orders.flat_map(|order| [order - 0.5, order + 0.5]);
    Axis { label: LAYERS, range: Range::of(ends), closest: 1.0 }
}
