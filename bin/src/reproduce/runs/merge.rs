//! Merging the runs of several machines into one table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::config::VARIED;
use super::record::Record;
use crate::common::error::CliError;
use crate::reproduce::choice::{planned, scores};

/// The records of some output folders, by table. A run that is in several folders counts once.
///
/// # Errors
///
/// A folder that cannot be read, no finished run in any, a damaged record, two records of a run that differ in more
/// than their times, runs of a table that are of other settings or images, and, unless `partial`, a run that was
/// planned and is not there.
pub fn collect(folders: &[PathBuf], partial: bool) -> Result<BTreeMap<String, Vec<Record>>, CliError> {
    let mut found: BTreeMap<String, (PathBuf, Record)> = BTreeMap::new();
    for folder in folders {
        for path in records_of(folder)? {
            let record = Record::read(&path)?;
            let id = record.config.id();
            match found.get(&id) {
                Some((other, same)) if !same.says_the_same(&record) => {
                    let what = match record.config.difference(&same.config) {
                        Some(difference) => difference.between("here", "there"),
                        None => "its numbers differ".to_owned(),
                    };
                    return Err(CliError::Damaged {
                        path,
                        what: format!("{id} is in {} too: {what}", other.display()),
                    });
                }
                Some(_) => {}
                None => drop(found.insert(id, (path, record))),
            }
        }
    }
    if found.is_empty() {
        let path = folders.first().cloned().unwrap_or_default();
        return Err(CliError::Damaged { path, what: "no finished run is there, nor in the others".to_owned() });
    }
    let mut tables: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for (_, record) in found.values() {
        tables.entry(record.config.table.clone()).or_default().push(record.clone());
    }
    for (table, records) in &mut tables {
        retain_trials(records);
        check(table, records, partial)?;
    }
    Ok(tables)
}

/// Leaves out trials that no run here was chosen by, as those of an earlier sweep of other values.
fn retain_trials(records: &mut Vec<Record>) {
    let planned: BTreeSet<String> =
        records.iter().filter(|of| of.config.trial.is_none()).flat_map(|run| run.planned.iter().cloned()).collect();
    if !planned.is_empty() {
        records.retain(|record| record.config.trial.is_none() || planned.contains(&record.config.id()));
    }
}

/// Makes sure that runs have the settings that their trials choose, where all of these are there.
fn check_choice(records: &[Record], planned: &[String]) -> Result<(), CliError> {
    let trials: Vec<Record> = records.iter().filter(|of| of.config.trial.is_some()).cloned().collect();
    for score in scores(&trials, planned).iter().filter(|score| score.chosen) {
        let of_arm = |run: &&Record| run.config.model == score.model && run.config.arm == score.arm;
        for run in records.iter().filter(|run| run.config.trial.is_none()).filter(of_arm) {
            if run.config.chosen.as_ref() != Some(&score.setting) {
                let (id, setting) = (run.config.id(), &score.setting);
                let found = run.config.chosen.as_deref().unwrap_or("none");
                let what = format!("merge: {id}: its trials here choose {setting}, it has {found}");
                return Err(CliError::Usage(what));
            }
        }
    }
    Ok(())
}

/// Makes sure that the runs of a table have the same settings and are complete, and sorts them in the order of the
/// table.
fn check(table: &str, records: &mut [Record], partial: bool) -> Result<(), CliError> {
    let Some(first) = records.first() else { return Ok(()) };
    for record in records.iter() {
        let config = &record.config;
        // Trials are compared with trials, and runs with runs.
        let like = || records.iter().filter(|other| other.config.trial.is_some() == config.trial.is_some());
        let of_model = like().find(|other| other.config.model == config.model);
        // These keys tell the runs of a table apart. Weights may differ between models, but not within one. Under a
        // sweep each arm has settings of its own, and so has each trial.
        let mut of_table = ["model", "pretrained", "pretrained_sha256", "image"].to_vec();
        let mut of_arms = ["model", "arm", "activation", "seed", "trains"].to_vec();
        let mut of_seeds = vec!["seed"];
        if config.trial.is_some() {
            of_seeds.extend(VARIED);
        }
        // The recipe that was varied, and what was tried, are the same in all.
        if config.recipe_sha256.is_some() {
            of_arms.extend(VARIED);
        }
        of_table.extend(&of_arms);
        let is_of_arm = |other: &&Record| (&other.config.model, &other.config.arm) == (&config.model, &config.arm);
        let of_arm = like().find(is_of_arm);
        let compared = [(like().next(), of_table), (of_model, of_arms), (of_arm, of_seeds)];
        for (other, may_differ) in compared.iter().filter_map(|(other, keys)| Some(((*other)?, keys))) {
            if let Some(difference) = record.config.difference_but(&other.config, may_differ) {
                let said = difference.between(&record.config.id(), &other.config.id());
                return Err(CliError::Usage(format!("merge: {said}")));
            }
        }
    }
    let of_recipe = |record: &&Record| record.config.recipe_sha256 != first.config.recipe_sha256;
    if let Some(other) = records.iter().find(of_recipe) {
        let (here, there) = (first.config.id(), other.config.id());
        return Err(CliError::Usage(format!("merge: {here}, {there}: a sweep of another recipe, or none")));
    }
    let compared = |record: &Record| {
        let protocol = record.table()?.protocol();
        Some(format!("{} compared to {}", protocol.proposed, protocol.base))
    };
    let of_first = compared(first);
    if let Some(other) = records.iter().find(|record| compared(record) != of_first) {
        let [one, two] = [of_first, compared(other)].map(Option::unwrap_or_default);
        let (here, there) = (first.config.id(), other.config.id());
        return Err(CliError::Usage(format!("merge: {here}: the protocol plans {one}, {there}: {two}")));
    }
    let planned = planned(records);
    let ids: BTreeSet<String> = records.iter().map(|record| record.config.id()).collect();
    let missing: Vec<&str> = planned.iter().filter(|id| !ids.contains(*id)).map(String::as_str).collect();
    if !missing.is_empty() && !partial {
        return Err(CliError::Gaps { table: table.to_owned(), missing: missing.join(", ") });
    }
    check_choice(records, &planned)?;
    records.sort_by_key(|record| planned.iter().position(|id| *id == record.config.id()));
    Ok(())
}

/// Paths of the records in an output folder, sorted.
fn records_of(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let runs = folder.join("runs");
    let failed = |source| CliError::Read { path: folder.to_owned(), source };
    // An output folder without `runs` belongs to a command that has not finished a run.
    if folder.is_dir() && !runs.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&runs).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    /// An output folder with some runs of a plan.
    fn folder(planned: &[(&str, u64)], runs: &[Record]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("runs")).unwrap();
        for record in runs {
            let planned = planned.iter().map(|(arm, seed)| format!("table3/vgg16/{arm}/{seed}")).collect();
            let record = Record { planned, ..record.clone() };
            record.write(&folder.path().join("runs").join(format!("{}.json", record.config.stem()))).unwrap();
        }
        folder
    }

    const PLAN: [(&str, u64); 3] = [("relu", 0), ("pvlu", 0), ("pvlu", 1)];

    fn merged(folders: &[&tempfile::TempDir], partial: bool) -> Result<Vec<String>, String> {
        let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        let tables = collect(&folders, partial).map_err(|error| error.to_string())?;
        Ok(tables.values().flatten().map(|record| record.config.id()).collect())
    }

    #[test]
    fn runs_of_several_folders_are_one_table_in_its_order() {
        let one = folder(&PLAN, &[record("pvlu", 1, &[(0.5, 0.5)]), record("relu", 0, &[])]);
        let two = folder(&PLAN, &[record("pvlu", 0, &[(0.5, 0.25)])]);
        let ids = ["table3/vgg16/relu/0", "table3/vgg16/pvlu/0", "table3/vgg16/pvlu/1"];
        assert_eq!(merged(&[&one, &two], false).unwrap(), ids);
        assert_eq!(merged(&[&two, &one], false).unwrap(), ids);
        let error = merged(&[&one], false).unwrap_err();
        assert!(error.contains("table3/vgg16/pvlu/0") && !error.contains("relu/0"), "{error}");
        assert_eq!(merged(&[&one], true).unwrap().len(), 2);
    }

    #[test]
    fn the_same_run_twice_is_one_and_two_that_differ_are_an_error() {
        let all: Vec<Record> = PLAN.iter().map(|(arm, seed)| record(arm, *seed, &[(0.5, 0.5)])).collect();
        let mut slower = all[0].clone();
        slower.epochs[0].seconds = 9.0;
        slower.machine.clear();
        let (one, two) = (folder(&PLAN, &all), folder(&PLAN, &[slower]));
        assert_eq!(merged(&[&one, &two], false).unwrap().len(), 3);
        // A training from scratch has no accuracy before the run.
        let mut scratch = all[1].clone();
        scratch.before_top1 = f64::NAN;
        let both = [folder(&PLAN, &[scratch.clone()]), folder(&PLAN, &[scratch])];
        assert_eq!(merged(&[&both[0], &both[1]], true).unwrap().len(), 1);
        let three = folder(&PLAN, &[record("relu", 0, &[(0.5, 0.75)])]);
        assert!(merged(&[&one, &three], false).unwrap_err().contains("numbers differ"));
        let mut other = all[0].clone();
        other.config.learning_rate = "0.5".to_owned();
        let error = merged(&[&one, &folder(&PLAN, &[other])], false).unwrap_err();
        assert!(error.contains("here: learning_rate is 0.5, there: 1e-3"), "{error}");
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let one = folder(&PLAN, &[record("relu", 0, &[])]);
        // The runs were planned by two commands, and still belong together.
        let two = folder(&[("pvlu", 5)], &[record("pvlu", 5, &[])]);
        assert_eq!(merged(&[&one, &two], true).unwrap().len(), 2);
        assert!(merged(&[&one, &two], false).unwrap_err().contains("table3/vgg16/pvlu/1"));
        let mut others = record("pvlu", 0, &[]);
        others.config.pretrained_sha256 = Some("abc".to_owned());
        assert!(merged(&[&one, &folder(&PLAN, &[others])], true).unwrap_err().contains("pretrained_sha256"));
        let mut other = record("pvlu", 0, &[]);
        other.config.epochs = 9;
        let error = merged(&[&one, &folder(&PLAN, &[other])], true).unwrap_err();
        let said = "merge: table3/vgg16/relu/0: epochs is 3, table3/vgg16/pvlu/0: 9";
        assert!(error.contains(said), "{error}");
        // The version of the arithmetic is named first, since it explains the other differences.
        let mut newer = record("pvlu", 0, &[]);
        (newer.config.setup.device, newer.config.setup.numerics) = (Some("cpu".to_owned()), Some(2));
        let error = merged(&[&one, &folder(&PLAN, &[newer])], true).unwrap_err();
        assert!(error.contains("numerics is nothing, table3/vgg16/pvlu/0: 2"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        assert!(merged(&[&empty], false).is_err());
    }

    /// A run with a setting that was chosen, and a trial, of a sweep from the recipe of this hash.
    fn swept(arm: &str, recipe: &str, chosen: &str) -> [Record; 2] {
        let config =
            |of: Record| crate::reproduce::runs::config::Config { recipe_sha256: Some(recipe.repeat(64)), ..of.config };
        let (run, trial) = (record(arm, 0, &[(0.5, 0.5)]), record(arm, 7, &[(0.5, 0.5)]));
        let (mut of_run, mut of_trial) = (config(run.clone()), config(trial.clone()));
        (of_run.chosen, of_run.swept) = (Some(chosen.to_owned()), Some("epochs=1|2, seed 7".to_owned()));
        of_trial.trial = Some("epochs=1".to_owned());
        [Record { config: of_run, ..run }, Record { config: of_trial, ..trial }]
    }

    #[test]
    fn sweeps_of_two_recipes_and_runs_that_their_trials_did_not_choose_are_refused() {
        let plan = |arm: &str| [format!("table3/vgg16/{arm}/0"), format!("table3/vgg16/{arm}/7/epochs=1")];
        let folder = |runs: &[Record]| {
            let place = tempfile::tempdir().unwrap();
            std::fs::create_dir(place.path().join("runs")).unwrap();
            for run in runs {
                let run = Record { planned: plan(&run.config.arm).to_vec(), ..run.clone() };
                run.write(&place.path().join("runs").join(format!("{}.json", run.config.stem()))).unwrap();
            }
            place
        };
        let relu = folder(&swept("relu", "a", "epochs=1"));
        let [same, other, wrong] = [("a", "epochs=1"), ("b", "epochs=1"), ("a", "epochs=2")]
            .map(|(recipe, chosen)| folder(&swept("pvlu", recipe, chosen)));
        assert_eq!(merged(&[&relu, &same], false).unwrap().len(), 4);
        let error = merged(&[&relu, &other], false).unwrap_err();
        assert!(error.contains("recipe_sha256") || error.contains("another recipe"), "{error}");
        let error = merged(&[&relu, &wrong], false).unwrap_err();
        assert!(error.contains("pvlu/0: its trials here choose epochs=1, it has epochs=2"), "{error}");
        // Trials that no run here was planned with are those of an earlier sweep.
        let [run, trial] = swept("relu", "a", "epochs=1");
        let alone = Record { planned: vec![run.config.id()], ..run };
        let place = folder(&[trial]);
        alone.write(&place.path().join("runs").join(format!("{}.json", alone.config.stem()))).unwrap();
        assert_eq!(merged(&[&place], false).unwrap(), ["table3/vgg16/relu/0"]);
    }
}
