//! The figure of the parameters that the proposed arm learned in each activation layer, and of their start values.

use pvlu_zoo::registry;

use crate::common::error::CliError;
use crate::common::figure::axis::grid;
use crate::common::figure::layers::{Channels, HEIGHT, MARKS, Parameter};
use crate::common::figure::look::{self, Look};
use crate::common::figure::scene::Scene;
use crate::reproduce::figure::records::{Records, Row, slot};
use crate::reproduce::protocol::paper::Table;

/// Draws the median and the quartiles of each layer's channels, a panel for each model and parameter.
pub fn parameters(records: &Records, title: &str, table: Table) -> Result<Scene, CliError> {
    let mut seeds: Vec<(&str, Look)> = Vec::new();
    let mut panels: Vec<((&str, &str), Parameter)> = Vec::new();
    for row in records.rows() {
        if row.text("arm")? != table.protocol().proposed {
            continue;
        }
        let seed = row.text("seed")?;
        let place = seeds.iter().position(|(known, _)| *known == seed).unwrap_or_else(|| {
            seeds.push((seed, look::nth(seeds.len())));
            seeds.len() - 1
        });
        let learned = slot(&mut panels, (row.text("model")?, row.text("parameter")?));
        learned.start = start(&row, table)?;
        learned.layers.push(Channels {
            series: place,
            order: f64::from(row.whole("order")?),
            median: row.number("median")?,
            quartiles: row.number("first_quartile")?.zip(row.number("third_quartile")?),
        });
    }
    let mut scene = Scene::titled(title, "");
    let entries: Vec<_> = seeds.iter().map(|(seed, look)| (format!("seed {seed}"), look.bare())).collect();
    look::legend(&mut scene, &entries);
    let (places, width) = grid(&scene, panels.len(), HEIGHT);
    let looks: Vec<Look> = seeds.iter().map(|(_, look)| *look).collect();
    for (at, ((model, parameter), learned)) in places.into_iter().zip(&panels) {
        learned.draw(&mut scene, (at, width), [model, parameter], &looks);
    }
    Ok(scene
        .finish(&format!("{MARKS} Seeds are beside each other. Dashed: the value from which every channel started.")))
}

/// The start value of the parameter of a row; `None` for an unknown activation or parameter.
fn start(row: &Row<'_>, table: Table) -> Result<Option<f64>, CliError> {
    let parameter = row.text("parameter")?;
    let activation = Some(row.optional("activation")).filter(|text| !text.is_empty());
    let Ok(activation) = registry::activation(activation.unwrap_or(row.text("arm")?)) else { return Ok(None) };
    // In tables of pretrained networks the activation replaces ReLU.
    let swapped = table.protocol().pretrained().is_some();
    let params = activation.params();
    let found = params.iter().find(|param| param.name == parameter);
    Ok(found.map(|param| if swapped { param.swapped } else { param.start }))
}

#[cfg(test)]
mod tests {
    use crate::reproduce::figure::tests::{figure, folder, texts};
    use crate::reproduce::figure::{Drawing, sample};
    use std::collections::HashSet;

    #[test]
    fn start_values_are_those_of_a_swap_where_the_network_was_trained_with_relu() {
        let folder = folder();
        let rows: Vec<String> =
            sample::parameters(&["m"], 2, 1).into_iter().map(|row| row.replace("table1", "table5")).collect();
        sample::file(folder.path(), "table5_parameters.csv", sample::PARAMETERS, &rows);
        let svg = Drawing::of(figure("table5_parameters"), folder.path()).unwrap().svg;
        let found = texts(&svg);
        for title in ["m: alpha, started from 0", "m: beta, started from 1"] {
            assert!(found.contains(&title.to_owned()), "{found:?}");
        }
        assert_eq!(svg.matches("stroke-dasharray=\"5 3\"").count(), 2);
        // The start value under an unknown activation is not known.
        let rows: Vec<String> =
            rows.iter().map(|row| row.replace("alpha", "omega").replace("beta", "omicron")).collect();
        sample::file(folder.path(), "table5_parameters.csv", sample::PARAMETERS, &rows);
        let svg = Drawing::of(figure("table5_parameters"), folder.path()).unwrap().svg;
        assert!(texts(&svg).contains(&"m: omega".to_owned()) && !svg.contains("dasharray"));
    }

    #[test]
    fn each_seed_has_a_look_of_its_own() {
        let folder = folder();
        sample::file(folder.path(), "table1_parameters.csv", sample::PARAMETERS, &sample::parameters(&["m"], 1, 3));
        let svg = Drawing::of(figure("table1_parameters"), folder.path()).unwrap().svg;
        let document = roxmltree::Document::parse(&svg).unwrap();
        let fills: HashSet<&str> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "path")
            .filter_map(|node| node.attribute("fill"))
            .filter(|fill| !["none", "#ffffff"].contains(fill))
            .collect();
        assert_eq!(fills.len(), 3, "{fills:?}");
    }
}
