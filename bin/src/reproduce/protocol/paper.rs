//! The tables of the paper, each a constant, and the list of them. The commands, the figures, the report and the checks
//! of records go through this list: a table is offered, run, drawn and reported once its constant is here.

use std::fmt;

use pvlu_zoo::data::{CIFAR10, CIFAR100};

use crate::reproduce::protocol::from_scratch::{self as scratch, Numbered};
use crate::reproduce::protocol::pretrained::{self as tuning, First, PRELU, PVLU, RELU, RELU_AFFINE, RELU_MORE, VLU};

/// A table, by the way in which its networks are trained.
#[derive(Clone, Copy)]
pub enum Table {
    /// Networks are trained from scratch.
    Scratch(&'static scratch::Protocol),
    /// Networks start from published weights.
    Tuning(&'static tuning::Protocol),
}

/// Defines a constant for each table, and the list of all.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident: $kind:ident($protocol:ty) = $value:expr;)*) => {
        $($(#[$doc])* pub const $table: $protocol = $value;)*

        /// All tables, in the order of the paper.
        pub const ALL: &[Table] = &[$(Table::$kind(&$table)),*];
    };
}

tables! {
    /// Table 1: the six-convolution network on CIFAR-100, without augmentation.
    TABLE1: Scratch(scratch::Protocol) = scratch::Protocol {
        name: "table1",
        title: "Table 1: six-convolution network without augmentation",
        about: "Table 1: the six-convolution network on CIFAR-100, without augmentation",
        curves: Some(&Numbered {
            name: "figure2",
            title: "Figure 2: test accuracy in the runs of table 1",
            about: "Figure 2: test accuracy by epoch of table 1",
        }),
        set: &CIFAR100,
        model: "sequential6conv",
        activations: &["relu", "leaky_relu", "elu", "prelu", "vlu", "pvlu"],
        seeds: &[0, 1, 2, 3, 4],
        augmented: false,
        published: &[
            scratch::Published {
                activation: "relu",
                by_seed: &[0.007, 0.497, 0.008, 0.487, 0.472],
                mean: 0.485,
                standard_error: 0.007,
                rel_error_decrease: None,
            },
            scratch::Published {
                activation: "leaky_relu",
                by_seed: &[0.501, 0.505, 0.505, 0.507, 0.503],
                mean: 0.504,
                standard_error: 0.001,
                rel_error_decrease: None,
            },
            scratch::Published {
                activation: "prelu",
                by_seed: &[0.560, 0.555, 0.556, 0.549, 0.550],
                mean: 0.555,
                standard_error: 0.002,
                rel_error_decrease: None,
            },
            scratch::Published {
                activation: "pvlu",
                by_seed: &[0.566, 0.566, 0.578, 0.567, 0.567],
                mean: 0.569,
                standard_error: 0.002,
                rel_error_decrease: Some(0.163),
            },
        ],
    };

    /// Table 2: the six-convolution network on CIFAR-100, with augmentation.
    TABLE2: Scratch(scratch::Protocol) = scratch::Protocol {
        name: "table2",
        title: "Table 2: six-convolution network with augmentation",
        about: "Table 2: the same with augmentation",
        curves: Some(&Numbered {
            name: "figure3",
            title: "Figure 3: test accuracy in the runs of table 2",
            about: "Figure 3: the same of table 2",
        }),
        set: &CIFAR100,
        model: "sequential6conv",
        activations: &["relu", "prelu", "vlu", "pvlu"],
        seeds: &[0, 1, 2],
        augmented: true,
        published: &[
            scratch::Published {
                activation: "relu",
                by_seed: &[0.619, 0.619, 0.617],
                mean: 0.618,
                standard_error: 0.001,
                rel_error_decrease: None,
            },
            scratch::Published {
                activation: "prelu",
                by_seed: &[0.672, 0.666, 0.669],
                mean: 0.669,
                standard_error: 0.007,
                rel_error_decrease: None,
            },
            scratch::Published {
                activation: "pvlu",
                by_seed: &[0.674, 0.659, 0.649],
                mean: 0.661,
                standard_error: 0.001,
                rel_error_decrease: Some(0.113),
            },
        ],
    };

    /// Table 3: pretrained VGG on CIFAR-10, with everything frozen but the parameters of the activations.
    TABLE3: Tuning(tuning::Protocol) = tuning::Protocol {
        name: "table3",
        title: "Table 3: pretrained VGG on CIFAR-10, frozen but for the parameters of the activations",
        about: "Table 3: pretrained VGG on CIFAR-10, everything frozen but the activations' parameters",
        set: &CIFAR10,
        models: &["vgg16", "vgg19"],
        quick_models: &["vgg16_bn"],
        transfer: true,
        first: First::Head,
        batch_norm: false,
        filtered: false,
        cutout: None,
        arms: &[RELU, RELU_AFFINE, PRELU, PVLU],
        published: &[
            tuning::Published { model: "vgg16", relu: 0.8695, pvlu: 0.8819, rel_error_decrease: 0.095 },
            tuning::Published { model: "vgg19", relu: 0.8998, pvlu: 0.9106, rel_error_decrease: 0.107 },
        ],
    };

    /// Table 4: table 3 on images under a Gaussian filter, with batch norm trained where a network has it.
    TABLE4: Tuning(tuning::Protocol) = tuning::Protocol {
        name: "table4",
        title: "Table 4: the same on Gaussian-filtered CIFAR-10",
        about: "Table 4: the same on blurred images",
        batch_norm: true,
        filtered: true,
        published: &[
            tuning::Published { model: "vgg16", relu: 0.8489, pvlu: 0.8630, rel_error_decrease: 0.093 },
            tuning::Published { model: "vgg19", relu: 0.8234, pvlu: 0.8405, rel_error_decrease: 0.097 },
        ],
        ..TABLE3
    };

    /// Table 5: pretrained ResNets on CIFAR-10, with batch norm trained.
    TABLE5: Tuning(tuning::Protocol) = tuning::Protocol {
        name: "table5",
        title: "Table 5: pretrained ResNets on CIFAR-10, frozen but for batch norm and the parameters of the \
                activations",
        about: "Table 5: pretrained ResNets on CIFAR-10, batch norm trained",
        set: &CIFAR10,
        models: &["resnet50", "resnet101v2", "resnet152v2"],
        quick_models: &["cifar_resnet20"],
        transfer: false,
        first: First::BatchNorm,
        batch_norm: true,
        filtered: false,
        cutout: Some(16),
        arms: &[RELU_MORE, PRELU, VLU, PVLU],
        published: &[
            tuning::Published { model: "resnet50", relu: 0.9546, pvlu: 0.9582, rel_error_decrease: 0.079 },
            tuning::Published { model: "resnet101v2", relu: 0.9571, pvlu: 0.9620, rel_error_decrease: 0.112 },
            tuning::Published { model: "resnet152v2", relu: 0.9639, pvlu: 0.9649, rel_error_decrease: 0.028 },
        ],
    };

    /// Table 6: the ResNets of table 5 on CIFAR-100.
    TABLE6: Tuning(tuning::Protocol) = tuning::Protocol {
        name: "table6",
        title: "Table 6: the same on CIFAR-100",
        about: "Table 6: the same on CIFAR-100",
        set: &CIFAR100,
        cutout: Some(8),
        published: &[
            tuning::Published { model: "resnet50", relu: 0.799, pvlu: 0.807, rel_error_decrease: 0.041 },
            tuning::Published { model: "resnet101v2", relu: 0.8066, pvlu: 0.8129, rel_error_decrease: 0.033 },
            tuning::Published { model: "resnet152v2", relu: 0.8166, pvlu: 0.8252, rel_error_decrease: 0.047 },
        ],
        ..TABLE5
    };
}

/// Names of the arms of all tables.
pub fn arms() -> Vec<&'static str> {
    let mut names = Vec::new();
    for arm in ALL.iter().filter_map(|table| table.tuning()).flat_map(|table| table.arms) {
        if !names.contains(&arm.name) {
            names.push(arm.name);
        }
    }
    names
}

/// The table of this name, such as `table1`.
pub fn find(name: &str) -> Option<Table> {
    ALL.iter().copied().find(|table| table.name() == name)
}

impl Table {
    /// Name of the subcommand and of the files.
    pub fn name(self) -> &'static str {
        match self {
            Table::Scratch(protocol) => protocol.name,
            Table::Tuning(protocol) => protocol.name,
        }
    }

    /// Title of the table in files and reports.
    pub fn title(self) -> &'static str {
        match self {
            Table::Scratch(protocol) => protocol.title,
            Table::Tuning(protocol) => protocol.title,
        }
    }

    /// Description of the table in the list of commands.
    pub fn about(self) -> &'static str {
        match self {
            Table::Scratch(protocol) => protocol.about,
            Table::Tuning(protocol) => protocol.about,
        }
    }

    /// Identifiers of the options that change nothing in this table: `shift` where no image is shifted.
    pub fn unused_options(self) -> Vec<&'static str> {
        let (augmented, filtered, cut_out) = match self {
            Table::Scratch(table) => (table.augmented, false, false),
            Table::Tuning(table) => (table.cutout.is_some(), table.filtered, table.cutout.is_some()),
        };
        let options =
            [(augmented, "shift"), (cut_out, "cutout"), (filtered, "filter_sigma"), (filtered, "filter_radius")];
        options.into_iter().filter(|(used, _)| !used).map(|(_, option)| option).collect()
    }

    /// The paper's number of the table: `1` for `table1`.
    pub fn number(self) -> &'static str {
        self.name().strip_prefix("table").unwrap_or(self.name())
    }

    /// The protocol, if networks are trained from scratch.
    pub fn scratch(self) -> Option<&'static scratch::Protocol> {
        match self {
            Table::Scratch(protocol) => Some(protocol),
            Table::Tuning(_) => None,
        }
    }

    /// The protocol, if networks are pretrained.
    pub fn tuning(self) -> Option<&'static tuning::Protocol> {
        match self {
            Table::Scratch(_) => None,
            Table::Tuning(protocol) => Some(protocol),
        }
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Table {}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
