use std::collections::HashSet;

use super::*;
use crate::registry::models;

#[test]
fn every_model_has_its_card() {
    let models: Vec<_> = models().iter().map(|entry| entry.name).collect();
    let cards: Vec<_> = CARDS.iter().map(|card| card.name).collect();
    assert_eq!(models, cards);
}

#[test]
fn cards_agree_with_the_registry() {
    for (entry, card) in models().iter().zip(&CARDS) {
        assert_eq!(crate::labels::of(card.labels).len(), entry.classes(), "{}", card.name);
        assert_eq!(card.preprocessing.input(), entry.image(), "{}", card.name);
        assert!(!card.about.contains('\n'));
    }
}

/// The constants of the table are written without the checks of `Preprocessing::new`.
#[test]
fn every_preprocessing_of_the_table_is_one() {
    for card in &CARDS {
        for preprocessing in card.weights.iter().map(|weights| weights.preprocessing).chain([card.preprocessing]) {
            assert_eq!(preprocessing.to_string().parse(), Ok(preprocessing), "{}", card.name);
        }
    }
}

#[test]
fn weights_are_listed_once_and_in_their_publishers_format() {
    let all: Vec<&Weights> = CARDS.iter().flat_map(|card| card.weights).collect();
    assert_eq!(all.iter().map(|weights| weights.url()).collect::<HashSet<_>>().len(), all.len());
    for weights in all {
        let extension = weights.file().rsplit('.').next().unwrap_or_default();
        let format = match extension {
            "pth" | "th" | "pt" => "pickle",
            "h5" => "HDF5",
            "safetensors" => "safetensors",
            other => panic!("{other}"),
        };
        assert_eq!(format, weights.origin.format(), "{}", weights.place);
        assert!(weights.top1.is_none_or(|top1| (50.0..100.0).contains(&top1)));
    }
}

#[test]
fn frameworks_that_share_a_model_do_not_share_its_preprocessing() {
    let vgg16 = find("vgg16").unwrap();
    assert_eq!(vgg16.preprocessing_of(Origin::Torchvision, LabelSet::ImageNet), Some(Preprocessing::TORCHVISION));
    assert_eq!(vgg16.preprocessing_of(Origin::Keras, LabelSet::ImageNet), Some(Preprocessing::KERAS_CAFFE));
    assert_eq!(vgg16.preprocessing_of(Origin::Chen, LabelSet::ImageNet), None);
    assert!(find("vgg17").is_none());
}

#[test]
fn urls_are_those_of_the_frameworks() {
    let urls = |model: &str| find(model).unwrap().weights.iter().map(Weights::url).collect::<Vec<_>>();
    assert_eq!(
        urls("vgg16"),
        [
            "https://download.pytorch.org/models/vgg16-397923af.pth",
            "https://huggingface.co/timm/vgg16.tv_in1k",
            "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        ]
    );
    assert_eq!(
        urls("resnet152v2"),
        ["https://storage.googleapis.com/tensorflow/keras-applications/resnet/\
         resnet152v2_weights_tf_dim_ordering_tf_kernels.h5"]
    );
}
