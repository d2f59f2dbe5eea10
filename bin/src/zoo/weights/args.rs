//! Command-line arguments of `zoo weights`.

use clap::{Args, Subcommand};

use crate::zoo::args::UnusedMachineArgs;

/// Examples in the help of the command.
pub const EXAMPLES: &str = "  zoo weights list --model resnet50_v1_5\n  zoo weights fetch timm --model vgg16\n  \
                            zoo weights path hf:timm/resnet50.a1_in1k\n  zoo weights verify vgg16-397923af.pth";

/// Command-line arguments of `zoo weights`.
#[derive(Args, Clone, Debug)]
#[command(arg_required_else_help = true)]
pub struct WeightsArgs {
    #[command(flatten)]
    pub machine: UnusedMachineArgs,
    /// The command to run
    #[command(subcommand)]
    pub command: WeightsCommand,
}

/// The commands on published files.
#[derive(Clone, Debug, Subcommand)]
pub enum WeightsCommand {
    /// List the published files: size, license, accuracy, hash
    List(ListArgs),
    /// Print where a published file is on this machine
    Path(NamedArgs),
    /// Fetch a published file if it is not on this machine, and print where it is
    Fetch(NamedArgs),
    /// Compare published files on this machine with the hashes that their publishers state
    Verify(VerifyArgs),
}

/// Command-line arguments of `zoo weights list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// List the files of this model alone
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

/// Published weights by name.
#[derive(Args, Clone, Debug)]
pub struct NamedArgs {
    /// torchvision, timm, keras, idelbayev or chen with --model, hf:OWNER/REPO, or the name of a file
    #[arg(value_name = "WEIGHTS")]
    pub name: String,
    /// Model of a publisher's weights
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Number of classes, where a publisher has weights for several
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Fetch nothing: the file has to be on this machine
    #[arg(long)]
    pub offline: bool,
}

/// Command-line arguments of `zoo weights verify`.
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// Names of weights as for `path`, or paths [default: all that are on this machine]
    #[arg(value_name = "WEIGHTS")]
    pub names: Vec<String>,
    /// Model of a publisher's weights
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Number of classes, where a publisher has weights for several
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
}
