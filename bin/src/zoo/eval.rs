//! `zoo eval`.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use pvlu::kernel::cpu::cross_entropy::top_k_correct;
use pvlu_zoo::data::{FolderParts, ImageFolder, Loader, LoaderConfig};
use pvlu_zoo::labels;
use pvlu_zoo::train::evaluate;
use serde_json::json;

use super::args::{DataName, EvalArgs};
use super::info::pretty;
use super::prepare::normalization;
use crate::error::CliError;
use crate::interrupt;
use crate::output::print;

/// Measures the accuracy of a model.
pub fn run(args: &EvalArgs) -> Result<(), CliError> {
    let mut opened = args.model.open(args.data.image(), None)?;
    let preprocessing = args.data.preprocessing(&opened, &args.model.weights)?;
    let (model, name) = (opened.model.as_mut(), opened.entry.name);
    let failed = |source| CliError::Model { model: name, source };
    let limit = args.limit.map_or(usize::MAX, usize::from);
    let start = Instant::now();
    let (images, top1, top5) = if args.data.dataset == DataName::Folder {
        let folder = FolderParts::open(&args.data.data)?.to_evaluate();
        let folder = in_order_of(folder, model.classes())?;
        let folder = folder.limit(limit);
        let preprocessing = preprocessing
            .with_input(model.image())
            .map_err(|error| CliError::Usage(format!("{}: {error}", args.model.weights.display())))?;
        let (mut images, mut top1, mut top5) = (0, 0, 0);
        for batch in folder.batches(preprocessing, args.batch_size.get())? {
            if interrupt::interrupted() {
                return Err(CliError::Stopped);
            }
            let batch = batch?;
            let logits = model.logits(batch.images).map_err(failed)?;
            top1 += top_k_correct(&logits, model.classes(), &batch.labels, 1);
            top5 += top_k_correct(&logits, model.classes(), &batch.labels, 5);
            images += batch.labels.len();
        }
        (images, top1 as f64 / images as f64, top5 as f64 / images as f64)
    } else {
        let dataset = args.data.open()?;
        if dataset.classes != model.classes() {
            return Err(CliError::Usage(format!(
                "{} has {} classes, the model {}",
                dataset.name,
                dataset.classes,
                model.classes()
            )));
        }
        let test = Arc::new(dataset.test.limit(limit));
        let config = LoaderConfig::evaluation(args.batch_size.get(), normalization(&preprocessing)?);
        let mut stop = || if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let evaluation = evaluate(model, &Loader::new(test, config)?, &mut stop).map_err(failed)?;
        let evaluation = evaluation.ok_or(CliError::Stopped)?;
        (evaluation.images, evaluation.top1, evaluation.top5)
    };
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        let activation = model.activation();
        return print(&pretty(&json!({
            "model": name, "activation": activation, "weights": args.model.weights.display().to_string(),
            "top1": top1, "top5": top5, "images": images, "seconds": seconds,
        })));
    }
    print(&format!("top1 {top1:.4}  top5 {top5:.4}  images {images}  seconds {seconds:.1}"))
}

/// Gives the classes of a folder the numbers that the model has for them: those of ImageNet where they are called so, else
/// the order of their names, as `finetune` does.
fn in_order_of(folder: ImageFolder, classes: usize) -> Result<ImageFolder, CliError> {
    let ids = labels::imagenet_ids();
    let found = folder.classes().len();
    if classes == ids.len() && folder.classes().iter().all(|name| ids.contains(&name.as_str())) {
        return Ok(folder.with_labels_of(ids)?);
    }
    if found > classes {
        let path = folder.path().display();
        return Err(CliError::Usage(format!("{path} has {found} classes, the model {classes}")));
    }
    Ok(folder)
}
