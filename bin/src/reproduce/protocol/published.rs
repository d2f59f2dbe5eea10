//! Numbers that the paper prints of a run, only for runs on the paper's images.

use crate::common::statistics::Summary;
use crate::reproduce::protocol::paper;
use crate::reproduce::runs::config::Config;

/// Numbers of the paper; NaN where it has none.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Mean and standard error of top-1.
    pub top1: Summary,
    /// Top-1 by seed; empty for a table that prints one number.
    pub by_seed: &'static [f64],
    /// Relative error decrease against ReLU.
    pub rel_error_decrease: f64,
}

const NOTHING: Paper =
    Paper { top1: Summary { mean: f64::NAN, standard_error: f64::NAN }, by_seed: &[], rel_error_decrease: f64::NAN };

impl Paper {
    /// Top-1 of a seed, or the only number of a table that prints one; NaN if there is none.
    pub fn of_seed(&self, seed: u64) -> f64 {
        if self.by_seed.is_empty() {
            return self.top1.mean;
        }
        usize::try_from(seed).ok().and_then(|seed| self.by_seed.get(seed)).copied().unwrap_or(f64::NAN)
    }
}

/// The numbers that the paper prints of the arm of a run.
pub fn of(config: &Config) -> Paper {
    let Config { table, model, arm, activation, setup, .. } = config;
    let data = setup.data.as_str();
    let one = |mean, rel_error_decrease| Paper {
        top1: Summary { mean, standard_error: f64::NAN },
        by_seed: &[],
        rel_error_decrease,
    };
    let table = paper::find(table).filter(|table| table.protocol().data.set.name() == data);
    let Some((table, printed)) = table.and_then(|table| Some((table, table.printed()?))) else { return NOTHING };
    // An activation with other start values than the table's is not the one that the paper names so.
    let own = table.protocol().arm(arm, None);
    let is_own = own.is_some_and(|own| activation.as_deref() == Some(own.activation.text()));
    if !is_own && activation.as_ref().is_some_and(|text| text.contains(';')) {
        return NOTHING;
    }
    let of_activation = printed.of_arm(arm).map(|published| Paper {
        top1: Summary { mean: published.mean, standard_error: published.standard_error },
        by_seed: published.by_seed,
        rel_error_decrease: published.rel_error_decrease.unwrap_or(f64::NAN),
    });
    let found = of_activation.or_else(|| match (printed.of_model(model)?, arm.as_str()) {
        (published, "relu") => Some(one(published.relu, f64::NAN)),
        (published, "pvlu") => Some(one(published.pvlu, published.rel_error_decrease)),
        _ => None,
    });
    found.unwrap_or(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::runs::config::{Setup, tests};

    fn config(table: &str, model: &str, arm: &str, data: &str) -> Config {
        let [table, model, arm, data] = [table, model, arm, data].map(str::to_owned);
        let of = tests::config();
        Config { table, model, arm, setup: Setup { data, ..of.setup }, ..of }
    }

    #[test]
    fn numbers_are_those_of_the_paper_and_of_its_images() {
        let pvlu = of(&config("table1", "sequential6conv", "pvlu", "cifar100"));
        assert_eq!((pvlu.top1.mean, pvlu.of_seed(2), pvlu.rel_error_decrease), (0.569, 0.578, 0.163));
        assert!(pvlu.of_seed(7).is_nan() && pvlu.of_seed(u64::MAX).is_nan());
        assert!(of(&config("table1", "sequential6conv", "pvlu", "procedural")).top1.mean.is_nan());
        assert!(of(&config("table1", "sequential6conv", "vlu", "cifar100")).top1.mean.is_nan());
        // The paper does not say which of two it compares to.
        let of_arm = |arm: &str, activation: &str| {
            let config = config("table1", "sequential6conv", arm, "cifar100");
            of(&Config { activation: Some(activation.to_owned()), ..config }).top1.mean
        };
        assert_eq!(of_arm("leaky_relu", "leaky_relu"), 0.504);
        assert_eq!(of_arm("leaky_relu_keras", "leaky_relu; slope = 0.3"), 0.504);
        assert_eq!(of_arm("prelu_element", "prelu_element"), 0.555);
        assert!(of_arm("leaky_relu", "leaky_relu; slope = 0.3").is_nan());
        assert!(of_arm("pvlu", "pvlu; alpha = 0.3").is_nan());
        let vgg = of(&config("table4", "vgg19", "pvlu", "cifar10"));
        assert_eq!((vgg.of_seed(5), vgg.rel_error_decrease), (0.8405, 0.097));
        assert!(of(&config("table6", "resnet50", "pvlu", "cifar10")).top1.mean.is_nan());
        assert!(of(&config("table6", "resnet50", "prelu", "cifar100")).top1.mean.is_nan());
    }
}
