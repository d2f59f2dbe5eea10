//! The commands of `reproduce`: one for each table and figure of the paper, and those for all of them together.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Error, FromArgMatches, Parser, Subcommand};

use super::options::{
    AllArgs, CommonArgs, FigureArgs, MergeArgs, PlanArgs, ReportArgs, RunArgs, ShowArgs, TableArgs, TuningArgs,
};
use crate::common::formula::{examples, help};
use crate::common::manual::{CompletionsArgs, ManArgs};
use crate::common::ranks::Ranked;
use crate::reproduce::figure::Figure;
use crate::reproduce::protocol::definition::Start;
use crate::reproduce::protocol::paper::{self, Table};

/// Reproduce the tables of "Parametric Variational Linear Units (PVLUs) in Deep Convolutional Networks".
#[derive(Debug, Parser)]
#[command(name = "reproduce", version, arg_required_else_help = true)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

const ALL: &str =
    "  reproduce all --preset quick\n  reproduce all --data cifar --weights weights --out results --resume";
const PLAN: &str =
    "  reproduce plan table1 table3\n  reproduce plan table1 --data cifar --json\n  reproduce plan mine.toml";
const SHOW: &str = "  reproduce show table1\n  reproduce show table4\n  reproduce show he2016_resnet20";
const RUN: &str = "  reproduce run mine.toml\n  reproduce run mine.toml --dry-run\n  \
                   reproduce run mine.toml --data photos --seeds 0,1 --arms relu,\"mine = x*sigmoid(a*x); a = 1\"";

/// The examples in the help of a table.
fn examples_of(table: Table) -> String {
    let name = table.name();
    let arms = "relu,pvlu,\"mine = x*sigmoid(a*x); a = 1\"";
    let (flag, weights) = match table.protocol().start {
        Start::Scratch => ("activations", ""),
        Start::Pretrained(_) => ("arms", " --weights weights"),
    };
    format!(
        "  reproduce {name}\n  reproduce {name} --data cifar{weights} --seeds 0,1,2 --epochs 20 --resume\n  \
         reproduce {name} --preset quick --{flag} {arms}"
    )
}

/// The commands of `reproduce`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A command for each table
    #[command(flatten)]
    Table(TableCommand),
    /// A command for each figure that the paper numbers
    #[command(flatten)]
    Figure(FigureCommand),
    /// All tables, one after the other, then all figures and the report
    #[command(after_help = examples(ALL), after_long_help = help(ALL))]
    All(AllArgs),
    /// Every table that there is beside the paper's, with all figures, as a page and as Markdown
    #[command(after_help = "Examples:\n  reproduce report --from results")]
    Report(ReportArgs),
    /// The protocol of a table, in TOML: `reproduce show table4 > mine.toml` makes a file to be changed and run
    #[command(after_help = examples(SHOW))]
    Show(ShowArgs),
    /// A comparison of your own: the runs of a protocol in a file, with all that a table has
    #[command(after_help = examples(RUN), after_long_help = help(RUN))]
    Run(RunArgs),
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

/// One of the [tables](paper::all).
#[derive(Clone, Debug)]
pub struct TableCommand {
    /// The table to be run.
    pub table: Table,
    /// Options of the table.
    pub options: TableOptions,
}

/// The options of a table, by the way in which its networks are trained.
#[derive(Clone, Debug)]
pub enum TableOptions {
    /// Options of a table of networks trained from scratch.
    Scratch(TableArgs),
    /// Options of a table of pretrained networks.
    Tuning(TuningArgs),
}

impl Ranked for Cli {
    fn outputs(&mut self) -> Option<Vec<&mut PathBuf>> {
        let common = match &mut self.command {
            Command::Table(TableCommand { options: TableOptions::Scratch(args), .. }) => &mut args.common,
            Command::Table(TableCommand { options: TableOptions::Tuning(args), .. }) => &mut args.common,
            Command::Run(args) => &mut args.options.common,
            Command::All(args) => &mut args.tuning.common,
            _ => return None,
        };
        Some(vec![&mut common.out])
    }
}

impl TableOptions {
    /// The options that every table has.
    pub fn common(&self) -> &CommonArgs {
        match self {
            TableOptions::Scratch(args) => &args.common,
            TableOptions::Tuning(args) => &args.common,
        }
    }
}

/// One of the figures that the paper numbers.
#[derive(Clone, Debug)]
pub struct FigureCommand {
    /// The figure to be drawn.
    pub figure: Figure,
    /// Options of the figure.
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
        let options = match table.protocol().start {
            Start::Scratch => TableOptions::Scratch(TableArgs::from_arg_matches(matches)?),
            Start::Pretrained(_) => TableOptions::Tuning(TuningArgs::from_arg_matches(matches)?),
        };
        Ok(Self { table, options })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for TableCommand {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        paper::all().iter().fold(command, |command, table| {
            let own = clap::Command::new(table.name());
            let own = match table.protocol().start {
                Start::Scratch => TableArgs::augment_args(own),
                Start::Pretrained(_) => TuningArgs::augment_args(own),
            };
            let unused = table.unused_options();
            let own = own.mut_args(|arg| if unused.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg });
            let text = examples_of(*table);
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::common::formula::lines_of_examples;

    #[test]
    fn every_command_has_examples_that_it_takes() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in lines_of_examples(&help) {
                assert_eq!((line[0].as_str(), line[1].as_str()), ("reproduce", command.get_name()));
                Cli::try_parse_from(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            }
        }
    }

    #[test]
    fn the_help_of_a_protocol_speaks_of_no_table_of_the_paper() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for argument in run.get_arguments().filter(|argument| argument.get_id() != "protocol") {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.contains("tables 3 to 6") && !help.contains("in table"), "{help}");
        }
    }

    #[test]
    fn a_table_offers_no_option_that_changes_nothing_of_it() {
        for table in paper::all() {
            let command = Cli::command();
            let command = command.find_subcommand(table.name()).unwrap();
            for option in ["shift", "cutout", "filter_sigma", "filter_radius"] {
                let hidden = command.get_arguments().find(|arg| arg.get_id() == option).map(clap::Arg::is_hide_set);
                let unused = table.unused_options().contains(&option);
                assert!(hidden.is_none_or(|hidden| hidden == unused), "{} {option}", table.name());
            }
        }
        assert_eq!(paper::find("table1").unwrap().unused_options().len(), 4);
        assert!(!paper::find("table4").unwrap().unused_options().contains(&"filter_sigma"));
    }
}
