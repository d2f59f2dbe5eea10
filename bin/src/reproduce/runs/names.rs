//! The names in a record, which is input like any other: a folder may come from anybody.
//!
//! Tables, models, arms and seeds are parts of the names of files, and all of them are printed. Those that this program
//! does not know are refused before anything is done with them.

use pvlu_zoo::registry;

use super::config::{Config, NUMERICS};
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::pretrained::RESERVED;
use crate::reproduce::protocol::set::Set;

/// Keys whose values are counts.
const COUNTS: [&str; 8] =
    ["classes", "train_images", "val_images", "test_images", "batch_size", "first_epochs", "epochs", NUMERICS];

/// Characters of the text on a preset at most, and of the name of a file of weights; each row of a table has them.
const LONGEST: (usize, usize) = (500, 800);

/// Characters of the name of an arm at most.
const LONGEST_NAME: usize = 64;

/// Makes sure that a record's configuration is one that this program could have written; else returns what is not.
pub fn check(config: &Config) -> Result<(), String> {
    let [table, model, arm, seed] = ["table", "model", "arm", "seed"].map(|key| config.get(key));
    let own = check_parts([table, model, arm, seed])?;
    let activation = config.get("activation");
    let fits = match own {
        Some(of_table) if of_table == activation => true,
        // An arm of the user's own, whose activation says what it is called.
        _ => !RESERVED.contains(&arm) && registry::activation(activation).is_ok_and(|found| found.name() == arm),
    };
    expect("activation", fits)?;
    expect("data", [Set::Cifar10.name(), Set::Cifar100.name(), "procedural"].contains(&config.get("data")))?;
    let preset = config.get("preset");
    let begins = preset.is_empty() || [Preset::Quick, Preset::Paper].iter().any(|of| preset.starts_with(of.name()));
    expect("preset", begins && preset.is_ascii() && preset.len() <= LONGEST.0)?;
    expect("pretrained", config.get("pretrained").len() <= LONGEST.1)?;
    let is_count = |key: &str| config.get(key).is_empty() || config.get(key).parse::<u64>().is_ok();
    COUNTS.iter().try_for_each(|key| expect(key, is_count(key)))
}

/// Makes sure that an address is one of a run of a table.
pub fn check_address(table: &str, address: &str) -> Result<(), String> {
    let parts: Vec<&str> = address.split('/').collect();
    let [of, model, arm, seed] = parts[..] else { return expect("address", false) };
    expect("address", of == table)?;
    check_parts([of, model, arm, seed]).map(drop)
}

/// Makes sure that there can be a run at an address; the activation of its arm, where that is one of the table's.
fn check_parts([table, model, arm, seed]: [&str; 4]) -> Result<Option<&str>, String> {
    // As a number is written: no sign, no zeros before it.
    expect("seed", seed.parse::<u64>().is_ok_and(|number| number.to_string() == seed))?;
    match paper::find(table) {
        Some(Table::Scratch(table)) => {
            expect("model", model == table.model)?;
            expect("arm", is_name(arm))?;
            Ok(registry::activation(arm).ok().map(|_| arm))
        }
        Some(Table::Tuning(table)) => {
            expect("model", registry::find(model).is_ok())?;
            expect("arm", is_name(arm))?;
            Ok(table.arms.iter().find(|of| of.name == arm).map(|arm| arm.activation))
        }
        None => Err("expected the name of a table, found another".to_owned()),
    }
}

/// Whether an arm can be called so: an activation of the user's own has a name of letters, digits and `_`.
pub fn is_name(arm: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=LONGEST_NAME).contains(&arm.len()) && arm.bytes().all(is_word)
}

/// An error that shows nothing of the file: what is wrong there need not be fit to be printed.
fn expect(key: &str, is_known: bool) -> Result<(), String> {
    if is_known { Ok(()) } else { Err(format!("expected a known {key} of a run, found another")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::runs::record::tests::record;

    #[test]
    fn a_record_of_ours_is_known() {
        check(&record("pvlu", 3, &[]).config).unwrap();
        let scratch = record("elu", 0, &[]).config.with("table", "table1").with("model", "sequential6conv");
        check(&scratch.with("preset", "paper, 5 of 100 epochs")).unwrap();
        let affine = record("relu_affine", 0, &[]).config.with("activation", "relu");
        check(&affine).unwrap();
        check_address("table3", "table3/vgg16/pvlu/18446744073709551615").unwrap();
    }

    #[test]
    fn a_name_that_there_is_not_is_refused() {
        for (key, value) in [
            ("table", "../../outside"),
            ("table", "table1"),
            ("table", ""),
            ("table", "/etc/cron.d/x"),
            ("model", "../vgg16"),
            ("model", "vgg"),
            ("arm", "vlu"),
            ("arm", ".."),
            ("activation", "relu"),
            ("seed", "-1"),
            ("seed", "+1"),
            ("seed", "01"),
            ("seed", "mean"),
            ("seed", "18446744073709551616"),
            ("data", "cifar1000"),
            ("preset", "mine"),
            ("epochs", "many"),
            ("numerics", "x"),
        ] {
            let config = record("pvlu", 3, &[]).config.with(key, value);
            assert!(check(&config).is_err(), "{key} {value}");
        }
        for address in
            ["", "table3", "table3/vgg16/pvlu", "table3/vgg16/pvlu/1/2", "table4/vgg16/pvlu/1", "table3/x/pvlu/1"]
        {
            assert!(check_address("table3", address).is_err(), "{address}");
        }
    }
}
