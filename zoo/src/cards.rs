//! What a person should know of a model: what it is, who published it, which weights there are, how they want their
//! images, and how good they were said to be. The cards of the zoo's models are with their families; an
//! [`ModelEntry`](crate::registry::ModelEntry::card) has its own.
//!
//! Sources: `meta` and `transforms` of torchvision 0.29's weights, the `default_cfg`s of timm 1.0, `preprocess_input`
//! and `load_img` of Keras 3.15 and the table at <https://keras.io/api/applications/>, the readmes of Idelbayev's and
//! Chen's repositories. What none of them says is `None`.

use crate::image::Preprocessing;
use crate::labels::LabelSet;
use crate::source::Source;

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

/// Published weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Who published them.
    pub source: Source,
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

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// One line.
    pub about: &'static str,
    /// Where it was published, if it was.
    pub paper: Option<Paper>,
    /// Preprocessing where a file of weights does not say.
    pub preprocessing: Preprocessing,
    /// Published weights that fit it.
    pub weights: &'static [Weights],
}

impl Card {
    /// The preprocessing of weights from `source` for these classes; of the first ones if there are several.
    #[must_use]
    pub fn preprocessing_of(&self, source: Source, labels: LabelSet) -> Option<Preprocessing> {
        let weights = self.weights.iter().find(|weights| weights.source == source && weights.labels == labels);
        weights.map(|weights| weights.preprocessing)
    }
}

impl Weights {
    /// For the classes of ImageNet, with the accuracy that torchvision says.
    pub(crate) const fn torchvision(place: &'static str, preprocessing: Preprocessing, top1: f32) -> Self {
        let (source, labels) = (Source::Torchvision, LabelSet::ImageNet);
        Self { source, place, labels, preprocessing, license: None, top1: Some(top1) }
    }

    /// For the classes of ImageNet, with the license that timm says.
    pub(crate) const fn timm(place: &'static str, preprocessing: Preprocessing, license: &'static str) -> Self {
        let (source, labels) = (Source::Timm, LabelSet::ImageNet);
        Self { source, place, labels, preprocessing, license: Some(license), top1: None }
    }

    /// For the classes of ImageNet, with the accuracy that Keras says.
    pub(crate) const fn keras(
        place: &'static str,
        preprocessing: Preprocessing,
        license: Option<&'static str>,
        top1: f32,
    ) -> Self {
        let (source, labels) = (Source::Keras, LabelSet::ImageNet);
        Self { source, place, labels, preprocessing, license, top1: Some(top1) }
    }

    /// Name of the file as its users have it; see [`Source::file`].
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.source.file(self.place)
    }

    /// Where the file is, or for timm its repository.
    #[must_use]
    pub fn url(&self) -> String {
        self.source.url(self.place)
    }
}

#[cfg(test)]
mod tests;
