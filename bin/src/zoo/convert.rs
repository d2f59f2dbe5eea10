//! `zoo convert`: rewriting a file of weights for another source.

use pvlu_zoo::checkpoint::{Notes, Wanted, write_model};
use pvlu_zoo::labels;

use super::args::ConvertArgs;
use super::prepare::{files_read, open};
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::output::{note, print};
use crate::common::preprocessing::{choice, preprocessing};

/// Reads a file of weights of any source and writes it under the names of another.
pub fn run(args: &ConvertArgs) -> Result<(), CliError> {
    let (source, allow_non_finite, average) = (args.source, args.allow_non_finite, args.ema);
    let wanted = Wanted { model: args.model.as_deref(), source, allow_non_finite, average, ..Wanted::default() };
    let target = Target::new(&args.output, &files_read(&args.input, average), args.force)?;
    let mut opened = open(&args.input, &wanted)?;
    args.published.settle(&mut opened);
    let labels = labels::usual(opened.model.classes());
    let preprocessing = preprocessing(&opened, labels, &args.input)?.to_string();
    target.write(|path| {
        let (model, to) = (opened.model.as_ref(), args.to);
        let notes = Notes { preprocessing: Some(&preprocessing), ..opened.description.notes() };
        Ok(write_model(model, opened.entry, path, to, &notes)?)
    })?;
    choice(&opened, labels, &args.input).iter().for_each(|line| note(line));
    print(&format!("{}: {}; written to {}", opened.entry.name, opened.report, args.output.display()))
}
