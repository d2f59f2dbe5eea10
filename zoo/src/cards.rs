//! Model cards: what a model is, its publication, and its published weights with their classes, preprocessing, license
//! and reported accuracy. The cards of the zoo's models are with their families;
//! [`ModelEntry::card`](crate::registry::ModelEntry::card) returns that of a model.
//!
//! Sources: `meta` and `transforms` of torchvision 0.29's weights, the `default_cfg`s of timm 1.0, `preprocess_input`,
//! `load_img` and the hashes of Keras 3.15 and the table at <https://keras.io/api/applications/>, the readmes of
//! Idelbayev's and Chen's repositories. A fact that none of them states is `None`.

use crate::image::Preprocessing;
use crate::labels::LabelSet;
use crate::source::Source;

/// The publication that describes a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Last names of the authors, with commas between them.
    pub authors: &'static str,
    /// Title of the publication.
    pub title: &'static str,
    /// Year in which it was published.
    pub year: u16,
    /// Identifier at arXiv, such as `1512.03385`, if it is there.
    pub arxiv: Option<&'static str>,
}

/// One set of published weights for a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Publisher of the weights.
    pub source: Source,
    /// Location at the publisher, from which [`file`](Self::file) and [`url`](Self::url) follow.
    pub place: &'static str,
    /// Classes that the weights distinguish.
    pub labels: LabelSet,
    /// Preprocessing that the weights expect. Keras leaves resizing to its users; for its weights this is the default
    /// of `load_img`.
    pub preprocessing: Preprocessing,
    /// License of the weights, where one is stated.
    pub license: Option<&'static str>,
    /// Accuracy on the validation or test images as the publisher states it, in percent.
    pub top1: Option<f32>,
    /// Size of the file in mebibytes as the publisher states it, to three decimals.
    pub mebibytes: Option<f32>,
    /// MD5 of Keras' file and of that without the classifier, in hexadecimal, as Keras states them.
    pub md5: Option<[&'static str; 2]>,
}

/// The card of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// Description of the model in one line.
    pub about: &'static str,
    /// Publication that describes the model, if there is one.
    pub paper: Option<Paper>,
    /// Preprocessing for a file of weights that does not state its own.
    pub preprocessing: Preprocessing,
    /// Published weights that fit the model.
    pub weights: &'static [Weights],
}

impl Card {
    /// The preprocessing of the card's weights from `source` for these classes: of the first ones if there are several,
    /// `None` if there are none.
    #[must_use]
    pub fn preprocessing_of(&self, source: Source, labels: LabelSet) -> Option<Preprocessing> {
        let weights = self.weights.iter().find(|weights| weights.source == source && weights.labels == labels);
        weights.map(|weights| weights.preprocessing)
    }
}

impl Weights {
    /// Weights without a stated license, accuracy, size or hash.
    pub(crate) const fn new(
        source: Source,
        place: &'static str,
        labels: LabelSet,
        preprocessing: Preprocessing,
    ) -> Self {
        Self { source, place, labels, preprocessing, license: None, top1: None, mebibytes: None, md5: None }
    }

    /// Weights of torchvision for the classes of ImageNet, with the accuracy and the size that it states.
    pub(crate) const fn torchvision(
        place: &'static str,
        preprocessing: Preprocessing,
        top1: f32,
        mebibytes: f32,
    ) -> Self {
        let weights = Self::new(Source::Torchvision, place, LabelSet::ImageNet, preprocessing);
        Self { top1: Some(top1), mebibytes: Some(mebibytes), ..weights }
    }

    /// Weights of timm for the classes of ImageNet, with the license that it states.
    pub(crate) const fn timm(place: &'static str, preprocessing: Preprocessing, license: &'static str) -> Self {
        let weights = Self::new(Source::Timm, place, LabelSet::ImageNet, preprocessing);
        Self { license: Some(license), ..weights }
    }

    /// Weights of Keras for the classes of ImageNet, with the accuracy and the hashes that it states.
    pub(crate) const fn keras(
        place: &'static str,
        preprocessing: Preprocessing,
        license: Option<&'static str>,
        top1: f32,
        md5: [&'static str; 2],
    ) -> Self {
        let weights = Self::new(Source::Keras, place, LabelSet::ImageNet, preprocessing);
        Self { license, top1: Some(top1), md5: Some(md5), ..weights }
    }

    /// Name of the file as its users have it; see [`Source::file`].
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.source.file(self.place)
    }

    /// Address of the file, or for timm of its repository.
    #[must_use]
    pub fn url(&self) -> String {
        self.source.url(self.place)
    }
}

#[cfg(test)]
mod tests;
