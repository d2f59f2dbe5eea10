//! `reproduce table3` to `table6`, on a network with drawn weights, whose numbers say nothing but are the same each
//! time.

use crate::support::{Csv, Place, number};
use crate::zoo::weights;

const SMALL: &str = "--limit-train 40 --limit-test 20 --first-epochs 1 --epochs 2 --batch-size 20 --quiet";

/// The two files of a table of `cifar_resnet20`.
fn files(table: &str, options: &str) -> [Csv; 2] {
    let place = Place::new();
    weights(&place.path("cifar10_resnet20.safetensors"), "cifar_resnet20", "relu", 10);
    place.run(&format!("{table} {SMALL} --models cifar_resnet20 --weights . {options}")).succeeded();
    [format!("{table}.csv"), format!("{table}_epochs.csv")].map(|name| place.csv(&name))
}

#[test]
fn every_arm_goes_on_from_the_same_network() {
    for (table, arms, measured_only) in [
        ("table3", ["relu", "relu_affine", "prelu", "pvlu"], true),
        ("table4", ["relu", "relu_affine", "prelu", "pvlu"], true),
        ("table5", ["relu", "prelu", "vlu", "pvlu"], false),
    ] {
        let [runs, epochs] = files(table, "");
        let rows: Vec<_> = runs.rows.iter().filter(|row| row["status"] == "finished").collect();
        assert!(rows.iter().map(|row| row["arm"].as_str()).eq(arms), "{table}");
        for row in &rows {
            assert_eq!(row["pretrained"], "cifar10_resnet20.safetensors");
            assert_eq!(row["run_id"], format!("{table}/cifar_resnet20/{}/0", row["arm"]));
            assert_eq!(row["before_top1"], rows[0]["before_top1"]);
            assert_eq!(row["paper_top1"], "", "numbers of other images");
            let difference = number(row, "val_selected_top1") - number(rows[0], "val_selected_top1");
            assert!((number(row, "difference") - difference).abs() < 2e-6);
        }
        // 688 channels of activations, as many of batch norm.
        let trained = |arm: &str| rows.iter().find(|row| row["arm"] == arm).unwrap()["trained_parameters"].as_str();
        let batch_norm = if table == "table3" { 0 } else { 2 * 688 };
        assert_eq!(trained("pvlu"), (2 * 688 + batch_norm).to_string());
        assert_eq!(trained("prelu"), (688 + batch_norm).to_string());
        assert_eq!(trained("relu"), if measured_only { "0" } else { "1376" });
        assert_eq!(runs.rows_with(&[("status", "summary")]).len(), 2 * arms.len());
        assert_eq!(epochs.rows.len(), 2 * (arms.len() - usize::from(measured_only)));
    }
}

#[test]
fn numbers_depend_on_neither_threads_nor_other_seeds() {
    let [one, one_epochs] = files("table4", "--arms relu,pvlu --threads 1 --seeds 1");
    let [two, two_epochs] = files("table4", "--arms relu,pvlu --threads 2 --seeds 1");
    assert_eq!(one.lasting(), two.lasting());
    assert_eq!(one_epochs.lasting(), two_epochs.lasting());
    let [both, _] = files("table4", "--arms relu,pvlu --seeds 0,1");
    let of = |csv: &Csv| -> Vec<String> {
        csv.rows_with(&[("seed", "1")]).iter().map(|row| row["final_top1"].clone() + &row["run_id"]).collect()
    };
    assert_eq!((of(&one).len(), of(&one)), (2, of(&both)));
    // An interval and a verdict need six seeds.
    let mean = |csv: &Csv, column: &str| csv.rows_with(&[("seed", "mean"), ("arm", "pvlu")])[0][column].clone();
    assert_eq!(mean(&one, "verdict"), "1 seed cannot decide: 6 could");
    assert_eq!(mean(&both, "verdict"), "2 seeds cannot decide: 6 could");
    assert!(mean(&one, "p_value") == "1.000000" && !mean(&both, "p_value").is_empty());
    assert!(mean(&both, "difference_low").is_empty());
}

/// Each option that replaces a value of the protocol changes the numbers, and is named beside them.
#[test]
fn values_of_the_protocol_can_be_replaced() {
    for (table, same, others) in [
        ("table4", "--filter-sigma 1 --filter-radius 4", &["--filter-sigma 3", "--filter-radius 1"][..]),
        ("table5", "--cutout 16 --shift 4 --held-out 0.1", &["--cutout 0", "--shift 0", "--held-out 0.5"]),
    ] {
        let of = |options: &str| files(table, &format!("--arms relu,pvlu {options}"));
        let [_, usual] = of("");
        let [_, given] = of(same);
        assert_eq!(usual.lasting(), given.lasting(), "{table} {same}");
        for other in others {
            let [runs, epochs] = of(other);
            assert_ne!(usual.lasting(), epochs.lasting(), "{table} {other}");
            let named = other.trim_start_matches("--").replace(' ', "=");
            assert!(runs.rows[0]["overridden"].contains(&named), "{named} in {}", runs.rows[0]["overridden"]);
        }
    }
}

#[test]
fn what_is_missing_or_wrong_is_said_in_a_line() {
    let place = Place::new();
    place.run("table5 --preset paper --limit-train 40").failed_in_one_line(1, &["resnet50", "no --weights"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    place
        .run("table3 --models cifar_resnet20 --weights empty")
        .failed_in_one_line(1, &["empty", "cifar_resnet20", "cifar100_resnet20*.safetensors"]);
    place.run("table3 --models vgg17").failed_in_one_line(2, &["--models", "vgg17"]);
    place.run("table3 --arms geglu").failed(2, &["geglu"]);
    place.run("table3 --models vgg16,vgg16").failed_in_one_line(2, &["vgg16 twice"]);
    place.run("table5 --arms relu_affine").failed_in_one_line(2, &["--arms", "relu_affine", "relu, prelu, vlu, pvlu"]);
    place.run("table6 --learning-rate 0").failed(2, &["learning-rate"]);
    assert!(place.results().is_empty());
}

#[test]
fn a_network_that_a_publisher_has_no_weights_for_is_trained_unless_it_was_asked_for() {
    let place = Place::new();
    let plan = "table5 --preset quick --dry-run --weights torchvision --offline";
    let ran = place.run(plan).succeeded();
    assert!(format!("{ran:?}").contains("no pretrained cifar_resnet20 given or found"), "{ran:?}");
    let ran = place.run(&format!("{plan} --models cifar_resnet20"));
    assert!(ran.stderr.contains("torchvision has no weights for cifar_resnet20"), "{ran:?}");
}
