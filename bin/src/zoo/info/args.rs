//! Command-line arguments of `zoo info`.

use std::path::PathBuf;

use clap::Args;

use crate::zoo::args::UnusedMachineArgs;

/// Examples in the help of the command.
pub const EXAMPLES: &str = "  zoo info resnet50\n  zoo info vgg16 --activation pvlu --image 32 --classes 5 --json\n  \
                            zoo info tuned.safetensors --csv learned.csv --plot learned.svg";

/// Command-line arguments of `zoo info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    #[command(flatten)]
    pub machine: UnusedMachineArgs,
    /// Name of a model, or a file of weights; a file with the name of a model is ./NAME
    #[arg(value_name = "MODEL|FILE")]
    pub subject: PathBuf,
    /// Activation of the model [default: relu]
    #[arg(long, value_name = "ACTIVATION", help_heading = "Model")]
    pub activation: Option<String>,
    /// Number of classes [default: the original's]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub classes: Option<usize>,
    /// Height and width of the images [default: the original's]
    #[arg(long, value_name = "PIXELS", help_heading = "Model")]
    pub image: Option<usize>,
    /// The model of the file [default: the one that the file is of]
    #[arg(long, value_name = "NAME", help_heading = "File")]
    pub model: Option<String>,
    /// CSV file for what the activations of the file learned, a row for each parameter of a layer
    #[arg(long, value_name = "OUT", help_heading = "File")]
    pub csv: Option<PathBuf>,
    /// Figure of what the activations of the file learned, .svg or .png
    #[arg(long, value_name = "OUT", help_heading = "File")]
    pub plot: Option<PathBuf>,
    /// Replace the outputs if they are there
    #[arg(long, help_heading = "File")]
    pub force: bool,
    /// Print the description as JSON
    #[arg(long)]
    pub json: bool,
}
