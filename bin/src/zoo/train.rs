//! `zoo train`: training a model from scratch, once for each seed.

mod images;
mod run;
mod settings;

use std::time::Duration;

use pvlu_zoo::registry::{Options, Start};
use serde_json::json;

use self::images::Parts;
use self::run::Session;
use self::settings::Settings;
use super::args::{LogName, TrainArgs};
use super::data::Data;
use super::seeds::keeper::Keeping;
use super::seeds::{Request, check_finite, summary};
use crate::common::error::CliError;
use crate::common::output::{print, print_json};
use crate::common::precision::told;
use crate::common::progress::Progress;
use crate::common::repeated::refuse_repeated;

/// Trains the model with each seed, and writes what came of it.
pub fn run(args: &TrainArgs) -> Result<(), CliError> {
    let settings = Settings::of(args)?;
    refuse_repeated("--seeds", &args.seeds)?;
    let data = Data::of(&args.data)?;
    let progress = Progress::new(args.quiet);
    let kept = &args.kept;
    let logs_events = kept.log == Some(LogName::Tensorboard);
    let request = Request {
        out: &args.out,
        option: "--out",
        seeds: &args.seeds,
        resume: kept.resume,
        fresh: kept.fresh,
        logs_events,
        progress: &progress,
    };
    let parts = Parts::open(args, &data, &progress).map_err(|error| match error {
        // What an earlier command left is as it was.
        CliError::Stopped if kept.resume => request.interrupted(),
        error => error,
    })?;
    settings.late_changes().iter().for_each(|line| progress.note(line));
    let image = data.image_to_tune();
    let (activation, classes) = (settings.activation.text(), parts.classes.len());
    // It also tells, before any work, whether there is such a model.
    let input = settings.entry.build(&Options { activation, classes, image, weights: Start::Unfilled })?.image();
    let digest = parts.digest()?;
    let session = Session {
        settings: &settings,
        preprocessing: parts.preprocessing(&data, input)?,
        parts: &parts,
        image,
        data: (data.dataset.name(), &digest),
        keeping: Keeping { every: Duration::from_secs(kept.checkpoint_every()), logs_events, progress: &progress },
    };
    session.check(args.seeds.first().copied().unwrap_or_default())?;
    let (train, held_out, test) = (parts.train.len(), parts.held_out.len(), parts.test.len());
    let (model, epochs) = (settings.entry.name, args.epochs);
    let name = format!("{model} with {}", settings.activation.name());
    let plan = format!("{name}, over {train} images {epochs} times, {held_out} held out, {test} to test");
    let ended = request.perform(&session, &plan)?;
    if args.json {
        let mut json = summary::json_of(&ended);
        (json["model"], json["activation"]) = (json!(model), json!(activation));
        print_json(&told(json))?;
    } else {
        print(&summary::lines(&format!("{model} {}", settings.activation.name()), &args.out, &ended))?;
    }
    check_finite(&ended)
}
