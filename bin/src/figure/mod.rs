//! The figures, each drawn from one CSV file alone: the same file gives the same figure, byte for byte.

pub mod axis;
pub mod curves;
pub mod dots;
pub mod font;
pub mod formula;
pub mod images;
pub mod layers;
pub mod look;
pub mod raster;
pub mod records;
pub mod scene;
pub mod svg;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use formula::figure1_rows;

use crate::error::CliError;
use crate::output::write_together;
use layers::{COMPARED, LEARNED, parameters, units};
use records::Records;
use scene::Scene;

/// Height from which on nobody looks at a figure, in pixels: its file would be too large for many programs.
const HIGHEST: f64 = 12_000.0;

/// No arm is named: all are drawn.
const ALL_ARMS: &[&str] = &[];

/// What is known of a figure.
struct Sheet {
    name: &'static str,
    input: &'static str,
    title: &'static str,
    draw: fn(&Records, &str) -> Result<Scene, CliError>,
    /// The arms whose rows are drawn; all if none is named.
    arms: &'static [&'static str],
}

/// Makes the variants, and the sheet of each.
macro_rules! figures {
    ($($figure:ident: $name:literal, $input:literal, $draw:path, $arms:expr, $title:literal;)*) => {
        /// A figure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Figure {
            $(#[doc = $title] $figure,)*
        }

        impl Figure {
            /// All figures, in the order in which they are shown.
            pub const ALL: &[Figure] = &[$(Figure::$figure),*];

            const fn sheet(self) -> Sheet {
                match self {
                    $(Figure::$figure => Sheet { name: $name, input: $input, title: $title, draw: $draw, arms: $arms },)*
                }
            }
        }
    };
}

figures! {
    Figure1: "figure1", "figure1.csv", formula::draw, ALL_ARMS, "Figure 1: VLU and its derivative";
    Figure2: "figure2", "table1_epochs.csv", curves::draw, ALL_ARMS, "Figure 2: test accuracy in the runs of table 1";
    Figure3: "figure3", "table2_epochs.csv", curves::draw, ALL_ARMS, "Figure 3: test accuracy in the runs of table 2";
    Figure4: "figure4", "figure4.csv", images::draw, ALL_ARMS, "Figure 4: images before and after the filter";
    Table1: "table1", "table1.csv", dots::draw, ALL_ARMS, "Table 1: difference to ReLU";
    Table2: "table2", "table2.csv", dots::draw, ALL_ARMS, "Table 2: difference to ReLU";
    Table3: "table3", "table3.csv", dots::draw, ALL_ARMS, "Table 3: difference to ReLU";
    Table4: "table4", "table4.csv", dots::draw, ALL_ARMS, "Table 4: difference to ReLU";
    Table5: "table5", "table5.csv", dots::draw, ALL_ARMS, "Table 5: difference to ReLU";
    Table6: "table6", "table6.csv", dots::draw, ALL_ARMS, "Table 6: difference to ReLU";
    Parameters1: "table1_parameters", "table1_parameters.csv", parameters, LEARNED, "Table 1: what PVLU learned";
    Parameters2: "table2_parameters", "table2_parameters.csv", parameters, LEARNED, "Table 2: what PVLU learned";
    Parameters3: "table3_parameters", "table3_parameters.csv", parameters, LEARNED, "Table 3: what PVLU learned";
    Parameters4: "table4_parameters", "table4_parameters.csv", parameters, LEARNED, "Table 4: what PVLU learned";
    Parameters5: "table5_parameters", "table5_parameters.csv", parameters, LEARNED, "Table 5: what PVLU learned";
    Parameters6: "table6_parameters", "table6_parameters.csv", parameters, LEARNED, "Table 6: what PVLU learned";
    Units1: "table1_units", "table1_units.csv", units, COMPARED, "Table 1: dead units";
    Units2: "table2_units", "table2_units.csv", units, COMPARED, "Table 2: dead units";
    Units3: "table3_units", "table3_units.csv", units, COMPARED, "Table 3: dead units";
    Units4: "table4_units", "table4_units.csv", units, COMPARED, "Table 4: dead units";
    Units5: "table5_units", "table5_units.csv", units, COMPARED, "Table 5: dead units";
    Units6: "table6_units", "table6_units.csv", units, COMPARED, "Table 6: dead units";
}

impl Figure {
    /// Name of its files, without an ending.
    pub const fn name(self) -> &'static str {
        self.sheet().name
    }

    /// The file that it is drawn from.
    pub const fn input(self) -> &'static str {
        self.sheet().input
    }

    /// What it shows.
    pub const fn title(self) -> &'static str {
        self.sheet().title
    }

    /// Whether it is drawn from a file of a table.
    pub fn is_of(self, table: &str) -> bool {
        self.input().strip_prefix(table).is_some_and(|rest| rest.starts_with(['.', '_']))
    }

    /// Whether a row is drawn, or is damaged.
    fn shows(self, row: &records::Row<'_>) -> bool {
        let arms = self.sheet().arms;
        arms.is_empty() || row.text("arm").map_or(true, |arm| arms.contains(&arm))
    }
}

/// The figures that can be drawn from the files in a folder: their file has rows for them.
///
/// One whose file is damaged is among them, for [`draw`] to say why it cannot be drawn.
pub fn available(from: &Path) -> Vec<Figure> {
    let has_rows = |figure: &&Figure| {
        let path = from.join(figure.input());
        path.is_file() && Records::read(&path).map_or(true, |records| records.rows().any(|row| figure.shows(&row)))
    };
    Figure::ALL.iter().filter(has_rows).copied().collect()
}

/// Draws a figure from the files in a folder, and writes it as SVG and as PNG: both, or an error and neither.
pub fn draw(figure: Figure, from: &Path, to: &Path) -> Result<Vec<PathBuf>, CliError> {
    Drawing::of(figure, from)?.write(to)
}

/// A figure that is drawn and not yet written.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Which figure.
    pub figure: Figure,
    /// An SVG element, of which the identifiers are no other figure's.
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
            let arms = figure.sheet().arms.join(" or ");
            let of = if arms.is_empty() { String::new() } else { format!(" of arm {arms}") };
            return Err(records.error(format!("expected rows{of} below the header, found none")));
        }
        let scene = (figure.sheet().draw)(records, figure.title())?;
        let drawn = if scene.height <= HIGHEST { raster::png(&scene) } else { None };
        let png = drawn.ok_or_else(|| {
            let (height, name) = (scene.height, figure.name());
            records.error(format!("expected rows for a figure of at most {HIGHEST} pixels, {name} has {height}"))
        })?;
        Ok(Self { figure, svg: svg::svg(&scene, figure.name()), png })
    }

    /// Writes the SVG and the PNG in a folder: both or neither.
    pub fn write(&self, to: &Path) -> Result<Vec<PathBuf>, CliError> {
        let [svg, png] = ["svg", "png"].map(|ending| to.join(format!("{}.{ending}", self.figure.name())));
        write_together(&[(&svg, self.svg.as_bytes()), (&png, &self.png)])?;
        Ok(vec![svg, png])
    }
}
