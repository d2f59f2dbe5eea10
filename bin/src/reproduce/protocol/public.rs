//! Protocols in public use that are no tables of the paper. They are shown, to be run as those of a user's own.

/// A protocol in public use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// Name of the protocol.
    pub name: &'static str,
    /// Description of the protocol in the help of `reproduce show`.
    pub about: &'static str,
    /// The protocol in TOML.
    pub text: &'static str,
}

/// All of them, in the order of the help.
pub const PUBLIC: [Public; 3] = [
    Public {
        name: "he2016_resnet20",
        about: "ResNet-20 on CIFAR-10 in 64,000 steps, He et al. 2016, section 4.2",
        text: include_str!("../protocols/he2016_resnet20.toml"),
    },
    Public {
        name: "common_resnet20",
        about: "ResNet-20 on CIFAR-10, 200 epochs of SGD over a cosine",
        text: include_str!("../protocols/common_resnet20.toml"),
    },
    Public {
        name: "common_vgg16_bn",
        about: "VGG-16 with batch norm on CIFAR-100, 200 epochs of SGD over a cosine",
        text: include_str!("../protocols/common_vgg16_bn.toml"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::protocol::paper::Table;

    #[test]
    fn each_is_a_protocol_of_its_name_whose_networks_fit_its_images() {
        for Public { name, text, .. } in PUBLIC {
            let table = Table::of_text(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(table.name(), name);
            assert!(table.is_own() && table.protocol().values.iter().all(|value| !value.of_paper));
            for network in &table.protocol().full.networks {
                table.protocol().fitting(pvlu_zoo::registry::find(network).unwrap()).unwrap();
            }
        }
    }

    /// He et al. divide the rate after 32,000 and 48,000 steps of 64,000, with 45,000 images in batches of 128.
    #[test]
    fn the_rate_of_he_et_al_falls_at_their_steps() {
        let table = Table::of_text(PUBLIC[0].text).unwrap();
        let training = &table.protocol().training;
        let fit = training.fit(table.protocol().full.epochs, training.learning_rate, 0);
        let steps = 45_000_u64.div_ceil(128);
        assert!((63_900..64_100).contains(&(steps * fit.epochs)), "{}", steps * fit.epochs);
        let rate = |step| (fit.rate(step, steps) * 1e6).round() / 1e6;
        assert_eq!([0, 31_999, 32_000, 47_999, 48_000].map(rate), [0.1, 0.1, 0.01, 0.01, 0.001]);
    }
}
