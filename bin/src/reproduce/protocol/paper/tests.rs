use std::collections::HashSet;

use pvlu_zoo::transfer::FreezePolicy;

use super::*;

#[test]
fn every_table_is_found_by_its_name_alone() {
    let names: HashSet<&str> = ALL.iter().map(|table| table.name()).collect();
    assert_eq!(names.len(), ALL.len());
    for table in ALL {
        assert_eq!(find(table.name()), Some(*table));
        let heading = format!("Table {}: ", table.number());
        assert!(table.title().starts_with(&heading) && table.about().starts_with(&heading), "{table:?}");
    }
    assert_eq!((find("table"), find("Table1"), find("")), (None, None, None));
}

#[test]
fn published_numbers_fit_their_tables() {
    for table in ALL.iter().filter_map(|table| table.scratch()) {
        for published in table.published {
            assert!(table.activations.contains(&published.activation), "{}", published.activation);
            assert_eq!(published.by_seed.len(), table.seeds.len(), "{} {}", table.name, published.activation);
            // Means are printed without the runs that died, and rounded.
            let lived: Vec<f64> = published.by_seed.iter().copied().filter(|&top1| top1 > 0.02).collect();
            let mean = lived.iter().sum::<f64>() / lived.len() as f64;
            assert!((mean - published.mean).abs() < 1.1e-3, "{} {}: {mean}", table.name, published.activation);
        }
    }
}

#[test]
fn arms_and_published_numbers_fit() {
    for table in ALL.iter().filter_map(|table| table.tuning()) {
        assert_eq!(table.arms[0].name, "relu");
        for published in table.published {
            assert!(table.models.contains(&published.model), "{} {}", table.name, published.model);
            let decrease = crate::common::statistics::rel_error_decrease(published.relu, published.pvlu);
            // Printed accuracies are rounded.
            assert!((decrease - published.rel_error_decrease).abs() < 3e-3, "{} {}", table.name, published.model);
        }
    }
}

/// A table that the paper does not print has no published numbers.
#[test]
fn every_model_of_the_papers_tables_has_published_numbers() {
    for table in [TABLE3, TABLE4, TABLE5, TABLE6] {
        let published = table.published.iter().map(|published| published.model);
        assert!(published.eq(table.models.iter().copied()), "{}", table.name);
    }
    assert_eq!([TABLE1, TABLE2].map(|table| table.published.len()), [4, 3]);
}

#[test]
fn arms_train_what_is_theirs() {
    let trained = |table: &tuning::Protocol, name: &str, has_batch_norm: bool| {
        let arm = table.arms.iter().find(|arm| arm.name == name).unwrap();
        table.policy(arm, has_batch_norm)
    };
    assert_eq!(trained(&TABLE3, "relu", false), None);
    assert_eq!(trained(&TABLE3, "pvlu", true), Some(FreezePolicy::ACTIVATIONS));
    let biases = FreezePolicy { biases: true, batch_norm_affine: true, ..FreezePolicy::ACTIVATIONS };
    assert_eq!(trained(&TABLE3, "relu_affine", false), Some(biases));
    let batch_norm = FreezePolicy { batch_norm_affine: true, batch_norm_statistics: true, ..FreezePolicy::ACTIVATIONS };
    for name in ["relu", "prelu", "vlu", "pvlu"] {
        assert_eq!(trained(&TABLE6, name, true), Some(batch_norm));
    }
    assert_eq!(trained(&TABLE4, "pvlu", true), Some(batch_norm));
}
