//! Tunings that are kept in a folder, one for each seed.

use std::path::Path;
use std::time::Duration;

use pvlu_zoo::text;
use serde_json::json;

use super::of_seed::OfSeed;
use super::prepared::{Files, Prepared};
use super::pretrained::Pretrained;
use crate::common::device;
use crate::common::digest;
use crate::common::error::CliError;
use crate::common::images::Images;
use crate::common::output::{print, print_json};
use crate::common::precision::told;
use crate::common::progress::Progress;
use crate::common::repeated::refuse_repeated;
use crate::zoo::args::{FinetuneArgs, LogName};
use crate::zoo::course::Course;
use crate::zoo::seeds::config::Config;
use crate::zoo::seeds::epochs::{Ended, Epoch, PhaseName};
use crate::zoo::seeds::folder::{Earlier, Folder, Stage};
use crate::zoo::seeds::keeper::Keeping;
use crate::zoo::seeds::{Request, Trainings, check_finite, summary};
use crate::zoo::settings::Settings;
use crate::zoo::targets::Target;
use crate::zoo::tune::Session;

/// Tunes a model with each seed, keeps the tunings in a folder, and writes the network that counts to the target.
/// `prepare` looks at everything that they need.
pub fn run<'a>(
    (args, out): (&FinetuneArgs, &Path),
    pretrained: &Pretrained<'_>,
    target: Option<&Target<'_>>,
    progress: &Progress,
    prepare: impl FnOnce() -> Result<Prepared<'a>, CliError>,
) -> Result<(), CliError> {
    let settings = pretrained.settings;
    if !settings.trains() {
        return Err(CliError::Usage("--runs: nothing is trained that it would keep: leave it out".to_owned()));
    }
    let seeds = if args.seeds.is_empty() { vec![args.seed] } else { args.seeds.clone() };
    refuse_repeated("--seeds", &seeds)?;
    refuse_read(out, &seeds, pretrained)?;
    let logs_events = args.kept.log == Some(LogName::Tensorboard);
    let request = Request {
        out,
        option: "--runs",
        seeds: &seeds,
        resume: args.kept.resume,
        fresh: args.kept.fresh,
        logs_events,
        progress,
    };
    let Prepared { model, session, files, classes, naming } = prepare().map_err(|error| match error {
        // What an earlier command left is as it was.
        CliError::Stopped if args.kept.resume => request.interrupted(),
        error => error,
    })?;
    let before = model.activation().map(str::to_owned);
    let swaps = settings.activation.filter(|to| Some(to.text()) != before.as_deref());
    if let Some(to) = swaps.filter(|_| !settings.tunes()) {
        return Err(CliError::Usage(format!(
            "--runs: nothing is trained after {} is swapped in: name parts in --train, or leave out --runs",
            to.text()
        )));
    }
    let activation = swaps.map(|to| to.text().to_owned()).or(before.clone());
    let [train, held_out, test] = session.images.counts();
    let images = &session.images;
    let facts = vec![
        ("model", session.name.to_owned()),
        ("weights sha256", digest::of_files(&pretrained.file.files())?),
        ("weights", if pretrained.file.average { "their moving average" } else { "as they are" }.to_owned()),
        ("names of tensors", naming.to_string()),
        ("activation before", named(before.as_deref()).to_owned()),
        ("activation", named(activation.as_deref()).to_owned()),
        ("classes", model.classes().to_string()),
        ("data", pretrained.data.dataset.name().to_owned()),
        ("data sha256", Images::hash(&[&images.train, &images.held_out, &images.test])?),
        ("preprocessing", session.preprocessing.to_string()),
        ("training images", train.to_string()),
        ("held-out images", held_out.to_string()),
        ("test images", test.to_string()),
        // The CPU and CUDA round differently.
        ("device", device::kind().to_owned()),
    ];
    // It is opened again for each seed.
    drop(model);
    let name = format!("{} {}", session.name, named(activation.as_deref()));
    let keeping = Keeping { every: Duration::from_secs(args.kept.checkpoint_every()), logs_events, progress };
    let tunings = Tunings { pretrained, session: &session, files: &files, classes: &classes, facts, name, keeping };
    let plan = format!("{}, tuned on {train} images, {held_out} held out, {test} to measure with", tunings.name);
    let ended = request.perform(&tunings, &plan)?;
    let mut finite = check_finite(&ended);
    if let (Some(target), [(seed, ended)]) = (target, &ended[..]) {
        let folder = Folder::of(out, *seed);
        match finite {
            Err(error) => finite = Err(left(error, (ended, &folder), (target, settings), progress)),
            Ok(()) => target.copy(&if ended.counts_last() { folder.last() } else { folder.best() })?,
        }
    }
    if args.json {
        let mut json = summary::json_of(&ended);
        let said = [
            ("model", json!(session.name)),
            ("activation", json!(activation)),
            ("epochs", json!(settings.epochs)),
            ("head_epochs", json!(settings.head_epochs)),
            ("train_images", json!(train)),
            ("held_out_images", json!(held_out)),
            ("test_images", json!(test)),
        ];
        said.into_iter().for_each(|(key, value)| json[key] = value);
        print_json(&told(json))?;
    } else {
        print(&summary::lines(&tunings.name, out, &ended))?;
    }
    finite
}

/// Copies the best network of a tuning that diverged to the target, and returns the error that ended the tuning, with
/// the place of the network.
fn left(
    error: CliError,
    (ended, folder): (&Ended, &Folder),
    (target, settings): (&Target<'_>, &Settings),
    progress: &Progress,
) -> CliError {
    let best = folder.best();
    let Some(Epoch { phase, record }) = ended.chosen().filter(|_| best.exists()) else { return error };
    let (name, epochs) = match phase {
        PhaseName::Head => ("head", settings.head_epochs),
        PhaseName::Whole | PhaseName::Tune => ("tune", settings.epochs),
    };
    let why = match record.validation.images {
        0 => format!(" (training loss {:.4})", record.train_loss),
        _ => format!(", the best by held-out images ({:.4})", record.validation.top1),
    };
    let what = format!("the network after epoch {} of {epochs} of phase {name}{why}", record.epoch);
    let path = match target.copy(&best) {
        Ok(()) => target.path().to_owned(),
        Err(failure) => {
            progress.say(&format!("warning: {failure}"));
            best
        }
    };
    CliError::Kept { source: Box::new(error), what, path }
}

/// The name of an activation, or that there is none.
fn named(activation: Option<&str>) -> &str {
    activation.unwrap_or("without activation")
}

/// Refuses weights that lie in the folder of a seed, where they would be replaced.
fn refuse_read(out: &Path, seeds: &[u64], pretrained: &Pretrained<'_>) -> Result<(), CliError> {
    for seed in seeds {
        let folder = Folder::of(out, *seed);
        let Ok(written) = folder.path().canonicalize() else { continue };
        let is_within = |file: &&std::path::PathBuf| file.canonicalize().is_ok_and(|file| file.starts_with(&written));
        if let Some(file) = pretrained.file.files().iter().find(is_within) {
            let (file, folder) = (text::path(file), text::path(folder.path()));
            let message = format!("{file}: is read, and lies in {folder}, which is written: choose another --runs");
            return Err(CliError::Usage(message));
        }
    }
    Ok(())
}

/// Everything that the tunings of all seeds share.
struct Tunings<'a> {
    pretrained: &'a Pretrained<'a>,
    /// The settings and images of the tuning with one of the seeds.
    session: &'a Session<'a>,
    files: &'a Files,
    /// Names of the classes of the set.
    classes: &'a [String],
    /// The part of the configuration that is no setting.
    facts: Vec<(&'static str, String)>,
    /// Names of the model and its activation, for people.
    name: String,
    keeping: Keeping<'a>,
}

impl Trainings for Tunings<'_> {
    fn config(&self, seed: u64) -> Config {
        let settings = self.session.settings.with_seed(seed).texts(self.session.preprocessing);
        Config::of(settings.into_iter().chain(self.facts.iter().cloned()))
    }

    fn perform(
        &self,
        (seed, config, folder): (u64, &Config, &Folder),
        earlier: &Earlier,
    ) -> Result<Option<Ended>, CliError> {
        let begun = match earlier {
            Earlier::Begun(begun) => Some(begun.as_ref()),
            _ => None,
        };
        let is_of_tuning = |stage: &Stage| match stage.phase {
            PhaseName::Whole => false,
            PhaseName::Head => true,
            PhaseName::Tune => stage.before.is_some(),
        };
        if begun.is_some_and(|begun| !is_of_tuning(&begun.stage)) {
            let what = "expected the phase of a tuning".to_owned();
            return Err(CliError::Damaged { path: folder.checkpoint(), what });
        }
        let settings = self.session.settings.with_seed(seed);
        let session = Session { settings: settings.clone(), ..self.session.clone() };
        let model = Pretrained { settings: &settings, ..*self.pretrained }.open(self.classes)?.model;
        let course = Course::new(&settings, &self.files.said, model.as_ref(), session.images.counts());
        let (title, files, keeping) = (format!("{} seed {seed}", self.name), self.files, self.keeping);
        OfSeed { session, files, keeping, config, folder, title, course }.perform(model, begun)
    }
}
