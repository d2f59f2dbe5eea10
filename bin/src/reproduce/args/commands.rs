//! The commands of `reproduce`: one for each table and figure of the paper, and those that are about all of them.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Error, FromArgMatches, Parser, Subcommand};

use super::options::{AllArgs, FigureArgs, MergeArgs, PlanArgs, ReportArgs, TableArgs, TuningArgs};
use crate::common::formula::HELP;
use crate::reproduce::figure::Figure;
use crate::reproduce::protocol::paper::{self, Table};

/// Reproduce the tables of "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks".
#[derive(Debug, Parser)]
#[command(name = "reproduce", version, arg_required_else_help = true)]
pub struct Cli {
    /// The table.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be reproduced.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A table
    #[command(flatten)]
    Table(TableCommand),
    /// A figure
    #[command(flatten)]
    Figure(FigureCommand),
    /// All tables, one after the other, then all figures and the report
    #[command(after_long_help = HELP)]
    All(AllArgs),
    /// Every table that there is beside the paper's, with all figures, as a page and as Markdown
    Report(ReportArgs),
    /// The runs of tables, by their addresses, for --only
    #[command(after_long_help = HELP)]
    Plan(PlanArgs),
    /// Tables from the finished runs of several output folders
    Merge(MergeArgs),
}

/// One of the [tables](paper::ALL).
#[derive(Clone, Debug)]
pub struct TableCommand {
    /// Which.
    pub table: Table,
    /// Its options, among those of all tables.
    pub args: AllArgs,
}

/// One of the figures that the paper numbers.
#[derive(Clone, Debug)]
pub struct FigureCommand {
    /// Which.
    pub figure: Figure,
    /// Its options.
    pub args: FigureArgs,
}

/// The subcommand that was given, and its arguments.
fn given(matches: &ArgMatches) -> Result<(&str, &ArgMatches), Error> {
    matches.subcommand().ok_or_else(|| Error::new(ErrorKind::MissingSubcommand))
}

fn unknown() -> Error {
    Error::new(ErrorKind::InvalidSubcommand)
}

impl FromArgMatches for TableCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let (name, matches) = given(matches)?;
        let table = paper::find(name).ok_or_else(unknown)?;
        let args = match table {
            Table::Scratch(_) => AllArgs::of_scratch(&TableArgs::from_arg_matches(matches)?),
            Table::Tuning(_) => AllArgs::of_tuning(&TuningArgs::from_arg_matches(matches)?),
        };
        Ok(Self { table, args })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for TableCommand {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        paper::ALL.iter().fold(command, |command, table| {
            let own = clap::Command::new(table.name());
            let own = match table {
                Table::Scratch(_) => TableArgs::augment_args(own),
                Table::Tuning(_) => TuningArgs::augment_args(own),
            };
            command.subcommand(own.about(table.about()).after_long_help(HELP))
        })
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        paper::find(name).is_some()
    }
}

impl FromArgMatches for FigureCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let (name, matches) = given(matches)?;
        let figure = Figure::numbered().find(|(_, numbered)| numbered.name == name);
        let (figure, _) = figure.ok_or_else(unknown)?;
        Ok(Self { figure, args: FigureArgs::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for FigureCommand {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        Figure::numbered().fold(command, |command, (_, numbered)| {
            command.subcommand(FigureArgs::augment_args(clap::Command::new(numbered.name)).about(numbered.about))
        })
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Figure::numbered().any(|(_, numbered)| numbered.name == name)
    }
}
