//! Records of finished runs: everything that the rows of the CSV files are made of, and its file on disk.

use std::collections::BTreeMap;
use std::path::Path;

use pvlu_zoo::train::{EpochRecord, History, Outcome};
use serde_json::{Value, json};

use super::config::Config;
use super::names;
use crate::common::error::CliError;
use crate::common::output::write_atomically;
use crate::common::{digest, input};
use crate::reproduce::protocol::paper::{self, LONGEST_PROTOCOL, Table};
use crate::reproduce::runs::inspect::{PARAMETER_COLUMNS, UNIT_COLUMNS};

/// The most bytes in a field of a row on activations, more than any layer's name has.
const FIELD: usize = 200;

/// The way in which a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All epochs were trained; a training from scratch also reached a final test accuracy of at least twice chance.
    Finished,
    /// The loss was not finite, or a training from scratch ended with a test accuracy below twice chance.
    Died,
}

impl Status {
    /// The status as it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Died => "died",
        }
    }
}

/// The configuration and results of a finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The configuration that decided the run's numbers.
    pub config: Config,
    /// The end of the run: all epochs, or a failed training.
    pub status: Status,
    /// Results of each epoch; none where the network was only measured.
    pub epochs: Vec<EpochRecord>,
    /// Test accuracy before the run, where it began with a trained network; else NaN.
    pub before_top1: f64,
    /// Elements that were trained.
    pub trained_parameters: usize,
    /// A row for each layer and learned parameter of its activations; see [`crate::reproduce::runs::inspect`].
    pub parameters: Vec<Vec<String>>,
    /// A row for each layer of activations.
    pub units: Vec<Vec<String>>,
    /// Addresses of all runs that the command had planned, this one among them.
    pub planned: Vec<String>,
    /// The protocol of the table in TOML, if it is not one of the paper's.
    pub protocol: Option<String>,
    /// The machine that did the run, as values by key; no part of any CSV file.
    pub machine: BTreeMap<String, String>,
}

impl Record {
    /// True if the run finished all its epochs, so that it counts in means.
    pub fn lived(&self) -> bool {
        self.status == Status::Finished
    }

    /// The table of the run; `None` if the record is not one that was read or made here.
    pub fn table(&self) -> Option<Table> {
        match &self.protocol {
            None => paper::find(&self.config.table),
            Some(text) => Table::of_text(text).ok(),
        }
    }

    /// The accuracy that `pick` takes from the epochs, NaN if it takes none; the accuracy before the run if it has no
    /// epochs.
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

    /// Accuracy and loss on held-out images after the epoch that is best by them, by which settings are chosen; NaN if
    /// the training loss was not finite, or if nothing was trained.
    pub fn held_out(&self) -> (f64, f64) {
        let diverged = self.epochs.iter().any(|epoch| !epoch.train_loss.is_finite());
        let history = self.history();
        let best = history.selected().filter(|_| !diverged).map(|epoch| epoch.validation);
        best.map_or((f64::NAN, f64::NAN), |found| (found.top1, found.loss))
    }

    /// The epoch that is best on the held-out images, from 1; 0 without epochs.
    pub fn selected_epoch(&self) -> u64 {
        self.history().selected().map_or(0, |epoch| epoch.epoch)
    }

    /// Seconds that all epochs took together.
    pub fn seconds(&self) -> f64 {
        // The sum of nothing is -0 in Rust.
        self.epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds)
    }

    /// Time of the run by its training steps, evaluations included, in seconds; `None` of a network that was only
    /// measured, and of a run that died, whose last epoch may have ended early.
    pub fn step_seconds(&self) -> Option<f64> {
        let of_epoch = self.config.setup.train_images.div_ceil(self.config.batch_size.max(1));
        let steps = of_epoch as f64 * self.epochs.len() as f64;
        (steps > 0.0 && self.lived()).then(|| self.seconds() / steps)
    }

    /// A copy without times, the machine, the planned addresses and the words of the protocol: everything that must
    /// agree between two runs.
    fn lasting(&self) -> Self {
        let mut lasting = self.clone();
        lasting.machine.clear();
        lasting.planned.clear();
        lasting.protocol = None;
        lasting.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
        lasting
    }

    /// True if two records agree in everything but times, machines and planned runs. Numbers that are NaN in both are
    /// the same.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.lasting().to_json() == other.lasting().to_json()
    }

    /// Writes the record atomically, with a checksum by which [`read`](Self::read) notices a changed digit.
    pub fn write(&self, path: &Path) -> Result<(), CliError> {
        let mut record = self.to_json();
        record["sha256"] = digest::of_bytes(record.to_string()).into();
        write_atomically(path, format!("{record:#}\n").as_bytes())
    }

    fn to_json(&self) -> Value {
        let mut json = json!({
            "id": self.config.id(), "config": self.config.to_json(), "hash": self.config.hash(),
            "status": self.status.name(),
            "before_top1": self.before_top1.to_string(), "trained_parameters": self.trained_parameters,
            "epochs": self.epochs.iter().map(EpochRecord::to_json).collect::<Vec<_>>(),
            "parameters": self.parameters, "units": self.units, "planned": self.planned, "machine": self.machine,
        });
        if let Some(protocol) = &self.protocol {
            json["protocol"] = protocol.as_str().into();
        }
        json
    }

    /// Reads a record that [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, that was changed or cut, or that holds a name unknown to this program.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        Self::parse(&input::bytes(path)?).map_err(|what| CliError::Damaged { path: path.to_owned(), what })
    }

    /// The configuration of the record in a file.
    pub fn config_of(path: &Path) -> Result<Config, CliError> {
        Self::read(path).map(|record| record.config)
    }

    /// The record that a file holds, or what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let said = value.as_object_mut().and_then(|record| record.remove("sha256"));
        if said.is_none_or(|said| said != digest::of_bytes(value.to_string())) {
            return Err("its checksum is another one: it was changed after it was written".to_owned());
        }
        let config = Config::of_json(&value["config"])?;
        let protocol = match &value["protocol"] {
            Value::Null => None,
            Value::String(text) if text.len() <= LONGEST_PROTOCOL => Some(text.clone()),
            _ => return Err("expected a protocol in TOML, found something else".to_owned()),
        };
        let table = names::check(&config, protocol.as_deref())?;
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        let is_field = |text: &String| text.len() <= FIELD && text.bytes().all(|byte| byte.is_ascii_graphic());
        let row = |value: &Value, columns: &[&str]| -> Option<Vec<String>> {
            texts(value).filter(|row| row.len() == columns.len() && row.iter().all(is_field))
        };
        let rows = |key: &str, columns: &[&str]| -> Option<Vec<Vec<String>>> {
            value[key].as_array()?.iter().map(|value| row(value, columns)).collect()
        };
        let read = || -> Option<Self> {
            let machine = value["machine"].as_object()?.iter();
            let trained = usize::try_from(value["trained_parameters"].as_u64()?).ok()?;
            Some(Self {
                config,
                status: [Status::Finished, Status::Died].into_iter().find(|of| value["status"] == of.name())?,
                epochs: value["epochs"].as_array()?.iter().map(EpochRecord::of_json).collect::<Option<_>>()?,
                before_top1: value["before_top1"].as_str()?.parse().ok()?,
                trained_parameters: trained,
                parameters: rows("parameters", &PARAMETER_COLUMNS)?,
                units: rows("units", &UNIT_COLUMNS)?,
                planned: texts(&value["planned"])?,
                protocol,
                machine: machine
                    .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect::<Option<_>>()?,
            })
        };
        let record = read().ok_or("expected the record of a run")?;
        record.planned.iter().try_for_each(|address| names::check_address(table, address))?;
        Ok(record)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pvlu_zoo::train::Evaluation;

    use super::super::config::tests::config;
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
        let (arm_name, activation) = (arm.to_owned(), Some(arm.to_owned()));
        let config = Config { arm: arm_name, activation, seed, ..config() };
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
            protocol: None,
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

    #[test]
    fn a_record_that_was_made_to_do_harm_is_refused_though_its_checksum_fits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let harm: [fn(&mut Value); 6] = [
            |record| record["config"]["table"] = "../../outside".into(),
            |record| record["config"]["seed"] = "0/../../../outside".into(),
            |record| record["config"]["pretrained"] = "\u{1b}]0;owned\u{7}".into(),
            |record| record["planned"] = json!(["table3/vgg16/\u{1b}[2J/0"]),
            |record| record["parameters"] = json!([["one"]]),
            |record| record["units"] = json!([["\n", "\n", "\n", "\n", "\n"]]),
        ];
        for change in harm {
            write_changed(&path, change);
            let error = Record::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.json: expected") && !error.contains(char::is_control), "{error:?}");
            assert!(!error.contains("outside"), "{error}");
        }
    }

    /// Writes a record that was changed, with a checksum that fits.
    fn write_changed(path: &Path, change: impl Fn(&mut Value)) {
        let mut record = record("pvlu", 1, &[(0.2, 0.9)]).to_json();
        change(&mut record);
        record["sha256"] = digest::of_bytes(record.to_string()).into();
        std::fs::write(path, record.to_string()).unwrap();
    }

    #[test]
    fn a_record_without_a_seed_or_another_part_of_its_address_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_changed(&path, |_| ());
        assert_eq!(Record::read(&path).unwrap().config.seed, 1);
        for key in ["table", "model", "arm", "seed", "epochs", "train_images"] {
            let removed = |record: &mut Value| drop(record["config"].as_object_mut().unwrap().remove(key));
            write_changed(&path, removed);
            let error = Record::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.json: expected") && error.contains(&format!("missing field `{key}`")), "{error}");
        }
        for seed in ["", "two", "-1", "01"] {
            write_changed(&path, |record| record["config"]["seed"] = seed.into());
            let error = Record::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.json: expected a known seed of a run, found another"), "{seed}: {error}");
        }
    }

    /// A record of a protocol that is not the paper's.
    fn of_own() -> Record {
        let text = paper::find("table3").unwrap().text().replace("\"table3\"", "\"mine\"");
        let of = record("pvlu", 1, &[(0.2, 0.9)]);
        let config = Config { table: "mine".to_owned(), ..of.config };
        Record { config, planned: vec!["mine/vgg16/pvlu/1".to_owned()], protocol: Some(text), ..of }
    }

    #[test]
    fn a_record_of_a_users_own_protocol_carries_it_and_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let mine = of_own();
        mine.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), mine);
        assert!(mine.table().unwrap().is_own());
        // Another title makes no other run of it.
        let titled = mine.protocol.clone().map(|text| text.replace("Table 3: ", ""));
        assert!(mine.says_the_same(&Record { protocol: titled, ..mine.clone() }));
        let harm: [fn(&mut Value); 6] = [
            |record| drop(record.as_object_mut().unwrap().remove("protocol")),
            |record| record["protocol"] = "name = 3".into(),
            |record| record["protocol"] = 3.into(),
            |record| record["config"]["table"] = "yours".into(),
            |record| record["config"]["table"] = "../mine".into(),
            |record| record["protocol"] = "x".repeat(LONGEST_PROTOCOL + 1).into(),
        ];
        for change in harm {
            let mut record = of_own().to_json();
            change(&mut record);
            record["sha256"] = digest::of_bytes(record.to_string()).into();
            std::fs::write(&path, record.to_string()).unwrap();
            let error = Record::read(&path).unwrap_err().to_string();
            assert!(error.contains("x.json: ") && !error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn the_time_of_a_network_that_was_only_measured_has_no_sign() {
        assert_eq!(format!("{:.3}", record("relu", 0, &[]).seconds()), "0.000");
    }
}
