//! `zoo export`: a model in the format of another program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pvlu_zoo::checkpoint::Notes;
use pvlu_zoo::export::onnx;
use pvlu_zoo::{labels, text};

use super::args::{ModelArgs, UnusedMachineArgs};
use super::classes;
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::output::{note, print};
use crate::common::preprocessing::{choice, preprocessing};

/// Examples in the help of the command.
pub const EXAMPLES: &str = "  zoo export --format onnx --weights tuned.safetensors --out tuned.onnx\n  \
                            zoo export --format onnx --weights resnet50v2.h5 --fold-batch-norm \\\n      \
                            --activation pvlu --out resnet50v2.onnx";

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ONNX, for onnxruntime, OpenVINO and others: input `input`, output `logits`, a batch of any size
    Onnx,
}

/// Command-line arguments of `zoo export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    pub machine: UnusedMachineArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Format of the file
    #[arg(long, value_enum)]
    pub format: Format,
    /// File that is to be written
    #[arg(long, value_name = "FILE", alias = "output")]
    pub out: PathBuf,
    /// Height and width of the images that it takes [default: the file's, else the original's]
    #[arg(long, value_name = "PIXELS")]
    pub image: Option<usize>,
    /// Fold batch norms into the convolutions before them
    #[arg(long)]
    pub fold_batch_norm: bool,
    /// Replace the output if it is there
    #[arg(long)]
    pub force: bool,
}

/// Opens the model, and writes it in the format that was asked for.
pub fn run(args: &ExportArgs) -> Result<(), CliError> {
    let weights = args.model.weights.as_path();
    let target = Target::new(&args.out, &[weights], args.force)?;
    let opened = args.model.open(args.image.map(|side| (side, side)), None)?;
    let usual = labels::usual(opened.model.classes());
    let names = classes::names(&opened, weights)?;
    let preprocessing = preprocessing(&opened, usual, weights)?
        .with_input(opened.model.image())
        .map_err(|error| CliError::Usage(format!("{}: {error}", text::path(weights))))?
        .to_string();
    let notes = Notes {
        preprocessing: Some(&preprocessing),
        labels: (!names.is_empty()).then_some(&names),
        trained_on: opened.description.trained_on.as_deref(),
    };
    let model = opened.model.as_ref();
    match args.format {
        Format::Onnx => {
            let options = onnx::Options { fold_batch_norm: args.fold_batch_norm };
            target.write_file(|path| Ok(onnx::write(model, opened.entry.name, path, &notes, &options)?))?;
        }
    }
    if opened.description.labels.is_none() && !names.is_empty() {
        note("note: the file does not name its classes: written are the names of the usual set of as many");
    }
    choice(&opened, usual, weights).iter().for_each(|line| note(line));
    print(&format!("{}: {}; written to {}", opened.entry.name, opened.report, args.out.display()))
}
