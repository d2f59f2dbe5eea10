//! Options of the commands that keep their trainings in a folder.

use clap::{Args, ValueEnum};

/// Seconds between two checkpoints where the user does not say it.
const EVERY: u64 = 60;

/// Records of a training beside its CSV files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogName {
    /// Event files for TensorBoard
    Tensorboard,
}

/// The way in which trainings are kept in their folder.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct KeptArgs {
    /// Go on with the trainings that the folder holds, to the same bits as without the break
    #[arg(long, conflicts_with = "fresh")]
    pub resume: bool,
    /// Begin anew: networks and records of an earlier command in the folder are replaced
    #[arg(long)]
    pub fresh: bool,
    /// Seconds between two checkpoints; one is written at Ctrl-C and at SIGTERM in any case [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub checkpoint_every: Option<u64>,
    /// Write a record in another form, too
    #[arg(long, value_enum)]
    pub log: Option<LogName>,
}

impl KeptArgs {
    /// Seconds between two checkpoints.
    pub fn checkpoint_every(&self) -> u64 {
        self.checkpoint_every.unwrap_or(EVERY)
    }

    /// The first of these options that was given, if any.
    pub fn first(&self) -> Option<&'static str> {
        let given = [
            ("--resume", self.resume),
            ("--fresh", self.fresh),
            ("--checkpoint-every", self.checkpoint_every.is_some()),
            ("--log", self.log.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}
