//! `zoo predict`: the most likely classes of images.

use std::path::Path;

use pvlu_zoo::checkpoint::Opened;
use pvlu_zoo::image::{Image, Preprocessing};
use pvlu_zoo::inference::Inference;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::model::check_finite;
use pvlu_zoo::text;
use serde_json::{Value, json};

use super::args::PredictArgs;
use super::classes;
use crate::common::error::CliError;
use crate::common::interrupt;
use crate::common::named::environment;
use crate::common::output::{note, note_error, print, print_json};
use crate::common::preprocessing::{choice, preprocessing};

/// Number of classes that are named for each image.
const TOP: usize = 5;

/// Names the five most likely classes of each image. An image that cannot be read, or whose logits are not finite, is
/// reported, and the others are still classified; in JSON it has `error` instead of `top`.
pub fn run(args: &PredictArgs) -> Result<(), CliError> {
    let model = args.model.prepared(&environment)?;
    let opened = model.open(args.image.map(|side| (side, side)), None)?;
    let names = classes::names(&opened, &model.path)?;
    let labels = LabelSet::usual(opened.model.classes());
    let preprocessing = preprocessing(&opened, labels, &model.path)?;
    choice(&opened, labels, &model.path).iter().for_each(|line| note(line));
    let preprocessing = preprocessing
        .with_input(opened.model.image())
        .map_err(|error| CliError::Usage(format!("{}: {error}", text::path(&model.path))))?;
    let refused = |source| CliError::Model { model: opened.entry.name, source };
    let inference = Inference::for_batches(opened.model.as_ref(), 1).map_err(refused)?;
    let mut results = Vec::new();
    let mut failed = 0;
    for path in &args.images {
        if interrupt::interrupted() {
            break;
        }
        let logits = match logits(&opened, &inference, &preprocessing, path) {
            Ok(logits) => logits,
            // The error of the only image is that of the command.
            Err(error) if args.images.len() == 1 && !args.json => return Err(error),
            Err(error @ (CliError::Image(_) | CliError::Logits { .. })) => {
                failed += 1;
                note_error(&error);
                results.push(json!({ "image": path.display().to_string(), "error": error.to_string() }));
                continue;
            }
            Err(error) => return Err(error),
        };
        let top: Vec<(usize, f64)> = most_likely(&logits);
        let name = |class: usize| names.get(class).map_or("", String::as_str);
        let shown = |class: usize| match name(class) {
            "" => format!("class {class}, which has no name"),
            name => text::shown(name).to_string(),
        };
        if args.json {
            let classes: Vec<Value> = top
                .iter()
                .map(
                    |&(class, probability)| json!({ "class": class, "label": name(class), "probability": probability }),
                )
                .collect();
            results.push(json!({ "image": path.display().to_string(), "top": classes }));
        } else {
            let mut lines = vec![text::path(path).to_string()];
            let line =
                |&(class, probability): &(usize, f64)| format!("  {:6.2} %  {}", 100.0 * probability, shown(class));
            lines.extend(top.iter().map(line));
            print(&lines.join("\n"))?;
        }
    }
    if args.json {
        print_json(&Value::Array(results))?;
    }
    if interrupt::interrupted() {
        return Err(CliError::Stopped);
    }
    if failed == 0 { Ok(()) } else { Err(CliError::SomeImages { failed, images: args.images.len() }) }
}

/// The logits of an image, all of them finite.
fn logits(
    opened: &Opened,
    inference: &Inference<'_>,
    preprocessing: &Preprocessing,
    path: &Path,
) -> Result<Vec<f32>, CliError> {
    let input = preprocessing.apply(std::slice::from_ref(&Image::open(path)?));
    let refused = |source| CliError::Model { model: opened.entry.name, source };
    let logits = inference.logits(input).map_err(refused)?;
    check_finite(&logits, opened.model.classes(), 0)
        .map_err(|source| CliError::Logits { input: path.display().to_string(), source })?;
    Ok(logits)
}

/// The most likely classes and their softmax probabilities; equal ones are in the order of their numbers.
fn most_likely(logits: &[f32]) -> Vec<(usize, f64)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| libm::exp(f64::from(logit - largest))).collect();
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
