//! A tuning of which nothing but its result is kept.

use std::path::Path;

use pvlu_zoo::model::Model;
use serde_json::{Value, json};

use super::prepared::Prepared;
use super::pretrained::{FailedSwap, Pretrained, swapped};
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::output::{print, print_json};
use crate::common::precision::told;
use crate::common::ranks;
use crate::zoo::best::Reached;
use crate::zoo::course::Course;
use crate::zoo::keep::keep;
use crate::zoo::targets::Target;
use crate::zoo::tune::{Parts, Tuned};

/// Tunes a model: first a new head if asked for, then, after swapping the activation, the parts that the user chose.
/// The network that training reached is kept in the target, even if a later step fails.
pub fn run(
    prepared: Prepared<'_>,
    pretrained: &Pretrained<'_>,
    target: Option<&Target<'_>>,
    prints_json: bool,
) -> Result<(), CliError> {
    let Prepared { mut model, session, files, classes, .. } = prepared;
    if ranks::count() > 1 {
        let Parts { train, held_out, test } = &session.images;
        ranks::agree([("data sha256", Images::hash(&[train, held_out, test])?.as_str())])?;
    }
    let settings = &session.settings;
    // The epoch would be picked by a network that is another one after the swap.
    let swaps = settings.activation.filter(|to| Some(to.text()) != model.activation());
    if let Some(to) = swaps.filter(|_| !session.images.held_out.is_empty() && !settings.tunes()) {
        return Err(CliError::Usage(format!(
            "--held-out: nothing is trained after {} is swapped in that it would pick an epoch of: name parts in \
             --train, or leave out --held-out",
            to.text()
        )));
    }
    let mut course = Course::new(settings, &files.said, model.as_ref(), session.images.counts());
    let write = |course: &Course, model: &dyn Model, path: &Path, reached: Option<&Reached>| {
        let texts = course.texts(model, reached.map(Reached::kept)).map_err(|source| session.failed(source))?;
        files.write(model, path, texts.as_ref())
    };
    let keep = |error, course: &Course, model: &dyn Model, reached: Option<Reached>| match (reached, target) {
        (Some(reached), Some(target)) => {
            keep(error, reached.what.as_str(), target, &|path| write(course, model, path, Some(&reached)))
        }
        _ => error,
    };
    let mut reached = None;
    if let Some(head) = session.head()
        && let Err(error) = session.train(model.as_mut(), (&head, &mut course), &mut reached)
    {
        return Err(keep(error, &course, model.as_ref(), reached));
    }
    let from = model.activation();
    if let Some(activation) = settings.activation.filter(|to| Some(to.text()) != from) {
        let again = || Ok(pretrained.open(&classes)?.model);
        model = match swapped(model, activation, reached.is_some(), again) {
            Ok(model) => model,
            Err(failed) => {
                let FailedSwap { error, model } = *failed;
                return Err(match model {
                    Some(model) => keep(error, &course, model.as_ref(), reached),
                    None => error,
                });
            }
        };
        if let Some(reached) = &mut reached {
            reached.with_other_activation();
        }
    }
    let tuned = match session.tune_measured(model.as_mut(), &mut course, &mut reached) {
        Ok(tuned) => tuned,
        Err(error) => return Err(keep(error, &course, model.as_ref(), reached)),
    };
    session.progress.finish();
    let picked = reached.as_ref().and_then(|reached| Some((reached.at.epoch, reached.held_out?)));
    if let Some(target) = target {
        let written = target.write(|path| write(&course, model.as_ref(), path, reached.as_ref()));
        written.map_err(|error| keep(error, &course, model.as_ref(), reached))?;
    }
    let Tuned { before, after, trained, updated } = tuned;
    let (name, activation) = (session.name, model.activation());
    if prints_json {
        let [train, held_out, test] = session.images.counts();
        let mut json = json!({
            "model": name, "activation": activation, "trained_elements": trained, "updated_elements": updated,
            "epochs": settings.epochs, "head_epochs": settings.head_epochs,
            "train_images": train, "test_images": test,
            "top1_before": before, "top1": after, "seed": settings.seed,
        });
        if held_out > 0 {
            json["held_out_images"] = held_out.into();
            json["best_epoch"] = picked.map_or(Value::Null, |(epoch, _)| epoch.into());
            json["held_out_top1"] = picked.map_or(Value::Null, |(_, top1)| top1.into());
        }
        return print_json(&told(json));
    }
    let epochs = settings.epochs;
    let result = match picked {
        Some((epoch, top1)) => {
            format!("epoch {epoch}, the best by held-out images ({top1:.4}), of a tuning")
        }
        None => format!("{epochs} epochs"),
    };
    print(&format!(
        "{name} {}: top1 {before:.4} before, {after:.4} after {result} that trained {trained} elements and updated \
         {updated}",
        activation.unwrap_or("without activation"),
    ))
}
