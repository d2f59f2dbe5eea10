//! The choice of settings by the trials of a sweep: for each network and arm the one with the best mean accuracy on
//! held-out images. Test images have no part in it.

use crate::common::error::CliError;
use crate::reproduce::runs::config::Config;
use crate::reproduce::runs::planned::Planned;
use crate::reproduce::runs::record::Record;

/// The trials of a network and arm with one setting, together.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Name of the network.
    pub model: String,
    /// Name of the arm.
    pub arm: String,
    /// The setting, as it is shown.
    pub setting: String,
    /// Mean over the seeds of the best accuracy on held-out images after any epoch; NaN if the loss of a trial was not
    /// finite.
    pub top1: f64,
    /// Mean over the seeds of the loss on held-out images at these epochs.
    pub loss: f64,
    /// True of the best setting of the network and arm.
    pub chosen: bool,
}

/// Settings that trials chose.
#[derive(Clone, Debug)]
pub struct Choice {
    best: Vec<Score>,
}

impl Choice {
    /// The choice by those of a plan's trials that are finished. Networks and arms of which a trial is missing have
    /// none.
    pub fn of(trials: &[Planned], finished: &[Record]) -> Self {
        let planned: Vec<String> = trials.iter().map(|trial| trial.config.id()).collect();
        Self { best: scores(finished, &planned).into_iter().filter(|score| score.chosen).collect() }
    }

    /// Runs with the settings that were chosen for them.
    pub fn put_into(&self, runs: &[Planned]) -> Vec<Planned> {
        let with = |run: &Planned| {
            let mut run = run.clone();
            let of_run = |score: &&Score| score.model == run.config.model && score.arm == run.config.arm;
            run.config.chosen = self.best.iter().find(of_run).map(|score| score.setting.clone());
            run
        };
        runs.iter().map(with).collect()
    }

    /// Makes sure that those of a plan's trials are finished that these runs need.
    pub fn check(trials: &[Planned], runs: &[Planned], finished: &[Record]) -> Result<(), CliError> {
        for run in runs {
            let of_run = |trial: &&Planned| {
                let (trial, run) = (&trial.config, &run.config);
                trial.model == run.model && trial.arm == run.arm
            };
            let mut trials = trials.iter().filter(of_run);
            let lacking = trials.find(|trial| finished.iter().all(|record| record.config != trial.config));
            if let Some(trial) = lacking {
                return Err(CliError::Usage(format!(
                    "--only: the setting of {} is chosen by trials, of which {} is not finished here: add it",
                    run.config.id(),
                    trial.config.id()
                )));
            }
        }
        Ok(())
    }
}

/// The trials by network and arm, and of each by setting, in the order of their records. Of an arm a setting is chosen
/// only if all its trials are there that were `planned`, as their addresses say.
pub fn scores(trials: &[Record], planned: &[String]) -> Vec<Score> {
    let mut scores: Vec<Score> = Vec::new();
    for record in trials {
        let Config { model, arm, .. } = &record.config;
        let setting = record.config.trial.clone().unwrap_or_default();
        if !scores.iter().any(|of| (&of.model, &of.arm, &of.setting) == (model, arm, &setting)) {
            let same = |other: &&Record| {
                let other = &other.config;
                (&other.model, &other.arm) == (model, arm) && other.trial.as_ref() == Some(&setting)
            };
            let found: Vec<(f64, f64)> = trials.iter().filter(same).map(Record::held_out).collect();
            let mean = |pick: fn(&(f64, f64)) -> f64| found.iter().map(pick).sum::<f64>() / found.len() as f64;
            let (top1, loss) = (mean(|found| found.0), mean(|found| found.1));
            scores.push(Score { model: model.clone(), arm: arm.clone(), setting, top1, loss, chosen: false });
        }
    }
    // Those of an arm stand together, in the order in which the arms came.
    let arms: Vec<(String, String)> = scores.iter().map(|of| (of.model.clone(), of.arm.clone())).collect();
    scores.sort_by_key(|of| arms.iter().position(|(model, arm)| (model, arm) == (&of.model, &of.arm)));
    let is_there = |id: &&String| trials.iter().any(|trial| trial.config.id() == **id);
    let lacking: Vec<&String> = planned.iter().filter(|id| is_trial(id) && !is_there(id)).collect();
    let is_whole = |score: &Score| {
        let of_arm = format!("/{}/{}/", score.model, score.arm);
        !lacking.iter().any(|id| id.contains(&of_arm))
    };
    for index in 0..scores.len() {
        let Some(score) = scores.get(index).filter(|score| is_whole(score)) else { continue };
        let of_arm = |other: &&Score| (&other.model, &other.arm) == (&score.model, &score.arm);
        // The earliest of equals, which is the last in the reverse order that `max_by` keeps.
        let best = scores.iter().filter(of_arm).rev().max_by(|a, b| order(a).total_cmp(&order(b)).then(by_loss(a, b)));
        let chosen = best.is_some_and(|best| best.setting == score.setting);
        if let Some(score) = scores.get_mut(index) {
            score.chosen = chosen;
        }
    }
    scores
}

/// Addresses that the records of a table were planned with: of its runs or, without any, of its trials. An earlier
/// command may have done a trial for a wider sweep, whose other trials its record still names.
pub fn planned(records: &[Record]) -> Vec<String> {
    let has_runs = records.iter().any(|record| record.config.trial.is_none());
    let counting = records.iter().filter(|record| !has_runs || record.config.trial.is_none());
    // Commands may have planned different runs: other seeds, other arms.
    let mut planned: Vec<String> = Vec::new();
    for record in counting {
        let new: Vec<String> = record.planned.iter().filter(|id| !planned.contains(id)).cloned().collect();
        planned.extend(new);
    }
    planned
}

/// True for the address of a trial, whose fifth part is its setting.
pub fn is_trial(id: &str) -> bool {
    id.split('/').count() > 4
}

/// The accuracy by which settings are ordered, with trials that ended early below all others.
fn order(score: &Score) -> f64 {
    if score.top1.is_nan() { f64::NEG_INFINITY } else { score.top1 }
}

/// Of equal accuracies, the lower loss is the better one.
fn by_loss(a: &Score, b: &Score) -> std::cmp::Ordering {
    b.loss.total_cmp(&a.loss)
}

/// Words for a trial in the title of its training; none for other runs.
pub fn of_trial(config: &Config) -> String {
    config.trial.as_ref().map_or_else(String::new, |setting| format!(" trying {setting}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::runs::record::tests::record;

    fn trial(arm: &str, setting: &str, seed: u64, held_out: f64) -> Record {
        // The test accuracy is the other way round, and must not count.
        let of = record(arm, seed, &[(held_out / 2.0, 0.0), (held_out, 1.0 - held_out)]);
        Record { config: Config { trial: Some(setting.to_owned()), ..of.config }, ..of }
    }

    fn chosen(trials: &[Record]) -> Vec<(String, String)> {
        let found = scores(trials, &[]).into_iter().filter(|score| score.chosen);
        found.map(|score| (score.arm, score.setting)).collect()
    }

    #[test]
    fn each_arm_gets_the_setting_that_is_best_on_held_out_images_in_the_mean_over_seeds() {
        let trials = [
            trial("relu", "epochs=1", 7, 0.9),
            trial("relu", "epochs=1", 8, 0.1),
            trial("relu", "epochs=2", 7, 0.6),
            trial("relu", "epochs=2", 8, 0.6),
            trial("pvlu", "epochs=1", 7, 0.5),
            trial("pvlu", "epochs=2", 7, 0.4),
        ];
        let pair = |arm: &str, setting: &str| (arm.to_owned(), setting.to_owned());
        assert_eq!(chosen(&trials), [pair("relu", "epochs=2"), pair("pvlu", "epochs=1")]);
        let found = scores(&trials, &[]);
        assert_eq!((found.len(), found[0].top1, found[1].top1), (4, 0.5, 0.6));
        // The trials of a setting come one after the other, and the report has those of an arm together.
        let mixed = [trials[0].clone(), trials[4].clone(), trials[2].clone(), trials[5].clone()];
        let arms: Vec<String> = scores(&mixed, &[]).into_iter().map(|score| score.arm).collect();
        assert_eq!(arms, ["relu", "relu", "pvlu", "pvlu"]);
    }

    #[test]
    fn nothing_is_chosen_for_an_arm_of_which_a_trial_is_missing() {
        let trials = [trial("relu", "epochs=1", 7, 0.5), trial("pvlu", "epochs=1", 7, 0.5)];
        let planned = ["table3/vgg16/pvlu/0", "table3/vgg16/pvlu/7/epochs=1", "table3/vgg16/relu/7/epochs=2"];
        let found = scores(&trials, &planned.map(str::to_owned));
        let chosen: Vec<&str> = found.iter().filter(|score| score.chosen).map(|score| score.arm.as_str()).collect();
        assert_eq!(chosen, ["pvlu"]);
    }

    #[test]
    fn equals_are_told_apart_by_loss_and_then_by_order_and_what_diverged_comes_last() {
        let with_loss = |mut of: Record, loss: f64| {
            of.epochs.iter_mut().for_each(|epoch| epoch.validation.loss = loss);
            of
        };
        let same = [trial("relu", "epochs=1", 7, 0.5), trial("relu", "epochs=2", 7, 0.5)];
        assert_eq!(chosen(&same)[0].1, "epochs=1");
        let lower = [with_loss(same[0].clone(), 2.0), with_loss(same[1].clone(), 1.0)];
        assert_eq!(chosen(&lower)[0].1, "epochs=2");
        let mut diverged = trial("relu", "epochs=1", 7, 0.9);
        diverged.epochs[1].train_loss = f64::NAN;
        assert!(scores(&[diverged.clone()], &[])[0].top1.is_nan());
        assert_eq!(chosen(&[diverged.clone(), trial("relu", "epochs=2", 7, 0.1)])[0].1, "epochs=2");
        // One is chosen even if all ended early, so that every run has a setting.
        assert_eq!(chosen(&[diverged]).len(), 1);
    }
}
