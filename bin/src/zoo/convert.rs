//! `zoo convert`.

use pvlu_zoo::checkpoint::{Wanted, open, save_tuned};
use pvlu_zoo::labels;
use pvlu_zoo::weights::Source;

use super::args::ConvertArgs;
use super::prepare::preprocessing;
use crate::error::CliError;
use crate::output::{print, write_in_folder, write_probe};

/// Reads a file of weights of any source and writes it under the names of another.
pub fn run(args: &ConvertArgs) -> Result<(), CliError> {
    let wanted = Wanted { model: args.model.as_deref(), source: args.source.map(Source::from), ..Wanted::default() };
    write_probe(&args.output)?;
    let opened = open(&args.input, &wanted)?;
    let preprocessing = preprocessing(&opened, labels::usual(opened.model.classes()), &args.input)?.to_string();
    let names = opened.description.labels.as_deref();
    write_in_folder(&args.output, || {
        let (model, to) = (opened.model.as_ref(), args.to.into());
        let trained_on = opened.description.trained_on.as_deref();
        Ok(save_tuned(model, opened.entry, &args.output, to, Some(&preprocessing), names, trained_on)?)
    })?;
    print(&format!("{}: {}; written to {}", opened.entry.name, opened.report, args.output.display()))
}
