//! The parameters that the activations of a network learned, by layer: as text, JSON, CSV and a figure.

use std::path::Path;

use pvlu::layer::ParamKind;
use pvlu_zoo::model::{Model, TensorView};
use serde_json::{Value, json};

use super::columns::columns;
use crate::common::error::CliError;
use crate::common::figure::axis::grid;
use crate::common::figure::layers::{Channels, HEIGHT, MARKS, Parameter};
use crate::common::figure::look;
use crate::common::figure::scene::Scene;
use crate::common::output::csv_bytes;
use crate::common::statistics::{Distribution, number};

/// Columns of the CSV file.
const COLUMNS: [&str; 12] = [
    "layer",
    "order",
    "parameter",
    "channels",
    "start",
    "mean",
    "deviation",
    "minimum",
    "first_quartile",
    "median",
    "third_quartile",
    "maximum",
];

/// The trained parameters of all activation layers of a network.
pub struct Learned {
    /// Name or formula of the activation.
    activation: String,
    rows: Vec<Row>,
}

/// A parameter of one activation layer.
struct Row {
    /// Path of the layer in the network.
    layer: String,
    /// Place of the layer among those with parameters, from 0 on: the number of its tensors in files saved here.
    order: usize,
    parameter: String,
    /// Value from which the channels started, if it is known.
    start: Option<f64>,
    /// Number of its values: one for each channel, or for each element.
    values: usize,
    distribution: Distribution,
}

impl Learned {
    /// Reads the parameters of a network. `start` tells the value from which a parameter started, if it is known.
    pub fn of(model: &dyn Model, start: impl Fn(&str) -> Option<f64>) -> Result<Self, pvlu::Error> {
        let mut rows: Vec<Row> = Vec::new();
        let mut layers = 0;
        model.tensors(&mut |tensor: TensorView<'_>| {
            let named = tensor.slot.path.rsplit_once('.').filter(|_| tensor.slot.kind == ParamKind::Activation);
            let Some((layer, parameter)) = named else { return };
            if rows.last().is_none_or(|row| row.layer != layer) {
                layers += 1;
            }
            rows.push(Row {
                layer: layer.to_owned(),
                order: layers - 1,
                parameter: parameter.to_owned(),
                start: start(parameter),
                values: tensor.values.len(),
                distribution: Distribution::of(tensor.values),
            });
        })?;
        Ok(Self { activation: model.activation().unwrap_or("its activation").to_owned(), rows })
    }

    /// True if no activation has a trained parameter.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Names of the parameters, in the order of the activation.
    fn parameters(&self) -> Vec<&str> {
        let first = self.rows.iter().take_while(|row| row.order == 0);
        first.map(|row| row.parameter.as_str()).collect()
    }

    fn rows_of(&self, parameter: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.parameter == parameter)
    }

    /// A table for each parameter, with a heading.
    pub fn text(&self) -> String {
        let table = |parameter: &str| {
            let mut table =
                vec![["", "LAYER", "CHANNELS", "MEAN", "DEVIATION", "LEAST", "GREATEST"].map(str::to_owned)];
            table.extend(self.rows_of(parameter).map(|row| {
                let Distribution { mean, deviation, minimum, maximum, .. } = row.distribution;
                // A minus does not move the digits.
                let value = |value: f64| format!("{value:7.4}");
                let [mean, deviation, least, greatest] = [mean, deviation, minimum, maximum].map(value);
                [row.order.to_string(), row.layer.clone(), row.values.to_string(), mean, deviation, least, greatest]
            }));
            let start = self.rows_of(parameter).find_map(|row| row.start);
            let start = start.map_or_else(String::new, |start| format!(", which started from {start}"));
            format!("{parameter}{start}:\n{}", columns(&table))
        };
        self.parameters().into_iter().map(table).collect::<Vec<_>>().join("\n\n")
    }

    /// The rows as JSON, with the names of the CSV file's columns.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            let Distribution { minimum, first_quartile, median, third_quartile, maximum, mean, deviation } =
                row.distribution;
            json!({
                "layer": row.layer, "order": row.order, "parameter": row.parameter, "channels": row.values,
                "start": row.start, "mean": mean, "deviation": deviation, "minimum": minimum,
                "first_quartile": first_quartile, "median": median, "third_quartile": third_quartile,
                "maximum": maximum,
            })
        };
        Value::from_iter(self.rows.iter().map(row))
    }

    /// The contents of the CSV file; the path is only for errors.
    pub fn csv(&self, path: &Path) -> Result<Vec<u8>, CliError> {
        let rows = self.rows.iter().map(|row| {
            let Distribution { minimum, first_quartile, median, third_quartile, maximum, mean, deviation } =
                row.distribution;
            let (order, channels) = (row.order.to_string(), row.values.to_string());
            let start = number(row.start.unwrap_or(f64::NAN));
            let mut fields = vec![row.layer.clone(), order, row.parameter.clone(), channels, start];
            let values = [mean, deviation, minimum, first_quartile, median, third_quartile, maximum];
            fields.extend(values.map(number));
            fields
        });
        csv_bytes(path, &COLUMNS, rows)
    }

    /// The figure: a panel for each parameter, with the channels of every layer.
    pub fn scene(&self, of: &str) -> Scene {
        let mut scene = Scene::titled(&format!("What {} learned", self.activation), of);
        let parameters = self.parameters();
        let (places, width) = grid(&scene, parameters.len(), HEIGHT);
        for (at, parameter) in places.into_iter().zip(parameters) {
            let channels = |row: &Row| {
                let Distribution { first_quartile, median, third_quartile, .. } = row.distribution;
                let [low, middle, high] =
                    [first_quartile, median, third_quartile].map(|value| Some(value).filter(|value| value.is_finite()));
                Channels { series: 0, order: row.order as f64, median: middle, quartiles: low.zip(high) }
            };
            let start = self.rows_of(parameter).find_map(|row| row.start);
            let panel = Parameter { start, layers: self.rows_of(parameter).map(channels).collect() };
            panel.draw(&mut scene, (at, width), [&self.activation, parameter], &[look::arm(&self.activation)]);
        }
        let dashed = " Dashed: the value from which every channel started.";
        scene.finish(&format!("{MARKS}{}", if self.rows.iter().any(|row| row.start.is_some()) { dashed } else { "" }))
    }
}

#[cfg(test)]
mod tests {
    use pvlu_zoo::registry::build;

    use super::*;
    use crate::common::figure::{raster, svg};

    #[test]
    fn every_layer_has_a_row_for_each_parameter_and_a_mark_in_its_panel() {
        let model = build("cifar_resnet20", "pvlu", 10, 0).unwrap();
        let learned = Learned::of(model.as_ref(), |name| (name == "alpha").then_some(0.5)).unwrap();
        let rows = learned.json();
        assert_eq!(rows.as_array().unwrap().len(), 2 * 19);
        assert_eq!((&rows[3]["order"], &rows[3]["parameter"]), (&json!(1), &json!("beta")));
        // Nothing was learned.
        assert!(rows.as_array().unwrap().iter().all(|row| row["deviation"] == 0.0 && row["mean"] == row["median"]));
        let text = learned.text();
        assert!(text.starts_with("alpha, which started from 0.5:\n") && text.contains("\n\nbeta:\n"), "{text}");
        assert_eq!(text.lines().count(), 2 * (19 + 2) + 1);
        let scene = learned.scene("a file");
        let drawn = svg::svg(&scene, "learned");
        assert_eq!(drawn.matches("stroke-dasharray=\"5 3\"").count(), 1);
        assert!(drawn.contains("pvlu: alpha, started from 0.5") && drawn.contains(">a file<"), "{drawn}");
        assert!(raster::png(&scene).is_some());
        let relu = build("cifar_resnet20", "relu", 10, 0).unwrap();
        assert!(Learned::of(relu.as_ref(), |_| None).unwrap().is_empty());
    }
}
