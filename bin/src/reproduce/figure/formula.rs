//! The figure of VLU and its derivative, beside each other, for some values of the parameters.

use crate::common::error::CliError;
use crate::common::figure::axis::{Axis, Panel, Range, grid, thinned};
use crate::common::figure::look;
use crate::common::figure::scene::{Point, Scene};
use crate::reproduce::figure::records::{Records, slot};

/// Values of (a, b) that are drawn. Chosen: the first, and then one of the two halved or doubled at a time.
const PARAMETERS: [(f64, f64); 4] = [(1.0, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 0.5)];
/// Largest x that is drawn; the least is its negative.
const FARTHEST: i32 = 10;
/// Number of steps per unit of x.
const STEPS: i32 = 20;

const HEIGHT: f64 = 340.0;

/// The points of a line: x, value and derivative, the last two if they are finite.
type Points = Vec<(f64, [Option<f64>; 2])>;

/// The rows of `figure1.csv`: a, b, x, value, derivative. The argument computes the value and the derivative at (a, b,
/// x).
pub fn figure1_rows(value: impl Fn(f64, f64, f64) -> (f64, f64)) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (a, b) in PARAMETERS {
        for step in -FARTHEST * STEPS..=FARTHEST * STEPS {
            let x = f64::from(step) / f64::from(STEPS);
            let (value, derivative) = value(a, b, x);
            let measured = [value, derivative].map(|number| format!("{number:.6}"));
            rows.push([a, b, x].map(|number| number.to_string()).into_iter().chain(measured).collect());
        }
    }
    rows
}

/// Draws two panels, one of the value and one of the derivative, with a line for each (a, b).
pub fn draw(records: &Records, title: &str) -> Result<Scene, CliError> {
    let mut series: Vec<((&str, &str), Points)> = Vec::new();
    for row in records.rows() {
        let x = row.number("x")?.ok_or_else(|| row.error("x", "a number", ""))?;
        let y = [row.number("value")?, row.number("derivative")?];
        slot(&mut series, (row.text("a")?, row.text("b")?)).push((x, y));
    }
    let mut entries = Vec::new();
    for (index, ((a, b), points)) in series.iter_mut().enumerate() {
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        entries.push((format!("a = {a}, b = {b}"), look::nth(index)));
    }
    let mut scene = Scene::titled(title, "");
    look::legend(&mut scene, &entries);
    let x = Range::of(series.iter().flat_map(|(_, points)| points).map(|(x, _)| *x));
    let (places, width) = grid(&scene, 2, HEIGHT);
    for (side, ((left, top), label)) in places.into_iter().zip(["value", "derivative"]).enumerate() {
        let line = |points: &Points| -> Vec<Point> {
            points.iter().filter_map(|(x, y)| Some((*x, (*y.get(side)?)?))).collect()
        };
        let lines: Vec<_> = series.iter().map(|(_, points)| line(points)).collect();
        let y = Range::of(lines.iter().flatten().map(|(_, y)| *y)).padded();
        let panel = Panel {
            left,
            top,
            width,
            height: HEIGHT,
            x: Axis { label: "x", range: x, closest: 0.0 },
            y: Axis { label, range: y, closest: 0.0 },
        };
        panel.draw(&mut scene, "");
        for (place, (points, (_, look))) in lines.iter().zip(&entries).enumerate() {
            let points: Vec<Point> = points.iter().map(|(x, y)| panel.at(*x, *y)).collect();
            for piece in pieces(&points, 0.05 * panel.height) {
                scene.line(thinned(piece), look.stroke(1.8));
            }
            look.marks(&mut scene, &points, (place, entries.len()));
        }
        if lines.iter().all(Vec::is_empty) {
            panel.say_empty(&mut scene, "no values");
        }
    }
    Ok(scene.finish(
        "a, b: the parameters of the function. Derivative: by x. Where it jumps, at x = 0, the line is not joined.",
    ))
}

/// The line in pieces, which end where it jumps: at a step of at least `least` pixels that is more than five times as
/// high as those before and after it.
fn pieces(points: &[Point], least: f64) -> Vec<&[Point]> {
    let steps: Vec<f64> = points.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect();
    let mut pieces = Vec::new();
    let mut start = 0;
    for around in 1..steps.len().saturating_sub(1) {
        let beside = steps[around - 1].max(steps[around + 1]);
        if steps[around] >= least && steps[around] > 5.0 * beside {
            pieces.extend(points.get(start..=around));
            start = around + 1;
        }
    }
    pieces.extend(points.get(start..));
    pieces
}

#[cfg(test)]
mod tests {
    use super::figure1_rows;
    use crate::reproduce::figure::tests::{figure, folder};
    use crate::reproduce::figure::{Drawing, sample};

    #[test]
    fn figure_1_does_not_join_the_jump_of_the_derivative() {
        let folder = folder();
        let rows: Vec<String> = figure1_rows(sample::vlu).into_iter().map(|row| row.join(",")).collect();
        sample::file(folder.path(), "figure1.csv", "a,b,x,value,derivative", &rows);
        let svg = Drawing::of(figure("figure1"), folder.path()).unwrap().svg;
        let document = roxmltree::Document::parse(&svg).unwrap();
        let curves = document.descendants().filter(|node| node.attribute("stroke-width") == Some("1.8")).count();
        // Four values in one piece, four derivatives in two.
        assert_eq!(curves, 4 + 2 * 4);
    }
}
