//! `zoo finetune`: tuning a pretrained model to a data set.

mod alone;
mod kept;
mod of_seed;
mod prepared;
mod pretrained;

use std::path::{Component, Path, PathBuf};

use pvlu_zoo::atomic;
use pvlu_zoo::text;
use pvlu_zoo::transfer::FreezePolicy;

use self::prepared::Prepared;
use self::pretrained::Pretrained;
use super::args::FinetuneArgs;
use super::data::Data;
use super::settings::Settings;
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::named::environment;
use crate::common::progress::Progress;

/// Tunes a model: once without a folder, or once for each seed where the tunings are kept in one.
pub fn run(args: &FinetuneArgs) -> Result<(), CliError> {
    let of_runs = args.kept.first().or((!args.seeds.is_empty()).then_some("--seeds"));
    if let Some(option) = of_runs.filter(|_| args.runs.is_none()) {
        return Err(CliError::Usage(format!("{option}: needs the folder of --runs, as in --runs tuned")));
    }
    if let (Some(out), Some(runs)) = (&args.out, &args.runs)
        && place(out).starts_with(place(runs))
    {
        let (out, runs) = (text::path(out), text::path(runs));
        return Err(CliError::Usage(format!(
            "--out: {out} lies in {runs}, the folder of --runs: name a file beside it"
        )));
    }
    let (settings, data) = (Settings::of(args)?, Data::of(&args.data)?);
    let file = args.model.prepared(&environment)?;
    let target = args.out.as_deref().map(|out| Target::new(out, &file.files(), args.force)).transpose()?;
    let set = data.open_to_tune()?;
    target.as_ref().map_or(Ok(()), |target| target.refuse(set.files()))?;
    let pretrained = Pretrained { file: &file, data: &data, settings: &settings };
    let progress = Progress::new(args.quiet);
    if settings.head_rate != 1.0 && settings.policy == FreezePolicy::HEAD {
        progress.note("note: --head-rate: the head is trained alone, by --learning-rate itself");
    }
    let prepare = || Prepared::of(args, &pretrained, set, &progress);
    match &args.runs {
        None => alone::run(prepare()?, &pretrained, target.as_ref(), args.json),
        Some(out) => kept::run((args, out), &pretrained, target.as_ref(), &progress, prepare),
    }
}

/// The place that a path leads to, by its links and without steps to folders above. The part of it that is not there
/// yet is taken as it is written.
fn place(path: &Path) -> PathBuf {
    let path = atomic::destination(path).ok().flatten().unwrap_or_else(|| path.to_owned());
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let whole = std::path::absolute(&path).unwrap_or(path);
    let mut place = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                place.pop();
            }
            component => place.push(component),
        }
        if let Ok(found) = place.canonicalize() {
            place = found;
        }
    }
    place
}
