//! Command-line arguments of `reproduce`.

mod commands;
mod options;

pub use commands::{Cli, Command, FigureCommand, TableCommand, TableOptions};
pub use options::{
    AllArgs, CommonArgs, FigureArgs, Listed, MergeArgs, PlanArgs, ReportArgs, TableArgs, TuningArgs, all_of,
};
