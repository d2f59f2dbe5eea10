//! Tables as runs: planned, done one by one, kept, and put together.
//!
//! | file | what |
//! |---|---|
//! | [`config`] | what decides the numbers of a run |
//! | [`record`] | a finished run |
//! | [`names`] | what a record may name |
//! | [`store`] | both on disk, and trainings that can be interrupted |
//! | [`aside`] | where runs of other settings go |
//! | [`plan`] | what a command would do, and how long it would take |
//! | [`merge`] | runs of several machines as one table |

pub mod aside;
pub mod config;
pub mod merge;
pub mod names;
pub mod plan;
pub mod record;
pub mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pvlu_zoo::model::Model;

use self::config::Config;
use self::record::Record;
use self::store::Store;
use crate::args::CommonArgs;
use crate::device;
use crate::error::CliError;
use crate::figures;
use crate::interrupt;
use crate::lock::{self, Lock};
use crate::machine;
use crate::output::{note, print};
use crate::progress::Progress;
use crate::report;
use crate::threads::start_threads;

/// A run that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What decides its numbers.
    pub config: Config,
    /// Passes over the training images; 0 where the network is only measured.
    pub epochs: u64,
    /// The trainings that it goes on from, in order, with their epochs: runs with the same ones share them.
    pub after: Vec<(Config, u64)>,
}

/// What is to be done for a table.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the table.
    pub table: &'static str,
    /// Where images and weights come from, and what a person should know of them.
    pub notes: Vec<String>,
    /// Its runs, in the order of the table.
    pub runs: Vec<Planned>,
}

impl Plan {
    /// Addresses of its runs.
    pub fn ids(&self) -> Vec<String> {
        self.runs.iter().map(|run| run.config.id()).collect()
    }

    /// The runs that were asked for; all without a choice.
    pub fn chosen(&self, only: Option<&[String]>) -> Vec<Planned> {
        let wanted = |run: &&Planned| only.is_none_or(|only| only.contains(&run.config.id()));
        self.runs.iter().filter(wanted).cloned().collect()
    }
}

/// A table whose images and weights are found.
pub trait Work {
    /// What is to be done.
    fn plan(&self) -> &Plan;
    /// The network that a run trains, in the state in which it does, but for the values of its weights.
    fn sample(&self, planned: &Planned) -> Result<Box<dyn Model>, CliError>;
    /// Does a run; `None` if it was interrupted.
    fn perform(&mut self, planned: &Planned, context: &Context<'_>) -> Result<Option<Record>, CliError>;
}

/// What a run is done with.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where it is kept.
    pub store: &'a Store,
    /// What the user sees of it.
    pub progress: &'a Progress,
    /// Addresses of all runs of the table.
    pub planned: Vec<String>,
}

impl Context<'_> {
    /// A record without results.
    pub fn record(&self, config: &Config) -> Record {
        Record {
            config: config.clone(),
            status: record::Status::Finished,
            epochs: Vec::new(),
            before_top1: f64::NAN,
            trained_parameters: 0,
            parameters: Vec::new(),
            units: Vec::new(),
            planned: self.planned.clone(),
            machine: machine::describe(),
        }
    }
}

/// What is done once for a command, before any work. Unless it is a dry run, the output folder is held by what it
/// returns.
pub fn prepare(args: &CommonArgs) -> Result<Option<Lock>, CliError> {
    interrupt::install();
    pvlu::kernel::memory::keep_freed_memory();
    start_threads(args.threads)?;
    device::choose(args.device)?;
    (!args.dry_run).then(|| lock::hold(&[&args.out])).transpose()
}

/// Makes sure that every run that was asked for is one of these tables'.
pub fn check_only(works: &[Box<dyn Work>], only: Option<&[String]>) -> Result<(), CliError> {
    let ids: Vec<String> = works.iter().flat_map(|work| work.plan().ids()).collect();
    match only.unwrap_or_default().iter().find(|id| !ids.contains(id)) {
        Some(unknown) => Err(CliError::Usage(format!("--only: no run {unknown}: there are {}", ids.join(", ")))),
        None => Ok(()),
    }
}

/// Does what the user asked for of a table: plans it, or runs it and writes its files. Nothing if no run of it was
/// asked for.
pub fn run(mut work: Box<dyn Work>, args: &CommonArgs) -> Result<(), CliError> {
    let chosen = work.plan().chosen(args.only.as_deref());
    if chosen.is_empty() {
        return Ok(());
    }
    let progress = Progress::new(args.quiet);
    work.plan().notes.iter().for_each(|line| progress.note(line));
    if args.dry_run {
        let text = plan::estimate(work.as_ref(), &chosen);
        progress.finish();
        return print(&text?);
    }
    let table = work.plan().table;
    report::check(&args.out, table)?;
    let store = Store::new(&args.out, args.earlier(), Duration::from_secs(args.checkpoint_every), args.save_weights)?;
    let context = Context { store: &store, progress: &progress, planned: work.plan().ids() };
    let done = all(work.as_mut(), &chosen, &context);
    progress.finish();
    let Some(mut records) = done? else {
        return Err(CliError::Interrupted { out: args.out.clone() });
    };
    if args.only.is_some() {
        records = with_others(work.plan(), &args.out, records)?;
    }
    let text = report::write(table, &records, &args.out)?;
    for run in &chosen {
        run.after.iter().try_for_each(|(config, _)| store.forget(config))?;
    }
    print(&format!("{text}\n{}", figures::of_table(table, &args.out)?))
}

/// Does runs in order; `None` if interrupted.
fn all(work: &mut dyn Work, runs: &[Planned], context: &Context<'_>) -> Result<Option<Vec<Record>>, CliError> {
    // Before anything is trained: what does not count is moved aside or an error at once.
    let finished = context.store.begin(runs, context.progress)?;
    let mut records = Vec::new();
    let done = finished.iter().flatten().count();
    if done > 0 {
        context.progress.note(&format!("{done} of {} runs were finished before", runs.len()));
    }
    for (run, finished) in runs.iter().zip(finished) {
        let record = match finished {
            Some(record) => record,
            None => {
                let Some(record) = work.perform(run, context)? else { return Ok(None) };
                context.store.finish(&record)?;
                record
            }
        };
        records.push(record);
        if interrupt::interrupted() && records.len() < runs.len() {
            return Ok(None);
        }
    }
    Ok(Some(records))
}

/// The same records and those of the other runs of the table that are finished in the same folder, in the order of the
/// table.
fn with_others(plan: &Plan, out: &Path, records: Vec<Record>) -> Result<Vec<Record>, CliError> {
    let mut by_id: BTreeMap<String, Record> = records.into_iter().map(|record| (record.config.id(), record)).collect();
    let store = Store::of(out)?;
    for run in &plan.runs {
        match store.finished(&run.config) {
            Ok(Some(record)) => drop(by_id.entry(run.config.id()).or_insert(record)),
            // One of another configuration is no run of this table.
            Ok(None) | Err(CliError::OtherConfiguration { .. }) => {}
            Err(error @ CliError::Damaged { .. }) => note(&format!("warning: left out of the table: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(plan.runs.iter().filter_map(|run| by_id.remove(&run.config.id())).collect())
}
