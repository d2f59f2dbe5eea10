//! Checks of the names in a record, which is input like any other: a folder may come from anywhere.
//!
//! Tables, models, arms and seeds are parts of the names of files, and all of them are printed. Names that this program
//! does not know are refused before anything is done with them.

use pvlu::Precision;
use pvlu::activation::BUILT_IN;
use pvlu_zoo::data::KnownSet;
use pvlu_zoo::registry;

use super::config::{Config, expect};
use super::decimal;
use crate::common::data_name::DataName;
use crate::reproduce::protocol::definition::{FIRST, PRETRAIN};
use crate::reproduce::protocol::limits::is_name;
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::protocol::preset::Preset;
use crate::reproduce::protocol::sweep::{LONGEST_SWEEP, is_setting};

/// The most bytes in the text on a preset, and in the name of a file of weights; both are in each row of a table.
const LONGEST: (usize, usize) = (500, 800);

/// The table of a record with this configuration, and with the text of a protocol if it is not the paper's. Makes sure
/// that both are such as this program could have written; the error names the key that is not.
pub fn check(config: &Config, protocol: Option<&str>) -> Result<Table, String> {
    let Config { table, model, arm, activation, pretrained, setup, .. } = config;
    let of = match protocol {
        None => paper::find(table),
        Some(text) => Some(Table::of_text(text).map_err(|error| format!("protocol: {error}"))?),
    };
    let of = of.filter(|of| of.name() == table).ok_or("expected the name of a table, found another")?;
    let own = check_parts(of, model, arm)?;
    let (arm, activation) = (arm.as_str(), activation.as_deref().unwrap_or_default());
    let fits = match own {
        Some(of_table) if of_table == activation => true,
        // An arm of the user's own, whose activation says what it is called.
        _ => !is_reserved(arm) && registry::activation(activation).is_ok_and(|found| found.name() == arm),
    };
    expect("activation", fits)?;
    let is_set = KnownSet::named(&setup.data).is_some() || (of.is_own() && setup.data == DataName::Folder.name());
    expect("data", setup.data == "procedural" || is_set)?;
    let is_reduced = |name: &String| name.parse().is_ok_and(Precision::is_reduced);
    expect("precision", setup.precision.as_ref().is_none_or(is_reduced))?;
    expect("shards", setup.shards.is_none_or(|shards| shards > 1))?;
    expect("trial", config.trial.as_deref().is_none_or(is_setting))?;
    expect("chosen", config.chosen.as_deref().is_none_or(is_setting))?;
    expect("swept", config.swept.as_deref().is_none_or(|text| text.is_ascii() && text.len() <= LONGEST_SWEEP))?;
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    expect("recipe_sha256", config.recipe_sha256.as_deref().is_none_or(is_hash))?;
    let preset = &setup.preset;
    let begins = [Preset::Quick, Preset::Paper].iter().any(|name| preset.starts_with(name.name(of.is_own())));
    expect("preset", begins && preset.is_ascii() && preset.len() <= LONGEST.0)?;
    expect("pretrained", pretrained.as_ref().is_none_or(|name| name.len() <= LONGEST.1))?;
    Ok(of)
}

/// Makes sure that an address can be that of a run of the table.
pub fn check_address(table: Table, address: &str) -> Result<(), String> {
    let parts: Vec<&str> = address.split('/').collect();
    let (of, model, arm, seed, trial) = match parts[..] {
        [of, model, arm, seed] => (of, model, arm, seed, None),
        [of, model, arm, seed, trial] => (of, model, arm, seed, Some(trial)),
        _ => return expect("address", false),
    };
    expect("address", of == table.name())?;
    expect("seed", decimal::parse::<u64>(seed).is_some())?;
    expect("trial", trial.is_none_or(is_setting))?;
    check_parts(table, model, arm).map(drop)
}

/// Makes sure that there can be runs of an arm. Returns the text of its activation, where the arm is one of the
/// table's.
fn check_parts(table: Table, model: &str, arm: &str) -> Result<Option<&'static str>, String> {
    let protocol = table.protocol();
    let fixed = protocol.pretrained().is_none() && !table.is_own();
    let is_model = if fixed { protocol.full.networks.contains(&model) } else { registry::find(model).is_ok() };
    expect("model", is_model)?;
    expect("arm", is_name(arm))?;
    let own = protocol.arms.iter().find(|of| of.name == arm).map(|of| of.activation);
    // Any activation can be trained from scratch.
    let own = own.or_else(|| registry::activation(arm).ok().filter(|_| fixed));
    Ok(own.map(|activation| activation.text()))
}

/// True for names that no activation of the user's own may have, since they stand for a training that is no arm, or for
/// an arm that is not called as its activation is.
pub fn is_reserved(name: &str) -> bool {
    let is_built_in = || BUILT_IN.iter().any(|built_in| built_in.name() == name);
    let of_paper = || paper::arms().contains(&name) || paper::arms_from_scratch().contains(&name);
    [FIRST, PRETRAIN].contains(&name) || (of_paper() && !is_built_in())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::runs::record::tests::record;

    #[test]
    fn a_record_of_ours_is_known() {
        let check = |config: &Config| super::check(config, None).map(drop);
        check(&record("pvlu", 3, &[]).config).unwrap();
        let (table, model) = ("table1".to_owned(), "sequential6conv".to_owned());
        let mut scratch = Config { table, model, ..record("elu", 0, &[]).config };
        scratch.setup.preset = "paper, 5 of 100 epochs".to_owned();
        check(&scratch).unwrap();
        check(&Config { activation: Some("relu".to_owned()), ..record("relu_affine", 0, &[]).config }).unwrap();
        check_address(paper::find("table3").unwrap(), "table3/vgg16/pvlu/18446744073709551615").unwrap();
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
            ("seed", ""),
            ("data", "cifar1000"),
            ("preset", "mine"),
            ("epochs", "many"),
            ("numerics", "x"),
            ("precision", "fp8"),
            ("precision", "f32"),
            ("shards", "1"),
            ("shards", "x"),
            ("trial", "learning_rate"),
            ("trial", "learning_rate=../1"),
            ("chosen", "x=1"),
        ] {
            let mut json = record("pvlu", 3, &[]).config.to_json();
            json[key] = value.into();
            assert!(Config::of_json(&json).and_then(|config| check(&config, None)).is_err(), "{key} {value}");
        }
        for address in [
            "",
            "table3",
            "table3/vgg16/pvlu",
            "table3/vgg16/pvlu/1/2",
            "table3/vgg16/pvlu/1/learning_rate=1/2",
            "table4/vgg16/pvlu/1",
            "table3/x/pvlu/1",
        ] {
            assert!(check_address(paper::find("table3").unwrap(), address).is_err(), "{address}");
        }
    }
}
