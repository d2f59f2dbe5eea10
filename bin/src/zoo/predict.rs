//! `zoo predict`.

use pvlu_zoo::image::Image;
use pvlu_zoo::labels;
use pvlu_zoo::model::check_finite;
use serde_json::{Value, json};

use super::args::PredictArgs;
use super::classes;
use super::info::pretty;
use super::prepare::{choice, preprocessing};
use crate::error::CliError;
use crate::interrupt;
use crate::output::{note, print};

/// Classes that are named for each image.
const TOP: usize = 5;

/// Names the five most likely classes of each image.
pub fn run(args: &PredictArgs) -> Result<(), CliError> {
    let opened = args.model.open(None, None)?;
    let names = classes::names(&opened, &args.model.weights)?;
    let labels = labels::usual(opened.model.classes());
    let preprocessing = preprocessing(&opened, labels, &args.model.weights)?;
    choice(&opened, labels, &args.model.weights).iter().for_each(|line| note(line));
    let preprocessing = preprocessing
        .with_input(opened.model.image())
        .map_err(|error| CliError::Usage(format!("{}: {error}", args.model.weights.display())))?;
    let mut results = Vec::new();
    for path in &args.images {
        if interrupt::interrupted() {
            return Err(CliError::Stopped);
        }
        let image = Image::open(path)?;
        let input = preprocessing.apply(std::slice::from_ref(&image));
        let failed = |source| CliError::Model { model: opened.entry.name, source };
        let logits = opened.model.logits(input).map_err(failed)?;
        check_finite(&logits, opened.model.classes(), 0)
            .map_err(|source| CliError::Logits { input: path.display().to_string(), source })?;
        let top: Vec<(usize, f64)> = most_likely(&logits);
        let name = |class: usize| names.get(class).map_or("", String::as_str);
        if args.json {
            let classes: Vec<Value> = top
                .iter()
                .map(
                    |&(class, probability)| json!({ "class": class, "label": name(class), "probability": probability }),
                )
                .collect();
            results.push(json!({ "image": path.display().to_string(), "top": classes }));
        } else {
            let mut lines = vec![path.display().to_string()];
            let line =
                |&(class, probability): &(usize, f64)| format!("  {:6.2} %  {}", 100.0 * probability, name(class));
            lines.extend(top.iter().map(line));
            print(&lines.join("\n"))?;
        }
    }
    if args.json { print(&pretty(&Value::Array(results))) } else { Ok(()) }
}

/// The most likely classes and their probabilities by softmax; of equal ones the first class first.
fn most_likely(logits: &[f32]) -> Vec<(usize, f64)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    let mut classes: Vec<(usize, f64)> = exponentials.into_iter().map(|e| e / sum).enumerate().collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(TOP);
    classes
}

#[cfg(test)]
mod tests {
    use super::most_likely;

    #[test]
    fn probabilities_are_those_of_softmax_in_falling_order() {
        let top = most_likely(&[0.0, 2.0, 1.0, 2.0]);
        let sum = 1.0 + 2.0 * 2.0_f64.exp() + 1.0_f64.exp();
        assert_eq!(top.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [1, 3, 2, 0]);
        assert!((top[0].1 - 2.0_f64.exp() / sum).abs() < 1e-12);
    }
}
