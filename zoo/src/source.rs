//! Sources of weights: their publishers, and the names and layouts of the tensors in their files. All facts about a
//! publisher are here, in one constant; the names that it gives to layers are with the architectures, see
//! [`LayerNames`](crate::names::LayerNames).
//!
//! The publisher of a file and the source of its names are the same, except for publishers that follow another's names,
//! as Idelbayev and Chen follow torchvision's; see [`Source::naming`].

use std::fmt;

use pvlu::layer::ParamKind;

/// Facts about a source.
struct Facts {
    /// Name in options, messages and reports.
    name: &'static str,
    /// Name for people, with that of the work where the publisher's does not imply it.
    title: &'static str,
    /// License of the code that defines the models.
    code_license: &'static str,
    /// Format of the files.
    format: &'static str,
    /// Prefix of the addresses of its files.
    base: &'static str,
    /// Name of the file at each place, if a place is a repository with one file.
    file: Option<&'static str>,
    /// Naming of the tensors.
    names: Names,
}

/// Naming of a model's tensors by a source.
enum Names {
    /// By conventions of its own.
    Own(Conventions),
    /// By the conventions of another source.
    Of(Source),
    /// By the conventions of the model's original.
    Original,
}

/// Names and layouts of a layer's tensors in files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conventions {
    /// Character between the name of a layer and that of its tensor.
    pub separator: char,
    /// Name of the tensor of this kind.
    pub leaf: fn(ParamKind) -> &'static str,
    /// True if weights have their axes in reverse order, with the outputs last.
    pub outputs_last: bool,
    /// True if a linear layer on a flattened feature map is stored as a convolution of the map's size.
    pub dense_as_convolution: bool,
}

/// Declares the variants, and the facts about each.
macro_rules! sources {
    ($($(#[$doc:meta])* $source:ident: $facts:expr;)*) => {
        /// A publisher of weights, and the names and layouts of the tensors in its files.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Source {
            $($(#[$doc])* $source,)*
        }

        impl Source {
            /// All sources, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$source),*];

            const fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$source => const { &$facts },)*
                }
            }
        }
    };
}

sources! {
    /// <https://github.com/pytorch/vision>: `layer1.0.conv1.weight`. Its files are pickles; `timm/*.tv_in1k` are the
    /// same weights in safetensors.
    Torchvision: Facts {
        name: "torchvision",
        title: "torchvision",
        code_license: "BSD-3-Clause",
        format: PICKLE,
        base: "https://download.pytorch.org/models/",
        file: None,
        names: Names::Own(TORCH),
    };
    /// <https://github.com/huggingface/pytorch-image-models>: named as torchvision's, but for VGG's linear layers and
    /// head.
    Timm: Facts {
        name: "timm",
        title: "timm",
        code_license: "Apache-2.0",
        format: "safetensors",
        base: "https://huggingface.co/",
        file: Some("model.safetensors"),
        names: Names::Own(Conventions { dense_as_convolution: true, ..TORCH }),
    };
    /// <https://keras.io/api/applications/>: `conv2_block1_1_conv/kernel`, last axis first.
    Keras: Facts {
        name: "keras",
        title: "Keras",
        code_license: "Apache-2.0",
        format: "HDF5",
        base: "https://storage.googleapis.com/tensorflow/keras-applications/",
        file: None,
        names: Names::Own(KERAS),
    };
    /// This crate: the names and layouts of the model's own original. The place of such weights is their whole address.
    Native: Facts {
        name: "native",
        title: "This program",
        code_license: env!("CARGO_PKG_LICENSE"),
        format: "safetensors",
        base: "",
        file: None,
        names: Names::Original,
    };
    /// <https://github.com/akamaster/pytorch_resnet_cifar10>: ResNets for CIFAR-10, named as torchvision's.
    Idelbayev: Facts {
        name: "idelbayev",
        title: "Idelbayev, pytorch_resnet_cifar10",
        code_license: "BSD-2-Clause",
        format: PICKLE,
        base: "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/",
        file: None,
        names: Names::Of(Source::Torchvision),
    };
    /// <https://github.com/chenyaofo/pytorch-cifar-models>: ResNets for CIFAR-10 and CIFAR-100, named as torchvision's.
    Chen: Facts {
        name: "chen",
        title: "Chen, pytorch-cifar-models",
        code_license: "BSD-3-Clause",
        format: PICKLE,
        base: "https://github.com/chenyaofo/pytorch-cifar-models/releases/download/",
        file: None,
        names: Names::Of(Source::Torchvision),
    };
}

const PICKLE: &str = "pickle";

const TORCH: Conventions = Conventions {
    separator: '.',
    leaf: |kind| match kind {
        ParamKind::Bias | ParamKind::Shift => "bias",
        ParamKind::RunningMean => "running_mean",
        ParamKind::RunningVariance => "running_var",
        _ => "weight",
    },
    outputs_last: false,
    dense_as_convolution: false,
};

const KERAS: Conventions = Conventions {
    separator: '/',
    leaf: |kind| match kind {
        ParamKind::Bias => "bias",
        ParamKind::Scale => "gamma",
        ParamKind::Shift => "beta",
        ParamKind::RunningMean => "moving_mean",
        ParamKind::RunningVariance => "moving_variance",
        _ => "kernel",
    },
    outputs_last: true,
    dense_as_convolution: false,
};

impl Source {
    /// The source of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }

    /// Name in options, messages and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Name for a person.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// One line on the names that its files have, for a user who has to choose.
    #[must_use]
    pub fn about(self) -> String {
        let Facts { title, names, .. } = self.facts();
        match names {
            Names::Own(_) if Self::ALL.iter().any(|other| *other != self && other.naming() == Some(self)) => {
                format!("{title}, and what follows its names")
            }
            Names::Own(_) => (*title).to_owned(),
            Names::Of(source) => format!("{title}, with the names of {source}"),
            Names::Original => format!("{title}: the names of the model's original"),
        }
    }

    /// License of the code that defines the models.
    #[must_use]
    pub const fn code_license(self) -> &'static str {
        self.facts().code_license
    }

    /// Format of the files. Pickles are not read here: convert them to safetensors.
    #[must_use]
    pub const fn format(self) -> &'static str {
        self.facts().format
    }

    /// Name of the file at a place, as its users have it. A repository of timm at the Hugging Face Hub is a name, and
    /// the file in it is always called `model.safetensors`.
    #[must_use]
    pub fn file(self, place: &'static str) -> &'static str {
        self.facts().file.unwrap_or_else(|| place.rsplit('/').next().unwrap_or(place))
    }

    /// Address of a place; see [`Weights::place`](crate::cards::Weights::place).
    #[must_use]
    pub fn url(self, place: &str) -> String {
        format!("{}{place}", self.facts().base)
    }

    /// The source whose names its files have: itself, or the one that it follows. `None` for [`Source::Native`], which
    /// has those of a model's original.
    #[must_use]
    pub const fn naming(self) -> Option<Self> {
        match self.facts().names {
            Names::Own(_) => Some(self),
            Names::Of(source) => Some(source),
            Names::Original => None,
        }
    }

    /// The sources that a file can be of by its names: those that follow no other one's.
    pub fn to_choose_from() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|source| source.naming().is_none_or(|naming| naming == *source))
    }

    /// The sources that have names of their own, with their conventions.
    pub(crate) fn with_names() -> impl Iterator<Item = (Self, Conventions)> {
        Self::ALL.iter().filter_map(|source| match source.facts().names {
            Names::Own(conventions) => Some((*source, conventions)),
            _ => None,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_source_is_found_by_its_name_alone() {
        assert!(Source::ALL.iter().all(|source| Source::named(source.name()) == Some(*source)));
        assert_eq!(Source::named("Keras"), None);
    }

    #[test]
    fn sources_without_names_of_their_own_follow_one_that_has_them() {
        let own: BTreeSet<Source> = Source::with_names().map(|(source, _)| source).collect();
        assert_eq!(own, BTreeSet::from([Source::Torchvision, Source::Timm, Source::Keras]));
        assert!(Source::ALL.iter().all(|source| source.naming().is_none_or(|naming| own.contains(&naming))));
        let choice: Vec<_> = Source::to_choose_from().map(|source| (source.name(), source.about())).collect();
        let expected = [
            ("torchvision", "torchvision, and what follows its names"),
            ("timm", "timm"),
            ("keras", "Keras"),
            ("native", "This program: the names of the model's original"),
        ];
        assert_eq!(choice, expected.map(|(name, about)| (name, about.to_owned())));
    }
}
