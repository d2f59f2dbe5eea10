//! What the paper prints of a run, to be held against numbers of the paper's images alone.

use crate::common::statistics::Summary;
use crate::reproduce::protocol::paper::{self, Table};
use crate::reproduce::runs::config::Config;

/// Numbers of the paper; NaN where it has none.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Mean and standard error of top-1.
    pub top1: Summary,
    /// Top-1 by seed; of a table with one number, empty.
    pub by_seed: &'static [f64],
    /// Relative error decrease against ReLU.
    pub rel_error_decrease: f64,
}

const NOTHING: Paper =
    Paper { top1: Summary { mean: f64::NAN, standard_error: f64::NAN }, by_seed: &[], rel_error_decrease: f64::NAN };

impl Paper {
    /// Top-1 with a seed; the only number of a table that has one.
    pub fn of_seed(&self, seed: &str) -> f64 {
        if self.by_seed.is_empty() {
            return self.top1.mean;
        }
        let number = seed.parse().ok().and_then(|seed: usize| self.by_seed.get(seed));
        number.copied().unwrap_or(f64::NAN)
    }
}

/// What the paper prints of the arm of a run.
pub fn of(config: &Config) -> Paper {
    let [table, model, arm, data] = ["table", "model", "arm", "data"].map(|key| config.get(key));
    // With other start values it is not what the paper names so.
    if config.get("activation").contains(';') {
        return NOTHING;
    }
    let one = |mean, rel_error_decrease| Paper {
        top1: Summary { mean, standard_error: f64::NAN },
        by_seed: &[],
        rel_error_decrease,
    };
    let found = match paper::find(table) {
        Some(Table::Scratch(table)) if data == table.set.name() => table.published(arm).map(|published| Paper {
            top1: Summary { mean: published.mean, standard_error: published.standard_error },
            by_seed: published.by_seed,
            rel_error_decrease: published.rel_error_decrease.unwrap_or(f64::NAN),
        }),
        Some(Table::Tuning(table)) if data == table.set.name() => match (table.published(model), arm) {
            (Some(published), "relu") => Some(one(published.relu, f64::NAN)),
            (Some(published), "pvlu") => Some(one(published.pvlu, published.rel_error_decrease)),
            _ => None,
        },
        _ => None,
    };
    found.unwrap_or(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(table: &str, model: &str, arm: &str, data: &str) -> Config {
        Config::default().with("table", table).with("model", model).with("arm", arm).with("data", data)
    }

    #[test]
    fn numbers_are_those_of_the_paper_and_of_its_images() {
        let pvlu = of(&config("table1", "sequential6conv", "pvlu", "cifar100"));
        assert_eq!((pvlu.top1.mean, pvlu.of_seed("2"), pvlu.rel_error_decrease), (0.569, 0.578, 0.163));
        assert!(pvlu.of_seed("7").is_nan() && pvlu.of_seed("mean").is_nan());
        assert!(of(&config("table1", "sequential6conv", "pvlu", "procedural")).top1.mean.is_nan());
        assert!(of(&config("table1", "sequential6conv", "vlu", "cifar100")).top1.mean.is_nan());
        let vgg = of(&config("table4", "vgg19", "pvlu", "cifar10"));
        assert_eq!((vgg.of_seed("5"), vgg.rel_error_decrease), (0.8405, 0.097));
        assert!(of(&config("table6", "resnet50", "pvlu", "cifar10")).top1.mean.is_nan());
        assert!(of(&config("table6", "resnet50", "prelu", "cifar100")).top1.mean.is_nan());
    }
}
