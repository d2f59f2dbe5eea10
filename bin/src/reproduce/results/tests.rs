use super::*;
use crate::reproduce::protocol::paper;
use crate::reproduce::runs::record::Status;
use crate::reproduce::runs::record::tests::record;

fn table3() -> Table {
    paper::find("table3").unwrap()
}

/// A table of two seeds: ReLU measured, PVLU trained, one run dead.
fn records() -> Vec<Record> {
    let mut died = record("prelu", 0, &[(0.1, 0.1)]);
    died.status = Status::Died;
    vec![
        record("relu", 0, &[(0.5, 0.5)]),
        died,
        record("pvlu", 0, &[(0.2, 0.9), (0.5, 0.6)]),
        record("relu", 1, &[(0.5, 0.6)]),
        record("prelu", 1, &[(0.5, 0.7)]),
        record("pvlu", 1, &[(0.5, 0.75), (0.4, 0.5)]),
    ]
}

fn column(name: &str) -> usize {
    KEY.iter().chain(&RUN_COLUMNS).position(|column| *column == name).unwrap()
}

fn read(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn rows_are_those_of_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let text = write(table3(), &records(), folder.path()).unwrap();
    let rows = read(folder.path(), "table3.csv");
    assert_eq!(rows.len(), 6 + 3 * 2);
    let of = |row: usize, name: &str| rows[row][column(name)].as_str();
    assert_eq!((of(2, "run_id"), of(2, "status")), ("table3/vgg16/pvlu/0", "finished"));
    assert_eq!((of(2, "final_top1"), of(2, "peak_top1")), ("0.600000", "0.900000"));
    assert_eq!((of(2, "val_selected_top1"), of(2, "val_selected_epoch")), ("0.600000", "2"));
    // (0.5 - 0.4) / 0.5
    assert_eq!((of(2, "rel_error_decrease"), of(2, "difference")), ("0.200000", "0.100000"));
    assert_eq!((of(1, "status"), of(1, "difference"), of(1, "rel_error_decrease")), ("died", "", ""));
    assert_eq!(of(2, "train_seconds"), "3.000");
    // Means of relu, prelu and pvlu, each followed by its standard error.
    let (prelu, pvlu) = (8, 10);
    assert_eq!(
        (of(prelu, "arm"), of(prelu, "seed"), of(prelu, "runs"), of(prelu, "died")),
        ("prelu", "mean", "1", "1")
    );
    assert_eq!(of(prelu, "val_selected_top1"), "0.700000");
    assert_eq!((of(pvlu, "run_id"), of(pvlu, "val_selected_top1")), ("table3/vgg16/pvlu/mean", "0.675000"));
    assert_eq!((of(pvlu, "difference"), of(pvlu + 1, "seed")), ("0.125000", "standard_error"));
    assert_eq!((of(pvlu, "difference_low"), of(pvlu, "difference_high")), ("", ""), "too few seeds");
    assert_eq!(
        (of(pvlu, "comparison"), of(pvlu, "p_value"), of(pvlu, "p_adjusted")),
        ("planned", "0.500000", "0.500000")
    );
    assert_eq!(of(pvlu, "verdict"), "2 seeds cannot decide: 6 could");
    assert_eq!((of(prelu, "comparison"), of(prelu, "p_value")), ("exploratory", "1.000000"));
    assert_eq!((of(prelu, "verdict"), of(pvlu + 1, "verdict")), ("1 seed cannot decide: 6 could", ""));
    let relu = 6;
    assert_eq!((of(relu, "verdict"), of(relu, "comparison"), of(relu, "improvement")), ("", "", ""));
    // 0.6 and 0.75 against 0.5 and 0.6: three wins and a tie.
    assert_eq!(of(pvlu, "improvement"), "0.875000");
    // The deviation of 0.6 and 0.75, and sqrt(0.675 * 0.325 / 400).
    assert_eq!((of(pvlu, "spread"), of(pvlu, "expected_spread")), ("0.106066", "0.023419"));
    assert_eq!(read(folder.path(), "table3_epochs.csv").len(), 8);
    assert_eq!(read(folder.path(), "table3_parameters.csv").len(), 6);
    assert!(!folder.path().join("table3_units.csv").exists(), "no rows, no file");
    let judged = "pvlu             planned      87.50   +12.50                  -   0.5000   0.5000  \
                  2 seeds cannot decide";
    assert!(text.contains(judged), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("table3.json")).unwrap()).unwrap();
    assert_eq!(json["configuration"]["model"], "vgg16");
    assert!(json["configuration"]["arm"].is_null(), "not what all runs have in common");
    assert_eq!(json["runs"].as_object().unwrap().len(), 6);
    assert_eq!(json["seconds"], 12.0);
}

#[test]
fn a_folder_in_the_place_of_a_file_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), table3()).unwrap();
    std::fs::create_dir(folder.path().join("table3_units.csv")).unwrap();
    assert!(check(folder.path(), table3()).unwrap_err().to_string().contains("table3_units.csv"));
    check(folder.path(), paper::find("table4").unwrap()).unwrap();
}

/// Runs of arms over eight seeds: ReLU, and the others above it by so much in each.
fn over_seeds(arms: &[(&str, [f64; 8])]) -> Vec<Record> {
    let relu = |seed: u64| 0.5 + 0.01 * seed as f64;
    let of = |arm: &str, seed: u64, by: f64| record(arm, seed, &[(0.5, relu(seed) + by)]);
    let mut records = Vec::new();
    for seed in 0..8 {
        records.push(of("relu", seed, 0.0));
        records.extend(arms.iter().map(|(arm, by)| of(arm, seed, by[seed as usize])));
    }
    records
}

/// The row of an arm's means, by column.
fn summary_of(records: &[Record], arm: &str) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    write(table3(), records, folder.path()).unwrap();
    let rows = read(folder.path(), "table3.csv");
    let is_it = |row: &&Vec<String>| row[column("seed")] == "mean" && row[column("arm")] == arm;
    let row = rows.iter().find(is_it).unwrap();
    KEY.iter().chain(&RUN_COLUMNS).copied().zip(row.iter().cloned()).collect()
}

#[test]
fn eight_seeds_decide_with_the_planned_arm_alone_and_the_others_together() {
    let gains = [0.01, 0.02, 0.01, 0.03, 0.02, 0.01, 0.02, 0.01];
    let losses = gains.map(|gain| -gain);
    let mut one_down = gains;
    one_down[0] = -0.01;
    let mixed = [0.01, -0.01, 0.02, -0.02, 0.01, -0.01, 0.01, -0.01];
    let records = over_seeds(&[("pvlu", one_down), ("prelu", losses), ("elu", mixed)]);
    let pvlu = summary_of(&records, "pvlu");
    // Of magnitudes 0.01 (four times), 0.02 (three times) and 0.03, a sum of 0.11 or more has all signs the same, or
    // one of the four against the others: 2 (1 + 4) choices of 256.
    assert_eq!((pvlu["p_value"].as_str(), pvlu["p_adjusted"].as_str()), ("0.039062", "0.039062"));
    assert_eq!((pvlu["comparison"].as_str(), pvlu["verdict"].as_str()), ("planned", "better"));
    let [low, high] = ["difference_low", "difference_high"].map(|end| pvlu[end].parse::<f64>().unwrap());
    assert!(0.0 < low && low < 0.01375 && 0.01375 < high && high < 0.03, "{low} {high}");
    let prelu = summary_of(&records, "prelu");
    assert_eq!((prelu["p_value"].as_str(), prelu["p_adjusted"].as_str()), ("0.007812", "0.015625"));
    assert_eq!((prelu["comparison"].as_str(), prelu["verdict"].as_str()), ("exploratory", "worse"));
    assert_eq!(summary_of(&records, "elu")["verdict"], "cannot be told from noise");
    let (steps, step) =
        (720_usize.div_ceil(records[0].config.batch_size), pvlu["step_seconds"].parse::<f64>().unwrap());
    assert!((step * steps as f64 - records[0].seconds()).abs() < 1e-4, "{step}");
}

#[test]
fn an_arm_with_start_values_of_its_own_is_not_the_planned_one() {
    let mut records = over_seeds(&[("pvlu", [0.01; 8])]);
    assert_eq!(summary_of(&records, "pvlu")["comparison"], "planned");
    for record in records.iter_mut().filter(|record| record.config.arm == "pvlu") {
        record.config.activation = Some("pvlu; alpha = 0.1".to_owned());
    }
    assert_eq!(summary_of(&records, "pvlu")["comparison"], "exploratory");
    // Nor is any where the base is another one.
    let mut records = over_seeds(&[("pvlu", [0.01; 8])]);
    for record in records.iter_mut().filter(|record| record.config.arm == "relu") {
        record.config.activation = Some("relu; slope = 0.1".to_owned());
    }
    assert_eq!(summary_of(&records, "pvlu")["comparison"], "exploratory");
}

#[test]
fn without_runs_of_relu_an_arm_has_a_verdict_that_says_so() {
    let mut records = over_seeds(&[("pvlu", [0.01; 8])]);
    records.retain(|record| record.config.arm == "pvlu");
    let pvlu = summary_of(&records, "pvlu");
    assert_eq!((pvlu["verdict"].as_str(), pvlu["p_value"].as_str()), ("no seed to compare", ""));
    assert_eq!((pvlu["difference"].as_str(), pvlu["improvement"].as_str()), ("", ""));
}
