//! `zoo eval`: the accuracy of a model on a data set.

use std::time::Instant;

use pvlu_zoo::data::LoaderConfig;
use pvlu_zoo::train::evaluate_finite;
use serde_json::json;

use super::args::EvalArgs;
use super::classes::Order;
use super::data::{Data, EvaluationSet};
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::interrupt;
use crate::common::memory::check_batch;
use crate::common::named::environment;
use crate::common::output::{note, print, print_json};
use crate::common::precision::told;
use crate::common::{digest, ranks};

/// Evaluates a model on the test images, and prints its accuracy.
pub fn run(args: &EvalArgs) -> Result<(), CliError> {
    let data = Data::of(&args.data)?;
    let model = args.model.prepared(&environment)?;
    let weights = &model.path;
    let EvaluationSet { classes, test: images, mut notes } = data.open_to_evaluate(weights)?;
    let mut opened = model.open(data.image_to_evaluate(weights)?, None)?;
    let preprocessing = data.preprocessing(&opened, weights)?;
    let order = Order::of((&data.path, &classes), &opened, weights, false)?;
    notes.extend(order.warning.clone());
    notes.extend(data.choice(&opened, weights));
    notes.iter().for_each(|line| note(line));
    let start = Instant::now();
    let images = order.labeled(images)?.limit(args.limit_test.map_or(usize::MAX, usize::from));
    check_batch(opened.model.as_ref(), images.len().min(args.batch_size.get()), None, "--batch-size")?;
    let loader = images.loader(LoaderConfig::evaluation(args.batch_size.get(), preprocessing))?;
    if ranks::count() > 1 {
        let (weights, images) = (digest::of_files(&model.files())?, Images::hash(&[&images])?);
        ranks::agree([("weights sha256", weights.as_str()), ("data sha256", &images)])?;
    }
    let name = opened.entry.name;
    let evaluation = evaluate_finite(opened.model.as_mut(), &loader, &mut interrupt::flow);
    let evaluation = evaluation.map_err(|source| CliError::Training { run: name.to_owned(), source })?;
    let evaluation = evaluation.ok_or(CliError::Stopped)?;
    let (top1, top5, images) = (evaluation.top1, evaluation.top5, evaluation.images);
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let activation = opened.model.activation();
        return print_json(&told(json!({
            "model": name, "activation": activation, "weights": weights.display().to_string(),
            "top1": top1, "top5": top5, "images": images, "seconds": seconds,
            "notes": notes,
        })));
    }
    print(&format!("top1 {top1:.4}  top5 {top5:.4}  images {images}  seconds {seconds:.1}"))
}
