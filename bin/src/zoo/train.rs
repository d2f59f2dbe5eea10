//! `zoo train`: training a model from scratch, once for each seed.

mod curves;
mod events;
mod folder;
mod images;
mod run;
mod settings;

use std::path::Path;
use std::time::Duration;

use pvlu_zoo::registry::{Options, Start};
use pvlu_zoo::text;
use pvlu_zoo::train::EpochRecord;
use serde_json::{Value, json};

use self::events::Events;
use self::folder::{Earlier, Ended, Folder};
use self::images::Parts;
use self::run::{Session, best};
use self::settings::{Config, Settings};
use super::args::{LogName, TrainArgs};
use super::data::Data;
use crate::common::error::CliError;
use crate::common::lock;
use crate::common::output::{print, print_json, write_csv};
use crate::common::precision::told;
use crate::common::progress::Progress;

/// Name of the summary's file.
const SUMMARY: &str = "summary.csv";

/// Columns of the summary.
const COLUMNS: [&str; 8] =
    ["seed", "epochs", "diverged", "best_epoch", "held_out_top1", "test_top1", "last_test_top1", "seconds"];

/// Trains the model with each seed, and writes what came of it.
pub fn run(args: &TrainArgs) -> Result<(), CliError> {
    let settings = Settings::of(args)?;
    if let Some(seed) =
        args.seeds.iter().enumerate().find_map(|(at, seed)| args.seeds[..at].contains(seed).then_some(seed))
    {
        return Err(CliError::Usage(format!("--seeds has {seed} twice")));
    }
    let data = Data::of(&args.data)?;
    let progress = Progress::new(args.quiet);
    let parts = Parts::open(args, &data, &progress).map_err(|error| match error {
        // What an earlier command left is as it was.
        CliError::Stopped if args.resume => CliError::TrainingInterrupted { out: args.out.clone() },
        error => error,
    })?;
    let image = data.image_to_tune();
    let (activation, classes) = (settings.activation.text(), parts.classes.len());
    // It also tells, before any work, whether there is such a model.
    let input = settings.entry.build(&Options { activation, classes, image, weights: Start::Unfilled })?.image();
    let session = Session {
        settings: &settings,
        preprocessing: parts.preprocessing(&data, input)?,
        parts: &parts,
        image,
        every: Duration::from_secs(args.checkpoint_every),
        logs_events: args.log == Some(LogName::Tensorboard),
        progress: &progress,
    };
    session.check(args.seeds.first().copied().unwrap_or_default())?;
    let digest = parts.digest()?;
    let lock = lock::hold(&[&args.out])?;
    let mut planned = Vec::new();
    for &seed in &args.seeds {
        let config = session.config(seed, (data.dataset.name(), &digest));
        let folder = Folder::of(&args.out, seed);
        // All are looked at before anything is trained or removed.
        let earlier = folder.earlier(&config, args.resume, args.fresh)?;
        planned.push((seed, config, folder, earlier));
    }
    let (train, held_out, test) = (parts.train.len(), parts.held_out.len(), parts.test.len());
    progress.note(&format!(
        "{}: {} with {}, over {train} images {} times, {held_out} held out, {test} to test",
        text::path(&args.out),
        settings.entry.name,
        settings.activation.name(),
        args.epochs
    ));
    // All are made ready before the first is trained: nothing of earlier settings is left if this is interrupted.
    planned.iter().try_for_each(|(.., folder, earlier)| folder.prepare(earlier))?;
    let path = args.out.join(SUMMARY);
    if planned.iter().any(|(.., earlier)| matches!(earlier, Earlier::Nothing)) {
        folder::remove(&path)?;
    }
    let ended = all(&session, planned);
    progress.finish();
    let ended = ended?.ok_or_else(|| CliError::TrainingInterrupted { out: args.out.clone() })?;
    let mut rows = ended.clone();
    rows.extend(others(args, &session, (data.dataset.name(), &digest))?);
    rows.sort_by_key(|(seed, _)| *seed);
    write_csv(&path, &COLUMNS, rows.iter().map(|(seed, ended)| row(*seed, ended)))?;
    drop(lock);
    report(args, &settings, &ended)?;
    let diverged: Vec<String> =
        ended.iter().filter(|(_, ended)| ended.diverged).map(|(seed, _)| format!("seed {seed}")).collect();
    if diverged.is_empty() { Ok(()) } else { Err(CliError::Diverged { run: diverged.join(", ") }) }
}

/// Prints what came of the trainings.
fn report(args: &TrainArgs, settings: &Settings, ended: &[(u64, Ended)]) -> Result<(), CliError> {
    let activation = settings.activation.text();
    if args.json {
        let runs: Vec<Value> = ended.iter().map(|(seed, ended)| json_of(*seed, ended)).collect();
        let model = settings.entry.name;
        return print_json(&told(json!({ "model": model, "activation": activation, "runs": runs })));
    }
    print(&summary(settings, &args.out, ended))
}

/// Trainings in the output folder of other seeds than those of this command, and of the same settings.
fn others(args: &TrainArgs, session: &Session<'_>, data: (&str, &str)) -> Result<Vec<(u64, Ended)>, CliError> {
    let mut found = Vec::new();
    for seed in folder::seeds(&args.out)?.into_iter().filter(|seed| !args.seeds.contains(seed)) {
        match Folder::of(&args.out, seed).ended(&session.config(seed, data)) {
            Ok(Some(ended)) => found.push((seed, ended)),
            Ok(None) | Err(CliError::OtherTraining { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Does the trainings one after another; `None` if interrupted.
fn all(
    session: &Session<'_>,
    planned: Vec<(u64, Config, Folder, Earlier)>,
) -> Result<Option<Vec<(u64, Ended)>>, CliError> {
    let mut ended = Vec::new();
    for (seed, config, folder, earlier) in planned {
        let done = match earlier {
            Earlier::Finished(done) => {
                let how = if done.diverged { "ended before, its loss was not finite" } else { "is finished" };
                session.progress.note(&format!("{}: {how}", text::path(folder.path())));
                if session.logs_events {
                    Events::begin(folder.events(), &done.epochs)?;
                }
                Some(done)
            }
            earlier => session.perform((seed, &config, &folder), &earlier).inspect_err(|_| {
                if folder.checkpoint().exists() {
                    let kept = text::path(&folder.checkpoint()).to_string();
                    session.progress.say(&format!("note: the training was kept in {kept}: --resume goes on"));
                }
            })?,
        };
        let Some(done) = done else { return Ok(None) };
        ended.push((seed, done));
    }
    Ok(Some(ended))
}

/// The epoch whose network counts: the best by held-out images, else the last.
fn chosen(ended: &Ended) -> Option<&EpochRecord> {
    best(&ended.epochs).or(ended.epochs.last().filter(|_| !ended.diverged))
}

fn row(seed: u64, ended: &Ended) -> Vec<String> {
    let (chosen, last) = (chosen(ended), ended.epochs.last().filter(|_| !ended.diverged));
    let number =
        |value: Option<f64>| value.filter(|value| !value.is_nan()).map_or(String::new(), |value| format!("{value:.6}"));
    let seconds: f64 = ended.epochs.iter().map(|epoch| epoch.seconds).sum();
    vec![
        seed.to_string(),
        ended.epochs.len().to_string(),
        ended.diverged.to_string(),
        chosen.map_or(String::new(), |epoch| epoch.epoch.to_string()),
        number(chosen.map(|epoch| epoch.validation.top1)),
        number(chosen.map(|epoch| epoch.test.top1)),
        number(last.map(|epoch| epoch.test.top1)),
        format!("{seconds:.3}"),
    ]
}

fn json_of(seed: u64, ended: &Ended) -> Value {
    let (chosen, last) = (chosen(ended), ended.epochs.last().filter(|_| !ended.diverged));
    json!({
        "seed": seed, "epochs": ended.epochs.len(), "diverged": ended.diverged,
        "best_epoch": chosen.map(|epoch| epoch.epoch),
        "held_out_top1": chosen.map(|epoch| epoch.validation.top1).filter(|top1| !top1.is_nan()),
        "test_top1": chosen.map(|epoch| epoch.test.top1), "last_test_top1": last.map(|epoch| epoch.test.top1),
    })
}

/// A line for each training, and one for the mean of several.
fn summary(settings: &Settings, out: &Path, ended: &[(u64, Ended)]) -> String {
    let name = format!("{} {}", settings.entry.name, settings.activation.name());
    let mut lines: Vec<String> = ended
        .iter()
        .map(|(seed, ended)| match chosen(ended) {
            _ if ended.diverged => {
                format!("{name} seed {seed}: the loss is not finite any more; a smaller --learning-rate may help")
            }
            Some(epoch) if epoch.validation.images > 0 => format!(
                "{name} seed {seed}: test {:.4} after epoch {}, the best by held-out images ({:.4})",
                epoch.test.top1, epoch.epoch, epoch.validation.top1
            ),
            Some(epoch) => {
                format!("{name} seed {seed}: test {:.4} after epoch {}, the last", epoch.test.top1, epoch.epoch)
            }
            None => format!("{name} seed {seed}: no epoch"),
        })
        .collect();
    let tests: Vec<f64> = ended
        .iter()
        .filter(|(_, ended)| !ended.diverged)
        .filter_map(|(_, ended)| Some(chosen(ended)?.test.top1))
        .collect();
    if tests.len() > 1 {
        let mean = tests.iter().sum::<f64>() / tests.len() as f64;
        let squares: f64 = tests.iter().map(|top1| (top1 - mean) * (top1 - mean)).sum();
        let left_out = ended.iter().filter(|(_, ended)| ended.diverged).count();
        let left_out = if left_out > 0 { format!(", {left_out} left out that diverged") } else { String::new() };
        let deviation = (squares / (tests.len() - 1) as f64).sqrt();
        lines.push(format!(
            "{name}: mean of {} seeds {mean:.4}, standard deviation {deviation:.4}{left_out}",
            tests.len()
        ));
    }
    lines.push(format!("written: {}", text::path(out)));
    lines.join("\n")
}
