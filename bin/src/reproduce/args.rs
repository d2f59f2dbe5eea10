//! Command-line arguments of `reproduce`.

mod check;
mod commands;
mod options;

pub use commands::{Cli, Command, FigureCommand, TableCommand};
pub use options::{
    AllArgs, CommonArgs, FigureArgs, MergeArgs, PlanArgs, ReportArgs, TableArgs, TuningArgs, all_of, of_table,
};
