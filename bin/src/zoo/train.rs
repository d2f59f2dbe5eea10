//! `zoo train`: training a model from scratch, once for each seed.

mod curves;
mod events;
mod folder;
mod images;
mod run;
mod settings;
mod summary;

use std::time::Duration;

use pvlu_zoo::registry::{Options, Start};
use pvlu_zoo::text;
use serde_json::{Value, json};

use self::events::Events;
use self::folder::{Earlier, Ended, Folder};
use self::images::Parts;
use self::run::Session;
use self::settings::{Config, Settings};
use super::args::{LogName, TrainArgs};
use super::data::Data;
use crate::common::error::CliError;
use crate::common::lock;
use crate::common::output::{print, print_json, write_csv};
use crate::common::precision::told;
use crate::common::progress::Progress;
use crate::common::repeated::refuse_repeated;

/// Name of the summary's file.
const SUMMARY: &str = "summary.csv";

/// Trains the model with each seed, and writes what came of it.
pub fn run(args: &TrainArgs) -> Result<(), CliError> {
    let settings = Settings::of(args)?;
    refuse_repeated("--seeds", &args.seeds)?;
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
    write_csv(&path, &summary::COLUMNS, rows.iter().map(|(seed, ended)| summary::row(*seed, ended)))?;
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
        let runs: Vec<Value> = ended.iter().map(|(seed, ended)| summary::json_of(*seed, ended)).collect();
        let model = settings.entry.name;
        return print_json(&told(json!({ "model": model, "activation": activation, "runs": runs })));
    }
    print(&summary::text(settings, &args.out, ended))
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
