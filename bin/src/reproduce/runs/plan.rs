//! The plan of a command without doing it: its runs, and an estimate of the time that they take.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use pvlu::layer::Mode;
use pvlu_zoo::model::Model;
use serde_json::{Value, json};

use super::config::Config;
use super::planned::Planned;
use super::work::Work;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::progress::duration;

/// Images in a timed batch: few, because some networks take a second for one.
const TIMED: usize = 8;

/// Seconds of training on an image and of evaluating one.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    training: f64,
    evaluation: f64,
}

/// The runs as JSON for other programs, with their addresses, steps and the addresses of the trainings that they start
/// from. A run whose setting trials will choose has no hash as yet.
pub fn json(runs: &[Planned]) -> Value {
    let is_open = |run: &Planned| run.config.swept.is_some() && run.config.chosen.is_none() && run.epochs > 0;
    let one = |run: &Planned| {
        let config = &run.config;
        let hash = (!is_open(run)).then(|| config.hash());
        json!({
            "id": config.id(), "table": config.table, "model": config.model, "arm": config.arm,
            "seed": config.seed.to_string(),
            "epochs": run.epochs, "steps": run.epochs * steps(config), "hash": hash, "trial": config.trial,
            "after": run.after.iter().map(|(config, _)| config.id()).collect::<Vec<_>>(),
        })
    };
    json!({ "runs": runs.iter().map(one).collect::<Vec<_>>() })
}

/// Optimizer steps of an epoch.
fn steps(config: &Config) -> u64 {
    config.setup.train_images.div_ceil(config.batch_size.max(1)) as u64
}

/// A table of runs with their steps and estimated times, from a step and a small evaluation of each kind of network.
pub fn estimate(work: &dyn Work, runs: &[Planned]) -> Result<String, CliError> {
    let mut costs: BTreeMap<(String, String), Cost> = BTreeMap::new();
    let mut text = format!("{:<48} {:>7} {:>9} {:>10}\n", "run", "epochs", "steps", "about");
    let (mut total, mut begun) = (0.0, Vec::new());
    for run in runs {
        let config = &run.config;
        let key = (config.model.clone(), config.arm.clone());
        if !costs.contains_key(&key) {
            let mut model = work.sample(run)?;
            costs.insert(key.clone(), measure(model.as_mut(), run.epochs > 0, &key.0)?);
            if interrupt::interrupted() {
                return Err(CliError::Stopped);
            }
        }
        let cost = costs.get(&key).copied().unwrap_or_default();
        let images = (config.setup.val_images + config.setup.test_images) as f64;
        for (before, epochs) in &run.after {
            if begun.contains(before) {
                continue;
            }
            begun.push(before.clone());
            // It trains other layers than the run, in about the same time if the run trains at all. Its network is not
            // measured separately.
            let steps = epochs * steps(before);
            let trained = *epochs as f64 * before.setup.train_images as f64;
            let seconds = trained * cost.training.max(3.0 * cost.evaluation) + images * cost.evaluation;
            total += seconds;
            let _ = writeln!(text, "{:<48} {epochs:>7} {steps:>9} {:>10}", before.id(), duration(seconds));
        }
        let trained = config.setup.train_images as f64;
        let seconds = run.epochs as f64 * (trained * cost.training + images * cost.evaluation);
        total += seconds;
        let steps = run.epochs * steps(config);
        let _ = writeln!(text, "{:<48} {:>7} {steps:>9} {:>10}", config.id(), run.epochs, duration(seconds));
    }
    let _ = write!(text, "{} runs, about {} on this machine; nothing was written", runs.len(), duration(total));
    Ok(text)
}

/// Times a training step, if the run trains, and an evaluation of a few images, each at its second call.
fn measure(model: &mut dyn Model, trained: bool, name: &str) -> Result<Cost, CliError> {
    let failed =
        |source| CliError::Training { run: name.to_owned(), source: pvlu_zoo::train::TrainError::Model(source) };
    let mut cost = Cost::default();
    for _ in 0..2 {
        if trained {
            let labels: Vec<usize> = (0..TIMED).map(|index| index % model.classes()).collect();
            model.set_mode(Mode::Train);
            let begin = Instant::now();
            model.step(images(model, TIMED), &labels).map_err(failed)?;
            cost.training = begin.elapsed().as_secs_f64() / TIMED as f64;
        }
        model.set_mode(Mode::Eval);
        let begin = Instant::now();
        model.logits(images(model, TIMED)).map_err(failed)?;
        cost.evaluation = begin.elapsed().as_secs_f64() / TIMED as f64;
    }
    Ok(cost)
}

/// The values of as many artificial images, from -1 to 1.
fn images(model: &dyn Model, count: usize) -> Vec<f32> {
    (0..count * model.image_len()).map(|index| (index % 251) as f32 / 125.0 - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::runs::config::{Setup, tests};

    #[test]
    fn steps_and_addresses_are_those_of_the_configuration() {
        let config = |arm: &str| {
            let of = tests::config();
            let setup = Setup { train_images: 100, ..of.setup };
            Config { model: "m".to_owned(), arm: arm.to_owned(), seed: 0, batch_size: 32, setup, ..of }
        };
        let run = Planned { config: config("pvlu"), epochs: 3, after: vec![(config("first"), 2)] };
        let found = json(&[run]);
        assert_eq!(found["runs"][0]["id"], "table3/m/pvlu/0");
        assert_eq!(found["runs"][0]["steps"], 12);
        assert_eq!(found["runs"][0]["after"][0], "table3/m/first/0");
    }
}
