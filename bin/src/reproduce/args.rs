//! Command-line arguments of `reproduce`.

mod commands;
mod options;

pub use commands::{Cli, Command, FigureCommand, TableCommand, TableOptions};
pub use options::{
    AllArgs, CommonArgs, FigureArgs, Listed, MergeArgs, PlanArgs, Planned, ReportArgs, RunArgs, ShowArgs, TableArgs,
    TuningArgs, all_of,
};
