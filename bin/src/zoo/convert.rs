//! `zoo convert`: rewriting a file of weights for another source.

use pvlu_zoo::checkpoint::{Notes, write_model};
use pvlu_zoo::labels::LabelSet;

use super::args::ConvertArgs;
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::named::environment;
use crate::common::output::{note, print};
use crate::common::preprocessing::{choice, preprocessing};

/// Reads a file of weights of any source and writes it under the names of another.
pub fn run(args: &ConvertArgs) -> Result<(), CliError> {
    let source = args.prepared(&environment)?;
    let target = Target::new(&args.output, &source.files(), args.force)?;
    let opened = source.open_on_cpu(None, None)?;
    let labels = LabelSet::usual(opened.model.classes());
    let preprocessing = preprocessing(&opened, labels, &source.path)?.to_string();
    target.write(|path| {
        let (model, to) = (opened.model.as_ref(), args.to);
        let notes = Notes { preprocessing: Some(&preprocessing), ..opened.description.notes() };
        Ok(write_model(model, opened.entry, path, to, &notes)?)
    })?;
    choice(&opened, labels, &source.path).iter().for_each(|line| note(line));
    print(&format!("{}: {}; written to {}", opened.entry.name, opened.report, args.output.display()))
}
