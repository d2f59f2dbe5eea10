//! The preprocessing of a model's images: the one that its file names, else that of the publisher of such a file.
//!
//! Where the file's name, its hash or the configuration beside it says which published weights it is, `zoo` has put
//! that into the file's description before; see `zoo::recipe`.

use std::path::Path;

use pvlu_zoo::cards;
use pvlu_zoo::checkpoint::Opened;
use pvlu_zoo::image::Preprocessing;
use pvlu_zoo::labels::LabelSet;
use pvlu_zoo::registry::ModelEntry;
use pvlu_zoo::text::{path, quoted};
use pvlu_zoo::weights::Source;

use super::error::CliError;

/// The preprocessing that a file of weights names, else that of the publisher of such a file. A text in the file that
/// is no preprocessing is an error.
pub fn preprocessing(opened: &Opened, labels: Option<LabelSet>, weights: &Path) -> Result<Preprocessing, CliError> {
    if let Some(text) = &opened.description.preprocessing {
        let wrong = |error| CliError::Usage(format!("{}: preprocessing {}: {error}", path(weights), quoted(text)));
        return text.parse().map_err(wrong);
    }
    Ok(usual(opened.entry, opened.report.source, labels))
}

/// A note for a user whose file names no preprocessing, where published weights of the model differ in theirs: it says
/// which one is taken. `None` if there is no choice.
pub fn choice(opened: &Opened, labels: Option<LabelSet>, weights: &Path) -> Option<String> {
    if opened.description.preprocessing.is_some() {
        return None;
    }
    let published = published(opened.entry, opened.report.source, labels);
    let (first, rest) = published.split_first()?;
    let mut others: Vec<&cards::Weights> = Vec::new();
    for other in rest {
        if std::iter::once(first).chain(&others).all(|known| known.preprocessing != other.preprocessing) {
            others.push(other);
        }
    }
    let recipe = |weights: &&cards::Weights| format!("{} of {}", weights.preprocessing, weights.place);
    let others: Vec<String> = others.iter().map(recipe).collect();
    (!others.is_empty()).then(|| {
        format!(
            "note: {} does not say how it wants its images: taken is {}; {} has other weights that want {}; --recipe \
             chooses",
            weights.display(),
            recipe(first),
            opened.entry.name,
            others.join(", or ")
        )
    })
}

/// The preprocessing of the first published weights that the file may be a copy of, else that of the model's card.
fn usual(entry: &ModelEntry, source: Source, labels: Option<LabelSet>) -> Preprocessing {
    let Some(card) = entry.card() else { return Preprocessing::TORCHVISION };
    published(entry, source, labels).first().map_or(card.preprocessing, |weights| weights.preprocessing)
}

/// Published weights of the same source that a file may be a copy of: those with these classes, or all if none has
/// them.
fn published(entry: &ModelEntry, source: Source, labels: Option<LabelSet>) -> Vec<&'static cards::Weights> {
    let weights = entry.card().map_or(&[][..], |card| card.weights);
    // Keras' weights take other preprocessing than torch's of the same model.
    let of_source = weights.iter().filter(|weights| (weights.source == Source::Keras) == (source == Source::Keras));
    let fits = |weights: &&cards::Weights| labels.is_some_and(|labels| weights.labels == labels);
    let fitting: Vec<_> = of_source.clone().filter(fits).collect();
    if fitting.is_empty() { of_source.collect() } else { fitting }
}

#[cfg(test)]
mod tests {
    use pvlu_zoo::registry::find;

    use super::*;

    fn usual(model: &str, source: Source, labels: Option<LabelSet>) -> Preprocessing {
        super::usual(find(model).unwrap(), source, labels)
    }

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
