//! Command-line arguments of `zoo info`.

use std::path::PathBuf;

use clap::Args;
use pvlu_zoo::published::{Name, Variables};
use pvlu_zoo::registry;

use crate::common::error::CliError;
use crate::common::named::{locate, note_file};
use crate::zoo::args::UnusedMachineArgs;

/// Examples in the help of the command.
pub const EXAMPLES: &str = "  zoo info resnet50\n  zoo info vgg16 --activation pvlu --image 32 --classes 5 --json\n  \
                            zoo info tuned.safetensors --csv learned.csv --plot learned.svg\n  \
                            zoo info torchvision --model vgg16";

/// Command-line arguments of `zoo info`.
#[derive(Args, Clone, Debug)]
pub struct InfoArgs {
    #[command(flatten)]
    pub machine: UnusedMachineArgs,
    /// Name of a model, a file of weights, or published weights by a name that `zoo weights path` takes; a file with
    /// the name of a model is ./NAME
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
    /// Fetch nothing: published weights have to be on this machine
    #[arg(long, help_heading = "File")]
    pub offline: bool,
    /// Print the description as JSON
    #[arg(long)]
    pub json: bool,
}

impl InfoArgs {
    /// The same with the path of a file where the user named published weights.
    pub fn located(&self, variables: Variables<'_>) -> Result<Self, CliError> {
        if self.subject.to_str().is_some_and(|subject| registry::find(subject).is_ok()) {
            return Ok(self.clone());
        }
        let mut model = self.model.clone();
        let subject = locate(&self.subject, &mut model, self.classes, self.offline, variables)?;
        note_file(&self.subject, &subject);
        // They told which of a publisher's files is meant; the file says its own.
        let name = self.subject.to_str().and_then(|subject| Name::parse(subject).ok().flatten());
        let told = subject != self.subject && matches!(name, Some(Name::Publisher(_)));
        let classes = self.classes.filter(|_| !told);
        Ok(Self { subject, model, classes, ..self.clone() })
    }
}
