//! The commands `figure1` to `figure4` and `report` of `reproduce`, and the figures that a table draws.

use std::path::Path;

use pvlu::activation::{FusedElement, Vlu};
use pvlu::kernel::layout::ChannelsLayout;
use pvlu::kernel::write::InputGradient;
use pvlu_zoo::data::{Dataset, SIDE};

use crate::common::digest::hexadecimal;
use crate::common::error::CliError;
use crate::common::lock;
use crate::common::output::{note, print, write_csv};
use crate::reproduce::args::{FigureArgs, ReportArgs};
use crate::reproduce::data::choose_images;
use crate::reproduce::figure::{self, Drawing, Figure, figure1_rows};
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::{own, values};
use crate::reproduce::report;

/// Number of images in figure 4.
const SAMPLES: usize = 8;

/// The table whose filter figure 4 shows.
const FILTERED: &str = "table4";

/// Columns and rows of a CSV file that no table writes.
type Made = (&'static [&'static str], Vec<Vec<String>>);

/// Draws a figure, and first makes the CSV file of figure 1 or 4 if need be.
pub fn one(figure: Figure, args: &FigureArgs) -> Result<(), CliError> {
    let out = args.out.as_ref().unwrap_or(&args.from);
    let missing = !args.from.join(figure.input()).exists();
    let made = match figure {
        Figure::Formula if missing => Some(formula()),
        Figure::Images if missing || args.data.is_some() => {
            let (made, from) = samples(args.data.as_deref())?;
            note(&from);
            Some(made)
        }
        _ => None,
    };
    say_from(&args.from, out);
    let (drawing, _held) = match made {
        Some((columns, rows)) => {
            let held = lock::hold(&[&args.from, out])?;
            write_csv(&args.from.join(figure.input()), columns, rows)?;
            (Drawing::of(figure, &args.from)?, held)
        }
        None => (Drawing::of(figure, &args.from)?, lock::hold(&[out])?),
    };
    let drawn = drawing.write(out)?;
    print(&format!("written: {}", drawn.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")))
}

/// Draws the figures of a table whose files have rows, and returns what is said of them after the table: a new line
/// with the files written, or nothing where there are none.
pub fn of_table(table: Table, out: &Path) -> Result<String, CliError> {
    let mut drawn = Vec::new();
    for figure in figure::available(out, Figure::of_table(table)) {
        drawn.extend(figure::draw(figure, out, out)?);
    }
    if drawn.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("\ndrawn: {}", drawn.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")))
}

/// Writes the report on the tables in a folder, which must exist.
pub fn report(args: &ReportArgs) -> Result<(), CliError> {
    let out = args.out.as_ref().unwrap_or(&args.from);
    if !args.from.is_dir() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(CliError::Read { path: args.from.clone(), source });
    }
    say_from(&args.from, out);
    let _held = lock::hold(&[out])?;
    write_report(&args.from, out)
}

/// Notes the folder that tables are read from, if it is not the one that is written to.
fn say_from(from: &Path, out: &Path) {
    if from != out {
        note(&format!("made of the tables in {}; --from names others", from.display()));
    }
}

/// Writes the report on the tables in a folder that is known to exist.
fn write_report(from: &Path, out: &Path) -> Result<(), CliError> {
    let own = own::within(from)?;
    let values = values::list(&own);
    let values: Vec<_> = values.iter().map(|(what, value, source)| (what.as_str(), value.as_str(), *source)).collect();
    let [html, markdown] = report::write(from, out, &own, &values)?;
    print(&format!("written: {}, {}", html.display(), markdown.display()))
}

/// Figures 1 and 4, which no table makes, and the report.
pub fn finish(out: &Path, data: Option<&Path>) -> Result<(), CliError> {
    for (figure, (columns, rows)) in [(Figure::Formula, formula()), (Figure::Images, samples(data)?.0)] {
        write_csv(&out.join(figure.input()), columns, rows)?;
    }
    write_report(out, out)
}

/// The file of figure 1: values and derivatives of VLU as the kernels compute them.
fn formula() -> Made {
    let kernels = f64::kernels::<Vlu>();
    let layout = ChannelsLayout { outer: 1, channels: 1, inner: 1 };
    let rows = figure1_rows(|a, b, x| {
        let (parameters, mut value, mut derivative): ([&[f64]; 2], _, _) = ([&[a], &[b]], [0.0], [0.0]);
        (kernels.forward)(layout, &[x], &parameters, &mut value);
        let gradient = InputGradient::Overwrite(&mut derivative[..]);
        (kernels.backward)(layout, (&[x][..]).into(), &parameters, &[1.0], gradient, &mut [None, None]);
        (value[0], derivative[0])
    });
    (&["a", "b", "x", "value", "derivative"], rows)
}

/// The file of figure 4, with the first test images before and after the filter; and a line for the user on their
/// source.
fn samples(data: Option<&Path>) -> Result<(Made, String), CliError> {
    let protocol = paper::find(FILTERED).map(Table::protocol);
    let Some((protocol, filter)) = protocol.and_then(|protocol| Some((protocol, protocol.filter?))) else {
        return Err(CliError::Usage(format!("{FILTERED}: expected a table with a filter")));
    };
    let (dataset, from): (Dataset, String) = choose_images(&protocol.data, data, SAMPLES)?;
    let images = &dataset.test;
    let mut rows = Vec::new();
    for index in 0..images.len().min(SAMPLES) {
        let label = dataset.class_name(images.label(index)).unwrap_or_default();
        let before = images.image(index).to_vec();
        let filtered = filter.apply(&before, (SIDE, SIDE));
        let after: Vec<u8> = filtered.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
        for (stage, pixels) in [("before", before), ("after", after)] {
            let side = SIDE.to_string();
            let [sigma, radius] = [filter.sigma.to_string(), filter.radius.to_string()];
            let [index, stage] = [index.to_string(), stage.to_owned()];
            let source = dataset.name.to_owned();
            let pixels = hexadecimal(&pixels);
            rows.push([index, label.clone(), stage, side.clone(), side, source, sigma, radius, pixels].to_vec());
        }
    }
    let columns = &["image", "label", "stage", "width", "height", "source", "sigma", "radius", "pixels"];
    Ok(((columns, rows), from))
}
