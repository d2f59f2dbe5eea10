//! Command-line arguments of `reproduce`.

mod commands;
mod options;
mod parsers;

pub use commands::{Cli, Command, FigureCommand, TableCommand, TableOptions};
pub use options::{
    AllArgs, CommonArgs, FigureArgs, MergeArgs, PlanArgs, ReportArgs, RunArgs, ShowArgs, TableArgs, TuningArgs,
};
pub use parsers::{Listed, Planned, all_of};
