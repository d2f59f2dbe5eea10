//! The tensors of a network, as a list.

use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::any_tensor::AnyTensor;
use super::visit::{NamedTensor, ParamKind, Path, Visit, Visitor};
use crate::error::Error;

/// One tensor of a network, without its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedParameter {
    /// Path from the root, with dots: `0.3.alpha`.
    pub path: String,
    /// Role of the tensor in its layer.
    pub kind: ParamKind,
    /// Sizes of the dimensions; of a convolution's weight outputs, inputs, rows and columns.
    pub shape: Vec<usize>,
    /// False of what is frozen, and of running statistics and hyperparameters.
    pub trained: bool,
}

/// The tensors of a network in forward order, running statistics and hyperparameters of activations among them.
///
/// ```
/// use dfdx::prelude::*;
/// use pvlu::layer::{ParamKind, named_parameters};
/// use pvlu::prelude::*;
///
/// let mut net = Cpu::default().build_module::<(nn::Conv2D<3, 8, 3, 1, 1>, nn::Act<Pvlu, 8>), f32>();
/// net.freeze_weights(true);
/// let found = named_parameters(&net);
/// assert_eq!(found[0].path, "0.weight");
/// assert_eq!(found[0].shape, [8, 3, 3, 3]);
/// assert!(!found[0].trained);
/// assert_eq!(found[2].path, "1.alpha");
/// assert_eq!(found[2].kind, ParamKind::Activation);
/// assert!(found[2].trained);
/// ```
pub fn named_parameters<E: Unit, D: Storage<E>>(net: &(impl Visit<E, D> + ?Sized)) -> Vec<NamedParameter> {
    struct List(Vec<NamedParameter>);
    impl<E: Unit, D: Storage<E>> Visitor<E, D> for List {
        fn tensor(&mut self, slot: NamedTensor<'_>, tensor: &dyn AnyTensor<E, D>) -> Result<(), Error> {
            let NamedTensor { path, kind, trained, .. } = slot;
            self.0.push(NamedParameter { path: path.to_owned(), kind, shape: tensor.dims(), trained });
            Ok(())
        }
    }
    let mut list = List(Vec::new());
    net.visit(&mut Path::root(), &mut list).expect("this visitor returns no error");
    list.0
}
