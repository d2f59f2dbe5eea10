//! Reading a protocol from TOML. Every value is checked where it stands.

mod arms;
mod sweep;
mod training;
mod values;

use pvlu_zoo::data::{Augmentation, Gaussian, SETS, SIDE};
use pvlu_zoo::registry::{self, model_names};
use pvlu_zoo::text::{did_you_mean, quoted};

use self::arms::{arms, compared, parts};
use self::sweep::sweep;
use self::training::{pretraining, training};
use self::values::{path, rate, seeds, unless_empty, unless_repeated};
use super::arm::Arm;
use super::definition::{Budget, Data, Marked, Pretrained, Procedural, Protocol, Start};
use super::limits::{MAX_EPOCHS, MAX_IMAGES, MAX_PIXELS, MAX_SIDE, is_name};
use super::reader::{ProtocolError, Section, Value, parse, parse_over};
use super::sweep::Setting;
use crate::common::data_name::DataName;

/// The keys of a protocol.
const KEYS: [&str; 16] = [
    "name",
    "title",
    "start",
    "from_paper",
    "data",
    "augmentation",
    "filter",
    "budget",
    "pretrained",
    "trains",
    "optimizer",
    "schedule",
    "regularization",
    "comparison",
    "sweep",
    "arms",
];

/// Reads a protocol.
///
/// # Errors
///
/// Text that is not TOML, an unknown key, a key that is missing, a value out of its range, and names that are not those
/// of a network, an activation, a set or an arm.
pub fn protocol(text: &str) -> Result<Protocol, ProtocolError> {
    parse(text, |top| {
        let mut protocol = whole(top)?;
        let budgets: &[&str] = if protocol.quick.is_some() { &["full", "quick"] } else { &["full"] };
        let is_one = |setting: &Setting| budgets.iter().try_for_each(|of| varied(text, &setting.toml(of)).map(drop));
        let runs: Vec<u64> =
            std::iter::once(&protocol.full).chain(&protocol.quick).flat_map(|of| of.seeds.iter().copied()).collect();
        protocol.sweep = top.section("sweep")?.map(|section| sweep(&section, &runs, &is_one)).transpose()?;
        Ok(protocol)
    })
}

/// Reads a protocol with other values for some of its keys, which are given as TOML, and without its sweep.
///
/// # Errors
///
/// As of [`protocol()`]; an error about one of these values says what is wrong with it, and not where it came from.
pub fn varied(text: &str, over: &str) -> Result<Protocol, ProtocolError> {
    parse_over(text, over, whole)
}

/// Everything of a protocol but its sweep.
fn whole(top: &Section<'_>) -> Result<Protocol, ProtocolError> {
    top.only(&KEYS)?;
    let name = top.need("name", "a name for the files")?;
    if !is_name(name.string("a name")?) {
        return Err(name.wrong("1 to 64 letters, digits and _"));
    }
    let pretrained = top.need("start", "\"scratch\" or \"pretrained\"")?;
    let pretrained = pretrained.choice(&[("scratch", false), ("pretrained", true)])?;
    let start = if pretrained { Start::Pretrained(pretrained_start(top)?) } else { scratch_start(top)? };
    let budgets = top.need_section("budget")?;
    budgets.only(&["full", "quick"])?;
    let full = budget(&budgets.need_section("full")?, None, pretrained)?;
    let quick = budgets.section("quick")?.map(|quick| budget(&quick, Some(&full), pretrained)).transpose()?;
    let arms = arms(top, &start)?;
    let [base, proposed] = compared(top, &arms)?;
    let mut protocol = Protocol {
        name: name.string("a name")?.to_owned(),
        title: top.need("title", "a title for the table")?.string("a title")?.to_owned(),
        start,
        data: data(&top.need_section("data")?)?,
        augmentation: top.section("augmentation")?.map(|section| augmentation(&section)).transpose()?,
        filter: top.section("filter")?.map(|section| filter(&section)).transpose()?,
        full,
        quick,
        training: training(top, pretrained)?,
        base,
        proposed,
        arms,
        sweep: None,
        values: Vec::new(),
    };
    check_together(top, &protocol)?;
    protocol.values = marked(top, &protocol.arms)?;
    Ok(protocol)
}

/// Refuses values that are right by themselves and not together.
fn check_together(top: &Section<'_>, protocol: &Protocol) -> Result<(), ProtocolError> {
    let stands_in = protocol.pretrained().is_some_and(|pretrained| pretrained.procedural.is_some());
    if let (DataName::Folder, true, Some(section)) = (protocol.data.set, stands_in, top.section("pretrained")?) {
        let found = section.need("procedural", "the training that stands in for weights")?;
        return Err(found.error(&"expected with a published set, found with \"folder\", whose classes are not drawn"));
    }
    let budgets = || std::iter::once(&protocol.full).chain(&protocol.quick);
    if let Some(side) = top.section("data")?.and_then(|data| data.find("side")) {
        for network in budgets().flat_map(|budget| &budget.networks) {
            let fits = registry::find(network).and_then(|entry| protocol.fitting(entry));
            fits.map_err(|error| side.error(&error))?;
        }
    }
    let phases =
        budgets().flat_map(|budget| [Some(budget.epochs), Some(budget.first_epochs).filter(|epochs| *epochs > 0)]);
    let least = phases.flatten().min().unwrap_or(0);
    if protocol.training.warm_up > least {
        let found = top.need_section("schedule")?.need("warm_up", "a number of epochs")?;
        let found_here = protocol.training.warm_up;
        return Err(
            found.error(&format!("expected at most {least}, the epochs of the shortest phase, found {found_here}"))
        );
    }
    Ok(())
}

fn scratch_start(top: &Section<'_>) -> Result<Start, ProtocolError> {
    for key in ["pretrained", "trains"] {
        if let Some(value) = top.find(key) {
            return Err(value.error(&"expected in a protocol whose `start` is \"pretrained\" alone"));
        }
    }
    Ok(Start::Scratch)
}

fn pretrained_start(top: &Section<'_>) -> Result<Pretrained, ProtocolError> {
    let section = top.need_section("pretrained")?;
    section.only(&["transfer", "weights", "procedural"])?;
    let trains = top.need_section("trains")?;
    trains.only(&["first", "arms"])?;
    let optimizer = top.need_section("optimizer")?;
    Ok(Pretrained {
        transfer: section.need("transfer", "true or false")?.flag()?,
        weights: path(&section, "weights", "a file, a folder, or the name of published weights")?,
        procedural: section.section("procedural")?.map(|section| pretraining(&section)).transpose()?,
        first: parts(&trains.need("first", "the parts that the first phase trains")?, true)?,
        arms: parts(&trains.need("arms", "the parts that an arm trains")?, false)?,
        first_learning_rate: rate(&optimizer.need("first_learning_rate", "that of the first phase")?)?,
    })
}

fn data(section: &Section<'_>) -> Result<Data, ProtocolError> {
    section.only(&["set", "path", "held_out", "side", "procedural"])?;
    let sets = SETS.iter().map(|set| DataName::Known(set)).chain([DataName::Folder]);
    let known: Vec<(&str, DataName)> = sets.map(|set| (set.name(), set)).collect();
    let set = section.need("set", "the name of a set, or \"folder\"")?.choice(&known)?;
    let share = "a share between 0 and 1";
    let procedural = section.section("procedural")?;
    if let Some(value) = section.find("procedural").filter(|_| set == DataName::Folder) {
        return Err(value.error(&"expected with a published set, found with \"folder\", whose classes are not known"));
    }
    Ok(Data {
        set,
        path: path(section, "path", "the path of the images")?,
        held_out: section.need("held_out", share)?.number(share, |share| share > 0.0 && share < 1.0)?,
        side: section.find("side").map(|side| side.count(1..=MAX_SIDE)).transpose()?,
        procedural: procedural.map(|section| drawn(&section)).transpose()?,
    })
}

fn drawn(section: &Section<'_>) -> Result<Procedural, ProtocolError> {
    section.only(&["seed", "quick_classes"])?;
    Ok(Procedural {
        seed: section.need("seed", "that of the images")?.whole(0..=u64::MAX)?,
        quick_classes: quick_classes(&section.need("quick_classes", "10 or 100")?)?,
    })
}

/// The built-in images have 10 classes or 100.
fn quick_classes(value: &Value<'_>) -> Result<usize, ProtocolError> {
    match value.count(10..=100)? {
        classes @ (10 | 100) => Ok(classes),
        other => Err(value.error(&format!("expected 10 or 100, found {other}"))),
    }
}

fn augmentation(section: &Section<'_>) -> Result<Augmentation, ProtocolError> {
    section.only(&["flip", "shift", "cutout", "part", "jitter"])?;
    let share = "a share above 0, at most 1";
    let shared =
        |key: &str| section.find(key).map(|value| value.number(share, |share| share > 0.0 && share <= 1.0)).transpose();
    let pixels = |key: &str, range| section.find(key).map(|value| value.count(range)).transpose();
    Ok(Augmentation {
        flip: section.find("flip").map_or(Ok(false), |value| value.flag())?,
        shift: pixels("shift", 0..=MAX_PIXELS - 1)?.unwrap_or(0),
        cutout: pixels("cutout", 1..=MAX_PIXELS)?,
        part: shared("part")?,
        jitter: shared("jitter")?,
    })
}

fn filter(section: &Section<'_>) -> Result<Gaussian, ProtocolError> {
    section.only(&["sigma", "radius"])?;
    Ok(Gaussian {
        sigma: rate(&section.need("sigma", "the standard deviation in pixels")?)?,
        radius: section.need("radius", "a number of pixels")?.count(0..=SIDE)?,
    })
}

/// A budget; of one that is not the whole, keys that it lacks have the values of the whole.
fn budget(section: &Section<'_>, whole: Option<&Budget>, pretrained: bool) -> Result<Budget, ProtocolError> {
    const KEYS: [&str; 7] =
        ["networks", "seeds", "epochs", "batch_size", "train_images", "test_images", "first_epochs"];
    section.only(if pretrained { &KEYS } else { &KEYS[..6] })?;
    let or = |key: &str, expected: &str| match (section.find(key), whole) {
        (None, None) => Err(section.lacks(key, expected)),
        (found, _) => Ok(found),
    };
    let networks = or("networks", "the names of networks")?.map(|value| networks(&value)).transpose()?;
    let seeds = or("seeds", "a list of seeds")?.map(|value| seeds(&value)).transpose()?;
    let epochs = |key: &str, least| or(key, "a number of epochs")?.map(|of| of.whole(least..=MAX_EPOCHS)).transpose();
    let first_epochs = if pretrained { epochs("first_epochs", 0)? } else { Some(0) };
    let batch_size = or("batch_size", "the images in a step")?.map(|value| value.count(1..=MAX_IMAGES)).transpose()?;
    let images = |key: &str| section.find(key).map(|value| value.count(1..=MAX_IMAGES)).transpose();
    let of = |pick: fn(&Budget) -> u64| whole.map_or(0, pick);
    Ok(Budget {
        networks: networks.or_else(|| Some(whole?.networks.clone())).unwrap_or_default(),
        seeds: seeds.or_else(|| Some(whole?.seeds.clone())).unwrap_or_default(),
        first_epochs: first_epochs.unwrap_or_else(|| of(|whole| whole.first_epochs)),
        epochs: epochs("epochs", 1)?.unwrap_or_else(|| of(|whole| whole.epochs)),
        batch_size: batch_size.or_else(|| Some(whole?.batch_size)).unwrap_or(1),
        train_images: images("train_images")?.or_else(|| whole?.train_images),
        test_images: images("test_images")?.or_else(|| whole?.test_images),
    })
}

fn networks(value: &Value<'_>) -> Result<Vec<&'static str>, ProtocolError> {
    let mut names = Vec::new();
    for item in unless_empty(value, "the names of networks, as `zoo list` has them")? {
        let name = item.string("the name of a network")?;
        let found = registry::find(name).map_err(|_| {
            let meant = did_you_mean(name, &model_names());
            item.error(&format!("unknown network {}{meant}; `zoo list` has them", quoted(name)))
        })?;
        unless_repeated(&item, &names, &found.name)?;
        names.push(found.name);
    }
    Ok(names)
}

/// The values with their sources.
fn marked(top: &Section<'_>, arms: &[Arm]) -> Result<Vec<Marked>, ProtocolError> {
    let own = ["name", "title", "from_paper"];
    let of_arm = |arm: &Arm| (format!("arms.{}", arm.name), arm.activation.text().to_owned());
    let leaves = top.leaves().into_iter().filter(|(key, _)| !own.contains(&key.as_str()));
    let mut values: Vec<Marked> =
        leaves.chain(arms.iter().map(of_arm)).map(|(key, value)| Marked { key, value, of_paper: false }).collect();
    let Some(list) = top.find("from_paper") else { return Ok(values) };
    for item in list.list()? {
        let key = item.string("a key")?;
        let mut found = false;
        for marked in &mut values {
            let rest = marked.key.strip_prefix(key);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                (marked.of_paper, found) = (true, true);
            }
        }
        if !found {
            return Err(item.wrong("the keys of a value of this file, such as data.set or arms.relu"));
        }
    }
    Ok(values)
}
