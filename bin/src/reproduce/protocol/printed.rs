//! The numbers and figures that the paper prints of its tables, and the built-in protocols of these.

/// A table of the paper.
#[derive(Debug)]
pub struct Printed {
    /// The protocol in TOML.
    pub protocol: &'static str,
    /// Description of the table in the list of commands.
    pub about: &'static str,
    /// The paper's figure of the test accuracy by epoch, if it has one.
    pub curves: Option<Numbered>,
    /// The numbers that are published.
    pub numbers: Numbers,
}

/// The published numbers of a table.
#[derive(Debug)]
pub enum Numbers {
    /// Numbers of each arm, by seed.
    ByArm(&'static [OfArm]),
    /// Numbers of each model, with ReLU and with PVLU.
    ByModel(&'static [OfModel]),
}

/// The numbers that the paper prints of one activation.
#[derive(Clone, Copy, Debug)]
pub struct OfArm {
    /// Names of the arms that may be this activation of the paper's, which does not always say which one it means.
    pub arms: &'static [&'static str],
    /// Peak test accuracy by seed, a fraction.
    pub by_seed: &'static [f64],
    /// Mean as printed, without the runs that died.
    pub mean: f64,
    /// Standard error as printed.
    pub standard_error: f64,
    /// Relative error decrease against ReLU that the abstract states.
    pub rel_error_decrease: Option<f64>,
}

/// The numbers that the paper prints of one model.
#[derive(Clone, Copy, Debug)]
pub struct OfModel {
    /// Name of the model.
    pub model: &'static str,
    /// Top-1 accuracy with ReLU, as a fraction.
    pub relu: f64,
    /// Top-1 accuracy with PVLU, as a fraction.
    pub pvlu: f64,
    /// Relative error decrease as printed.
    pub rel_error_decrease: f64,
}

/// A figure that the paper numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Name of the subcommand and of the files.
    pub name: &'static str,
    /// Title above the figure.
    pub title: &'static str,
    /// Description of the figure in the list of commands.
    pub about: &'static str,
}

impl Printed {
    /// The numbers of an arm, in a table that has some for each.
    pub fn of_arm(&self, arm: &str) -> Option<&'static OfArm> {
        match self.numbers {
            Numbers::ByArm(all) => all.iter().find(|of| of.arms.contains(&arm)),
            Numbers::ByModel(_) => None,
        }
    }

    /// The numbers of a model, in a table that has some for each.
    pub fn of_model(&self, model: &str) -> Option<&'static OfModel> {
        match self.numbers {
            Numbers::ByArm(_) => None,
            Numbers::ByModel(all) => all.iter().find(|of| of.model == model),
        }
    }
}

/// The tables of the paper, in its order.
pub static PRINTED: [Printed; 6] = [
    Printed {
        protocol: include_str!("../protocols/table1.toml"),
        about: "Table 1: the six-convolution network on CIFAR-100, without augmentation",
        curves: Some(Numbered {
            name: "figure2",
            title: "Figure 2: test accuracy in the runs of table 1",
            about: "Figure 2: test accuracy by epoch of table 1",
        }),
        numbers: Numbers::ByArm(&[
            OfArm {
                arms: &["relu"],
                by_seed: &[0.007, 0.497, 0.008, 0.487, 0.472],
                mean: 0.485,
                standard_error: 0.007,
                rel_error_decrease: None,
            },
            OfArm {
                arms: &["leaky_relu", "leaky_relu_keras"],
                by_seed: &[0.501, 0.505, 0.505, 0.507, 0.503],
                mean: 0.504,
                standard_error: 0.001,
                rel_error_decrease: None,
            },
            OfArm {
                arms: &["prelu", "prelu_element"],
                by_seed: &[0.560, 0.555, 0.556, 0.549, 0.550],
                mean: 0.555,
                standard_error: 0.002,
                rel_error_decrease: None,
            },
            OfArm {
                arms: &["pvlu"],
                by_seed: &[0.566, 0.566, 0.578, 0.567, 0.567],
                mean: 0.569,
                standard_error: 0.002,
                rel_error_decrease: Some(0.163),
            },
        ]),
    },
    Printed {
        protocol: include_str!("../protocols/table2.toml"),
        about: "Table 2: the same with augmentation",
        curves: Some(Numbered {
            name: "figure3",
            title: "Figure 3: test accuracy in the runs of table 2",
            about: "Figure 3: the same of table 2",
        }),
        numbers: Numbers::ByArm(&[
            OfArm {
                arms: &["relu"],
                by_seed: &[0.619, 0.619, 0.617],
                mean: 0.618,
                standard_error: 0.001,
                rel_error_decrease: None,
            },
            OfArm {
                arms: &["prelu", "prelu_element"],
                by_seed: &[0.672, 0.666, 0.669],
                mean: 0.669,
                standard_error: 0.007,
                rel_error_decrease: None,
            },
            OfArm {
                arms: &["pvlu"],
                by_seed: &[0.674, 0.659, 0.649],
                mean: 0.661,
                standard_error: 0.001,
                rel_error_decrease: Some(0.113),
            },
        ]),
    },
    Printed {
        protocol: include_str!("../protocols/table3.toml"),
        about: "Table 3: pretrained VGG on CIFAR-10, everything frozen but the activations' parameters",
        curves: None,
        numbers: Numbers::ByModel(&[
            OfModel { model: "vgg16", relu: 0.8695, pvlu: 0.8819, rel_error_decrease: 0.095 },
            OfModel { model: "vgg19", relu: 0.8998, pvlu: 0.9106, rel_error_decrease: 0.107 },
        ]),
    },
    Printed {
        protocol: include_str!("../protocols/table4.toml"),
        about: "Table 4: the same on blurred images",
        curves: None,
        numbers: Numbers::ByModel(&[
            OfModel { model: "vgg16", relu: 0.8489, pvlu: 0.8630, rel_error_decrease: 0.093 },
            OfModel { model: "vgg19", relu: 0.8234, pvlu: 0.8405, rel_error_decrease: 0.097 },
        ]),
    },
    Printed {
        protocol: include_str!("../protocols/table5.toml"),
        about: "Table 5: pretrained ResNets on CIFAR-10, batch norm trained",
        curves: None,
        numbers: Numbers::ByModel(&[
            OfModel { model: "resnet50", relu: 0.9546, pvlu: 0.9582, rel_error_decrease: 0.079 },
            OfModel { model: "resnet101v2", relu: 0.9571, pvlu: 0.9620, rel_error_decrease: 0.112 },
            OfModel { model: "resnet152v2", relu: 0.9639, pvlu: 0.9649, rel_error_decrease: 0.028 },
        ]),
    },
    Printed {
        protocol: include_str!("../protocols/table6.toml"),
        about: "Table 6: the same on CIFAR-100",
        curves: None,
        numbers: Numbers::ByModel(&[
            OfModel { model: "resnet50", relu: 0.799, pvlu: 0.807, rel_error_decrease: 0.041 },
            OfModel { model: "resnet101v2", relu: 0.8066, pvlu: 0.8129, rel_error_decrease: 0.033 },
            OfModel { model: "resnet152v2", relu: 0.8166, pvlu: 0.8252, rel_error_decrease: 0.047 },
        ]),
    },
];
