//! What commands share: opening a model, and how it wants its images.

use std::path::Path;

use pvlu_zoo::checkpoint::{self, Opened, Wanted};
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::metadata::{self, Origin};
use pvlu_zoo::text::{path, quoted};
use pvlu_zoo::weights::Source;

use super::args::ModelArgs;
use crate::device::placed;
use crate::error::CliError;

impl ModelArgs {
    /// Opens the model for images of this size; `fresh_head` is the seed of a head that the file does not have.
    pub fn open(&self, image: Option<(usize, usize)>, fresh_head: Option<u64>) -> Result<Opened, CliError> {
        let wanted = Wanted {
            model: self.model.as_deref(),
            activation: self.activation.as_deref(),
            classes: self.classes,
            image,
            source: self.source.map(Source::from),
            fresh_head,
        };
        let mut opened = checkpoint::open(&self.weights, &wanted)?;
        opened.model = placed(opened.model)?;
        Ok(opened)
    }
}

/// How a model wants its images: as its file says, else as the publisher of such a file does.
pub fn preprocessing(opened: &Opened, labels: Option<LabelSet>, weights: &Path) -> Result<Preprocessing, CliError> {
    if let Some(text) = &opened.description.preprocessing {
        let wrong = |error| CliError::Usage(format!("{}: preprocessing {}: {error}", path(weights), quoted(text)));
        return text.parse().map_err(wrong);
    }
    Ok(usual(opened.entry.name, opened.report.source, labels))
}

/// The preprocessing of the publisher of such a file; if there are several, of the one with these classes.
fn usual(model: &str, source: Source, labels: Option<LabelSet>) -> Preprocessing {
    let Some(card) = metadata::find(model) else { return Preprocessing::TORCHVISION };
    // Keras' files want their images otherwise than torch's of the same model.
    let of_source =
        card.weights.iter().filter(|weights| (weights.origin == Origin::Keras) == (source == Source::Keras));
    let fits = |weights: &&metadata::Weights| labels.is_some_and(|labels| weights.labels == labels);
    let published = of_source.clone().find(fits).or(of_source.clone().next());
    published.map_or(card.preprocessing, |weights| weights.preprocessing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_keras_wants_its_images_as_keras_does() {
        for labels in [None, Some(LabelSet::ImageNet), Some(LabelSet::Cifar10)] {
            assert_eq!(usual("vgg16", Source::Keras, labels), Preprocessing::KERAS_CAFFE);
            assert_eq!(usual("vgg16", Source::Timm, labels), Preprocessing::TORCHVISION);
            assert_eq!(usual("resnet50", Source::Native, labels), Preprocessing::KERAS_CAFFE);
            assert_eq!(usual("resnet50v2", Source::Keras, labels), Preprocessing::KERAS_TF);
        }
        let [ten, hundred] = [LabelSet::Cifar10, LabelSet::Cifar100]
            .map(|labels| usual("cifar_resnet56_b", Source::Torchvision, Some(labels)).mean());
        assert_eq!([ten[0], hundred[0]], [0.4914, 0.507]);
    }
}
