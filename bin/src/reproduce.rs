//! The program `reproduce`: its modules, and the dispatch of its commands.

#[doc(hidden)]
pub mod args;
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
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod results;
#[doc(hidden)]
pub mod runs;

use std::process::ExitCode;

use pvlu_zoo::registry::Registry;

use crate::common::error::CliError;
use crate::common::output::print;
use crate::common::{command, lock, manual};
use crate::reproduce::args::{AllArgs, Cli, Command, FigureCommand, MergeArgs, PlanArgs, TableCommand};
use crate::reproduce::from_scratch::Scratch;
use crate::reproduce::pretrained::Tuning;
use crate::reproduce::protocol::paper::{self, Table};
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
        Command::Table(TableCommand { table, args }) => one(*table, args),
        Command::Figure(FigureCommand { figure, args }) => figures::one(*figure, args),
        Command::Report(args) => figures::report(args),
        Command::All(args) => all(args),
        Command::Plan(args) => planned(args),
        Command::Merge(args) => merged(args),
        Command::Completions(args) => manual::completions::<Cli>(args),
        Command::Man(args) => manual::pages::<Cli>(args),
    }
}

fn one(table: Table, args: &AllArgs) -> Result<(), CliError> {
    args.check()?;
    let _held = drive::prepare(&args.tuning.common)?;
    all_of(&[table], args)
}

/// Finds the images and weights of a table, and plans its runs.
fn work(table: Table, args: &AllArgs) -> Result<Box<dyn Work>, CliError> {
    Ok(match table {
        Table::Scratch(protocol) => Box::new(Scratch::new(protocol, &args.scratch())?),
        Table::Tuning(protocol) => Box::new(Tuning::new(protocol, &args.tuning)?),
    })
}

/// Runs all tables, draws all figures, and writes the report.
fn all(args: &AllArgs) -> Result<(), CliError> {
    args.check()?;
    let _held = drive::prepare(&args.tuning.common)?;
    all_of(paper::ALL, args)?;
    let common = &args.tuning.common;
    if common.dry_run { Ok(()) } else { figures::finish(&common.out, common.data.as_deref()) }
}

fn all_of(tables: &[Table], args: &AllArgs) -> Result<(), CliError> {
    // All tables are planned before any work, so that images or weights that the last one lacks are reported at once.
    let works = tables.iter().map(|table| work(*table, args)).collect::<Result<Vec<_>, _>>()?;
    let common = &args.tuning.common;
    drive::check_only(&works, common.only.as_deref())?;
    works.into_iter().try_for_each(|work| drive::run(work, common))
}

/// Prints the runs of tables without doing them.
fn planned(args: &PlanArgs) -> Result<(), CliError> {
    args.all.check()?;
    let tables = if args.tables.is_empty() { paper::ALL } else { &args.tables };
    let works = tables.iter().map(|table| work(*table, &args.all)).collect::<Result<Vec<_>, _>>()?;
    let only = args.all.tuning.common.only.as_deref();
    drive::check_only(&works, only)?;
    let runs: Vec<_> = works.iter().flat_map(|work| work.plan().chosen(only)).collect();
    if args.json {
        return print(&format!("{:#}", plan::json(&runs)));
    }
    print(&runs.iter().map(|run| run.config.id()).collect::<Vec<_>>().join("\n"))
}

/// Writes the tables and figures of runs that are merged from several folders.
fn merged(args: &MergeArgs) -> Result<(), CliError> {
    let tables = merge::collect(&args.folders, args.partial)?;
    let _held = lock::hold(&[&args.out])?;
    for table in tables.keys() {
        results::check(&args.out, table)?;
    }
    for (table, records) in &tables {
        // Storing the records makes the folder one like any other, in which a table can be continued, run with --only
        // or merged again.
        let store = Store::of(&args.out)?;
        records.iter().try_for_each(|record| store.adopt(record))?;
        let text = results::write(table, records, &args.out)?;
        print(&format!("{text}\n{}", figures::of_table(table, &args.out)?))?;
    }
    Ok(())
}
