//! The options of tables and figures.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Arg, Args};
use pvlu::Precision;
use pvlu_zoo::device::Device;

use super::parsers::{Listed, Planned, listed, planned, positive, share, shown, swept};
use crate::common::precision;
use crate::common::shards;
use crate::common::threads::MAX_THREADS;
use crate::reproduce::protocol::limits::{self, MAX_EPOCHS};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::sweep::Tried;

/// The most pixels of a shift or a square accepted.
const MAX_PIXELS: i64 = limits::MAX_PIXELS as i64;

/// Options of every table.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// Folder of CIFAR, its parent, or its archive [default: $PVLU_ZOO_DATA, else ./data, else the built-in procedural
    /// images]
    #[arg(long, help_heading = "Data", value_name = "PATH")]
    pub data: Option<PathBuf>,

    /// Amount of work [default: paper on CIFAR images, quick on the procedural ones]
    #[arg(long, help_heading = "Runs", value_enum)]
    pub preset: Option<Preset>,

    /// Seeds, one run each
    #[arg(long, help_heading = "Runs", value_name = "SEED,...", value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,

    /// Use only the first N training images, in file order; the last of each class are held out of them
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_train: Option<NonZeroUsize>,

    /// Use only the first N test images, in file order
    #[arg(long, help_heading = "Data", value_name = "N")]
    pub limit_test: Option<NonZeroUsize>,

    /// Images in a training step
    #[arg(long, help_heading = "Training", value_name = "N")]
    pub batch_size: Option<NonZeroUsize>,

    /// Passes over the training images; in tables 3 to 6 of each arm
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS)
    )]
    pub epochs: Option<u64>,

    /// Adam's learning rate; in tables 3 to 6 at the start of each arm
    #[arg(long, help_heading = "Training", value_name = "RATE", value_parser = positive)]
    pub learning_rate: Option<f64>,

    /// Share of the training images of each class that is held out and picks the epoch [default: 0.1]
    #[arg(long, help_heading = "Data", value_name = "SHARE", value_parser = share)]
    pub held_out: Option<f64>,

    /// Pixels of a 32x32 image by which images are shifted at most, in tables 2, 5 and 6 [default: 3 in table 2, else
    /// 4]
    #[arg(long, help_heading = "Data", value_name = "N", value_parser = clap::value_parser!(u16).range(0..MAX_PIXELS))]
    pub shift: Option<u16>,

    /// Try these values with every arm first, by seeds that its runs do not use: each network and arm gets the one that
    /// is best on held-out images. With several uses all combinations are tried
    #[arg(long, help_heading = "Training", value_name = "KEY=VALUE,...", value_parser = swept)]
    pub sweep: Vec<Tried>,

    /// Seeds of the trials of a sweep [default: 1000]
    #[arg(long, help_heading = "Training", value_name = "SEED,...", value_delimiter = ',')]
    pub sweep_seeds: Option<Vec<u64>>,

    /// Do these runs alone, by their addresses: see `reproduce plan`
    #[arg(long, help_heading = "Runs", value_name = "RUN,...", value_delimiter = ',')]
    pub only: Option<Vec<String>>,

    /// Refuse runs of other settings in the output folder, which otherwise are moved to its folder `aside`. Those of
    /// the same settings count if they are finished, and go on if not, with and without it
    #[arg(long, help_heading = "Runs", conflicts_with = "fresh")]
    pub resume: bool,

    /// Do all runs anew: what the output folder has of them is moved to its folder `aside`
    #[arg(long, help_heading = "Runs")]
    pub fresh: bool,

    /// Seconds between two checkpoints of a run; one is written at Ctrl-C in any case
    #[arg(long, help_heading = "Runs", value_name = "SECONDS", default_value_t = 60)]
    pub checkpoint_every: u64,

    /// Save the network of each run in the folder `weights` of the output folder
    #[arg(long, help_heading = "Output")]
    pub save_weights: bool,

    /// Print what would be run, with its steps and an estimate of the time, and do nothing
    #[arg(long, help_heading = "Runs")]
    pub dry_run: bool,

    /// Worker threads; results do not depend on it [default: all cores]
    #[arg(
        long,
        help_heading = "Machine",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS)
    )]
    pub threads: Option<u16>,

    /// Device to compute on: cpu, cuda or cuda:N
    #[arg(long, help_heading = "Machine", default_value_t, value_name = "DEVICE")]
    pub device: Device,

    /// Precision of the factors of convolutions and linear layers; reduced ones on the CPU alone
    #[arg(
        long,
        help_heading = "Machine",
        value_name = "NAME",
        value_parser = precision::parser(),
        default_value = Precision::F32.name()
    )]
    pub precision: Precision,

    /// Shards that a batch is cut into; results depend on their number, and not on that of threads
    #[arg(long, help_heading = "Machine", value_name = "N", value_parser = shards::parser(), default_value = "1")]
    pub shards: usize,

    /// Folder for the tables, and for runs under way
    #[arg(long, help_heading = "Output", value_name = "DIR", default_value = "results")]
    pub out: PathBuf,

    /// No progress and no notes on stderr, only errors and where files of earlier runs were moved
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
}

/// Options of a table of networks trained from scratch.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// Options of every table.
    #[command(flatten)]
    pub common: CommonArgs,

    /// Activations, one run each and seed [default: those of the table]
    #[arg(long, help_heading = "Runs", value_name = "ACTIVATION,...", value_parser = listed)]
    pub activations: Option<Vec<Listed>>,
}

/// Options of a table of pretrained networks.
#[derive(Args, Clone, Debug)]
pub struct TuningArgs {
    /// Options of every table.
    #[command(flatten)]
    pub common: CommonArgs,

    /// Models, as `zoo list` names them [default: the paper's; under the quick preset smaller ones]
    #[arg(long, help_heading = "Runs", value_name = "NAME,...", value_delimiter = ',')]
    pub models: Option<Vec<String>>,

    /// Arms of the comparison, one run each, model and seed: those of the table, or any activation [default: those of
    /// the table]
    #[arg(long, help_heading = "Runs", value_name = "ARM,...", value_parser = listed)]
    pub arms: Option<Vec<Listed>>,

    /// Folder with pretrained weights under their usual names, one file of them, or published weights by a name that
    /// `zoo weights path` takes [default: under the quick preset the networks are trained on the procedural images
    /// first]
    #[arg(long, help_heading = "Runs", value_name = "PATH")]
    pub weights: Option<PathBuf>,

    /// Fetch nothing: published weights have to be on this machine
    #[arg(long, help_heading = "Runs")]
    pub offline: bool,

    /// Passes over the training images with ReLU, before the arms part
    #[arg(
        long,
        help_heading = "Training",
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=MAX_EPOCHS)
    )]
    pub first_epochs: Option<u64>,

    /// Adam's learning rate at the start of the phase with ReLU
    #[arg(long, help_heading = "Training", value_name = "RATE", value_parser = positive)]
    pub first_learning_rate: Option<f64>,

    /// Side, in pixels of a 32x32 image, of the square that tables 5 and 6 cut out; 0 for none [default: 16 in table 5,
    /// 8 in table 6]
    #[arg(long, help_heading = "Data", value_name = "N", value_parser = clap::value_parser!(u16).range(0..=MAX_PIXELS))]
    pub cutout: Option<u16>,

    /// Standard deviation of the Gaussian filter of table 4, in pixels [default: 1]
    #[arg(long, help_heading = "Data", value_name = "PIXELS", value_parser = positive)]
    pub filter_sigma: Option<f64>,

    /// Pixels to either side of the middle that the filter of table 4 reaches [default: 4]
    #[arg(long, help_heading = "Data", value_name = "N", value_parser = clap::value_parser!(u16).range(0..=MAX_PIXELS))]
    pub filter_radius: Option<u16>,
}

/// Options of all tables.
#[derive(Args, Clone, Debug)]
pub struct AllArgs {
    /// Options of tables 3 to 6, and of every table.
    #[command(flatten)]
    pub tuning: TuningArgs,

    /// Activations of tables 1 and 2, one run each and seed [default: those of the table]
    #[arg(long, help_heading = "Runs", value_name = "ACTIVATION,...", value_parser = listed)]
    pub activations: Option<Vec<Listed>>,
}

/// Options of the plan.
#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// Tables whose runs to list, or protocols in files whose names end in .toml [default: all tables]
    #[arg(value_name = "TABLE|FILE", value_parser = planned())]
    pub tables: Vec<Planned>,

    /// Print JSON: addresses, steps and hashes of configurations
    #[arg(long)]
    pub json: bool,

    /// Options that decide which runs there are.
    #[command(flatten)]
    pub all: AllArgs,
}

/// The protocol to be printed.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Table or other protocol to print
    #[arg(value_name = "NAME", value_parser = shown())]
    pub text: &'static str,
}

/// Options of a protocol in a file.
#[derive(Args, Clone, Debug)]
#[command(mut_args(of_protocol))]
pub struct RunArgs {
    /// Protocol in TOML: see `reproduce show table1`
    #[arg(value_name = "FILE")]
    pub protocol: PathBuf,

    /// Options that replace values of the protocol; those on weights and on a first phase are for pretrained networks.
    #[command(flatten)]
    pub options: TuningArgs,
}

/// Options of a merge.
#[derive(Args, Clone, Debug)]
pub struct MergeArgs {
    /// Output folders of commands whose runs belong together
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,

    /// Folder for the tables
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,

    /// Put together what there is, though planned runs are missing
    #[arg(long)]
    pub partial: bool,
}

/// Options of a figure.
#[derive(Args, Clone, Debug)]
pub struct FigureArgs {
    /// Folder with the CSV files that it is drawn from; those of figures 1 and 4 are made there if they are missing
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub from: PathBuf,

    /// Folder for the SVG and the PNG file [default: the same]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Folder or archive of CIFAR, for figure 4 [default: $PVLU_ZOO_DATA, else ./data, else procedural images]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
}

/// Options of the report.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Folder with the CSV files of the tables
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub from: PathBuf,

    /// Folder for the page, the Markdown file and the figures [default: the same]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// An option with a help that speaks of a protocol and not of the paper's tables.
fn of_protocol(arg: Arg) -> Arg {
    let help = match arg.get_id().as_str() {
        "data" => "Path of the images [default: that of the protocol, else $PVLU_ZOO_DATA, else ./data]",
        "preset" => {
            "Amount of work, of [budget.full] or [budget.quick]; `paper` and `full` are the same [default: full]"
        }
        "held_out" => "Share of the training images of each class that is held out and picks the epoch",
        "shift" => "Pixels of a 32x32 image by which images are shifted at most",
        "cutout" => "Side, in pixels of a 32x32 image, of the square that is cut out; 0 for none",
        "filter_sigma" => "Standard deviation of the Gaussian filter, in pixels",
        "filter_radius" => "Pixels to either side of the middle that the filter reaches",
        "models" => "Networks, as `zoo list` names them",
        "arms" => "Arms of the comparison, one run each, network and seed: those of the protocol, or any activation",
        "weights" => {
            "Folder with pretrained weights under their usual names, one file of them, or published weights by a name \
             that `zoo weights path` takes"
        }
        "epochs" => "Passes over the training images; of pretrained networks in each arm",
        "learning_rate" => "Learning rate at the start; of pretrained networks in each arm",
        "first_learning_rate" => "Learning rate at the start of the phase with ReLU",
        _ => return arg,
    };
    arg.help(help)
}
