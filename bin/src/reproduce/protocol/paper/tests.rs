mod linear;

use std::collections::HashSet;

use pvlu_zoo::transfer::FreezePolicy;

use super::*;
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::printed::Numbers;

fn protocol(name: &str) -> &'static Protocol {
    find(name).unwrap().protocol()
}

#[test]
fn every_table_is_found_by_its_name_alone() {
    let names: HashSet<&str> = all().iter().map(|table| table.name()).collect();
    assert_eq!(names.len(), all().len());
    for table in all() {
        assert_eq!(find(table.name()), Some(*table));
        let heading = format!("Table {}: ", table.number());
        assert!(table.title().starts_with(&heading) && table.about().starts_with(&heading), "{table:?}");
    }
    assert_eq!((find("table"), find("Table1"), find("")), (None, None, None));
}

#[test]
fn published_numbers_fit_their_tables() {
    for table in all() {
        let protocol = table.protocol();
        let names: Vec<&str> = protocol.arms.iter().map(|arm| arm.name.as_str()).collect();
        match table.printed().unwrap().numbers {
            Numbers::ByArm(all) => {
                for published in all {
                    let arm = published.arms[0];
                    assert!(names.contains(&arm), "{arm}");
                    assert_eq!(published.by_seed.len(), protocol.full.seeds.len(), "{table:?} {arm}");
                    // Means are printed without the runs that died, and rounded.
                    let lived: Vec<f64> = published.by_seed.iter().copied().filter(|&top1| top1 > 0.02).collect();
                    let mean = lived.iter().sum::<f64>() / lived.len() as f64;
                    assert!((mean - published.mean).abs() < 1.1e-3, "{table:?} {arm}: {mean}");
                }
            }
            Numbers::ByModel(all) => {
                assert_eq!(names[0], "relu");
                // A table that the paper does not print has no published numbers.
                let models = all.iter().map(|published| published.model);
                assert!(models.eq(protocol.full.networks.iter().copied()), "{table:?}");
                for published in all {
                    let decrease = crate::common::statistics::rel_error_decrease(published.relu, published.pvlu);
                    // Printed accuracies are rounded.
                    let error = (decrease - published.rel_error_decrease).abs();
                    assert!(error < 3e-3, "{table:?} {}", published.model);
                }
            }
        }
    }
    let counts = ["table1", "table2"].map(|name| match find(name).unwrap().printed().unwrap().numbers {
        Numbers::ByArm(all) => all.len(),
        Numbers::ByModel(_) => 0,
    });
    assert_eq!(counts, [4, 3]);
}

#[test]
fn arms_train_what_is_theirs() {
    let trained = |table: &str, name: &str, has_batch_norm: bool| {
        protocol(table).arms.iter().find(|arm| arm.name == name).unwrap().policy(has_batch_norm)
    };
    assert_eq!(trained("table3", "relu", false), None);
    assert_eq!(trained("table3", "pvlu", true), Some(FreezePolicy::ACTIVATIONS));
    let biases = FreezePolicy { biases: true, batch_norm_affine: true, ..FreezePolicy::ACTIVATIONS };
    assert_eq!(trained("table3", "relu_affine", false), Some(biases));
    let batch_norm = FreezePolicy { batch_norm_affine: true, batch_norm_statistics: true, ..FreezePolicy::ACTIVATIONS };
    for name in ["relu", "prelu", "vlu", "pvlu"] {
        assert_eq!(trained("table6", name, true), Some(batch_norm));
    }
    assert_eq!(trained("table4", "pvlu", true), Some(batch_norm));
    assert_eq!(trained("table4", "relu_affine", true), Some(batch_norm));
    let first = |table: &str, fresh| protocol(table).pretrained().unwrap().first.of(true, fresh);
    assert_eq!(first("table3", true), FreezePolicy::HEAD);
    assert_eq!(first("table5", true), FreezePolicy { activations: false, head: true, ..batch_norm });
    assert_eq!(first("table5", false), FreezePolicy { activations: false, ..batch_norm });
    // An activation that no table has: measured where nothing but activations is trained and it has nothing to train.
    let asked_for = |table: &str, text: &str| {
        protocol(table).arm(text, pvlu_zoo::registry::activation(text).ok()).unwrap().policy(true)
    };
    assert_eq!(asked_for("table3", "gelu"), None);
    assert_eq!(asked_for("table3", "snake"), Some(FreezePolicy::ACTIVATIONS));
    assert_eq!(asked_for("table5", "gelu"), Some(batch_norm));
}

/// The numbers of the paper's and of the quick preset, as they were when configurations were first pinned.
#[test]
fn budgets_are_those_that_the_tables_always_had() {
    for table in all() {
        let Protocol { full, quick, training, .. } = table.protocol();
        let quick = quick.as_ref().unwrap();
        let pretrained = table.protocol().pretrained().is_some();
        let counts = |of: &super::super::definition::Budget| (of.first_epochs, of.epochs, of.batch_size);
        assert_eq!(counts(full), if pretrained { (15, 15, 128) } else { (0, 100, 128) }, "{table:?}");
        assert_eq!(counts(quick), if pretrained { (3, 3, 32) } else { (0, 6, 32) }, "{table:?}");
        let images = if pretrained { (Some(800), Some(400)) } else { (Some(2500), Some(1000)) };
        assert_eq!((quick.train_images, quick.test_images), images);
        assert_eq!((full.train_images, full.test_images), (None, None));
        assert_eq!(training.learning_rate, 1e-3);
        assert_eq!(table.protocol().budget(Preset::Paper), Some(full));
    }
}

#[test]
fn the_text_of_every_table_is_its_protocol() {
    for table in all() {
        assert_eq!(Table::of_text(table.text()), Ok(*table));
        // Comments and the form of numbers make no difference, and neither do the sources of values.
        let other = table.text().replace("1e-3", "0.001").replace("# The planned", "# My").replace("\"start\", ", "");
        assert_ne!(other, table.text());
        assert!(!Table::of_text(&other).unwrap().is_own(), "{table:?}");
        assert_eq!(Table::of_text(&other), Ok(*table));
        // Another name makes it one of the user's own, with the same values.
        let mine = table.text().replace(&format!("\"{}\"", table.name()), &format!("\"my_{}\"", table.number()));
        let mine = Table::of_text(&mine).unwrap();
        assert!(mine.is_own() && mine.printed().is_none() && mine.curves().is_none(), "{mine:?}");
        let same = Protocol { name: table.name().to_owned(), ..mine.protocol().clone() };
        assert!(same.says_the_same(table.protocol()), "{table:?}");
        assert_eq!(mine.protocol().values, table.protocol().values);
    }
}

#[test]
fn a_changed_value_is_not_marked_as_the_papers() {
    let text = find("table5").unwrap().text().replace("\"table5\"", "\"mine\"");
    let changed = Table::of_text(&text.replacen("first_epochs = 15", "first_epochs = 20", 1)).unwrap().protocol();
    let mine = Table::of_text(&text).unwrap().protocol();
    let sources = |of: &Protocol| {
        ["budget.full.first_epochs", "budget.full.epochs", "budget.full.batch_size"].map(|key| of.is_of_paper(key))
    };
    assert_eq!(sources(mine), [true, true, false]);
    assert_eq!(sources(changed), [false, true, false]);
}

#[test]
fn a_table_of_the_paper_that_was_changed_needs_another_name() {
    let text = find("table4").unwrap().text();
    let error = |text: &str| Table::of_text(text).unwrap_err().to_string();
    let place = "4:8: name: table4 is a table of the paper, and ";
    let said = error(&text.replace("learning_rate = 1e-2", "learning_rate = 2e-2"));
    assert!(said.starts_with(place), "{said}");
    assert!(said.contains("optimizer.first_learning_rate is 1e-2 there, here 2e-2: choose another name"), "{said}");
    assert!(error(&text.replace("Gaussian-", "")).contains("its title"), "a title is a part of it");
    let named = |name: &str| Table::of_text(&text.replace("\"table4\"", &format!("\"{name}\"")));
    for name in ["table7", "Table4", "figure1", "report", "mine_epochs", "x_Protocol", "table4_units"] {
        let said = named(name).unwrap_err().to_string();
        assert!(said.starts_with("4:8: name: ") && said.contains("choose another name"), "{said}");
    }
    for name in ["", "a/b", "..", "mine-2", "é", &"a".repeat(65)] {
        assert!(named(name).is_err(), "{name}");
    }
    for name in ["mine", "tables", "x2", "reports", "table_like", &"a".repeat(64)] {
        assert_eq!(named(name).unwrap().name(), name);
    }
}

/// No text makes the reader panic, and each error has a place in it.
#[test]
fn a_text_that_is_cut_or_damaged_is_an_error_with_its_place() {
    for table in all() {
        let text = table.text();
        for end in (0..text.len()).step_by(7) {
            let Err(error) = Table::of_text(&text[..end]) else { continue };
            assert!(error.line <= text.lines().count() + 1 && error.column >= 1, "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        for (at, digit) in text.char_indices().filter(|(_, letter)| letter.is_ascii_digit() || *letter == '"') {
            for new in ["-", "x", "9999999999999999999999", "\"", "[", "{"] {
                let damaged = format!("{}{new}{}", &text[..at], &text[at + digit.len_utf8()..]);
                drop(Table::of_text(&damaged));
            }
        }
    }
}
