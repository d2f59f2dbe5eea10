//! Doing the runs of tables one by one, and writing their files.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use crate::common::error::CliError;
use crate::common::lock::{self, Lock};
use crate::common::output::{note, print};
use crate::common::progress::Progress;
use crate::common::threads::start_threads;
use crate::common::{device, interrupt, precision};
use crate::reproduce::choice::Choice;
use crate::reproduce::request::Conduct;
use crate::reproduce::runs::config::VARIED;
use crate::reproduce::runs::plan;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::Record;
use crate::reproduce::runs::store::Store;
use crate::reproduce::runs::work::{Context, Work};
use crate::reproduce::{figures, results};

/// Prepares the process for a command: signals, threads, the device and the precision. Unless it is a dry run, the
/// output folder is locked until the returned lock is dropped.
pub fn prepare(conduct: &Conduct) -> Result<Option<Lock>, CliError> {
    interrupt::install();
    pvlu::kernel::memory::keep_freed_memory();
    precision::choose(conduct.precision, conduct.device, conduct.quiet)?;
    start_threads(conduct.threads)?;
    device::choose(conduct.device)?;
    (!conduct.dry_run).then(|| lock::hold(&[&conduct.out])).transpose()
}

/// Makes sure that every run in `--only` belongs to one of these tables.
pub fn check_only(works: &[Box<dyn Work>], only: Option<&[String]>) -> Result<(), CliError> {
    let ids: Vec<String> = works.iter().flat_map(|work| work.plan().ids()).collect();
    match only.unwrap_or_default().iter().find(|id| !ids.contains(id)) {
        Some(unknown) => Err(CliError::Usage(format!("--only: no run {unknown}: there are {}", ids.join(", ")))),
        None => Ok(()),
    }
}

/// Does the chosen runs of a table and writes its files, or prints its plan in a dry run. The trials of a sweep come
/// first. Nothing is done if no run of the table was chosen.
pub fn run(mut work: Box<dyn Work>, conduct: &Conduct) -> Result<(), CliError> {
    let only = conduct.only.as_deref();
    let (trials, runs) = (work.plan().chosen_trials(only), work.plan().chosen(only));
    if trials.is_empty() && runs.is_empty() {
        return Ok(());
    }
    let progress = Progress::new(conduct.quiet);
    work.plan().notes.iter().for_each(|line| progress.note(line));
    if conduct.dry_run {
        let text = plan::estimate(work.as_ref(), &[trials, runs].concat());
        progress.finish();
        return print(&text?);
    }
    let table = work.plan().table;
    results::check(&conduct.out, table)?;
    let store = Store::new(&conduct.out, conduct.earlier, conduct.checkpoint_every, conduct.save_weights)?;
    let context =
        Context { store: &store, progress: &progress, planned: work.plan().ids(), table, read: Cell::new(false) };
    let done = with_choice(work.as_mut(), &trials, (conduct, &context));
    progress.finish();
    let interrupted = || CliError::Interrupted { out: conduct.out.clone() };
    let done = done.map_err(|error| if matches!(error, CliError::Stopped) { interrupted() } else { error })?;
    let Some(Done { trials: mut records, runs: chosen, records: of_runs }) = done else { return Err(interrupted()) };
    let of_runs = match only {
        Some(_) if !of_runs.is_empty() => with_others(&work.plan().runs, &conduct.out, of_runs)?,
        _ => of_runs,
    };
    records.extend(of_runs);
    if chosen.is_empty() {
        let others = results::of_other_runs(table, &work.plan().runs, &conduct.out)?;
        store.set_aside(&others, "not of the runs that these trials are for")?;
    }
    // Records that an earlier command left name the runs that it had planned.
    records.iter_mut().for_each(|record| record.planned.clone_from(&context.planned));
    let text = results::write(table, &records, &conduct.out)?;
    for run in trials.iter().chain(&chosen) {
        run.after.iter().try_for_each(|(config, _)| store.forget(config))?;
    }
    print(&(text + &figures::of_table(table, &conduct.out)?))
}

/// Trials and runs that were done, with the settings that were chosen.
struct Done {
    trials: Vec<Record>,
    runs: Vec<Planned>,
    records: Vec<Record>,
}

/// Does trials, chooses by them, and does the runs that were asked for; `None` if interrupted.
fn with_choice(
    work: &mut dyn Work,
    trials: &[Planned],
    (conduct, context): (&Conduct, &Context<'_>),
) -> Result<Option<Done>, CliError> {
    let only = conduct.only.as_deref();
    let mut tried = Vec::new();
    if work.plan().sweep.is_some() {
        // Runs of other settings are refused, if they are to be, before hours of trials; where trials alone are to be
        // done, those whose table would be moved aside.
        let runs = work.plan().chosen(only);
        context.store.refuse(if runs.is_empty() { &work.plan().runs } else { &runs }, &VARIED)?;
        let Some(done) = all(work, trials, context)? else { return Ok(None) };
        // Other trials may have been done by an earlier command.
        tried = with_others(&work.plan().trials, &conduct.out, done)?;
        let trials = &work.plan().trials;
        Choice::check(trials, &work.plan().chosen(only), &tried)?;
        let choice = Choice::of(trials, &tried);
        work.choose(&choice)?;
        if interrupt::interrupted() {
            return Ok(None);
        }
    }
    let runs = work.plan().chosen(only);
    let records = all(work, &runs, context)?;
    Ok(records.map(|records| Done { trials: tried, runs, records }))
}

/// Does runs in order; `None` if interrupted.
fn all(work: &mut dyn Work, runs: &[Planned], context: &Context<'_>) -> Result<Option<Vec<Record>>, CliError> {
    // Called before anything is trained, so that files that do not count are moved aside or refused at once.
    let finished = context.store.begin(runs, context.progress)?;
    if finished.iter().any(Option::is_none) {
        context.check(work.parts())?;
    }
    let mut records = Vec::new();
    let done = finished.iter().flatten().count();
    if done > 0 {
        context.progress.note(&format!("{done} of {} runs were finished before", runs.len()));
    }
    for (run, finished) in runs.iter().zip(finished) {
        let record = match finished {
            // One that an earlier command left names the runs that it had planned, which `merge` asks for.
            Some(record) if record.planned != context.planned => {
                let record = Record { planned: context.planned.clone(), ..record };
                context.store.finish(&record)?;
                record
            }
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

/// The given records and those of the other planned runs that are finished in the same folder, in the order of the
/// plan.
fn with_others(planned: &[Planned], out: &Path, records: Vec<Record>) -> Result<Vec<Record>, CliError> {
    let mut by_id: BTreeMap<String, Record> = records.into_iter().map(|record| (record.config.id(), record)).collect();
    let store = Store::of(out)?;
    for run in planned {
        match store.finished(&run.config) {
            Ok(Some(record)) => drop(by_id.entry(run.config.id()).or_insert(record)),
            // A run of another configuration does not belong to this table.
            Ok(None) | Err(CliError::OtherConfiguration { .. }) => {}
            Err(error @ CliError::Damaged { .. }) => note(&format!("warning: left out of the table: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(planned.iter().filter_map(|run| by_id.remove(&run.config.id())).collect())
}
