//! Inspection of the activations of a trained network: the values of their parameters, and their dead channels.

use pvlu::layer::ParamKind;
use pvlu_zoo::data::Batches;
use pvlu_zoo::model::Model;
use pvlu_zoo::train::dead_units;

use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::statistics::{Distribution, number};

/// Names of the columns of [`Inspected::parameters`].
pub const PARAMETER_COLUMNS: [&str; 10] = [
    "layer",
    "order",
    "parameter",
    "channels",
    "minimum",
    "first_quartile",
    "median",
    "third_quartile",
    "maximum",
    "mean",
];
/// Names of the columns of [`Inspected::units`].
pub const UNIT_COLUMNS: [&str; 5] = ["layer", "order", "units", "dead", "share"];

/// The parameters and dead units of a network's activations, as rows of the CSV files.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// Number of elements of all trained tensors of the network.
    pub trained: usize,
    /// A row for each parameter of an activation layer, in the columns of [`PARAMETER_COLUMNS`].
    pub parameters: Vec<Vec<String>>,
    /// A row for each activation layer, in the columns of [`UNIT_COLUMNS`].
    pub units: Vec<Vec<String>>,
}

/// Reads the parameters of activations, and counts the channels that give zero for every image of a set; `None` if
/// interrupted.
pub fn inspect(model: &mut dyn Model, images: &dyn Batches, title: &str) -> Result<Option<Inspected>, CliError> {
    let failed = |source| CliError::Training { run: title.to_owned(), source };
    let Some(layers) = dead_units(model, images, &mut interrupt::flow).map_err(failed)? else { return Ok(None) };
    let mut parameters = Vec::new();
    let mut trained = 0;
    let mut show = |tensor: pvlu_zoo::model::TensorView<'_>| {
        if tensor.slot.trained {
            trained += tensor.values.len();
        }
        if tensor.slot.kind == ParamKind::Activation
            && let Some((layer, name)) = tensor.slot.path.rsplit_once('.')
            && let Some(order) = layers.iter().position(|of| of.path == layer)
        {
            let mut row = vec![layer.to_owned(), order.to_string(), name.to_owned(), tensor.values.len().to_string()];
            let Distribution { minimum, first_quartile, median, third_quartile, maximum, mean, .. } =
                Distribution::of(tensor.values);
            row.extend([minimum, first_quartile, median, third_quartile, maximum, mean].map(number));
            parameters.push(row);
        }
    };
    model.tensors(&mut show).map_err(|source| failed(source.into()))?;
    let units = layers.iter().enumerate().map(|(order, layer)| {
        let (units, dead) = (layer.alive.len(), layer.dead());
        let share = number(dead as f64 / units as f64);
        vec![layer.path.clone(), order.to_string(), units.to_string(), dead.to_string(), share]
    });
    Ok(Some(Inspected { trained, parameters, units: units.collect() }))
}
