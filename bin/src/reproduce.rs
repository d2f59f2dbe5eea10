//! The program `reproduce`: its modules, and the dispatch of its commands.

#[doc(hidden)]
pub mod args;
mod choice;
mod data;
mod drive;
#[doc(hidden)]
pub mod figure;
mod figures;
mod from_scratch;
mod overrides;
mod pretrained;
#[doc(hidden)]
pub mod protocol;
mod recipe;
#[doc(hidden)]
pub mod report;
mod request;
#[doc(hidden)]
pub mod results;
#[doc(hidden)]
pub mod runs;

use std::process::ExitCode;

use pvlu_zoo::registry::Registry;

use crate::common::error::CliError;
use crate::common::output::print;
use crate::common::{command, lock, manual};
use crate::reproduce::args::{
    AllArgs, Cli, Command, FigureCommand, MergeArgs, PlanArgs, Planned, RunArgs, TableCommand, TableOptions,
};
use crate::reproduce::from_scratch::Scratch;
use crate::reproduce::pretrained::Tuning;
use crate::reproduce::protocol::definition::Start;
use crate::reproduce::protocol::own;
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::request::{Conduct, Request};
use crate::reproduce::runs::record::Record;
use crate::reproduce::runs::store::Store;
use crate::reproduce::runs::work::Work;
use crate::reproduce::runs::{merge, plan};

/// The whole program `reproduce`, with the models and activations of a registry.
pub fn main(registry: Registry) -> ExitCode {
    command::main(registry, reproduce)
}

/// Runs the command that the arguments name.
pub fn reproduce(cli: &Cli) -> Result<(), CliError> {
    match &cli.command {
        Command::Table(TableCommand { table, options }) => one(*table, options),
        Command::Figure(FigureCommand { figure, args }) => figures::one(*figure, args),
        Command::Report(args) => figures::report(args),
        Command::All(args) => all(args),
        Command::Show(args) => print(args.text.trim_end()),
        Command::Run(args) => run(args),
        Command::Plan(args) => planned(args),
        Command::Merge(args) => merged(args),
        Command::Completions(args) => manual::completions::<Cli>(args),
        Command::Man(args) => manual::pages::<Cli>(args),
    }
}

fn one(table: Table, options: &TableOptions) -> Result<(), CliError> {
    let (request, conduct) = (Request::try_from(options)?, Conduct::from(options.common()));
    let _held = drive::prepare(&conduct)?;
    all_of(&[table], &request, &conduct)
}

/// Finds the images and weights of a table, and plans its runs.
fn work(table: Table, request: &Request) -> Result<Box<dyn Work>, CliError> {
    Ok(match &table.protocol().start {
        Start::Scratch => Box::new(Scratch::new(table, request)?),
        Start::Pretrained(pretrained) => Box::new(Tuning::new(table, pretrained, request)?),
    })
}

/// Does the runs of a protocol in a file.
fn run(args: &RunArgs) -> Result<(), CliError> {
    let table = own::open(&args.protocol)?;
    let request = Request::of_protocol(&args.options, table)?;
    let conduct = Conduct::from(&args.options.common);
    let _held = drive::prepare(&conduct)?;
    all_of(&[table], &request, &conduct)
}

/// Runs all tables, draws all figures, and writes the report.
fn all(args: &AllArgs) -> Result<(), CliError> {
    let (request, conduct) = (Request::try_from(args)?, Conduct::from(&args.tuning.common));
    let _held = drive::prepare(&conduct)?;
    all_of(paper::all(), &request, &conduct)?;
    if conduct.dry_run { Ok(()) } else { figures::finish(&conduct.out, request.images.data.as_deref()) }
}

fn all_of(tables: &[Table], request: &Request, conduct: &Conduct) -> Result<(), CliError> {
    // All tables are planned before any work, so that images or weights that the last one lacks are reported at once.
    let works = tables.iter().map(|table| work(*table, request)).collect::<Result<Vec<_>, _>>()?;
    drive::check_only(&works, conduct.only.as_deref())?;
    works.into_iter().try_for_each(|work| drive::run(work, conduct))
}

/// Prints the runs of tables without doing them.
fn planned(args: &PlanArgs) -> Result<(), CliError> {
    let conduct = Conduct::from(&args.all.tuning.common);
    let of_paper = || paper::all().iter().map(|table| Ok(*table)).collect();
    let opened = |planned: &Planned| match planned {
        Planned::Table(table) => Ok(*table),
        Planned::Protocol(path) => own::open(path),
    };
    let asked_for: Result<Vec<Table>, CliError> = args.tables.iter().map(opened).collect();
    let tables = if args.tables.is_empty() { of_paper() } else { asked_for }?;
    let own = tables.iter().find(|table| table.is_own());
    if let (Some(own), Some(_)) = (own, &args.all.activations) {
        return Err(CliError::Usage(format!("--activations: of a table; --arms names those of {}", own.name())));
    }
    let request = |table: &Table| match table.is_own() {
        true => Request::of_protocol(&args.all.tuning, *table),
        false => Request::try_from(&args.all),
    };
    let works = tables.iter().map(|table| work(*table, &request(table)?)).collect::<Result<Vec<_>, _>>()?;
    let only = conduct.only.as_deref();
    drive::check_only(&works, only)?;
    let runs: Vec<_> =
        works.iter().map(|work| work.plan()).flat_map(|plan| [plan.chosen_trials(only), plan.chosen(only)]).collect();
    let runs = runs.concat();
    if args.json {
        return print(&format!("{:#}", plan::json(&runs)));
    }
    print(&runs.iter().map(|run| run.config.id()).collect::<Vec<_>>().join("\n"))
}

/// Writes the tables and figures of runs that are merged from several folders.
fn merged(args: &MergeArgs) -> Result<(), CliError> {
    let mut tables: Vec<(Table, Vec<Record>)> = Vec::new();
    for (name, records) in merge::collect(&args.folders, args.partial)? {
        let table = records.first().and_then(Record::table);
        let table = table.ok_or_else(|| CliError::Usage(format!("merge: {name}: expected the name of a table")))?;
        tables.push((table, records));
    }
    let _held = lock::hold(&[&args.out])?;
    tables.iter().try_for_each(|(table, _)| results::check(&args.out, *table))?;
    for (table, records) in &tables {
        // Storing the records makes the folder one like any other, in which a table can be continued, run with --only
        // or merged again.
        let store = Store::of(&args.out)?;
        records.iter().try_for_each(|record| store.adopt(record))?;
        let text = results::write(*table, records, &args.out)?;
        print(&(text + &figures::of_table(*table, &args.out)?))?;
    }
    Ok(())
}
