//! A finished run: everything that its rows are made of, and that on disk.

use std::collections::BTreeMap;
use std::path::Path;

use pvlu_zoo::train::{EpochRecord, History, Outcome};
use serde_json::{Value, json};

use super::config::Config;
use crate::digest;
use crate::error::CliError;
use crate::output::write_atomically;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All epochs; in a training from scratch with an accuracy above a guess.
    Finished,
    /// A loss that is not finite, or, in a training from scratch, a final test accuracy below twice chance.
    Died,
}

impl Status {
    /// In files.
    pub fn name(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Died => "died",
        }
    }
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What decided its numbers.
    pub config: Config,
    /// How it ended.
    pub status: Status,
    /// Its epochs; none where the network was only measured.
    pub epochs: Vec<EpochRecord>,
    /// Test accuracy before the run, where it began with a trained network; else NaN.
    pub before_top1: f64,
    /// Elements that were trained.
    pub trained_parameters: usize,
    /// A row for each layer and learnt parameter of its activations; see [`crate::inspect`].
    pub parameters: Vec<Vec<String>>,
    /// A row for each layer of activations.
    pub units: Vec<Vec<String>>,
    /// Addresses of all runs that the command had planned, this one among them.
    pub planned: Vec<String>,
    /// The machine; no part of any CSV file.
    pub machine: BTreeMap<String, String>,
}

impl Record {
    /// Whether it counts in means.
    pub fn lived(&self) -> bool {
        self.status == Status::Finished
    }

    /// What `pick` takes of its epochs; without any, the accuracy before.
    fn top1(&self, pick: impl FnOnce(&History) -> Option<f64>) -> f64 {
        if self.epochs.is_empty() {
            return self.before_top1;
        }
        pick(&self.history()).unwrap_or(f64::NAN)
    }

    fn history(&self) -> History {
        History { epochs: self.epochs.clone(), outcome: Outcome::Finished }
    }

    /// Test accuracy after the last epoch.
    pub fn last(&self) -> f64 {
        self.top1(History::final_top1)
    }

    /// Test accuracy after the epoch that is best on the held-out images.
    pub fn selected(&self) -> f64 {
        self.top1(|history| Some(history.selected()?.test.top1))
    }

    /// The best test accuracy after any epoch, as the paper reports.
    pub fn peak(&self) -> f64 {
        self.top1(History::peak_top1)
    }

    /// The epoch that is best on the held-out images, from 1; 0 without epochs.
    pub fn selected_epoch(&self) -> u64 {
        self.history().selected().map_or(0, |epoch| epoch.epoch)
    }

    /// Time of all epochs.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }

    /// The numbers, without times, machines and what else was planned.
    fn lasting(&self) -> Self {
        let mut lasting = self.clone();
        lasting.machine.clear();
        lasting.planned.clear();
        lasting.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
        lasting
    }

    /// Whether two records say the same but for times and machines. Numbers that are NaN in both are the same.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.lasting().to_json() == other.lasting().to_json()
    }

    /// Writes it, whole or not at all, with a checksum, so that a digit that has changed is seen.
    pub fn write(&self, path: &Path) -> Result<(), CliError> {
        let mut record = self.to_json();
        record["sha256"] = digest::of_bytes(record.to_string()).into();
        write_atomically(path, format!("{record:#}\n").as_bytes())
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.config.id(), "config": self.config.to_json(), "hash": self.config.hash(), "status": self.status.name(),
            "before_top1": self.before_top1.to_string(), "trained_parameters": self.trained_parameters,
            "epochs": self.epochs.iter().map(EpochRecord::to_json).collect::<Vec<_>>(),
            "parameters": self.parameters, "units": self.units, "planned": self.planned, "machine": self.machine,
        })
    }

    /// Reads what [`write`](Self::write) wrote.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
        let damaged = |what: &str| CliError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let mut value: Value = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
        let said = value.as_object_mut().and_then(|record| record.remove("sha256"));
        if said.is_none_or(|said| said != digest::of_bytes(value.to_string())) {
            return Err(damaged("its checksum is another one: it was changed after it was written"));
        }
        let config = Config::of_json(&value["config"]).ok_or_else(|| damaged("expected a configuration"))?;
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        let rows = |key: &str| -> Option<Vec<Vec<String>>> { value[key].as_array()?.iter().map(texts).collect() };
        let read = || -> Option<Self> {
            let machine = value["machine"].as_object()?.iter();
            let trained = usize::try_from(value["trained_parameters"].as_u64()?).ok()?;
            Some(Self {
                config,
                status: [Status::Finished, Status::Died].into_iter().find(|of| value["status"] == of.name())?,
                epochs: value["epochs"].as_array()?.iter().map(EpochRecord::of_json).collect::<Option<_>>()?,
                before_top1: value["before_top1"].as_str()?.parse().ok()?,
                trained_parameters: trained,
                parameters: rows("parameters")?,
                units: rows("units")?,
                planned: texts(&value["planned"])?,
                machine: machine
                    .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect::<Option<_>>()?,
            })
        };
        read().ok_or_else(|| damaged("expected the record of a run"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pvlu_zoo::train::Evaluation;

    use super::*;

    /// A record of an arm and seed whose epochs have these accuracies on held-out and test images.
    pub fn record(arm: &str, seed: u64, epochs: &[(f64, f64)]) -> Record {
        let evaluation = |top1: f64| Evaluation { images: 10, top1, top5: 1.0, loss: 0.25 };
        let epoch = |(index, &(validation, test)): (usize, &(f64, f64))| EpochRecord {
            epoch: index as u64 + 1,
            learning_rate: 1e-3,
            train_loss: 0.5,
            train_top1: 0.75,
            validation: evaluation(validation),
            test: evaluation(test),
            seconds: 1.5,
        };
        let config = Config::default()
            .with("table", "table3")
            .with("model", "vgg16")
            .with("arm", arm)
            .with("activation", arm)
            .with("seed", seed)
            .with("data", "procedural");
        Record {
            config,
            status: Status::Finished,
            epochs: epochs.iter().enumerate().map(epoch).collect(),
            before_top1: 0.5,
            trained_parameters: 7,
            parameters: vec![
                ["0.act", "0", "alpha", "2", "0.1", "0.2", "0.3", "0.4", "0.5", "0.3"].map(str::to_owned).to_vec(),
            ],
            units: Vec::new(),
            planned: vec![format!("table3/vgg16/{arm}/{seed}")],
            machine: BTreeMap::from([("threads".to_owned(), "2".to_owned())]),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let mut one = record("pvlu", 1, &[(0.2, 0.9), (0.5, 0.3), (0.5, 0.8)]);
        one.epochs[0].train_loss = 0.1 + 0.2;
        one.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), one);
        assert_eq!((one.last(), one.selected(), one.peak(), one.selected_epoch()), (0.8, 0.3, 0.9, 2));
        let measured = record("relu", 1, &[]);
        assert_eq!((measured.last(), measured.selected(), measured.selected_epoch()), (0.5, 0.5, 0));
    }

    #[test]
    fn a_damaged_record_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        record("pvlu", 1, &[(0.2, 0.9)]).write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            String::new(),
            text[..text.len() / 2].to_owned(),
            text.replace("vgg16", "vgg19"),
            text.replace("\"0.9\"", "\"x\""),
            text.replace("finished", "ended"),
            text.replace("\"0.9\"", "\"0.8\""),
            "{}".to_owned(),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let error = Record::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.json") && !error.contains('\n'), "{error}");
        }
    }
}
