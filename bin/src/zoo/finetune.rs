//! `zoo finetune`: tuning a pretrained model to a data set.

mod alone;
mod kept;
mod of_seed;
mod prepared;
mod pretrained;

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
    if args.out.is_some() && args.out == args.runs {
        return Err(CliError::Usage("--out: is the folder of --runs: name a file beside it".to_owned()));
    }
    let (settings, data) = (Settings::of(args)?, Data::of(&args.data)?);
    let file = args.model.prepared(&environment)?;
    let target = args.out.as_deref().map(|out| Target::new(out, &file.files(), args.force)).transpose()?;
    let set = data.open_to_tune()?;
    target.as_ref().map_or(Ok(()), |target| target.refuse(set.files()))?;
    let pretrained = Pretrained { file: &file, data: &data, settings: &settings };
    let progress = Progress::new(args.quiet);
    let prepare = || Prepared::of(args, &pretrained, set, &progress);
    match &args.runs {
        None => alone::run(prepare()?, &pretrained, target.as_ref(), args.json),
        Some(out) => kept::run((args, out), &pretrained, target.as_ref(), &progress, prepare),
    }
}
