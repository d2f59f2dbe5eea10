//! The course of a training: a row for each epoch, and a figure.

use pvlu_zoo::train::EpochRecord;

use super::epochs::{Epoch, PhaseName};
use super::folder::Folder;
use crate::common::error::CliError;
use crate::common::figure::axis::{Axis, Panel, Range, grid, thinned};
use crate::common::figure::look;
use crate::common::figure::scene::{Point, Scene};
use crate::common::figure::{raster, svg};
use crate::common::output::{csv_bytes, write_atomically, write_together};

const HEIGHT: f64 = 260.0;

const COLUMNS: [&str; 11] = [
    "epoch",
    "learning_rate",
    "train_loss",
    "train_top1",
    "held_out_loss",
    "held_out_top1",
    "held_out_top5",
    "test_loss",
    "test_top1",
    "test_top5",
    "seconds",
];

/// The column before these, where a training has phases.
const PHASE: &str = "phase";

/// Writes the CSV file of the epochs so far.
pub fn write_csv(folder: &Folder, epochs: &[Epoch]) -> Result<(), CliError> {
    let path = folder.epochs();
    let number = |value: f64| if value.is_nan() { String::new() } else { format!("{value:.6}") };
    let has_phases = epochs.iter().any(|epoch| epoch.phase != PhaseName::Whole);
    let columns: Vec<&str> = has_phases.then_some(PHASE).into_iter().chain(COLUMNS).collect();
    let rows = epochs.iter().map(|Epoch { phase, record }| {
        let EpochRecord { epoch, learning_rate, train_loss, train_top1, validation, test, seconds } = record;
        let mut row: Vec<String> = phase.text().map(str::to_owned).into_iter().collect();
        row.extend([epoch.to_string(), format!("{learning_rate:e}")]);
        let held_out =
            if validation.images > 0 { [validation.loss, validation.top1, validation.top5] } else { [f64::NAN; 3] };
        let measured = [*train_loss, *train_top1].into_iter().chain(held_out).chain([test.loss, test.top1, test.top5]);
        row.extend(measured.map(number));
        row.push(format!("{seconds:.3}"));
        row
    });
    write_atomically(&path, &csv_bytes(&path, &columns, rows)?)
}

/// Writes the figure of the epochs so far, as SVG and as PNG.
pub fn draw(folder: &Folder, title: &str, epochs: &[Epoch]) -> Result<(), CliError> {
    let scene = scene(title, epochs);
    let [of_svg, of_png] = folder.curves();
    let svg = svg::svg(&scene, "curves").into_bytes();
    match raster::png(&scene) {
        Some(png) => write_together(&[(&of_svg, &svg), (&of_png, &png)]),
        None => write_atomically(&of_svg, &svg),
    }
}

/// A value of an epoch.
type Value = fn(&EpochRecord) -> f64;

/// The name of a line, and its values in the two panels.
const LINES: [(&str, [Value; 2]); 3] = [
    ("training", [|epoch| epoch.train_loss, |epoch| 100.0 * epoch.train_top1]),
    ("held out", [|epoch| epoch.validation.loss, |epoch| 100.0 * epoch.validation.top1]),
    ("test", [|epoch| epoch.test.loss, |epoch| 100.0 * epoch.test.top1]),
];

fn scene(title: &str, epochs: &[Epoch]) -> Scene {
    let mut scene = Scene::titled(title, "");
    let entries: Vec<_> =
        LINES.iter().enumerate().map(|(index, (name, _))| ((*name).to_owned(), look::nth(index))).collect();
    look::legend(&mut scene, &entries);
    let (places, width) = grid(&scene, 2, HEIGHT);
    for (index, ((left, top), label)) in places.into_iter().zip(["loss", "accuracy, %"]).enumerate() {
        let values = |of: Value| {
            let point = move |(number, epoch): (u32, &Epoch)| (f64::from(number), of(&epoch.record));
            (1..).zip(epochs).map(point).filter(|(_, value)| value.is_finite()).collect::<Vec<Point>>()
        };
        let lines: Vec<Vec<Point>> = LINES.iter().map(|(_, of)| values(of[index])).collect();
        let all = || lines.iter().flatten();
        let panel = Panel {
            left,
            top,
            width,
            height: HEIGHT,
            x: Axis { label: "epoch", range: Range::of(all().map(|point| point.0)), closest: 1.0 },
            y: Axis { label, range: Range::of(all().map(|point| point.1)).padded(), closest: 0.0 },
        };
        panel.draw(&mut scene, "");
        if all().next().is_none() {
            panel.say_empty(&mut scene, "no values");
        }
        for (number, line) in lines.iter().enumerate() {
            let points: Vec<Point> = line.iter().map(|&(epoch, value)| panel.at(epoch, value)).collect();
            scene.line(thinned(&points), look::nth(number).stroke(1.8));
            look::nth(number).marks(&mut scene, &points, (number, lines.len()));
        }
    }
    let of_head = epochs.iter().filter(|epoch| epoch.phase == PhaseName::Head).count();
    let head = match of_head {
        0 => String::new(),
        1 => " The first epoch trains the head alone.".to_owned(),
        count => format!(" The first {count} epochs train the head alone."),
    };
    scene.finish(&format!(
        "Training: over the batches of an epoch, as they are changed and mixed, each with the network of that moment. \
         Held out and test: after the epoch.{head}"
    ))
}
