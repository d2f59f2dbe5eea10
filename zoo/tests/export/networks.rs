//! Networks of a program's own: the layers that no model of the registry has, and what cannot be written.

use dfdx::nn::modules::Tanh;
use dfdx::prelude::{Cpu, DeviceBuildExt};
use dfdx::shapes::Const;
use pvlu::activation::{Activation, PRelu, Param, Pvlu, Real, Swish};
use pvlu::layer::Path;
use pvlu::layer::builder::{
    Act, Add, AvgPool2D, BatchNorm2D, Branches, Concat, Conv2D, Dropout, Flatten2D, FromDfdx, GlobalAvgPool2D,
    Identity, Linear, MaxPool2D, Multiply, NormedConv2D, Residual, Upsample2D, ZeroPaddedMaxPool2D,
};
use pvlu_zoo::export::ExportError;
use pvlu_zoo::model::{Classifier, Model};

use crate::{Shake, written};

/// Squeeze and excite, with a gate of features, and one of maps of one pixel.
type Gate = (GlobalAvgPool2D, Linear<8, 2>, Act<Swish, 2>, Linear<2, 8>);
type Gates = (Branches<(Identity, Gate)>, Multiply, Branches<(Identity, Identity, Conv2D<8, 8, 1>)>, Multiply);
type Excited = (Conv2D<3, 8, 3, 1, 1>, Gates, Act<Pvlu, 8>, GlobalAvgPool2D, Linear<8, 10>);

/// A layer of a DenseNet: four new channels beside the given ones.
type Dense = (Branches<(Identity, (BatchNorm2D<8>, Act<Pvlu, 8>, Conv2D<8, 4, 3, 1, 1, false>))>, Concat<12>);
/// A sum of three branches, one of them a convolution with its batch norm.
type Sum = (Branches<(NormedConv2D<Conv2D<12, 8, 1>, BatchNorm2D<8>>, Conv2D<12, 8, 5, 1, 2>, Conv2D<12, 8, 1>)>, Add);
type Densely = (
    (Conv2D<3, 8, 3, 1, 1>, Dense, Sum, Residual<(Act<PRelu, 8>, Dropout<50>)>),
    AvgPool2D<3, 2, 1>,
    (Flatten2D<8, 5, 3, 120>, Linear<120, 10>),
);

/// A level of a U-Net: down by a pool and up again, beside the map as it was.
type Below = (MaxPool2D<2, 2>, NormedConv2D<Conv2D<6, 4, 3, 1, 1>, BatchNorm2D<4>>, Act<Pvlu, 4>, Upsample2D<2>);
type Level = (Branches<(Identity, Below)>, Concat<10>);
type UNet = (Conv2D<3, 6, 3, 1, 1>, Level, ZeroPaddedMaxPool2D<3, 2, 1>, MaxPool2D<3, 2, 1>, Pooled);
type Pooled = (GlobalAvgPool2D, Linear<10, 10>, Dropout<10>);

/// A network with other values than those that it starts with.
fn shaken(mut model: impl Model + 'static) -> Box<dyn Model> {
    model.net_mut().visit_mut(&mut Path::root(), &mut Shake(7)).unwrap();
    Box::new(model)
}

/// Networks for images that are not square, each with a name.
pub fn all() -> [(&'static str, Box<dyn Model>); 3] {
    let dev = Cpu::seed_from_u64(0);
    [
        ("squeeze and excite", shaken(Classifier::new(dev.build_module::<Excited, f32>(), Const::<9>, Const::<6>))),
        ("dense", shaken(Classifier::new(dev.build_module::<Densely, f32>(), Const::<9>, Const::<6>))),
        ("u-net", shaken(Classifier::new(dev.build_module::<UNet, f32>(), Const::<8>, Const::<6>))),
    ]
}

#[test]
fn networks_of_every_other_layer_are_written() {
    let [(_, excited), (_, dense), (_, u_net)] = all();
    let operations = |model: &dyn Model, name| {
        let file = written(model, name, true).unwrap();
        file.nodes.into_iter().map(|node| node.operation).collect::<Vec<_>>()
    };
    let of = |operations: &[String], name: &str| operations.iter().filter(|found| *found == name).count();
    let found = operations(excited.as_ref(), "excited");
    assert_eq!((of(&found, "Unsqueeze"), of(&found, "Flatten")), (1, 2), "{found:?}");
    let found = operations(dense.as_ref(), "dense");
    assert_eq!(["PRelu", "Concat", "AveragePool", "Dropout"].map(|name| of(&found, name)), [1, 1, 1, 0], "{found:?}");
    assert_eq!(of(&found, "BatchNormalization"), 1, "that before a convolution");
    let found = operations(u_net.as_ref(), "u-net");
    assert_eq!(["Resize", "Pad", "MaxPool", "Identity"].map(|name| of(&found, name)), [1, 1, 3, 0], "{found:?}");
}

/// x^2, by a formula that no other program can see.
#[derive(Clone, Copy, Debug, Default)]
pub struct Square;

impl Activation for Square {
    const NAME: &'static str = "square";
    type Params<T: Copy> = [T; 0];
    const PARAMS: [Param; 0] = [];

    #[inline(always)]
    fn value<R: Real>(x: R, []: [R; 0]) -> R {
        x * x
    }
    #[inline(always)]
    fn derivatives<R: Real>(x: R, []: [R; 0]) -> (R, [R; 0]) {
        (x + x, [])
    }
}

#[test]
fn what_onnx_has_no_operation_for_is_an_error_that_names_the_layer() {
    let dev = Cpu::seed_from_u64(0);
    type Foreign<A> = (Conv2D<3, 4, 3>, A, GlobalAvgPool2D, Linear<4, 2>);
    let foreign = Classifier::cifar(dev.build_module::<Foreign<FromDfdx<Tanh>>, f32>());
    let error = written(&foreign, "foreign", false).err().unwrap();
    assert!(matches!(&error, ExportError::Layer { path, .. } if path == "1"), "{error:?}");
    assert_eq!(error.to_string(), "layer \"1\": Tanh of dfdx has no operation in ONNX");
    let own = Classifier::cifar(dev.build_module::<Foreign<Act<Square, 4>>, f32>());
    let error = written(&own, "own", false).err().unwrap();
    assert!(error.to_string().contains("layer \"1\": the formula of the activation \"square\""), "{error}");
}
