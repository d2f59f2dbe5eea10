//! What a person should know of each model: what it is, who published it, which weights there are, how they want their
//! images, and how good they were said to be.
//!
//! Sources: `meta` and `transforms` of torchvision 0.29's weights, the `default_cfg`s of timm 1.0, `preprocess_input` and
//! `load_img` of Keras 3.15 and the table at <https://keras.io/api/applications/>, the readmes of Idelbayev's and Chen's
//! repositories. What none of them says is `None`.

mod table;

use crate::image::Preprocessing;
use crate::labels::LabelSet;

pub use table::CARDS;

/// A publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Authors.
    pub authors: &'static str,
    /// Title.
    pub title: &'static str,
    /// Year of publication.
    pub year: u16,
    /// Number at arXiv.
    pub arxiv: Option<&'static str>,
}

/// Who published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// <https://github.com/pytorch/vision>. Its files are pickles; `timm/*.tv_in1k` are the same weights in safetensors.
    Torchvision,
    /// <https://github.com/huggingface/pytorch-image-models>.
    Timm,
    /// <https://keras.io/api/applications/>.
    Keras,
    /// <https://github.com/akamaster/pytorch_resnet_cifar10>.
    Idelbayev,
    /// <https://github.com/chenyaofo/pytorch-cifar-models>.
    Chen,
}

/// Published weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Who published them.
    pub origin: Origin,
    /// Their place there; see [`file`](Self::file) and [`url`](Self::url).
    pub place: &'static str,
    /// The classes they tell apart.
    pub labels: LabelSet,
    /// How they want their images. At Keras, resizing is the user's choice, and this is the default of `load_img`.
    pub preprocessing: Preprocessing,
    /// License of the weights, where one is stated.
    pub license: Option<&'static str>,
    /// Share of the validation or test images, in percent, that they were said to get right.
    pub top1: Option<f32>,
}

/// A model and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// Name in the [`registry`](crate::registry).
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// Where it was published.
    pub paper: Paper,
    /// The classes of the original.
    pub labels: LabelSet,
    /// Preprocessing where a file of weights does not say.
    pub preprocessing: Preprocessing,
    /// Published weights that fit it.
    pub weights: &'static [Weights],
}

/// The card of a model.
#[must_use]
pub fn find(model: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.name == model)
}

impl Card {
    /// The preprocessing of weights from `origin` for these classes; of the first ones if there are several.
    #[must_use]
    pub fn preprocessing_of(&self, origin: Origin, labels: LabelSet) -> Option<Preprocessing> {
        let weights = self.weights.iter().find(|weights| weights.origin == origin && weights.labels == labels);
        weights.map(|weights| weights.preprocessing)
    }
}

impl Origin {
    /// Name for a person.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Torchvision => "torchvision",
            Self::Timm => "timm",
            Self::Keras => "Keras",
            Self::Idelbayev => "Idelbayev, pytorch_resnet_cifar10",
            Self::Chen => "Chen, pytorch-cifar-models",
        }
    }

    /// License of the code that defines the model.
    #[must_use]
    pub const fn code_license(self) -> &'static str {
        match self {
            Self::Torchvision | Self::Chen => "BSD-3-Clause",
            Self::Timm | Self::Keras => "Apache-2.0",
            Self::Idelbayev => "BSD-2-Clause",
        }
    }

    /// Format of the files. Pickles are not read here: convert them to safetensors.
    #[must_use]
    pub const fn format(self) -> &'static str {
        match self {
            Self::Torchvision | Self::Idelbayev | Self::Chen => "pickle",
            Self::Timm => "safetensors",
            Self::Keras => "HDF5",
        }
    }

    const fn base(self) -> &'static str {
        match self {
            Self::Torchvision => "https://download.pytorch.org/models/",
            Self::Timm => "https://huggingface.co/",
            Self::Keras => "https://storage.googleapis.com/tensorflow/keras-applications/",
            Self::Idelbayev => "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/",
            Self::Chen => "https://github.com/chenyaofo/pytorch-cifar-models/releases/download/",
        }
    }
}

impl Weights {
    /// Name of the file as its users have it. A repository of timm at the Hugging Face Hub is a name, and the file in it is
    /// always called `model.safetensors`.
    #[must_use]
    pub fn file(&self) -> &'static str {
        match self.origin {
            Origin::Timm => "model.safetensors",
            _ => self.place.rsplit('/').next().unwrap_or(self.place),
        }
    }

    /// Where the file is, or for timm its repository.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin.base(), self.place)
    }
}

#[cfg(test)]
mod tests;
