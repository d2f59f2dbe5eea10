//! `zoo export`: a model in the format of another program.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pvlu_zoo::checkpoint::Notes;
use pvlu_zoo::export::{ExportError, Pair, keras, onnx, torch};
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::text;

use super::args::{ModelArgs, UnusedMachineArgs};
use super::classes;
use super::targets::Target;
use crate::common::error::CliError;
use crate::common::named::environment;
use crate::common::output::{note, print, write_in_folder};
use crate::common::preprocessing::{choice, preprocessing};

/// Examples in the help of the command.
pub const EXAMPLES: &str = "  zoo export --format onnx --weights tuned.safetensors --out tuned.onnx\n  \
                            zoo export --format onnx --weights resnet50v2.h5 --fold-batch-norm \\\n      \
                            --activation pvlu --out resnet50v2.onnx\n  \
                            zoo export --format keras --weights tuned.safetensors --out tuned.py\n  \
                            zoo export --format torch --weights vgg16-397923af.pth --activation pvlu --out vgg16.py";

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ONNX, for onnxruntime, OpenVINO and others: input `input`, output `logits`, a batch of any size
    Onnx,
    /// Keras 3: NAME.weights.h5 for a model of keras.applications with ReLU, NAME.py with its weights beside for any
    Keras,
    /// torch: a program, NAME.py, that builds the model and checks itself, with NAME.safetensors beside it
    Torch,
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
    let source = args.model.prepared(&environment)?;
    let weights = source.path.as_path();
    let read = source.files();
    let target = Target::new(&args.out, &read, args.force)?;
    let beside = match args.format {
        Format::Onnx => Vec::new(),
        Format::Keras => keras::files(&args.out).split_off(1),
        Format::Torch => vec![torch::weights_of(&args.out)],
    };
    beside.iter().try_for_each(|path| Target::new(path, &read, args.force).map(drop))?;
    if args.fold_batch_norm && args.format != Format::Onnx {
        return Err(CliError::Usage("--fold-batch-norm is for --format onnx".to_owned()));
    }
    let opened = source.open(args.image.map(|side| (side, side)), None)?;
    let usual = LabelSet::usual(opened.model.classes());
    let names = classes::names(&opened, weights)?;
    let preprocessing = preprocessing(&opened, usual, weights)?
        .with_input(opened.model.image())
        .map_err(|error| CliError::Usage(format!("{}: {error}", text::path(weights))))?
        .to_string();
    let mut notes = Notes {
        preprocessing: Some(&preprocessing),
        labels: (!names.is_empty()).then_some(&names),
        ..opened.description.notes()
    };
    if source.activation.is_some() && opened.model.activation() != opened.description.activation.as_deref() {
        // Another activation makes another network, of which no tuning is on record.
        (notes.tuning, notes.frozen) = (None, None);
    }
    let model = opened.model.as_ref();
    match args.format {
        Format::Onnx => {
            let options = onnx::Options { fold_batch_norm: args.fold_batch_norm };
            target.write_file(|path| Ok(onnx::write(model, opened.entry.name, path, &notes, &options)?))?;
        }
        Format::Keras => {
            let (name, names) = (opened.entry.name, opened.entry.names(model.image()));
            let commit = if args.force { keras::Files::commit } else { keras::Files::commit_new };
            let write = || commit(keras::write(model, name, &names, &args.out, &notes)?).map_err(taken);
            write_in_folder(&args.out, write)?;
        }
        Format::Torch => {
            let (entry, source) = (opened.entry, opened.report.source);
            let commit = if args.force { Pair::commit } else { Pair::commit_new };
            let write = || commit(torch::write(model, entry, source, &args.out, &notes)?).map_err(taken);
            write_in_folder(&args.out, write)?;
        }
    }
    if opened.description.labels.is_none() && !names.is_empty() {
        note("note: the file does not name its classes: written are the names of the usual set of as many");
    }
    choice(&opened, usual, weights).iter().for_each(|line| note(line));
    let written: Vec<String> =
        std::iter::once(&args.out).chain(&beside).map(|path| path.display().to_string()).collect();
    print(&format!("{}: {}; written to {}", opened.entry.name, opened.report, written.join(" and ")))
}

/// The error of a file whose name was taken after the command began.
fn taken(error: ExportError) -> CliError {
    match error {
        ExportError::Io { path, source } if source.kind() == ErrorKind::AlreadyExists => CliError::Taken { path },
        error => error.into(),
    }
}
