use std::collections::HashSet;

use pvlu::activation::Relu;
use pvlu::layer::builder::TrunkAndHead;

use super::*;
use crate::family::resnet::cifar::{OpenHead, ResNet20Trunk};
use crate::registry::{ModelEntry, Sides, find, models};

fn cards() -> Vec<(&'static ModelEntry, &'static Card)> {
    models().iter().filter_map(|entry| Some((entry, entry.card()?))).collect()
}

fn card(model: &str) -> &'static Card {
    find(model).unwrap().card().unwrap()
}

#[test]
fn every_model_has_a_card_that_agrees_with_it() {
    assert!(models().iter().all(|entry| entry.card().is_some()));
    for (entry, card) in cards() {
        assert_eq!(card.preprocessing.input(), entry.image(), "{}", entry.name);
        assert!(!card.about.contains('\n'));
        let labels = card.weights.first().map_or(entry.classes(), |first| crate::labels::of(first.labels).len());
        assert_eq!(labels, entry.classes(), "{}", entry.name);
    }
}

#[test]
fn a_model_has_the_card_that_it_was_given_and_else_none() {
    let sides = Sides::Any { least: 8, default: 32 };
    let bare = ModelEntry::new::<TrunkAndHead<ResNet20Trunk<Relu>, OpenHead>>("mine", sides, 5, |_| Vec::new());
    assert_eq!(bare.card(), None);
    let mine = Card { about: "mine", paper: None, ..*card("cifar_resnet20") };
    assert_eq!(bare.with_card(mine).card(), Some(&mine));
}

/// The constants are written without the checks of `Preprocessing::new`.
#[test]
fn every_preprocessing_of_a_card_is_one() {
    for (entry, card) in cards() {
        for preprocessing in card.weights.iter().map(|weights| weights.preprocessing).chain([card.preprocessing]) {
            assert_eq!(preprocessing.to_string().parse(), Ok(preprocessing), "{}", entry.name);
        }
    }
}

#[test]
fn weights_are_listed_once_and_in_their_publishers_format() {
    let all: Vec<&Weights> = cards().iter().flat_map(|(_, card)| card.weights).collect();
    assert_eq!(all.iter().map(|weights| weights.url()).collect::<HashSet<_>>().len(), all.len());
    for weights in all {
        let extension = weights.file().rsplit('.').next().unwrap_or_default();
        let format = match extension {
            "pth" | "th" | "pt" => "pickle",
            "h5" => "HDF5",
            "safetensors" => "safetensors",
            other => panic!("{other}"),
        };
        assert_eq!(format, weights.source.format(), "{}", weights.place);
        assert!(weights.top1.is_none_or(|top1| (50.0..100.0).contains(&top1)));
    }
}

#[test]
fn frameworks_that_share_a_model_do_not_share_its_preprocessing() {
    let vgg16 = card("vgg16");
    assert_eq!(vgg16.preprocessing_of(Source::Torchvision, LabelSet::ImageNet), Some(Preprocessing::TORCHVISION));
    assert_eq!(vgg16.preprocessing_of(Source::Keras, LabelSet::ImageNet), Some(Preprocessing::KERAS_CAFFE));
    assert_eq!(vgg16.preprocessing_of(Source::Chen, LabelSet::ImageNet), None);
}

#[test]
fn urls_are_those_of_the_frameworks() {
    let urls = |model: &str| card(model).weights.iter().map(Weights::url).collect::<Vec<_>>();
    assert_eq!(
        urls("vgg16"),
        [
            "https://download.pytorch.org/models/vgg16-397923af.pth",
            "https://huggingface.co/timm/vgg16.tv_in1k",
            concat!(
                "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/",
                "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
            ),
        ]
    );
    assert_eq!(
        urls("resnet152v2"),
        ["https://storage.googleapis.com/tensorflow/keras-applications/resnet/\
         resnet152v2_weights_tf_dim_ordering_tf_kernels.h5"]
    );
}
