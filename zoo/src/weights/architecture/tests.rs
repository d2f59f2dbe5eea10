use dfdx::tensor::Cpu;
use pvlu::activation::{Elu, Gelu, Pvlu, Relu};
use pvlu::layer::{AnyTensor, NamedTensor, Path, Visit, Visitor, try_build_unfilled};

use super::Architecture;
use crate::family::resnet::cifar::{ResNet20, ResNet56B};
use crate::family::resnet::{ResNet18, ResNet50, ResNet50V1_5, ResNet101V2};
use crate::family::sequential::Sequential6Conv;
use crate::family::vgg::{Vgg11, Vgg13BnSmall};
use crate::init;
use crate::registry::find;
use crate::weights::binding::expected;
use crate::weights::{Format, Source};

/// The keys and shapes that a typed network looks for are those of the model of the registry.
fn is_the_model<N: Architecture>(model: &str, image: (usize, usize), source: Source) {
    use crate::registry::{Options, Start};
    let entry = find(model).unwrap();
    let classes = entry.classes();
    let options = Options { activation: "relu", classes, image: Some(image), weights: Start::Unfilled };
    let built = entry.build(&options).unwrap();
    let keys = |net: &dyn Visit<f32, Cpu>, names: &[crate::names::LayerNames]| {
        let tensors = expected(net, names, source, ("x".as_ref(), Format::Safetensors)).unwrap();
        tensors.into_iter().map(|tensor| (tensor.key, tensor.shape)).collect::<Vec<_>>()
    };
    let net = try_build_unfilled::<N, f32, Cpu>(&Cpu::default()).unwrap();
    assert_eq!(keys(&net, &N::names()), keys(built.net(), &entry.names(image)), "{model}");
}

#[test]
fn every_kind_of_network_has_the_names_of_its_model() {
    is_the_model::<Sequential6Conv<Relu, 100>>("sequential6conv", (32, 32), Source::Native);
    is_the_model::<Vgg11<Relu>>("vgg11", (224, 224), Source::Torchvision);
    is_the_model::<Vgg13BnSmall<Relu, 1000>>("vgg13_bn", (32, 32), Source::Torchvision);
    is_the_model::<ResNet18<Relu>>("resnet18", (224, 224), Source::Torchvision);
    is_the_model::<ResNet50<Relu>>("resnet50", (224, 224), Source::Keras);
    is_the_model::<ResNet50V1_5<Relu>>("resnet50_v1_5", (224, 224), Source::Timm);
    is_the_model::<ResNet101V2<Relu>>("resnet101v2", (224, 224), Source::Keras);
    is_the_model::<ResNet20<Relu>>("cifar_resnet20", (32, 32), Source::Native);
    is_the_model::<ResNet56B<Relu>>("cifar_resnet56_b", (32, 32), Source::Native);
}

#[derive(Default)]
struct Bits(Vec<(String, Vec<u32>)>);

impl Visitor<f32, Cpu> for Bits {
    fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<f32, Cpu>) -> Result<(), pvlu::Error> {
        let bits = tensor.read()?.iter().map(|value| value.to_bits()).collect();
        self.0.push((slot.path.to_owned(), bits));
        Ok(())
    }
}

fn bits(net: &dyn Visit<f32, Cpu>, chosen: impl Fn(&str) -> bool) -> Vec<(String, Vec<u32>)> {
    let mut bits = Bits::default();
    net.visit(&mut Path::root(), &mut bits).unwrap();
    bits.0.retain(|(path, _)| chosen(path));
    bits.0
}

#[test]
fn a_file_comes_back_whole_or_under_a_new_head() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resnet20.safetensors");
    let mut net = try_build_unfilled::<ResNet20<Relu>, f32, Cpu>(&Cpu::default()).unwrap();
    init::he::<Relu>(&mut net, 3).unwrap();
    ResNet20::<Relu>::save(&net, &file, Source::Native).unwrap();

    let whole = ResNet20::<Relu>::load(&file).unwrap();
    assert_eq!(bits(&whole, |_| true), bits(&net, |_| true));

    // With PVLU: the file's tensors, and alpha = 0, beta = 1.
    let swapped = ResNet20::<Pvlu>::load(&file).unwrap();
    let parameter = |path: &str| path.ends_with("alpha") || path.ends_with("beta");
    assert_eq!(bits(&swapped, |path| !parameter(path)), bits(&net, |_| true));
    for (path, values) in bits(&swapped, parameter) {
        let value = if path.ends_with("alpha") { 0.0f32 } else { 1.0 };
        assert!(values.iter().all(|bits| *bits == value.to_bits()), "{path}");
    }

    let error = ResNet20::<Relu, 5>::load(&file).err().unwrap().to_string();
    assert!(error.contains("linear.weight"), "{error}");
    let tuned = |seed| ResNet20::<Relu, 5>::load_with_new_head(&file, seed).unwrap();
    let trunk = |path: &str| path.starts_with("trunk");
    assert_eq!(bits(&tuned(0), trunk), bits(&net, trunk));
    assert_eq!(bits(&tuned(0), |_| true), bits(&tuned(0), |_| true));
    let weight = |path: &str| path == "head.1.weight";
    let (one, other) = (bits(&tuned(0), weight), bits(&tuned(1), weight));
    assert_eq!(one[0].1.len(), 5 * 64);
    assert_ne!(one, other);
}

/// Tensors alone would fit: GELU has none, and ELU's are called as PReLU's.
#[test]
fn a_file_says_its_activation() {
    use crate::checkpoint::{Wanted, open};

    let folder = tempfile::tempdir().unwrap();
    let (gelu, elu) = (folder.path().join("gelu.safetensors"), folder.path().join("elu.safetensors"));
    let dev = Cpu::default();
    ResNet20::<Gelu>::save(&try_build_unfilled::<ResNet20<Gelu>, f32, _>(&dev).unwrap(), &gelu, Source::Native)
        .unwrap();
    ResNet20::<Elu>::save(&try_build_unfilled::<ResNet20<Elu>, f32, _>(&dev).unwrap(), &elu, Source::Native).unwrap();
    for (path, text) in [(&gelu, "gelu"), (&elu, "elu")] {
        assert_eq!(open(path, &Wanted::default()).unwrap().model.activation(), Some(text));
        let error = ResNet20::<Relu>::load(path).err().unwrap().to_string();
        assert!(error.contains("act0.alpha") || error.contains("found gelu"), "{error}");
    }
    ResNet20::<Gelu>::load(&gelu).unwrap();
    ResNet20::<Elu>::load(&elu).unwrap();
}
