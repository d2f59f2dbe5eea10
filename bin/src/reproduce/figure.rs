//! The figures, each drawn from one CSV file alone: the same file gives the same figure, byte for byte.

pub mod budget;
pub mod curves;
pub mod dots;
pub mod formula;
pub mod images;
pub mod layers;
pub mod learned;
pub mod records;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use formula::figure1_rows;

use crate::common::error::CliError;
use crate::common::figure::look::arm_label;
use crate::common::figure::scene::Scene;
use crate::common::figure::{raster, svg};
use crate::common::output::write_together;
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::printed::Numbered;
use layers::units;
use learned::parameters;
use records::Records;

/// A figure that can be drawn from the files of a table, or from those of figure 1 or 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// VLU and its derivative.
    Formula,
    /// Images before and after the filter.
    Images,
    /// The paper's figure of the test accuracy in the runs of a table.
    Curves(Table, &'static Numbered),
    /// The test accuracy by epoch in the runs of a table for which the paper has no such figure.
    Epochs(Table),
    /// The difference of each arm of a table to the base.
    Differences(Table),
    /// The parameters that the proposed arm learned in the runs of a table.
    Parameters(Table),
    /// The dead units in the runs of a table.
    Units(Table),
}

const FORMULA: Numbered =
    Numbered { name: "figure1", title: "Figure 1: VLU and its derivative", about: "Figure 1: VLU and its derivative" };
const IMAGES: Numbered = Numbered {
    name: "figure4",
    title: "Figure 4: images before and after the filter",
    about: "Figure 4: images before and after the Gaussian filter",
};

impl Figure {
    /// The figures that the paper numbers, in its order.
    pub fn numbered() -> impl Iterator<Item = (Self, &'static Numbered)> {
        let curves = paper::all().iter().filter_map(|table| {
            let numbered = table.curves()?;
            Some((Figure::Curves(*table, numbered), numbered))
        });
        std::iter::once((Figure::Formula, &FORMULA)).chain(curves).chain([(Figure::Images, &IMAGES)])
    }

    /// All figures of the paper's tables, in the order in which they are shown.
    pub fn all() -> Vec<Self> {
        Self::numbered().map(|(figure, _)| figure).chain(Self::unnumbered(paper::all())).collect()
    }

    /// The figures of a table, in the order in which they are shown.
    pub fn of_table(table: Table) -> Vec<Self> {
        let curves = table.curves().map(|numbered| Figure::Curves(table, numbered));
        curves.into_iter().chain(Self::unnumbered(&[table])).collect()
    }

    /// The figures of some tables that the paper does not number.
    fn unnumbered(tables: &[Table]) -> impl Iterator<Item = Self> {
        let kinds: [fn(Table) -> Self; 4] = [Figure::Differences, Figure::Epochs, Figure::Parameters, Figure::Units];
        let of_tables = kinds.into_iter().flat_map(|kind| tables.iter().map(move |table| kind(*table)));
        of_tables.filter(|figure| !matches!(figure, Figure::Epochs(table) if table.curves().is_some()))
    }

    /// Name of the figure's files, without an extension.
    pub fn name(self) -> String {
        match self {
            Figure::Formula => FORMULA.name.to_owned(),
            Figure::Images => IMAGES.name.to_owned(),
            Figure::Curves(_, numbered) => numbered.name.to_owned(),
            Figure::Differences(table) => table.name().to_owned(),
            Figure::Epochs(table) => format!("{}_epochs", table.name()),
            Figure::Parameters(table) => format!("{}_parameters", table.name()),
            Figure::Units(table) => format!("{}_units", table.name()),
        }
    }

    /// Name of the CSV file that the figure is drawn from.
    pub fn input(self) -> String {
        match self {
            Figure::Curves(table, _) => format!("{}_epochs.csv", table.name()),
            _ => format!("{}.csv", self.name()),
        }
    }

    /// Title above the figure.
    pub fn title(self) -> String {
        match self {
            Figure::Formula => FORMULA.title.to_owned(),
            Figure::Images => IMAGES.title.to_owned(),
            Figure::Curves(_, numbered) => numbered.title.to_owned(),
            Figure::Differences(table) => {
                format!("{}: difference to {}", table.heading(), arm_label(&table.protocol().base))
            }
            Figure::Epochs(table) => format!("{}: test accuracy by epoch", table.heading()),
            Figure::Parameters(table) => {
                format!("{}: what {} learned", table.heading(), arm_label(&table.protocol().proposed))
            }
            Figure::Units(table) => format!("{}: dead units", table.heading()),
        }
    }

    /// Draws the figure from the rows of its file, below its title.
    fn scene(self, records: &Records) -> Result<Scene, CliError> {
        let title = self.title();
        match self {
            Figure::Formula => formula::draw(records, &title),
            Figure::Images => images::draw(records, &title),
            Figure::Curves(..) | Figure::Epochs(_) => curves::draw(records, &title),
            Figure::Differences(table) => dots::draw(records, &title, &table.protocol().base),
            Figure::Parameters(table) => parameters(records, &title, table),
            Figure::Units(_) => units(records, &title, &self.arms()),
        }
    }

    /// The arms whose rows are drawn; all if none is named.
    fn arms(self) -> Vec<&'static str> {
        match self {
            Figure::Parameters(table) => vec![&table.protocol().proposed],
            Figure::Units(table) => vec![&table.protocol().base, &table.protocol().proposed],
            _ => Vec::new(),
        }
    }

    /// The table whose runs the figure is drawn from; `None` for figures 1 and 4.
    pub fn table(self) -> Option<Table> {
        match self {
            Figure::Formula | Figure::Images => None,
            Figure::Curves(table, _)
            | Figure::Epochs(table)
            | Figure::Differences(table)
            | Figure::Parameters(table)
            | Figure::Units(table) => Some(table),
        }
    }

    /// True for a row that is drawn, and for one whose arm cannot be read.
    fn shows(self, row: &records::Row<'_>) -> bool {
        let arms = self.arms();
        arms.is_empty() || row.text("arm").map_or(true, |arm| arms.contains(&arm))
    }
}

/// The figures, among these, whose CSV file in a folder has rows to draw.
///
/// Figures whose file is damaged are included, so that [`draw`] reports why they cannot be drawn.
pub fn available(from: &Path, figures: Vec<Figure>) -> Vec<Figure> {
    let has_rows = |figure: &Figure| {
        let path = from.join(figure.input());
        path.is_file() && Records::read(&path).map_or(true, |records| records.rows().any(|row| figure.shows(&row)))
    };
    figures.into_iter().filter(has_rows).collect()
}

/// Draws a figure from the files in a folder, and writes it as SVG and as PNG: both, or an error and neither.
pub fn draw(figure: Figure, from: &Path, to: &Path) -> Result<Vec<PathBuf>, CliError> {
    Drawing::of(figure, from)?.write(to)
}

/// A figure that is drawn and not yet written.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The figure that was drawn.
    pub figure: Figure,
    /// An SVG element whose identifiers differ from those of all other figures.
    pub svg: String,
    png: Vec<u8>,
}

impl Drawing {
    /// Draws a figure from the files in a folder.
    pub fn of(figure: Figure, from: &Path) -> Result<Self, CliError> {
        Self::of_records(figure, &Records::read(&from.join(figure.input()))?)
    }

    /// Draws a figure from the rows of its file.
    pub fn of_records(figure: Figure, records: &Records) -> Result<Self, CliError> {
        if !records.rows().any(|row| figure.shows(&row)) {
            let arms = figure.arms().join(" or ");
            let of = if arms.is_empty() { String::new() } else { format!(" of arm {arms}") };
            return Err(records.error(format!("expected rows{of} below the header, found none")));
        }
        let scene = figure.scene(records)?;
        let png = raster::png(&scene).ok_or_else(|| {
            let (height, most, name) = (scene.height, raster::HIGHEST, figure.name());
            records.error(format!("expected rows for a figure of at most {most} pixels, {name} has {height}"))
        })?;
        Ok(Self { figure, svg: svg::svg(&scene, &figure.name()), png })
    }

    /// Writes the SVG and the PNG in a folder: both or neither.
    pub fn write(&self, to: &Path) -> Result<Vec<PathBuf>, CliError> {
        let [svg, png] = ["svg", "png"].map(|ending| to.join(format!("{}.{ending}", self.figure.name())));
        write_together(&[(&svg, self.svg.as_bytes()), (&png, &self.png)])?;
        Ok(vec![svg, png])
    }
}
