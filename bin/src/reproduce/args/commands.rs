//! The commands of `reproduce`: one for each table and figure of the paper, and those that are about all of them.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Error, FromArgMatches, Parser, Subcommand};

use super::options::{AllArgs, FigureArgs, MergeArgs, PlanArgs, ReportArgs, TableArgs, TuningArgs};
use crate::common::formula::{examples, help};
use crate::common::manual::{CompletionsArgs, ManArgs};
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

const ALL: &str =
    "  reproduce all --preset quick\n  reproduce all --data cifar --weights weights --out results --resume";
const PLAN: &str = "  reproduce plan table1 table3\n  reproduce plan table1 --data cifar --json";

/// Examples of a table.
fn of_table(table: Table) -> String {
    let name = table.name();
    let arms = "relu,pvlu,\"mine = x*sigmoid(a*x); a = 1\"";
    let (flag, weights) = match table {
        Table::Scratch(_) => ("activations", ""),
        Table::Tuning(_) => ("arms", " --weights weights"),
    };
    format!(
        "  reproduce {name}\n  reproduce {name} --data cifar{weights} --seeds 0,1,2 --epochs 20 --resume\n  \
         reproduce {name} --preset quick --{flag} {arms}"
    )
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
    #[command(after_help = examples(ALL), after_long_help = help(ALL))]
    All(AllArgs),
    /// Every table that there is beside the paper's, with all figures, as a page and as Markdown
    #[command(after_help = "Examples:\n  reproduce report --from results")]
    Report(ReportArgs),
    /// The runs of tables, by their addresses, for --only
    #[command(after_help = examples(PLAN), after_long_help = help(PLAN))]
    Plan(PlanArgs),
    /// Tables from the finished runs of several output folders
    #[command(after_help = "Examples:\n  reproduce merge machine1 machine2 --out results")]
    Merge(MergeArgs),
    /// Print a script that completes this program's arguments in a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Write a manual page of every command into a folder
    #[command(hide = true)]
    Man(ManArgs),
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
            let unused = table.unused_options();
            let own = own.mut_args(|arg| if unused.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg });
            let text = of_table(*table);
            command.subcommand(own.about(table.about()).after_help(examples(&text)).after_long_help(help(&text)))
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
            let own = FigureArgs::augment_args(clap::Command::new(numbered.name)).about(numbered.about);
            let text = format!("  reproduce {0}\n  reproduce {0} --from results --out figures", numbered.name);
            command.subcommand(own.after_help(examples(&text)))
        })
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Figure::numbered().any(|(_, numbered)| numbered.name == name)
    }
}
