//! A table whose runs can be done.

use std::cell::Cell;

use pvlu_zoo::model::Model;

use super::config::Config;
use super::planned::Planned;
use super::record::{Record, Status};
use super::store::Store;
use crate::common::error::CliError;
use crate::common::machine;
use crate::common::progress::Progress;
use crate::reproduce::choice::Choice;
use crate::reproduce::data::Parts;
use crate::reproduce::protocol::paper::Table;
use crate::reproduce::protocol::sweep::Sweep;

/// The most bytes in the names of a trial's files, without their endings.
const LONGEST_STEM: usize = 200;

/// The runs of a table, before any of them is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The table that the runs are of.
    pub table: Table,
    /// Lines for the user on the source of the images and weights, and on anything unusual about them.
    pub notes: Vec<String>,
    /// The values that are tried before the runs, if there are any.
    pub sweep: Option<Sweep>,
    /// The trials of the sweep, by which the settings of the runs are chosen.
    pub trials: Vec<Planned>,
    /// All runs of the table, in its order.
    pub runs: Vec<Planned>,
}

impl Plan {
    /// A plan without runs as yet.
    pub fn new(table: Table, notes: Vec<String>, sweep: Option<Sweep>) -> Self {
        Self { table, notes, sweep, trials: Vec::new(), runs: Vec::new() }
    }

    /// Adds a line on the trials, if there are any. Names whose files could not be written are refused.
    pub fn note_trials(&mut self) -> Result<(), CliError> {
        let Some(sweep) = &self.sweep else { return Ok(()) };
        if let Some(trial) = self.trials.iter().find(|trial| trial.config.stem().len() > LONGEST_STEM) {
            let (id, found) = (trial.config.id(), trial.config.stem().len());
            let what = format!("sweep: {id}: expected an address of at most {LONGEST_STEM} bytes, found {found}");
            return Err(CliError::Usage(format!("{what}: choose shorter names of protocol and arm, or fewer keys")));
        }
        let trials = self.trials.len();
        self.notes.push(format!("sweep: {trials} trials before the runs, of {sweep}"));
        Ok(())
    }

    /// Addresses of the trials and runs, in the order in which they are done.
    pub fn ids(&self) -> Vec<String> {
        self.trials.iter().chain(&self.runs).map(|run| run.config.id()).collect()
    }

    /// The runs that were asked for; all without a choice.
    pub fn chosen(&self, only: Option<&[String]>) -> Vec<Planned> {
        of(&self.runs, only)
    }

    /// The trials that were asked for; all without a choice.
    pub fn chosen_trials(&self, only: Option<&[String]>) -> Vec<Planned> {
        of(&self.trials, only)
    }
}

fn of(runs: &[Planned], only: Option<&[String]>) -> Vec<Planned> {
    let wanted = |run: &&Planned| only.is_none_or(|only| only.contains(&run.config.id()));
    runs.iter().filter(wanted).cloned().collect()
}

/// A table whose images and weights are found.
pub trait Work {
    /// The runs of the table.
    fn plan(&self) -> &Plan;
    /// The images of the runs.
    fn parts(&self) -> &Parts;
    /// Gives the runs the settings that trials chose for them. Runs without such a setting stay as they are.
    fn choose(&mut self, choice: &Choice) -> Result<(), CliError>;
    /// The network that a run trains, with the same layers trainable; only the values of its weights may be others.
    fn sample(&self, planned: &Planned) -> Result<Box<dyn Model>, CliError>;
    /// Does a run; `None` if it was interrupted.
    fn perform(&mut self, planned: &Planned, context: &Context<'_>) -> Result<Option<Record>, CliError>;
}

/// Everything that a run needs beside its plan.
#[derive(Debug)]
pub struct Context<'a> {
    /// The store that keeps the run's checkpoint, record and weights.
    pub store: &'a Store,
    /// The display of the run's progress.
    pub progress: &'a Progress,
    /// Addresses of all runs of the table.
    pub planned: Vec<String>,
    /// The table that the runs are of.
    pub table: Table,
    /// True once all image files were read.
    pub read: Cell<bool>,
}

impl Context<'_> {
    /// Reads all image files once, before the first run that is to be done.
    pub fn check(&self, parts: &Parts) -> Result<(), CliError> {
        if self.read.replace(true) { Ok(()) } else { parts.check(self.progress) }
    }

    /// A finished record of this machine and plan whose results are empty, for the caller to fill in.
    pub fn record(&self, config: &Config) -> Record {
        Record {
            config: config.clone(),
            status: Status::Finished,
            epochs: Vec::new(),
            before_top1: f64::NAN,
            trained_parameters: 0,
            parameters: Vec::new(),
            units: Vec::new(),
            planned: self.planned.clone(),
            protocol: self.table.is_own().then(|| self.table.text().to_owned()),
            machine: machine::describe(),
        }
    }
}
