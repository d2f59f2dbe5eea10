//! A table whose runs can be done.

use pvlu_zoo::model::Model;

use super::config::Config;
use super::planned::Planned;
use super::record::{Record, Status};
use super::store::Store;
use crate::common::error::CliError;
use crate::common::machine;
use crate::common::progress::Progress;

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
            status: Status::Finished,
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
