//! The models with golden files: the original's file name, its name in the registry, the typed network, its classes and
//! how its weights are packed.

use std::sync::{Mutex, PoisonError};

use pvlu::activation::{Pvlu, Relu};
use pvlu_zoo::resnet::{basic, v1, v2};
use pvlu_zoo::vgg;

use crate::check::check;
use crate::network::{Build, build};
use crate::original::Container::{self, Keras3, KerasLegacy, Safetensors};

/// A model with golden files.
pub struct Model {
    /// The original, and the name of its golden file.
    pub original: &'static str,
    /// Name in the registry.
    pub name: &'static str,
    pub classes: usize,
    /// Format of the original's file with ReLU. With PVLU, which no framework has, it is safetensors.
    pub container: Container,
    pub relu: Build,
    pub pvlu: Build,
}

/// One model in memory at a time: the largest take several GB.
pub static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

macro_rules! models {
    ($($original:ident: $name:literal, $net:ident::$alias:ident, $classes:literal, $container:ident;)*) => {$(
        mod $original {
            use super::*;

            #[test]
            fn answers_as_the_original() {
                let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
                check(&Model {
                    original: stringify!($original),
                    name: $name,
                    classes: $classes,
                    container: $container,
                    relu: build::<$net::$alias<Relu, $classes>, $classes>,
                    pvlu: build::<$net::$alias<Pvlu, $classes>, $classes>,
                });
            }
        }
    )*};
}
models! {
    keras_vgg16: "vgg16", vgg::Vgg16, 1000, KerasLegacy;
    keras_vgg19: "vgg19", vgg::Vgg19, 10, Keras3;
    keras_resnet50: "resnet50", v1::ResNet50, 10, KerasLegacy;
    keras_resnet101: "resnet101", v1::ResNet101, 10, Keras3;
    keras_resnet152: "resnet152", v1::ResNet152, 10, KerasLegacy;
    keras_resnet50v2: "resnet50v2", v2::ResNet50V2, 1000, Keras3;
    keras_resnet101v2: "resnet101v2", v2::ResNet101V2, 10, KerasLegacy;
    keras_resnet152v2: "resnet152v2", v2::ResNet152V2, 10, Safetensors;
    torchvision_vgg11: "vgg11", vgg::Vgg11, 10, Safetensors;
    torchvision_vgg13: "vgg13", vgg::Vgg13, 10, Safetensors;
    torchvision_vgg16: "vgg16", vgg::Vgg16, 1000, Safetensors;
    torchvision_vgg19: "vgg19", vgg::Vgg19, 1000, Safetensors;
    torchvision_vgg11_bn: "vgg11_bn", vgg::Vgg11Bn, 10, Safetensors;
    torchvision_vgg13_bn: "vgg13_bn", vgg::Vgg13Bn, 10, Safetensors;
    torchvision_vgg16_bn: "vgg16_bn", vgg::Vgg16Bn, 10, Safetensors;
    torchvision_vgg19_bn: "vgg19_bn", vgg::Vgg19Bn, 10, Safetensors;
    torchvision_resnet18: "resnet18", basic::ResNet18, 1000, Safetensors;
    torchvision_resnet34: "resnet34", basic::ResNet34, 10, Safetensors;
    torchvision_resnet50: "resnet50_v1_5", v1::ResNet50V1_5, 1000, Safetensors;
    torchvision_resnet101: "resnet101_v1_5", v1::ResNet101V1_5, 10, Safetensors;
    torchvision_resnet152: "resnet152_v1_5", v1::ResNet152V1_5, 10, Safetensors;
}
